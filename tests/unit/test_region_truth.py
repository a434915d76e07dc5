"""The truth of the demonstration region: every fact stands in a delivered file, as it says."""

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from fairhaven import region
from fairhaven.kernel.progress import Silent
from fairhaven.region.registers import ELSEWHERE
from fairhaven.region.truth import FIELDS_OF_FACTS

_GP = {
    "gp_riverside": (",", "utf-8", "{table}_01.csv", "event_id", "issue_id", "code", "value", "record_status", "D"),
    "gp_parkview": (
        ",",
        "utf-8",
        "{table}_01.csv",
        "Entry ID",
        "Script ID",
        "Code",
        "Numeric Value",
        "Status",
        "Deleted",
    ),
    "gp_stmarys": ("|", "cp1252", "STM_{table}_01.txt", "ROW_ID", "ROW_ID", "CODE", "RESULT", "DELETED", "1"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> region.Region:
    return region.write(tmp_path_factory.mktemp("region") / "hub", persons=300, seed=3, progress=Silent())


@pytest.fixture(scope="module")
def truth(made: region.Region) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for name in ("people", "facts", "opt_outs"):
        connection.execute(f"CREATE TABLE {name} AS FROM read_parquet('{made.truth}/{name}/*.parquet')")
    return connection


def delivered(made: region.Region, source: str, number: int) -> dict[str, Path]:
    return {path.name: path for path in dict(made.deliveries[number - 1][1]).get(source, ())}


def rows(path: Path, delimiter: str = ",", encoding: str = "utf-8") -> Iterator[dict[str, str]]:
    with path.open(encoding=encoding, newline="") as lines:
        yield from csv.DictReader(lines, delimiter=delimiter)


def resources(path: Path) -> Iterator[dict[str, Any]]:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    for line in text.decode().splitlines():
        if not line.startswith('{"resourceType": "Condition", "id": "bad'):
            yield json.loads(line)


def facts(truth: duckdb.DuckDBPyConnection, source: str, number: int, *tables: str) -> list[tuple[Any, ...]]:
    """(table, row, field, code, value, is expected) that hold after delivery *number*."""
    found: list[tuple[Any, ...]] = truth.execute(
        "SELECT table_name, row_id, field, code, value, is_expected FROM facts WHERE source = ? AND from_delivery <= ?"
        " AND (until_delivery IS NULL OR until_delivery > ?) AND table_name IN (SELECT unnest(?))",
        [source, number, number, list(tables)],
    ).fetchall()
    return found


@pytest.mark.parametrize("source", _GP)
def test_gp_rows_with_the_second_delivery_on_top_are_the_facts(
    made: region.Region, truth: duckdb.DuckDBPyConnection, source: str
) -> None:
    delimiter, encoding, name, event, issue, code, value, status, deleted = _GP[source]
    for table, key in (("events", event), ("medications", issue)):
        current: dict[str, tuple[str, float | None]] = {}
        for number in (1, 2):
            for row in rows(delivered(made, source, number)[name.format(table=table)], delimiter, encoding):
                if row[key].startswith("-"):
                    continue
                number_value = row.get(value)
                current[row[key]] = (row[code], float(number_value) if number_value else None)
                if row[status] == deleted:
                    del current[row[key]]
            held = facts(truth, source, number, table)
            assert current == {row_id: (fact_code, result) for _, row_id, _, fact_code, result, _ in held}


def test_hes_columns_with_the_second_delivery_on_top_are_the_facts(
    made: region.Region, truth: duckdb.DuckDBPyConnection
) -> None:
    keys = {"apc": "EPIKEY", "op": "ATTENDKEY", "ec": "EC_IDENT"}
    current: dict[tuple[str, str], dict[str, str]] = {}
    for number in (1, 2):
        for table, key in keys.items():
            for row in rows(delivered(made, "north_trust_hes", number)[f"{table}_01.csv"]):
                current[table, row[key]] = row
        coded = {
            (table, row_id, name, code)
            for (table, row_id), row in current.items()
            for name, code in row.items()
            if code and name.startswith(("DIAG", "OPERTN", "EC_")) and name[-1].isdigit()
        }
        held = facts(truth, "north_trust_hes", number, *keys)
        assert coded == {(table, row_id, name, code) for table, row_id, name, code, _, _ in held if name}
        attended = {row_id for (table, row_id), row in current.items() if table == "op" and row["ATTENDED"] == "5"}
        assert attended == {row[1] for row in held if row[0] == "op" and not row[2] and row[5]}
        spells = {row["PROVSPNOPS"] for (table, row_id), row in current.items() if table == "apc" and row_id != "-1"}
        assert spells == {row[1] for row in held if row[0] == "apc" and row[3] in ("ordinary", "day case")}


def test_fhir_resources_with_the_second_delivery_on_top_are_the_facts(
    made: region.Region, truth: duckdb.DuckDBPyConnection
) -> None:
    current: dict[str, dict[str, Any]] = {}
    for number in (1, 2):
        for path in delivered(made, "south_trust_fhir", number).values():
            current.update({resource["id"]: resource for resource in resources(path)})
        found = {
            fact
            for resource in current.values()
            if resource["resourceType"] in ("Condition", "Observation", "Procedure", "MedicationRequest")
            for fact in _coded(resource)
        }
        held = facts(truth, "south_trust_fhir", number, "condition", "observation", "procedure", "medication_request")
        assert found == {(row_id, code, value) for _, row_id, _, code, value, is_expected in held if is_expected}


def _coded(resource: dict[str, Any]) -> Iterator[tuple[str, str, float | None]]:
    """(id, code, value) of a resource that its sender stands by."""
    words = json.dumps([resource.get("status"), resource.get("verificationStatus")])
    if "entered-in-error" in words or "refuted" in words:
        return
    code = resource.get("code") or resource["medicationCodeableConcept"]
    for part in resource.get("component", [resource | {"code": code}]):
        yield resource["id"], part["code"]["coding"][0]["code"], part.get("valueQuantity", {}).get("value")


def test_social_care_and_deaths_are_the_facts(made: region.Region, truth: duckdb.DuckDBPyConnection) -> None:
    for number in (1, 2):
        path = delivered(made, "council_asc", number)["CLD_01.csv"]
        events = {row["event_reference"] for row in rows(path)} - {"-1"}
        assert events == {row[1] for row in facts(truth, "council_asc", number, "events")}
    deaths = {
        row["registration_id"]: row["underlying_cause"]
        for number in (1, 2)
        for path in delivered(made, "registrar_deaths", number).values()
        for row in rows(path)
        if row["registration_id"] != "D26-1"
    }
    assert deaths == {row[1]: row[3] for row in facts(truth, "registrar_deaths", 2, "deaths")}


def test_who_is_who_names_every_patient_of_every_source(made: region.Region, truth: duckdb.DuckDBPyConnection) -> None:
    for source, name, key in (
        ("gp_riverside", "registrations_01.csv", "patient_id"),
        ("north_trust_hes", "apc_01.csv", "LOPATID"),
        ("council_asc", "CLD_01.csv", "client_id"),
    ):
        sent = {row[key] for row in rows(delivered(made, source, 1)[name])} - {"N0000001", "C0000001", "D26-1"}
        known = truth.execute("SELECT patient FROM people WHERE source = ? AND delivery = 1", [source]).fetchall()
        assert sent <= {row[0] for row in known}
    assert truth.execute(
        "SELECT count(*) FROM (SELECT source, patient FROM people GROUP BY ALL HAVING count(DISTINCT person) > 1)"
    ).fetchone() == (0,)


def test_the_opt_outs_that_hold_are_those_of_the_list_and_of_the_last_code(
    made: region.Region, truth: duckdb.DuckDBPyConnection
) -> None:
    for number in (1, 2):
        path = delivered(made, "national_opt_out", number)["nhs_england_national_data_opt_out.csv"]
        listed = {line.rstrip(",") for line in path.read_text().splitlines()}
        known = truth.execute("SELECT nhs_number FROM opt_outs WHERE kind = 'national' AND delivery = ?", [number])
        assert listed == {row[0] for row in known.fetchall()} | {ELSEWHERE}
    latest: dict[str, tuple[str, str]] = {}
    for number in (1, 2):
        for row in rows(delivered(made, "gp_riverside", number)["events_01.csv"]):
            if row["code"] in ("827241000000103", "827261000000102"):
                latest[row["patient_id"]] = max(
                    latest.get(row["patient_id"], ("", "")), (row["event_date"], row["code"])
                )
    held = truth.execute(
        "SELECT patient FROM opt_outs WHERE kind = 'type_1' AND source = 'gp_riverside' AND delivery = 2"
    )
    assert {patient for patient, (_, code) in latest.items() if code == "827241000000103"} == {
        row[0] for row in held.fetchall()
    }


def test_nothing_happens_before_birth_or_after_death(truth: duckdb.DuckDBPyConnection) -> None:
    assert truth.execute(
        "SELECT count(*) FROM facts JOIN (SELECT DISTINCT person, true_birth_date FROM people) USING (person)"
        " WHERE date < true_birth_date AND is_expected"
    ).fetchone() == (0,)
    assert truth.execute(
        "SELECT count(*) FROM facts f JOIN facts d ON d.person = f.person AND d.kind = 'death' WHERE f.date > d.date"
    ).fetchone() == (0,)


def test_expected_concepts_are_standard_ones_of_the_vocabulary(
    truth: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    folder = region.material_vocabulary(tmp_path)
    truth.execute(
        f"CREATE OR REPLACE TABLE concept AS FROM read_csv('{folder}/CONCEPT.csv', delim = '\t', quote = '', all_varchar = true)"
    )
    strangers = truth.execute(
        "SELECT DISTINCT concept_id FROM facts WHERE concept_id <> 0 AND concept_id::VARCHAR NOT IN"
        " (SELECT concept_id FROM concept WHERE standard_concept = 'S')"
    ).fetchall()
    assert strangers == []
    misplaced = truth.execute(
        "SELECT DISTINCT cdm_table, domain_id FROM facts JOIN concept c ON c.concept_id = facts.concept_id::VARCHAR"
        " WHERE facts.concept_id <> 0 AND kind NOT IN ('death', 'visit', 'episode') ORDER BY ALL"
    ).fetchall()
    # A document class measured by the material counts as an observation.
    assert set(misplaced) - {("observation", "Note")} == {
        ("condition_occurrence", "Condition"),
        ("drug_exposure", "Drug"),
        ("measurement", "Measurement"),
        ("observation", "Observation"),
        ("procedure_occurrence", "Procedure"),
    }


def test_a_code_that_has_a_standard_concept_is_the_code_of_that_concept(
    truth: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    folder = region.material_vocabulary(tmp_path)
    for name in ("concept", "concept_relationship"):
        truth.execute(
            f"CREATE OR REPLACE TABLE {name} AS"
            f" FROM read_csv('{folder}/{name.upper()}.csv', delim = '\t', quote = '', all_varchar = true)"
        )
    wrong = truth.execute(
        "SELECT DISTINCT f.vocabulary_id, f.code, f.concept_id FROM facts f WHERE f.vocabulary_id IN"
        " ('SNOMED', 'LOINC', 'RxNorm', 'CVX') AND f.concept_id <> coalesce((SELECT max(r.concept_id_2::INT) FROM concept c"
        " JOIN concept_relationship r ON r.concept_id_1 = c.concept_id AND r.relationship_id = 'Maps to'"
        " WHERE c.vocabulary_id = f.vocabulary_id AND c.concept_code = f.code), 0)"
    ).fetchall()
    assert wrong == []


def test_the_columns_of_the_facts_are_those_documented(truth: duckdb.DuckDBPyConnection) -> None:
    assert [row[0] for row in truth.execute("DESCRIBE facts").fetchall()] == list(FIELDS_OF_FACTS)
