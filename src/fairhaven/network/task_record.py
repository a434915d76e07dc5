"""What a worker was asked and what it said, on the disk before it is said.

A task is written down when it comes, and its answer before it is posted. So a process that is killed at any moment
loses neither, and what it says after a restart is what it would have said. A task is known by its uuid and its question:
a server that hands it out again gets the same answer.
"""

import sqlite3
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from fairhaven.kernel.sqlite_files import open_database, transaction

_VERSION = 2
_MIGRATIONS = {1: "ALTER TABLE task RENAME COLUMN settled_at TO ended_at"}
_SCHEMA = """
CREATE TABLE task (
  number INTEGER PRIMARY KEY,
  uuid TEXT NOT NULL,
  question TEXT NOT NULL,
  state TEXT NOT NULL,
  body BLOB,
  attempts INTEGER NOT NULL DEFAULT 0,
  answer TEXT,
  ended_at REAL,
  UNIQUE (uuid, question)
);
CREATE INDEX task_by_state ON task (state, number)
"""


class TaskState(StrEnum):
    """How far a task has come."""

    ASKED = "asked"
    ANSWERED = "answered"
    POSTED = "posted"
    DECLINED = "declined"


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskEntry:
    """A task in the record.

    Args:
        number: place in the record.
        uuid: the server's name for the task.
        body: what was asked, as it came; None once it is answered.
        attempts: how often an answer was begun.
        answer: the result's JSON; None until there is one.
    """

    number: int
    uuid: str
    body: bytes | None
    attempts: int
    answer: str | None


class TaskRecord:
    """The record of one collection's worker; one process at a time."""

    def __init__(self, path: Path) -> None:
        self._database: sqlite3.Connection = open_database(path, _SCHEMA, version=_VERSION, migrations=_MIGRATIONS)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def take(self, uuid: str, question: str, body: bytes) -> TaskEntry:
        """Write a task down, or find it where it came before; one that was handed in already is to be handed in again."""
        with transaction(self._database):
            self._database.execute(
                "INSERT INTO task (uuid, question, state, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (uuid, question, TaskState.ASKED, body),
            )
            self._database.execute(
                "UPDATE task SET state = ?, ended_at = NULL WHERE uuid = ? AND question = ? AND answer IS NOT NULL",
                (TaskState.ANSWERED, uuid, question),
            )
        (entry,) = self._entries("uuid = ? AND question = ?", uuid, question)
        return entry

    def begin(self, entry: TaskEntry) -> int:
        """Count an attempt before it is made, so that one which kills the process counts too; gives how many there were."""
        self._database.execute("UPDATE task SET attempts = attempts + 1 WHERE number = ?", (entry.number,))
        return entry.attempts + 1

    def answer(self, entry: TaskEntry, answer: str) -> TaskEntry:
        """Keep the answer, and the question no longer than until then. The first answer is kept."""
        self._database.execute(
            "UPDATE task SET answer = ?, state = ?, body = NULL WHERE number = ? AND answer IS NULL",
            (answer, TaskState.ANSWERED, entry.number),
        )
        return self.entry(entry.number)

    def conclude(self, entry: TaskEntry, state: TaskState, *, at: float) -> None:
        """The server has the answer, or does not want it.

        Args:
            at: seconds since 1970.
        """
        self._database.execute("UPDATE task SET state = ?, ended_at = ? WHERE number = ?", (state, at, entry.number))

    def waiting(self, state: TaskState) -> list[int]:
        """The numbers of the tasks in a state, the oldest first."""
        rows = self._database.execute("SELECT number FROM task WHERE state = ? ORDER BY number", (state,))
        return [number for (number,) in rows]

    def entry(self, number: int) -> TaskEntry:
        """One task of the record."""
        (entry,) = self._entries("number = ?", number)
        return entry

    def forget(self, *, before: float) -> None:
        """Drop what ended before a moment, in seconds since 1970."""
        self._database.execute("DELETE FROM task WHERE ended_at < ?", (before,))

    def _entries(self, condition: str, *values: object) -> list[TaskEntry]:
        rows = self._database.execute(
            f"SELECT number, uuid, body, attempts, answer FROM task WHERE {condition} ORDER BY number", values
        )
        return [
            TaskEntry(number=number, uuid=uuid, body=body, attempts=attempts, answer=answer)
            for number, uuid, body, attempts, answer in rows
        ]
