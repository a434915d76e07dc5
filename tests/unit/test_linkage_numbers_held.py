"""A person holds one valid NHS number."""

import datetime as dt

import pyarrow as pa
import pytest

from bench.linkage import judged
from bench.namesakes import region_of_namesakes
from fairhaven.linkage import link
from fairhaven.linkage.model import IDENTITY_SCHEMA
from fairhaven.nhs.number import valid_nhs_number


def test_two_valid_numbers_are_never_one_slip_apart() -> None:
    for number in ("9990000018", "9990000026", "9434765919", "4010232137"):
        assert valid_nhs_number(number)
        changed = {number[:at] + digit + number[at + 1 :] for at in range(10) for digit in "0123456789"}
        swapped = {number[:at] + number[at + 1] + number[at] + number[at + 2 :] for at in range(9)}
        assert [slip for slip in changed | swapped if valid_nhs_number(slip)] == [number]


def test_families_twins_and_namesakes_stay_apart() -> None:
    records, truth = region_of_namesakes(250)
    index = link(records, key=b"secret").index
    numbers = zip(
        records["source"].to_pylist(),
        records["patient_ref"].to_pylist(),
        records["nhs_number"].to_pylist(),
        strict=True,
    )
    number_of = {(source, ref): valid_nhs_number(number) for source, ref, number in numbers}
    held: dict[int, set[str]] = {}
    for row in index.to_pylist():
        if number := number_of[row["source"], row["patient_ref"]]:
            held.setdefault(row["person_id"], set()).add(number)
    assert max(len(each) for each in held.values()) == 1
    precision, recall, _ = judged(index, truth)
    assert precision >= 0.998 and recall >= 0.985, (precision, recall)


ANNAS, OTHERS = "9990000018", "9990000026"
SPRING, AUTUMN = dt.date(1980, 5, 17), dt.date(1955, 9, 2)


def known(
    ref: str, extract: int, number: str, given: str | None, family: str | None, birth: dt.date | None
) -> dict[str, object]:
    return {
        **dict.fromkeys(IDENTITY_SCHEMA.names),
        "source": ref.split("/")[0],
        "patient_ref": ref,
        "row_extract": extract,
        "nhs_number": number,
        "given_name": given,
        "family_name": family,
        "birth_date": birth,
        "sex": None,
    }


def persons(*records: dict[str, object]) -> dict[str, int]:
    index = link(pa.Table.from_pylist(list(records), IDENTITY_SCHEMA), key=b"secret").index
    return dict(zip(index["patient_ref"].to_pylist(), index["person_id"].to_pylist(), strict=True))


@pytest.mark.parametrize(
    ("given", "birth"), [("Beatrice", SPRING), ("Anna", AUTUMN)], ids=["a twin", "a mother of the name"]
)
def test_a_number_of_a_relative_that_was_corrected_makes_one_person_of_nobody(given: str, birth: dt.date) -> None:
    found = persons(
        known("gp/a", 1, OTHERS, "Anna", "Smith", SPRING),
        known("gp/a", 2, ANNAS, "Anna", "Smith", SPRING),
        known("hes/b", 1, OTHERS, given, "Smith", birth),
    )
    assert found["gp/a"] != found["hes/b"]


def test_a_number_that_was_replaced_is_the_same_persons_where_nobody_else_bears_it() -> None:
    found = persons(
        known("gp/a", 1, OTHERS, "Anna", "Smith", SPRING),
        known("gp/a", 2, ANNAS, "Anna", "Smith", SPRING),
        known("hes/b", 1, OTHERS, "Anna", "Smith", SPRING),
    )
    assert found["gp/a"] == found["hes/b"]


def test_two_numbers_of_a_patient_of_whom_nothing_else_is_known_make_one_person_of_nobody() -> None:
    found = persons(
        known("x/1", 1, OTHERS, None, None, None),
        known("x/1", 2, ANNAS, None, None, None),
        known("gp/a", 1, ANNAS, "Anna", "Smith", SPRING),
        known("gp/b", 1, OTHERS, "Carl", "Jones", AUTUMN),
    )
    assert found["gp/a"] != found["gp/b"]
