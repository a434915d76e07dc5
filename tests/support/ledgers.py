"""A ledger in a store of its own, as a hub has one, and the archive over it."""

import datetime as dt
import hashlib
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from fairhaven.archive import Archive
from fairhaven.hub import open_hub
from fairhaven.journeys.hub_keys import make_keys
from fairhaven.journeys.hub_records import make_records
from fairhaven.kernel.files import write_json
from fairhaven.kernel.signing_key import SigningKey
from fairhaven.ledger import EventKind, Ledger
from tests.support.actors import ANNA

SIGNER = SigningKey(lambda: bytes(range(32)))


def ledger_in(
    store: Path,
    *,
    kind: type[Ledger] = Ledger,
    signer: SigningKey = SIGNER,
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    name: str = "",
) -> Ledger:
    """The ledger of a store, begun where there is none, signed by a key of the tests."""
    store.mkdir(parents=True, exist_ok=True)
    database = make_records(store)
    ledger = kind(store, database=lambda: database, signer=signer, now=now)
    ledger.begin({"name": name} if name else {}, by=ANNA)
    return ledger


def archive_in(store: Path) -> Archive:
    """The archive of a store, over the ledger in it."""
    return Archive(store, ledger=ledger_in(store))


def left_by_an_earlier_version(ledger: Ledger, path: Path, notes: object) -> None:
    """Notes without a signature in the place of a journal, as an upgrade found and entered them."""
    write_json(path, notes)
    name, digest = path.relative_to(ledger.store).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()
    ledger.append(EventKind.UPGRADED, {"notes": {name: digest}}, by=ANNA)


def alter(store: Path, *statements: str) -> None:
    """Do what only somebody does who takes the database's own triggers out of the way."""
    with closing(sqlite3.connect(store / "records.sqlite")) as connection, connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)


def begin_anew(hub: Path) -> None:
    """Take a hub's releases and its ledger away, and let a new one say what was received and which vocabulary is loaded."""
    store = hub / "store"
    received = open_hub(hub).ledger.entries_of(EventKind.VOCABULARY, EventKind.DELIVERY)
    shutil.rmtree(store / "archive")
    for path in (*store.glob("records.sqlite*"), store / "published-ledger.jsonl", store / "checkpoint"):
        path.unlink()
    make_keys(store, by=ANNA)  # the keys are kept
    ledger = open_hub(hub).ledger
    for entry in received:
        ledger.append(EventKind(entry.kind), entry.facts, by=ANNA, files=entry.files)
