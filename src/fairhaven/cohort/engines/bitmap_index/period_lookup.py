"""Observation periods: which of a person's contains a day. They are whole and do not overlap; a planner sees to that."""

from functools import cached_property

import numpy as np

from fairhaven.cohort.engines.bitmap_index.event_source import END, ORDINAL, START
from fairhaven.cohort.engines.bitmap_index.storage import Array, Arrays
from fairhaven.cohort.event_dates import FAR


class Periods:
    """The observation periods of a release, by person and start.

    Args:
        persons: how many there are.
    """

    def __init__(self, arrays: Arrays, persons: int) -> None:
        self._arrays = arrays
        self._persons = persons

    def containing(self, ordinals: Array, days: Array) -> tuple[Array, Array, Array]:
        """Of each pair of person and day: is it observed, and the first and last day of the period."""
        start, end = self._arrays("periods", START), self._arrays("periods", END)
        if not len(start):
            nothing = np.zeros(len(ordinals), np.int64)
            return nothing.astype(bool), nothing, nothing
        if self._only_one is not None:
            place = self._only_one[ordinals]
            has_one = place >= 0
        else:
            place = np.searchsorted(self._keys, keyed(ordinals, days), "right") - 1
            has_one = (place >= 0) & (self._ordinal[place] == ordinals)
        first, last = start[place], end[place]
        return has_one & (first <= days) & (days <= last), first, last

    @cached_property
    def _ordinal(self) -> Array:
        return self._arrays("periods", ORDINAL)

    @cached_property
    def _keys(self) -> Array:
        return keyed(self._ordinal, self._arrays("periods", START))

    @cached_property
    def _only_one(self) -> Array | None:
        """Place of each person's period, -1 for none, where nobody has two: then no search is needed."""
        if (self._ordinal[1:] == self._ordinal[:-1]).any():
            return None
        places = np.full(self._persons, -1, np.int32)
        places[self._ordinal] = np.arange(len(self._ordinal))
        return places


def keyed(ordinals: Array, days: Array) -> Array:
    """One number for each pair of person and day, in the order of person, then day."""
    keys: Array = (ordinals.astype(np.int64) << 32) + (days + FAR)
    return keys
