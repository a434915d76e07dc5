"""Tables of two and three ways, sums and means, as a reader gets them."""

from collections.abc import Hashable, Mapping
from dataclasses import replace

import pytest

from fairhaven.disclosure import (
    ALL,
    Cell,
    Dominance,
    Groups,
    Policy,
    Statistic,
    is_dominated,
    protect_crosstab,
    protect_magnitudes,
)
from fairhaven.hub.disclosure_policies import policy_named

Key = tuple[Hashable, ...]

ONS, HES, OPENSAFELY, HDR_UK = (policy_named(name) for name in ("ons", "hes", "opensafely", "hdr-uk"))
TOLD = replace(ONS, groups=Groups.TELL, mark="*")


def rows(*lines: str) -> dict[tuple[object, ...], int]:
    """A table drawn in lines, by (row, column)."""
    return {(row, column): int(word) for row, line in enumerate(lines) for column, word in enumerate(line.split())}


def drawn(counts: Mapping[tuple[object, ...], int], policy: Policy) -> list[str]:
    """The table as it is shown, with its totals to the right and below."""
    table = protect_crosstab(counts, policy)
    names = [list(dict.fromkeys(key[place] for key in counts)) for place in (0, 1)]
    found = {**table.cells, **table.totals}
    return [" ".join(found[row, column].mark for column in (*names[1], ALL)) for row in (*names[0], ALL)]


@pytest.mark.parametrize(
    ("policy", "counts", "shown"),
    [
        # Nothing small: everything is shown.
        (TOLD, rows("10 20", "30 40"), ["10 20 30", "30 40 70", "40 60 100"]),
        # One small cell takes three with it, the smallest that will do; totals are what is left.
        (TOLD, rows("3 20 30", "40 50 60", "70 80 90"), ["* * 30 30", "* * 60 60", "70 80 90 240", "70 80 180 330"]),
        # Four small cells at the corners of a box guard each other where they can grow enough.
        (TOLD, rows("9 9 30", "9 9 60"), ["* * 30 30", "* * 60 60", "0 0 90 90"]),
        # Zeros are shown.
        (TOLD, rows("0 20", "30 40"), ["0 20 20", "30 40 70", "30 60 90"]),
        # A policy that rounds hides no further cells.
        (HES, rows("3 20 30", "41 52 63"), ["* 20 30 50", "40 50 65 155", "40 70 95 205"]),
        (OPENSAFELY, rows("7 8", "12 13"), ["[REDACTED] 10 10", "10 15 25", "10 25 35"]),
        (HDR_UK, rows("9 10", "15 25"), ["0 10 10", "20 20 40", "20 30 50"]),
    ],
)
def test_a_table_is_shown_with_totals_of_what_is_shown(
    policy: Policy, counts: dict[tuple[object, ...], int], shown: list[str]
) -> None:
    assert drawn(counts, policy) == shown


def test_it_is_said_how_many_cells_are_hidden_and_how_many_for_the_sake_of_others() -> None:
    table = protect_crosstab(rows("3 20 30", "40 50 60", "70 80 90"), TOLD)
    assert (table.hidden, table.further, table.adds_up) == (4, 3, False)
    assert table.note == "Totals are sums of the cells shown; 4 of 9 cells are hidden and in no total."
    whole = protect_crosstab(rows("10 20", "30 40"), TOLD)
    assert (whole.hidden, whole.further, whole.adds_up, whole.note) == (0, 0, True, "")


@pytest.mark.parametrize(
    ("policy", "words"), [(HES, "within 2 of the true count"), (HDR_UK, "under 10 are shown as 0")]
)
def test_a_rounded_table_never_claims_to_add_up(policy: Policy, words: str) -> None:
    table = protect_crosstab(rows("20 30", "40 50"), policy)
    assert not table.adds_up, "that these happen to be round would be news"
    assert words in table.note


def test_a_total_of_its_own_would_have_pinned_what_hes_hides() -> None:
    # True counts 7 and 12 show as * and 10; a true total of 19 rounds to 20. Of all counts from 1 to 7 beside one
    # that rounds to 10, only 6 and 7 reach a total that rounds to 20. The total shown is that of the cells shown.
    compatible = {
        small for small in range(1, 8) for other in range(8, 13) if HES.rounded(small + other) == HES.rounded(19)
    }
    assert compatible == {6, 7}
    assert protect_crosstab(rows("7 12"), HES).totals[0, ALL].value == 10


@pytest.mark.parametrize("position", [0, 1])
def test_all_of_a_group_in_one_cell_is_told_or_hidden(position: int) -> None:
    upright = rows("50 0 0", "20 30 40", "25 35 45")
    counts: dict[Key, int] = (
        upright if position == 0 else {(column, row): count for (row, column), count in upright.items()}
    )
    told, hides = protect_crosstab(counts, TOLD), protect_crosstab(counts, ONS)
    assert [(alike.cell, alike.dimension) for alike in told.alike] == [((0, 0), 1 - position)]
    assert told.hidden == 0
    assert hides.cells[0, 0].is_hidden
    assert any(hides.cells[key].is_hidden for key, count in counts.items() if not count), "or it would be clear"


def test_a_structural_zero_discloses_nothing() -> None:
    counts: dict[Key, int] = {("women", "pregnant"): 40, ("women", "not"): 60, ("men", "not"): 90}
    assert [alike.cell for alike in protect_crosstab(counts, TOLD).alike] == [("women", "pregnant"), ("men", "not")]
    table = protect_crosstab(counts, ONS, structural=[("men", "pregnant")])
    assert (table.alike, table.hidden) == ((), 0)
    with pytest.raises(ValueError, match="structural"):
        protect_crosstab(counts, ONS, structural=[("men", "not")])


def test_rows_of_few_persons_are_small_in_a_table_too() -> None:
    counts: dict[Key, Cell] = {(row, column): Cell(rows=900, persons=40) for row in range(3) for column in range(3)}
    table = protect_crosstab(counts | {(0, 0): Cell(rows=900, persons=2)}, TOLD)
    assert table.cells[0, 0].is_hidden
    assert (table.hidden, table.further) == (4, 3)


def test_a_table_of_three_ways_has_all_its_totals() -> None:
    counts: dict[Key, int] = {(x, y, z): 20 + x + 2 * y + 4 * z for x in range(3) for y in range(3) for z in range(2)}
    table = protect_crosstab(counts | {(0, 0, 0): 4}, TOLD)
    assert len(table.totals) == 4 * 4 * 3 - 18
    assert (table.hidden, table.further) == (8, 7), "a small cell of three ways needs the corners of a box"
    assert table.totals[ALL, ALL, ALL].value == sum(cell.value or 0 for cell in table.cells.values())


@pytest.mark.parametrize("counts", [{}, {("a",): 1, ("a", "b"): 2}, {("a", "b"): -1}])
def test_a_table_that_is_none_is_a_mistake_of_the_caller(counts: dict[tuple[object, ...], int]) -> None:
    with pytest.raises(ValueError, match=r"key|negative"):
        protect_crosstab(counts, ONS)


RULE = Dominance(n=2, k=0.9, p=0.1, source="a test")


@pytest.mark.parametrize(
    ("contributions", "hidden", "why"),
    [
        ([10.0] * 10, False, "all alike"),
        ([45.0, 45.0, 10.0], True, "two of three make up 90 %"),
        ([45.0, 44.0, 11.0], False, "two of three make up 89 %"),
        ([100.0, 1.0, 9.0], True, "two make up more than 90 %"),
        ([80.0, 5.0, 5.0, 5.0, 5.0], False, "the three smallest are 19 % of the largest"),
        ([-80.0, 4.0, 1.0], True, "a debt dominates too"),
        ([0.0, 0.0, 0.0], True, "it says of everybody that they have none"),
        ([5.0], True, "one person"),
        ([5.0, 5.0], True, "each of two can work out the other"),
        ([], False, "nobody"),
    ],
)
def test_a_sum_that_says_too_much_of_one_or_two_is_dominated(
    contributions: list[float], hidden: bool, why: str
) -> None:
    assert is_dominated(contributions, RULE) is hidden, why


@pytest.mark.parametrize(("rest", "hidden"), [(9.0, True), (10.0, False), (11.0, False)])
def test_the_p_rule_counts_from_its_share_on(rest: float, hidden: bool) -> None:
    assert is_dominated([100.0, 50.0, rest], Dominance(n=1, k=1.0, p=0.1, source="")) is hidden


@pytest.mark.parametrize(("second", "hidden"), [(34.0, False), (35.0, True), (36.0, True)])
def test_the_n_k_rule_counts_from_its_share_on(second: float, hidden: bool) -> None:
    rest = 45.0 - second
    assert is_dominated([55.0, second, rest / 2, rest / 2], Dominance(n=2, k=0.9, p=0.01, source="")) is hidden


def test_what_is_not_a_number_dominates_nothing_and_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        is_dominated([1.0, float("nan")], RULE)
    with pytest.raises(ValueError, match="finite"):
        protect_magnitudes([(("a",), 1, float("inf"))], ONS)


def costs(persons: int = 20) -> list[tuple[tuple[object, ...], object, float]]:
    """A contribution of 100 for each of some persons in each of nine cells."""
    return [
        ((row, column), (row, column, one), 100.0) for row in range(3) for column in range(3) for one in range(persons)
    ]


def test_a_dominated_sum_is_hidden_with_what_would_give_it_away() -> None:
    table = protect_magnitudes([*costs(), ((1, 1), "rich", 1e6)], TOLD)
    assert table.dominated == ((1, 1),)
    assert table.cells[1, 1].is_hidden
    assert table.cells[1, 1].persons.value == 21, "how many there are is no secret"
    hidden = [key for key, cell in table.cells.items() if cell.is_hidden]
    assert len(hidden) == table.hidden == 1 + table.further
    shown = sum(cell.value or 0 for cell in table.cells.values())
    assert table.totals[ALL, ALL].value == shown
    assert table.note.startswith("Totals are sums over the cells shown")


def test_the_rows_of_one_person_are_one_contribution() -> None:
    visits = [((0,), "one", 90.0 / 9)] * 9 + [((0,), f"other {place}", 1.0) for place in range(9)]
    assert protect_magnitudes(visits, TOLD).cells[(0,)].is_hidden


@pytest.mark.parametrize(("persons", "is_hidden"), [(9, True), (10, False), (11, False)])
def test_a_sum_of_few_persons_is_hidden(persons: int, is_hidden: bool) -> None:
    assert protect_magnitudes(costs(persons), TOLD).cells[0, 0].is_hidden is is_hidden


def test_a_mean_of_shown_cells_is_weighted_by_the_persons_shown() -> None:
    data = [((0,), one, 10.0) for one in range(12)] + [((1,), 100 + one, 40.0) for one in range(33)]
    table = protect_magnitudes(data, HES, statistic=Statistic.MEAN)
    assert [cell.value for cell in table.cells.values()] == [10.0, 40.0]
    assert [cell.persons.value for cell in table.cells.values()] == [10, 35]
    assert table.totals[(ALL,)].value == pytest.approx((10 * 10 + 40 * 35) / 45)


def test_counts_shown_as_zero_do_not_make_their_sums_zero() -> None:
    table = protect_magnitudes([((0,), one, 10.0) for one in range(9)], HDR_UK)
    assert table.cells[(0,)].value is None
    assert table.cells[(0,)].mark == "not shown"
