"""Identifiers that are the same on every run and machine.

A row's identifier is 53 bits wide at most, because R and JavaScript hold whole numbers no larger than 2^53. It starts
from a keyed SHA-256: without the hub's key nobody can confirm a guess ("is there a row for hospital number X?")
by computing the identifier. DuckDB computes the same number by the expression in `row_key_sql`.
"""

import hashlib
import hmac

VERSION = 1
"""Raised when the same parts give another identifier than before."""

BITS = 52
SEPARATOR = "\x1f"


def digest52(*parts: str) -> int:
    """First 52 bits of the SHA-256 of the parts joined by the unit separator: 0 <= n < 2^52."""
    return int(hashlib.sha256(SEPARATOR.join(parts).encode()).hexdigest()[: BITS // 4], 16)


def row_key_sql(text_sql: str) -> str:
    """DuckDB expression that equals `digest52` of the text that *text_sql* evaluates to."""
    return f"('0x' || substr(sha256({text_sql}), 1, {BITS // 4}))::BIGINT"


def pseudonym(key: bytes, *parts: str) -> str:
    """Keyed pseudonym of a source's identifier: 32 hex digits of HMAC-SHA256 (128 bits)."""
    return hmac.new(key, SEPARATOR.join(parts).encode(), hashlib.sha256).hexdigest()[:32]


def derive(secret: bytes, purpose: str) -> bytes:
    """A key for one purpose from the hub's secret, so that no two uses share a key (HMAC-SHA256, 32 bytes)."""
    return hmac.new(secret, purpose.encode(), hashlib.sha256).digest()


def check_value(key: bytes, purpose: str) -> str:
    """16 hex digits by which a key is known again, and which do not tell it (HMAC-SHA256 of a constant, 64 bits)."""
    return pseudonym(key, "check value", purpose)[:16]
