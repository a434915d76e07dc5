"""Whoever knows true totals, and tries every table that looks the same, cannot narrow a hidden small count down."""

import datetime as dt
import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from itertools import combinations, product
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fairhaven.disclosure import ALL, Groups, Policy, ProtectedCrosstab, Zeros, protect_crosstab, protect_table
from fairhaven.hub.disclosure_policies import policy_named, published_policies
from tests.support.examples import examples
from tests.support.table_attack import possible, totals_of

Key = tuple[Hashable, ...]
Table = dict[Key, int]

FEW = Policy(name="few", title="Few", threshold=4, since=dt.date(2026, 1, 1), source="a test")
"""A threshold that leaves few enough tables to try them all."""


@st.composite
def tables(draw: st.DrawFn, *, shapes: tuple[tuple[int, ...], ...]) -> Table:
    shape = draw(st.sampled_from(shapes))
    counts = st.one_of(st.integers(0, 5), st.integers(0, 12), st.just(0))
    keys: list[Key] = [()]
    for size in shape:
        keys = [(*key, index) for key in keys for index in range(size)]
    return {key: draw(counts) for key in keys}


TWO_WAY = tables(shapes=((2, 2), (2, 3), (3, 3), (2, 4), (1, 4)))
THREE_WAY = tables(shapes=((2, 2, 2), (2, 2, 3)))


def learnt(counts: Table, table: ProtectedCrosstab, policy: Policy) -> Mapping[Key, frozenset[int]]:
    """What a reader who knows all totals that may be known can make of the hidden cells."""
    truth = totals_of(counts, ALL)
    known = {key: truth[key] for key in table.may_be_known}
    return possible(
        {key: cell.value for key, cell in table.cells.items()},
        known,
        ALL,
        least=1 if policy.groups is Groups.TELL and policy.zeros is Zeros.SHOW else 0,
        most=max(counts.values()) + 2 * policy.threshold,
        asked=range(1, policy.threshold),
    )


def check_every_small_count_stays_open(counts: Table, policy: Policy) -> None:
    table = protect_crosstab(counts, policy)
    open_counts = learnt(counts, table, policy)
    for key, count in counts.items():
        cell = table.cells[key]
        if policy.is_small(count):
            assert cell.is_hidden
            assert set(range(1, policy.threshold)) <= open_counts[key], (key, counts)
        assert cell.is_hidden or cell.value == count


@examples(60)
@given(TWO_WAY)
def test_a_hidden_small_count_of_two_ways_may_be_anything_under_the_threshold(counts: Table) -> None:
    check_every_small_count_stays_open(counts, FEW)


@examples(30)
@given(THREE_WAY)
def test_a_hidden_small_count_of_three_ways_may_be_anything_under_the_threshold(counts: Table) -> None:
    check_every_small_count_stays_open(counts, FEW)


@examples(30)
@given(TWO_WAY)
def test_it_holds_where_zeros_are_hidden_too(counts: Table) -> None:
    check_every_small_count_stays_open(counts, replace(FEW, zeros=Zeros.HIDE))


def _rows_known(key: Key) -> float:
    """Totals of rows are known to everybody, those of columns are said nowhere, that over everything is."""
    return {(False, True): math.inf, (True, False): 0.0, (True, True): math.inf}.get(
        (key[0] is ALL, key[1] is ALL), 1.0
    )


def _columns_said(key: Key) -> float:
    """Totals of rows are known to everybody; those of columns are said, and worth more than a cell."""
    return 3.0 if key[0] is ALL and key[1] is not ALL else _rows_known(key)


@examples(40)
@given(TWO_WAY, st.sampled_from([_rows_known, _columns_said]))
def test_beside_totals_that_everybody_knows_a_small_count_may_be_all_that_they_leave(
    counts: Table, worth: Callable[[Key], float]
) -> None:
    table = protect_crosstab(counts, FEW, worth=worth)
    open_counts = learnt(counts, table, FEW)
    truth = totals_of(counts, ALL)
    for key, count in counts.items():
        row = {other: amount for other, amount in counts.items() if other[0] == key[0] and amount}
        assert (key[0], ALL) in table.may_be_known
        if FEW.is_small(count) and count != truth[key[0], ALL]:
            assert table.cells[key].is_hidden
            most = min(FEW.threshold - 1, truth[key[0], ALL] - len(row) + 1)
            assert set(range(1, most + 1)) <= open_counts[key], (key, counts)
        elif FEW.is_small(count):
            assert table.cells[key].value == count, "the known total says it"


@examples(25)
@given(TWO_WAY)
def test_nobody_can_be_sure_that_all_of_a_group_are_alike(counts: Table) -> None:
    policy = replace(FEW, groups=Groups.HIDE)
    table = protect_crosstab(counts, policy)
    open_counts = learnt(counts, table, policy)
    for alike in table.alike:
        others = [
            key
            for key in counts
            if key != alike.cell
            and all(
                part == own
                for place, (part, own) in enumerate(zip(key, alike.cell, strict=True))
                if place != alike.dimension
            )
        ]
        assert table.cells[alike.cell].is_hidden
        assert any(table.cells[key].is_hidden and open_counts[key] for key in others), (counts, alike)
    check_every_small_count_stays_open(counts, policy)


def test_without_further_cells_the_same_reader_works_most_small_counts_out() -> None:
    pinned = small = 0
    for seed in range(1, 60):
        counts: Table = {
            (row, column): (seed * (row * 3 + column * 5 + 7) + row * column) % 13
            for row in range(3)
            for column in range(3)
        }
        shown = {key: None if FEW.is_small(count) else count for key, count in counts.items()}
        truth = totals_of(counts, ALL)
        found = possible(
            shown,
            {key: sum_ for key, sum_ in truth.items() if sum_ >= FEW.threshold},
            ALL,
            least=1,
            most=99,
            asked=range(1, 99),
        )
        small += len(found)
        pinned += sum(len(values) == 1 for values in found.values())
    assert small > 50
    assert pinned > 0.5 * small


@examples(50)
@given(TWO_WAY, st.sampled_from(sorted(published_policies())))
def test_totals_are_sums_of_shown_cells_and_say_whether_they_add_up(counts: Table, name: str) -> None:
    policy = policy_named(name)
    table = protect_crosstab(counts, policy)
    shown = {key: cell.value or 0 for key, cell in table.cells.items()}
    assert {key: cell.value for key, cell in table.totals.items()} == totals_of(shown, ALL)
    assert table.hidden == sum(cell.is_hidden for cell in table.cells.values())
    assert table.adds_up is (not table.note)
    if table.adds_up:
        assert {key: cell.value for key, cell in table.totals.items()} == totals_of(counts, ALL)
    for key, cell in table.cells.items():
        assert cell.is_hidden or cell.value == protect_crosstab({key: counts[key]}, policy).cells[key].value


@examples(50)
@given(st.lists(st.one_of(st.integers(0, 6), st.integers(0, 40)), min_size=1, max_size=6))
def test_a_table_of_one_dimension_is_protected_as_well_as_by_the_simple_rule(counts: list[int]) -> None:
    by_rule = protect_table(dict(enumerate(counts)), FEW)
    table = protect_crosstab({(place,): count for place, count in enumerate(counts)}, FEW)
    assume(any(not cell.is_hidden and counts[key] for key, cell in by_rule.cells.items()))
    assert table.hidden <= by_rule.hidden + 1
    total: Table = {(ALL,): sum(counts)} if sum(counts) >= FEW.threshold else {}
    open_counts = possible(
        {(key,): cell.value for key, cell in by_rule.cells.items()},
        total,
        ALL,
        least=1,
        most=sum(counts) + 9,
        asked=range(1, 4),
    )
    for key, count in enumerate(counts):
        if FEW.is_small(count):
            assert {1, 2, 3} <= open_counts[key,]


@pytest.mark.parametrize("round_to", [1, 2])
@pytest.mark.parametrize("shape", [(4,), (2, 2)])
def test_knowing_the_program_does_not_help_either(shape: tuple[int, ...], round_to: int) -> None:
    # The reader runs it on every table with counts up to 5, and keeps those that come out as the released one did.
    policy = replace(FEW, threshold=3, round_to=round_to)
    keys: list[Key] = list(product(*map(range, shape)))
    alike: dict[tuple[str, ...], list[tuple[int, ...]]] = {}
    for counts in product(range(6), repeat=len(keys)):
        table = protect_crosstab(dict(zip(keys, counts, strict=True)), policy)
        alike.setdefault(tuple(cell.mark for cell in table.cells.values()), []).append(counts)
    for found in alike.values():
        for cell in zip(*found, strict=True):
            assert not set(cell) & {1, 2} or set(cell) >= {1, 2}


def test_few_more_cells_are_hidden_than_the_least_that_would_do() -> None:
    policy, hidden, least = replace(FEW, threshold=10), 0, 0
    keys: list[Key] = list(product(range(3), range(3)))
    for seed in range(1, 11):
        draw = Random(seed)
        counts: Table = {key: int(draw.lognormvariate(3.2, 1)) for key in keys}
        small = {key for key, count in counts.items() if policy.is_small(count)}
        table = protect_crosstab(counts, policy)
        truth = totals_of(counts, ALL)
        known = {key: truth[key] for key in table.may_be_known}
        hidden += table.further
        least += next(
            size
            for size in range(table.further + 1)
            for further in combinations([key for key, count in counts.items() if count >= 10], size)
            if _is_safe(counts, small.union(further), known, small)
        )
    assert least > 15
    assert hidden <= 1.15 * least


def _is_safe(counts: Table, hidden: set[Key], known: Table, small: set[Key]) -> bool:
    shown = {key: None if key in hidden else count for key, count in counts.items()}
    most = max(counts.values()) + 20
    ends = (possible(shown, known, ALL, least=1, most=most, asked=range(end, end + 1)) for end in (9, 1))
    return all(open_counts[key] for open_counts in ends for key in small)
