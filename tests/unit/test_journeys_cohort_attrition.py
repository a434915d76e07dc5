"""What of a cohort's attrition may be shown: beside each other, no two counts tell of few persons."""

import datetime as dt
from pathlib import Path

import pytest

from fairhaven.cohort.attrition_counts import Attrition, StepCount
from fairhaven.cohort.model import CohortDefinition, Domain, EntryEvents, Events, Group, InclusionRule, Limit
from fairhaven.hub.disclosure_policies import policy_named
from fairhaven.journeys.cohorts.attrition import AttritionReport, Reported, reported
from fairhaven.journeys.cohorts.count import Named
from fairhaven.pages.cohort import render
from tests.support.cohort_page_figures import CohortPageFigures

_ONS = policy_named("ons")


def _named(rules: int, *, limit: Limit = Limit.ALL, has_qualifying: bool = False) -> Named:
    definition = CohortDefinition(
        entry=EntryEvents(events=(Events(domain=Domain.CONDITION_OCCURRENCE),)),
        qualifying=Group() if has_qualifying else None,
        rules=tuple(InclusionRule(name=f"rule {place}", group=Group()) for place in range(1, rules + 1)),
        limit=limit,
    )
    return Named(number=7, file=Path("7.json"), definition=definition)


def _attrition(entry: int, *left: int, cohort: int | None = None, alone: tuple[int, ...] = ()) -> Attrition[StepCount]:
    last = left[-1] if left else entry
    return Attrition(
        entry=_tally(entry),
        qualified=_tally(entry),
        left=tuple(map(_tally, left)),
        alone=tuple(map(_tally, alone or left)),
        included=_tally(last),
        cohort=_tally(last if cohort is None else cohort),
    )


def _tally(persons: int) -> StepCount:
    return StepCount(persons=persons, events=persons)


def _persons(found: Reported) -> list[int | None]:
    return [step.persons.value for step in found.steps]


@pytest.mark.parametrize(
    ("attrition", "shown", "cohort"),
    [
        (_attrition(100, 95), [None, 95], 95),
        (_attrition(100, 90), [100, 90], 90),
        (_attrition(100, 91), [None, 91], 91),
        (_attrition(138, 138, 131, 130, 92), [138, 138, None, None, 92], 92),
        (_attrition(100, 50, cohort=45), [100, None], 45),
        (_attrition(100, 8), [100, None], None),
        (_attrition(100, 0), [100, 0], 0),
    ],
)
def test_steps_are_shown_as_far_as_they_tell_of_nobody(
    attrition: Attrition[StepCount], shown: list[int | None], cohort: int | None
) -> None:
    found = reported(_named(len(attrition.left)), attrition, _ONS)
    assert _persons(found) == shown
    assert found.counted.persons.value == cohort


def test_a_single_rule_alone_tells_no_more_than_its_step() -> None:
    found = reported(_named(1), _attrition(100, 50, cohort=45), _ONS)
    assert [step.persons.value for step in found.steps] == [100, None]
    assert [persons.value for persons in found.alone] == [None]


def test_several_rules_alone_are_told_only_where_counts_are_rounded_or_exact_for_their_owner() -> None:
    attrition = _attrition(100, 80, 60, alone=(80, 75))
    assert not reported(_named(2), attrition, _ONS).alone
    assert [persons.value for persons in reported(_named(2), attrition, policy_named("hes")).alone] == [80, 75]
    assert [persons.value for persons in reported(_named(2), attrition, None).alone] == [80, 75]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (_attrition(138, 138, 131, 130, 92), _attrition(138, 138, 137, 129, 92)),
        (_attrition(100, 9, 4, 1), _attrition(100, 8, 8, 7)),
        (_attrition(100, 50, cohort=45), _attrition(100, 46, cohort=45)),
    ],
)
def test_whatever_a_hidden_count_is_the_page_is_the_same(
    one: Attrition[StepCount], other: Attrition[StepCount]
) -> None:
    named = _named(len(one.left))
    pages = [
        render(
            AttritionReport(
                place="Hub",
                release="r0001",
                as_of=dt.date(2026, 11, 1),
                policy=_ONS,
                cohorts=(reported(named, attrition, _ONS),),
            )
        )
        for attrition in (one, other)
    ]
    assert pages[0] == pages[1]
    shown = reported(named, one, _ONS)
    assert render(AttritionReport(place="Hub", cohorts=(shown,))) != render(
        AttritionReport(place="Hub", cohorts=(reported(named, one, None),))
    )


def test_each_step_knows_its_rule() -> None:
    attrition = _attrition(100, 80, 60, alone=(80, 75))
    found = reported(_named(2, limit=Limit.FIRST, has_qualifying=True), attrition, None)
    assert [(step.rule, step.words) for step in found.steps] == [
        (None, "Entry events"),
        (None, "Of these, those that qualify"),
        (1, "rule 1"),
        (2, "rule 2"),
        (None, "Of these, each person's first"),
    ]
    assert [persons.value for persons in found.alone] == [80, 75]


@pytest.mark.parametrize("policy", ["ons", "hdr-uk", "hes", "opensafely"])
@pytest.mark.parametrize("few", [1, 4, 7, 9])
def test_nothing_that_is_read_out_of_a_cohorts_page_tells_whom_few_a_step_took_away(policy: str, few: int) -> None:
    rule = policy_named(policy)
    attrition = _attrition(300, 300 - few, 200, 200 - few, cohort=150 - few, alone=(300 - few, 200 + few, 250))
    found = reported(_named(3), attrition, rule)
    html = render(
        AttritionReport(place="Hub", release="r0001", as_of=dt.date(2026, 11, 1), policy=rule, cohorts=(found,))
    )
    reader = CohortPageFigures(html, rule)
    assert reader.steps
    assert not reader.narrowed()
