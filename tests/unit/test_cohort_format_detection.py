"""Definition files of every form are told apart by what they hold."""

import datetime as dt
import json
from pathlib import Path

import pytest

from fairhaven.cohort.formats.fairhaven import to_json, to_toml
from fairhaven.cohort.formats.format_detection import definition_id, read_definition
from fairhaven.cohort.model import CohortDefinition, Domain, EntryEvents, Events
from fairhaven.kernel.errors import Invalid, NotFound

TODAY = dt.date(2026, 11, 22)
OWN = CohortDefinition(name="own", entry=EntryEvents(events=(Events(domain=Domain.DEATH),)))
CIRCE = {
    "PrimaryCriteria": {
        "CriteriaList": [{"Death": {}}],
        "ObservationWindow": {"PriorDays": 0, "PostDays": 0},
        "PrimaryCriteriaLimit": {"Type": "All"},
    },
    "QualifiedLimit": {"Type": "All"},
    "ExpressionLimit": {"Type": "All"},
}
RQUEST = {"cohort": {"groups": [{"rules": [], "rules_oper": "AND"}], "groups_oper": "AND"}}


def written(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "content", "domain", "title"),
    [
        ("12.json", CIRCE, Domain.DEATH, "12"),
        ("asthma.json", {"name": "mine", "expression": CIRCE}, Domain.DEATH, "mine"),
        ("question.json", RQUEST, Domain.PERSON, "question"),
        ("own.json", to_json(OWN), Domain.DEATH, "own"),
        ("own.toml", to_toml(OWN), Domain.DEATH, "own"),
        ("without_a_suffix", to_toml(OWN), Domain.DEATH, "own"),
        ("misnamed.toml", json.dumps(CIRCE), Domain.DEATH, "misnamed"),
        ("marked.json", "\ufeff\n " + json.dumps(CIRCE), Domain.DEATH, "marked"),
    ],
)
def test_a_file_is_read_by_what_it_holds(
    tmp_path: Path, name: str, content: object, domain: Domain, title: str
) -> None:
    read = read_definition(written(tmp_path, name, content), today=TODAY)
    assert isinstance(read.entry.events[0], Events)
    assert (read.entry.events[0].domain, read.name) == (domain, title)


@pytest.mark.parametrize(
    ("name", "content", "field"),
    [
        ("a.json", "{", ""),
        ("a.json", "", ""),
        ("a.json", CIRCE | {"EndStrategy": {}}, "EndStrategy"),
        ("a.json", {"analysis": "DISTRIBUTION"}, "analysis"),
        ("a.json", {"cohort": {}}, "cohort.groups"),
        ("a.json", {"entry": 5}, "entry"),
        ("a.toml", "= 5", ""),
    ],
)
def test_a_fault_names_the_file(tmp_path: Path, name: str, content: object, field: str) -> None:
    path = written(tmp_path, name, content)
    with pytest.raises(Invalid) as caught:
        read_definition(path, today=TODAY)
    assert {fault.path for fault in caught.value.faults} == {str(path)}
    assert field in {fault.field for fault in caught.value.faults}


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_definition(tmp_path / "absent.json", today=TODAY)
    with pytest.raises(Invalid, match="cannot be read"):
        read_definition(tmp_path, today=TODAY)


@pytest.mark.parametrize(
    ("name", "number"), [("1014.json", 1014), ("007.json", 7), ("a1.json", None), ("-1.json", None), ("²", None)]
)
def test_a_definitions_id_is_its_files_name_where_that_is_a_number(name: str, number: int | None) -> None:
    assert definition_id(Path("folder") / name) == number
