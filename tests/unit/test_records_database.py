"""The hub's database on SQLite: who writes and reads, in which order, and what is said where it does not go."""

import os
import sqlite3
import stat
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from fairhaven.kernel.errors import Invalid, NotAllowedNow
from fairhaven.records import Database
from fairhaven.records.postgresql import checked_url, way_to
from fairhaven.records.write_queue import ThreadQueue


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database.at(tmp_path / "records.sqlite", patience=0.3)
    with made.writing() as connection:
        connection.execute(text("CREATE TABLE note (number INTEGER PRIMARY KEY, words TEXT UNIQUE)"))
    yield made
    made.close()


def written(connection: Connection, words: str) -> None:
    connection.execute(text("INSERT INTO note (words) VALUES (:words)"), {"words": words})


def notes(database: Database) -> list[str]:
    with database.reading() as connection:
        return [*connection.execute(text("SELECT words FROM note ORDER BY number")).scalars()]


def test_the_file_is_its_owners_alone(database: Database, tmp_path: Path) -> None:
    for path in tmp_path.glob("records.sqlite*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_writer_from_outside_the_queue_is_waited_for_and_told_of_in_words(database: Database, tmp_path: Path) -> None:
    outside = sqlite3.connect(tmp_path / "records.sqlite", isolation_level=None)
    outside.execute("BEGIN IMMEDIATE")
    with pytest.raises(NotAllowedNow, match="others have been writing"), database.writing():
        pass
    outside.close()


def test_a_full_disk_is_an_error_of_the_disk_and_leaves_nothing_half_written(database: Database) -> None:
    with pytest.raises(OSError, match="No space left") as full, database.writing() as connection:
        fill(connection)
    assert full.value.filename.endswith("records.sqlite")
    assert not notes(database)


def fill(connection: Connection) -> None:
    connection.exec_driver_sql("PRAGMA max_page_count = 20")
    for number in range(40):
        written(connection, f"{number:04000}")


def test_threads_write_in_the_order_in_which_they_came() -> None:
    queue = ThreadQueue()
    came: list[int] = []

    def write(number: int) -> None:
        assert queue.enter(60)
        came.append(number)
        queue.leave()

    assert queue.enter(0)
    assert not queue.enter(0.01)
    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for number, thread in enumerate(threads, start=1):
        thread.start()
        while len(queue.waiting) < number:
            time.sleep(0.001)
    queue.leave()
    for thread in threads:
        thread.join()
    assert came == [*range(8)]
    assert queue.enter(0)


@pytest.mark.parametrize(
    ("url", "sslmode"),
    [
        ("postgresql+psycopg://hub@db.example/hub", "require"),
        ("postgresql+psycopg://hub@localhost/hub?host=db.example", "require"),
        ("postgresql+psycopg://hub@/hub?host=/run/postgresql&host=db.example", "require"),
        ("postgresql+psycopg://hub@/hub?host=/run/postgresql,db.example", "require"),
        ("postgresql+psycopg://hub@localhost/hub?hostaddr=192.0.2.7", "require"),
        ("postgresql+psycopg://hub@db.example/hub?sslmode=verify-full", None),
        ("postgresql+psycopg://hub@/hub?host=/run/postgresql", None),
        ("postgresql+psycopg://hub@localhost/hub", None),
    ],
)
def test_over_a_network_records_go_encrypted(url: str, sslmode: str | None) -> None:
    assert way_to(checked_url(url)).get("sslmode") == sslmode


def test_without_the_driver_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(Invalid, match=r"fairhaven\[postgresql\]"):
        Database.named("postgresql+psycopg://hub@db.example/hub")


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "records.sqlite").write_bytes(b"no database at all, and long enough to be looked at" * 100)
    database = Database.at(tmp_path / "records.sqlite")
    with pytest.raises(Invalid, match="is damaged"), database.reading():
        pass
    database.close()
    os.mkfifo(tmp_path / "pipe.sqlite")
    with pytest.raises(Invalid, match="is a pipe"):
        Database.at(tmp_path / "pipe.sqlite")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql+psycopg://hub:ward7door@db.example/hub", "has a password in it"),
        ("postgresql+psycopg://hub@db.example/hub?password=ward7door", "has a password in it"),
        ("postgresql+psycopg://hub@db.example/hub?sslkey=k&sslpassword=ward7door", "has a password in it"),
        ("postgresql+psycopg://hub:p@s/ward7door@db.example/hub", "has a password in it"),
        ("postgresql+psycopg://hub:@db.example/hub", "has a password in it"),
        ("postgresql://hub@db.example/hub", r"must be postgresql\+psycopg"),
        ("mysql://hub:ward7door@db.example/hub", r"must be postgresql\+psycopg"),
        ("postgresql+psycopg://hub@db.example", "names no database"),
        ("hub:ward7door@db.example/hub", "cannot be read"),
        ("postgresql+psycopg://hub:ward7door@db.example:port/hub", "cannot be read"),
    ],
)
def test_an_address_that_is_no_database_of_ours_is_refused_and_a_password_in_it_not_shown(url: str, said: str) -> None:
    with pytest.raises(Invalid, match=said) as raised:
        Database.named(url)
    assert "ward7door" not in str(raised.value)
