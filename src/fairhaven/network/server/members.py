"""Who may ask for tasks: each collection has one name and one secret, which is made here and kept as its hash only."""

import base64
import binascii
import hashlib
import hmac
import secrets
import sqlite3
import threading
from dataclasses import dataclass, field

from fairhaven.kernel.errors import Invalid, NotAllowedNow, NotFound
from fairhaven.kernel.sqlite_files import transaction
from fairhaven.ledger import EventKind
from fairhaven.network.connection import Credentials
from fairhaven.network.server.acts import Acts
from fairhaven.network.task import is_collection, is_name

SCHEMA = """
CREATE TABLE member (
  collection TEXT PRIMARY KEY,
  username TEXT NOT NULL,
  salt BLOB NOT NULL,
  hash BLOB NOT NULL
);
"""

_SECRET_BYTES = 32
_NOBODY = (b"\0" * 16, b"\0" * 32)
_LONGEST_HEADER = 1024


@dataclass(kw_only=True, slots=True)
class CollectionRegister:
    """The collections of a network.

    Args:
        database: where they are kept.
        lock: held while the connection is used.
        acts: where each change is written, to be entered in the ledger.
    """

    database: sqlite3.Connection = field(repr=False)
    lock: threading.Lock = field(repr=False)
    acts: Acts

    def add(self, collection: str, *, username: str | None = None) -> Credentials:
        """Let a collection join.

        Args:
            username: the name in HTTP Basic; the collection's where none is given.

        Returns:
            Its name and secret. The secret is not kept: hand it over now.

        Raises:
            Invalid: the collection's name or the user name cannot be used.
            NotAllowedNow: the collection is a member already; `renew` gives it another secret.
        """
        name = collection if username is None else username
        if not is_collection(collection):
            raise Invalid(
                "a collection's name is letters, digits and _ . : -, 128 at most, and does not end in a dot and one letter"
            )
        if not is_name(name) or ":" in name:
            raise Invalid("a user name is letters, digits and _ . -, 128 at most")
        credentials = Credentials(username=name, password=secrets.token_urlsafe(_SECRET_BYTES))
        with self.lock, transaction(self.database):
            row = (collection, name, *_salted(credentials.password))
            if not self.database.execute("INSERT OR IGNORE INTO member VALUES (?, ?, ?, ?)", row).rowcount:
                raise NotAllowedNow(f"{collection} is a member already; renew its secret, or remove it first")
            self.acts.add(EventKind.MEMBER_JOINED, {"collection": collection})
        return credentials

    def renew(self, collection: str) -> Credentials:
        """Give a member another secret; the one it had is void.

        Raises:
            NotFound: there is no such member.
        """
        with self.lock, transaction(self.database):
            row = self.database.execute("SELECT username FROM member WHERE collection = ?", (collection,)).fetchone()
            if row is None:
                raise NotFound(f"{collection} is not a member")
            credentials = Credentials(username=row[0], password=secrets.token_urlsafe(_SECRET_BYTES))
            self.database.execute(
                "UPDATE member SET salt = ?, hash = ? WHERE collection = ?",
                (*_salted(credentials.password), collection),
            )
            self.acts.add(EventKind.MEMBER_RENEWED, {"collection": collection})
        return credentials

    def remove(self, collection: str) -> None:
        """End a membership; its answers are kept.

        Raises:
            NotFound: there is no such member.
        """
        with self.lock, transaction(self.database):
            if not self.database.execute("DELETE FROM member WHERE collection = ?", (collection,)).rowcount:
                raise NotFound(f"{collection} is not a member")
            self.acts.add(EventKind.MEMBER_LEFT, {"collection": collection})

    def names(self) -> list[str]:
        """The members, by name."""
        with self.lock:
            return [name for (name,) in self.database.execute("SELECT collection FROM member ORDER BY collection")]

    def admits(self, collection: str, authorization: str) -> bool:
        """True where an ``Authorization`` header is that of a member.

        It takes as long for a wrong name, a wrong secret and a collection that is none, so that none can be guessed.
        """
        username, password = _basic(authorization)
        with self.lock:
            row = self.database.execute(
                "SELECT username, salt, hash FROM member WHERE collection = ?", (collection,)
            ).fetchone()
        expected, salt, digest = row or ("", *_NOBODY)
        is_secret = hmac.compare_digest(_hash(salt, password), digest)
        is_username = hmac.compare_digest(username.encode(), expected.encode())
        return row is not None and is_secret and is_username


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, value = authorization[:_LONGEST_HEADER].partition(" ")
    try:
        username, colon, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return (username, password) if scheme.lower() == "basic" and colon else ("", "")


def _salted(secret: str) -> tuple[bytes, bytes]:
    salt = secrets.token_bytes(16)
    return salt, _hash(salt, secret)


def _hash(salt: bytes, secret: str) -> bytes:
    # The secret is 256 random bits made here, never a person's word, so no slow hash is needed against guessing.
    return hashlib.sha256(salt + secret.encode()).digest()
