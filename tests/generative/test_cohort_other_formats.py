"""Whatever stands in a definition of somebody else's, it is read to one that can be run or refused with places."""

import copy
import datetime as dt
import json
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fairhaven.cohort.definition_checks import check_definition
from fairhaven.cohort.formats.circe import read_circe
from fairhaven.cohort.formats.rquest import read_rquest
from fairhaven.cohort.model import CohortDefinition
from fairhaven.kernel.errors import Fault, Invalid
from tests.support.examples import examples

TODAY = dt.date(2026, 11, 22)
CONCEPTS = [{"CONCEPT_ID": 5, "CONCEPT_NAME": "x"}]
RANGE = {"Op": "bt", "Value": 1, "Extent": 5}
WINDOW = {"Start": {"Days": 30, "Coeff": -1}, "End": {"Coeff": 1}, "UseEventEnd": False}
CIRCE: dict[str, Any] = {
    "ConceptSets": [{"id": 0, "name": "s", "expression": {"items": [{"concept": CONCEPTS[0], "isExcluded": False}]}}],
    "PrimaryCriteria": {
        "CriteriaList": [
            {"ConditionOccurrence": {"CodesetId": 0, "Age": RANGE, "Gender": CONCEPTS, "GenderCS": {"CodesetId": 0}}},
            {"CustomEra": {"CriteriaList": [{"DrugEra": {"EraLength": RANGE}}], "GapDays": 3}},
            {"ObservationPeriod": {"UserDefinedPeriod": {"StartDate": "2010-01-01"}}},
        ],
        "ObservationWindow": {"PriorDays": 0, "PostDays": 0},
        "PrimaryCriteriaLimit": {"Type": "All"},
    },
    "AdditionalCriteria": {"Type": "AT_LEAST", "Count": 1, "DemographicCriteriaList": [{"Age": RANGE}]},
    "QualifiedLimit": {"Type": "First"},
    "InclusionRules": [
        {
            "name": "r",
            "expression": {
                "Type": "ALL",
                "Groups": [{"Type": "ANY", "CriteriaList": []}],
                "CriteriaList": [
                    {
                        "Criteria": {
                            "Measurement": {
                                "ValueAsNumber": RANGE,
                                "DateAdjustment": {"StartWith": "END_DATE", "StartOffset": 3},
                                "CorrelatedCriteria": {"Type": "ALL", "DemographicCriteriaList": [{}]},
                            }
                        },
                        "StartWindow": WINDOW,
                        "EndWindow": WINDOW,
                        "Occurrence": {"Type": 2, "Count": 1, "IsDistinct": True, "CountColumn": "START_DATE"},
                        "RestrictVisit": True,
                    }
                ],
            },
        }
    ],
    "EndStrategy": {"CustomEra": {"DrugCodesetId": 0, "GapDays": 30, "Offset": 0}},
    "CensoringCriteria": [{"Observation": {"ValueAsString": {"Text": "a", "Op": "contains"}}}],
    "CensorWindow": {"StartDate": "2010-01-01"},
}
PERSON = {"varname": "OMOP", "varcat": "Person", "type": "TEXT", "oper": "!=", "value": "8532", "time": "50|:AGE:Y"}
AGE = {"varname": "AGE", "varcat": "Person", "type": "NUM", "oper": "=", "value": "20|30"}
VALUE = {"varname": "OMOP=7", "varcat": "Measurement", "type": "NUM", "oper": "=", "value": "1.0|3.0"}
CONDITION = {"varname": "OMOP", "varcat": "Condition", "value": "9", "time": "|6:TIME:M", "secondary_modifier": [32020]}
RQUEST: dict[str, Any] = {
    "cohort": {
        "groups": [{"rules": [PERSON, AGE], "rules_oper": "OR"}, {"rules": [VALUE, CONDITION], "rules_oper": "AND"}],
        "groups_oper": "AND",
    }
}

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(
        ["", "null", "All", "bt", "5", "5.5", "1e5", "2010-01-01", "START_DATE", "\ud800", "5|6", "|5:AGE:Y"]
    )
    | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["Op", "Value", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def ways(part: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a document."""
    inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    return [way, *(found for key, value in inner for found in ways(value, (*way, key)))]


@st.composite
def spoilt(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """The document with one to three of its values put in place of by others, or taken out."""
    found = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from([each for each in ways(found) if each] or [("x",)]))
        part: Any = found
        for step in way:
            part = part[step]
        if draw(st.booleans()):
            part[last] = draw(values)
        elif isinstance(part, dict):
            part.pop(last, None)
    return found


def faults_of(read: Callable[[], CohortDefinition]) -> tuple[Fault, ...]:
    """Why something is refused; nothing where it is read to a definition that can be run."""
    try:
        definition = read()
    except Invalid as invalid:
        return invalid.faults
    check_definition(definition)
    return ()


def test_the_documents_that_are_spoilt_here_are_right() -> None:
    check_definition(read_circe(CIRCE))
    check_definition(read_rquest(RQUEST, today=TODAY))


@examples(150)
@given(spoilt(CIRCE))
def test_a_circe_definition_can_be_run_or_is_refused(document: dict[str, Any]) -> None:
    assert all(fault.field for fault in faults_of(lambda: read_circe(document)))


@examples(100)
@given(spoilt(RQUEST))
def test_an_availability_question_can_be_run_or_is_refused(document: dict[str, Any]) -> None:
    assert all(fault.field for fault in faults_of(lambda: read_rquest(document, today=TODAY)))


@examples(80)
@given(st.binary(max_size=60) | st.text(max_size=60) | values.map(json.dumps))
def test_any_bytes_and_texts_are_refused(content: bytes | str) -> None:
    for read in (read_circe, lambda value: read_rquest(value, today=TODAY)):
        try:
            read(content)
        except Invalid:
            continue
        raise AssertionError("something was read from nothing")
