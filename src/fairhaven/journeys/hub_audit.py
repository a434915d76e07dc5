"""A hub's record of questions: every project's, under the hub's own policy and rules.

Questions are asked by the hub's own account or by those of its readers, who add each to a log of their own and change nothing.
How far the logs went is entered in the ledger by whoever may: what the ledger has seen can no longer be taken off unseen.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from fairhaven.archive import Release
from fairhaven.cohort import DiscoveryIndex
from fairhaven.journeys.model import Rooms
from fairhaven.kernel.codec import from_json, to_json
from fairhaven.kernel.errors import Invalid
from fairhaven.kernel.progress import Progress
from fairhaven.ledger import Actor, EventKind
from fairhaven.query_audit import Asker, LogHead, QueryAudit

_AUDIT = "query-audit.sqlite"


@dataclass(frozen=True, kw_only=True, slots=True)
class LogsSeen:
    """What the ledger has seen of the logs of questions.

    Args:
        record: the mark of the record that they belong to.
        logs: number of an account -> how far its log went.
    """

    record: str
    logs: Mapping[int, LogHead]


@contextmanager
def open_audit(rooms: Rooms) -> Iterator[QueryAudit]:
    """The hub's record of questions.

    Raises:
        Invalid: it is damaged, or does not hold what the ledger has seen of it.
        NotAllowedNow: this account may not record questions, or not yet.
    """
    settings = rooms.settings
    with QueryAudit(
        rooms.store / _AUDIT, settings.disclosure, settings.audit, is_shared=bool(settings.readers)
    ) as audit:
        if (seen := _seen(rooms)) is not None:
            if seen.record != audit.mark:
                raise Invalid(
                    f"{rooms.store / _AUDIT} is not the record of questions that the ledger has seen, so nobody knows what was answered. "
                    "Restore it from the hub's backup, with the logs beside it, or ask no more of these releases."
                )
            audit.check(seen.logs)
        yield audit


def has_audit(rooms: Rooms) -> bool:
    """Whether the hub has a record of questions."""
    return (rooms.store / _AUDIT).exists()


def make_known(audit: QueryAudit, release: Release, index: DiscoveryIndex) -> None:
    """Let questions be asked of a release, once; by its content, because an erasure makes other persons of it.

    Raises:
        NotAllowedNow: this account may only ask.
    """
    if not audit.knows(release.content):
        audit.add_release(release.content, index.person_keys(index.universe))


def record_questions(rooms: Rooms, *, by: Actor, progress: Progress) -> None:
    """Enter in the ledger how far the logs of questions go, if this account may, and say whose goes no further."""
    with open_audit(rooms) as audit:
        seen = LogsSeen(record=audit.mark, logs=audit.heads())
        for fault in audit.faults:
            progress.note(fault.text)
        if audit.is_own and seen.logs:
            rooms.ledger.append_change(EventKind.QUESTIONS, to_json(seen), by=by)


def take_in_earlier_answers(rooms: Rooms, asker: Asker) -> None:
    """Let the hub's record of questions, if it has one, know an opened project by all spellings of its names."""
    if has_audit(rooms):
        with open_audit(rooms) as audit:
            audit.take_in(asker)


def forget_in_audit(rooms: Rooms, person_keys: Sequence[int]) -> None:
    """Take persons out of the hub's record of questions, if it has one."""
    if has_audit(rooms):
        # The logs hold numbers only; what an account did to its own must not stand in an erasure's way.
        with QueryAudit(rooms.store / _AUDIT, rooms.settings.disclosure, rooms.settings.audit) as audit:
            audit.forget(person_keys)


def _seen(rooms: Rooms) -> LogsSeen | None:
    entered = rooms.ledger.entries_of(EventKind.QUESTIONS)
    return from_json(LogsSeen, entered[-1].facts, path="ledger.jsonl") if entered else None
