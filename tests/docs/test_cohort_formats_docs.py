"""The how-to pages about other people's definitions: their examples are read, and what they call refused is refused."""

import copy
import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest

from fairhaven.cohort.definition_checks import check_definition
from fairhaven.cohort.formats.circe import read_circe
from fairhaven.cohort.formats.rquest import read_rquest
from fairhaven.kernel.errors import Invalid

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
TODAY = dt.date(2026, 11, 22)


def example(page: str) -> Any:
    (found,) = re.findall(r"```json\n(.*?)```", (HOW_TO / page).read_text(encoding="utf-8"), re.DOTALL)
    return json.loads(found)


@pytest.fixture
def circe() -> Any:
    return example("use-an-ohdsi-definition.md")


@pytest.fixture
def question() -> Any:
    return example("ask-a-discovery-question.md")


def test_the_examples_are_read(circe: Any, question: Any) -> None:
    definition = read_circe(circe)
    check_definition(definition)
    assert [rule.name for rule in definition.rules] == ["Metformin within 90 days"]
    asked = read_rquest(question, today=TODAY)
    check_definition(asked)
    assert len(asked.rules[0].group.members) == 3


def test_the_refusal_on_the_page_is_word_for_word(circe: Any) -> None:
    rules = circe["InclusionRules"]
    rules[0]["expression"]["CriteriaList"][0]["Criteria"]["DrugExposure"]["EffectiveDrugDose"] = {
        "Op": "gt",
        "Value": 1,
    }
    rules[:] = [copy.deepcopy(rules[0]) for _ in range(3)]
    with pytest.raises(Invalid) as caught:
        read_circe(circe, path="asthma.json")
    assert str(caught.value).splitlines()[2] in (HOW_TO / "use-an-ohdsi-definition.md").read_text(encoding="utf-8")


def test_every_property_that_the_page_calls_refused_is_refused(circe: Any) -> None:
    text = (HOW_TO / "use-an-ohdsi-definition.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)`(?:, `(\w+)`)? \| (`.*?) \|", text, re.MULTILINE)
    asked = {
        (kind, key): value
        for *kinds, keys in rows
        for kind in filter(None, kinds)
        for key in re.findall(r"`(\w+)`", keys)
        if (value := _ASKING.get(key)) is not None
    }
    assert len(asked) == 7
    for (kind, key), value in asked.items():
        inner: dict[str, Any] = {"CriteriaList": [{"Death": {}}]} if kind == "CustomEra" else {}
        circe["PrimaryCriteria"]["CriteriaList"] = [{kind: {**inner, key: value}}]
        with pytest.raises(Invalid) as caught:
            read_circe(circe)
        assert [fault.field for fault in caught.value.faults] == [f"PrimaryCriteria.CriteriaList[0].{kind}.{key}"]


_ASKING: dict[str, Any] = {
    "EffectiveDrugDose": {"Op": "gt", "Value": 1},
    "DoseUnit": [{"CONCEPT_ID": 1}],
    "DoseUnitCS": {"CodesetId": 0},
    "SpecimenSourceConcept": 0,
    "PlaceOfServiceLocation": 0,
    "CorrelatedCriteria": {"Type": "ALL", "Groups": [{}]},
}


@pytest.mark.parametrize(
    "rule",
    [
        {"value": "20|"},
        {"time": "50|:AGE:Y"},
        {"oper": "!="},
        {"type": "SET"},
        {"varcat": "Location"},
        {"type": "GEO_RADIUS"},
        {"unit": "years"},
    ],
)
def test_what_the_page_calls_refused_of_an_age_is_refused(question: Any, rule: Any) -> None:
    age = {"varname": "AGE", "varcat": "Person", "type": "NUM", "oper": "=", "value": "20|30"}
    question["cohort"]["groups"][0]["rules"] = [age]
    check_definition(read_rquest(question, today=TODAY))
    question["cohort"]["groups"][0]["rules"] = [age | rule]
    with pytest.raises(Invalid):
        read_rquest(question, today=TODAY)
