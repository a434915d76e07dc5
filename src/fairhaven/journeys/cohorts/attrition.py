"""What each step of cohort definitions leaves: as figures, and as a page."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fairhaven.cohort import Attrition, definition_hash, explain
from fairhaven.cohort.model import Limit
from fairhaven.disclosure import Policy, Protected
from fairhaven.journeys.cohorts.count import (
    Asked,
    Counted,
    Named,
    Opened,
    by_number,
    counted,
    open_cohorts,
    shown,
    tell_unknown,
)
from fairhaven.kernel.files import write_atomically
from fairhaven.kernel.progress import Progress
from fairhaven.kernel.version import code_version
from fairhaven.pages import cohort as page

_FEW = 12
"""Cohorts of a page that still tells every line of their concept sets."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What one step of a definition leaves, as it may be shown."""

    words: str
    persons: Protected
    events: Protected


@dataclass(frozen=True, kw_only=True, slots=True)
class Reported:
    """What each step of a definition leaves.

    Args:
        steps: in their order, each of what the one before left.
        alone: persons that each rule would leave on its own; nothing where that would tell too much.
    """

    counted: Counted
    steps: tuple[Step, ...]
    alone: tuple[Protected, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Whence:
    """Where cohorts were looked for.

    Args:
        place: the hub's name, or that of the CDM's file or folder.
        release: empty for a CDM.
    """

    place: str
    release: str
    as_of: dt.date | None
    vocabulary: str


def report(asked: Asked, named: Sequence[Named], *, progress: Progress) -> list[Reported]:
    """What each step of each definition leaves, as the policy lets it be shown."""
    return _run(asked, named, progress)[0]


def write_report(asked: Asked, named: Sequence[Named], *, out: Path, progress: Progress) -> list[Reported]:
    """Write the page on cohorts; returns what it shows."""
    found, whence = _run(asked, named, progress)
    progress.stage("Drawing the page")
    facts = page.CohortReport(
        place=whence.place,
        release=whence.release,
        as_of=whence.as_of,
        vocabulary=whence.vocabulary,
        code_version=code_version(),
        policy=asked.policy,
        cohorts=tuple(page_facts(each, concept_lines=None if len(found) <= _FEW else 12) for each in found),
    )
    write_atomically(out, page.render(facts), mode=0o644)
    return found


def _run(asked: Asked, named: Sequence[Named], progress: Progress) -> tuple[list[Reported], Whence]:
    found: dict[int, Attrition] = {}
    with open_cohorts(asked, progress) as opened:
        whence = _whence(asked, opened)
        tell_unknown(opened.cohorts, named, progress)
        for batch in opened.cohorts.run(by_number(named), progress=progress):
            found |= batch.attrition()
    return [reported(each, found[each.number], asked.policy) for each in named], whence


def reported(named: Named, found: Attrition, policy: Policy | None) -> Reported:
    """Attrition as it may be shown.

    The cohort's own size is told elsewhere too, so it comes first, then the entry events; the steps between are shown as
    far as none tells, beside these and each other, of few persons that a step took away.
    """
    asked = named.definition
    nested = [("Entry events", found.entry)]
    if asked.qualifying is not None:
        nested.append(("Of these, those that qualify", found.qualified))
    first_rule = len(nested)
    nested += zip((rule.name for rule in asked.rules), found.left, strict=True)
    if asked.limit is not Limit.ALL:
        nested.append((f"Of these, each person's {asked.limit.value}", found.included))
    tallies = [*(tally for _, tally in nested), found.cohort]
    *told, _ = shown(tallies, policy, first=(len(nested), 0))
    steps = tuple(
        Step(words=words, persons=persons, events=events)
        for (words, _), (persons, events) in zip(nested, told, strict=True)
    )
    return Reported(
        counted=counted(named, found.cohort, policy), steps=steps, alone=_alone(steps[first_rule:], found, policy)
    )


def _alone(rules: Sequence[Step], found: Attrition, policy: Policy | None) -> tuple[Protected, ...]:
    """Persons that each rule leaves on its own."""
    if len(found.alone) == 1:
        return (rules[0].persons,)
    # Where counts are exact, who meets none of several rules could be computed from those who meet each.
    if policy is not None and policy.round_to == 1:
        return ()
    return tuple(shown([tally], policy)[0][0] for tally in found.alone)


def _whence(asked: Asked, opened: Opened) -> Whence:
    if asked.rooms is not None and opened.release is not None:
        release = opened.release
        return Whence(
            place=asked.rooms.settings.name,
            release=release.name,
            as_of=release.as_of,
            vocabulary=release.facts.vocabulary,
        )
    assert asked.cdm is not None
    said = _said(opened)
    as_of, vocabulary = said.get("cdm_release_date"), said.get("vocabulary_version")
    return Whence(
        place=asked.cdm.name,
        release="",
        as_of=as_of if type(as_of) is dt.date else None,
        vocabulary=vocabulary if isinstance(vocabulary, str) else "",
    )


def _said(opened: Opened) -> Mapping[str, object]:
    """What a CDM says of itself, as far as it does."""
    source = opened.tables.get("cdm_source")
    wanted = (
        []
        if source is None
        else [name for name in ("cdm_release_date", "vocabulary_version") if name in source.columns]
    )
    if source is None or not wanted:
        return {}
    (row,) = opened.engine.fetch(source.aggregate([source[name].max().name(name) for name in wanted])).to_pylist()
    return dict(row)


def page_facts(found: Reported, *, concept_lines: int | None = None) -> page.CohortFacts:
    """A cohort as the page shows it; ``concept_lines`` told of each concept set, None for all."""
    named, definition = found.counted.named, found.counted.named.definition
    first_rule = 1 if definition.qualifying is None else 2
    rules = range(first_rule, first_rule + len(definition.rules))
    return page.CohortFacts(
        number=named.number,
        name=named.name,
        hash=definition_hash(definition),
        definition=definition,
        explanation=explain(definition, concept_lines=concept_lines),
        persons=found.counted.persons,
        rows=found.counted.rows,
        steps=tuple(
            page.Step(
                words=step.words,
                persons=step.persons,
                events=step.events,
                rule=place - first_rule + 1 if place in rules else None,
                # A single rule leaves alone what it leaves as a step.
                alone=found.alone[place - first_rule] if place in rules and len(found.alone) > 1 else None,
            )
            for place, step in enumerate(found.steps)
        ),
    )
