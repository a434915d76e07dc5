"""Background work on both databases: claimed once, begun again after a kill, tried so often and no more, and written once."""

import datetime as dt
import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext, ForkServerProcess

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, insert, select

from fairhaven.kernel.errors import Invalid, NotAllowedNow, NotFound
from fairhaven.records import Database, Job, Retries, all_jobs, do_due, enqueue, revive
from fairhaven.records.jobs import claim, done, failed, renewed
from tests.support.database_addresses import DatabaseAddress

NOON = dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
SHORT = dt.timedelta(seconds=2)
_TABLES = MetaData()
WRITTEN = Table("written", _TABLES, Column("job", Integer))


@pytest.fixture
def hub(database: Database) -> Database:
    """A database with a table that jobs write to, so often as they are done."""
    with database.writing() as connection:
        _TABLES.create_all(connection)
    return database


def asked(database: Database, *facts: object, at: dt.datetime = NOON) -> list[int]:
    with database.writing() as connection:
        return [enqueue(connection, "publish", {"facts": each}, now=at) for each in facts]


def taken(database: Database, *, at: dt.datetime = NOON, lease: dt.timedelta = MINUTE) -> Job | None:
    with database.writing() as connection:
        return claim(connection, ["publish"], now=at, lease=lease)


def left(database: Database) -> list[Job]:
    with database.reading() as connection:
        return [*all_jobs(connection)]


def written(database: Database) -> list[int]:
    with database.reading() as connection:
        return [*connection.execute(select(WRITTEN.c.job).order_by(WRITTEN.c.job)).scalars()]


def writes(job: Job) -> Callable[[Connection], object]:
    return lambda connection: connection.execute(insert(WRITTEN).values(job=job.number))


def worked(
    database: Database, doing: Callable[[Job], Callable[[Connection], object]] = writes, *, at: dt.datetime = NOON
) -> int:
    return do_due(database, {"publish": doing}, clock=lambda: at, retries=Retries(most=3, first=MINUTE))


def test_what_was_asked_for_is_done_once_in_order_and_then_gone(hub: Database) -> None:
    numbers = asked(hub, "a", {"release": "r0001"}, None)
    seen: list[object] = []

    def doing(job: Job) -> Callable[[Connection], object]:
        seen.append(job.facts["facts"])
        return writes(job)

    assert worked(hub, doing) == 3
    assert (written(hub), seen, left(hub)) == (numbers, ["a", {"release": "r0001"}, None], [])


def test_a_job_is_there_with_its_change_and_not_without_it(hub: Database) -> None:
    def change() -> None:
        with hub.writing() as connection:
            enqueue(connection, "publish", {}, now=NOON)
            raise Invalid("the change is refused")

    with pytest.raises(Invalid):
        change()
    assert not left(hub)


def test_a_job_is_nobody_elses_until_its_lease_is_over(hub: Database) -> None:
    asked(hub, 1)
    first = taken(hub)
    assert first and not taken(hub) and not taken(hub, at=NOON + MINUTE / 2)
    with hub.writing() as connection:
        renewed(connection, first, now=NOON + MINUTE / 2, lease=MINUTE)
    assert not taken(hub, at=NOON + MINUTE)
    second = taken(hub, at=NOON + 2 * MINUTE)
    assert second and (second.number, second.attempts) == (first.number, 2)

    def end(late: Callable[[Connection, Job], None]) -> None:
        with hub.writing() as connection:
            writes(first)(connection)
            late(connection, first)

    for late in (done, partial(renewed, now=NOON), partial(failed, fault="too late", now=NOON)):
        with pytest.raises(NotAllowedNow, match="was given to another"):
            end(late)
    assert not written(hub)


def test_a_job_is_begun_when_it_is_due_and_another_kind_by_nobody(hub: Database) -> None:
    with hub.writing() as connection:
        enqueue(connection, "publish", {}, now=NOON, due=NOON + MINUTE)
        enqueue(connection, "notify", {}, now=NOON)
    assert worked(hub) == 0
    assert worked(hub, at=NOON + MINUTE) == 1
    assert [job.kind for job in left(hub)] == ["notify"]


def test_what_fails_is_tried_later_and_stays_for_a_person_after_the_last_time(hub: Database) -> None:
    [number, other] = asked(hub, 1, 2)

    def refused(job: Job) -> Callable[[Connection], object]:
        if job.number == number:
            raise Invalid("the register is closed")
        return writes(job)

    times = [NOON, NOON + MINUTE, NOON + 3 * MINUTE]
    for attempt, at in enumerate(times, start=1):
        worked(hub, refused, at=at - dt.timedelta(microseconds=1))
        assert left(hub)[0].attempts == attempt - 1
        worked(hub, refused, at=at)
        [job] = left(hub)
        assert (job.fault, job.attempts, job.is_dead) == ("the register is closed", attempt, attempt == len(times))
    assert written(hub) == [other]
    assert worked(hub, at=NOON + 999 * MINUTE) == 0
    with hub.writing() as connection:
        revive(connection, number, now=NOON)
    assert worked(hub) == 1
    with pytest.raises(NotFound, match=f"no job {number} that failed"), hub.writing() as connection:
        revive(connection, number, now=NOON)


def test_what_a_job_writes_goes_when_it_fails_and_its_fault_names_no_value(hub: Database) -> None:
    asked(hub, 1)

    def half(job: Job) -> Callable[[Connection], object]:
        def write(connection: Connection) -> None:
            writes(job)(connection)
            raise ValueError("9434765919")

        return write

    assert worked(hub, half) == 0
    [job] = left(hub)
    assert job.fault.startswith("ValueError in write, line ") and "9434765919" not in job.fault
    assert not written(hub)


def test_what_kills_its_worker_every_time_is_a_dead_letter(hub: Database) -> None:
    asked(hub, 1)
    for attempt in range(8):
        assert taken(hub, at=NOON + attempt * MINUTE)
    assert taken(hub, at=NOON + 8 * MINUTE) is None
    [job] = left(hub)
    assert job.is_dead and "was begun 8 times and never ended" in job.fault


@pytest.fixture(scope="module")
def workers() -> ForkServerContext:
    """Processes that have loaded what they need already."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__, "fairhaven.records"])
    return context


def work_until_killed(address: DatabaseAddress, stage: str) -> None:
    """Be a worker that is killed: while it works, while it writes, or when it has written."""

    def doing(job: Job) -> Callable[[Connection], object]:
        if stage == "working":
            os.kill(os.getpid(), signal.SIGKILL)

        def write(connection: Connection) -> None:
            writes(job)(connection)
            if stage == "writing":
                os.kill(os.getpid(), signal.SIGKILL)

        return write

    with closing(address.opened()) as database:
        worked(database, doing)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(("stage", "is_written"), [("working", False), ("writing", False), ("written", True)])
def test_after_a_kill_what_was_begun_is_begun_again_and_written_once(
    hub: Database, address: DatabaseAddress, workers: ForkServerContext, stage: str, is_written: bool
) -> None:
    numbers = asked(hub, 1)
    worker = workers.Process(target=work_until_killed, args=(address, stage))
    worker.start()
    worker.join()
    assert worker.exitcode == -signal.SIGKILL
    assert written(hub) == (numbers if is_written else [])
    assert worked(hub) == 0, "its lease is not over"
    assert worked(hub, at=NOON + dt.timedelta(hours=1)) == (0 if is_written else 1)
    assert (written(hub), left(hub)) == (numbers, [])


def work_for_a_while(address: DatabaseAddress, seconds: float) -> None:
    """Be a worker that somebody kills."""
    with closing(address.opened()) as database:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            do_due(
                database,
                {"publish": writes},
                clock=partial(dt.datetime.now, dt.UTC),
                lease=SHORT,
                retries=Retries(most=99),
            )
            time.sleep(0.001)


@pytest.mark.slow
def test_three_workers_that_are_killed_at_fifty_moments_write_each_of_a_thousand_jobs_once(
    hub: Database, address: DatabaseAddress, workers: ForkServerContext
) -> None:
    numbers = asked(hub, *range(1000), at=dt.datetime.now(dt.UTC))
    moments = random.Random(11)
    working: list[ForkServerProcess] = []
    for _ in range(50):
        while len(working) < 3:
            working.append(workers.Process(target=work_for_a_while, args=(address, 600.0)))
            working[-1].start()
        time.sleep(moments.uniform(0.02, 0.3))
        killed = working.pop(moments.randrange(3))
        killed.kill()
        killed.join()
    while left(hub):
        time.sleep(0.05)
    for each in working:
        each.kill()
        each.join()
    assert written(hub) == numbers
