"""Declarations of sources: every fault at once, each with its line."""

from pathlib import Path

import pytest

from fairhaven.intake import Format, read_source
from fairhaven.kernel.toml import Document
from tests.support.intake_hub import EVENTS

GOOD = EVENTS.format(settings="", more="")


def faults(folder: Path, text: str) -> list[str]:
    path = folder / "gp.toml"
    path.write_text(text)
    document = Document(path, "sources/gp.toml")
    assert (read_source(document) is None) == bool(document.faults)
    return [str(fault) for fault in document.faults]


def test_a_declaration_is_read_with_landed_names_and_defaults(tmp_path: Path) -> None:
    path = tmp_path / "gp.toml"
    path.write_text(GOOD)
    source = read_source(Document(path))
    assert source is not None
    assert (source.name, source.format, source.in_national_opt_out) == ("gp", Format.DELIMITED, True)
    table = source.tables["events"]
    assert (table.key, table.patient, table.withdrawn_values) == (("event_id",), "patient_id", ("D",))
    assert [column.name for column in table.columns][-1] == "birth_date"
    assert table.columns[-1].header == "born"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("value =", "value = 3 #"), "must be a type"),
        (('value = "number"', 'value = "numbr"'), "is not one of text, number"),
        (('key = ["event_id"]', 'key = ["event"]'), "refers to event, which is not among the declared columns"),
        (('patient = "patient_id"', 'patient = "pat"'), "refers to pat"),
        (('column = "status"', 'column = "state"'), "refers to state"),
        (('format = "delimited"', 'format = "csv"'), "is not one of delimited, parquet"),
        (('kind = "gp"', 'kind = "gp"\ncolour = "red"'), "colour: is not a setting here"),
        (('"%d/%m/%Y"', '"%d/%m/%Q"'), "%Q is not a directive"),
        (('"%d/%m/%Y"', '"%d/%m/%y"'), "a year of two digits needs latest"),
        (('"%d/%m/%Y"', '"dd/mm/yyyy"'), "has no % directive"),
        (('"%d/%m/%Y"', '"%-Y%m%d"'), "%-Y is not a directive"),
        (('"%d/%m/%Y"', '"%d/%m/%Y%"'), "% is not a directive"),
        (('"%d/%m/%Y"', '"%x"'), "%x is not a directive"),
        (('"%d/%m/%Y"', '"%d/%m"'), "names no year"),
        (('"%d/%m/%Y"', '"%Y-W%W"'), "%Y-W%W: says a week without its day"),
        (('value = "number"', 'value = { type = "time", formats = ["%M:%S"] }'), "names no hour"),
        (('identity = "postcode"', 'identity = "zip"'), "identity: is not one of"),
        (('type = "date", identity', 'type = "text", identity'), 'must be "date" for birth_date'),
        (('code = "text"', 'row_code = "text"'), "is a name that Fairhaven gives itself"),
        (('code = "text"', 'code = { type = "text", from = "VALUE" }'), "each column needs its own"),
        (("[tables.events]", "quarantine_limit = 3\n[tables.events]"), "must be a share from 0 to 1"),
        (("[tables.events]", '[dialect]\ndelimiter = ";;"\n[tables.events]'), "must be one ASCII character"),
        (("[tables.events]", '[dialect]\ndecimal = ","\n[tables.events]'), "must differ from the delimiter"),
        (('earliest = "1900-01-01"', 'earliest = "1900-13-01"'), "is not a date"),
        (("required = true", "required = true, optional = true"), "does not go with required"),
        (('patient = "patient_id"', ""), "the table must say its patient column"),
    ],
)
def test_a_fault_is_said_with_its_place(tmp_path: Path, change: tuple[str, str], expected: str) -> None:
    assert change[0] in GOOD
    found = faults(tmp_path, GOOD.replace(*change))
    assert any(expected in fault for fault in found), found
    assert all(fault.startswith("sources/gp.toml") for fault in found)


def test_all_faults_come_at_once_and_each_has_a_line(tmp_path: Path) -> None:
    bad = GOOD.replace('key = ["event_id"]', 'key = ["event"]').replace('"number"', '"numbr"').replace("title", "titel")
    found = faults(tmp_path, bad)
    assert len(found) == 4, found
    assert sum(":" in fault.removeprefix("sources/gp.toml")[:2] for fault in found) >= 3


def test_type_1_opt_outs_need_a_table_with_patients_and_known_columns(tmp_path: Path) -> None:
    rule = '[type_1_opt_out]\ntable = "events"\ncolumn = "codes"\ndate = "value"\nopted_out = []\n'
    found = faults(tmp_path, GOOD + rule)
    assert any("codes" in fault for fault in found)
    assert any("must be a date" in fault for fault in found)
    assert any("give at least one code" in fault for fault in found)


def test_the_digest_changes_with_what_lands_and_not_with_words(tmp_path: Path) -> None:
    def digest(text: str) -> str:
        path = tmp_path / "gp.toml"
        path.write_text(text)
        source = read_source(Document(path))
        assert source is not None
        return source.digest

    assert digest(GOOD) == digest(GOOD.replace("Riverside Surgery", "Hillside Surgery"))
    assert digest(GOOD) != digest(GOOD.replace('value = "number"', 'value = "text"'))


@pytest.mark.parametrize(
    ("form", "said"), [("%-Y%m%d", "is not a directive"), ("%d/%m/%y", "two digits"), ("%d %b", "no year")]
)
def test_forms_of_days_of_a_cdm_are_checked_as_those_of_a_column(tmp_path: Path, form: str, said: str) -> None:
    text = 'title = "P"\ncontroller = "c"\nkind = "cdm"\nformat = "omop"\n[dialect]\ndates = ["%d.%m.%Y", "FORM"]\n'
    (fault,) = faults(tmp_path, text.replace("FORM", form))
    assert fault.startswith("sources/gp.toml:6") and said in fault


def test_fhir_needs_no_tables_and_takes_none(tmp_path: Path) -> None:
    head = 'title = "x"\ncontroller = "c"\nkind = "hospital"\nformat = "fhir"\n'
    assert faults(tmp_path, head) == []
    assert any("does not go with" in fault for fault in faults(tmp_path, head + "[tables.a.columns]\nb = 'text'\n"))


def test_a_version_of_fhir_is_one_that_is_read_and_belongs_to_fhir(tmp_path: Path) -> None:
    head = 'title = "a"\ncontroller = "c"\nkind = "hospital"\nformat = "fhir"\n'
    assert faults(tmp_path, head + 'fhir_version = "STU3"\n') == []
    assert any("STU3, R4, R5" in fault for fault in faults(tmp_path, head + 'fhir_version = "DSTU2"\n'))
    assert any("does not go with" in fault for fault in faults(tmp_path, 'fhir_version = "R4"\n' + GOOD))
