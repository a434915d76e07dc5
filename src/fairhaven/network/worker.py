"""The worker: asks a task API for tasks, has them answered, and hands the results in. It only ever calls out."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fairhaven.kernel.file_locks import locked
from fairhaven.kernel.progress import Progress, Silent
from fairhaven.ledger import Actor
from fairhaven.network.backoff import Backoff
from fairhaven.network.connection import Connection
from fairhaven.network.distribution_tables import CollectionAbout
from fairhaven.network.ports import CountProvider
from fairhaven.network.task import QueueKind
from fairhaven.network.task_api_client import QueueEmpty, TaskApiClient, TaskReceived, TransportFailure
from fairhaven.network.task_record import TaskRecord, TaskState
from fairhaven.network.worker_session import WorkerSession, WorkerSummary

KEPT = 90 * 86_400.0
"""Seconds for which an answer is remembered, in case the server hands the task out again."""


def work(
    connection: Connection,
    answers: CountProvider,
    *,
    folder: Path,
    about: CollectionAbout,
    by: Actor,
    once: bool = False,
    pace: Backoff | None = None,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
    pause: Callable[[float], object] | None = None,
    now: Callable[[], float] = time.time,
    chance: random.Random | None = None,
) -> WorkerSummary:
    """Answer the tasks of one collection until told to stop.

    Args:
        connection: the task API, as whom, and which queues.
        answers: who counts; what comes back is protected.
        folder: where this collection's record is kept; one worker at a time.
        about: who answers, for the metadata of a distribution.
        by: who has it answer, for whoever would start another worker of this collection.
        once: end when every queue is empty, or after `Backoff.patience` failures in a row.
        pace: how often, and how patiently.
        progress: is told of trouble and its end, and of each task, without its content.
        stop: set it to end the run, from another thread.
        pause: how to wait; given by tests.
        now: the clock, in seconds since 1970.
        chance: where the spread of the waits comes from.

    Returns:
        What was done. Ctrl-C ends a run like *stop*: what was begun is in the record and is finished by the next run.

    Raises:
        NotAllowedNow: another process works on this folder.
        Invalid: the record is damaged.
    """
    stop = stop or threading.Event()
    pace = pace or Backoff()
    chance = chance or random.Random()
    watching = progress or Silent()
    # Two workers of one collection would share its tasks for as long as both run, so there is nothing to wait for.
    with locked(folder / ".lock", act="answering", by=str(by), patience=0, progress=watching):
        record = TaskRecord(folder / "record.sqlite")
        try:
            record.forget(before=now() - KEPT)
            with TaskApiClient(connection) as channel:
                session = WorkerSession(
                    collection=connection.collection,
                    answers=answers,
                    about=about,
                    record=record,
                    channel=channel,
                    pace=pace,
                    progress=watching,
                    now=now,
                    chance=chance,
                )
                try:
                    _run(session, connection.queues, once=once, stop=stop, pause=pause or stop.wait)
                except KeyboardInterrupt:
                    stop.set()
                return session.ended(is_stopped=stop.is_set())
        finally:
            record.close()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Round:
    """What came of one look at every queue; `is_cut_short` where the server could not be worked with at all."""

    has_news: bool = False
    trouble: TransportFailure | None = None
    is_cut_short: bool = False


def _run(
    session: WorkerSession,
    queues: tuple[QueueKind, ...],
    *,
    once: bool,
    stop: threading.Event,
    pause: Callable[[float], object],
) -> None:
    failures = 0
    while not stop.is_set():
        came = _round(session, queues, once=once, stop=stop)
        session.tell(came.trouble if came.is_cut_short or once else None)
        failures = failures + 1 if came.trouble is not None else 0
        if once and came.trouble is None and not came.has_news:
            return
        if once and came.trouble is not None and (came.trouble.is_lasting or failures >= session.pace.patience):
            return
        if came.is_cut_short or (once and came.trouble is not None):
            asked = came.trouble.retry_after if came.trouble is not None else None
            pause(session.pace.after(failures, session.chance, asked=asked))
        elif not came.has_news:
            pause(session.pace.idle(session.chance))


def _round(session: WorkerSession, queues: tuple[QueueKind, ...], *, once: bool, stop: threading.Event) -> _Round:
    """Hand in and answer what is left over, then take one task from each queue."""
    # A result at which the server fails must not keep the others waiting: it is left alone for a while.
    trouble: TransportFailure | None = None
    for state, do, is_due in ((TaskState.ANSWERED, session.post, not once), (TaskState.ASKED, session.answer, True)):
        for number in session.waiting(state, is_due=is_due):
            if state is TaskState.ASKED and stop.is_set():
                break
            found = do(session.record.entry(number))
            if found is not None and not found.is_about_one:
                return _Round(trouble=found, is_cut_short=True)
            trouble = trouble or found
    has_news = False
    for queue in queues:
        if stop.is_set():
            break
        match session.channel.next_task(queue):
            case TransportFailure() as found:
                return _Round(has_news=has_news, trouble=found, is_cut_short=True)
            case QueueEmpty():
                continue
            case TaskReceived() as received:
                is_news, found_after = session.take(received)
                has_news = has_news or is_news
                if found_after is not None and not found_after.is_about_one:
                    return _Round(has_news=has_news, trouble=found_after, is_cut_short=True)
                trouble = trouble or found_after
    return _Round(has_news=has_news, trouble=trouble)
