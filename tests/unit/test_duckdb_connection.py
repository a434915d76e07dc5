"""DuckDB as it is opened: under a ceiling, spilling encrypted into a private folder that goes away, or not at all, and locked."""

import stat
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from fairhaven.engine import duckdb_connection
from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.engine.sql import file
from fairhaven.kernel.errors import Refused

LARGE = (
    "CREATE TABLE t AS SELECT range AS n, repeat('x', 200) || range AS text FROM range(2_000_000) ORDER BY hash(range)"
)


def settings(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    names = "'memory_limit', 'temp_directory', 'autoinstall_known_extensions', 'autoload_known_extensions'"
    rows = connection.execute(f"SELECT name, value FROM duckdb_settings() WHERE name IN ({names})")
    return dict(rows.fetchall())


def test_what_does_not_fit_in_memory_goes_encrypted_to_a_private_folder_that_is_gone_afterwards(tmp_path: Path) -> None:
    with open_duckdb(spill=tmp_path / "scratch", memory_limit="60MB", threads=1) as connection:
        connection.execute(LARGE)
        [folder] = (tmp_path / "scratch").iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        spilled = b"".join(path.read_bytes() for path in (folder / "spill").iterdir())
        assert len(spilled) > 10_000_000
        # A row repeats the letter 200 times.
        assert b"xxxxxxxx" not in spilled
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


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A file that no connection of these tests is given."""
    path = tmp_path / "keys" / "a.key"
    path.parent.mkdir()
    path.write_text("secret")
    return path


@pytest.fixture
def locked(tmp_path: Path, key: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that reaches ``given/`` and ``one.csv``."""
    (tmp_path / "given").mkdir()
    (tmp_path / "one.csv").write_text("a\n1\n")
    (tmp_path / "given" / "link").symlink_to(key)
    with open_duckdb(spill=tmp_path / "scratch", reaches=[tmp_path / "given", tmp_path / "one.csv"]) as connection:
        yield connection


@pytest.mark.parametrize(
    "query",
    [
        "FROM read_text('{key}')",
        "FROM read_blob('{given}/../keys/a.key')",
        "FROM read_csv('{given}/link')",
        "FROM glob('{keys}/*')",
        "FROM '{key}'",
        "FROM read_text('/dev/stdin')",
        "FROM read_csv('http://127.0.0.1/a.csv')",
        "COPY (SELECT 1) TO '{keys}/other.csv'",
        "COPY (SELECT 1) TO '{given}/../other.csv'",
        "COPY (SELECT 1) TO '{given}/link'",
        "ATTACH '{keys}/a.duckdb'",
        "EXPORT DATABASE '{keys}/out'",
        "INSTALL httpfs",
        "CREATE PERSISTENT SECRET s (TYPE http, BEARER_TOKEN 'a')",
        "SET temp_file_encryption = false",
        "LOAD spatial",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "SET lock_configuration = false",
        "RESET allowed_paths",
    ],
)
def test_a_locked_connection_reaches_nothing_beside_what_it_was_given(
    tmp_path: Path, key: Path, locked: duckdb.DuckDBPyConnection, query: str
) -> None:
    with pytest.raises(duckdb.Error):
        locked.execute(query.format(key=key, keys=key.parent, given=tmp_path / "given")).fetchall()
    assert [path.name for path in key.parent.iterdir()] == ["a.key"]
    assert key.read_text() == "secret"
    assert not (tmp_path / "other.csv").exists()


def test_a_locked_connection_reads_and_writes_what_it_was_given_by_every_way_there(
    tmp_path: Path, locked: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "given" / "to-one").symlink_to(tmp_path / "one.csv")
    (tmp_path / "way").symlink_to(tmp_path / "given")
    for path in ("one.csv", tmp_path / "one.csv", "given/to-one", "way/to-one"):
        assert locked.execute(f"FROM read_csv('{path}')").fetchall() == [(1,)]
    locked.execute("COPY (SELECT 2 AS a) TO 'way/new.csv'")
    assert (tmp_path / "given" / "new.csv").read_text() == "a\n2\n"


def test_names_that_look_like_patterns_are_reached_too(tmp_path: Path) -> None:
    folder = tmp_path / "hub [1]"
    folder.mkdir()
    for name in ("a*.csv", "ab.csv"):
        (folder / name).write_text("a\n1\n")
    for reaches in ([folder], [folder / "a*.csv"]):
        with open_duckdb(spill=None, reaches=reaches) as connection:
            assert connection.execute(f"FROM read_csv({file(folder / 'a*.csv')})").fetchall() == [(1,)]


def test_a_python_variable_is_no_table(locked: duckdb.DuckDBPyConnection) -> None:
    secret = pa.table({"a": [1]})
    with pytest.raises(duckdb.CatalogException):
        locked.execute("FROM secret")
    assert secret.num_rows == 1


@pytest.mark.parametrize("content", [None, b"", b"no extension", b"signed by nobody"])
def test_without_the_extension_that_encrypts_nothing_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    if content is not None:
        extension = tmp_path / "other_package" / "extensions" / f"v{duckdb.__version__}" / "httpfs.duckdb_extension"
        extension.parent.mkdir(parents=True)
        (tmp_path / "other_package" / "__init__.py").touch()
        if content == b"signed by nobody":
            spec = find_spec("duckdb_extension_httpfs")
            assert spec is not None and spec.origin is not None
            theirs = bytearray(
                (Path(spec.origin).parent / extension.relative_to(tmp_path / "other_package")).read_bytes()
            )
            theirs[1_000_000] ^= 1
            content = bytes(theirs)
        extension.write_bytes(content)
        monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(duckdb_connection, "_EXTENSION", "other_package")
    with (
        pytest.raises(Refused, match=r"pip install duckdb-extension-httpfs==1\.5\.5"),
        open_duckdb(spill=tmp_path / "scratch"),
    ):
        pass
    with open_duckdb(spill=None) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
