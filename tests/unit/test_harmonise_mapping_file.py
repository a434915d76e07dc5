"""Faults of mapping files and code maps: every one, with its line, and never a row's value."""

import datetime as dt
import json
from pathlib import Path

import pyarrow as pa
import pytest

from fairhaven.engine import DuckDBEngine
from fairhaven.harmonise import check_columns, local_maps, read_carrot, read_code_map
from fairhaven.harmonise.code_mapping import distinct_codes, resolve_codes
from fairhaven.harmonise.local_maps import omop_spelling
from fairhaven.harmonise.row_ids import unique_ids
from fairhaven.kernel.errors import Invalid
from tests.support.harmonise_cases import (
    PEOPLE,
    TWO_PEOPLE,
    landed,
    made,
    mapping,
    mapping_and_faults,
    vocabulary_tables,
)


def test_every_fault_is_reported_at_once_with_its_line(tmp_path: Path) -> None:
    text = """[[map]]
name = "one"
from = "events"
to = "events"
when = { x = [] }
[map.set]
start = "day"
value_number = { column = "n", scal = 2 }
[map.code]
column = "code"
clean = "icd9"

[[map]]
name = "one"
from = ["a", "b"]
to = "visit_detail"
whem = { x = 1 }
[map.unpivot]
a = "A_{1..3}"
b = ["B_1"]
[map.set]
concept_id = { value = "hotel" }
"""
    _, faults = mapping_and_faults(tmp_path, text)
    found = {(fault.line, fault.field.rpartition(".")[2]) for fault in faults}
    assert {(4, "to"), (5, "x"), (7, "start"), (8, "scal"), (11, "clean"), (14, "name"), (15, "from")} <= found
    assert {(17, "whem"), (20, "b"), (22, "concept_id")} <= found
    assert all(fault.path == "mappings/test.toml" for fault in faults)


@pytest.mark.parametrize(
    ("to", "lacks"),
    [
        ("event", "start_date"),
        ("visit_occurrence", "start_date"),
        ("person", "birth_date"),
        ("death", "date"),
        ("care_site", "care_site_ref"),
        ("observation_period", "start_date"),
    ],
)
def test_a_rule_must_give_what_its_rows_cannot_do_without(tmp_path: Path, to: str, lacks: str) -> None:
    _, faults = mapping_and_faults(tmp_path, f'[[map]]\nname = "a"\nfrom = "t"\nto = "{to}"\n')
    assert any(lacks in fault.message for fault in faults)


def test_an_empty_file_and_broken_toml_are_faults(tmp_path: Path) -> None:
    assert "there is no [[map]]" in mapping_and_faults(tmp_path, "")[1][0].message
    assert mapping_and_faults(tmp_path, "[[map]\n")[1][0].line == 1


def test_tables_and_columns_that_a_source_lacks_are_named_before_anything_runs(tmp_path: Path) -> None:
    rules = mapping(tmp_path, PEOPLE)
    assert check_columns(rules.rules, {"people": ["birth_date", "sex", "ethnicity", "district"]}) == []
    (fault,) = check_columns(rules.rules, {"people": ["birth_date", "sex", "ethnicity"]})
    assert (fault.line, fault.message) == (2, "rule people: the table people has no column district")
    (fault,) = check_columns(rules.rules, {"persons": []})
    assert "has no table people (it has: persons)" in fault.message
    engine = DuckDBEngine(threads=1)
    with pytest.raises(Invalid, match="has no column sex"):
        made(engine, rules, {"people": landed("people", [{"patient_ref": "a", "birth_date": None}])})
    engine.close()


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("", "cannot be loaded"),
        ("def rows(tables):\n    return 1\n", "did not return an Ibis table"),
        ("def rows(tables):\n    return tables['people']\n", "has columns that a event has not"),
        ("def rows(tables):\n    return tables['people'].select('row_key')\n", "lacks row_extract, row_line"),
    ],
)
def test_a_python_rule_that_does_not_fit_is_refused_in_words(tmp_path: Path, module: str, message: str) -> None:
    (tmp_path / "own.py").write_text(module, encoding="utf-8")
    rules = mapping(tmp_path, '[[map]]\nname = "a"\nfrom = "people"\nto = "event"\npython = "own:rows"\n')
    engine = DuckDBEngine(threads=1)
    with pytest.raises(Invalid, match=message):
        made(engine, rules, {"people": landed("people", TWO_PEOPLE)})
    engine.close()


def test_usagi_exports_give_their_approved_maps(tmp_path: Path) -> None:
    path = tmp_path / "local.csv"
    path.write_text(
        "sourceCode,sourceName,mappingStatus,mappingType,conceptId,conceptName\n"
        "A.1,Asthma,APPROVED,MAPS_TO,317009,Asthma\n"
        "A.2,Sugar,UNCHECKED,MAPS_TO,201826,Diabetes\n"
        "A.3,Positive,APPROVED,MAPS_TO_VALUE,4184633,Positive\n",
        encoding="utf-8",
    )
    asthma, positive = read_code_map(path)
    assert (asthma.vocabulary, asthma.code, asthma.text, asthma.target_concept_id) == ("local", "A.1", "Asthma", 317009)
    assert (positive.code, positive.target_concept_id, positive.part) == ("A.3", 4184633, "value")


def test_what_usagi_says_that_cannot_be_used_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "local.csv"
    path.write_text(
        "sourceCode,sourceName,sourceValueCode,mappingStatus,mappingType,conceptId\n"
        "1,One,,MAYBE,MAPS_TO,317009\n"
        "2,Two,,APPROVED,MAPS_TO_OPERATOR,4172703\n"
        "3,Three,high,APPROVED,MAPS_TO,317009\n"
        "4,Four,,APPROVED,MAPS_TO_UNIT,8554\n"
        "4,Four,,APPROVED,MAPS_TO_UNIT,8576\n"
        "5,Five,high,IGNORED,MAPS_TO_OPERATOR,0\n",
        encoding="utf-8",
    )
    with pytest.raises(Invalid) as refused:
        read_code_map(path)
    assert [(fault.line, fault.field) for fault in refused.value.faults] == [
        (2, "mappingStatus"),
        (3, "mappingType"),
        (4, "sourceValueCode"),
        (6, "mappingType"),
    ]


def test_a_source_to_concept_map_leaves_out_what_is_invalid(tmp_path: Path) -> None:
    path = tmp_path / "maps.csv"
    path.write_text(
        "source_code,source_concept_id,source_vocabulary_id,source_code_description,target_concept_id,invalid_reason\n"
        "1,0,LOC,One,317009,\n"
        "2,0,LOC,Two,201826,D\n"
        "3,0,LOC,Three,0,NULL\n",
        encoding="utf-8",
    )
    assert [entry.code for entry in read_code_map(path)] == ["1", "3"]
    maps = local_maps({"maps.csv": read_code_map(path)}, on=dt.date(2026, 1, 1))
    assert maps.select(["code", "target_concept_id"]).to_pylist() == [
        {"code": "1", "target_concept_id": 317009},
        {"code": "3", "target_concept_id": 0},
    ]


def test_a_target_that_is_missing_is_not_taken_for_one_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "maps.csv"
    path.write_text(
        "source_code,source_vocabulary_id,target_concept_id\n1,LOC\n2,LOC,NULL\n3,LOC,0\n", encoding="utf-8"
    )
    with pytest.raises(Invalid) as refused:
        read_code_map(path)
    assert [(fault.line, fault.field) for fault in refused.value.faults] == [
        (2, "target_concept_id"),
        (3, "target_concept_id"),
    ]


def test_an_entry_of_a_map_holds_from_its_first_day_to_its_last(tmp_path: Path) -> None:
    path = tmp_path / "maps.csv"
    path.write_text(
        "source_code,source_vocabulary_id,target_concept_id,valid_start_date,valid_end_date\n"
        "1,LOC,317009,1970-01-01,2019-12-31\n"
        "1,LOC,201826,20200101,2099-12-31 00:00:00.000\n",
        encoding="utf-8",
    )
    entries = read_code_map(path)
    targets = {
        day: local_maps({"maps.csv": entries}, on=dt.date.fromisoformat(day))["target_concept_id"].to_pylist()
        for day in ("2019-12-31", "2020-01-01")
    }
    assert targets == {"2019-12-31": [317009], "2020-01-01": [201826]}
    path.write_text(path.read_text(encoding="utf-8").replace("20200101", "01/01/2020"), encoding="utf-8")
    with pytest.raises(Invalid, match="is no date"):
        read_code_map(path)


def test_a_code_map_that_cannot_be_used_says_why_and_where(tmp_path: Path) -> None:
    path = tmp_path / "maps.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(Invalid, match="neither a source_to_concept_map"):
        read_code_map(path)
    path.write_text("source_code,source_vocabulary_id,target_concept_id\n1,L,x\n2,L,5\n3,L,y\n", encoding="utf-8")
    with pytest.raises(Invalid) as refused:
        read_code_map(path)
    assert [fault.line for fault in refused.value.faults] == [2, 4]


def test_carrot_rules_give_values_units_and_types(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    fields = {
        "measurement_concept_id": [3004410, 3034639],
        "value_as_concept_id": [4328749],
        "unit_concept_id": [8554],
        "measurement_type_concept_id": [32856],
    }
    path.write_text(json.dumps({"cdm": {"measurement": {"t.csv": {
        "date_mapping": {"source_field": "day", "dest_field": ["measurement_date"]},
        "person_id_mapping": {"source_field": "pid", "dest_field": "person_id"},
        "concept_mappings": {"code": {"A": fields, "original_value": ["measurement_source_value"]}},
    }}}}), encoding="utf-8")  # fmt: skip
    rules = read_carrot(path).rules
    given = [{name for name, _ in rule.gives} for rule in rules]
    wanted = {"concept_id", "value_concept_id", "unit_concept_id", "type_concept_id", "start_date", "source_value"}
    assert given == [wanted, wanted]


def test_a_field_that_carrot_rules_give_and_no_rule_may_give_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    for name, words in (("condition_made_up", "no field condition_made_up"), ("stop_reason", "stop_reason holds no concept"),
                        ("condition_occurrence_id", "condition_occurrence_id cannot be given")):  # fmt: skip
        mappings = {"code": {"A": {"condition_concept_id": [201826], name: [1]}}}
        path.write_text(json.dumps({"cdm": {"condition_occurrence": {"t.csv": {"concept_mappings": mappings}}}}))
        with pytest.raises(Invalid, match=words):
            read_carrot(path)


def test_carrot_rules_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(Invalid, match="not valid JSON"):
        read_carrot(path)
    path.write_text('{"cdm": {"visit_occurrence": {}, "measurement": {"a": 1}}}', encoding="utf-8")
    with pytest.raises(Invalid) as refused:
        read_carrot(path)
    assert [fault.field for fault in refused.value.faults] == ["cdm.visit_occurrence", "cdm.measurement"]


def test_identifiers_that_meet_are_parted_the_same_way_every_time() -> None:
    engine = DuckDBEngine(threads=1)
    rows = pa.table(
        {"id": pa.array([7, 7, 7, 3, 9, 9], pa.int64()), "rule": [2, 1, 1, 1, 1, 1], "row_key": [1, 5, 4, 3, 2, 1]}
    )
    results = []
    for order in ([0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0]):
        found = unique_ids(engine, engine.arrow(rows.take(order)), "id", ("rule", "row_key"), bits=4)
        results.append(sorted(tuple(row.values()) for row in engine.fetch(found).to_pylist()))
    assert results[0] == results[1]
    ids = {(rule, key): number for number, rule, key in results[0]}
    assert ids == {(1, 4): 7, (1, 5): 17, (2, 1): 18, (1, 3): 3, (1, 1): 9, (1, 2): 19}
    assert len({number for number, _, _ in results[0]}) == rows.num_rows
    engine.close()


def test_without_relationships_codes_of_standard_concepts_still_lead_to_them() -> None:
    engine = DuckDBEngine(threads=1)
    rows = engine.arrow(pa.table({"code": ["195967001", "J45.9"], "vocabulary_id": ["SCT", "ICD-10"]}))
    codes = distinct_codes([rows])
    assert codes is not None
    found = engine.fetch(resolve_codes(engine, codes, vocabulary_tables(engine, with_relationships=False))).to_pylist()
    resolved = {row["key_code"]: (row["resolved_concept_id"], row["resolved_source_concept_id"]) for row in found}
    assert resolved == {"195967001": (317009, 317009), "J45.9": (0, 45548118)}
    spelt = ["SCT", "snomedct", "SNOMED_CT", "Snomed-CT", "snomed ct", "SNOMED Clinical Terms"]
    codes = distinct_codes([engine.arrow(pa.table({"code": ["195967001"] * len(spelt), "vocabulary_id": spelt}))])
    assert codes is not None
    found = engine.fetch(resolve_codes(engine, codes, vocabulary_tables(engine, with_relationships=False))).to_pylist()
    assert [row["resolved_concept_id"] for row in found] == [317009] * len(spelt)
    engine.close()


@pytest.mark.parametrize(
    ("written", "name"),
    [
        *((each, "ICD9CM") for each in ("icd9cm", "ICD-9-CM", "icd9-cm", "ICD 9 CM", "ICD9_CM")),
        *(("icd10gm", "ICD10GM"), ("ICD-10-GM", "ICD10GM"), ("ICD-10 PCS", "ICD10PCS"), ("icd 9 proc", "ICD9Proc")),
        *(("rxnorm extension", "RxNorm Extension"), ("RxNorm-Extension", "RxNorm Extension"), ("ndc", "NDC")),
        *(("OPCS 4", "OPCS4"), ("Read V2", "Read"), ("CPT-4", "CPT4"), ("dm+d", "dm+d"), ("Our Lab", "Our Lab")),
    ],
)
def test_names_of_vocabularies_are_known_however_their_parts_are_joined(written: str, name: str) -> None:
    assert omop_spelling(written) == name
