"""Work that is to be done in the background, kept in the hub's database until it is done (docs/adr/0051).

A job is enqueued in the transaction of the change that asks for it, so there is no change without its job and no job without its change.
Whoever works claims it for a time (a lease): a worker that dies loses it when the time is over, and another begins it again. A job ends in the
transaction of what it writes, and only for who still holds it: what it writes in the database is written once, however often it was begun.
What it does elsewhere may be done twice, so it must not matter there.
"""

import datetime as dt
import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    RowMapping,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from fairhaven.kernel.errors import NotAllowedNow, NotFound
from fairhaven.kernel.files import canonical_json
from fairhaven.records.schema import METADATA

JOB = Table(
    "job",
    METADATA,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("enqueued", Text, nullable=False),
    # When it may be begun; while somebody holds it, when it may be begun again. Times are in UTC, as text that sorts.
    Column("due", Text, nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    Column("holder", Text, nullable=False),
    Column("fault", Text, nullable=False),
    Column("is_dead", Boolean, nullable=False),
)
"""What is to be done, a row each; who did what is said by events, so a job that is done has no row."""

LEASE = dt.timedelta(minutes=10)
"""For how long a job is its worker's, unless it is `renewed`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Retries:
    """How often a job is begun again that failed, and when.

    Args:
        most: attempts, the first included; after the last it is a dead letter, which waits for a person.
        first: time to wait after the first attempt; each further time is twice as long,
        longest: but never longer than this.
    """

    most: int = 8
    first: dt.timedelta = dt.timedelta(minutes=1)
    longest: dt.timedelta = dt.timedelta(hours=6)

    def wait(self, attempts: int) -> dt.timedelta:
        """How long to wait after so many attempts."""
        doubled = min(attempts - 1, 20)  # a million times the first is longer than anybody waits
        return min(self.first * (1 << doubled), self.longest)


USUAL_RETRIES = Retries()


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A piece of work.

    Args:
        number: in the order in which they were enqueued.
        kind: says who does it.
        facts: what there is to know for it, as JSON has it: numbers and names of things, never anything of a patient.
        enqueued: when.
        due: when it may be begun, or begun again.
        attempts: how often it was begun.
        holder: of whoever does it, a word of their own; empty while it waits.
        fault: why the last attempt failed, in words; empty where none did.
        is_dead: it failed so often that a person must look.
    """

    number: int
    kind: str
    facts: Mapping[str, Any]
    enqueued: dt.datetime
    due: dt.datetime
    attempts: int
    holder: str
    fault: str
    is_dead: bool


def enqueue(
    connection: Connection, kind: str, facts: Mapping[str, Any], *, now: dt.datetime, due: dt.datetime | None = None
) -> int:
    """Add a job in the caller's transaction.

    Args:
        connection: of `Database.writing`.
        kind, facts, due: see `Job`; without *due* it may be begun at once.
        now: with its zone.

    Returns:
        Its number.
    """
    values = {"kind": kind, "facts": canonical_json(facts), "enqueued": _text(now), "due": _text(due or now)}
    made = connection.execute(insert(JOB).values(**values, attempts=0, holder="", fault="", is_dead=False))
    assert made.inserted_primary_key is not None
    return int(made.inserted_primary_key[0])


def claim(
    connection: Connection,
    kinds: Collection[str],
    *,
    now: dt.datetime,
    lease: dt.timedelta = LEASE,
    retries: Retries = USUAL_RETRIES,
) -> Job | None:
    """Take the job of some kinds that has been due for longest; None where none is.

    A job whose worker died so often that no attempt is left is made a dead letter on the way: it may be what kills them.

    Args:
        connection: of `Database.writing`, so that nobody else takes it.
    """
    due = select(JOB).where(JOB.c.kind.in_(kinds), JOB.c.due <= _text(now), JOB.c.is_dead.is_(False))
    while found := connection.execute(due.order_by(JOB.c.due, JOB.c.number).limit(1)).mappings().first():
        this = update(JOB).where(JOB.c.number == found["number"])
        if found["attempts"] < retries.most:
            changes = {"attempts": found["attempts"] + 1, "holder": secrets.token_hex(8), "due": _text(now + lease)}
            connection.execute(this.values(**changes))
            return _job({**found, **changes})
        fault = f"was begun {found['attempts']} times and never ended: whoever did it was killed, or took longer than it may"
        connection.execute(this.values(is_dead=True, holder="", fault=fault))
    return None


def renewed(connection: Connection, job: Job, *, now: dt.datetime, lease: dt.timedelta = LEASE) -> None:
    """Hold a job for longer, counted from now.

    Raises:
        NotAllowedNow: it is no longer held by whom it was given to.
    """
    _held(connection.execute(update(JOB).where(*_is(job)).values(due=_text(now + lease))).rowcount, job)


def done(connection: Connection, job: Job) -> None:
    """End a job, in the transaction of what it writes.

    Raises:
        NotAllowedNow: as `renewed`; then nothing of the transaction may stay, as another does the job.
    """
    _held(connection.execute(delete(JOB).where(*_is(job))).rowcount, job)


def failed(connection: Connection, job: Job, fault: str, *, now: dt.datetime, retries: Retries = USUAL_RETRIES) -> None:
    """Give a job back that could not be done: it is begun again later, or is a dead letter.

    Args:
        fault: why, in words for a person, without anything of a patient.

    Raises:
        NotAllowedNow: as `renewed`.
    """
    is_dead = job.attempts >= retries.most
    due = now if is_dead else now + retries.wait(job.attempts)
    values = {"holder": "", "fault": fault, "is_dead": is_dead, "due": _text(due)}
    _held(connection.execute(update(JOB).where(*_is(job)).values(**values)).rowcount, job)


def revive(connection: Connection, number: int, *, now: dt.datetime) -> None:
    """Have a dead letter tried again, as often as a new job.

    Raises:
        NotFound: there is no such dead letter.
    """
    is_that = (JOB.c.number == number, JOB.c.is_dead.is_(True))
    if not connection.execute(update(JOB).where(*is_that).values(is_dead=False, attempts=0, due=_text(now))).rowcount:
        raise NotFound(
            f"there is no job {number} that failed for good; those that did are listed with the jobs that wait."
        )


def all_jobs(connection: Connection) -> Sequence[Job]:
    """Those that wait, are being done, or are dead letters, in the order in which they were enqueued."""
    return [_job(row) for row in connection.execute(select(JOB).order_by(JOB.c.number)).mappings()]


def _is(job: Job) -> tuple[Any, Any]:
    return JOB.c.number == job.number, JOB.c.holder == job.holder


def _held(rows: int, job: Job) -> None:
    if not rows:
        raise NotAllowedNow(
            f"job {job.number} ({job.kind}) took longer than it may and was given to another, so nothing of what it wrote was kept."
        )


def _job(row: Mapping[str, Any] | RowMapping) -> Job:
    times = {name: dt.datetime.fromisoformat(row[name]) for name in ("enqueued", "due")}
    return Job(**{**row, **times, "facts": json.loads(row["facts"])})


def _text(time: dt.datetime) -> str:
    return time.astimezone(dt.UTC).isoformat(timespec="microseconds")
