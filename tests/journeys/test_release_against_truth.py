"""The demonstration's release, held against what the region knows to be true."""

import csv
from pathlib import Path

import duckdb
import pytest

from fairhaven.journeys.model import Rooms

_EVENTS = {
    "condition_occurrence": ("condition_concept_id", "condition_start_date", "NULL"),
    "drug_exposure": ("drug_concept_id", "drug_exposure_start_date", "NULL"),
    "procedure_occurrence": ("procedure_concept_id", "procedure_date", "NULL"),
    "measurement": ("measurement_concept_id", "measurement_date", "value_as_number"),
    "observation": ("observation_concept_id", "observation_date", "NULL"),
    "visit_occurrence": ("visit_concept_id", "visit_start_date", "NULL"),
    "visit_detail": ("visit_detail_concept_id", "visit_detail_start_date", "NULL"),
}


@pytest.fixture(scope="module")
def compared(truth: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """``wanted`` and ``found``: facts with a standard concept, counted by person, table, concept, day and value.

    The day of birth, as the source has it, is as fine as births are released.
    """
    parts = [
        f"SELECT person_id, '{table}' AS cdm_table, {concept} AS concept_id, {date} AS date, round({value}, 4) AS value FROM {table}"
        for table, (concept, date, value) in _EVENTS.items()
    ]
    truth.execute(
        f"CREATE OR REPLACE TABLE found AS SELECT *, count(*) AS n FROM ({' UNION ALL '.join(parts)}) WHERE concept_id <> 0 GROUP BY ALL"
    )
    truth.execute(
        """
        CREATE OR REPLACE TABLE wanted AS
        SELECT person_id, cdm_table, concept_id,
          CASE WHEN (f.person, source, date) IN (SELECT (person, source, birth_date) FROM people) THEN date_trunc('month', date)::DATE ELSE date END AS date,
          round(CASE cdm_table WHEN 'measurement' THEN value END, 4) AS value, count(*) AS n
        FROM facts f JOIN (SELECT person, source, any_value(person_id) AS person_id FROM patient GROUP BY ALL) USING (person, source)
        WHERE is_expected AND from_delivery <= 2 AND coalesce(until_delivery, 99) > 2 AND concept_id <> 0 AND cdm_table <> 'death'
          AND person_id IN (SELECT person_id FROM person)
          AND NOT EXISTS (FROM opt_outs o WHERE o.delivery = 2 AND o.person = f.person AND (o.kind = 'national' OR o.source = f.source))
        GROUP BY ALL
        """
    )
    return truth


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[float, ...]:
    row: tuple[float, ...] | None = connection.execute(query).fetchone()
    assert row is not None
    return row


def test_linkage_finds_who_is_who(truth: duckdb.DuckDBPyConnection, record_property: pytest.FixtureRequest) -> None:
    precision, recall = _one(
        truth,
        """
        SELECT count(*) FILTER (is_same AND is_linked) / count(*) FILTER (is_linked),
          count(*) FILTER (is_same AND is_linked) / count(*) FILTER (is_same)
        FROM (SELECT a.person = b.person AS is_same, a.person_id = b.person_id AS is_linked
          FROM patient a JOIN patient b ON (a.source, a.patient) < (b.source, b.patient)
            AND (a.person = b.person OR a.person_id = b.person_id))
        """,
    )
    print(f"linkage against the truth: precision {precision:.4f}, recall {recall:.4f}")  # noqa: T201
    assert precision > 0.99
    assert recall > 0.97


def test_no_fact_is_in_the_release_that_is_not_true(compared: duckdb.DuckDBPyConnection) -> None:
    wrong = compared.execute(
        """
        SELECT found.cdm_table, found.concept_id, sum(found.n - coalesce(wanted.n, 0)) AS too_many
        FROM found LEFT JOIN wanted ON found.person_id = wanted.person_id AND found.cdm_table = wanted.cdm_table
          AND found.concept_id = wanted.concept_id AND found.date = wanted.date AND found.value IS NOT DISTINCT FROM wanted.value
        WHERE found.n > coalesce(wanted.n, 0) GROUP BY ALL ORDER BY ALL
        """
    ).fetchall()
    assert wrong == []


def test_no_true_fact_is_missing_but_for_people_linked_to_an_opt_out(compared: duckdb.DuckDBPyConnection) -> None:
    wanted, missing = _one(
        compared,
        """
        SELECT sum(wanted.n), sum(greatest(wanted.n - coalesce(found.n, 0), 0))
        FROM wanted LEFT JOIN found ON found.person_id = wanted.person_id AND found.cdm_table = wanted.cdm_table
          AND found.concept_id = wanted.concept_id AND found.date = wanted.date AND found.value IS NOT DISTINCT FROM wanted.value
        """,
    )
    print(f"{wanted - missing:,.0f} of {wanted:,.0f} true facts are in the release")  # noqa: T201
    assert wanted > 10_000
    assert missing / wanted < 0.001


def test_deaths_are_on_the_days_they_are_registered(truth: duckdb.DuckDBPyConnection) -> None:
    right, wanted = _one(
        truth,
        """
        SELECT count(*) FILTER (d.death_date = f.date), count(*) FROM facts f
        JOIN (SELECT person, any_value(person_id) AS person_id FROM patient WHERE source = 'registrar_deaths' GROUP BY ALL) USING (person)
        LEFT JOIN death d USING (person_id)
        WHERE f.cdm_table = 'death' AND person_id IN (SELECT person_id FROM person)
        """,
    )
    assert right == wanted > 10


def test_nobody_who_opted_out_is_in_the_release(truth: duckdb.DuckDBPyConnection) -> None:
    (persons,) = _one(
        truth,
        """
        SELECT count(*) FROM person SEMI JOIN (SELECT person_id FROM patient SEMI JOIN
          (SELECT person FROM opt_outs WHERE kind = 'national' AND delivery = 2) USING (person)
          JOIN people USING (person, source, patient) WHERE people.nhs_number = people.true_nhs_number) USING (person_id)
        """,
    )
    assert persons == 0


def test_bad_rows_are_quarantined_each_with_its_line(demo: Path, rooms: Rooms) -> None:
    with (demo / "truth" / "rejects.csv").open(encoding="utf-8") as file:
        wanted = sorted((row["source"], row["table_name"]) for row in csv.DictReader(file))
    quarantine = rooms.intake.quarantine()
    found = sorted({(row["source"], row["table_name"], row["file"], row["row_line"]) for row in quarantine.to_pylist()})
    assert sorted((source, table) for source, table, _, _ in found) == wanted
    assert all(line > 0 for *_, line in found)


def test_every_row_received_is_accounted_for(rooms: Rooms) -> None:
    for release in rooms.archive.releases():
        for row in release.facts.row_flow:
            assert row.received == row.landed + row.quarantined + row.opted_out, row
            assert row.landed == row.current + row.superseded + row.withdrawn, row


def test_no_identifier_of_a_person_is_in_any_table(demo: Path, rooms: Rooms, truth: duckdb.DuckDBPyConnection) -> None:
    identifiers = {
        str(value)
        for row in truth.execute(
            "SELECT DISTINCT nhs_number, true_nhs_number, family_name || ' ', address, postcode, patient FROM people"
        ).fetchall()
        for value in row
        if value and len(str(value)) > 5
    }
    release = rooms.archive.release()
    for name in release.tables:
        for path in rooms.archive.files(release, name):
            texts = [
                f'"{column}"'
                for column, kind, *_ in truth.execute(f"DESCRIBE FROM read_parquet('{path}')").fetchall()
                if kind == "VARCHAR"
            ]
            for column in texts:
                values = {
                    row[0] for row in truth.execute(f"SELECT DISTINCT {column} FROM read_parquet('{path}')").fetchall()
                }
                assert not values & identifiers, (name, column)


def test_every_row_knows_where_it_came_from(truth: duckdb.DuckDBPyConnection) -> None:
    for table in _EVENTS:
        (without,) = _one(
            truth, f"SELECT count(*) FROM {table} WHERE row_extract IS NULL OR row_line IS NULL OR row_rule IS NULL"
        )
        assert without == 0, table


def test_identifiers_of_rows_are_unique_and_small_enough_for_r(rooms: Rooms, truth: duckdb.DuckDBPyConnection) -> None:
    from fairhaven.omop import CDM

    for table, version in rooms.archive.release().tables.items():
        if version.rows and (key := CDM[table].primary_key):
            rows, distinct, least, most = _one(
                truth, f"SELECT count(*), count(DISTINCT {key}), min({key}), max({key}) FROM {table}"
            )
            assert rows == distinct, table
            assert 0 < least <= most < 2**53, table
