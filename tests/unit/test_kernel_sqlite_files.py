"""SQLite files are opened alike; one that cannot be used is refused in words, and nothing of it stays open."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from fairhaven.hub.disclosure_policies import policy_named
from fairhaven.kernel.errors import Invalid
from fairhaven.kernel.sqlite_files import open_database
from fairhaven.query_audit import QueryAudit, rules_named


def open_plain(path: Path) -> object:
    return open_database(path, "CREATE TABLE a (b)", version=1)


def open_audit(path: Path) -> object:
    return QueryAudit(path, policy_named("hdr-uk"), rules_named("standard"))


def of_a_later_version(path: Path) -> None:
    open_database(path, "CREATE TABLE a (b)", version=99).close()


def of_another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (b)")


def of_no_database(path: Path) -> None:
    path.write_bytes(b"no database, by any means" * 100)


def open_descriptors(path: Path) -> list[Path]:
    return [
        each for each in Path("/proc/self/fd").iterdir() if each.exists() and each.resolve().name.startswith(path.name)
    ]


@pytest.mark.parametrize("opened", [open_plain, open_audit])
@pytest.mark.parametrize("made", [of_a_later_version, of_another_program, of_no_database])
def test_a_file_that_cannot_be_used_is_refused_unchanged_and_let_go_of(
    tmp_path: Path, opened: Callable[[Path], object], made: Callable[[Path], None]
) -> None:
    path = tmp_path / "file.sqlite"
    made(path)
    with pytest.raises(Invalid, match=r"file\.sqlite (is|was)"):
        opened(path)
    assert open_descriptors(path) == []


def test_a_file_is_made_for_its_owner_alone_and_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.sqlite"
    for _ in range(2):
        connection = open_database(path, "CREATE TABLE a (b);", version=1)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()
    assert path.stat().st_mode & 0o077 == 0


def test_a_file_of_an_earlier_version_is_brought_into_the_form_of_today_once(tmp_path: Path) -> None:
    path = tmp_path / "file.sqlite"
    with closing(open_database(path, "CREATE TABLE a (b)", version=1)) as connection:
        connection.execute("INSERT INTO a VALUES (7)")
    migrations = {1: "ALTER TABLE a RENAME TO c; ALTER TABLE c RENAME COLUMN b TO d"}
    for _ in range(2):
        with closing(open_database(path, "CREATE TABLE c (d)", version=2, migrations=migrations)) as connection:
            assert connection.execute("SELECT d FROM c").fetchall() == [(7,)]
    with pytest.raises(Invalid, match="another version"):
        open_database(path, "CREATE TABLE e (f)", version=3, migrations=migrations)
