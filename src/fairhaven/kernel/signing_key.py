"""The key that signs the head of the ledger, and its public half: a file that whoever checks a signature may read."""

from base64 import b64decode, b64encode
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fairhaven.kernel.files import damaged, write_atomically
from fairhaven.kernel.plain_files import read_plain

_PUBLIC_LENGTH = 32


class SigningKey:
    """An Ed25519 key (RFC 8032), read when it is first needed.

    Args:
        key: gives the seed, 32 bytes.
    """

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._key = key

    @cached_property
    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._key())

    def sign(self, message: bytes) -> bytes:
        """The signature, 64 bytes."""
        return self._private.sign(message)

    @property
    def public(self) -> bytes:
        """The public half, 32 bytes."""
        return self._private.public_key().public_bytes_raw()

    def is_half_in(self, path: Path) -> bool:
        """Whether a file is there and is the key's public half, byte for byte."""
        return path.exists() and read_plain(path) == _in_text(self.public)

    def write_public(self, path: Path) -> None:
        """Write the public half."""
        write_atomically(path, _in_text(self.public))


def read_public(path: Path) -> bytes:
    """The public half that a file holds, 32 bytes.

    Raises:
        Invalid: it holds none.
    """
    try:
        public = b64decode(read_plain(path))
    except ValueError:
        public = b""
    if len(public) != _PUBLIC_LENGTH:
        raise damaged(path)
    return public


def _in_text(public: bytes) -> bytes:
    return b64encode(public) + b"\n"
