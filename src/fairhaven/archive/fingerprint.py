"""Fingerprint of rows: the same for the same rows in whatever order, file, engine or machine.

Each row is written as text that no other row shares (columns in the CDM's order, texts with their length before them,
absent values as nothing), its MD5 taken, and the two 64-bit halves added up over all rows, modulo 2^64. Fingerprints of
files add up to that of the table, so an unchanged file need not be read again. It tells contents apart; that nobody
altered them is the matter of the files' SHA-256 in the sealed manifests. Lineage columns are left out: the same record
delivered again is the same content.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from fairhaven.engine.sql import identifier, parquet
from fairhaven.omop import CDM, Field

_HALF = 1 << 64


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Fingerprint of some rows.

    Args:
        rows: how many.
        high: sum of the digests' upper halves.
        low: sum of the digests' lower halves.
    """

    rows: int = 0
    high: int = 0
    low: int = 0

    def __add__(self, other: "Fingerprint") -> "Fingerprint":
        return Fingerprint(self.rows + other.rows, (self.high + other.high) % _HALF, (self.low + other.low) % _HALF)

    @property
    def hex(self) -> str:
        """32 hex digits."""
        return f"{self.high:016x}{self.low:016x}"

    @classmethod
    def from_hex(cls, text: str, rows: int) -> "Fingerprint":
        """Read `hex` back."""
        return cls(rows, int(text[:16], 16), int(text[16:], 16))


def fingerprint(connection: duckdb.DuckDBPyConnection, file: Path, table: str) -> Fingerprint:
    """Fingerprint of a Parquet file's rows of a CDM table."""
    columns = ", '|', ".join(_encoded(field) for field in CDM[table].fields)
    rows, high, low = connection.execute(
        "SELECT count(*), sum((digest >> 64)::UBIGINT), sum((digest & 18446744073709551615)::UBIGINT)"
        f" FROM (SELECT md5_number(concat({columns})) AS digest FROM {parquet(file)})"
    ).fetchone() or (0, 0, 0)
    return Fingerprint(rows, (high or 0) % _HALF, (low or 0) % _HALF)


def _encoded(field: Field) -> str:
    """Arguments for concat(), which takes an absent value as no text at all."""
    name = identifier(field.name)
    match field.dtype:
        case "string":
            return f"strlen({name}), ':', {name}"
        case "float64":
            # Minus zero equals zero, so it must read the same.
            return f"({name} + 0.0)"
        case "date":
            return f"({name} - DATE '1970-01-01')"
        case "timestamp(6)":
            return f"epoch_us({name})"
        case _:
            return name
