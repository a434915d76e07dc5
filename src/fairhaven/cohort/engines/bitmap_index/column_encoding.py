"""Columns of events: each value as the narrowest whole number that keeps its order; 0 is a value that is missing."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fairhaven.cohort.engines.bitmap_index.storage import Array

MOST_CODES = (1 << 16) - 1
"""More different values than this are kept as they are."""
_EPOCH = 1970
"""NumPy counts days and years of ``datetime64`` from here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DayEncoding:
    """Days since 1970, counted from a day before the first."""

    before: int
    last: int

    @property
    def dtype(self) -> npt.DTypeLike:
        """Two bytes reach over 179 years."""
        return _narrowest(self.last - self.before)

    def stored(self, values: pa.Array) -> Array:
        """Values as they are kept."""
        return (np.asarray(values.fill_null(self.before)) - self.before).astype(self.dtype)

    def days(self, stored: Array) -> Array:
        """Kept values as days since 1970; those missing come out as `before`."""
        return stored.astype(np.int32) + np.int32(self.before)


@dataclass(frozen=True, kw_only=True, slots=True)
class DictionaryEncoding:
    """Places, from 1, in the sorted list of all values."""

    values: Array

    @property
    def dtype(self) -> npt.DTypeLike:
        """One byte for up to 255 values."""
        return _narrowest(len(self.values))

    def stored(self, values: pa.Array) -> Array:
        """Values as they are kept."""
        encoded = values.dictionary_encode()
        places = np.append(np.searchsorted(self.values, np.asarray(encoded.dictionary)) + 1, 0).astype(self.dtype)
        return np.take(places, np.asarray(encoded.indices.fill_null(len(places) - 1)))


@dataclass(frozen=True, kw_only=True, slots=True)
class PlainEncoding:
    """Numbers of too many values for a dictionary, as they are; missing ones as NaN."""

    dtype: npt.DTypeLike = np.float64

    def stored(self, values: pa.Array) -> Array:
        """Values as they are kept."""
        return np.asarray(values.cast(pa.float64()).fill_null(float("nan")))


def _narrowest(largest: int) -> npt.DTypeLike:
    kinds: tuple[type[np.unsignedinteger[Any]], ...] = (np.uint8, np.uint16, np.uint32)
    return next(kind for kind in kinds if largest <= np.iinfo(kind).max)


def years_of_days(days: Array) -> Array:
    """Calendar years of days since 1970."""
    return days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + _EPOCH


def first_days_of_years(years: Array) -> Array:
    """Days since 1970 of the first of January."""
    return (years.astype(np.int64) - _EPOCH).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
