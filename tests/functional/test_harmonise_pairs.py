"""Raw data beside the OMOP that other tools made of it."""

import datetime as dt
import re
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from fairhaven.engine import Engine
from fairhaven.harmonise import VocabularyTables, read_carrot
from tests.support.harmonise_cases import landed_columns, made, mapping, rows_of, vocabulary_tables
from tests.support.shared_data import shared


def unpacked(folder: Path, *parts: str) -> Path:
    with tarfile.open(shared("data", *parts)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def landed_csv(file: Path, patient: str, *, typed: bool = False, lower: bool = False) -> pa.Table:
    """A delimited file as it would land, every column text unless *typed*."""
    options = "" if typed else ", all_varchar=true"
    with duckdb.connect() as connection:
        table = connection.execute(
            f'SELECT * EXCLUDE ("{patient}"), "{patient}"::VARCHAR AS patient_ref'
            f" FROM read_csv('{file}', header=true, null_padding=true, ignore_errors=true{options})"
        ).to_arrow_table()
    names = [name.lower() for name in table.column_names] if lower else table.column_names
    return landed_columns(file.stem, table.rename_columns(names))


def tsv(file: Path) -> list[dict[str, str]]:
    header, *lines = file.read_text(encoding="utf-8").splitlines()
    return [dict(zip(header.split("\t"), line.split("\t"), strict=False)) for line in lines]


CARROT = [
    ("test_data/integration_test1", "transform-rules.json", "src_PERSON", "person_id", "."),
    ("test_data/observe_smoking", "mapping.json", "demos", "pid", "."),
    ("test_data/measure_weight_height", "mapping.json", "persons", "pid", "."),
    ("test_data/mapping_person", "multi_mapping.json", "demos", "pid", "."),
    ("test_data/condition", "mapping.json", "persons", "pid", "."),
    ("test_data/floats", "rules.json", "src_PERSON", "person_id", "."),
    ("examples/test/inputs", "../rules/rules_14June2021.json", "Demographics", "PersonID", "../output"),
]


@pytest.mark.parametrize(("folder", "rules", "persons", "patient", "output"), CARROT)
def test_carrot_rules_give_the_rows_that_carrot_transform_gives(
    engine: Engine, tmp_path: Path, folder: str, rules: str, persons: str, patient: str, output: str
) -> None:
    unpacked(tmp_path, "carrot_example", "carrot_example.tar.gz")
    unpacked(tmp_path, "carrot_example", "carrot_tests_with_expected.tar.gz")
    place = tmp_path / folder
    read = read_carrot((place / rules).resolve())
    needed = {table for rule in read.rules for table in rule.tables} | {persons}
    tables = {name: landed_csv(place / f"{name}.csv", patient) for name in needed}
    refs = sorted({ref for ref in tables[persons]["patient_ref"].to_pylist() if ref})
    ids = {ref: number for number, ref in enumerate(refs, start=1)}
    found = made(
        engine,
        read,
        tables,
        people={("gp", ref): number for ref, number in ids.items()},
        vocabulary=vocabulary_tables(engine),
        as_of=dt.date(2100, 1, 1),
        birth_date="day",
    )
    theirs = {row["TARGET_SUBJECT"]: row["SOURCE_SUBJECT"] for row in tsv(place / output / "person_ids.tsv")}
    # Carrot leaves persons out whose sex is not mapped; the CDM allows them with concept 0, so they are kept.
    expected_persons = {theirs[row["person_id"]][:50] for row in tsv(place / output / "person.tsv")}
    got_persons = dict(rows_of(engine, found, "person", "person_source_value", "gender_concept_id"))
    assert {ref for ref, gender in got_persons.items() if gender} == expected_persons
    by_number = {number: ref for ref, number in ids.items()}
    for table, date, value in (
        ("observation", "observation_date", "value_as_string"),
        ("measurement", "measurement_date", "value_as_number"),
        ("condition_occurrence", "condition_start_date", ""),
    ):
        file = place / output / f"{table}.tsv"
        if not file.exists():
            assert table not in found.tables
            continue
        prefix = table.split("_")[0]
        columns = ["person_id", f"{prefix}_concept_id", date, f"{prefix}_source_concept_id", f"{prefix}_source_value"]
        columns += [value] if value else []
        expected = Counter(
            tuple(
                _comparable(name, theirs[row[name]] if name == "person_id" else row[name] or _day(row, name))
                for name in columns
            )
            for row in tsv(file)
        )
        got = Counter(
            tuple(
                _comparable(name, by_number[row[0]] if name == "person_id" else cell)
                for name, cell in zip(columns, row, strict=True)
            )
            for row in rows_of(engine, found, table, *columns)
        )
        assert got == expected, table


def _day(row: dict[str, str], name: str) -> str:
    """The date of the datetime beside an empty date: Carrot leaves some dates empty, the CDM requires them."""
    return row.get(f"{name}time", "")[:10] if name.endswith("_date") else ""


def _comparable(name: str, value: Any) -> str:
    if value in (None, ""):
        return ""
    return str(float(value)) if name == "value_as_number" else str(value)


def test_carrot_rules_of_both_versions_give_the_same_rows(engine: Engine, tmp_path: Path) -> None:
    inputs = unpacked(tmp_path, "carrot_example", "carrot_example.tar.gz") / "examples" / "test" / "inputs"
    made_of = []
    for version in ("v1", "v2"):
        read = read_carrot(inputs.parent / "rules" / f"{version}.json")
        tables = {
            table: landed_csv(inputs / f"{table}.csv", "PersonID") for rule in read.rules for table in rule.tables
        }
        refs = sorted(set(tables["Demographics"]["patient_ref"].to_pylist()))
        people = {("gp", ref): number for number, ref in enumerate(refs, start=1)}
        found = made(engine, read, tables, people=people, vocabulary=vocabulary_tables(engine))
        columns = ("person_id", "observation_concept_id", "observation_date", "value_as_string")
        made_of.append(rows_of(engine, found, "observation", *columns))
    assert made_of[0] == made_of[1] and made_of[0]


SYNTHEA = """
[[map]]
name = "patients"
from = "patients"
to = "person"
[map.set]
birth_date = "birthdate"
gender = "gender"
race = "race"
ethnicity = "ethnicity"

[[map]]
name = "encounters"
from = "encounters"
to = "visit_occurrence"
[map.set]
visit_ref = "id"
start_datetime = "start"
end_datetime = "stop"
concept_id = { column = "encounterclass", map = { ambulatory = "outpatient", wellness = "outpatient", outpatient = "outpatient", inpatient = "inpatient", emergency = "emergency", urgentcare = "emergency" }, default = 0 }

[[map]]
name = "conditions"
from = "conditions"
to = "event"
unmapped_to = "condition_occurrence"
[map.code]
column = "code"
vocabulary = { column = "system", map = { SNOMED-CT = "SNOMED" }, default = "ICD10CM" }
[map.set]
start_date = "start"
end_date = "stop"
visit_ref = "encounter"

[[map]]
name = "medications"
from = "medications"
to = "event"
unmapped_to = "drug_exposure"
[map.code]
column = "code"
vocabulary = "RxNorm"
[map.set]
start_datetime = "start"
end_datetime = "stop"
visit_ref = "encounter"

[[map]]
name = "immunizations"
from = "immunizations"
to = "event"
unmapped_to = "drug_exposure"
[map.code]
column = "code"
vocabulary = "CVX"
[map.set]
start_datetime = "date"
visit_ref = "encounter"

[[map]]
name = "devices"
from = "devices"
to = "event"
unmapped_to = "device_exposure"
[map.code]
column = "code"
vocabulary = "SNOMED"
[map.set]
start_datetime = "start"
end_datetime = "stop"
visit_ref = "encounter"
"""
SYNTHEA_TABLES = ("patients", "encounters", "conditions", "medications", "immunizations", "devices")


def tutorial_vocabulary(engine: Engine, folder: Path) -> VocabularyTables:
    """The vocabulary that the expected CDM was made with: its map of source codes, as concepts and relationships."""
    map_file = folder / "syntheaCDM" / "source_to_standard_vocab_map.csv"
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE m AS FROM read_csv('{map_file}', all_varchar=true)")
        concept = connection.execute(
            "SELECT id::INT AS concept_id, min(name) AS concept_name, min(domain) AS domain_id,"
            " min(vocabulary) AS vocabulary_id, '' AS concept_class_id, max(standard) AS standard_concept,"
            " min(code) AS concept_code, NULL::VARCHAR AS invalid_reason FROM ("
            " SELECT source_concept_id AS id, source_code_description AS name, source_domain_id AS domain,"
            "  source_vocabulary_id AS vocabulary, NULL AS standard, source_code AS code FROM m"
            " UNION ALL SELECT target_concept_id, target_concept_name, target_domain_id, target_vocabulary_id,"
            "  target_standard_concept, NULL FROM m) GROUP BY id"
        ).to_arrow_table()
        relationship = connection.execute(
            "SELECT source_concept_id::INT AS concept_id_1, target_concept_id::INT AS concept_id_2,"
            " 'Maps to' AS relationship_id, NULL::VARCHAR AS invalid_reason FROM m"
            " WHERE target_standard_concept = 'S' AND source_concept_id <> target_concept_id"
        ).to_arrow_table()
    return VocabularyTables(concept=engine.arrow(concept), concept_relationship=engine.arrow(relationship))


def test_synthea_csv_gives_the_rows_that_ohdsi_etl_synthea_gave(engine: Engine, tmp_path: Path) -> None:
    folder = unpacked(tmp_path, "etl_pair_synthea_tutorial", "tutorial_etl_data.tar.gz")
    tables = {}
    for name in SYNTHEA_TABLES:
        patient = "Id" if name == "patients" else "PATIENT"
        tables[name] = landed_csv(folder / "syntheaRaw" / f"{name}.csv", patient, typed=True, lower=True)
    refs = sorted(set(tables["patients"]["patient_ref"].to_pylist()))
    found = made(
        engine,
        mapping(tmp_path, SYNTHEA),
        tables,
        people={("gp", ref): number for number, ref in enumerate(refs, start=1)},
        vocabulary=tutorial_vocabulary(engine, folder),
        as_of=dt.date(2026, 1, 1),
        birth_date="day",
    )
    ours = dict(rows_of(engine, found, "person", "person_id", "person_source_value"))
    with duckdb.connect() as connection:
        theirs = dict(
            connection.execute(
                f"SELECT person_id, person_source_value FROM read_csv('{folder}/syntheaCDM/person.csv')"
            ).fetchall()
        )
        assert set(theirs.values()) == set(ours.values())
        agreement = {}
        for table, columns in (
            ("condition_occurrence", ("condition_concept_id", "condition_start_date")),
            ("drug_exposure", ("drug_concept_id", "drug_exposure_start_date")),
            ("device_exposure", ("device_concept_id", "device_exposure_start_date")),
            ("visit_occurrence", ("visit_concept_id", "visit_start_date")),
        ):
            concept, date = columns
            expected = Counter(
                (theirs[person], int(number), day)
                for person, number, day in connection.execute(
                    f"SELECT person_id, {concept}, strptime({date}::VARCHAR, '%Y%m%d')::DATE"
                    f" FROM read_csv('{folder}/syntheaCDM/{table}.csv')"
                ).fetchall()
            )
            got = Counter(
                (ours[person], number, day)
                for person, number, day in rows_of(engine, found, table, "person_id", concept, date)
                if number
            )
            both = sum((expected & got).values())
            agreement[table] = (both / sum(expected.values()), both / sum(got.values()))
    # (theirs that are ours, ours that are theirs). Visits: theirs merges visits that meet, ours keeps each encounter.
    print({table: tuple(round(share, 4) for share in shares) for table, shares in agreement.items()})  # noqa: T201
    assert agreement["condition_occurrence"] == (1.0, 1.0)
    assert agreement["drug_exposure"] == (1.0, 1.0)
    assert agreement["device_exposure"] == (1.0, 1.0)
    assert agreement["visit_occurrence"][0] == 1.0


HES = """
[[map]]
name = "patients"
from = "apc"
to = "person"
[map.set]
birth_year = { column = "MYDOB", from_character = 3, cut = 4, number = true }
gender = "SEX"
race = "ETHNOS"

[[map]]
name = "episodes"
from = "apc"
to = "visit_occurrence"
[map.set]
visit_ref = "EPIKEY"
start_date = "EPISTART"
end_date = "EPIEND"
concept_id = { value = "inpatient" }

[[map]]
name = "diagnoses"
from = "apc"
to = "condition_occurrence"
[map.unpivot]
diagnosis = "DIAG_4_{01..20}"
[map.code]
column = "diagnosis"
vocabulary = "ICD10"
clean = "icd10"
[map.set]
start_date = "EPISTART"
visit_ref = "EPIKEY"

[[map]]
name = "operations"
from = "apc"
to = "procedure_occurrence"
when = { operation = { matches = "^[A-Z]" } }
[map.unpivot]
operation = "OPERTN_4_{01..24}"
operation_date = "OPDATE_{01..24}"
[map.code]
column = "operation"
vocabulary = "OPCS4"
clean = "opcs4"
[map.set]
start_date = { first = ["operation_date", "EPISTART"] }
visit_ref = "EPIKEY"
"""


def test_every_diagnosis_and_operation_of_artificial_hes_is_a_row(engine: Engine, tmp_path: Path) -> None:
    folder = unpacked(tmp_path, "uk_hes_artificial", "cured_hes_artificial.tar.gz")
    apc = landed_csv(next((folder / "data" / "apc").glob("*.csv")), "PSEUDO_HESID")
    rows = apc.to_pylist()
    refs = sorted({row["patient_ref"] for row in rows})
    people = {("hes", ref): number for number, ref in enumerate(refs, start=1)}
    found = made(engine, mapping(tmp_path, HES), {"apc": apc}, people=people, name="hes", kind="hospital")
    outcomes: Counter[tuple[str, str]] = Counter()
    names = {rule.number: rule.name for rule in found.rules}
    for count in found.counts:
        if count.rule:
            outcomes[names[count.rule], count.outcome] += count.rows
    # HES writes - and & where there is no diagnosis.
    diagnoses = sum(bool(re.search("[0-9A-Z]", row[f"DIAG_4_{n:02d}"] or "")) for row in rows for n in range(1, 21))
    operations = sum((row[f"OPERTN_4_{n:02d}"] or "-")[0].isalpha() for row in rows for n in range(1, 25))
    assert sum(rows for (rule, _), rows in outcomes.items() if rule == "diagnoses") == diagnoses > 1_000
    assert sum(rows for (rule, _), rows in outcomes.items() if rule == "operations") == operations > 500
    visits = rows_of(engine, found, "visit_occurrence", "visit_occurrence_id")
    conditions = rows_of(engine, found, "condition_occurrence", "visit_occurrence_id")
    assert conditions and {visit for (visit,) in conditions} <= {visit for (visit,) in visits}
