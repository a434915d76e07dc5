"""The worker: asks a task API for tasks, has them answered, and hands the results in. It only ever calls out."""

import random
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from fairhaven.kernel.file_locks import locked
from fairhaven.kernel.progress import Progress, Silent
from fairhaven.ledger import Actor
from fairhaven.network.backoff import Backoff
from fairhaven.network.connection import Connection
from fairhaven.network.distribution_tables import CollectionAbout
from fairhaven.network.ports import CountProvider
from fairhaven.network.task import QueueKind
from fairhaven.network.task_api_client import TaskApiClient, TaskReceived, TransportFailure
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
    """Answer the tasks of one collection until it is to stop.

    Args:
        connection: the task API, as whom, and which queues.
        answers: who counts; what comes back is protected.
        folder: where this collection's record is kept; one worker at a time.
        about: who answers, for the metadata of a distribution.
        by: who has it answer, for whoever would start another worker of this collection.
        once: end when every queue is empty, or after `Backoff.patience` failures in a row.
        pace: how often, and how patiently.
        progress: learns of trouble and its end, and of each task, without its content.
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
    watching = progress or Silent()
    # Two workers of one collection would share its tasks for as long as both run, so there is nothing to wait for.
    with (
        locked(folder / ".lock", act="answering", by=str(by), patience=0, progress=watching),
        closing(TaskRecord(folder / "record.sqlite")) as record,
        TaskApiClient(connection) as channel,
    ):
        record.forget(before=now() - KEPT)
        session = WorkerSession(
            collection=connection.collection,
            answers=answers,
            about=about,
            record=record,
            channel=channel,
            pace=pace or Backoff(),
            progress=watching,
            now=now,
            chance=chance or random.Random(),
        )
        try:
            _run(session, connection.queues, once=once, stop=stop, pause=pause or stop.wait)
        except KeyboardInterrupt:
            stop.set()
        return session.ended(is_stopped=stop.is_set())


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
        has_news, trouble = _round(session, queues, once=once, stop=stop)
        is_cut_short = trouble is not None and (once or not trouble.is_about_one)
        session.note_trouble(trouble if is_cut_short else None)
        failures = failures + 1 if trouble is not None else 0
        is_over = (trouble.is_lasting or failures >= session.pace.patience) if trouble is not None else not has_news
        if once and is_over:
            return
        if trouble is not None and is_cut_short:
            pause(session.pace.after(failures, session.chance, asked=trouble.retry_after))
        elif not has_news:
            pause(session.pace.idle(session.chance))


def _round(
    session: WorkerSession, queues: tuple[QueueKind, ...], *, once: bool, stop: threading.Event
) -> tuple[bool, TransportFailure | None]:
    """Hand in and answer what is left over, then take one task from each queue.

    Returns:
        Whether more may be waiting, and what went wrong: where the server could not be worked with at all, the round
        ends there.
    """
    # A result at which the server fails must not keep the others waiting: it is left alone for a while.
    trouble: TransportFailure | None = None
    for state, do, is_due in ((TaskState.ANSWERED, session.post, not once), (TaskState.ASKED, session.answer, True)):
        for number in session.waiting(state, is_due=is_due):
            if state is TaskState.ASKED and stop.is_set():
                break
            found = do(session.record.entry(number))
            if found is not None and not found.is_about_one:
                return False, found
            trouble = trouble or found
    has_news = False
    for queue in queues:
        if stop.is_set():
            break
        match session.channel.next_task(queue):
            case TransportFailure() as found:
                return has_news, found
            case TaskReceived() as received:
                is_news, found = session.take(received)
                has_news = has_news or is_news
                if found is not None and not found.is_about_one:
                    return has_news, found
                trouble = trouble or found
    return has_news, trouble
