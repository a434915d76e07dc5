"""Tasks that wait for their collections, and the answers that came: one answer to each task.

A task that is handed out is hidden for the length of a lease and then handed out again, so that a worker that dies with
it loses nothing. The first answer is kept.
"""

import json
import secrets
import sqlite3
import threading
import time
import uuid as uuids
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from fairhaven.kernel.errors import Fault, Invalid, NotAllowedNow, NotFound
from fairhaven.kernel.sqlite_files import open_database, transaction
from fairhaven.ledger import Actor, EventKind
from fairhaven.network.result import TaskResult, TaskStatus, read_result
from fairhaven.network.server import acts, members
from fairhaven.network.task import LARGEST, PROTOCOL, QueueKind, UnreadableTask, read_task

_VERSION = 1
_SCHEMA = (
    members.SCHEMA
    + """
CREATE TABLE task (
  number INTEGER PRIMARY KEY,
  uuid TEXT NOT NULL,
  collection TEXT NOT NULL,
  queue TEXT NOT NULL,
  body TEXT NOT NULL,
  submitted_at REAL NOT NULL,
  hidden_until REAL NOT NULL DEFAULT 0,
  handed_out INTEGER NOT NULL DEFAULT 0,
  answer TEXT,
  answered_at REAL,
  UNIQUE (uuid, collection)
);
CREATE INDEX task_waiting ON task (collection, handed_out, number) WHERE answer IS NULL
"""
)


class CollectionState(StrEnum):
    """How far one collection has come with a task."""

    WAITING = "waiting"
    HANDED_OUT = "handed out"
    ANSWERED = "answered"
    FAILED = "failed"
    EXPIRED = "expired"


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectionReply:
    """What one collection has said.

    Args:
        collection: who.
        state: how far the task is.
        result: the answer, or the error result; None where there is none.
    """

    collection: str
    state: CollectionState
    result: TaskResult | None


class TaskQueue:
    """The tasks, answers and members of a network, in one SQLite file.

    Args:
        path: the file, made where there is none.
        by: who changes the network through this.
        lease: seconds for which a task that was handed out is hidden.
        lifetime: seconds after which a task without an answer is handed out no more.
        now: the clock, in seconds since 1970.
    """

    def __init__(
        self,
        path: Path,
        *,
        by: Actor,
        lease: float = 600.0,
        lifetime: float = 7 * 86_400.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database: sqlite3.Connection = open_database(path, _SCHEMA, version=_VERSION)
        self._lock = threading.Lock()
        self._lease, self._lifetime, self._now = lease, lifetime, now
        self._database.execute(acts.SCHEMA)
        self.acts = acts.Acts(database=self._database, lock=self._lock, by=by)
        self.members = members.CollectionRegister(database=self._database, lock=self._lock, acts=self.acts)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def submit(self, query: Mapping[str, Any], collections: Iterable[str]) -> str:
        """Put one question to collections.

        Args:
            query: ``{"cohort": ...}`` in the RQuest form, or ``{"analysis": "DISTRIBUTION", "code": ...}``; ``owner``
                and ``project`` are passed on where given.
            collections: whom to ask; each must be a member.

        Returns:
            The uuid under which the answers are found.

        Raises:
            Invalid: the query is not one that a worker can read.
            NotFound: some of the collections are no members; nobody is asked.
        """
        asked = list(dict.fromkeys(collections))
        if not asked:
            raise Invalid("no collection is named, so nobody would be asked")
        uuid = str(uuids.uuid4())
        bodies = {collection: _body(query, uuid, collection) for collection in asked}
        rows = []
        for collection, body in bodies.items():
            task = read_task(body.encode(), collection=collection, is_whole=len(body) <= LARGEST)
            if isinstance(task, UnreadableTask):
                raise Invalid([Fault(message=reason, field="query") for reason in task.reasons])
            rows.append((uuid, collection, task.queue, body, self._now()))
        with self._lock, transaction(self._database):
            known = {name for (name,) in self._database.execute("SELECT collection FROM member")}
            if strangers := [name for name in asked if name not in known]:
                raise NotFound(f"not a member of this network, so nobody was asked: {', '.join(strangers)}")
            self._database.executemany(
                "INSERT INTO task (uuid, collection, queue, body, submitted_at) VALUES (?, ?, ?, ?, ?)", rows
            )
            self.acts.add(EventKind.NETWORK_QUESTION, {"uuid": uuid, "collections": asked})
        return uuid

    def hand_out(self, collection: str, queue: QueueKind = QueueKind.BOTH) -> str | None:
        """The body of a collection's next task, hidden from now on for the lease; None where nothing waits.

        What was handed out least often goes first, so that a task nobody can answer does not hold up the others.
        """
        now = self._now()
        with self._lock, transaction(self._database):
            row = self._database.execute(
                """
                SELECT number, body FROM task
                WHERE collection = ? AND answer IS NULL AND hidden_until <= ? AND submitted_at > ? AND queue LIKE ?
                ORDER BY handed_out, number LIMIT 1
                """,
                (collection, now, now - self._lifetime, queue or "%"),
            ).fetchone()
            if row is None:
                return None
            number, body = row
            self._database.execute(
                "UPDATE task SET hidden_until = ?, handed_out = handed_out + 1 WHERE number = ?",
                (now + self._lease, number),
            )
        return str(body)

    def accept(self, uuid: str, collection: str, body: bytes) -> None:
        """Take an answer. The same answer a second time changes nothing.

        Raises:
            NotFound: the collection was never asked this.
            Invalid: the body is no result; every fault is named.
            NotAllowedNow: there is another answer already, and it is kept.
        """
        with self._lock:
            self._answer(uuid, collection)  # so that a stranger's body is not read
        answer = read_result(body, uuid=uuid, collection=collection).to_json()
        with self._lock, transaction(self._database):
            earlier = self._answer(uuid, collection)
            if earlier not in (None, answer):
                raise NotAllowedNow("the task has another answer already, which is kept")
            if earlier is None:
                self._database.execute(
                    "UPDATE task SET answer = ?, answered_at = ? WHERE uuid = ? AND collection = ?",
                    (answer, self._now(), uuid, collection),
                )

    def results(self, uuid: str) -> list[CollectionReply]:
        """How far each collection that was asked, by name.

        Raises:
            NotFound: no such question was submitted.
        """
        with self._lock:
            rows = self._database.execute(
                "SELECT collection, answer, hidden_until, submitted_at FROM task WHERE uuid = ? ORDER BY collection",
                (uuid,),
            ).fetchall()
        if not rows:
            raise NotFound(f"there is no task {uuid}")
        return [self._reply(uuid, *row) for row in rows]

    def _answer(self, uuid: str, collection: str) -> str | None:
        row: tuple[str | None] | None = self._database.execute(
            "SELECT answer FROM task WHERE uuid = ? AND collection = ?", (uuid, collection)
        ).fetchone()
        if row is None:
            raise NotFound("there is no such task")
        return row[0]

    def _reply(
        self, uuid: str, collection: str, answer: str | None, hidden_until: float, submitted_at: float
    ) -> CollectionReply:
        now = self._now()
        result = None
        if answer is not None:
            result = read_result(answer.encode(), uuid=uuid, collection=collection)
            state = CollectionState.ANSWERED if result.status is TaskStatus.OK else CollectionState.FAILED
        elif hidden_until > now:
            state = CollectionState.HANDED_OUT
        else:
            state = CollectionState.WAITING if submitted_at > now - self._lifetime else CollectionState.EXPIRED
        return CollectionReply(collection=collection, state=state, result=result)


def _body(query: Mapping[str, Any], uuid: str, collection: str) -> str:
    """A task's JSON with the fields of the wire, in its order."""
    owner = query.get("owner", "user1")
    if "analysis" in query:
        value = {"code": query.get("code"), "analysis": query["analysis"], "uuid": uuid, "collection": collection}
        return json.dumps({**value, "owner": owner})
    return json.dumps(
        {
            "task_id": f"job-{uuid}",
            "project": query.get("project", "fairhaven"),
            "owner": owner,
            "cohort": query.get("cohort"),
            "collection": collection,
            "protocol_version": PROTOCOL,
            "char_salt": secrets.token_hex(16),
            "uuid": uuid,
        }
    )
