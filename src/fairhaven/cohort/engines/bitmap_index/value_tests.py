"""Tests of values, as NumPy sees them: which of many pass."""

import numpy as np

from fairhaven.cohort.comparison_semantics import COMPARES
from fairhaven.cohort.day_numbers import day_number
from fairhaven.cohort.engines.bitmap_index.plan import IndexCannotAnswer
from fairhaven.cohort.engines.bitmap_index.storage import Array
from fairhaven.cohort.model import Compare, Dates, Known, Numbers, OneOf, Test


def passing(values: Array, test: Test) -> Array:
    """Which of some known values pass a test.

    Args:
        values: numbers; days since 1970 where the test is of dates.
    """
    passed: Array
    match test:
        case Known(yes=yes):
            passed = np.full(len(values), yes)
        case OneOf(concepts=ids, excluded=excluded):
            passed = np.isin(values, np.array(ids, np.int64), invert=excluded)
        case Numbers(compare=compare, value=value, to=to):
            passed = _compared(values, compare, value, to)
        case Dates(compare=compare, value=first, to=last):
            passed = _compared(values, compare, day_number(first), None if last is None else day_number(last))
        case _:
            raise IndexCannotAnswer(f"a test of this kind: {type(test).__name__}")
    return passed


def _compared(values: Array, compare: Compare, value: float, to: float | None) -> Array:
    passed: Array
    match compare:
        case Compare.BETWEEN:
            passed = (values >= value) & (values <= (value if to is None else to))
        case Compare.OUTSIDE:
            passed = (values < value) | (values > (value if to is None else to))
        case _:
            passed = COMPARES[compare](values, value)
    return passed
