"""The attack on landing: who somebody is, planted in every text of every format."""

from pathlib import Path

import duckdb
import pytest

from tests.support.intake_hub import Hub
from tests.support.planted_identifiers import NUMBERS, PLANTED, TABLES, planted_resources, planted_tables

HEAD = 'title = "x"\ncontroller = "c"\nkind = "{kind}"\nformat = "{format}"\n'


def _landed(hub: Hub) -> str:
    """Every value of every landed file, as text."""
    paths = sorted((hub.store / "landing").glob("*/*.parquet"))
    with duckdb.connect() as connection:
        return "\n".join(repr(connection.execute("FROM read_parquet(?)", [str(path)]).fetchall()) for path in paths)


def _check_nothing_told(hub: Hub, planted: tuple[str, ...] = PLANTED) -> None:
    landed = _landed(hub)
    assert [text for text in planted if repr(text)[1:-1] in landed] == []
    assert [number for number in NUMBERS if str(number) in landed] == []
    assert "datetime.date(1953, 7, 14)" not in landed
    assert "datetime.datetime(1953, 7, 14" not in landed
    assert "harmless" in landed


@pytest.mark.parametrize("form", ["delimited", "parquet"])
def test_nothing_planted_in_a_declared_table_lands_though_the_names_come_in_a_later_file(
    tmp_path: Path, form: str
) -> None:
    hub = Hub(tmp_path)
    source = hub.source(HEAD.format(kind="gp", format=form) + TABLES)
    files = []
    for name, query in planted_tables().items():
        path = tmp_path / f"{name}.{'csv' if form == 'delimited' else form}"
        duckdb.execute(f"COPY ({query}) TO '{path}' ({'HEADER' if form == 'delimited' else 'FORMAT parquet'})")
        files.append(path)
    receipt = hub.deliver(source, sorted(files))
    assert (
        sum(count.landed for extract in receipt.extracts for count in extract.tables.values()) == 5 * len(PLANTED) + 2
    )
    _check_nothing_told(hub)


def test_nothing_planted_in_fhir_resources_lands(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    source = hub.source(HEAD.format(kind="hospital", format="fhir"), "trust")
    hub.receive(source, planted_resources(), "all.ndjson")
    _check_nothing_told(hub)


def test_nothing_planted_in_a_partners_cdm_lands_nor_its_own_number_of_a_person(tmp_path: Path) -> None:
    folder = tmp_path / "cdm"
    folder.mkdir()
    # A CDM has no names: numbers, postcodes, addresses and births are what it is known by.
    planted = tuple(text for text in PLANTED if "kafor" not in text.casefold())
    values = ", ".join(f"({place}, '{text}')" for place, text in enumerate(planted))
    queries = {
        "person": "SELECT 1242486 AS person_id, 8507 AS gender_concept_id, 1953 AS year_of_birth, 7 AS month_of_birth, 14 AS "
        "day_of_birth, '9990000018' AS person_source_value, 1 AS location_id, 0 AS race_concept_id, 0 AS ethnicity_concept_id",
        "location": "SELECT 1 AS location_id, '40 Riverside' AS address_1, 'FH10 0AN' AS zip, 'harmless' AS city",
        "visit_occurrence": "SELECT n AS visit_occurrence_id, 1242486 AS person_id, 9201 AS visit_concept_id, DATE '1953-07-14' AS "
        "visit_start_date, DATE '2020-01-01' AS visit_end_date, 44818518 AS visit_type_concept_id, text AS visit_source_value, "
        "text AS admitted_from_source_value, 9990000018 AS care_site_id, 1242486 AS preceding_visit_occurrence_id "
        f"FROM (VALUES {values}) t(n, text)",
        "observation": "SELECT n AS observation_id, 1242486 AS person_id, 0 AS observation_concept_id, DATE '2020-01-01' AS "
        "observation_date, 0 AS observation_type_concept_id, text AS value_as_string, text AS observation_source_value, "
        "text AS value_source_value, [9990000018, 19530714, 1242486, 19530714103000][1 + n % 4]::DOUBLE AS value_as_number, "
        f"9990000018 AS provider_id FROM (VALUES {values}) t(n, text)",
    }
    for name, query in queries.items():
        duckdb.execute(f"COPY ({query}) TO '{folder}/{name}.parquet' (FORMAT parquet)")
    hub = Hub(tmp_path)
    hub.deliver(hub.source(HEAD.format(kind="cdm", format="omop"), "partner"), [folder])
    _check_nothing_told(hub, planted)
