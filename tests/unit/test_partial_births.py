"""A birth of which the year or the month is all that is known has no day: linkage compares what is known, and a release has no more."""

import datetime as dt
import decimal
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairhaven.harmonise.cdm_rows import omop_rows
from fairhaven.harmonise.mapping_file import read_mapping
from fairhaven.harmonise.mapping_rows import mapped_rows
from fairhaven.intake.landing import LandingResult
from fairhaven.intake.model import FhirVersion
from fairhaven.kernel.toml import Document
from fairhaven.linkage import agreement_conditions
from tests.support.fhir_files import SOURCE as FHIR
from tests.support.fhir_files import landed, written
from tests.support.intake_hub import Hub

SOURCE = """
title = "Registry"
controller = "c"
kind = "registry"
format = "{format}"
[tables.people]
files = ["*"]
key = ["patient_id"]
patient = "patient_id"
[tables.people.columns]
patient_id = "text"
born = {{ type = "date", formats = ["%Y-%m-%d", "%b %Y", "%Y-%m", "%Y"], identity = "birth_date", latest = "2026-12-31" }}
"""
SAID = ["1950-03-04", "Mar 1950", "1950-03", "1950", None, "1950-01-01"]
DAY = dt.date(1950, 3, 4)
KNOWN = [(DAY, None), (None, "1950-03"), (None, "1950-03"), (None, "1950"), (None, None), (dt.date(1950, 1, 1), None)]
LENGTHS = [10, 7, 7, 4, None, 10]


def _in_vault(hub: Hub, extract: int = 1, table: str = "people") -> list[tuple[Any, Any]]:
    """What each patient is known by, in the order of lines."""
    by_ref = {record["patient_ref"]: record for record in hub.vault.by_extract[extract].to_pylist()}
    found = [by_ref[row["patient_ref"]] for row in hub.landed(extract, table)]
    return [(record["birth_date"], record["birth_part"]) for record in found]


def _parquet(columns: dict[str, list[Any]]) -> bytes:
    out = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), out)
    return bytes(out.getvalue().to_pybytes())


@pytest.mark.parametrize("precision", ["day", "month"])
def test_a_birth_in_a_form_without_a_day_is_kept_as_what_it_says_and_lands_with_how_much_that_is(
    tmp_path: Path, precision: str
) -> None:
    hub = Hub(tmp_path, birth_date=precision)
    hub.receive(
        hub.source(SOURCE.format(format="delimited"), "text"),
        "patient_id,born\n" + "".join(f"{number},{said or ''}\n" for number, said in enumerate(SAID, start=1)),
    )
    numbers = [str(number) for number in range(1, len(SAID) + 1)]
    parquet = hub.source(SOURCE.format(format="parquet"), "parquet")
    hub.receive(parquet, _parquet({"patient_id": numbers, "born": SAID}), "a.parquet")
    hub.receive(parquet, _parquet({"patient_id": ["7"], "born": pa.array([1950], pa.int32())}), "b.parquet")
    hub.receive(parquet, _parquet({"patient_id": ["8"], "born": pa.array([DAY], pa.date32())}), "c.parquet")
    # Table libraries make floats of whole numbers with gaps; half a year is none.
    gaps = {"patient_id": ["9", "10", "11", "12"], "born": pa.array([1950.0, None, math.nan, 1950.5], pa.float64())}
    hub.receive(parquet, _parquet(gaps), "e.parquet")
    decimals = pa.array([decimal.Decimal("1950.00"), None], pa.decimal128(6, 2))
    hub.receive(parquet, _parquet({"patient_id": ["13", "14"], "born": decimals}), "f.parquet")
    assert _in_vault(hub, 5) == [(None, "1950"), (None, None), (None, None)]
    assert _in_vault(hub, 6) == [(None, "1950"), (None, None)]
    assert hub.quarantined() == [(4, "birth_date", "is not a date in a declared form")]
    for extract in (1, 2):
        assert _in_vault(hub, extract) == KNOWN
        assert [row["birth_date_length"] for row in hub.landed(extract, "people")] == LENGTHS
    assert _in_vault(hub, 3) == [(None, "1950")] and _in_vault(hub, 4) == [(DAY, None)]
    # What is said last counts, whether it says more or less than before.
    hub.receive(
        parquet,
        _parquet({"patient_id": ["1", "1", "2", "2"], "born": ["1950", "1951", "1952", "1952-02-03"]}),
        "d.parquet",
    )
    ref = {row["patient_ref"]: row["row_line"] for row in hub.landed(7, "people")}
    last = {
        ref[record["patient_ref"]]: (record["birth_date"], record["birth_part"])
        for record in hub.vault.by_extract[7].to_pylist()
    }
    assert last == {2: (None, "1951"), 4: (dt.date(1952, 2, 3), None)}


@pytest.mark.parametrize("form", ["STU3", "R4", "R5"])
def test_a_partial_birth_of_fhir_has_no_day_in_the_vault(tmp_path: Path, form: str) -> None:
    said = {"a": "1950-03-04", "b": "1950-03", "c": "1950", "d": None}
    patients: list[dict[str, Any]] = [
        {"resourceType": "Patient", "id": name, **({"birthDate": birth} if birth else {})}
        for name, birth in said.items()
    ]
    result: LandingResult = landed(
        written(tmp_path, patients), tmp_path, source=replace(FHIR, fhir_version=FhirVersion(form))
    )
    rows = pq.read_table(tmp_path / "landed" / "patient.parquet", columns=["row_line", "patient_ref"]).to_pylist()
    of = {row["patient_ref"]: row["row_line"] for row in rows}
    known = {
        of[record["patient_ref"]]: (record["birth_date"], record["birth_part"])
        for record in result.identities.to_pylist()
    }
    assert [known[line] for line in sorted(known)] == [(DAY, None), (None, "1950-03"), (None, "1950"), (None, None)]


def test_a_cdm_that_leaves_month_or_day_empty_says_no_day_and_one_that_it_infers_is_none(tmp_path: Path) -> None:
    hub = Hub(tmp_path, birth_date="day")
    rows = [
        "1,8507,1950,3,4,",
        "2,8507,1950,3,,",
        "3,8507,1950,,,",
        "4,8507,1950,,,1950-03-04 00:00:00",
        "5,8507,1950,3,,1950-03-01 00:00:00",  # inferred, as the CDM's page has it
        "6,8507,1950,,,1950-06-15 00:00:00",
        "7,8507,1950,,,1950-01-01 00:00:00",
        "8,8507,1950,1,1,1950-01-01 00:00:00",
    ]
    cdm = tmp_path / "cdm"
    cdm.mkdir()
    header = "person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth,birth_datetime\n"
    (cdm / "person.csv").write_text(header + "\n".join(rows) + "\n")
    hub.deliver(hub.source('title = "x"\ncontroller = "c"\nkind = "cdm"\nformat = "omop"\n', "partner"), [cdm])
    month, year = (None, "1950-03"), (None, "1950")
    assert _in_vault(hub, 1, "person") == [
        (DAY, None),
        month,
        year,
        (DAY, None),
        month,
        year,
        year,
        (dt.date(1950, 1, 1), None),
    ]
    tables = {"person": ibis.memtable(pq.read_table(hub.store / "landing" / "000001" / "person.parquet"))}
    [people] = omop_rows(tables)
    made = ibis.duckdb.connect().to_pyarrow(people.rows.order_by("row_line")).to_pylist()
    assert [row["birth_date"] for row in made] == [DAY, None, None, DAY, None, None, None, dt.date(1950, 1, 1)]


RULE = """
[[map]]
name = "people"
from = "people"
to = "person"
[map.set]
{given}
"""
FIRST = [DAY, dt.date(1950, 3, 1), dt.date(1950, 1, 1), None]
WHOLE = {"birth_date": DAY, "birth_year": 1950, "birth_month": None}
PARTS = [
    WHOLE,
    {"birth_date": None, "birth_year": 1950, "birth_month": 3},
    {"birth_date": None, "birth_year": 1950, "birth_month": None},
    {"birth_date": None, "birth_year": None, "birth_month": None},
]


@pytest.mark.parametrize(
    ("given", "columns"),
    [
        ('birth_date = "birth_date"', {"birth_date": FIRST, "birth_date_length": [10, 7, 4, None]}),
        (
            'birth_date = "born"',
            {"born": FIRST, "born_last_day": [DAY, dt.date(1950, 3, 31), dt.date(1950, 12, 31), None]},
        ),
        ('birth_date = "said"', {"said": ["1950-03-04", "1950-03", "1950", None]}),
    ],
)
def test_a_rule_gives_a_person_the_year_and_the_month_that_are_known_and_no_day_that_nobody_said(
    tmp_path: Path, given: str, columns: dict[str, list[Any]]
) -> None:
    assert _people(tmp_path, given, columns) == PARTS


def test_a_month_that_a_rule_takes_from_a_birth_is_none_where_the_year_alone_is_known(tmp_path: Path) -> None:
    given = (
        'birth_year = { column = "birth_date", part = "year" }\nbirth_month = { column = "birth_date", part = "month" }'
    )
    found = _people(tmp_path, given, {"birth_date": FIRST, "birth_date_length": [10, 7, 4, None]})
    assert [(row["birth_year"], row["birth_month"]) for row in found] == [
        (1950, 3),
        (1950, 3),
        (1950, None),
        (None, None),
    ]


def _people(folder: Path, given: str, columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    path = folder / "a.toml"
    path.write_text(RULE.format(given=given))
    document = Document(path, "mappings/a.toml")
    mapping = read_mapping(document)
    assert mapping is not None and not document.faults, document.faults
    rows = len(FIRST)
    carried = {"row_key": [*range(rows)], "row_extract": pa.array([1] * rows, pa.int32()), "row_line": [*range(rows)]}
    table = ibis.memtable(pa.table({**carried, "patient_ref": ["p"] * rows, **columns}))
    [people] = mapped_rows([mapping], {"people": table})
    made = ibis.duckdb.connect().to_pyarrow(people.rows.order_by("row_line")).to_pylist()
    return [{name: row[name] for name in row if name.startswith("birth_")} for row in made]


@pytest.mark.parametrize(
    ("left", "right", "agree", "are_apart"),
    [
        ("19500304", "195003", True, False),
        ("19500304", "1950", True, False),
        ("195003", "1950", True, False),
        ("1950", "1950", True, False),
        ("19500304", "1951", False, False),  # a slip
        ("19500304", "195004", False, False),
        ("19500304", "195011", False, True),
        ("19500304", "1980", False, True),  # a father's birth and a son's, though one digit tells them apart
        ("1950", "1963", False, True),
        ("19500304", None, None, False),
        ("19500304", "19800304", None, False),  # whole births have rules of their own
    ],
)
def test_of_two_births_what_both_say_is_compared(
    left: str, right: str | None, agree: bool | None, are_apart: bool
) -> None:
    for one, other in ((left, right), (right, left)):
        side = "CASE WHEN length({0}) = 8 THEN {0} END AS birth, CASE WHEN length({0}) < 8 THEN {0} END AS birth_part"
        sides = ", ".join(f"(SELECT {side.format(f'${name}')}) AS {name}" for name in ("l", "r"))
        with duckdb.connect() as connection:
            found = connection.execute(
                f"SELECT {agreement_conditions.BIRTH_PART_AGREES}, {agreement_conditions.BIRTH_PARTS_APART} FROM {sides}",
                {"l": one, "r": other},
            ).fetchone()
        assert found is not None
        assert (found[0] if agree is not None else agree, found[1]) == (agree, are_apart)
