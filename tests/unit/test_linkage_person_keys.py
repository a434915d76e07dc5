"""Persons keep their numbers: under any row order, with new deliveries, through merges and splits."""

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from bench.linkage import judged, region_of_errors
from fairhaven.linkage import link
from fairhaven.linkage.model import IDENTITY_SCHEMA, LinkageResult
from fairhaven.release.facts import MatchThresholds

Region = tuple[pa.Table, pa.Table]
SECRET = b"a hub's secret"
NUMBERS = ("9990000018", "9990000026", "9990000034")


def person(
    source: str,
    ref: str,
    number: str | None = None,
    *,
    extract: int = 1,
    given: str = "Ann",
    family: str = "Hall",
    birth: dt.date = dt.date(1950, 3, 4),
    postcode: str = "AB1 2CD",
) -> dict[str, Any]:
    return {"source": source, "patient_ref": ref, "row_extract": extract, "nhs_number": number, "given_name": given,
            "family_name": family, "birth_date": birth, "postcode": postcode}  # fmt: skip


def table(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=IDENTITY_SCHEMA)


def numbers(index: pa.Table) -> dict[tuple[str, str], int]:
    return {(row["source"], row["patient_ref"]): row["person_id"] for row in index.to_pylist()}


@pytest.fixture(scope="module")
def region() -> Region:
    return region_of_errors(4000)


@pytest.fixture(scope="module")
def first(region: Region) -> LinkageResult:
    return link(region[0], key=SECRET)


def test_an_invented_region_is_linked_as_its_truth_says(region: Region, first: LinkageResult) -> None:
    precision, recall, _ = judged(first.index, region[1])
    assert precision >= 0.998, recall
    assert recall >= 0.995, precision
    assert first.summary.persons == len(set(first.index["person_id"].to_pylist()))
    assert sum(first.summary.steps.values()) == first.summary.patients == first.index.num_rows


def test_the_order_of_rows_decides_nothing(region: Region, first: LinkageResult) -> None:
    order = np.random.default_rng(3).permutation(region[0].num_rows)
    again = link(region[0].take(order), key=SECRET)
    assert again.index.equals(first.index)
    assert again.clerical.equals(first.clerical)


def test_a_build_from_the_index_before_changes_nothing(region: Region, first: LinkageResult) -> None:
    again = link(region[0], first.index, key=SECRET)
    assert numbers(again.index) == numbers(first.index)
    assert (again.merges.num_rows, again.splits.num_rows) == (0, 0)


def test_a_new_delivery_keeps_the_numbers_of_those_already_known() -> None:
    records, _ = region_of_errors(1000)
    early = records.filter(pa.compute.less_equal(records["row_extract"], 4))
    before = link(early, key=SECRET)
    after = link(records, before.index, key=SECRET)
    known, now = numbers(before.index), numbers(after.index)
    gone = {row["person_id"] for row in after.merges.to_pylist()}
    apart = {row["person_id"] for row in after.splits.to_pylist()}
    assert all(now[ref] == number for ref, number in known.items() if number not in gone | apart)
    assert len(gone) + len(apart) < len(known) / 100


def test_numbers_are_below_two_to_the_52nd_and_differ_with_the_secret(first: LinkageResult, region: Region) -> None:
    ids = first.index["person_id"].to_numpy()
    assert (ids > 0).all() and (ids < 2**52).all()
    other = link(region[0].slice(0, 500), key=b"another hub's secret").index["person_id"].to_numpy()
    assert not set(ids.tolist()) & set(other.tolist())


def test_of_two_persons_that_meet_the_older_number_wins() -> None:
    old = person("gp", "x", NUMBERS[0])
    young = person("acute", "y", extract=2, family="Smith", postcode="ZE1 0AA")
    before = numbers(link(table(old, young), key=SECRET).index)
    assert len(set(before.values())) == 2
    index = link(table(old, young), key=SECRET).index
    later = link(table(old, young, person("acute", "y", NUMBERS[0], extract=3)), index, key=SECRET)
    assert set(numbers(later.index).values()) == {before["gp", "x"]}
    assert later.merges.to_pylist() == [{"person_id": before["acute", "y"], "into_person_id": before["gp", "x"]}]
    assert later.splits.num_rows == 0


def test_of_a_person_that_turns_out_to_be_two_the_first_patient_keeps_the_number() -> None:
    one, two = person("gp", "x", NUMBERS[0]), person("acute", "y", NUMBERS[0], extract=2)
    together = link(table(one, two), key=SECRET)
    corrected = person("acute", "y", NUMBERS[1], extract=2, given="Mary", birth=dt.date(1971, 8, 9))
    apart = link(table(one, corrected), together.index, key=SECRET)
    kept = numbers(together.index)["gp", "x"]
    assert numbers(apart.index)["gp", "x"] == kept
    assert apart.splits.to_pylist() == [{"person_id": kept, "new_person_id": numbers(apart.index)["acute", "y"]}]
    assert apart.merges.num_rows == 0
    # And when the mistake proves to have been none, they are who they were.
    again = link(table(one, two), apart.index, key=SECRET)
    assert numbers(again.index) == numbers(together.index)


def test_a_number_is_not_taken_over_by_whoever_comes_first_in_the_alphabet() -> None:
    known = link(table(person("zebra", "x", NUMBERS[0])), key=SECRET)
    joined = link(
        table(person("zebra", "x", NUMBERS[0]), person("alpha", "a", NUMBERS[0], extract=2)), known.index, key=SECRET
    )
    assert set(numbers(joined.index).values()) == set(numbers(known.index).values())


def test_a_patient_described_twice_is_one_patient_and_an_old_address_still_finds_them() -> None:
    moved = person("gp", "x", extract=2, postcode="ZE1 0AA")
    index = link(table(person("gp", "x"), moved, person("acute", "y")), key=SECRET).index
    assert index.num_rows == 2
    assert len(set(index["person_id"].to_pylist())) == 1


def test_where_splink_cannot_learn_the_summary_says_so() -> None:
    outcome = link(table(person("gp", "x"), person("gp", "y", given="Bob")), key=SECRET)
    assert "too little for Splink" in outcome.summary.notes[0]


def test_numbers_that_a_spreadsheet_wrapped_are_numbers_and_those_that_it_rounded_are_told() -> None:
    given = ('="9990000018"', "9990000018.0", "9.99E+09", "999000001", None)
    rows = [person("gp", str(place), number, given=f"G{place}") for place, number in enumerate(given)]
    outcome = link(table(*rows), key=SECRET)
    assert outcome.summary.valid_numbers == 2
    assert [note.split(" patients")[0] for note in outcome.summary.notes if "spreadsheet" in note] == ["2"]


def test_what_splink_linked_carries_its_weight_and_the_rest_none(first: LinkageResult) -> None:
    rows = first.index.to_pylist()
    assert any(row["step"] == "splink" for row in rows)
    assert all((row["weight"] is not None) == (row["step"] == "splink") for row in rows)
    assert all(row["weight"] >= MatchThresholds().link for row in rows if row["step"] == "splink")
