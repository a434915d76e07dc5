"""Free text neither lands nor is released, unless it is declared to be a text of a list."""

import json
from dataclasses import replace
from pathlib import Path

import duckdb
import ibis
import pyarrow as pa
import pytest

from fairhaven.harmonise.mapping_file import read_mapping
from fairhaven.harmonise.mapping_rows import mapped_rows, texts_read, withheld_texts, words_named
from fairhaven.harmonise.model import SourceTables
from fairhaven.harmonise.numbered_rules import number_rules, rows_of_sources
from fairhaven.identifiers.withheld import FREE_TEXT
from fairhaven.intake import ReadTexts
from fairhaven.kernel.progress import Silent
from fairhaven.kernel.toml import Document
from tests.support.intake_hub import HEADER, Hub

HEAD = 'title = "x"\ncontroller = "c"\nkind = "{kind}"\nformat = "{format}"\n'
SAID = "lives alone, her son helps"
RULE = """
[[map]]
name = "event"
from = "events"
to = "observation"
{coded}
[map.code]
column = "code"
vocabulary = "CLD"
[map.set]
start_date = "day"
{column} = {value}
sig = {{ value = "one a day" }}
"""


def _value_text(folder: Path, value: str, coded: str = "", *, column: str = "value_text") -> list[str | None]:
    path = folder / "a.toml"
    path.write_text(RULE.format(value=value, coded=coded, column=column))
    document = Document(path, "mappings/a.toml")
    mapping = read_mapping(document)
    assert mapping is not None and not document.faults, document.faults
    events = ibis.memtable(
        pa.table(
            {
                "row_key": [1, 2, 3],
                "row_extract": pa.array([1, 1, 1], pa.int32()),
                "row_line": [1, 2, 3],
                "patient_ref": ["a", "a", "a"],
                "code": ["x", "y", "z"],
                "day": pa.array([0, 0, 0], pa.date32()),
                "said": [SAID, "7.5", None],
                "number": [1, 2, 3],
            }
        )
    )
    source = SourceTables(name="s", kind="gp", format="delimited", tables={"events": events}, mapping=[mapping])
    (rows,) = rows_of_sources(number_rules([(source, mapped_rows([mapping], source.tables))]), "event")
    found = ibis.duckdb.connect().to_pyarrow(rows.order_by("row_key"))
    assert set(found["sig"].to_pylist()) == {"one a day"}
    texts: list[str | None] = found[column].to_pylist()
    return texts


@pytest.mark.parametrize("value", ['"said"', '{ first = ["said", "code"] }', '{ column = "said", upper = true }'])
@pytest.mark.parametrize("column", ["value_text", "source_value"])
def test_a_text_that_a_rule_does_not_declare_coded_is_withheld_and_numbers_stay(
    tmp_path: Path, value: str, column: str
) -> None:
    assert _value_text(tmp_path, value, column=column)[:2] == [FREE_TEXT, "7.5"]


@pytest.mark.parametrize(
    ("value", "coded", "kept"),
    [
        ('"said"', 'coded = ["said"]', [SAID, "7.5", None]),
        ('{ first = ["said", "code"] }', 'coded = ["said"]', [SAID, "7.5", "z"]),
        ('{ column = "said", map = { "7.5" = "high" } }', "", [None, "high", None]),
        ('"number"', "", ["1", "2", "3"]),
        ('"code"', "", ["x", "y", "z"]),
        ('"said"', f'when = {{ said = ["{SAID}", "lives with him"] }}', [SAID]),
    ],
)
def test_what_is_declared_coded_and_what_can_be_no_free_text_is_released(
    tmp_path: Path, value: str, coded: str, kept: list[str | None]
) -> None:
    assert _value_text(tmp_path, value, coded) == kept


@pytest.mark.parametrize(
    ("value", "coded", "warned"),
    [
        ('{ first = ["said", "code"] }', "", ["value_text may be free text", 'add coded = ["said"]']),
        ('"said"', 'coded = ["said"]', []),
        ('"number"', "", []),
        ('{ column = "said", map = { "7.5" = "high" } }', "", []),
    ],
)
def test_which_rules_texts_are_withheld_is_said_when_the_hub_is_checked(
    tmp_path: Path, value: str, coded: str, warned: list[str]
) -> None:
    path = tmp_path / "a.toml"
    path.write_text(RULE.format(value=value, coded=coded, column="value_text"))
    mapping = read_mapping(Document(path, "mappings/a.toml"))
    assert mapping is not None
    faults = [str(fault) for fault in withheld_texts(mapping.rules, {"events": frozenset({"said", "code"})})]
    assert len(faults) == bool(warned)
    assert all(words in faults[0] for words in warned)


def test_a_rule_that_declares_a_column_coded_which_the_table_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="has no column remark"):
        _value_text(tmp_path, '"said"', 'coded = ["remark"]')


@pytest.mark.parametrize(
    ("coded", "condition", "wanted"),
    [
        ("", {"code": {"text": SAID}}, FREE_TEXT),
        ("", {"code": {"text": "7.5"}}, "7.5"),
        ("", {"code": {"text": "Asthma", "coding": [{"code": "195967001"}]}}, "Asthma"),
        ('coded = ["condition.code_text"]\n', {"code": {"text": SAID}}, SAID),
    ],
)
def test_the_words_of_a_fhir_concept_without_a_code_are_free_text(
    tmp_path: Path, coded: str, condition: dict[str, object], wanted: str
) -> None:
    hub = Hub(tmp_path)
    resource = {"resourceType": "Condition", "id": "1", "subject": {"reference": "Patient/1"}, **condition}
    hub.receive(
        hub.source(HEAD.format(kind="hospital", format="fhir") + coded, "trust"), json.dumps(resource), "o.ndjson"
    )
    assert hub.landed(1, "condition")[0]["code_text"] == wanted


@pytest.mark.parametrize("coded", ["", 'coded = ["observation.value_text"]\n'])
def test_a_fhir_value_string_lands_only_where_the_source_declares_it_coded(tmp_path: Path, coded: str) -> None:
    hub = Hub(tmp_path)
    observation = {
        "resourceType": "Observation",
        "id": "1",
        "status": "final",
        "subject": {"reference": "Patient/1"},
        "valueString": SAID,
        "component": [{"valueString": SAID}],
    }
    receipt = hub.receive(
        hub.source(HEAD.format(kind="hospital", format="fhir") + coded, "trust"), json.dumps(observation), "o.ndjson"
    )
    withheld = {name: dict(count.withheld) for name, count in receipt.extracts[0].tables.items()}
    assert withheld["observation"] == ({} if coded else {"value_text": 1})
    assert withheld["observation_component"] == {"value_text": 1}
    assert hub.landed(1, "observation")[0]["value_text"] == (SAID if coded else FREE_TEXT)
    assert hub.landed(1, "observation_component")[0]["value_text"] == FREE_TEXT


@pytest.mark.parametrize("coded", ["", 'coded = ["observation.value_as_string"]\n'])
def test_a_partners_texts_and_serials_land_only_where_the_source_declares_them_coded(
    tmp_path: Path, coded: str
) -> None:
    folder = tmp_path / "cdm"
    folder.mkdir()
    tables = {
        "person": "SELECT 1 AS person_id, 8507 AS gender_concept_id, 1953 AS year_of_birth",
        "observation": f"SELECT n AS observation_id, 1 AS person_id, 0 AS observation_concept_id, DATE '2020-01-01' AS observation_date, "
        f"text AS value_as_string, text AS value_source_value FROM (VALUES (1, '{SAID}'), (2, '7.5')) t(n, text)",
        "device_exposure": "SELECT 1 AS device_exposure_id, 1 AS person_id, 0 AS device_concept_id, "
        "DATE '2020-01-01' AS device_exposure_start_date, '(01)08717648200274(21)A1' AS unique_device_id",
    }
    for name, query in tables.items():
        duckdb.execute(f"COPY ({query}) TO '{folder}/{name}.parquet' (FORMAT parquet)")
    hub = Hub(tmp_path)
    hub.deliver(hub.source(HEAD.format(kind="cdm", format="omop") + coded, "partner"), [folder])
    first, second = hub.landed(1, "observation")
    assert (first["value_as_string"], second["value_as_string"]) == (SAID if coded else FREE_TEXT, "7.5")
    assert (first["value_source_value"], second["value_source_value"]) == (FREE_TEXT, "7.5")
    assert hub.landed(1, "device_exposure")[0]["unique_device_id"] == FREE_TEXT


@pytest.mark.parametrize(
    ("more", "plain", "free"),
    [
        ('value_text = "said"', {"code", "day"}, {"said"}),
        ('value_text = "said"\nvalue_number = "said"', {"code", "day", "said"}, set()),
        ('value_text = { column = "said", map = { "7.5" = "high" } }', {"code", "day", "said"}, set()),
        ('value_text = { first = ["said", "code"] }\nvisit_ref = "visit"', {"code", "day", "visit"}, {"said"}),
        ('value_number = "number"', {"code", "day", "number"}, set()),
    ],
)
def test_which_texts_a_rule_reads_and_which_it_passes_on_as_free_text(
    tmp_path: Path, more: str, plain: set[str], free: set[str]
) -> None:
    path = tmp_path / "a.toml"
    path.write_text(RULE.format(coded="", column="unit", value="{ value = 'mg' }") + more + "\n")
    document = Document(path, "mappings/a.toml")
    mapping = read_mapping(document)
    assert mapping is not None and not document.faults, document.faults
    assert texts_read(mapping.rules[0]) == (frozenset(plain), frozenset(free))


def test_of_a_declared_table_only_texts_that_rules_read_land_and_another_mapping_lands_it_again(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    source = hub.events(more='said = { type = "text", optional = true }\nseen = { type = "text", optional = true }')
    free = replace(source, reads={"events": ReadTexts(plain=frozenset({"code"}), free=frozenset({"said"}))})
    rows = (
        HEADER.rstrip("\n")
        + ",said,seen,status\n1,p1,2020-01-01,5,x,lives alone,Tuesdays,A\n2,p1,2020-01-01,5,y,7.5,,A\n"
    )
    receipt = hub.receive(free, rows)
    landed = [[row[name] for name in ("event_id", "code", "said", "seen", "status")] for row in hub.landed()]
    # The key, what says that a row is taken back, and measured numbers stay.
    assert landed == [["1", "x", FREE_TEXT, FREE_TEXT, "A"], ["2", "y", "7.5", None, "A"]]
    assert receipt.extracts[0].tables["events"].withheld == {"said": 1}
    keys = [row["row_key"] for row in hub.landed()]
    read = replace(source, reads={"events": ReadTexts(plain=frozenset({"code", "said"}), free=frozenset())})
    for again, wanted in (
        (read, ["lives alone", "7.5"]),
        (replace(source, reads={}), [FREE_TEXT] * 2),
        (replace(source, reads={"events": None}), ["lives alone", "7.5"]),
    ):
        assert hub.intake.land_again(again, vault=hub.vault, progress=Silent()) == (1,)
        assert hub.intake.land_again(again, vault=hub.vault, progress=Silent()) == ()
        assert [row["said"] for row in hub.landed()] == wanted
        assert [row["row_key"] for row in hub.landed()] == keys


def test_words_that_a_rule_names_are_known_by_their_column(tmp_path: Path) -> None:
    path = tmp_path / "gp.toml"
    path.write_text(
        """
        [[map]]
        name = "results"
        from = "events"
        to = "measurement"
        when = { state = { not = "Refuted" }, sent = "Final", n = 3 }
        [map.code]
        column = "code"
        vocabulary = { column = "scheme", map = { R = "Read" } }
        [map.set]
        start_date = "day"
        unit = "units"
        """
    )
    document = Document(path, "mappings/gp.toml")
    mapping = read_mapping(document)
    assert mapping, document.faults
    words = words_named(mapping.rules[0])
    assert {"Cel", "mmhg"} < words.pop("units")
    assert words == {"state": {"Refuted"}, "sent": {"Final"}, "scheme": {"R"}}
