"""Cohorts with made-up counts, as the page on them is given them."""

import datetime as dt
from pathlib import Path

from fairhaven.cohort.model import (
    CohortDefinition,
    Compare,
    ConceptSet,
    ConceptSetItem,
    Correlated,
    DateOffset,
    Demographic,
    Domain,
    EntryEvents,
    Events,
    Exit,
    Group,
    InclusionRule,
    Occurrence,
    Window,
)
from fairhaven.disclosure import Protected, protect
from fairhaven.hub.disclosure_policies import policy_named
from fairhaven.journeys.cohorts.attrition import AttritionReport, AttritionStep, Reported
from fairhaven.journeys.cohorts.count import Counted, Named
from tests.support.cohort_parts import NONE, number

ADULT = Demographic(filters=(number("age", Compare.AT_LEAST, 18),))
ONCE = Occurrence()
MONTH = DateOffset(days=30)
YEAR = Window(since=-365, until=0)
EVER = Window(until=-1)


def rule_events(since: Window, occurrence: Occurrence = ONCE, *, end: Window | None = None) -> Correlated:
    """A rule's demand for records of a drug in a window."""
    return Correlated(
        events=Events(domain=Domain.DRUG_EXPOSURE, concepts="drug"), occurrence=occurrence, start=since, end=end
    )


def definition_of(*groups: Group, name: str = "rule", exit_: Exit = MONTH) -> CohortDefinition:
    """A definition with a rule for each group."""
    drug = ConceptSet(id="drug", name=f"{name} drug", items=(ConceptSetItem(concept_id=7, name=f"{name} concept"),))
    return CohortDefinition(
        name=name,
        concept_sets=(drug,),
        entry=EntryEvents(events=(Events(domain=Domain.CONDITION_OCCURRENCE, concepts="drug"),), prior_days=180),
        rules=tuple(InclusionRule(name=f"{name} {place}", group=group) for place, group in enumerate(groups, start=1)),
        exit=exit_,
    )


def seen(count: int) -> Protected:
    """A count as ONS lets it be shown."""
    return protect(count, policy_named("ons"))


HIDDEN = Protected(value=None, text="not shown", mark="[c]")


def attrition(number: int = 24, name: str = "Rule", steps: tuple[Protected, ...] = ()) -> Reported:
    """A cohort of two rules; *steps*: persons at entry and after each."""
    definition = definition_of(Group(members=(ADULT,)), Group(members=(rule_events(EVER, NONE),)), name=name)
    entry, first, second = steps or (seen(400), seen(301), seen(120))
    return Reported(
        counted=_counted(definition, second, number=number),
        steps=(
            AttritionStep(words="Entry events", rule=None, persons=entry, events=entry),
            AttritionStep(words=f"{name} 1", rule=1, persons=first, events=first),
            AttritionStep(words=f"{name} 2", rule=2, persons=second, events=second),
        ),
        alone=(seen(333), HIDDEN),
    )


def _counted(definition: CohortDefinition, persons: Protected, *, number: int = 1) -> Counted:
    named = Named(number=number, file=Path(f"{number}.json"), definition=definition)
    return Counted(named=named, persons=persons, rows=persons)


def attrition_report(*cohorts: Reported, place: str = "Hub") -> AttritionReport:
    """A page of these cohorts."""
    return AttritionReport(
        place=place,
        release="r0002",
        as_of=dt.date(2026, 11, 1),
        vocabulary="v5.0",
        policy=policy_named("ons"),
        cohorts=cohorts,
    )


def attrition_page(count: int) -> AttritionReport:
    """A page of so many cohorts."""
    return attrition_report(*(attrition(number, f"Cohort of {number}") for number in range(1, count + 1)))


def attrition_of(definition: CohortDefinition) -> Reported:
    """A cohort of this definition, of whose steps only the entry is known."""
    entry = AttritionStep(words="Entry events", rule=None, persons=seen(50), events=seen(50))
    return Reported(counted=_counted(definition, seen(50)), steps=(entry,), alone=())
