"""DuckDB as it is opened: under a ceiling, spilling into a private folder that goes away, or not at all."""

import stat
from pathlib import Path

import duckdb
import pytest

from fairhaven.engine.duckdb_connection import open_duckdb

LARGE = (
    "CREATE TABLE t AS SELECT range AS n, repeat('x', 200) || range AS text FROM range(2_000_000) ORDER BY hash(range)"
)


def settings(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    names = "'memory_limit', 'temp_directory', 'autoinstall_known_extensions', 'autoload_known_extensions'"
    rows = connection.execute(f"SELECT name, value FROM duckdb_settings() WHERE name IN ({names})")
    return dict(rows.fetchall())


def test_what_does_not_fit_in_memory_goes_to_a_private_folder_that_is_gone_afterwards(tmp_path: Path) -> None:
    with open_duckdb(spill=tmp_path / "scratch", memory_limit="60MB", threads=1) as connection:
        connection.execute(LARGE)
        [folder] = (tmp_path / "scratch").iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert list((folder / "spill").iterdir())
    assert not list((tmp_path / "scratch").iterdir())


def test_without_a_folder_nothing_reaches_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with open_duckdb(spill=None, memory_limit="60MB", threads=1) as connection:
        with pytest.raises(duckdb.OutOfMemoryException):
            connection.execute(LARGE)
        assert not list(tmp_path.iterdir())


def test_it_has_a_ceiling_and_fetches_no_extension(tmp_path: Path) -> None:
    with open_duckdb(spill=tmp_path, memory_limit="100MB") as connection:
        found = settings(connection)
    assert found["memory_limit"] == "95.3 MiB"
    assert Path(found["temp_directory"]).is_relative_to(tmp_path)
    assert {found["autoinstall_known_extensions"], found["autoload_known_extensions"]} == {"false"}
