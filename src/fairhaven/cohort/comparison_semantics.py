"""What the language's comparisons mean, in one place: the same operators serve table columns and NumPy arrays."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

from fairhaven.cohort.model import Compare, Match, Occurrence, OccurrenceType

Operator = Callable[[Any, Any], Any]

COMPARES: Mapping[Compare, Operator] = {
    Compare.LESS: operator.lt,
    Compare.AT_MOST: operator.le,
    Compare.EQUAL: operator.eq,
    Compare.NOT_EQUAL: operator.ne,
    Compare.AT_LEAST: operator.ge,
    Compare.MORE: operator.gt,
}
"""Of a value with another; ``BETWEEN`` and ``OUTSIDE`` compare with two and are put together from these."""

TIMES: Mapping[OccurrenceType, Operator] = {
    OccurrenceType.EXACTLY: operator.eq,
    OccurrenceType.AT_MOST: operator.le,
    OccurrenceType.AT_LEAST: operator.ge,
}
"""Of how many events were found with how many were asked for."""


def needs_an_event(occurrence: Occurrence) -> bool:
    """Whether an occurrence can be reached with at least one event only."""
    return occurrence.times is not OccurrenceType.AT_MOST and occurrence.count > 0


def member_bounds(match: Match, count: int | None, members: int) -> tuple[int, int]:
    """Between which numbers of its members a group holds; one without members holds."""
    match match:
        case _ if not members:
            return 0, 0
        case Match.ALL:
            return members, members
        case Match.ANY:
            return 1, members
        case Match.AT_LEAST:
            return count or 0, members
        case Match.AT_MOST:
            return 0, count or 0
