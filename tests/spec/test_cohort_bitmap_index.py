"""What a discovery index answers and what it leaves to the compiler, case by case, on five persons that fit on a page."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from fairhaven.cohort.engines.bitmap_index import DiscoveryIndex
from fairhaven.cohort.model import (
    CohortDefinition,
    Compare,
    ConceptSet,
    ConceptSetItem,
    Correlated,
    DateAdjustment,
    DateField,
    DateOffset,
    Demographic,
    Domain,
    DrugEraExit,
    Edge,
    EntryEvents,
    Eras,
    Events,
    Filter,
    Group,
    InclusionRule,
    InSet,
    Known,
    Limit,
    Match,
    Occurrence,
    OccurrenceType,
    Text,
    UserPeriod,
    Window,
)
from fairhaven.engine import DuckDBEngine
from tests.support.cohort_parts import NONE, ever, number, one_of, since
from tests.support.cohort_parts import persons as asked_of_persons
from tests.support.cohort_results import on

ASTHMA, SEVERE, OLD_CODE, INHALER, PEAK_FLOW, LITRES = 100, 101, 102, 200, 300, 8519
MALE, FEMALE = 8507, 8532
UNHEARD_OF = 2_000_000_001
"""A concept in the records of person 4 that the vocabulary does not have."""


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def rows() -> dict[str, list[dict[str, Any]]]:
    concepts = (ASTHMA, SEVERE, INHALER, PEAK_FLOW, LITRES, MALE, FEMALE)
    return {
        "concept": [
            *({"concept_id": concept} for concept in concepts),
            {"concept_id": OLD_CODE, "invalid_reason": "U"},
        ],
        "concept_ancestor": [
            {"ancestor_concept_id": ASTHMA, "descendant_concept_id": below} for below in (ASTHMA, SEVERE, OLD_CODE)
        ]
        # Above each other: no vocabulary should say so, and an index must not mind.
        + [{"ancestor_concept_id": SEVERE, "descendant_concept_id": ASTHMA}],
        "concept_relationship": [
            {"concept_id_1": OLD_CODE, "concept_id_2": ASTHMA, "relationship_id": "Maps to", "invalid_reason": None}
        ],
        "person": [
            {
                "person_id": 10 * person,
                "gender_concept_id": FEMALE if person % 2 else MALE,
                "year_of_birth": 1940 + 10 * person,
                "race_concept_id": 0,
                "ethnicity_concept_id": 0,
            }
            for person in range(1, 6)
        ],
        "observation_period": [
            {
                "observation_period_id": person,
                "person_id": 10 * person,
                "observation_period_start_date": day("2010-01-01"),
                "observation_period_end_date": day("2020-12-31"),
            }
            for person in range(1, 5)
        ],
        "condition_occurrence": [
            condition(1, 10, ASTHMA, "2012-01-01"),
            condition(2, 10, ASTHMA, "2015-01-01"),
            condition(3, 20, SEVERE, "2014-06-01"),
            condition(4, 30, OLD_CODE, "2009-06-01"),
            condition(5, 40, UNHEARD_OF, "2016-03-01"),
        ],
        "drug_exposure": [drug(1, 10, "2012-02-15"), drug(2, 20, "2014-05-01"), drug(3, 50, "2019-01-01")],
        "measurement": [
            flow(1, 10, 300.0, "2012-01-01"),
            flow(2, 20, 450.0, "2019-01-01"),
            flow(3, 20, None, "2019-02-01"),
        ],
    }


def condition(number: int, person: int, concept: int, start: str) -> dict[str, Any]:
    return {
        "condition_occurrence_id": number,
        "person_id": person,
        "condition_concept_id": concept,
        "condition_start_date": day(start),
        "condition_source_concept_id": OLD_CODE if concept == SEVERE else 0,
    }


def drug(number: int, person: int, start: str) -> dict[str, Any]:
    dates = {"drug_exposure_start_date": day(start), "drug_exposure_end_date": day(start) + dt.timedelta(days=30)}
    return {"drug_exposure_id": number, "person_id": person, "drug_concept_id": INHALER, **dates}


def flow(number: int, person: int, value: float | None, start: str) -> dict[str, Any]:
    return {
        "measurement_id": number,
        "person_id": person,
        "measurement_concept_id": PEAK_FLOW,
        "measurement_date": day(start),
        "value_as_number": value,
        "unit_concept_id": LITRES,
    }


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DiscoveryIndex]:
    folder = tmp_path_factory.mktemp("spec")
    engine = DuckDBEngine(reaches=[folder])
    yield DiscoveryIndex.build(on(engine, rows()), engine, folder / "index")
    engine.close()


CONDITION, DRUG, MEASUREMENT = Domain.CONDITION_OCCURRENCE, Domain.DRUG_EXPOSURE, Domain.MEASUREMENT
SETS = (
    ConceptSet(id="asthma", items=(ConceptSetItem(concept_id=ASTHMA, descendants=True),)),
    ConceptSet(id="asthma alone", items=(ConceptSetItem(concept_id=ASTHMA),)),
    ConceptSet(id="old", items=(ConceptSetItem(concept_id=OLD_CODE),)),
    ConceptSet(id="mapped", items=(ConceptSetItem(concept_id=ASTHMA, mapped=True),)),
    ConceptSet(id="below severe", items=(ConceptSetItem(concept_id=SEVERE, descendants=True),)),
    ConceptSet(
        id="not severe",
        items=(ConceptSetItem(concept_id=ASTHMA, descendants=True), ConceptSetItem(concept_id=SEVERE, excluded=True)),
    ),
    ConceptSet(id="unheard of", items=(ConceptSetItem(concept_id=UNHEARD_OF, descendants=True),)),
    ConceptSet(id="inhaler", items=(ConceptSetItem(concept_id=INHALER),)),
    ConceptSet(id="flow", items=(ConceptSetItem(concept_id=PEAK_FLOW),)),
    ConceptSet(id="women", items=(ConceptSetItem(concept_id=FEMALE),)),
    ConceptSet(id="nothing"),
)


def persons(*members: Correlated | Demographic | Group, **changes: Any) -> CohortDefinition:
    return asked_of_persons(*members, concept_sets=SETS, **changes)


def events(
    *rules: Correlated | Demographic | Group, of: Events | Eras | None = None, **changes: Any
) -> CohortDefinition:
    entry = {name: changes.pop(name) for name in ("prior_days", "post_days", "limit") if name in changes}
    asked = EntryEvents(events=(of or Events(domain=CONDITION, concepts="asthma"),), **entry)
    rule = InclusionRule(name="asked", group=Group(members=rules))
    return CohortDefinition(concept_sets=SETS, entry=asked, rules=(rule,), **changes)


TWO, AT_MOST_ONE = Occurrence(count=2), Occurrence(times=OccurrenceType.AT_MOST, count=1)
WITHIN_90 = Window(since=0, until=90)

ANSWERED = {
    # Concept sets
    "a concept with those below it": (persons(ever(CONDITION, "asthma")), [10, 20]),
    "a concept alone": (persons(ever(CONDITION, "asthma alone")), [10]),
    "one that is no longer valid, asked for itself": (persons(ever(CONDITION, "old")), [30]),
    "one that maps to it": (persons(ever(CONDITION, "mapped")), [10, 30]),
    "below each other": (persons(ever(CONDITION, "below severe")), [10, 20]),
    "less what is excluded": (persons(ever(CONDITION, "not severe")), [10]),
    "unknown to the vocabulary": (persons(ever(CONDITION, "unheard of")), []),
    "unknown to the vocabulary, by its id": (
        persons(ever(CONDITION, None, one_of("condition_concept_id", UNHEARD_OF))),
        [40],
    ),
    "an empty set": (persons(ever(CONDITION, "nothing")), []),
    "any event of the table": (persons(ever(CONDITION)), [10, 20, 30, 40]),
    "a concept of another table": (persons(ever(CONDITION, "inhaler")), []),
    "a source concept": (persons(ever(CONDITION, None, source_concepts="old")), [20]),
    "a source concept and a concept": (persons(ever(CONDITION, "asthma alone", source_concepts="old")), []),
    # Persons
    "sex": (persons(Demographic(filters=(one_of("gender_concept_id", FEMALE),))), [10, 30, 50]),
    "sex by a concept set": (
        persons(Demographic(filters=(Filter(field="gender_concept_id", test=InSet(concept_set="women")),))),
        [10, 30, 50],
    ),
    "any other sex": (persons(Demographic(filters=(one_of("gender_concept_id", FEMALE, excluded=True),))), [20, 40]),
    "year of birth": (
        persons(Demographic(filters=(number("year_of_birth", Compare.BETWEEN, 1960, 1980),))),
        [20, 30, 40],
    ),
    "a person's first day": (persons(Demographic(filters=(since("1970-01-01"),))), [30, 40, 50]),
    "age on that day": (persons(Demographic(filters=(number("age", Compare.MORE, 0),))), []),
    # Groups
    "both": (persons(ever(CONDITION, "asthma"), ever(DRUG, "inhaler")), [10, 20]),
    "either": (
        persons(Group(match=Match.ANY, members=(ever(CONDITION, "old"), ever(DRUG, "inhaler")))),
        [10, 20, 30, 50],
    ),
    "neither": (
        persons(Group(match=Match.AT_MOST, count=0, members=(ever(CONDITION, "old"), ever(DRUG, "inhaler")))),
        [40],
    ),
    "two of three": (
        persons(
            Group(match=Match.AT_LEAST, count=2, members=(ever(CONDITION), ever(DRUG), ever(MEASUREMENT))),
        ),
        [10, 20],
    ),
    "a group without members": (persons(Group(match=Match.ANY)), [10, 20, 30, 40, 50]),
    "none of these events": (persons(ever(CONDITION, "asthma", occurrence=NONE)), [30, 40, 50]),
    # Numbers of events and what they are like
    "two events": (persons(ever(CONDITION, "asthma", occurrence=TWO)), [10]),
    "one event at most": (persons(ever(CONDITION, "asthma", occurrence=AT_MOST_ONE)), [20, 30, 40, 50]),
    "of a value": (persons(ever(MEASUREMENT, "flow", number("value_as_number", Compare.MORE, 300))), [20]),
    "of a value not known": (
        persons(ever(MEASUREMENT, "flow", Filter(field="value_as_number", test=Known(yes=False)))),
        [20],
    ),
    "of a unit": (persons(ever(MEASUREMENT, "flow", one_of("unit_concept_id", LITRES))), [10, 20]),
    "of another unit": (persons(ever(MEASUREMENT, "flow", one_of("unit_concept_id", LITRES, excluded=True))), []),
    "since a day": (persons(ever(CONDITION, "asthma", since("2014-06-01"))), [10, 20]),
    "at an age": (persons(ever(CONDITION, "asthma", number("age", Compare.AT_LEAST, 62))), [10]),
    "that ended since": (persons(ever(DRUG, "inhaler", since("2014-05-31", "end_date"))), [20, 50]),
    "that lasted": (persons(ever(DRUG, "inhaler", number("days", Compare.MORE, 30))), []),
    "in a time of life": (persons(ever(CONDITION, "asthma", start=Window(since=0, until=62 * 365))), [20]),
    "the first since": (persons(ever(CONDITION, "asthma", since("2013-01-01"), first=True)), [20]),
    "followed by another": (
        persons(ever(CONDITION, "asthma", nested=Group(members=(ever(DRUG, "inhaler", start=WITHIN_90),)))),
        [10],
    ),
    # Entries by events
    "an event in observation": (events(), [10, 20]),
    "outside observation nobody enters": (events(of=Events(domain=CONDITION, concepts="old")), []),
    "days of observation before": (events(prior_days=1000), [10, 20]),
    "more days of observation before": (events(prior_days=1700), [10]),
    "days of observation after": (events(post_days=2500), [10]),
    "then a drug within 90 days": (events(ever(DRUG, "inhaler", start=WITHIN_90)), [10]),
    "a drug in the 90 days before": (events(ever(DRUG, "inhaler", start=Window(since=-90, until=0))), [20]),
    "a drug after it began and before it ended": (
        events(ever(DRUG, "inhaler", start=Window(since=0), end=Window(until=60, index=DateField.END))),
        [10],
    ),
    "no drug from the start of observation": (
        events(ever(DRUG, "inhaler", start=Window(since=Edge.PERIOD_START, until=0), occurrence=NONE)),
        [10],
    ),
    "the first only": (events(ever(DRUG, "inhaler", start=WITHIN_90), limit=Limit.FIRST), [10]),
    "the last only": (events(ever(DRUG, "inhaler", start=WITHIN_90), limit=Limit.LAST), []),
    "the first, but not old enough": (
        events(Demographic(filters=(number("age", Compare.AT_LEAST, 65),)), limit=Limit.FIRST),
        [],
    ),
    "any, and old enough": (events(Demographic(filters=(number("age", Compare.AT_LEAST, 65),))), [10]),
    "a stay that is long enough to be one": (events(exit=DateOffset(days=0)), [10, 20]),
}


@pytest.mark.parametrize("name", ANSWERED)
def test_answered(index: DiscoveryIndex, name: str) -> None:
    definition, expected = ANSWERED[name]
    assert index.obstacle(definition) is None
    assert index.person_keys(index.persons_of(definition)).tolist() == expected
    assert index.count(definition) == len(expected)


LEFT = {
    "eras that the definition builds": events(of=Eras(of=(Events(domain=CONDITION),))),
    "dates put in place of recorded ones": events(of=Events(domain=CONDITION, dates=DateAdjustment(start_days=1))),
    "the table person": events(ever(Domain.PERSON)),
    "the table procedure_occurrence": persons(ever(Domain.PROCEDURE_OCCURRENCE)),
    "events of the same visit": events(ever(DRUG, same_visit=True)),
    "the visit of a person as such": persons(ever(DRUG, same_visit=True)),
    "specialty_concept_id of drug_exposure": persons(ever(DRUG, None, one_of("specialty_concept_id", 1))),
    "quantity of drug_exposure": persons(ever(DRUG, None, number("quantity", Compare.MORE, 1))),
    "stop_reason of drug_exposure": persons(ever(DRUG, None, Filter(field="stop_reason", test=Text(pattern="%")))),
    "different values of concept_id": persons(ever(DRUG, occurrence=Occurrence(count=2, distinct="concept_id"))),
    "windows on both dates of an event": events(
        ever(DRUG, start=Window(since=0), end=Window(until=9, of=DateField.END))
    ),
    "a window before or after the whole of time": persons(ever(DRUG, start=Window(until=Edge.PERIOD_START))),
    "the end of a first or last event": events(
        ever(DRUG, start=Window(since=0, index=DateField.END)), limit=Limit.FIRST
    ),
    "a test of a first event on more than its date": persons(
        ever(MEASUREMENT, None, number("value_as_number", Compare.MORE, 1), first=True)
    ),
    "stays cut to calendar dates": events(window=UserPeriod(end=day("2015-01-01"))),
    "an exit that might fall before the entry": events(exit=DrugEraExit(concepts="inhaler")),
    "an entry by events that need not be observed": CohortDefinition(
        entry=EntryEvents(events=(Events(domain=CONDITION),), observed=False)
    ),
    "persons that must be observed at the start of their year of birth": CohortDefinition(
        entry=EntryEvents(events=(Events(domain=Domain.PERSON),))
    ),
}


@pytest.mark.parametrize("reason", LEFT)
def test_left_to_the_compiler(index: DiscoveryIndex, reason: str) -> None:
    assert not index.can_answer(LEFT[reason])
    assert index.obstacle(LEFT[reason]) == reason
