"""Small-number rules as tables: what each published policy shows for each count."""

import datetime as dt
from pathlib import Path

import pytest

from fairhaven.disclosure import Cell, Policy, protect, protect_extreme, protect_table
from fairhaven.hub.disclosure_policies import policy_named, published_policies, read_policy
from fairhaven.kernel.errors import Invalid, NotFound

ONS, HDR_UK, HES = (policy_named(name) for name in ("ons", "hdr-uk", "hes"))


@pytest.mark.parametrize(
    ("policy", "count", "shown"),
    [
        ("ons", 0, 0),
        ("ons", 1, None),
        ("ons", 9, None),
        ("ons", 10, 10),
        ("ons", 11, 11),
        ("ons", 1_234_567, 1_234_567),
        ("hdr-uk", 0, 0),
        ("hdr-uk", 1, 0),
        ("hdr-uk", 9, 0),
        ("hdr-uk", 10, 10),
        ("hdr-uk", 11, 10),
        ("hdr-uk", 14, 10),
        ("hdr-uk", 15, 20),
        ("hdr-uk", 25, 20),
        ("hes", 0, 0),
        ("hes", 1, None),
        ("hes", 7, None),
        ("hes", 8, 10),
        ("hes", 9, 10),
        ("hes", 12, 10),
        ("hes", 13, 15),
    ],
)
def test_a_count_is_shown_as_its_policy_says(policy: str, count: int, shown: int | None) -> None:
    assert protect(count, policy_named(policy)).value == shown


@pytest.mark.parametrize("name", ["ons", "hdr-uk", "hes"])
def test_the_threshold_is_the_smallest_count_that_is_shown(name: str) -> None:
    policy = policy_named(name)
    below, at, above = (protect(policy.threshold + step, policy).value for step in (-1, 0, 1))
    assert not below
    assert at
    assert above


def test_many_rows_of_few_persons_are_as_telling_as_the_few_persons() -> None:
    assert protect(5_000, ONS, persons=9).is_hidden
    assert protect(5_000, ONS, persons=10).value == 5_000


def test_a_hidden_count_says_only_that_it_is_under_the_threshold() -> None:
    assert {protect(count, ONS).text for count in range(1, 10)} == {"under 10"}
    assert {protect(count, HES).text for count in range(1, 8)} == {"under 8"}
    assert protect(12_345, ONS).text == "12,345"


def test_a_negative_count_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="negative"):
        protect(-1, ONS)


def test_a_table_without_small_cells_is_shown_whole() -> None:
    table = protect_table({"a": 10, "b": 20, "c": 0}, ONS)
    assert {key: cell.value for key, cell in table.cells.items()} == {"a": 10, "b": 20, "c": 0}
    assert (table.total.value, table.hidden) == (30, 0)


def test_a_lone_hidden_cell_takes_the_smallest_shown_one_with_it() -> None:
    table = protect_table({"a": 3, "b": 200, "c": 40, "d": 0}, ONS)
    assert {key: cell.value for key, cell in table.cells.items()} == {"a": None, "b": 200, "c": None, "d": 0}
    assert {table.cells[key].text for key in "ac"} == {"not shown"}, "which of them is the small one is not told"


def test_two_hidden_cells_that_together_stay_under_the_threshold_take_another_with_them() -> None:
    assert protect_table({"a": 3, "b": 4, "c": 40, "d": 90}, ONS).cells["c"].is_hidden
    assert not protect_table({"a": 4, "b": 6, "c": 40, "d": 90}, ONS).cells["c"].is_hidden


def test_the_total_is_of_the_shown_cells_only() -> None:
    assert protect_table({"a": 3, "b": 200, "c": 40}, ONS).total.value == 200
    assert protect_table({"a": 13, "b": 13}, HES).total.value == 30


def test_a_policy_whose_rounding_blurs_every_total_hides_no_second_cell() -> None:
    assert protect_table({"a": 3, "b": 200, "c": 40}, HES).cells["c"].value == 40
    assert [cell.value for cell in protect_table({"a": 3, "b": 204}, HDR_UK).cells.values()] == [0, 200]


def test_a_cell_of_rows_is_hidden_when_its_persons_are_few() -> None:
    table = protect_table({"a": Cell(rows=900, persons=2), "b": Cell(rows=50, persons=40)}, ONS)
    assert [cell.value for cell in table.cells.values()] == [None, None]


@pytest.mark.parametrize(
    ("at_minimum", "at_first_percentile", "shown"),
    [(9, 9, None), (9, 10, 4.0), (9, 11, 4.0), (10, 10, 1.5), (11, 11, 1.5)],
)
def test_an_extreme_gives_way_to_its_percentile(at_minimum: int, at_first_percentile: int, shown: float | None) -> None:
    assert protect_extreme([(1.5, at_minimum), (4.0, at_first_percentile)], ONS) == shown


def test_every_published_policy_has_a_source_and_a_day() -> None:
    for name, policy in published_policies().items():
        assert policy.name == name
        assert policy.source
        assert policy.since <= dt.date(2026, 11, 22)
        assert str(policy.threshold - 1) in policy.words


def test_an_unknown_policy_is_answered_with_the_known_ones() -> None:
    with pytest.raises(NotFound, match="hdr-uk, hes, ons"):
        policy_named("nobody")


def test_a_hub_reads_its_own_policy(tmp_path: Path) -> None:
    file = tmp_path / "disclosure.toml"
    file.write_text(
        '[ours]\ntitle = "Ours"\nthreshold = 5\nround_to = 5\nsince = 2026-01-01\nsource = "Board, minute 3"\n'
    )
    assert read_policy(file) == Policy(
        name="ours", title="Ours", threshold=5, round_to=5, since=dt.date(2026, 1, 1), source="Board, minute 3"
    )


def test_every_fault_of_a_policy_file_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "disclosure.toml"
    file.write_text('[ours]\ntitle = 3\nthreshold = 0\nsmall = "maybe"\nsince = 2026-01-01\nsorce = "x"\n')
    with pytest.raises(Invalid) as caught:
        read_policy(file)
    told = {(fault.line, fault.field) for fault in caught.value.faults}
    assert {(2, "ours.title"), (3, "ours.threshold"), (4, "ours.small"), (6, "ours.sorce")} <= told
    assert any(fault.field == "ours.source" for fault in caught.value.faults)


def test_a_policy_file_holds_one_policy(tmp_path: Path) -> None:
    file = tmp_path / "disclosure.toml"
    file.write_text("")
    with pytest.raises(Invalid, match="exactly one"):
        read_policy(file)
