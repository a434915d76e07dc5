"""Parquet files of the archive: where a row goes, in which order."""

from pathlib import Path

import duckdb

from fairhaven.engine.sql import parquet
from fairhaven.omop import CDM

ROWS_A_BUCKET = 1_000_000
"""More rows than this in a bucket doubles the buckets. Small buckets make erasure cheap, large ones reading."""

_MOST_BUCKETS = 256


def person_column(table: str) -> str:
    """The column that says whose row it is; empty where a table has none."""
    if CDM[table].has_person:
        return "person_id"
    return "subject_id" if table == "cohort" else ""


def bucket_column(table: str) -> str:
    """The column whose remainder is a row's bucket; empty where the table is always one file."""
    return person_column(table) or CDM[table].primary_key


def order(table: str) -> tuple[str, ...]:
    """Sort order inside a file: what it is, then whose, then the key, so that equal rows give equal files."""
    spec = CDM[table]
    leading = tuple(dict.fromkeys(name for name in (spec.concept, person_column(table), spec.primary_key) if name))
    return leading if spec.primary_key else leading + tuple(name for name in spec.names if name not in leading)


def bucket_count(table: str, rows: int, before: int | None) -> int:
    """How many buckets: a power of two.

    Args:
        before: what the release before had; kept while it is near enough, because another count rewrites every file.
    """
    if not bucket_column(table):
        return 1
    if before is not None and rows <= before * ROWS_A_BUCKET and (before == 1 or rows > before * ROWS_A_BUCKET // 8):
        return before
    count = 1
    while count < _MOST_BUCKETS and rows > count * ROWS_A_BUCKET // 2:
        count *= 2
    return count


def columns(connection: duckdb.DuckDBPyConnection, file: Path) -> dict[str, str]:
    """Columns of a Parquet file and their SQL types, in order."""
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE FROM {parquet(file)}").fetchall()}


def sql_type(dtype: object) -> str:
    """DuckDB's name of a CDM column's type."""
    return _SQL[str(dtype)]


_SQL = {
    "int64": "BIGINT",
    "int32": "INTEGER",
    "float64": "DOUBLE",
    "date": "DATE",
    "timestamp(6)": "TIMESTAMP",
    "string": "VARCHAR",
}
