"""Days around the entry event as places on a line: near ones apart, far ones closer together."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from fairhaven.cohort.model import DateField, Edge, Window

_START, _END = 5.0, 95.0
"""Where observation starts and ends, of 100."""

_NEAREST = 30
"""Days that the scale shows at the least, so that one day never looks far away."""

_SHARE = 0.84
"""Of the room on a side that days take; the rest is between the furthest day and the end of observation."""

_LETTER, _GAP = 0.95, 1.2
"""Half the width of a mark's letter, and the room between two marks, of 100, on a narrow screen."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """Where days lie, 0 to 100.

    Args:
        entry: the entry event's start; entry_end: its end, the same place where no window asks for it.
        before, after: the furthest days shown.
        is_observed: observation has a start and an end on it.
    """

    entry: float
    entry_end: float
    before: int
    after: int
    is_observed: bool = True

    @property
    def start(self) -> float:
        """The start of observation."""
        return _START if self.is_observed else 0.0

    @property
    def end(self) -> float:
        """The end of observation."""
        return _END if self.is_observed else 100.0

    def day(self, days: int, index: DateField = DateField.START) -> float:
        """A day, counted from the entry event's start or end."""
        if days < 0:
            room = (self.entry - self.start) * _SHARE
            shift = self.entry_end - self.entry if index == DateField.END else 0.0
            return self.entry - room * math.log1p(-days) / math.log1p(self.before) + shift
        origin = self.entry_end if index == DateField.END else self.entry
        return origin + (self.end - self.entry_end) * _SHARE * math.log1p(days) / math.log1p(self.after)

    def stretch(self, window: Window, *, in_period: bool) -> tuple[float, float] | None:
        """Where a window lies; None where no day is in it."""
        low = self._edge(window.since, window.index, is_low=True, in_period=in_period)
        high = self._edge(window.until, window.index, is_low=False, in_period=in_period)
        return (low, high) if low <= high else None

    def marks(self, days: Iterable[tuple[int, DateField]]) -> list[tuple[float, str]]:
        """Places and words of days, those furthest out first to be kept where there is no room for all."""
        kept = [(self.entry, "entry")]
        if self.entry_end > self.entry:
            kept.append((self.entry_end, "its end"))
        for count, index in sorted(set(days), key=lambda each: (-abs(each[0]), each)):
            place, words = self.day(count, index), signed_days(count)
            if count and all(abs(place - at) >= _LETTER * (len(words) + len(other)) + _GAP for at, other in kept):
                kept.append((place, words))
        return sorted(kept)

    def _edge(self, reach: int | Edge, index: DateField, *, is_low: bool, in_period: bool) -> float:
        match reach:
            case Edge.PERIOD_START:
                return self.start
            case Edge.PERIOD_END:
                return self.end
            case Edge.OPEN if in_period:
                return self.start if is_low else self.end
            case Edge.OPEN:
                return 0.0 if is_low else 100.0
            case days:
                return self.day(int(days), index)


def signed_days(days: int) -> str:
    """``−365``, ``+30``"""
    return f"{'−' if days < 0 else '+'}{abs(days):,}"


def axis_for(windows: Iterable[Window], *, is_observed: bool) -> Axis:
    """An axis on which all windows can be seen apart."""
    windows = list(windows)
    days = [reach for window in windows for reach in (window.since, window.until) if isinstance(reach, int)]
    looks_back = any(day < 0 for day in days) or any(isinstance(window.since, Edge) for window in windows)
    entry = 48.0 if looks_back else 22.0
    has_end = any(window.index == DateField.END for window in windows)
    return Axis(
        entry=entry,
        entry_end=entry + 9.0 if has_end else entry,
        before=max([_NEAREST, *(-day for day in days)]),
        after=max([_NEAREST, *days]),
        is_observed=is_observed,
    )
