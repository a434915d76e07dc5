"""Classes of numbers cover their range, with edges that a person would choose."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairhaven.catalogue.bins import nice_bins


@pytest.mark.parametrize(
    ("low", "high", "is_whole", "labels"),
    [
        (1, 12, True, ["1", "2", "3"]),
        (1905, 1995, True, ["1900 to 1909", "1910 to 1919"]),
        (0, 160, False, ["0 to 10", "10 to 20"]),
        (3.2, 3.2, False, ["3.20 to 3.40"]),
        (0, 0, False, ["0 to 1"]),
        (36.1, 39.4, False, ["36.00 to 36.25", "36.25 to 36.50"]),
    ],
)
def test_edges_are_round(low: float, high: float, is_whole: bool, labels: list[str]) -> None:
    bins = nice_bins(low, high, is_whole=is_whole)
    assert [bins.label(number) for number in range(len(labels))] == labels


def test_the_open_classes_are_named_by_their_one_edge() -> None:
    bins = nice_bins(0, 160, is_whole=False)
    assert bins.label(-1) == "under 0"
    assert bins.label(bins.count) == "170 and over"


@given(st.floats(-1e9, 1e9), st.floats(0, 1e9), st.booleans())
def test_the_classes_cover_the_range_and_are_not_many(low: float, width: float, is_whole: bool) -> None:
    if is_whole:
        low, width = float(math.floor(low)), float(math.floor(width))
    bins = nice_bins(low, low + width, is_whole=is_whole)
    slack = 1e-6 * max(abs(low), width, bins.step)
    assert bins.start <= low + slack
    assert bins.edge(bins.count) >= low + width - slack
    assert bins.count <= 42
