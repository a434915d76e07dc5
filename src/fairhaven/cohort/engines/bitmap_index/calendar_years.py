"""Years of day numbers, as NumPy sees them; `days` says the same of a table's columns."""

import numpy as np

from fairhaven.cohort.engines.bitmap_index.storage import Array

_EPOCH = 1970


def year_of(days: Array) -> Array:
    """Calendar years of days since 1970."""
    years: Array = days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + _EPOCH
    return years


def first_of_year(years: Array) -> Array:
    """Days since 1970 of the first of January."""
    days: Array = (years.astype(np.int64) - _EPOCH).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
    return days
