"""Time windows as phrases: ``in the 90 days before the entry event``."""

from fairhaven.cohort.english.phrases import days_from, many
from fairhaven.cohort.model import DateField, Edge, Window


def when(window: Window, anchor: str, *, in_period: bool) -> str:
    """Where a date must lie.

    Args:
        anchor: what days are counted from, for example ``the entry event``.
        in_period: the event starts in the anchor's observation period, so that the period's edges need no words.
    """
    since, until = window.since, window.until
    at = f"the end of {anchor}" if window.index == DateField.END else anchor
    if in_period and window.of == DateField.START:
        since = Edge.OPEN if since == Edge.PERIOD_START else since
        until = Edge.OPEN if until == Edge.PERIOD_END else until
    match since, until:
        case int(), int():
            return _between(since, until, at)
        case Edge.OPEN, int():
            return _up_to(until, at)
        case int(), Edge.OPEN:
            return _from(since, at)
        case Edge.OPEN, Edge.OPEN:
            return "at any time"
        case Edge.PERIOD_START, int() if until <= 0 and window.index == DateField.START:
            return f"{_up_to(until, at)}, within observation"
        case int(), Edge.PERIOD_END if since >= 0 and window.index == DateField.START:
            return f"{_from(since, at)}, within observation"
        case _:
            return f"from {_bound(since, at, 'any earlier time')} to {_bound(until, at, 'any later time')}"


def _between(since: int, until: int, at: str) -> str:
    if since > until:
        return f"in no time at all (from day {since} to day {until} around {at})"
    match since, until:
        case 0, 0:
            return f"on the same day as {at}"
        case -1, -1:
            return f"on the day before {at}"
        case 1, 1:
            return f"on the day after {at}"
        case -1, 0:
            return f"on the day of {at} or the day before"
        case 0, 1:
            return f"on the day of {at} or the day after"
        case _ if since == until:
            return f"exactly {days_from(since, at)}"
        case _, -1:
            return f"in the {many(-since, 'day')} before {at}"
        case 1, _:
            return f"in the {many(until, 'day')} after {at}"
        case _, 0:
            return f"in the {many(-since, 'day')} before {at} or on its day"
        case 0, _:
            return f"on the day of {at} or in the {many(until, 'day')} after"
        case _ if until < 0:
            return f"from {-since:,} to {many(-until, 'day')} before {at}"
        case _ if since > 0:
            return f"from {since:,} to {many(until, 'day')} after {at}"
        case _ if -since == until:
            return f"within {many(until, 'day')} before or after {at}"
        case _:
            return f"from {many(-since, 'day')} before to {many(until, 'day')} after {at}"


def _up_to(until: int, at: str) -> str:
    if until == 0:
        return f"at any time before {at} or on its day"
    if until == -1:
        return f"at any time before {at}"
    if until < 0:
        return f"at least {many(-until, 'day')} before {at}"
    return f"at any time up to {many(until, 'day')} after {at}"


def _from(since: int, at: str) -> str:
    if since == 0:
        return f"on the day of {at} or at any time after"
    if since == 1:
        return f"at any time after {at}"
    if since > 0:
        return f"at least {many(since, 'day')} after {at}"
    return f"at any time from {many(-since, 'day')} before {at} on"


def _bound(bound: int | Edge, at: str, ever: str) -> str:
    match bound:
        case Edge.PERIOD_START:
            return "the start of observation"
        case Edge.PERIOD_END:
            return "the end of observation"
        case Edge.OPEN:
            return ever
        case 0:
            return f"the day of {at}"
        case _:
            return days_from(bound, at)
