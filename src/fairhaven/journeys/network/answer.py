"""Answering the national Cohort Discovery tool: each task becomes a question to discovery, and leaves protected."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fairhaven.cohort import check_definition
from fairhaven.cohort.formats.rquest import read_rquest
from fairhaven.journeys.cohorts.discover import Discovery, discover, tell_first, what_tells
from fairhaven.journeys.model import Rooms
from fairhaven.kernel.errors import Invalid, NotAllowedNow, Refused
from fairhaven.kernel.progress import Progress
from fairhaven.kernel.version import code_version
from fairhaven.ledger import Actor
from fairhaven.network import (
    CATEGORIES,
    SEXES,
    AvailabilityTask,
    CodeCount,
    CollectionAbout,
    Connection,
    Demographics,
    DistributionTask,
    WorkerSummary,
    work,
)
from fairhaven.query_audit import Asker, Decision, Outcome, folded

_NAMELESS = "cohort discovery"
"""The project of a task that names none."""


@dataclass(kw_only=True)
class HubAnswers:
    """Counts for the wire, of the hub's latest release, as the hub's policy and audit let them be given."""

    rooms: Rooms
    today: Callable[[], dt.date]
    by: Actor
    progress: Progress
    _discovery: Discovery | None = field(default=None, init=False)
    _told: object = field(default=None, init=False)

    def availability(self, query: Mapping[str, Any], *, task: AvailabilityTask) -> int:
        """See `network.CountProvider`."""
        definition = read_rquest(query, today=self.today())
        check_definition(definition)
        with _no_fault_of_the_question(), self._latest().questions() as questions:
            return _number(questions.ask(definition, asker=_asker(task.query)))

    def code_distribution(self, *, task: DistributionTask) -> Iterable[CodeCount]:
        """See `network.CountProvider`."""
        with _no_fault_of_the_question():
            asked = self._latest()
            with asked.questions() as questions:
                decided = {
                    category: questions.by_concept(table, column, asker=_asker(task.query))
                    for category, (table, column) in CATEGORIES.items()
                }
            names = asked.names({concept for cells in decided.values() for concept in cells})
        return [
            CodeCount(concept_id=concept, concept_name=names[concept], category=category, count=_cell(decision))
            for category, cells in decided.items()
            for concept, decision in cells.items()
            if concept in names
        ]

    def demographics(self, *, task: DistributionTask) -> Demographics:
        """See `network.CountProvider`."""
        asker = _asker(task.query)
        with _no_fault_of_the_question(), self._latest().questions() as questions:
            cells = questions.by_concept("person", "gender_concept_id", asker=asker)
            sexes = [(name, _cell(cells[concept]) if concept in cells else 0) for concept, name in SEXES.items()]
            return Demographics(total=_number(questions.ask_everybody(asker=asker)), sexes=sexes)

    def _latest(self) -> Discovery:
        """The latest release, opened again when it is another one or has been altered; what releases tell since is known first all the same."""
        latest = self.rooms.archive.current()
        tells = what_tells(self.rooms, latest)  # before it is read: whatever changes meanwhile is looked at next time
        if self._discovery is None or self._discovery.release.content != latest.content:
            self._discovery = discover(self.rooms, latest.name, by=self.by, progress=self.progress)
        elif tells != self._told:
            tell_first(self.rooms, latest, by=self.by, progress=self.progress)
        self._told = tells
        return self._discovery


def answer_tasks(
    rooms: Rooms, connection: Connection, *, once: bool, today: Callable[[], dt.date], by: Actor, progress: Progress
) -> WorkerSummary:
    """Work for a task API until stopped, or until its queues are empty.

    Args:
        by: who has the hub answer; it is named to others who would answer for the same collection meanwhile. The record of each
            question holds who asked it, as far as the task says.

    Raises:
        Refused: the hub has no release to count in.
    """
    if not rooms.archive.releases():
        raise Refused(f"there is no release to count in: make one with `fairhaven build {rooms.folder}`")
    policy = rooms.settings.disclosure
    about = CollectionAbout(
        software="fairhaven", version=code_version(), rounding=policy.round_to, threshold=policy.threshold
    )
    return work(
        connection,
        HubAnswers(rooms=rooms, today=today, by=by, progress=progress),
        folder=rooms.store / "discovery" / connection.collection,
        about=about,
        once=once,
        by=by,
        progress=progress,
    )


@contextmanager
def _no_fault_of_the_question() -> Iterator[None]:
    """What is wrong with the hub is told to whoever runs it, and the task is kept; it is no question that is not supported."""
    try:
        yield
    except Invalid as error:
        raise NotAllowedNow(str(error)) from None


def _asker(query: Mapping[str, Any]) -> Asker:
    """Who asks, as far as the server says: it alone knows, so all that it hands on is one coalition."""
    named = (str(query.get(key) or "") for key in ("project", "owner"))
    return Asker(project=next(filter(folded, named), _NAMELESS), is_federated=True)


def _number(decision: Decision) -> int:
    """The number that leaves; the wire has no other mark for a hidden count than 0."""
    if decision.outcome is not Outcome.ANSWERED or decision.count is None:
        raise Refused(decision.text)
    return decision.count.value or 0


def _cell(decision: Decision) -> int:
    """The number in a table; a cell that is not shown leaves no line, like one of too few."""
    return (decision.count.value or 0) if decision.count is not None else 0
