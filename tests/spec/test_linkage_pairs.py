"""Who the cascade takes for one person, as a table of pairs that doubles as the manual."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from fairhaven.journeys.releases.build import births_told_late
from fairhaven.linkage import link
from fairhaven.linkage.model import IDENTITY_SCHEMA

ONE, TWO = "9990000018", "9990000026"
ANN = {"nhs_number": ONE, "given_name": "Ann", "family_name": "O'Brien", "birth_date": dt.date(1950, 3, 4), "sex": "F",
       "postcode": "AB1 2CD"}  # fmt: skip
NAMELESS = {"given_name": None, "family_name": None, "birth_date": None, "sex": None, "postcode": None}

SAME = [
    ("the number, spaced", {"nhs_number": "999 000 0018"}, "nhs_number"),
    ("a married surname under the same number", {"family_name": "Smith"}, "nhs_number"),
    ("day and month swapped under the same number", {"birth_date": dt.date(1950, 4, 3)}, "nhs_number"),
    ("the number and nothing that speaks against it", NAMELESS, "nhs_number"),
    ("the year of birth alone, and a married surname, under the same number",
     {"birth_date": None, "birth_part": "1950", "family_name": "Smith"}, "nhs_number"),
    ("no number, all else the same, other marks and case",
     {"nhs_number": None, "family_name": "OBRIEN", "postcode": "ab12cd"}, "name-birth-postcode"),
    ("no number, a nickname", {"nhs_number": None, "given_name": "Annie"}, "name-birth-postcode"),
    ("a number mistyped so that its check digit fails", {"nhs_number": "9990000019"}, "name-birth-postcode"),
    ("no number and a married surname at the same address",
     {"nhs_number": None, "family_name": "Smith"}, "given-birth-postcode"),
    ("no number, forename and surname swapped",
     {"nhs_number": None, "given_name": "O'Brien", "family_name": "Ann"}, "swapped-name-birth-postcode"),
    ("no number, day and month swapped",
     {"nhs_number": None, "birth_date": dt.date(1950, 4, 3)}, "swapped-name-birth-postcode"),
]  # fmt: skip
OTHER = [
    ("a twin", {"nhs_number": TWO, "given_name": "Mary"}),
    ("a twin without a number", {"nhs_number": None, "given_name": "Mary"}),
    ("a namesake elsewhere", {"nhs_number": TWO, "birth_date": dt.date(1971, 8, 9), "postcode": "ZE1 0AA"}),
    ("someone with another valid number and the same name, birth and postcode", {"nhs_number": "9434765919"}),
    ("a number borne by someone of another name and birth",
     {"given_name": "Mary", "family_name": "Smith", "birth_date": dt.date(1971, 8, 9)}),
    ("a number borne by someone of another name and year of birth",
     {"given_name": "Mary", "family_name": "Smith", "birth_date": None, "birth_part": "1971"}),
    ("someone of the same name and postcode, of whose birth the year alone is known",
     {"nhs_number": None, "birth_date": None, "birth_part": "1950"}),
    ("a dummy number and nothing else in common",
     {"nhs_number": "9999999999", "given_name": "Mary", "birth_date": dt.date(1971, 8, 9)}),
    ("someone of whom nothing is known", {**NAMELESS, "nhs_number": None}),
    ("unknown written out in every field",
     {**NAMELESS, "nhs_number": None, "given_name": "Unknown", "family_name": "UNKNOWN", "postcode": "ZZ99 3WZ"}),
]  # fmt: skip


def linked(*people: dict[str, Any]) -> pa.Table:
    rows = [
        {"source": f"source_{n}", "patient_ref": "p", "row_extract": 1, **person} for n, person in enumerate(people)
    ]
    return link(pa.Table.from_pylist(rows, schema=IDENTITY_SCHEMA), key=b"secret").index


@pytest.mark.parametrize(("difference", "step"), [pytest.param(d, s, id=name) for name, d, s in SAME])
def test_one_person(difference: dict[str, Any], step: str) -> None:
    index = linked(ANN, {**ANN, **difference})
    assert len(set(index["person_id"].to_pylist())) == 1
    assert index["step"].to_pylist() == [step, step]


def test_people_of_whose_births_two_sources_know_the_same_month_or_year_alone_are_one_by_name_and_postcode() -> None:
    known = {**ANN, "nhs_number": None, "birth_date": None}
    for part, other, persons in (("1950", "1950", 1), ("1950-03", "1950-03", 1), ("1950", "1951", 2)):
        index = linked({**known, "birth_part": part}, {**known, "birth_part": other})
        assert len(set(index["person_id"].to_pylist())) == persons
        assert set(index["step"].to_pylist()) == {"name-birth-part-postcode" if persons == 1 else "alone"}


@pytest.mark.parametrize("difference", [pytest.param(d, id=name) for name, d in OTHER])
def test_two_persons(difference: dict[str, Any]) -> None:
    index = linked(ANN, {**ANN, **difference})
    assert len(set(index["person_id"].to_pylist())) == 2
    assert index["step"].to_pylist() == ["alone", "alone"]


def test_a_record_that_fits_two_numbers_is_given_to_neither() -> None:
    second = {**ANN, "nhs_number": "9434765919"}
    index = linked(ANN, second, {**ANN, "nhs_number": None})
    assert len(set(index["person_id"].to_pylist())) == 3


def test_a_twins_number_on_a_record_does_not_make_the_twins_one() -> None:
    mary = {**ANN, "given_name": "Mary", "nhs_number": TWO}
    index = linked(ANN, mary, {**mary, "nhs_number": ONE})
    people = index["person_id"].to_pylist()
    assert people[0] != people[1] and people[0] != people[2]


def persons(index: pa.Table) -> int:
    return len(set(index["person_id"].to_pylist()))


def test_a_record_without_a_number_does_not_make_the_bearers_of_two_numbers_one() -> None:
    bridge = {**ANN, "nhs_number": None, "address": "1 Mill Lane"}
    moved = {**ANN, "nhs_number": TWO, "postcode": "ZE1 0AA", "address": "1 Mill Lane"}
    index = linked(ANN, bridge, moved)
    one, _, other = index["person_id"].to_pylist()
    assert one != other


def described(*versions: dict[str, Any], also: Sequence[dict[str, Any]] = ()) -> pa.Table:
    """One patient of the practice, delivery by delivery, and others of sources of their own."""
    rows = [
        {"source": "gp", "patient_ref": "p", "row_extract": n, **version} for n, version in enumerate(versions, start=1)
    ]
    others = [{"source": f"other_{n}", "patient_ref": "q", "row_extract": 9, **one} for n, one in enumerate(also)]
    return link(pa.Table.from_pylist([*rows, *others], schema=IDENTITY_SCHEMA), key=b"secret").index


def test_a_number_that_the_source_replaced_and_the_one_it_gave_instead_are_one_persons() -> None:
    assert persons(described(ANN, {**ANN, "nhs_number": TWO}, also=[ANN, {**ANN, "nhs_number": TWO}])) == 1


def test_a_patient_number_given_to_somebody_else_does_not_make_two_people_one() -> None:
    bob = {**ANN, "nhs_number": TWO, "given_name": "Bob", "birth_date": dt.date(1981, 9, 27), "sex": "M"}
    index = described(ANN, bob, also=[ANN, bob])
    assert index["person_id"][1] != index["person_id"][2]


def test_births_of_a_person_that_only_another_record_gives_are_told_of_each_patient() -> None:
    swapped = dt.date(1950, 4, 3)
    people = [
        ANN,
        {**ANN, "birth_date": swapped},
        {**ANN, "birth_date": None},
        {**ANN, "nhs_number": TWO, "given_name": "Mary"},
    ]
    rows = [{"source": f"s{n}", "patient_ref": "p", "row_extract": 1, **person} for n, person in enumerate(people)]
    births = link(pa.Table.from_pylist(rows, schema=IDENTITY_SCHEMA), key=b"secret").births.to_pylist()
    told = [(birth["source"], birth["birth_date"]) for birth in births]
    assert told == [("s0", swapped), ("s1", ANN["birth_date"]), ("s2", ANN["birth_date"]), ("s2", swapped)]


def test_a_birth_that_a_patients_own_source_tells_only_later_is_told_with_the_extracts() -> None:
    said = [(1, None), (2, None), (3, ANN["birth_date"]), (4, ANN["birth_date"])]
    rows = [{"source": "s", "patient_ref": "late", "row_extract": number, "birth_date": day} for number, day in said]
    rows += [{"source": "s", "patient_ref": "known", "row_extract": number, **ANN} for number in (2, 3)]
    births = link(pa.Table.from_pylist(rows, schema=IDENTITY_SCHEMA), key=b"secret").births
    assert births.to_pylist() == [
        {"source": "s", "patient_ref": "late", "birth_date": ANN["birth_date"], "first": 1, "since": 3}
    ]
    assert births_told_late(births, {1: 1, 2: 1, 3: 2, 4: 2}).num_rows == 1
    # Files of one delivery know of each other, in whatever order they were given.
    assert births_told_late(births, {1: 1, 2: 1, 3: 1, 4: 2}).num_rows == 0


def said_to_be_one(*, also: Sequence[dict[str, Any]] = ()) -> pa.Table:
    rows: list[dict[str, Any]] = [
        {"source": "gp", "patient_ref": "keep", "row_extract": 1, **ANN},
        {"source": "gp", "patient_ref": "gone", "row_extract": 1, "nhs_number": TWO, "given_name": "A",
         "family_name": "Bryan", "birth_date": dt.date(1988, 1, 2), "source_links": "keep"},
        *({"source": "gp", **one} for one in also),
    ]  # fmt: skip
    return link(pa.Table.from_pylist(rows, schema=IDENTITY_SCHEMA), key=b"secret").index


def test_patients_whom_their_source_calls_one_are_one_whatever_else_they_say() -> None:
    index = said_to_be_one()
    assert persons(index) == 1 and index["step"].to_pylist() == ["source-link"] * 2


def test_a_source_that_takes_its_word_back_has_two_patients_again() -> None:
    without = {"patient_ref": "gone", "row_extract": 2, "given_name": "A", "family_name": "Bryan"}
    assert persons(said_to_be_one(also=[without])) == 2
    named = {"patient_ref": "gone", "row_extract": 2}
    assert persons(said_to_be_one(also=[named])) == 1


def test_a_postcode_that_half_of_a_source_gives_tells_nobody_apart() -> None:
    town = [{"source": "gp", "patient_ref": f"t{n}", "row_extract": 1, "given_name": "Jo", "family_name": f"Hall{n}",
             "birth_date": dt.date(1960, 1, 1) + dt.timedelta(days=n), "postcode": "TO1 1HL" if n % 2 else f"AB1 {n}CD"}
            for n in range(60)]  # fmt: skip
    namesakes = [{"source": "gp", "patient_ref": ref, "row_extract": 1, **ANN, "nhs_number": None, "postcode": "TO1 1HL"}
                 for ref in ("a", "b")]  # fmt: skip
    index = link(pa.Table.from_pylist([*town, *namesakes], schema=IDENTITY_SCHEMA), key=b"secret").index
    assert persons(index) == 62


def test_a_number_that_many_bear_is_nobodys() -> None:
    bearers = [{**ANN, "family_name": f"Hall{n}", "birth_date": dt.date(1960, 1, 1) + dt.timedelta(days=40 * n)}
               for n in range(12)]  # fmt: skip
    index = linked(*bearers, {**bearers[0], "nhs_number": TWO})
    people = index["person_id"].to_pylist()
    assert persons(index) == 12 and people.count(people[0]) == 2


def test_two_patients_of_one_source_may_be_one_person() -> None:
    rows = [{"source": "gp", "patient_ref": ref, "row_extract": 1, **ANN} for ref in ("a", "b")]
    index = link(pa.Table.from_pylist(rows, schema=IDENTITY_SCHEMA), key=b"secret").index
    assert len(set(index["person_id"].to_pylist())) == 1


def test_nobody_is_linked_where_there_is_nobody() -> None:
    outcome = link(IDENTITY_SCHEMA.empty_table(), key=b"secret")
    assert outcome.index.num_rows == 0 and outcome.summary.persons == 0
