"""Texts that somebody else wrote are refused with a reason where a value in them is none that anybody expects."""

import datetime as dt
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from fairhaven.cli.storage_errors import storage_fault
from fairhaven.cohort.english.phrases import joined
from fairhaven.cohort.formats.circe import read_circe
from fairhaven.cohort.formats.fairhaven.notation import read_filter, read_item
from fairhaven.cohort.formats.rquest.bounds import read_bound, read_range
from fairhaven.harmonise import local_maps, read_carrot, read_code_map, read_mapping
from fairhaven.kernel.errors import Invalid
from fairhaven.kernel.files import read_json
from fairhaven.kernel.json_document import json_object
from fairhaven.kernel.toml import Document
from fairhaven.kernel.whole_numbers import whole_number
from fairhaven.ledger.chain_reader import Chain, read_on

NO_CONCEPTS: list[Any] = [1e999, float("nan"), 10**30, -1, True, None, [7], {}, "²", "9" * 30, "9" * 5000, "x", ""]
DEEP = "[" * 100_000


def first(**changed: Any) -> dict[str, Any]:
    """Carrot's rules, version 1."""
    at = {"source_table": "events.csv", "source_field": "code", "term_mapping": {"x": 7}}
    return {"condition_occurrence": {"a": {"condition_concept_id": at | changed}}}


def second(**changed: Any) -> dict[str, Any]:
    """Carrot's rules, version 2."""
    date = {"source_field": "day", "dest_field": ["observation_datetime"]}
    mapped = {"code": {"x": {"observation_concept_id": 7}, "original_value": ["value_as_string"]}}
    return {"observation": {"events.csv": {"date_mapping": date, "concept_mappings": mapped} | changed}}


@pytest.mark.parametrize("concept", NO_CONCEPTS)
def test_a_carrot_rule_that_leads_to_no_concept_is_a_fault_of_its_table(tmp_path: Path, concept: Any) -> None:
    path = tmp_path / "rules.json"
    mapped = {"code": {"x": {"observation_concept_id": [concept]}}}
    for rules in (first(term_mapping={"x": concept}), second(concept_mappings=mapped)):
        path.write_text(json.dumps({"cdm": rules}))
        with pytest.raises(Invalid, match=r"not valid JSON|another form than Carrot's"):
            read_carrot(path)


@pytest.mark.parametrize("no_text", [0.5, None, [], {}, True])
def test_a_carrot_rule_whose_fields_are_no_texts_is_a_fault_of_its_table(tmp_path: Path, no_text: Any) -> None:
    path = tmp_path / "rules.json"
    for rules in (
        first(source_field=no_text),
        first(source_table=no_text),
        second(date_mapping={"source_field": [no_text], "dest_field": "observation_datetime"}),
        second(date_mapping={"source_field": "day", "dest_field": [no_text]}),
        second(concept_mappings={"code": {"x": {"observation_concept_id": 7}, "original_value": [no_text]}}),
    ):
        path.write_text(json.dumps({"cdm": rules}))
        with pytest.raises(Invalid, match="another form than Carrot's"):
            read_carrot(path)


def test_a_carrot_rule_for_a_field_that_the_table_does_not_have_names_both(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    at = {"source_table": "events.csv", "source_field": "code"}
    rules = first()
    rules["condition_occurrence"]["a"]["condition_made_up"] = at
    mapped = {"code": {"x": {"observation_made_up": 7}}}
    date = {"source_field": "day", "dest_field": "observation_made_up"}
    originals = {"code": {"x": {"observation_concept_id": 7}, "original_value": ["observation_made_up"]}}
    others = (second(concept_mappings=mapped), second(date_mapping=date), second(concept_mappings=originals))
    for wrong in (rules, *others):
        path.write_text(json.dumps({"cdm": wrong}))
        with pytest.raises(Invalid, match=r"rules\.json: cdm\.\w+: the table has no field \w+_made_up"):
            read_carrot(path)


@pytest.mark.parametrize("text", [DEEP, '{"cdm": {"a": ' * 60_000, "9" * 5000, '{"cdm": 1, "cdm": 2}', "\ufeff", "\0"])
def test_carrot_rules_that_are_no_json_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rules.json"
    path.write_text(text)
    with pytest.raises(Invalid, match=r"rules\.json"):
        read_carrot(path)


@pytest.mark.parametrize("rules", [first(), second(), first(term_mapping={"x": "7"}), first(term_mapping=7)])
def test_carrot_rules_of_both_versions_are_read(tmp_path: Path, rules: Any) -> None:
    path = tmp_path / "rules.json"
    path.write_text(json.dumps({"cdm": rules}))
    (rule,) = read_carrot(path).rules
    assert rule.tables == ("events",)


@pytest.mark.parametrize("concept", ["²", "٣", "9" * 30, "9" * 5000, "2147483648", "-1"])
def test_a_code_map_whose_target_is_no_concept_names_its_line(tmp_path: Path, concept: str) -> None:
    path = tmp_path / "maps.csv"
    path.write_text(f"source_code,source_vocabulary_id,target_concept_id\n1,L,5\n2,L,{concept}\n", encoding="utf-8")
    with pytest.raises(Invalid, match="is not a concept id") as refused:
        read_code_map(path)
    assert [fault.line for fault in refused.value.faults] == [3]


def test_a_code_map_takes_the_largest_concept_id_there_is(tmp_path: Path) -> None:
    path = tmp_path / "maps.csv"
    path.write_text("source_code,source_vocabulary_id,target_concept_id\n1,L,2147483647\n", encoding="utf-8")
    assert local_maps({"maps.csv": read_code_map(path)}, on=dt.date(2026, 1, 1))["target_concept_id"].to_pylist() == [
        2147483647
    ]


MAPPING = """
[[map]]
name = "a"
from = "events"
to = "event"
{line}
[map.code]
column = "code"
vocabulary = "SNOMED"
[map.set]
start_date = "date"
{set}
"""


@pytest.mark.parametrize(
    ("line", "given", "said"),
    [
        ("when = { code = { matches = 'a{99999999999999999999}' } }", "", "repeats too often"),
        (f"when = {{ code = {{ matches = '{'(' * 20_000}a{')' * 20_000}' }} }}", "", "nested too deeply"),
        ("", "type_concept_id = 99999999999", "is not a concept id"),
        ("", "type_concept_id = -1", "is not a concept id"),
        ("", f"type_concept_id = {'9' * 5000}", "a number too long"),
        (f"a = {DEEP}", "", "nested too deeply to be read"),
    ],
)
def test_a_mapping_that_cannot_be_carried_out_is_a_fault_when_it_is_read(
    tmp_path: Path, line: str, given: str, said: str
) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(MAPPING.format(line=line, set=given))
    document = Document(path)
    read_mapping(document)
    assert any(said in fault.message for fault in document.faults), document.faults


def test_a_range_of_columns_with_a_number_of_thousands_of_digits_is_no_range(tmp_path: Path) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(MAPPING.format(line=f'unpivot = {{ c = "{{{"9" * 5000}..1}}" }}', set=""))
    document = Document(path)
    mapping = read_mapping(document)
    assert document.faults or mapping


@pytest.mark.parametrize("text", ["", "²", "٣", "-1", "+1", " 1", "1 ", "1_0", "1" * 19, "9" * 5000])
def test_what_is_not_plain_digits_is_no_whole_number(text: str) -> None:
    assert whole_number(text) is None


def test_plain_digits_are_a_whole_number() -> None:
    assert [whole_number(text) for text in ("0", "007", "9" * 18)] == [0, 7, 10**18 - 1]


def test_a_ledgers_line_that_is_nested_without_end_is_a_fault_with_its_place(tmp_path: Path) -> None:
    (fault,) = read_on([DEEP.encode()], Chain()).faults
    assert (fault.message, fault.line) == ("is no entry of a ledger", 1)


def test_a_record_of_the_store_that_is_nested_without_end_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "extract.json").write_text(DEEP)
    with pytest.raises(Invalid, match="is damaged"):
        read_json(tmp_path / "extract.json")


LONG = 40_000


@contextmanager
def quickly() -> Iterator[None]:
    """Seconds where the square of a length would be minutes, and its cube a year."""
    began = time.process_time()
    yield
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "text",
    [
        "a = '''\n[" + " " * LONG + "'''",
        "a = ['''\n\"" + '\\"' * LONG + "''']",
        "a = '''\n'" + "[" * LONG + "'''",
        "[" + "a." * (LONG // 8) + "a]",
        "[" + " " * LONG,
    ],
)
def test_no_text_of_a_toml_file_takes_longer_than_its_length(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.toml").write_text(text)
    with quickly():
        document = Document(tmp_path / "a.toml")
        document.fault("a", "stands here")
        document.root.finish()


def test_what_looks_like_a_table_in_a_text_of_several_lines_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("a = '''\n[.]\n'''\nb = 1\n")
    document = Document(tmp_path / "a.toml")
    assert (document.faults, document.data) == ([], {"a": "[.]\n", "b": 1})


@pytest.mark.parametrize("asked", ["9" * LONG, "|" + "9" * LONG, "9" * LONG + "|", "9" * LONG + "." * LONG])
def test_no_bound_that_a_network_asks_for_takes_longer_than_its_length(asked: str) -> None:
    with quickly():
        for read in (read_range, lambda text: read_bound(text, today=dt.date(2026, 1, 1))):
            with pytest.raises(ValueError, match=r"must be|both"):
                read(asked)


def test_no_object_with_many_names_takes_longer_than_its_length() -> None:
    names = ", ".join(f'"{number}": 0' for number in range(LONG))
    with quickly(), pytest.raises(Invalid, match="has the property 'a' twice"):
        json_object(f'{{{names}, "a": 0, "a": 1}}')


def test_no_text_in_a_definition_takes_longer_than_its_length() -> None:
    with quickly():
        with pytest.raises(ValueError, match="is not a test of a field"):
            read_filter("age >=" + " " * LONG + "x")
        with pytest.raises(ValueError, match="is not a line of a concept set"):
            read_item("7" + " " * LONG + "x")
        assert joined(["“" * LONG, "b", "c, d"]).endswith("; and c, d")
        read_circe(circe_with_text("\\" * LONG))


def test_no_message_of_a_library_takes_longer_to_look_through_than_its_length() -> None:
    with quickly():
        assert storage_fault(duckdb.Error("Conversion Error: " + "a/" * LONG)) is None
        found = storage_fault(duckdb.IOException('No files found that match "/hub/store/landing/000001/a.parquet"'))
    assert found is not None and found.startswith("/hub/store/landing/000001/a.parquet is missing")


def circe_with_text(text: str) -> dict[str, Any]:
    """A definition that looks for a text."""
    event = {"DrugExposure": {"StopReason": {"Text": text, "Op": "contains"}}}
    return {
        "ConceptSets": [],
        "PrimaryCriteria": {"CriteriaList": [event], "ObservationWindow": {"PriorDays": 0, "PostDays": 0}},
    }
