"""The questions and answers of a hub, in one SQLite file: what was answered outlives every process.

Beside it stands the log of questions, to which every account that may count adds lines. The file is the hub's own account's
alone to write, and takes over from the log; other accounts work on a copy that ends with them.
"""

import os
import secrets
import shutil
import sqlite3
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from fairhaven.kernel.errors import Invalid, NotAllowedNow
from fairhaven.kernel.files import readers_scratch
from fairhaven.kernel.sqlite_files import open_database, transaction
from fairhaven.query_audit.model import Asker, RecordedVerdict, VerdictKind
from fairhaven.query_audit.question_log import (
    LoggedAct,
    LoggedNoise,
    LoggedQuestion,
    LoggedSpending,
    LoggedVerdict,
    LogHead,
    QuestionLog,
    packed,
    unpacked,
)
from fairhaven.query_audit.set_sketches import BUCKETS, numbers_of

_SCHEMA = """
CREATE TABLE secret (only INTEGER PRIMARY KEY CHECK (only = 1), bytes BLOB NOT NULL);
CREATE TABLE roster (only INTEGER PRIMARY KEY CHECK (only = 1), person_ids BLOB NOT NULL);
CREATE TABLE release (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, numbers BLOB NOT NULL, persons BLOB NOT NULL);
CREATE TABLE question (
    id INTEGER PRIMARY KEY, project TEXT NOT NULL, organisation TEXT NOT NULL, is_federated INTEGER NOT NULL,
    release INTEGER NOT NULL, digest BLOB NOT NULL, is_refused INTEGER NOT NULL, shown INTEGER, size INTEGER, persons BLOB, sketch BLOB);
CREATE TABLE verdict (
    seq INTEGER PRIMARY KEY, coalition TEXT NOT NULL, question INTEGER NOT NULL, kind TEXT NOT NULL, differing BLOB);
CREATE INDEX verdict_by_coalition ON verdict (coalition, seq);
CREATE TABLE state (coalition TEXT PRIMARY KEY, seq INTEGER NOT NULL, bytes BLOB NOT NULL);
CREATE TABLE spending (
    project TEXT PRIMARY KEY, spent INTEGER NOT NULL, refused INTEGER NOT NULL, micro_epsilon INTEGER NOT NULL);
CREATE TABLE noisy (
    project TEXT NOT NULL, release INTEGER NOT NULL, definition TEXT NOT NULL, shown INTEGER NOT NULL,
    PRIMARY KEY (project, release, definition));
CREATE TABLE log (
    only INTEGER PRIMARY KEY CHECK (only = 1), lines INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    previous TEXT NOT NULL, hash TEXT NOT NULL);
"""
_VERSION = 3
"""Of the tables above; it rises when they change."""
_TABLE_OF_LOG = _SCHEMA[_SCHEMA.index("CREATE TABLE log") :]
_MIGRATIONS = {
    1: f"""
ALTER TABLE told RENAME TO verdict;
ALTER TABLE verdict RENAME COLUMN circle TO coalition;
ALTER TABLE verdict RENAME COLUMN apart TO differing;
ALTER TABLE question RENAME COLUMN image TO sketch;
ALTER TABLE state RENAME COLUMN circle TO coalition;
DROP INDEX told_circle;
CREATE INDEX verdict_by_coalition ON verdict (coalition, seq);
{_TABLE_OF_LOG}""",
    2: _TABLE_OF_LOG,
}
"""Version 1 had the same tables under other names; neither it nor version 2 had a log beside it."""

_HEAD = tuple(field.name for field in fields(LogHead))
_HELD = 64_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Spending:
    """What a project has used up."""

    spent: int = 0
    refused: int = 0
    micro_epsilon: int = 0


class AuditRecord:
    """The file and its log. Every change is made inside `writing`, and is on the disk when `writing` ends.

    Args:
        path: the file; the log has its name and ends in ``.log``.

    Raises:
        Invalid: the file is no record of questions, or one of another version; or the log was altered.
        NotAllowedNow: this account may not record questions, or there is nothing yet that it could begin from.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: OrderedDict[int, tuple[BitMap, int]] = OrderedDict()
        self._held_bytes = 0
        self._acts: list[LoggedAct] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        self.is_own = os.access(path if path.exists() else path.parent, os.W_OK)
        with ExitStack() as opened:
            self._log = QuestionLog(path.with_suffix(".log"))
            opened.callback(self._log.close)
            with self._log.locked():
                self._connection = self._opened(path if self.is_own else self._copied(opened))
            opened.callback(self._connection.close)
            self._connection.execute("PRAGMA secure_delete = ON")
            with self.writing():
                pass  # what others asked is taken over
            self._closing = opened.pop_all()

    def _copied(self, opened: ExitStack) -> Path:
        """A copy of the hub's file, which may be read: while the log is locked nobody writes to it."""
        if not self._path.exists():
            raise NotAllowedNow(
                "no count was recorded in this hub yet. Ask the account that runs it to build or count once."
            )
        folder = opened.enter_context(readers_scratch())
        for suffix in ("", "-wal"):
            source = self._path.with_name(self._path.name + suffix)
            if source.exists():
                shutil.copyfile(source, folder / source.name)
        return folder / self._path.name

    @staticmethod
    def _opened(path: Path) -> sqlite3.Connection:
        # A release's persons are large, and what is damaged of them is found when they are asked for.
        return open_database(
            path,
            f"{_SCHEMA}INSERT INTO secret VALUES (1, x'{secrets.token_hex(16)}')",
            version=_VERSION,
            migrations=_MIGRATIONS,
            refusal=_no_record,
            is_read_through=False,
        )

    def close(self) -> None:
        """Close the file and the log."""
        with self._log.locked():  # SQLite empties its own log of changes, which others may be copying
            self._connection.close()
        self._closing.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction, one writer at a time, which knows what all others wrote.

        Raises:
            NotAllowedNow: another process has been writing for half a minute.
            Invalid: the log was altered.
        """
        try:
            with self._log.locked(), transaction(self._connection):
                self._acts = []
                head = self._take_over()
                yield
                if self._acts:
                    # First the log: what is in the file alone would be no part of what the log proves.
                    self._save_head(self._log.append(head, self._acts))
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            raise NotAllowedNow("another question is being answered; nothing was recorded. Ask again.") from None

    def head(self) -> LogHead:
        """How far the log is taken over."""
        rows = self._connection.execute("SELECT lines, first, last, previous, hash FROM log").fetchall()
        return LogHead(**dict(zip(_HEAD, rows[0], strict=True))) if rows else LogHead()

    def check(self, head: LogHead) -> None:
        """Refuse a log that does not hold what it once held; see `QuestionLog.check`."""
        self._log.check(head)

    def _save_head(self, head: LogHead) -> None:
        self._connection.execute("INSERT OR REPLACE INTO log VALUES (1, ?, ?, ?, ?, ?)", astuple(head))

    def _take_over(self) -> LogHead:
        known = head = self.head()
        self._log.check(known)
        for entry, head in self._log.after(known):
            for act in entry.acts if entry else ():
                try:
                    self._repeat(act)
                except (ValueError, OverflowError, Invalid):
                    raise Invalid(
                        f"line {head.lines:,} of the log beside {self._path} does not follow from those before it. Restore both from "
                        "the hub's backup, or ask no more of these releases."
                    ) from None
        if head != known:
            self._save_head(head)
        return head

    def _repeat(self, act: LoggedAct) -> None:
        """Do what another process did, having looked at it: what an account wrote to the log is not trusted.

        Raises:
            ValueError, OverflowError, Invalid: no question ended so.
        """
        match act:
            case LoggedQuestion():
                sketch = None if act.sketch is None else unpacked(act.sketch, np.int32, most=BUCKETS)
                key = self._insert_question(
                    asker=act.asker,
                    release=self._known_release(act.release),
                    digest=bytes.fromhex(act.digest),
                    is_refused=act.is_refused,
                    shown=act.shown,
                    persons=None if act.persons is None else self._set(act.persons),
                    sketch=sketch,
                )
                if key != act.id or (sketch is not None and sketch.size != BUCKETS):
                    raise ValueError
            case LoggedVerdict():
                if act.question < 0:
                    self._known_release(-act.question)
                else:
                    self._one("SELECT 1 FROM question WHERE id = ?", act.question)
                differing = None if act.differing is None else self._set(act.differing)
                self._insert_verdict(act.coalition, act.question, act.kind, differing)
            case LoggedSpending():
                self._insert_spending(replace(act, micro_epsilon=max(act.micro_epsilon, 0)))
            case LoggedNoise():
                self._insert_noisy(act)

    def _known_release(self, number: int) -> int:
        self._one("SELECT 1 FROM release WHERE number = ?", number)
        return number

    def _set(self, text: str) -> BitMap:
        numbers = unpacked(text, np.uint32, most=self.population)
        if numbers.size and int(numbers.max()) >= self.population:
            raise ValueError
        return BitMap(numbers)

    @property
    def secret(self) -> bytes:
        """The hub's secret for sketches and edges: 16 bytes."""
        return bytes(self._one("SELECT bytes FROM secret")[0])

    # Releases: persons of all releases have numbers of the audit's own, because each release counts its persons anew.

    def roster(self) -> NDArray[np.int64]:
        """The person ids of all releases; a person's number is its place."""
        rows = self._connection.execute("SELECT person_ids FROM roster").fetchall()
        return np.frombuffer(rows[0][0], np.int64) if rows else np.empty(0, np.int64)

    def save_roster(self, roster: NDArray[np.int64]) -> None:
        """Keep the person ids of all releases, by number."""
        self._connection.execute("INSERT OR REPLACE INTO roster VALUES (1, ?)", (roster.tobytes(),))

    def wipe(self) -> None:
        """Leave nothing of what was replaced in the file, nor in the log of changes beside it."""
        with self._log.locked():
            is_held = self._one("PRAGMA wal_checkpoint(TRUNCATE)")[0]
        if is_held:
            raise NotAllowedNow("questions are being answered; what was erased is still in their log. Erase again.")

    def save_release(self, name: str, roster: NDArray[np.int64], numbers: NDArray[np.uint32]) -> None:
        """Keep a release's persons: the number of each, in the release's own order."""
        self.save_roster(roster)
        self._connection.execute(
            "INSERT INTO release (name, numbers, persons) VALUES (?, ?, ?)",
            (name, numbers.tobytes(), BitMap(numbers).serialize()),
        )

    def release(self, name: str) -> tuple[int, NDArray[np.uint32]] | None:
        """A release's key and the number of each of its persons; None where it is not known."""
        rows = self._connection.execute("SELECT number, numbers FROM release WHERE name = ?", (name,)).fetchall()
        return (int(rows[0][0]), np.frombuffer(rows[0][1], np.uint32)) if rows else None

    @property
    def population(self) -> int:
        """Persons of all releases together."""
        return int(self._one("SELECT coalesce(max(length(person_ids)), 0) / 8 FROM roster")[0])

    # Questions. A release's whole population is question minus its key: everybody may know about how many there are.

    def persons(self, question: int) -> BitMap:
        """The persons of a question."""
        if question in self._held:
            self._held.move_to_end(question)
            return self._held[question][0]
        table, key, name = ("release", -question, "number") if question < 0 else ("question", question, "id")
        blob = self._one(f"SELECT persons FROM {table} WHERE {name} = ?", key)[0]
        persons: BitMap = BitMap.deserialize(blob)
        self._held[question] = (persons, len(blob))
        self._held_bytes += len(blob)
        while self._held_bytes > _HELD and len(self._held) > 1:
            _, (_, size) = self._held.popitem(last=False)
            self._held_bytes -= size
        return persons

    def add_question(
        self, *, asker: Asker, release: int, digest: bytes, is_refused: bool, shown: int | None, persons: BitMap | None,
        sketch: NDArray[np.float32] | None,
    ) -> int:  # fmt: skip
        """Record a question with what was shown; returns its key."""
        key = self._insert_question(
            asker=asker, release=release, digest=digest, is_refused=is_refused, shown=shown, persons=persons,
            sketch=None if sketch is None else sketch.astype(np.int32),
        )  # fmt: skip
        self._acts.append(
            LoggedQuestion(
                id=key,
                asker=asker,
                release=release,
                digest=digest.hex(),
                is_refused=is_refused,
                shown=shown,
                persons=None if persons is None else packed(numbers_of(persons)),
                sketch=None if sketch is None else packed(sketch.astype(np.int32)),
            )
        )
        return key

    def _insert_question(
        self, *, asker: Asker, release: int, digest: bytes, is_refused: bool, shown: int | None, persons: BitMap | None,
        sketch: NDArray[np.int32] | None,
    ) -> int:  # fmt: skip
        return self._add(
            "question",
            project=asker.project,
            organisation=asker.organisation,
            is_federated=asker.is_federated,
            release=release,
            digest=digest,
            is_refused=is_refused,
            shown=shown,
            size=0 if persons is None else len(persons),
            persons=None if persons is None else persons.serialize(),
            sketch=None if sketch is None else sketch.tobytes(),
        )

    def add_verdict(self, coalition: str, question: int, kind: VerdictKind, differing: BitMap | None) -> int:
        """Record how a coalition was met; returns the place in the sequence."""
        text = packed(numbers_of(differing)) if differing else None
        self._acts.append(LoggedVerdict(coalition=coalition, question=question, kind=kind, differing=text))
        return self._insert_verdict(coalition, question, kind, differing)

    def _insert_verdict(self, coalition: str, question: int, kind: VerdictKind, differing: BitMap | None) -> int:
        kept = differing.serialize() if differing else None
        return self._add("verdict", coalition=coalition, question=question, kind=kind, differing=kept)

    def verdicts(self, coalition: str, *, after: int) -> list[RecordedVerdict]:
        """How a coalition was met after a place in the sequence, in order."""
        rows = self._connection.execute(
            "SELECT seq, question, kind, differing, shown, digest, size, sketch"
            " FROM verdict LEFT JOIN question ON question.id = verdict.question"
            " WHERE coalition = ? AND seq > ? ORDER BY seq",
            (coalition, after),
        )
        return [
            RecordedVerdict(
                seq=seq,
                question=question,
                kind=VerdictKind(kind),
                differing=None if differing is None else BitMap.deserialize(differing),
                shown=shown,
                digest=digest or b"",
                size=size or 0,
                sketch=None if sketch is None else np.frombuffer(sketch, np.int32).astype(np.float32),
            )
            for seq, question, kind, differing, shown, digest, size, sketch in rows
        ]

    def save_state(self, coalition: str, seq: int, state: bytes) -> None:
        """Keep the state of a coalition as it is after a place in the sequence."""
        self._connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", (coalition, seq, state))

    def state(self, coalition: str) -> tuple[int, bytes]:
        """The kept state of a coalition and its place in the sequence."""
        rows = self._connection.execute("SELECT seq, bytes FROM state WHERE coalition = ?", (coalition,)).fetchall()
        return (int(rows[0][0]), bytes(rows[0][1])) if rows else (0, b"")

    # Budgets.

    def spending(self, project: str) -> Spending:
        """What a project has used up."""
        rows = self._connection.execute(
            "SELECT spent, refused, micro_epsilon FROM spending WHERE project = ?", (project,)
        ).fetchall()
        return Spending(spent=rows[0][0], refused=rows[0][1], micro_epsilon=rows[0][2]) if rows else Spending()

    def spend(self, project: str, *, is_refused: bool = False, micro_epsilon: int = 0) -> Spending:
        """Count one more question of a project."""
        act = LoggedSpending(project=project, is_refused=is_refused, micro_epsilon=micro_epsilon)
        self._acts.append(act)
        self._insert_spending(act)
        return self.spending(project)

    def _insert_spending(self, act: LoggedSpending) -> None:
        self._connection.execute(
            "INSERT INTO spending VALUES (?, 1, ?, ?) ON CONFLICT (project) DO UPDATE SET spent = spent + 1,"
            " refused = refused + excluded.refused, micro_epsilon = micro_epsilon + excluded.micro_epsilon",
            (act.project, int(act.is_refused), act.micro_epsilon),
        )

    def noisy(self, project: str, release: int, definition: str) -> int | None:
        """The noisy answer that a project got to a definition."""
        rows = self._connection.execute(
            "SELECT shown FROM noisy WHERE project = ? AND release = ? AND definition = ?",
            (project, release, definition),
        ).fetchall()
        return int(rows[0][0]) if rows else None

    def save_noisy(self, project: str, release: int, definition: str, shown: int) -> None:
        """Keep a noisy answer."""
        act = LoggedNoise(project=project, release=release, definition=definition, shown=shown)
        self._acts.append(act)
        self._insert_noisy(act)

    def _insert_noisy(self, act: LoggedNoise) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO noisy VALUES (?, ?, ?, ?)", (act.project, act.release, act.definition, act.shown)
        )

    def _add(self, table: str, **values: str | int | bytes | None) -> int:
        places = ", ".join("?" * len(values))
        statement = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})"
        return int(self._connection.execute(statement, tuple(values.values())).lastrowid or 0)

    def _one(self, statement: str, *values: int) -> tuple[bytes, ...]:
        row: tuple[bytes, ...] | None = self._connection.execute(statement, values).fetchone()
        if row is None:
            raise Invalid(f"{self._path} lost a part of what was answered. Restore it from the hub's backup.")
        return row


def _no_record(path: Path) -> Invalid:
    return Invalid(
        f"{path} is no record of questions. Without it nobody knows what was answered: "
        "restore it from the hub's backup, or ask no more of these releases."
    )
