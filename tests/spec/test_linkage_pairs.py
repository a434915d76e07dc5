"""Who the cascade takes for one person, as a table of pairs that doubles as the manual."""

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

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


def test_two_patients_of_one_source_may_be_one_person() -> None:
    rows = [{"source": "gp", "patient_ref": ref, "row_extract": 1, **ANN} for ref in ("a", "b")]
    index = link(pa.Table.from_pylist(rows, schema=IDENTITY_SCHEMA), key=b"secret").index
    assert len(set(index["person_id"].to_pylist())) == 1


def test_nobody_is_linked_where_there_is_nobody() -> None:
    outcome = link(IDENTITY_SCHEMA.empty_table(), key=b"secret")
    assert outcome.index.num_rows == 0 and outcome.summary.persons == 0
