"""Parquet under a key that ends with the process: read by this process with plain files, and by nobody else."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from fairhaven.engine.duckdb_connection import open_duckdb, write_parquet
from fairhaven.engine.process_key import is_under_key, rows_of, under_key

_NAME = "Featherstonehaugh"


def test_files_under_the_key_are_read_with_plain_ones_and_by_no_other_process(tmp_path: Path) -> None:
    plain, kept, more = (tmp_path / f"{name}.parquet" for name in ("plain", "kept [1]", "more"))
    with open_duckdb(spill=tmp_path, reaches=[tmp_path]) as connection:
        write_parquet(connection, f"SELECT 1 AS n, '{_NAME}' AS name", plain)
        write_parquet(connection, f"SELECT 2 AS n, '{_NAME}' AS name", kept, is_under_key=True)
        write_parquet(connection, f"SELECT '{_NAME}' AS name, true AS further", more, is_under_key=True)
    assert [is_under_key(path) for path in (plain, kept, more)] == [False, True, True]
    assert [_NAME.encode() in path.read_bytes() for path in (plain, kept, more)] == [True, False, False]
    # Another connection of the process.
    with open_duckdb(spill=tmp_path, reaches=[tmp_path]) as connection:
        rows = f"SELECT n, further, parse_filename(file) FROM {rows_of(plain, kept, more, name_in='file')} ORDER BY ALL"
        assert connection.execute(rows).fetchall() == [
            (1, None, "plain.parquet"),
            (2, None, "kept [1].parquet"),
            (None, True, "more.parquet"),
        ]
        assert connection.execute(f"SELECT name FROM {rows_of(kept)}").fetchall() == [(_NAME,)]
    with duckdb.connect() as other:
        other.execute("PRAGMA add_parquet_key('process', '0123456789abcdef0123456789abcdef')")
        for rows in (f"read_parquet('{more}')", under_key(str(more))):
            with pytest.raises(duckdb.Error, match=r"encrypted|decrypt|key|AES|GCM"):
                other.execute(f"FROM {rows}")


def test_connections_that_are_opened_at_once_have_one_key(tmp_path: Path) -> None:
    def write(number: int) -> Path:
        target = tmp_path / f"{number}.parquet"
        with open_duckdb(spill=tmp_path, reaches=[tmp_path], threads=1) as connection:
            write_parquet(connection, f"SELECT {number} AS n", target, is_under_key=True)
        return target

    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(write, range(4)))
    with open_duckdb(spill=tmp_path, reaches=[tmp_path], threads=1) as connection:
        assert connection.execute(f"SELECT sum(n) FROM {rows_of(*written)}").fetchall() == [(6,)]
