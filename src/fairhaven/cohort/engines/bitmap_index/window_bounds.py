"""The windows of a condition as one stretch of days around an index event."""

from fairhaven.cohort.engines.bitmap_index.plan import IndexCannotAnswer, IntervalBound
from fairhaven.cohort.event_dates import FAR
from fairhaven.cohort.model import Correlated, DateField, Edge, Window


def window_interval(
    asked: Correlated, *, observed: bool
) -> tuple[DateField, tuple[IntervalBound, ...], tuple[IntervalBound, ...]]:
    """The windows of a condition as bounds of one date.

    Args:
        observed: index events have an observation period; without, the whole of time is one.

    Raises:
        IndexCannotAnswer: the condition asks something of both dates of an event.
    """
    for each in (asked.start, asked.end):
        if not observed and each is not None and (each.since is Edge.PERIOD_END or each.until is Edge.PERIOD_START):
            raise IndexCannotAnswer("a window before or after the whole of time")
    windows = [each for each in (asked.start, asked.end) if each is not None and not is_open(each, observed)]
    of = windows[0].of if windows else DateField.START
    within = asked.within_observation and observed
    if any(each.of is not of for each in windows) or (within and of is not DateField.START):
        raise IndexCannotAnswer("windows on both dates of an event")
    since = [_bound(each.since, each) for each in windows if _is_bound(each.since, observed)]
    until = [_bound(each.until, each) for each in windows if _is_bound(each.until, observed)]
    if within:
        since.append(IntervalBound(at=Edge.PERIOD_START))
        until.append(IntervalBound(at=Edge.PERIOD_END))
    return of, tuple(since), tuple(until)


def _is_bound(end: int | Edge, observed: bool) -> bool:
    return not isinstance(end, Edge) or (observed and end is not Edge.OPEN)


def is_open(window: Window, observed: bool) -> bool:
    """Whether a window lets every day through."""
    return not _is_bound(window.since, observed) and not _is_bound(window.until, observed)


def _bound(end: int | Edge, window: Window) -> IntervalBound:
    return IntervalBound(at=end) if isinstance(end, Edge) else IntervalBound(at=clip_days(end), index=window.index)


def clip_days(days: int) -> int:
    """Days that reach beyond every event, and no further than numbers of days go."""
    return max(-FAR, min(FAR, days))
