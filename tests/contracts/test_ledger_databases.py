"""The ledger is the same on SQLite and on PostgreSQL, which both refuse to change it."""

from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from fairhaven.kernel.errors import Invalid
from fairhaven.ledger import EventKind, Ledger
from fairhaven.records import Database, make
from tests.support.actors import ANNA, BEN
from tests.support.database_addresses import DatabaseAddress
from tests.support.ledgers import SIGNER


@pytest.fixture
def ledger(database: Database, tmp_path: Path) -> Ledger:
    ledger = Ledger(tmp_path, database=lambda: database, signer=SIGNER)
    ledger.begin({"keys": {}}, by=ANNA)
    for number in (1, 2, 3):
        ledger.append(EventKind.DELIVERY, {"number": number, "name": "é\u0000\\"}, by=BEN, files={"a/b": "0" * 64})
    return ledger


def _anew(ledger: Ledger, database: Database) -> Ledger:
    return Ledger(ledger.store, database=lambda: database, signer=SIGNER)


def test_what_was_entered_is_read_again_and_holds(ledger: Ledger, database: Database) -> None:
    again = _anew(ledger, database)
    assert list(again.entries()) == list(ledger.entries())
    assert again.verify() == again.head_faults() == again.published_faults() == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET content = '{}' WHERE number = 2",
        "DELETE FROM event WHERE number = 2",
        "DELETE FROM event",
        "TRUNCATE event",
        "INSERT INTO event SELECT * FROM event WHERE number = 2",
        "INSERT INTO event SELECT * FROM event WHERE number = 2 ON CONFLICT (number) DO UPDATE SET content = '{}'",
    ],
)
def test_the_database_refuses_to_change_or_remove_an_entry(ledger: Ledger, database: Database, statement: str) -> None:
    with pytest.raises(DBAPIError), database.writing() as connection:
        connection.exec_driver_sql(statement)
    assert _anew(ledger, database).length() == 4


def test_a_change_and_its_event_are_there_together_or_not_at_all(ledger: Ledger, database: Database) -> None:
    with pytest.raises(DBAPIError), ledger.change(EventKind.PROJECT, {}, by=ANNA) as change:
        change.connection.exec_driver_sql("INSERT INTO nowhere VALUES (1)")
    assert _anew(ledger, database).length() == 4
    with ledger.change(EventKind.PROJECT, {}, by=ANNA, about="p1") as change:
        change.connection.exec_driver_sql("CREATE TABLE somewhere (a INTEGER)")
    assert _anew(ledger, database).entries()[-1].about == "p1"


def test_who_takes_the_triggers_out_is_found_by_the_hashes(ledger: Ledger, database: Database) -> None:
    with database.writing() as connection:
        if database.dialect == "postgresql":
            connection.exec_driver_sql("DROP TRIGGER event_is_only_added_to ON event")
        else:
            connection.exec_driver_sql("DROP TRIGGER event_is_not_changed")
        connection.exec_driver_sql("UPDATE event SET content = replace(content, '\"number\":2', '\"number\":7')")
    with pytest.raises(Invalid, match=r"ledger:\d: .*altered"):
        _anew(ledger, database).entries()


def test_tables_that_are_made_at_once_are_those_that_the_revisions_make(address: DatabaseAddress) -> None:
    from fairhaven.records.migration import differences

    database = address.opened()
    make(database)
    make(database)
    assert not differences(database)
    ledger = Ledger(Path("/"), database=lambda: database, signer=SIGNER)
    assert ledger.as_read().size == 0
    database.close()
