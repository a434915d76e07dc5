"""What was done to a network and is not in the hub's ledger yet.

An act is written in the transaction of the change itself, so neither is there without the other; who enters it in the
ledger may be killed and do it again, because each act has an identifier of its own.
"""

import json
import sqlite3
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairhaven.kernel.codec import from_json, to_json
from fairhaven.kernel.sqlite_files import transaction
from fairhaven.ledger import Actor, EventKind

SCHEMA = """
CREATE TABLE IF NOT EXISTS act (number INTEGER PRIMARY KEY, kind TEXT NOT NULL, facts TEXT NOT NULL, actor TEXT NOT NULL)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """One change of a network, by whom; ``facts["act"]`` is its identifier."""

    number: int
    kind: EventKind
    facts: Mapping[str, Any]
    by: Actor


@dataclass(kw_only=True, slots=True)
class Acts:
    """The acts of one database that the ledger is to hold.

    Args:
        by: who changes the network through this connection.
        lock: held while the connection is used.
    """

    database: sqlite3.Connection = field(repr=False)
    lock: threading.Lock = field(repr=False)
    by: Actor

    def add(self, kind: EventKind, facts: Mapping[str, Any]) -> None:
        """Write an act; the caller holds the lock and is inside the transaction of the change."""
        self.database.execute(
            "INSERT INTO act (kind, facts, actor) VALUES (?, ?, ?)",
            (kind.value, json.dumps({**facts, "act": uuid.uuid4().hex}), json.dumps(to_json(self.by))),
        )

    def waiting(self) -> list[Act]:
        """The acts that nobody has entered in the ledger and forgotten here, the oldest first."""
        with self.lock:
            rows = self.database.execute("SELECT number, kind, facts, actor FROM act ORDER BY number").fetchall()
        return [
            Act(number=number, kind=EventKind(kind), facts=json.loads(facts), by=from_json(Actor, json.loads(actor)))
            for number, kind, facts, actor in rows
        ]

    def forget(self, act: Act) -> None:
        """The ledger holds it."""
        with self.lock, transaction(self.database):
            self.database.execute("DELETE FROM act WHERE number = ?", (act.number,))
