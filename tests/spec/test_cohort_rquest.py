"""What each rule of a Cohort Discovery question says in the cohort language, and which are refused."""

import datetime as dt
from typing import Any

import pytest

from fairhaven.cohort.formats.rquest import read_rquest
from fairhaven.cohort.model import (
    Compare,
    Dates,
    Demographic,
    Domain,
    Filter,
    Group,
    InclusionRule,
    Match,
)
from fairhaven.kernel.errors import Invalid
from tests.support.cohort_parts import NONE, PERSONS, ever, number, one_of

TODAY = dt.date(2026, 3, 31)


def question(*groups: dict[str, Any], oper: str = "AND") -> dict[str, Any]:
    return {"uuid": "u", "owner": "o", "cohort": {"groups": list(groups), "groups_oper": oper}}


def group(*rules: Any, oper: str = "AND") -> dict[str, Any]:
    return {"rules": list(rules), "rules_oper": oper}


def concept(category: str, number: str = "7", **more: Any) -> dict[str, Any]:
    return {"varname": "OMOP", "varcat": category, "type": "TEXT", "oper": "=", "value": number, **more}


def member(rule: dict[str, Any]) -> Any:
    """What a rule alone is read to."""
    (read,) = read_rquest(question(group(rule)), today=TODAY).rules[0].group.members
    return read


@pytest.mark.parametrize(
    ("category", "domain", "column"),
    [
        ("Condition", Domain.CONDITION_OCCURRENCE, "condition_concept_id"),
        ("Death", Domain.DEATH, "cause_concept_id"),
        ("Drug", Domain.DRUG_EXPOSURE, "drug_concept_id"),
        ("Measurement", Domain.MEASUREMENT, "measurement_concept_id"),
        ("Observation", Domain.OBSERVATION, "observation_concept_id"),
        ("Procedure", Domain.PROCEDURE_OCCURRENCE, "procedure_concept_id"),
        ("Specimen", Domain.SPECIMEN, "specimen_concept_id"),
    ],
)
def test_a_rule_looks_for_the_concept_itself_in_the_table_it_names(category: str, domain: Domain, column: str) -> None:
    assert member(concept(category)) == ever(domain, None, one_of(column, 7))
    assert member(concept(category, oper="!=")) == ever(domain, None, one_of(column, 7), occurrence=NONE)
    assert member(concept(category, "")) == ever(domain)


def test_a_medication_is_looked_for_in_all_tables_that_are_always_read() -> None:
    wanted, unwanted = member(concept("Medication")), member(concept("Medication", oper="!="))
    assert [each.events.domain for each in wanted.members] == [
        *(Domain.CONDITION_OCCURRENCE, Domain.DRUG_EXPOSURE, Domain.MEASUREMENT),
        *(Domain.OBSERVATION, Domain.PROCEDURE_OCCURRENCE),
    ]
    assert (wanted.match, unwanted.match) == (Match.ANY, Match.ALL)
    assert {each.occurrence.count for each in unwanted.members} == {0}


@pytest.mark.parametrize(
    ("time", "bound"),
    [
        ("50|:AGE:Y", number("age", Compare.AT_LEAST, 50)),
        ("50:AGE:Y", number("age", Compare.AT_LEAST, 50)),
        ("|50:AGE:Y", number("age", Compare.AT_MOST, 50)),
        ("1|:TIME:M", Filter(field="start_date", test=Dates(compare=Compare.AT_MOST, value=dt.date(2026, 2, 28)))),
        ("|1:TIME:M", Filter(field="start_date", test=Dates(compare=Compare.AT_LEAST, value=dt.date(2026, 2, 28)))),
        ("|25:TIME:M", Filter(field="start_date", test=Dates(compare=Compare.AT_LEAST, value=dt.date(2024, 2, 29)))),
        ("|0:TIME:M", Filter(field="start_date", test=Dates(compare=Compare.AT_LEAST, value=TODAY))),
    ],
)
def test_a_time_is_an_age_at_the_event_or_months_before_today(time: str, bound: Filter) -> None:
    read = member(concept("Condition", time=time))
    assert read == ever(Domain.CONDITION_OCCURRENCE, None, one_of("condition_concept_id", 7), bound)


def test_values_lie_between_two_ends_which_belong_to_it() -> None:
    rule = concept("Measurement", "1.0|3.5", varname="OMOP=7", type="NUM")
    found = ever(
        Domain.MEASUREMENT,
        None,
        one_of("measurement_concept_id", 7),
        number("value_as_number", Compare.BETWEEN, 1, 3.5),
    )
    assert member(rule) == found == member(rule | {"value": "1.0..3.5"})


def test_a_condition_can_be_asked_for_its_provenance() -> None:
    found = ever(
        Domain.CONDITION_OCCURRENCE,
        None,
        one_of("condition_concept_id", 7),
        one_of("condition_type_concept_id", 5, 32020),
    )
    assert member(concept("Condition", secondary_modifier=["32020", 5])) == found
    assert member(concept("Condition", secondary_modifier=[])) == member(concept("Condition"))


@pytest.mark.parametrize(
    ("rule", "read"),
    [
        (concept("Person", "8532"), Demographic(filters=(one_of("gender_concept_id", 8532),))),
        (
            concept("Person", "8532", oper="!="),
            Demographic(filters=(one_of("gender_concept_id", 8532, excluded=True),)),
        ),
        (concept("Person", "38003563"), Demographic(filters=(one_of("ethnicity_concept_id", 38003563),))),
        (
            concept("Person", "8532", time="50|:AGE:Y"),
            Demographic(filters=(one_of("gender_concept_id", 8532), number("year_of_birth", Compare.AT_MOST, 1976))),
        ),
        (
            concept("Person", "8532", time="|50:AGE:Y", oper="!="),
            Group(
                match=Match.AT_MOST,
                count=0,
                members=(
                    Demographic(
                        filters=(one_of("gender_concept_id", 8532), number("year_of_birth", Compare.AT_LEAST, 1976))
                    ),
                ),
            ),
        ),
        (
            {"varname": "AGE", "varcat": "Person", "type": "NUM", "oper": "=", "value": "20|30"},
            Demographic(filters=(number("year_of_birth", Compare.BETWEEN, 1996, 2006),)),
        ),
    ],
)
def test_a_person_is_asked_for_sex_and_the_age_reached_this_year(rule: dict[str, Any], read: Any) -> None:
    assert member(rule) == read


def test_a_race_may_stand_in_any_of_the_persons_columns() -> None:
    wanted, unwanted = member(concept("Person", "8516")), member(concept("Person", "8516", oper="!="))
    columns = ("gender_concept_id", "race_concept_id", "ethnicity_concept_id")
    found = tuple(Demographic(filters=(one_of(column, 8516),)) for column in columns)
    assert wanted == Group(match=Match.ANY, members=found)
    assert unwanted == Group(match=Match.AT_MOST, count=0, members=found)


A, B = concept("Condition", "1"), concept("Drug", "2")
READ_A = ever(Domain.CONDITION_OCCURRENCE, None, one_of("condition_concept_id", 1))
READ_B = ever(Domain.DRUG_EXPOSURE, None, one_of("drug_concept_id", 2))
NO_B = ever(Domain.DRUG_EXPOSURE, None, one_of("drug_concept_id", 2), occurrence=NONE)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (group(A, B), Group(members=(READ_A, READ_B))),
        (group(A, B, oper="OR"), Group(match=Match.ANY, members=(READ_A, READ_B))),
        (group(A, B | {"oper": "!="}), Group(members=(READ_A, NO_B))),
        # What is excluded is excluded from the whole group, also where any of its rules will do.
        (
            group(A, B | {"oper": "!="}, oper="OR"),
            Group(members=(Group(match=Match.ANY, members=(READ_A,)), NO_B)),
        ),
        (group(B | {"oper": "!="}, oper="OR"), Group(members=(NO_B,))),
        (group(), Group()),
        (group(oper="OR"), Group(match=Match.ANY)),
    ],
)
def test_a_group_joins_its_rules(given: dict[str, Any], read: Group) -> None:
    assert read_rquest(question(given), today=TODAY).rules[0].group == read


def test_groups_are_rules_of_their_own_or_one_rule_where_any_will_do() -> None:
    one, two = Group(members=(READ_A,)), Group(members=(READ_B,))
    every = read_rquest(question(group(A), group(B)), today=TODAY)
    assert every.entry == PERSONS
    assert every.rules == (InclusionRule(name="Group 1", group=one), InclusionRule(name="Group 2", group=two))
    some = read_rquest(question(group(A), group(B), oper="OR"), today=TODAY)
    assert some.rules == (InclusionRule(name="Any group", group=Group(match=Match.ANY, members=(one, two))),)


AGE = {"varname": "AGE", "varcat": "Person", "type": "NUM", "oper": "=", "value": "20|30"}
VALUES = concept("Measurement", "1|3", varname="OMOP=7", type="NUM")
REFUSED = [
    (concept("Location", "", type="GEO_RADIUS"), "varcat", "where persons live"),
    (concept("Condition", type="GEO_RADIUS"), "type", "where persons live"),
    (concept("Condition", type="ALT"), "type", "NUM"),
    (concept("Visit"), "varcat", "must be one of"),
    (concept("Condition", oper=">"), "oper", "= or !="),
    (concept("Condition", "asthma"), "value", "in digits"),
    (concept("Condition", varname="OMOP=7"), "varname", "OMOP"),
    (concept("Condition", time="50|60:AGE:Y"), "time", "two bounds"),
    (concept("Condition", time="6|:AGE:M"), "time", "counted in Y"),
    (concept("Condition", time="|:AGE:Y"), "time", "written like"),
    (concept("Condition", time="-6|:TIME:M"), "time", "written like"),
    (concept("Condition", time="last year"), "time", "written like"),
    (concept("Condition", time="99999|:TIME:M"), "time", "further back"),
    (concept("Drug", secondary_modifier=[32020]), "secondary_modifier", "no effect"),
    (concept("Condition", secondary_modifier=["EHR"]), "secondary_modifier", "concept ids"),
    (concept("Condition", secondary_modifier=[0]), "secondary_modifier", "concept ids"),
    (concept("Condition", "1|3", varname="OMOP=7", type="NUM"), "type", "no effect"),
    (VALUES | {"value": "1|"}, "value", "both"),
    (VALUES | {"value": "3|1"}, "value", "smaller"),
    (VALUES | {"value": "a|b"}, "value", "range"),
    (VALUES | {"value": "9" * 400 + "|1"}, "value", "large"),
    (VALUES | {"varname": "OMOP"}, "varname", "name the concept"),
    (VALUES | {"unit": "mmol/l"}, "unit", "not known"),
    (concept("Person", ""), "value", "missing"),
    (concept("Person", time="|6:TIME:M"), "time", "age"),
    (concept("Person", secondary_modifier=[1]), "secondary_modifier", "no effect"),
    (AGE | {"oper": "!="}, "oper", "no effect"),
    (AGE | {"time": "50|:AGE:Y"}, "time", "no effect"),
    (AGE | {"value": "|30"}, "value", "both"),
    (AGE | {"type": "TEXT"}, "type", "NUM"),
]


@pytest.mark.parametrize(("rule", "field", "word"), REFUSED)
def test_what_the_reference_passes_over_is_refused(rule: dict[str, Any], field: str, word: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_rquest(question(group(A, rule)), today=TODAY, path="q.json")
    (fault,) = caught.value.faults
    assert (fault.path, fault.field) == ("q.json", f"cohort.groups[0].rules[1].{field}")
    assert word in fault.message


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "cohort"),
        ({"cohort": None}, "cohort"),
        ({"analysis": "DISTRIBUTION", "code": "GENERIC"}, "analysis"),
        (question(), "cohort.groups"),
        (question(group(A), oper="XOR"), "cohort.groups_oper"),
        (question({"rules_oper": "AND"}), "cohort.groups[0].rules"),
        (question({"rules": [A]}), "cohort.groups[0].rules_oper"),
        (question(group(5)), "cohort.groups[0].rules[0]"),
    ],
)
def test_a_question_without_its_parts_is_refused(given: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_rquest(given, today=TODAY)
    assert [fault.field for fault in caught.value.faults] == [field]


def test_every_fault_of_a_question_is_told_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        read_rquest(question(group(concept("Visit"), concept("Drug", "x")), group(A, oper="")), today=TODAY)
    assert [fault.field for fault in caught.value.faults] == [
        "cohort.groups[0].rules[0].varcat",
        "cohort.groups[0].rules[1].value",
        "cohort.groups[1].rules_oper",
    ]
