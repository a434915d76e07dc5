"""Codes and numbers that a spreadsheet changed so that nobody can say what they were are told when a delivery is received, column by column."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fairhaven.cli import delivery_text
from fairhaven.harmonise import codes_read, damaged_keys, read_mapping
from fairhaven.harmonise.local_maps import CodeMap
from fairhaven.intake import ReadTexts, Receipt
from fairhaven.intake.landing import LandingResult
from fairhaven.kernel.toml import Document
from tests.support.fhir_files import landed, written
from tests.support.intake_hub import Hub

MORE = 'drug = { type = "text", optional = true }\nsystem = { type = "text", optional = true }\nwhole = { type = "whole", optional = true }'
READS = ReadTexts(
    plain=frozenset({"code", "drug", "system", "whole"}),
    free=frozenset(),
    codes={
        "code": frozenset({"SNOMED", "LOINC"}),
        "drug": frozenset({"NDC"}),
        "whole": frozenset({""}),
        "system": frozenset({"Read"}),
    },
)
DAMAGED = {
    "code": {"cut": 1, "date": 1, "rounded": 3},
    "drug": {"zero": 1},
    "event_id": {"rounded": 2},
    "patient_id": {"cut": 1, "rounded": 2},
    "whole": {"cut": 1},
}
ROWS = [
    # id, patient, code, drug, system, whole
    ("1", "p1", "1.23E+17", "5009012301", "1E10", "999000021000000000"),
    ("2", "p1", "1.23E+17", "00002143380", "14E2.", "5009012301"),
    ("3", "p2", '="9.99E+16"', "", "XE0Uc", ""),
    ("4", "123456789012345000", "1-Mar", "", "", ""),
    ("5", "p3", "999000021000000333", "", "", ""),
    # What is mended for certain, and what is whole.
    ("6", "p3", "44054006.0", "0002-1433-80", "", "1"),
    ("7", "p3", "44 054 006", "", "", ""),
    ("8", "1.2E+09", "4548-4", "", "", ""),
    ("9.1E+11", "1.2E+09", "44054006", "", "", ""),
    ("9.2E+11", "p3", "999000021000000109", "", "", ""),
]


def _received(hub: Hub, form: str) -> Receipt:
    source = replace(hub.events(more=MORE), reads={"events": READS})
    names = ["event_id", "patient_id", "code", "drug", "system", "whole"]
    if form == "delimited":
        lines = ["event_date,value," + ",".join(names)]
        lines += ["2020-01-01,1," + ",".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row) for row in ROWS]
        return hub.receive(source, "\n".join(lines) + "\n")
    text = (hub.folder / "gp.toml").read_text().replace('format = "delimited"', 'format = "parquet"')
    columns = {name: [row[place] or None for row in ROWS] for place, name in enumerate(names)}
    out = pa.BufferOutputStream()
    pq.write_table(pa.table({**columns, "event_date": ["2020-01-01"] * len(ROWS), "value": [1.0] * len(ROWS)}), out)
    parquet = replace(hub.source(text), reads={"events": READS})
    return hub.receive(parquet, out.getvalue().to_pybytes(), "events.parquet")


def test_codes_and_numbers_that_lost_what_they_were_are_told_by_column_rows_and_kind_and_never_by_value(
    tmp_path: Path,
) -> None:
    for form in ("delimited", "parquet"):
        (tmp_path / form).mkdir()
        hub = Hub(tmp_path / form)
        receipt = _received(hub, form)
        count = receipt.extracts[0].tables["events"]
        assert (count.landed, count.damaged) == (len(ROWS), DAMAGED), form
        said = "\n".join(delivery_text.receipt(receipt))
        assert "warning: code looks damaged by a spreadsheet in 3 rows: long numbers with an exponent" in said
        assert "have the file written anew, with these columns as text" in said
        record = (hub.store / "landing" / "000001" / "extract.json").read_text()
        assert json.loads(record)["tables"]["events"]["damaged"] == DAMAGED
        assert not [row[2] for row in ROWS if row[2] in said + record and len(row[2]) > 1]


def test_where_no_rule_reads_codes_or_none_is_damaged_nothing_is_said(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    receipt = hub.receive(
        replace(hub.events(more=MORE), reads={"events": READS}),
        "event_id,patient_id,event_date,value,code\n1,p1,2020-01-01,1,44054006\n",
    )
    assert receipt.extracts[0].tables["events"].damaged == {}
    assert "spreadsheet" not in "\n".join(delivery_text.receipt(receipt))


def test_codes_of_fhir_are_told_by_the_vocabulary_that_stands_beside_them(tmp_path: Path) -> None:
    def observation(number: int, system: str, code: str, **more: object) -> dict[str, object]:
        coding = {"coding": [{"system": system, "code": code}]}
        return {
            "resourceType": "Observation",
            "id": f"o{number}",
            "status": "final",
            "subject": {"reference": "Patient/p"},
            "code": coding,
            **more,
        }

    snomed, loinc = "http://snomed.info/sct", "http://loinc.org"
    value = {"valueCodeableConcept": {"coding": [{"system": snomed, "code": "999000021000000333"}]}}
    resources: list[dict[str, object]] = [
        {"resourceType": "Patient", "id": "p", "birthDate": "1950-01-01"},
        observation(1, snomed, "1.23E+17"),
        observation(2, loinc, "1-Mar"),
        observation(3, loinc, "4548-4", **value),
        observation(4, "https://trust.example/codes", "1E10"),
    ]
    result: LandingResult = landed(written(tmp_path, resources), tmp_path)
    assert result.tables["observation"].damaged == {"code": {"date": 1, "rounded": 1}, "value_code": {"cut": 1}}


def test_source_values_of_a_cdm_are_told_where_the_partner_found_no_concept(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    cdm = tmp_path / "cdm"
    cdm.mkdir()
    (cdm / "person.csv").write_text(
        "person_id,gender_concept_id,year_of_birth,race_concept_id,ethnicity_concept_id\n1,8507,1950,0,0\n"
    )
    rows = ["1,1,0,1.23E+17", "2,1,201826,1.24E+17", "3,1,0,44054006", "4,1,0,123000000000000000"]
    (cdm / "condition_occurrence.csv").write_text(
        "condition_occurrence_id,person_id,condition_concept_id,condition_source_value,condition_start_date\n"
        + "".join(f"{row},2020-01-01\n" for row in rows)
    )
    source = hub.source('title = "x"\ncontroller = "c"\nkind = "cdm"\nformat = "omop"\n', "partner")
    tables = hub.deliver(source, [cdm]).extracts[0].tables
    assert tables["condition_occurrence"].damaged == {"condition_source_value": {"cut": 1, "rounded": 1}}


def test_codes_of_a_map_that_a_spreadsheet_damaged_are_told_by_check() -> None:
    def entry(code: str, line: int, vocabulary: str = "lab") -> CodeMap:
        return CodeMap(vocabulary=vocabulary, code=code, text="", target_concept_id=3004410, line=line)

    files = {
        "lab.csv": [entry("HB", 2), entry("1.23E+17", 3), entry("1-Mar", 4), entry("44054006", 5, "SNOMED CT")],
        "b.csv": [entry("1E5", 2)],
    }
    [fault] = damaged_keys(files)
    assert (fault.path, fault.line) == ("vocabulary/lab.csv", 3)
    assert fault.message.startswith("maps 2 codes") and fault.message.endswith("1.23E+17, 1-Mar")


def test_which_columns_hold_codes_and_of_which_vocabularies_the_rules_say(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(
        """
[[map]]
name = "diagnoses"
from = "events"
to = "event"
unpivot = { diagnosis = ["diag_1", "diag_2"] }
[map.code]
column = "diagnosis"
vocabulary = "icd-10"
[map.code_2]
column = { column = "local", upper = true }
vocabulary = { column = "system", map = { S = "SNOMED CT", L = "LOINC" }, default = "ours" }
[map.value]
column = "value"
vocabulary = { column = "system" }
[map.set]
start_date = "day"
route = "given_by"
route_vocabulary_id = { value = "SNOMED" }
[[map]]
name = "fixed"
from = "events"
to = "event"
[map.code]
concept_id = 4
column = "whatever"
vocabulary = "SNOMED"
[map.set]
start_date = "day"
"""
    )
    document = Document(path, "mappings/a.toml")
    mapping = read_mapping(document)
    assert mapping is not None and not document.faults, document.faults
    assert codes_read(mapping.rules[0]) == {
        "diag_1": {"ICD10"},
        "diag_2": {"ICD10"},
        "local": {"SNOMED", "LOINC", "ours"},
        "value": {""},
        "given_by": {"SNOMED"},
    }
    assert codes_read(mapping.rules[1]) == {}
