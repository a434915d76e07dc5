"""A hub takes a partner's CDM, whatever its version and form, alone and beside other sources."""

from pathlib import Path

import duckdb
import pytest

from tests.support.partner_cdm import built, differences, new_hub, release, vocabulary_files

# Tables of a tiny CDM as queries; {x} is what 5.3 and 5.4 call differently.
_NAMES = {
    "5.3": {"from_": "admitting_source", "to_": "discharge_to", "parent": "visit_detail_parent_id"},
    "5.4": {"from_": "admitted_from", "to_": "discharged_to", "parent": "parent_visit_detail_id"},
}
_PERSON = (
    "SELECT {id} AS person_id, {gender} AS gender_concept_id, {year} AS year_of_birth, 5 AS month_of_birth, "
    "6 AS day_of_birth, NULL::TIMESTAMP AS birth_datetime, 8527 AS race_concept_id, 38003564 AS ethnicity_concept_id, "
    "1 AS location_id, 3 AS provider_id, NULL AS care_site_id, '{value}' AS person_source_value, "
    "'{sex}' AS gender_source_value"
)
_QUERIES = {
    "person": (
        _PERSON.format(id=771, gender=8507, year=1980, value="Ann Other", sex="M")
        + " UNION ALL "
        + _PERSON.format(id=772, gender=8532, year=1950, value="999 000 0018", sex="F")
    ),
    "location": "SELECT 1 AS location_id, '1 High Street' AS address_1, 'Leeds' AS city, 'LS1 4AB' AS zip",
    "provider": "SELECT 3 AS provider_id, 'Dr Who' AS provider_name, 38004446 AS specialty_concept_id",
    "visit_occurrence": (
        "SELECT 10 + i AS visit_occurrence_id, 771 + i AS person_id, 9201 AS visit_concept_id, "
        "DATE '2020-01-01' AS visit_start_date, DATE '2020-01-03' AS visit_end_date, 44818517 AS visit_type_concept_id, "
        "3 AS provider_id, 8870 AS {from_}_concept_id, 'A' AS {from_}_source_value, 8536 AS {to_}_concept_id, "
        "'home' AS {to_}_source_value FROM range(2) AS r(i)"
    ),
    "visit_detail": (
        "SELECT 20 AS visit_detail_id, 771 AS person_id, 32037 AS visit_detail_concept_id, "
        "DATE '2020-01-01' AS visit_detail_start_date, DATE '2020-01-02' AS visit_detail_end_date, "
        "44818517 AS visit_detail_type_concept_id, 10 AS visit_occurrence_id, NULL AS {parent}"
    ),
    "condition_occurrence": (
        "SELECT 30 + i AS condition_occurrence_id, 771 + i % 2 AS person_id, 317009 AS condition_concept_id, "
        "DATE '2020-01-01' AS condition_start_date, TIMESTAMP '2020-01-01 09:30:00' AS condition_start_datetime, "
        "32020 AS condition_type_concept_id, 10 + i % 2 AS visit_occurrence_id, 20 - i % 2 * 20 AS visit_detail_id, "
        "'J45.9' AS condition_source_value, 45548118 AS condition_source_concept_id FROM range(4) AS r(i)"
    ),
    "observation_period": (
        "SELECT i AS observation_period_id, 771 + i AS person_id, DATE '2019-01-01' AS observation_period_start_date, "
        "DATE '2021-01-01' AS observation_period_end_date, 44814724 AS period_type_concept_id FROM range(2) AS r(i)"
    ),
    "note": (
        "SELECT 40 AS note_id, 771 AS person_id, DATE '2020-01-01' AS note_date, 32831 AS note_type_concept_id, "
        "0 AS note_class_concept_id, 'About Ann Other' AS note_text"
    ),
}
_CHANGED = {
    "person": {"day_of_birth": 2, "person_source_value": 2},
    "location": {"address_1": 1, "zip": 1},
    "provider": {"provider_name": 1},
    "note": {"note_text": 1},
}
"""Columns that differ from the partner's on purpose."""
_EVENTS = """
title = "Clinic"
controller = "partner"
kind = "hospital"
format = "delimited"
mapping = ["clinic.toml"]
national_opt_out = false
[tables.events]
files = ["*"]
patient = "patient"
[tables.events.columns]
patient = "text"
nhs_number = { type = "text", identity = "nhs_number" }
born = { type = "date", identity = "birth_date" }
day = "date"
code = "text"
"""
_CLINIC = """
[[map]]
name = "people"
from = "events"
to = "person"
[map.set]
birth_date = "birth_date"
[[map]]
name = "events"
from = "events"
to = "event"
[map.code]
column = "code"
vocabulary = "ICD10"
[map.set]
start_date = "day"
"""


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The concepts of `harmonise_cases` as a vocabulary to load."""
    return vocabulary_files(tmp_path_factory.mktemp("vocabulary"))


def delivered(folder: Path, version: str, form: str) -> Path:
    """A tiny CDM as a partner sends it."""
    folder.mkdir()
    queries = {name: query.format(**_NAMES[version]) for name, query in _QUERIES.items()}
    if form == "duckdb":
        with duckdb.connect(folder / "cdm.duckdb") as connection:
            for name, query in queries.items():
                connection.execute(f"CREATE TABLE {name.upper()} AS {query}")
        return folder / "cdm.duckdb"
    for name, query in queries.items():
        duckdb.execute(f"COPY ({query}) TO '{folder}/{name.upper()}.csv' (FORMAT csv, HEADER)")
    return folder


def originals(version: str, first: int) -> dict[str, str]:
    """The same CDM as relations; *first* is the line of the first row."""
    return {
        name: f"(SELECT row_number() OVER () + {first - 1} AS row_line, * FROM ({query.format(**_NAMES[version])}))"
        for name, query in _QUERIES.items()
    }


@pytest.mark.parametrize(
    ("version", "form"),
    [
        ("5.3", "duckdb"),
        ("5.4", "csv"),
        pytest.param("5.3", "csv", marks=pytest.mark.slow),
        pytest.param("5.4", "duckdb", marks=pytest.mark.slow),
    ],
)
def test_a_tiny_cdm_is_in_the_release_as_it_was(tmp_path: Path, vocabulary: Path, version: str, form: str) -> None:
    hub = new_hub(tmp_path / "hub", vocabulary)
    found = release(built(hub, partner=delivered(tmp_path / "delivered", version, form)))
    assert differences(found, originals(version, 2 if form == "csv" else 1)) == _CHANGED
    assert found.execute("SELECT DISTINCT city, zip FROM location JOIN person USING (location_id)").fetchall() == [
        ("Leeds", "LS1")
    ]
    assert found.execute("SELECT count(*) FROM condition_era").fetchone() == (2,)
    texts = found.execute("SELECT * FROM note").fetchall() + found.execute("SELECT * FROM person").fetchall()
    assert "Ann" not in repr(texts) and "9990000018" not in repr(texts).replace(" ", "")


def test_persons_of_a_cdm_meet_other_sources_only_by_identity(tmp_path: Path, vocabulary: Path) -> None:
    hub = new_hub(tmp_path / "hub", vocabulary)
    (hub / "sources" / "clinic.toml").write_text(_EVENTS)
    (hub / "mappings" / "clinic.toml").write_text(_CLINIC)
    clinic = tmp_path / "clinic.csv"
    clinic.write_text(
        "patient,nhs_number,born,day,code\n"
        "a,9990000018,1950-05-06,2020-06-01,J45.9\n"  # known to the partner by NHS number
        "b,,1980-05-06,2020-06-01,J45.9\n"  # born on the day of a person of the partner, which is no identity
    )
    found = release(built(hub, partner=delivered(tmp_path / "delivered", "5.4", "csv"), clinic=clinic))
    assert found.execute("SELECT count(*) FROM person").fetchone() == (3,)
    per_person = (
        "SELECT year_of_birth, count(*) FROM condition_occurrence JOIN person USING (person_id) GROUP BY person_id, 1"
    )
    assert sorted(found.execute(per_person).fetchall()) == [(1950, 3), (1980, 1), (1980, 2)]
