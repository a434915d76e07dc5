"""The head of the ledger, signed: how many entries there are and the root of their Merkle tree, in a form that others can keep.

A checkpoint is a signed note: the ledger's name, the number of entries, the root in Base64, an empty line, and a signature (Ed25519) over the lines before it. Whoever keeps one elsewhere can tell whether the ledger was cut or written anew.
Source: C2SP tlog-checkpoint and signed-note (https://c2sp.org/tlog-checkpoint, https://c2sp.org/signed-note).
"""

import base64
import hashlib
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fairhaven.kernel.errors import Fault, Invalid

_ED25519 = b"\x01"
_HASH_LENGTH, _ID_LENGTH = 32, 4


class Signer(Protocol):
    """What signs: an Ed25519 key."""

    def sign(self, message: bytes) -> bytes:
        """The signature, 64 bytes."""

    @property
    def public(self) -> bytes:
        """The public half, 32 bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """The head of a ledger.

    Args:
        origin: the ledger's name, which follows from its first entry.
        size: how many entries there are.
        hash: the root of their Merkle tree, hex; before there was one, the hash of the last.
    """

    origin: str
    size: int
    hash: str

    def signed(self, signer: Signer) -> str:
        """The signed note."""
        signature = _key_id(self.origin, signer.public) + signer.sign(self._text.encode())
        return f"{self._text}\n\u2014 {self.origin} {_in_base64(signature)}\n"

    @property
    def _text(self) -> str:
        return f"{self.origin}\n{self.size}\n{_in_base64(bytes.fromhex(self.hash))}\n"


def checkpoint_of(note: bytes, public: bytes, *, path: str) -> Checkpoint:
    """The checkpoint of a note that the key of this public half signed.

    Args:
        path: the note's file, for the faults.

    Raises:
        Invalid: it has another form, or no signature of this key.
    """
    text, _, signatures = note.partition(b"\n\n")
    try:
        origin, size, head = text.decode().split("\n")
        digest = _of_base64(head)
        found = Checkpoint(origin=origin, size=int(size), hash=digest.hex())
        *lines, end = (line.split(" ") for line in signatures.decode().split("\n"))
        mine = [_of_base64(line[2]) for line in lines if line[:2] == ["\u2014", origin]]
    except (ValueError, IndexError):
        raise Invalid(Fault(path=path, message="is no signed checkpoint of a ledger")) from None
    if found.size < 1 or len(digest) != _HASH_LENGTH or found._text.encode() != text + b"\n" or end != [""]:
        raise Invalid(Fault(path=path, message="is no signed checkpoint of a ledger"))
    if not any(_is_signature(signature, found, public) for signature in mine):
        raise Invalid(Fault(path=path, message="was not signed by this hub's key for its record, or was altered"))
    return found


def is_signature(signature: bytes, message: bytes, public: bytes) -> bool:
    """Whether a signature (64 bytes) is of a message, by the key of this public half."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _is_signature(signature: bytes, of: Checkpoint, public: bytes) -> bool:
    is_named = signature[:_ID_LENGTH] == _key_id(of.origin, public)
    return is_named and is_signature(signature[_ID_LENGTH:], of._text.encode(), public)


def _key_id(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:_ID_LENGTH]


def _of_base64(text: str) -> bytes:
    """Raises ValueError where the text is not what `_in_base64` gives."""
    data = base64.b64decode(text, validate=True)
    if _in_base64(data) != text:
        raise ValueError
    return data


def _in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
