"""The ledger's entries in the hub's database: a table that is only added to, and the signed head over it.

The database itself refuses to change, remove or replace an entry, on SQLite and on PostgreSQL. Whoever takes these
triggers out is found by the hashes, which hold each other, and by the head, which nobody signs without the key.
"""

from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    event,
    insert,
    select,
    update,
)

from fairhaven.kernel.errors import Fault
from fairhaven.ledger.chain_reader import NAME, Chain, read_on, with_hash
from fairhaven.ledger.model import Entry
from fairhaven.records import METADATA

EVENT = Table(
    "event",
    METADATA,
    # Given by the ledger, without a gap: the database must not count by itself.
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("content", Text, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("kind", Text, nullable=False, index=True),
    Column("about", Text, nullable=False, index=True),
)
"""One row an entry: ``content`` is its canonical JSON without the hash, ``kind`` and ``about`` are in it as well and stand here to be
looked up by."""

LEDGER_HEAD = Table(
    "ledger_head",
    METADATA,
    Column("place", SmallInteger, CheckConstraint("place = 1", name="one_head"), primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
)
"""The signed head (`checkpoint`), of all entries that there are."""

_SQLITE_TRIGGERS = {
    "event_is_not_changed": "BEFORE UPDATE ON event",
    "event_is_not_removed": "BEFORE DELETE ON event",
    # INSERT OR REPLACE removes the row that it replaces without asking the trigger above.
    "event_is_not_replaced": "BEFORE INSERT ON event WHEN EXISTS (SELECT 1 FROM event WHERE number = NEW.number)",
}
_REFUSAL = "the ledger is only added to"
_SQLITE_STATEMENTS = tuple(
    f"CREATE TRIGGER {name} {when} BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
    for name, when in _SQLITE_TRIGGERS.items()
)
_FUNCTION = f"""CREATE FUNCTION refuse_to_change_the_ledger() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"""
_POSTGRESQL_TRIGGER = """CREATE TRIGGER event_is_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON event
FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_the_ledger()"""
for _dialect, _triggers in (("sqlite", _SQLITE_STATEMENTS), ("postgresql", (_FUNCTION, _POSTGRESQL_TRIGGER))):
    for _trigger in _triggers:
        event.listen(EVENT, "after_create", DDL(_trigger).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]


def read_entries(connection: Connection, known: Chain) -> Chain:
    """The chain as the database has it now: read on after what is known, as long as that is still how it begins."""
    rows = select(EVENT.c.number, EVENT.c.content, EVENT.c.hash, EVENT.c.kind, EVENT.c.about).order_by(EVENT.c.number)
    if not known.entries or known.faults or not _has(connection, known.entries[-1]):
        known = Chain()
    found = connection.execute(rows.where(EVENT.c.number > known.size)).all()
    # What is no text, as somebody else may have put there, is no entry.
    chain = read_on((with_hash(str(row.content), str(row.hash)) for row in found), known)
    if chain.faults:
        return chain
    unlike = [
        Fault(path=NAME, line=row.number, message="the entry was altered: it is filed under what it is not")
        for row, entry in zip(found, chain.entries[known.size :], strict=True)
        if (row.number, row.kind, row.about) != (entry.number, entry.kind, entry.about)
    ]
    return replace(chain, faults=tuple(unlike)) if unlike else chain


def _has(connection: Connection, entry: Entry) -> bool:
    found = connection.execute(select(EVENT.c.hash).where(EVENT.c.number == entry.number)).scalar()
    return found == entry.hash


def add_entries(connection: Connection, entries: Iterable[tuple[Entry, str]]) -> None:
    """Write entries, whose numbers follow the last, each with what is hashed of it."""
    rows = [
        {"number": entry.number, "content": content, "hash": entry.hash, "kind": entry.kind, "about": entry.about}
        for entry, content in entries
    ]
    connection.execute(insert(EVENT), rows)


def read_note(connection: Connection) -> bytes | None:
    """The signed head; None where nothing was signed."""
    note = connection.execute(select(LEDGER_HEAD.c.note)).scalar()
    return None if note is None else str(note).encode()


def write_note(connection: Connection, note: str) -> None:
    """Put a signed head in the place of the one before."""
    if not connection.execute(update(LEDGER_HEAD).values(note=note)).rowcount:
        connection.execute(insert(LEDGER_HEAD).values(place=1, note=note))
