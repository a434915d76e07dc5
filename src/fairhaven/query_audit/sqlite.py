"""The questions and answers of a hub, in one SQLite file: what was answered outlives every process.

The file is the hub's own account's alone. Other accounts begin from a copy that is put beside the logs of questions now and then,
without the ids of persons, take over from the logs what was asked since, and throw their copy away.
"""

import os
import secrets
import shutil
import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass, fields
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from fairhaven.kernel.errors import Invalid, NotAllowedNow
from fairhaven.kernel.files import readers_scratch, scratch, sync
from fairhaven.kernel.plain_files import plain_file
from fairhaven.kernel.sqlite_files import copy_database, open_database, read_number, reading, transaction
from fairhaven.query_audit.model import Asker, RecordedVerdict, VerdictKind
from fairhaven.query_audit.question_log import LogHead
from fairhaven.query_audit.set_sketches import set_of

_SCHEMA = """
CREATE TABLE secret (only INTEGER PRIMARY KEY CHECK (only = 1), bytes BLOB NOT NULL);
CREATE TABLE roster (only INTEGER PRIMARY KEY CHECK (only = 1), person_ids BLOB NOT NULL);
CREATE TABLE release (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, numbers BLOB NOT NULL, persons BLOB NOT NULL);
CREATE TABLE question (
    id INTEGER PRIMARY KEY, project TEXT NOT NULL, organisation TEXT NOT NULL, is_federated INTEGER NOT NULL,
    release INTEGER NOT NULL, digest BLOB NOT NULL, is_refused INTEGER NOT NULL, shown INTEGER, size INTEGER, persons BLOB, sketch BLOB,
    keyed_sum BLOB);
CREATE INDEX question_without_sum ON question (id) WHERE keyed_sum IS NULL AND NOT is_refused;
CREATE TABLE verdict (
    seq INTEGER PRIMARY KEY, coalition TEXT NOT NULL, question INTEGER NOT NULL, kind TEXT NOT NULL, differing BLOB);
CREATE INDEX verdict_by_coalition ON verdict (coalition, seq);
CREATE TABLE state (coalition TEXT PRIMARY KEY, seq INTEGER NOT NULL, bytes BLOB NOT NULL);
CREATE TABLE spending (
    project TEXT PRIMARY KEY, spent INTEGER NOT NULL, refused INTEGER NOT NULL, micro_epsilon INTEGER NOT NULL);
CREATE TABLE noisy (
    project TEXT NOT NULL, release INTEGER NOT NULL, definition TEXT NOT NULL, shown INTEGER NOT NULL,
    PRIMARY KEY (project, release, definition));
CREATE TABLE head (
    account INTEGER PRIMARY KEY, lines INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    previous TEXT NOT NULL, hash TEXT NOT NULL);
"""
_VERSION = 5
"""Of the tables above; it rises when they change."""
_TABLE_OF_HEADS = _SCHEMA[_SCHEMA.index("CREATE TABLE head") :]
_KEYED_SUMS = f"ALTER TABLE question ADD COLUMN keyed_sum BLOB;{_SCHEMA[_SCHEMA.index('CREATE INDEX question') : _SCHEMA.index('CREATE TABLE verdict')]}"
_MIGRATIONS = {
    1: f"""
ALTER TABLE told RENAME TO verdict;
ALTER TABLE verdict RENAME COLUMN circle TO coalition;
ALTER TABLE verdict RENAME COLUMN apart TO differing;
ALTER TABLE question RENAME COLUMN image TO sketch;
ALTER TABLE state RENAME COLUMN circle TO coalition;
DROP INDEX told_circle;
CREATE INDEX verdict_by_coalition ON verdict (coalition, seq);
{_TABLE_OF_HEADS}{_KEYED_SUMS}""",
    2: f"{_TABLE_OF_HEADS}{_KEYED_SUMS}",
    3: f"DROP TABLE log;{_TABLE_OF_HEADS}{_KEYED_SUMS}",
    4: _KEYED_SUMS,
}
"""Version 1 had the same tables under other names; neither it nor version 2 had logs beside it, and version 3 one for all accounts. Before
version 5 sets had one digest; the other is added to those that were answered (`without_sum`), and the persons of refused ones are not kept."""

_HEAD = tuple(field.name for field in fields(LogHead))
_HELD = 64_000_000
_COPIED_AFTER = 1_000_000
"""Bytes of lines after which the copy for other accounts is made again, if it is not larger itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spending:
    """What a project has used up."""

    spent: int = 0
    refused: int = 0
    micro_epsilon: int = 0


class AuditRecord:
    """The file. Every change is made inside `writing`, and is on the disk when `writing` ends.

    Args:
        path: the file.
        copy: where a copy for other accounts stands.

    Raises:
        Invalid: the file is no record of questions, or one of another version.
        NotAllowedNow: this account may not record questions, or there is nothing yet that it could begin from.
    """

    def __init__(self, path: Path, copy: Path) -> None:
        self._path = path
        self._copy = copy
        self._held: OrderedDict[int, tuple[BitMap, int]] = OrderedDict()
        self._held_bytes = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self.is_own = os.access(path.parent, os.W_OK)
        with ExitStack() as opened:
            self._connection = self._opened(path if self.is_own else self._copied(opened))
            opened.callback(self._connection.close)
            self._connection.execute("PRAGMA secure_delete = ON")
            self._closing = opened.pop_all()

    def _copied(self, opened: ExitStack) -> Path:
        folder = opened.enter_context(readers_scratch())
        try:
            with plain_file(self._copy) as file:
                # Whoever may add a log could have put it there; the folder's owner's own file nobody else can replace.
                is_theirs = os.fstat(file.fileno()).st_uid == self._copy.parent.stat().st_uid
                if is_theirs:
                    with (folder / self._copy.name).open("wb") as copied:
                        shutil.copyfileobj(file, copied)
        except (FileNotFoundError, PermissionError):
            is_theirs = False
        if not is_theirs:
            raise NotAllowedNow(
                "this account can record no question in this hub yet, and a count that is not recorded is not given. Ask the account "
                "that runs it to build or count once, with a group of yours as `readers` in hub.toml."
            )
        return folder / self._copy.name

    def copy_for_others(self, *, is_news: bool) -> None:
        """Put a copy beside the logs, without whose a number is, where there is none or it has become old.

        Args:
            is_news: of what no log tells, as of a new release.
        """
        if self._copy.exists() and not is_news:
            known = read_number(self._copy, "SELECT coalesce(sum(last), 0) FROM head")
            unknown = sum(head.end for head in self.heads().values()) - known
            if unknown <= max(_COPIED_AFTER, self._copy.stat().st_size):
                return
        with scratch(self._path.parent / "scratch") as work:
            made = work / self._copy.name
            copy_database(self._connection, made, change="UPDATE roster SET person_ids = zeroblob(length(person_ids))")
            folder = self._copy.parent.stat()
            if folder.st_mode & 0o040:
                os.chown(made, -1, folder.st_gid)
                made.chmod(0o640)
            sync(made)
            made.replace(self._copy)
            sync(self._copy.parent)

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
        """Close the file."""
        self._closing.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction, one writer at a time.

        Raises:
            NotAllowedNow: another process has been writing for half a minute.
        """
        try:
            with transaction(self._connection):
                yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            raise NotAllowedNow("another question is being answered; nothing was recorded. Ask again.") from None

    def heads(self) -> dict[int, LogHead]:
        """How far the log of each account is taken over."""
        rows = self._connection.execute("SELECT account, lines, first, last, previous, hash FROM head").fetchall()
        return {account: LogHead(**dict(zip(_HEAD, head, strict=True))) for account, *head in rows}

    def save_head(self, account: int, head: LogHead) -> None:
        """Keep how far an account's log is taken over."""
        self._connection.execute("INSERT OR REPLACE INTO head VALUES (?, ?, ?, ?, ?, ?)", (account, *astuple(head)))

    def forget_head(self, account: int) -> None:
        """Know of no log of an account."""
        self._connection.execute("DELETE FROM head WHERE account = ?", (account,))

    @property
    def mark(self) -> str:
        """What tells this record from one that was begun anew; says nothing of the secret."""
        return _mark(self.secret)

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
        is_held = self._one("PRAGMA wal_checkpoint(TRUNCATE)")[0]
        if is_held:
            raise NotAllowedNow("questions are being answered; what was erased is still in their log. Erase again.")

    def save_release(self, name: str, roster: NDArray[np.int64], numbers: NDArray[np.uint32]) -> None:
        """Keep a release's persons: the number of each, in the release's own order."""
        self.save_roster(roster)
        self._connection.execute(
            "INSERT INTO release (name, numbers, persons) VALUES (?, ?, ?)",
            (name, numbers.tobytes(), set_of(numbers).serialize()),
        )

    def release(self, name: str) -> tuple[int, NDArray[np.uint32]] | None:
        """A release's key and the number of each of its persons; None where it is not known."""
        rows = self._connection.execute("SELECT number, numbers FROM release WHERE name = ?", (name,)).fetchall()
        return (int(rows[0][0]), np.frombuffer(rows[0][1], np.uint32)) if rows else None

    def release_numbers(self) -> list[int]:
        """The keys of all releases, in the order in which they were made known."""
        return [int(number) for (number,) in self._connection.execute("SELECT number FROM release ORDER BY number")]

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
        self, *, asker: Asker, release: int, digest: bytes, keyed_sum: bytes, is_refused: bool, shown: int | None,
        persons: BitMap | None, sketch: NDArray[np.float32] | None,
    ) -> int:  # fmt: skip
        """Record a question with what was shown; returns its key."""
        return self._add(
            "question",
            project=asker.project,
            organisation=asker.organisation,
            is_federated=asker.is_federated,
            release=release,
            digest=digest,
            keyed_sum=keyed_sum,
            is_refused=is_refused,
            shown=shown,
            size=0 if persons is None else len(persons),
            persons=None if persons is None else persons.serialize(),
            sketch=None if sketch is None else sketch.astype(np.int32).tobytes(),
        )

    def without_sum(self) -> list[int]:
        """The questions that an earlier version answered, until `save_sum` is called."""
        rows = self._connection.execute("SELECT id FROM question WHERE keyed_sum IS NULL AND NOT is_refused").fetchall()
        return [int(question) for (question,) in rows]

    def save_sum(self, question: int, keyed_sum: bytes) -> None:
        """Keep the other digest of a question's set."""
        self._connection.execute("UPDATE question SET keyed_sum = ? WHERE id = ?", (keyed_sum, question))

    def add_verdict(self, coalition: str, question: int, kind: VerdictKind, differing: BitMap | None) -> int:
        """Record how a coalition was met; returns the place in the sequence."""
        kept = differing.serialize() if differing else None
        return self._add("verdict", coalition=coalition, question=question, kind=kind, differing=kept)

    def verdicts(self, coalition: str, *, after: int) -> list[RecordedVerdict]:
        """How a coalition was met after a place in the sequence, in order.

        Raises:
            Invalid: a question that was answered is gone.
        """
        rows = self._connection.execute(
            "SELECT seq, question, kind, differing, shown, digest, keyed_sum, size, sketch"
            " FROM verdict LEFT JOIN question ON question.id = verdict.question"
            " WHERE coalition = ? AND seq > ? ORDER BY seq",
            (coalition, after),
        ).fetchall()
        if any(question > 0 and digest is None for _, question, _, _, _, digest, *_ in rows):
            raise self._lost()
        return [
            RecordedVerdict(
                seq=seq,
                question=question,
                kind=VerdictKind(kind),
                differing=None if differing is None else BitMap.deserialize(differing),
                shown=shown,
                digest=digest or b"",
                keyed_sum=keyed_sum,
                size=size or 0,
                sketch=None if sketch is None else np.frombuffer(sketch, np.int32).astype(np.float32),
            )
            for seq, question, kind, differing, shown, digest, keyed_sum, size, sketch in rows
        ]

    def askers(self) -> list[tuple[str, str]]:
        """Project and organisation of all questions, as they were written then."""
        return self._connection.execute("SELECT DISTINCT project, organisation FROM question").fetchall()

    def take_in(self, coalition: str, askers: Iterable[tuple[str, str]]) -> None:
        """Have a coalition meet what others met who were the same, in the order in which they did."""
        for project, organisation in askers:
            self._connection.execute(
                "INSERT INTO verdict (coalition, question, kind, differing) SELECT ?1, question, kind, differing FROM verdict"
                " JOIN question ON question.id = verdict.question WHERE project = ?2 AND organisation = ?3 AND NOT is_federated"
                " AND question NOT IN (SELECT question FROM verdict WHERE coalition = ?1) GROUP BY question ORDER BY min(seq)",
                (coalition, project, organisation),
            )
        # What each set adds is worked out anew: exposures of two memories do not add up to that of one.
        self._connection.execute("DELETE FROM state WHERE coalition = ?", (coalition,))

    def rename_projects(self, projects: Iterable[str], name: str) -> None:
        """Have a project what was spent, and the noisy answers that were given, under other names."""
        for project in sorted(set(projects) - {name}):
            self._connection.execute(
                "INSERT INTO spending SELECT ?, spent, refused, micro_epsilon FROM spending WHERE project = ? AND true"
                " ON CONFLICT (project) DO UPDATE SET spent = spent + excluded.spent, refused = refused + excluded.refused,"
                " micro_epsilon = micro_epsilon + excluded.micro_epsilon",
                (name, project),
            )
            self._connection.execute("DELETE FROM spending WHERE project = ?", (project,))
            self._connection.execute("UPDATE OR IGNORE noisy SET project = ? WHERE project = ?", (name, project))

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
        self._connection.execute(
            "INSERT INTO spending VALUES (?, 1, ?, ?) ON CONFLICT (project) DO UPDATE SET spent = spent + 1,"
            " refused = refused + excluded.refused, micro_epsilon = micro_epsilon + excluded.micro_epsilon",
            (project, int(is_refused), micro_epsilon),
        )
        return self.spending(project)

    def noisy(self, project: str, release: int, definition: str) -> int | None:
        """The noisy answer that a project got to a definition."""
        rows = self._connection.execute(
            "SELECT shown FROM noisy WHERE project = ? AND release = ? AND definition = ?",
            (project, release, definition),
        ).fetchall()
        return int(rows[0][0]) if rows else None

    def save_noisy(self, project: str, release: int, definition: str, shown: int) -> None:
        """Keep a noisy answer."""
        self._connection.execute(
            "INSERT OR REPLACE INTO noisy VALUES (?, ?, ?, ?)", (project, release, definition, shown)
        )

    def _add(self, table: str, **values: str | int | bytes | None) -> int:
        places = ", ".join("?" * len(values))
        statement = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})"
        return int(self._connection.execute(statement, tuple(values.values())).lastrowid or 0)

    def _one(self, statement: str, *values: int) -> tuple[bytes, ...]:
        row: tuple[bytes, ...] | None = self._connection.execute(statement, values).fetchone()
        if row is None:
            raise self._lost()
        return row

    def _lost(self) -> Invalid:
        return Invalid(f"{self._path} lost a part of what was answered. Restore it from the hub's backup.")


def _no_record(path: Path) -> Invalid:
    return Invalid(
        f"{path} is no record of questions. Without it nobody knows what was answered: "
        "restore it from the hub's backup, or ask no more of these releases."
    )


def mark_in(path: Path) -> str | None:
    """The mark of a record in a file that is only looked at; None where that is no record, or is damaged as far as SQLite can tell."""
    try:
        with reading(path) as connection:
            [(secret,)] = connection.execute("SELECT bytes FROM secret").fetchall()
            is_whole = connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
            [(page,)] = connection.execute("PRAGMA page_size").fetchall()
        # A last page that is cut short is read as if it went on.
        is_whole = is_whole and path.stat().st_size % page == 0
    except (FileNotFoundError, sqlite3.DatabaseError, ValueError):
        return None
    # What a running command has not put in its place yet lies beside the file, which alone may not be whole.
    is_written = path.with_name(f"{path.name}-wal").exists()
    return _mark(bytes(secret)) if is_whole or is_written else None


def _mark(secret: bytes) -> str:
    return sha256(b"record of questions" + secret).hexdigest()
