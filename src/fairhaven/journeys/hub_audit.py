"""A hub's record of questions: every project's, under the hub's own policy and rules.

Questions are asked by the hub's own account or by those of its readers, who add to the log of questions and change nothing.
How far the log went is entered in the ledger by whoever may: what the ledger has seen can no longer be taken off unseen.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from fairhaven.archive import Release
from fairhaven.cohort import DiscoveryIndex
from fairhaven.journeys.model import Rooms
from fairhaven.kernel.codec import from_json
from fairhaven.ledger import Actor, EventKind
from fairhaven.query_audit import LogHead, QueryAudit

_AUDIT = "query-audit.sqlite"


@contextmanager
def open_audit(rooms: Rooms) -> Iterator[QueryAudit]:
    """The hub's record of questions.

    Raises:
        Invalid: it is damaged, or does not hold what the ledger has seen of it.
        NotAllowedNow: this account may not record questions, or not yet.
    """
    with QueryAudit(rooms.store / _AUDIT, rooms.settings.disclosure, rooms.settings.audit) as audit:
        if (seen := _seen(rooms)) is not None:
            audit.check(seen)
        yield audit


def make_known(audit: QueryAudit, release: Release, index: DiscoveryIndex) -> None:
    """Let questions be asked of a release, once; by its content, because an erasure makes other persons of it.

    Raises:
        NotAllowedNow: this account may only ask.
    """
    if not audit.knows(release.content):
        audit.add_release(release.content, index.person_keys(index.universe))


def record_questions(rooms: Rooms, *, by: Actor) -> None:
    """Enter in the ledger how far the log of questions goes, if this account may."""
    with open_audit(rooms) as audit:
        head = audit.head()
        if audit.is_own and head.lines:
            rooms.ledger.append_change(EventKind.QUESTIONS, asdict(head), by=by)


def forget_in_audit(rooms: Rooms, person_key: int) -> None:
    """Take a person out of the hub's record of questions, if it has one."""
    if (rooms.store / _AUDIT).exists():
        with open_audit(rooms) as audit:
            audit.forget([person_key])


def _seen(rooms: Rooms) -> LogHead | None:
    entered = [entry.facts for entry in rooms.ledger.entries() if entry.kind == EventKind.QUESTIONS]
    return from_json(LogHead, entered[-1], path="ledger.jsonl") if entered else None
