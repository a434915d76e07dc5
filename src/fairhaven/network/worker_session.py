"""One worker's session: a task is taken, answered and handed in, and each of the three survives whatever happens to the next."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from fairhaven.kernel.progress import Progress
from fairhaven.network.backoff import Backoff
from fairhaven.network.distribution_tables import CollectionAbout
from fairhaven.network.ports import CountProvider
from fairhaven.network.result import TaskResult, TaskStatus, failed
from fairhaven.network.task import UnreadableTask, read_task
from fairhaven.network.task_answer import NO_ANSWER, AnswerDeferred, reply
from fairhaven.network.task_api_client import (
    ResultAccepted,
    ResultDeclined,
    TaskApiClient,
    TaskReceived,
    TransportFailure,
)
from fairhaven.network.task_record import TaskEntry, TaskRecord, TaskState

ATTEMPTS = 5
"""How often an answer is begun before the task gets an error result; one that killed the process counts too."""

_REMEMBERED = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerSummary:
    """What one run of a worker did.

    Args:
        received: tasks that came, each time one came.
        answered: answers made.
        failed: error results made, among them those to tasks that could not be read.
        skipped: bodies without a uuid, to which nothing can be said.
        posted: results that the server took.
        declined: results that it did not want, because it does not know the task or has an answer to it.
        unposted: results that are kept for the next run.
        unanswered: tasks that are kept for the next run.
        trouble: why the server could not be worked with when the run ended; empty where it could.
        is_stopped: whether somebody ended the run.
    """

    received: int = 0
    answered: int = 0
    failed: int = 0
    skipped: int = 0
    posted: int = 0
    declined: int = 0
    unposted: int = 0
    unanswered: int = 0
    trouble: str = ""
    is_stopped: bool = False


@dataclass(kw_only=True, slots=True)
class WorkerSession:
    """The state of one run. `summary` grows as it goes.

    Args:
        collection: who answers.
        answers: who counts.
        about: for the metadata of a distribution.
        record: what is on the disk.
        channel: the line to the server.
        pace: how long what failed is left alone.
        progress: learns of each task.
        now: the clock, in seconds since 1970.
        chance: where the spread of the waits comes from.
    """

    collection: str
    answers: CountProvider
    about: CollectionAbout
    record: TaskRecord
    channel: TaskApiClient
    pace: Backoff
    progress: Progress
    now: Callable[[], float]
    chance: random.Random
    summary: WorkerSummary = field(default_factory=WorkerSummary)
    _seen: set[str] = field(default_factory=set)
    _failures: dict[int, int] = field(default_factory=dict)
    _not_before: dict[int, float] = field(default_factory=dict)

    def waiting(self, state: TaskState, *, is_due: bool) -> list[int]:
        """The tasks in a state; with *is_due* without those that failed a short while ago."""
        numbers = self.record.waiting(state)
        return [n for n in numbers if self._not_before.get(n, 0.0) <= self.now()] if is_due else numbers

    def take(self, received: TaskReceived) -> tuple[bool, TransportFailure | None]:
        """Write a task down, answer it, hand the result in.

        Returns:
            Whether the task is new to this run, so that more may be waiting behind it, and what went wrong.
        """
        task = read_task(received.body, collection=self.collection, is_whole=received.is_whole)
        self._count(received=1)
        if task.uuid is None:
            self._count(skipped=1)
            self.progress.note(f"a task was passed over, which names no uuid: {'; '.join(task.reasons)}")
            return False, None
        is_new = f"{task.uuid} {task.question}" not in self._seen
        if len(self._seen) >= _REMEMBERED:
            self._seen.clear()
        self._seen.add(f"{task.uuid} {task.question}")
        entry = self.record.take(task.uuid, task.question, received.body)
        return is_new, self.post(entry) if entry.answer is not None else self.answer(entry)

    def answer(self, entry: TaskEntry) -> TransportFailure | None:
        """Answer a task that is written down, keep the answer, and hand it in."""
        result = self._result(entry)
        if result is None:
            return None
        is_error = result.status is TaskStatus.ERROR
        self._count(failed=int(is_error), answered=int(not is_error))
        self.progress.note(f"task {entry.uuid}: {result.message if is_error else 'answered'}")
        return self.post(self.record.answer(entry, result.to_json()))

    def post(self, entry: TaskEntry) -> TransportFailure | None:
        """Hand in an answer that is on the disk."""
        assert entry.answer is not None
        match self.channel.post(entry.uuid, entry.answer):
            case TransportFailure() as trouble:
                if trouble.is_about_one and entry.number not in self._failures:
                    self.progress.note(f"task {entry.uuid}: the result is kept and posted later; {trouble.reason}")
                self._leave_alone(entry, self.pace.first)
                return trouble
            case ResultAccepted():
                self.record.conclude(entry, TaskState.POSTED, at=self.now())
                self._count(posted=1)
            case ResultDeclined(status=status):
                self.record.conclude(entry, TaskState.DECLINED, at=self.now())
                self._count(declined=1)
                self.progress.note(f"task {entry.uuid}: the server does not want the result ({status})")
        self._failures.pop(entry.number, None)
        self._not_before.pop(entry.number, None)
        return None

    def note_trouble(self, trouble: TransportFailure | None) -> None:
        """Say trouble when it begins and when it ends, not at each try."""
        reason = trouble.reason if trouble is not None else ""
        if reason != self.summary.trouble:
            self.progress.note(f"{reason}; trying again" if reason else "the server can be worked with again")
        self.summary = replace(self.summary, trouble=reason)

    def ended(self, *, is_stopped: bool) -> WorkerSummary:
        """What the run did, with what it leaves to the next."""
        return replace(
            self.summary,
            unposted=len(self.record.waiting(TaskState.ANSWERED)),
            unanswered=len(self.record.waiting(TaskState.ASKED)),
            is_stopped=is_stopped,
        )

    def _result(self, entry: TaskEntry) -> TaskResult | None:
        task = read_task(entry.body or b"", collection=self.collection)
        if isinstance(task, UnreadableTask):
            message = f"the task could not be answered: {'; '.join(task.reasons)}"
            return failed(uuid=entry.uuid, collection=self.collection, message=message)
        if entry.attempts >= ATTEMPTS:
            return failed(uuid=entry.uuid, collection=self.collection, message=NO_ANSWER)
        attempt = self.record.begin(entry)
        try:
            return reply(task, self.answers, self.about)
        except AnswerDeferred as error:
            self._leave_alone(entry, self.pace.second_try)
            self.progress.note(f"task {entry.uuid} is kept after attempt {attempt} of {ATTEMPTS}: {error}")
            return None

    def _leave_alone(self, entry: TaskEntry, first: float) -> None:
        failures = self._failures[entry.number] = self._failures.get(entry.number, 0) + 1
        wait = replace(self.pace, first=first).after(failures, self.chance)
        self._not_before[entry.number] = self.now() + wait

    def _count(self, **more: int) -> None:
        self.summary = replace(self.summary, **{name: getattr(self.summary, name) + n for name, n in more.items()})
