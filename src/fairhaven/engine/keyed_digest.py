"""The keyed digest of `kernel.ids.pseudonym` for a column: HMAC-SHA256 in SQL, which DuckDB does not have."""

from hashlib import sha256

import duckdb

_BLOCK = 64
"""Bytes that SHA-256 takes at a time."""


def define_pseudonym(connection: duckdb.DuckDBPyConnection, macro: str, key: bytes) -> None:
    """Define an SQL macro of one text that equals `kernel.ids.pseudonym` with this key.

    HMAC (RFC 2104) is H(K ^ opad || H(K ^ ipad || text)), with K the key filled up to a block of H, opad 0x5c and ipad 0x36
    in every byte. The key is bound as a variable of the connection and stands in no statement.
    """
    block = (key if len(key) <= _BLOCK else sha256(key).digest()).ljust(_BLOCK, b"\0")
    connection.execute(f"SET VARIABLE {macro}_inner = ?::BLOB", [bytes(byte ^ 0x36 for byte in block)])
    connection.execute(f"SET VARIABLE {macro}_outer = ?::BLOB", [bytes(byte ^ 0x5C for byte in block)])
    connection.execute(
        f"CREATE OR REPLACE MACRO {macro}(subject) AS substr(sha256(getvariable('{macro}_outer') || "
        f"from_hex(sha256(getvariable('{macro}_inner') || encode(subject)))), 1, 32)"
    )
