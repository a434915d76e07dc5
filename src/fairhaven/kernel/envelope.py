"""Encryption at rest by envelope keys: each file has a key of its own, wrapped by a key of the hub (`kernel.keyring`).

A sealed file is ``FHE1``, a 4-byte length, the wrapped file key (12-byte nonce + AES-256-GCM ciphertext), then chunks of
1 MiB, each 4-byte length + AES-256-GCM ciphertext under the file key with the chunk's number as nonce and
``number, is_last`` as associated data, so that chunks cannot be swapped, dropped or cut off unseen.
Source of the construction: STREAM (Hoang, Reyhanitabar, Rogaway, Vizar 2015).
"""

import hashlib
import io
import os
import secrets
import struct
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, count, pairwise
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fairhaven.kernel.errors import Invalid
from fairhaven.kernel.files import replacement_of
from fairhaven.kernel.memory_files import check_memory, memory_writer
from fairhaven.kernel.plain_files import open_plain, plain_file

_MAGIC = b"FHE1"
_WRAPPED = 12 + 32 + 16
_PREAMBLE = _MAGIC + struct.pack(">I", _WRAPPED)
HEADER = len(_PREAMBLE) + _WRAPPED
"""Bytes before the content of a sealed file: all that changes when its key is wrapped again."""
_CHUNK = 1 << 20


class Envelope:
    """Seals files, each under a key of its own that is wrapped by the hub's key of one purpose.

    Args:
        key: gives the wrapping key, 32 bytes; called when it is first needed.
    """

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._key = key

    @property
    def _wrapping(self) -> AESGCM:
        return AESGCM(self._key())

    def seal(self, source: BinaryIO, target: Path) -> str:
        """Encrypt a stream into *target*, which appears whole or not at all.

        Returns:
            SHA-256 of what was read of the stream.
        """
        digest = hashlib.sha256()
        file_key = secrets.token_bytes(32)
        wrapped = self._wrap(file_key)
        cipher = AESGCM(file_key)
        # At least one chunk, which of an empty stream is empty; the last is known by the nothing that follows it.
        chunks = chain([source.read(_CHUNK)], iter(partial(source.read, _CHUNK), b""), [b""])
        with replacement_of(target) as out:
            out.write(_PREAMBLE + wrapped)
            for number, (chunk, following) in enumerate(pairwise(chunks)):
                digest.update(chunk)
                sealed = cipher.encrypt(_nonce(number), chunk, _place(number, not following))
                out.write(struct.pack(">I", len(sealed)) + sealed)
        return digest.hexdigest()

    def seal_bytes(self, data: bytes, target: Path) -> None:
        """Encrypt bytes into *target*."""
        self.seal(io.BytesIO(data), target)

    def chunks(self, source: Path) -> Iterator[bytes]:
        """Decrypt a sealed file chunk by chunk.

        Raises:
            Invalid: the file was altered, cut off, or sealed with another hub's key.
        """
        broken = _broken(source)
        with plain_file(source) as file:
            cipher = AESGCM(self._file_key(file, broken))
            try:
                head = file.read(4)
                for number in count():
                    length = struct.unpack(">I", head)[0]
                    sealed = file.read(length)
                    head = file.read(4)
                    if len(sealed) != length:
                        raise broken
                    yield cipher.decrypt(_nonce(number), sealed, _place(number, not head))
                    if not head:
                        return
            except (InvalidTag, struct.error, ValueError):
                raise broken from None

    def wrap_again(self, source: Path, under: "Envelope") -> bytes:
        """The key of a sealed file, wrapped by another envelope's key, for `write_wrapped`.

        Raises:
            Invalid: as `chunks`; of the file's content nothing is read.
        """
        with plain_file(source) as file:
            return under._wrap(self._file_key(file, _broken(source)))

    def _wrap(self, file_key: bytes) -> bytes:
        nonce = secrets.token_bytes(12)
        return nonce + self._wrapping.encrypt(nonce, file_key, _MAGIC)

    def _file_key(self, file: BinaryIO, broken: Invalid) -> bytes:
        """The key of a sealed file, whose content comes next."""
        header = file.read(HEADER)
        if header[: len(_PREAMBLE)] != _PREAMBLE:
            raise broken
        wrapped = header[len(_PREAMBLE) :]
        try:
            return self._wrapping.decrypt(wrapped[:12], wrapped[12:], _MAGIC)
        except (InvalidTag, ValueError):
            raise broken from None

    def open_bytes(self, source: Path) -> bytes:
        """Decrypt a whole sealed file into memory."""
        return b"".join(self.chunks(source))

    def open_to(self, source: Path, target: Path) -> None:
        """Decrypt into a file that is only in memory (see `memory_files`).

        Raises:
            NotAllowedNow: it does not fit.
        """
        check_memory(source.stat().st_size)
        with memory_writer(target) as out:
            for chunk in self.chunks(source):
                out.write(chunk)


def write_wrapped(target: Path, wrapped: bytes) -> None:
    """Put a wrapped key in the place of the one that a sealed file has; its content is not touched."""
    with os.fdopen(open_plain(target, os.O_RDWR), "r+b") as file:
        file.seek(len(_PREAMBLE))
        file.write(wrapped)
        file.flush()
        os.fsync(file.fileno())


def _broken(source: Path) -> Invalid:
    return Invalid(
        f"{source}: the sealed file was altered, cut off, or sealed with another hub's key. "
        "Restore it from the hub's backup."
    )


def skip_header(file: BinaryIO) -> None:
    """Go to where the content of a sealed file begins, behind its wrapped key; of any other file to its start."""
    file.seek(HEADER if file.read(len(_PREAMBLE)) == _PREAMBLE else 0)


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")


def _place(number: int, is_last: bool) -> bytes:
    return struct.pack(">Q?", number, is_last)
