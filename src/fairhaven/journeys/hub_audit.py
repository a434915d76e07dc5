"""A hub's record of questions: every project's, under the hub's own policy and rules."""

from fairhaven.journeys.model import Rooms
from fairhaven.query_audit import QueryAudit

_AUDIT = "query-audit.sqlite"


def open_audit(rooms: Rooms) -> QueryAudit:
    """The hub's record of questions."""
    return QueryAudit(rooms.store / _AUDIT, rooms.settings.disclosure, rooms.settings.audit)


def forget_in_audit(rooms: Rooms, person_key: int) -> None:
    """Take a person out of the hub's record of questions, if it has one."""
    if (rooms.store / _AUDIT).exists():
        with open_audit(rooms) as audit:
            audit.forget([person_key])
