"""Parquet under a key that ends with the process: what is not to be read on the disk, also by whoever finds it after a kill.

Every connection that may spill has the key (`duckdb_connection.open_duckdb`); what encrypts is the OpenSSL of docs/adr/0018.
"""

import secrets
from pathlib import Path

import duckdb

from fairhaven.engine.sql import file, literal
from fairhaven.kernel.plain_files import plain_file

_NAME = "process"
_MADE: dict[str, str] = {}
_MAGIC = b"PARE"
"""With what a Parquet file begins whose footer is encrypted."""

UNDER_KEY = f"encryption_config {{footer_key: {literal(_NAME)}}}"
"""Option of ``COPY ... TO ... (FORMAT parquet)``."""
_READ_UNDER_KEY = UNDER_KEY.replace(" ", " => ", 1)


def add_process_key(connection: duckdb.DuckDBPyConnection) -> None:
    """Give a connection the key; no query can read it."""
    connection.execute(f"PRAGMA add_parquet_key({literal(_NAME)}, {literal(_key())})")


def is_under_key(path: Path) -> bool:
    """Whether a Parquet file is under a key, this process's or one that is gone. Raises as `plain_file`."""
    with plain_file(path) as content:
        return content.read(len(_MAGIC)) == _MAGIC


def under_key(file_or_pattern: str) -> str:
    """What is under the key as a relation; files that a pattern stands for have the same columns."""
    return f"read_parquet({literal(file_or_pattern)}, {_READ_UNDER_KEY})"


def rows_of(*paths: Path, name_in: str = "") -> str:
    """Parquet files as a relation, plain or under the key; columns that a file lacks are NULL there.

    Args:
        name_in: column for the path of a row's file; empty for none.
    """
    named = f", filename => {literal(name_in)}" if name_in else ""
    under = {path: None for path in paths if is_under_key(path)}
    # DuckDB 1.5 fails within where it is to join columns of files under a key by their names.
    parts = [f"read_parquet({file(path)}, {_READ_UNDER_KEY}{named})" for path in under]
    if plain := [file(path) for path in paths if path not in under]:
        parts.append(f"read_parquet([{', '.join(plain)}], union_by_name => true{named})")
    return parts[0] if len(parts) == 1 else f"({' UNION ALL BY NAME '.join(f'FROM {part}' for part in parts)})"


def _key() -> str:
    # Whoever comes first makes it: threads that ask at the same time get the same one.
    return _MADE.setdefault(_NAME, secrets.token_hex(16))
