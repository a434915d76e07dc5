"""What each step of cohort definitions leaves, as it may be shown."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from fairhaven.cohort import Attrition, Persons, StepCount
from fairhaven.cohort.model import Limit
from fairhaven.disclosure import Policy, Protected, hidden
from fairhaven.journeys.cohorts.count import (
    CohortSource,
    Counted,
    Named,
    Opened,
    batches,
    counted,
    open_cohorts,
    shown,
)
from fairhaven.journeys.cohorts.discover import Questions, discover
from fairhaven.journeys.hub_audit import record_questions
from fairhaven.kernel.progress import Progress
from fairhaven.kernel.version import code_version
from fairhaven.ledger import Actor
from fairhaven.query_audit import THE_HUB

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class AttritionStep:
    """What one step of a definition leaves of what the one before left, as it may be shown.

    Args:
        words: what the step is, for example the rule's name.
        rule: the rule's number, from 1; None for a step that is no rule.
    """

    words: str
    rule: int | None
    persons: Protected
    events: Protected


@dataclass(frozen=True, kw_only=True, slots=True)
class Reported:
    """What each step of a definition leaves.

    Args:
        steps: from the entry events on, in their order, each of what the one before left.
        alone: persons that each rule would leave on its own; nothing where that would say too much.
    """

    counted: Counted
    steps: tuple[AttritionStep, ...]
    alone: tuple[Protected, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class AttritionReport:
    """Cohorts, and where they were looked for.

    Args:
        place: the hub's name, or that of the CDM's file or folder.
        release: name of the hub's release; empty for a CDM.
        as_of: the day up to which the data goes, where it is known.
        vocabulary: its version, where it is known.
        policy: the rule by which the counts are protected; None where they are exact.
    """

    place: str
    release: str = ""
    as_of: dt.date | None = None
    vocabulary: str = ""
    code_version: str = ""
    policy: Policy | None = None
    cohorts: tuple[Reported, ...]


def report_attrition(asked: CohortSource, named: Sequence[Named], *, by: Actor, progress: Progress) -> AttritionReport:
    """What each step of each definition leaves, as the policy lets it be shown.

    Of a hub's release each count that it lets be shown is a question of the hub's own to the query audit as well.

    Args:
        by: who asks, for the ledger.
    """
    found: dict[int, Attrition[StepCount]] = {}
    left: dict[int, Attrition[Persons]] = {}
    with open_cohorts(asked, progress) as opened:
        place = _place(asked, opened)
        for batch in batches(opened.cohorts, named, progress):
            found |= batch.attrition()
            if asked.rooms is not None:
                left |= batch.step_persons()
    cohorts = [reported(each, found[each.number], asked.policy) for each in named]
    if asked.rooms is not None:
        discovery = discover(asked.rooms, asked.release, by=by, progress=progress)
        with discovery.questions() as questions:
            cohorts = [audited(each, left[each.counted.named.number], questions) for each in cohorts]
        record_questions(asked.rooms, by=by, progress=progress)
    return replace(place, cohorts=tuple(cohorts))


def audited(found: Reported, left: Attrition[Persons], questions: Questions) -> Reported:
    """Attrition as the query audit lets the hub itself know it, the cohort's own size first; of events it knows nothing."""
    policy = questions.discovery.rooms.settings.disclosure
    unknown = hidden(policy, is_one_of_several=True)

    def asked(count: Protected, persons: Persons) -> Protected:
        if count.is_hidden:
            return count
        return questions.ask_of_persons(persons, asker=THE_HUB).count or unknown

    counted = replace(found.counted, persons=asked(found.counted.persons, left.cohort), rows=unknown)
    nested = [persons for *_, persons in _nested(found.counted.named, left)]
    return replace(
        found,
        counted=counted,
        steps=tuple(
            replace(step, persons=asked(step.persons, persons), events=unknown)
            for step, persons in zip(found.steps, nested, strict=True)
        ),
        alone=tuple(asked(count, persons) for count, persons in zip(found.alone, left.alone, strict=bool(found.alone))),
    )


def reported(named: Named, found: Attrition[StepCount], policy: Policy | None) -> Reported:
    """Attrition as it may be shown.

    The cohort's own size is shown elsewhere too, so it comes first, then the entry events; the steps between are shown as
    far as none gives away, beside these and each other, that a step took away few persons.
    """
    nested = _nested(named, found)
    tallies = [*(tally for *_, tally in nested), found.cohort]
    *left, _ = shown(tallies, policy, first=(len(nested), 0))
    steps = tuple(
        AttritionStep(words=words, rule=rule, persons=persons, events=events)
        for (words, rule, _), (persons, events) in zip(nested, left, strict=True)
    )
    return Reported(
        counted=counted(named, found.cohort, policy),
        steps=steps,
        alone=_alone([step for step in steps if step.rule is not None], found, policy),
    )


def _nested(named: Named, found: Attrition[T]) -> list[tuple[str, int | None, T]]:
    """The steps of a definition that lie in each other: words, the rule's number, what is left."""
    asked = named.definition
    nested: list[tuple[str, int | None, T]] = [("Entry events", None, found.entry)]
    if asked.qualifying is not None:
        nested.append(("Of these, those that qualify", None, found.qualified))
    rules = enumerate(zip(asked.rules, found.left, strict=True), start=1)
    nested += [(rule.name, number, left) for number, (rule, left) in rules]
    if asked.limit is not Limit.ALL:
        nested.append((f"Of these, each person's {asked.limit.value}", None, found.included))
    return nested


def _alone(rules: Sequence[AttritionStep], found: Attrition[StepCount], policy: Policy | None) -> tuple[Protected, ...]:
    """Persons that each rule leaves on its own."""
    if len(found.alone) == 1:
        return (rules[0].persons,)
    # Where counts are exact, who meets none of several rules could be computed from those who meet each.
    if policy is not None and policy.round_to == 1:
        return ()
    # Each lies among the entry events, and what it leaves with the rules before it, and the cohort, lie in it.
    return tuple(
        shown([found.entry, tally, left, found.cohort], policy, first=(0, 3, 2))[1][0]
        for tally, left in zip(found.alone, found.left, strict=True)
    )


def _place(asked: CohortSource, opened: Opened) -> AttritionReport:
    """Where cohorts were looked for, still without any."""
    if asked.rooms is not None and opened.release is not None:
        return AttritionReport(
            place=asked.rooms.settings.name,
            release=opened.release.name,
            as_of=opened.release.as_of,
            vocabulary=opened.release.facts.vocabulary,
            code_version=code_version(),
            policy=asked.policy,
            cohorts=(),
        )
    assert asked.cdm is not None
    said = _said(opened)
    as_of, vocabulary = said.get("cdm_release_date"), said.get("vocabulary_version")
    return AttritionReport(
        place=asked.cdm.name,
        as_of=as_of if type(as_of) is dt.date else None,
        vocabulary=vocabulary if isinstance(vocabulary, str) else "",
        code_version=code_version(),
        cohorts=(),
    )


def _said(opened: Opened) -> Mapping[str, object]:
    """What a CDM says of itself, as far as it does."""
    source = opened.tables.get("cdm_source")
    if source is None:
        return {}
    wanted = [name for name in ("cdm_release_date", "vocabulary_version") if name in source.columns]
    latest = source.aggregate([source[name].max().name(name) for name in wanted])
    return dict(opened.engine.fetch(latest).to_pylist()[0]) if wanted else {}
