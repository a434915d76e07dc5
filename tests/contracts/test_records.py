"""A hub's database does the same on SQLite and on PostgreSQL."""

import importlib
import threading
from contextlib import closing

import pytest
from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError, IntegrityError

from fairhaven.kernel.errors import Invalid, NotAllowedNow
from fairhaven.records import Database, check_current, head
from fairhaven.records.migration import differences, migrate, revert, steps
from tests.architecture.source_tree import SOURCE
from tests.support.database_addresses import DatabaseAddress

_TABLES = MetaData()
NOTE = Table("note", _TABLES, Column("number", Integer, primary_key=True), Column("words", Text, unique=True))
REMARK = Table("remark", _TABLES, Column("note", Integer, ForeignKey("note.number"), primary_key=True))


@pytest.fixture
def notes(database: Database) -> Database:
    """A database with a table of notes."""
    with database.writing() as connection:
        _TABLES.create_all(connection)
    return database


def written(connection: Connection, words: str) -> None:
    connection.execute(insert(NOTE).values(words=words))


def all_notes(database: Database) -> list[str]:
    with database.reading() as connection:
        return [*connection.execute(select(NOTE.c.words).order_by(NOTE.c.number)).scalars()]


def test_tables_go_forward_and_back_and_are_as_declared(address: DatabaseAddress) -> None:
    with closing(address.opened()) as database:
        assert database.revision() == ""
        with pytest.raises(Invalid, match="holds no hub's records"):
            check_current(database)
        assert steps(database)[0] == "0001: The table of jobs."
        migrate(database)
        check_current(database)
        assert (database.revision(), steps(database)) == (head(), [])
        _import_tables()
        missing = differences(database)
        assert not missing, f"a revision is missing, whose upgrade is:\n{missing}"
        revert(database)
        assert database.revision() == ""
        with database.reading() as connection:
            assert inspect(connection).get_table_names() == ["alembic_version"]
        migrate(database)
        check_current(database)


def _import_tables() -> None:
    """Every module that declares a table."""
    for path in SOURCE.rglob("*.py"):
        if "METADATA" in path.read_text(encoding="utf-8") and path.name != "__init__.py":
            importlib.import_module(".".join(path.relative_to(SOURCE.parent).with_suffix("").parts))


def test_a_database_of_a_newer_fairhaven_is_refused(database: Database) -> None:
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for ask in (check_current, migrate, steps):
        with pytest.raises(NotAllowedNow, match="written by a newer Fairhaven"):
            ask(database)


def test_what_is_written_is_there_and_what_fails_leaves_nothing(notes: Database) -> None:
    with notes.writing() as connection:
        written(connection, "kept")
    with pytest.raises(IntegrityError), notes.writing() as connection:
        connection.execute(insert(NOTE).values([{"words": "lost"}, {"words": "kept"}]))
    assert all_notes(notes) == ["kept"]


def test_a_key_that_leads_nowhere_is_refused(notes: Database) -> None:
    with pytest.raises(IntegrityError), notes.writing() as connection:
        connection.execute(insert(REMARK).values(note=7))


def test_a_reader_sees_one_moment_and_writes_nothing(notes: Database) -> None:
    with notes.reading() as connection:
        before = connection.execute(select(func.count()).select_from(NOTE)).scalar()
        with notes.writing() as other:
            written(other, "meanwhile")
        assert connection.execute(select(func.count()).select_from(NOTE)).scalar() == before
    with pytest.raises((DBAPIError, OSError)), notes.reading() as connection:
        written(connection, "never")
    assert all_notes(notes) == ["meanwhile"]


def test_a_writer_sees_what_those_before_it_wrote_while_it_waited(notes: Database) -> None:
    seen: list[list[str]] = []

    def write() -> None:
        with notes.writing() as connection:
            seen.append([*connection.execute(select(NOTE.c.words)).scalars()])

    with notes.writing() as connection:
        thread = threading.Thread(target=write)
        thread.start()
        written(connection, "before")
    thread.join()
    assert seen == [["before"]]


def test_a_writer_that_waits_too_long_is_told_in_words(notes: Database, address: DatabaseAddress) -> None:
    with closing(address.opened(patience=0.1)) as other:
        with notes.writing(), pytest.raises(NotAllowedNow, match="others have been writing"), other.writing():
            pass
        with other.writing() as connection:
            written(connection, "after")


@pytest.mark.parametrize("address", ["postgresql"], indirect=True)
def test_a_server_that_goes_away_is_said_in_words_and_used_again_when_it_is_back(
    notes: Database, address: DatabaseAddress
) -> None:
    with closing(address.opened()) as other:

        def write(*, ends_itself: bool) -> None:
            with notes.writing() as connection:
                written(connection, "lost")
                number = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
                with other.reading() as ending:
                    ending.exec_driver_sql(f"SELECT pg_terminate_backend({number}, 10000)")
                if not ends_itself:
                    written(connection, "lost as well")

        with pytest.raises(NotAllowedNow, match=r"does not answer.*nothing was done"):
            write(ends_itself=False)
        with pytest.raises(NotAllowedNow, match="whether it was is not known"):
            write(ends_itself=True)
    with notes.writing() as connection:
        written(connection, "kept")
    assert all_notes(notes) == ["kept"]


def test_who_writes_within_writing_is_told_and_does_not_wait_for_itself(notes: Database) -> None:
    with notes.writing(), pytest.raises(RuntimeError, match="wait for itself"), notes.writing():
        pass
    with notes.writing() as connection:
        written(connection, "later")


def test_no_value_is_in_an_error(notes: Database) -> None:
    with notes.writing() as connection:
        written(connection, "9434765919")
    with pytest.raises(IntegrityError) as broken, notes.writing() as connection:
        written(connection, "9434765919")
    with pytest.raises(DBAPIError) as unknown, notes.writing() as connection:
        connection.execute(text("INSERT INTO nowhere VALUES (:words)"), {"words": "9434765919"})
    for error in (broken.value, unknown.value):
        assert "9434765919" not in f"{error}{error.orig}{error.orig.args if error.orig else ''}"
