"""What is wrong with a Circe definition, each fault with its place, all of them at once."""

import copy
import json
import math
from typing import Any

import pytest

from fairhaven.cohort.formats.circe import read_circe
from fairhaven.kernel.errors import Invalid

DEFINITION: dict[str, Any] = {
    "ConceptSets": [{"id": 0, "name": "s", "expression": {"items": [{"concept": {"CONCEPT_ID": 5}}]}}],
    "PrimaryCriteria": {
        "CriteriaList": [{"ConditionOccurrence": {"CodesetId": 0}}],
        "ObservationWindow": {"PriorDays": 0, "PostDays": 0},
        "PrimaryCriteriaLimit": {"Type": "All"},
    },
    "InclusionRules": [
        {
            "name": "r",
            "expression": {
                "Type": "ALL",
                "CriteriaList": [
                    {
                        "Criteria": {"DrugExposure": {"CodesetId": 0}},
                        "StartWindow": {"Start": {"Coeff": -1}, "End": {"Coeff": 1}},
                        "Occurrence": {"Type": 2, "Count": 1},
                    }
                ],
            },
        }
    ],
}
ENTRY = "PrimaryCriteria.CriteriaList[0]"
RULE = "InclusionRules[0].expression"
CORRELATED = f"{RULE}.CriteriaList[0]"
DRUG = f"{CORRELATED}.Criteria.DrugExposure"
REGION = {"LocationRegion": {"CodesetId": 0}}
DISTINCT = {"Type": 2, "Count": 1, "IsDistinct": True}
NAN = math.nan


def changed(place: str, value: Any) -> dict[str, Any]:
    """The definition with a value put at a place."""
    found = copy.deepcopy(DEFINITION)
    *way, last = place.replace("[", ".[").split(".")
    part: Any = found
    for step in way:
        part = part[int(step[1:-1])] if step.startswith("[") else part.setdefault(step, {})
    part[int(last[1:-1]) if last.startswith("[") else last] = value
    return found


def faults(value: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        read_circe(value, path="c.json")
    assert all(fault.path == "c.json" for fault in caught.value.faults)
    found = {fault.field: fault.message for fault in caught.value.faults}
    assert len(found) == len(caught.value.faults), "one place has two faults"
    return found


def test_the_definition_that_is_spoilt_here_is_right() -> None:
    assert read_circe(DEFINITION).rules[0].name == "r"


PLACES: list[tuple[str, Any, str, str]] = [
    # What is changed, to what, where the fault is seen, and a word of it.
    ("PrimaryCriteria", None, "PrimaryCriteria", "missing"),
    ("PrimaryCriteria", [], "PrimaryCriteria", "object"),
    ("PrimaryCriteria.CriteriaList", [], "PrimaryCriteria.CriteriaList", "empty"),
    ("PrimaryCriteria.CriteriaList", {}, "PrimaryCriteria.CriteriaList", "list"),
    ("PrimaryCriteria.CriteriaList", [None], ENTRY, "object"),
    ("PrimaryCriteria.ObservationWindow", None, "PrimaryCriteria.ObservationWindow", "missing"),
    ("PrimaryCriteria.ObservationWindow.PriorDays", -1, "PrimaryCriteria.ObservationWindow.PriorDays", "0 days"),
    ("PrimaryCriteria.ObservationWindow.PriorDays", 10**9, "PrimaryCriteria.ObservationWindow.PriorDays", "calendar"),
    ("PrimaryCriteria.PrimaryCriteriaLimit", None, "PrimaryCriteria.PrimaryCriteriaLimit", "missing"),
    ("PrimaryCriteria.PrimaryCriteriaLimit.Type", None, "PrimaryCriteria.PrimaryCriteriaLimit.Type", "All"),
    ("ExpressionLimit", None, "ExpressionLimit", "missing"),
    ("CollapseSettings", None, "CollapseSettings", "missing"),
    ("CollapseSettings", {"CollapseType": "WEEK"}, "CollapseSettings.CollapseType", "ERA"),
    ("CensorWindow", {"StartDate": ""}, "CensorWindow.StartDate", "date"),
    ("CensorWindow", {"StartDate": "2010-02-30"}, "CensorWindow.StartDate", "date"),
    ("CensorWindow", {"StartDate": "2010-02-03", "EndDate": "2009-02-03"}, "CensorWindow.EndDate", "before"),
    (ENTRY, {}, ENTRY, "one property"),
    (ENTRY, {"Death": {}, "DrugEra": {}}, ENTRY, "one property"),
    (ENTRY, {"Death": None}, f"{ENTRY}.Death", "missing"),
    (ENTRY, {"Birth": {}}, f"{ENTRY}.Birth", "kind"),
    (ENTRY, REGION, f"{ENTRY}.LocationRegion", "LOCATION_HISTORY"),
    (ENTRY, {"CustomEra": {"CriteriaList": []}}, f"{ENTRY}.CustomEra.CriteriaList", "at least one"),
    (
        ENTRY,
        {"CustomEra": {"CriteriaList": [{"Death": {}}], "CorrelatedCriteria": {"Type": "ALL", "Groups": [{}]}}},
        f"{ENTRY}.CustomEra.CorrelatedCriteria",
        "no effect",
    ),
    (ENTRY, {"Death": {"First": True}}, f"{ENTRY}.Death.First", "not known"),
    (ENTRY, {"Specimen": {"SpecimenSourceConcept": 0}}, f"{ENTRY}.Specimen.SpecimenSourceConcept", "source concept"),
    (
        ENTRY,
        {"VisitOccurrence": {"PlaceOfServiceLocation": 0}},
        f"{ENTRY}.VisitOccurrence.PlaceOfServiceLocation",
        "care site",
    ),
    (
        ENTRY,
        {"VisitOccurrence": {"PlaceOfServiceCS": {"IsExclusion": True}}},
        f"{ENTRY}.VisitOccurrence.PlaceOfServiceCS",
        "looks the same",
    ),
    (f"{DRUG}.EffectiveDrugDose", {"Op": "gt", "Value": 1}, f"{DRUG}.EffectiveDrugDose", "dose"),
    (f"{DRUG}.DoseUnit", [{"CONCEPT_ID": 1}], f"{DRUG}.DoseUnit", "dose"),
    (f"{DRUG}.VisitTypeCS", {"IsExclusion": True}, f"{DRUG}.VisitTypeCS", "looks the same"),
    (f"{DRUG}.ProviderSpecialtyCS", {"IsExclusion": True}, f"{DRUG}.ProviderSpecialtyCS", "looks the same"),
    (f"{DRUG}.VisitTypeExclude", True, f"{DRUG}.VisitTypeExclude", "not known"),
    (f"{DRUG}.codesetId", 0, f"{DRUG}.codesetId", "not known"),
    (f"{DRUG}.CodesetId", 7, f"{DRUG}.CodesetId", "not among ConceptSets"),
    (f"{DRUG}.CodesetId", "x", f"{DRUG}.CodesetId", "number"),
    (f"{DRUG}.CodesetId", True, f"{DRUG}.CodesetId", "number"),
    (f"{DRUG}.CodesetId", 10**30, f"{DRUG}.CodesetId", "2147483647"),
    (f"{DRUG}.First", "yes", f"{DRUG}.First", "true or false"),
    (f"{DRUG}.Age", 5, f"{DRUG}.Age", "object"),
    (f"{DRUG}.Age", {"Op": "gt"}, f"{DRUG}.Age.Value", "missing"),
    (f"{DRUG}.Age", {"Op": "bt", "Value": 1}, f"{DRUG}.Age.Extent", "missing"),
    (f"{DRUG}.Age", {"Op": "bt", "Value": 5, "Extent": 1}, f"{DRUG}.Age.Extent", "before"),
    (f"{DRUG}.Age", {"Op": "over", "Value": 1}, f"{DRUG}.Age.Op", "gte"),
    (f"{DRUG}.Age", {"Value": 1}, f"{DRUG}.Age.Op", "gte"),
    (f"{DRUG}.Age", {"Op": "gt", "Value": NAN}, f"{DRUG}.Age.Value", "finite"),
    (f"{DRUG}.Age", {"Op": "gt", "Value": 1e300}, f"{DRUG}.Age.Value", "2147483647"),
    (f"{DRUG}.Age", {"Op": "gt", "Value": 1, "Unit": "y"}, f"{DRUG}.Age.Unit", "not known"),
    (f"{DRUG}.Quantity", {"Op": "gt", "Value": 1e16}, f"{DRUG}.Quantity.Value", "too large"),
    (f"{DRUG}.Gender", 8507, f"{DRUG}.Gender", "list"),
    (f"{DRUG}.Gender", [8507], f"{DRUG}.Gender[0]", "object"),
    (f"{DRUG}.Gender", [{"CONCEPT_ID": None}], f"{DRUG}.Gender[0].CONCEPT_ID", "missing"),
    (f"{DRUG}.Gender", [{"CONCEPT_ID": -1}], f"{DRUG}.Gender[0].CONCEPT_ID", "no concept id"),
    (f"{DRUG}.StopReason", {"Op": "like", "Text": "x"}, f"{DRUG}.StopReason.Op", "startsWith"),
    (f"{DRUG}.StopReason", {"Op": "eq"}, f"{DRUG}.StopReason.Text", "missing"),
    (f"{DRUG}.StopReason", {"Op": "eq", "Text": "\ud800"}, f"{DRUG}.StopReason.Text", "surrogate"),
    (f"{DRUG}.OccurrenceStartDate", {"Op": "gt", "Value": "2010"}, f"{DRUG}.OccurrenceStartDate.Value", "date"),
    (f"{DRUG}.DateAdjustment", {"StartWith": "MIDDLE"}, f"{DRUG}.DateAdjustment.StartWith", "END_DATE"),
    (f"{DRUG}.DateAdjustment", {"StartWith": 2}, f"{DRUG}.DateAdjustment.StartWith", "END_DATE"),
    (f"{CORRELATED}.Criteria", None, f"{CORRELATED}.Criteria", "missing"),
    (f"{CORRELATED}.StartWindow", None, f"{CORRELATED}.StartWindow", "missing"),
    (f"{CORRELATED}.StartWindow.End", None, f"{CORRELATED}.StartWindow.End", "missing"),
    (f"{CORRELATED}.StartWindow.End.Coeff", 3, f"{CORRELATED}.StartWindow.End.Coeff", "-1"),
    (f"{CORRELATED}.Occurrence", None, f"{CORRELATED}.Occurrence", "missing"),
    (f"{CORRELATED}.Occurrence.Type", 3, f"{CORRELATED}.Occurrence.Type", "at most"),
    (f"{CORRELATED}.Occurrence.Count", -1, f"{CORRELATED}.Occurrence.Count", "0 or more"),
    (
        f"{CORRELATED}.Occurrence",
        DISTINCT | {"CountColumn": "VISIT_DETAIL_ID"},
        f"{CORRELATED}.Occurrence.CountColumn",
        "VISIT_ID",
    ),
    (
        f"{CORRELATED}.Occurrence",
        DISTINCT | {"CountColumn": "RANGE_LOW"},
        f"{CORRELATED}.Occurrence.CountColumn",
        "DAYS_SUPPLY",
    ),
    (f"{CORRELATED}.Occurrence", DISTINCT | {"CountColumn": "X"}, f"{CORRELATED}.Occurrence.CountColumn", "one of"),
    (f"{CORRELATED}.Other", 1, f"{CORRELATED}.Other", "not known"),
    (f"{RULE}.Type", "SOME", f"{RULE}.Type", "AT_LEAST"),
    (f"{RULE}.Type", None, f"{RULE}.Type", "AT_LEAST"),
    (f"{RULE}.Type", "AT_LEAST", f"{RULE}.Count", "how many"),
    ("InclusionRules[0].expression", None, "InclusionRules[0].expression", "missing"),
    ("EndStrategy", {"DateOffset": {"DateField": None}}, "EndStrategy.DateOffset.DateField", "StartDate"),
    ("EndStrategy", {"CustomEra": {}}, "EndStrategy.CustomEra.DrugCodesetId", "missing"),
    ("EndStrategy", {"Never": {}}, "EndStrategy.Never", "CustomEra"),
    ("ConceptSets[0].id", None, "ConceptSets[0].id", "missing"),
    ("ConceptSets[0].expression", None, "ConceptSets[0].expression", "missing"),
    ("ConceptSets[0].expression", {}, "ConceptSets[0].expression.items", "missing"),
    ("ConceptSets[0].expression.items", [{"concept": {}}], "ConceptSets[0].expression.items[0].concept.CONCEPT_ID", ""),
    ("ConceptSets[0].expression.items[0].excluded", True, "ConceptSets[0].expression.items[0].excluded", "not known"),
    ("Inclusionrules", [{}], "Inclusionrules", "not known"),
]


@pytest.mark.parametrize(("place", "value", "field", "word"), PLACES, ids=lambda each: str(each)[-60:])
def test_a_fault_is_seen_where_it_is(place: str, value: Any, field: str, word: str) -> None:
    found = faults(changed(place, value))
    assert word in found.get(field, "no fault there"), found


def test_every_fault_is_told_at_once() -> None:
    value = changed(f"{DRUG}.EffectiveDrugDose", {"Op": "gt", "Value": 1})
    value["PrimaryCriteria"]["CriteriaList"] = []
    value["InclusionRules"][0]["expression"]["Type"] = "SOME"
    value["EndStrategy"] = {"CustomEra": {"DrugCodesetId": 9}}
    assert faults(value).keys() == {
        "PrimaryCriteria.CriteriaList",
        f"{DRUG}.EffectiveDrugDose",
        f"{RULE}.Type",
        "EndStrategy.CustomEra.DrugCodesetId",
    }


def test_two_concept_sets_of_one_id_are_a_fault() -> None:
    value = copy.deepcopy(DEFINITION)
    value["ConceptSets"] *= 2
    assert faults(value).keys() == {"ConceptSets[1].id"}


def test_places_inside_a_wrapping_name_it() -> None:
    value = {"name": "n", "expression": changed("Inclusionrules", [{}])}
    assert faults(value).keys() == {"expression.Inclusionrules"}
    assert faults(value | {"expression": "{"}).keys() == {"expression"}
    assert faults({"name": "n", "expression": 5}).keys() == {"PrimaryCriteria", "expression"}


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"[]", "JSON object"),
        (b"null", "JSON object"),
        (b'{"PrimaryCriteria": NaN}', "NaN is no number"),
        (b'{"PrimaryCriteria": -Infinity}', "-Infinity is no number"),
        (b'{"ConceptSets": [{"id": 0, "id": 1}]}', "an object has the property 'id' twice"),
        (b'{"PrimaryCriteria": ' + b"9" * 5000 + b"}", "too long"),
        (b"\xff\xfe{}", "UTF-8"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "deep"),
        (b"[" * 100_000, "deep"),
    ],
    ids=range(11),
)
def test_what_is_no_json_object_is_a_fault(content: bytes, word: str) -> None:
    with pytest.raises(Invalid, match=word):
        read_circe(content, path="c.json")


def test_a_number_beyond_all_floats_is_a_fault() -> None:
    text = json.dumps(changed(f"{DRUG}.Age", {"Op": "gt", "Value": 0.5})).replace("0.5", "1e999")
    assert faults(text) == {f"{DRUG}.Age.Value": "is no finite number"}


@pytest.mark.parametrize("depth", [50, 60, 300, 5000])
def test_groups_in_groups_are_read_to_a_depth_and_refused_beyond(depth: int) -> None:
    group: dict[str, Any] = {}
    for _ in range(depth):
        group = {"Type": "ANY", "Groups": [group]}
    value = changed("InclusionRules[0].expression", group)
    if depth == 50:
        assert read_circe(value).rules
    else:
        assert "deep" in next(iter(faults(value).values()))
