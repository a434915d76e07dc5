"""A definition as plain values (texts, numbers, lists, tables): the own form that JSON and TOML both spell.

What has its default is left out, so that a reviewer reads only what was decided.
"""

from typing import Any

from fairhaven.cohort.formats.fairhaven.notation import (
    write_filter,
    write_item,
    write_match,
    write_moment,
    write_occurrence,
    write_period,
    write_window,
)
from fairhaven.cohort.model import (
    CohortDefinition,
    ConceptSet,
    Correlated,
    Criterion,
    DateAdjustment,
    DateOffset,
    Demographic,
    DrugEraExit,
    EndOfObservation,
    EntryEvents,
    Eras,
    Events,
    Exit,
    Group,
    Limit,
    Match,
    Occurrence,
    Window,
)

EVERY = "*"
"""Written in place of a concept set's id where every row of a table counts."""

Table = dict[str, Any]


def to_json(definition: CohortDefinition) -> Table:
    """The definition as JSON values; docs/reference/cohort-language.md describes every key."""
    qualifying = definition.qualifying
    return _given(
        name=definition.name,
        description=definition.description,
        limit=_limit(definition.limit),
        qualified_limit=_limit(definition.qualified_limit),
        exit=_exit(definition.exit),
        gap_days=definition.gap_days,
        window=None if definition.window is None else write_period(definition.window),
        concept_sets={item.id: write_concept_set(item) for item in definition.concept_sets},
        entry=_entry(definition.entry),
        qualifying=None if qualifying is None else write_group(qualifying),
        rules=[
            {"name": rule.name} | _given(description=rule.description) | write_group(rule.group)
            for rule in definition.rules
        ],
        censoring=[write_criterion(criterion) for criterion in definition.censoring],
    )


def write_concept_set(concept_set: ConceptSet) -> Table:
    """A concept set without its id."""
    return _given(name=concept_set.name) | {"concepts": [write_item(item) for item in concept_set.items]}


def write_criterion(criterion: Criterion) -> Table:
    """Events or eras."""
    match criterion:
        case Events():
            period = criterion.period
            return {criterion.domain.value: EVERY if criterion.concepts is None else criterion.concepts} | _given(
                source_concepts=criterion.source_concepts,
                first=criterion.first,
                dates=_dates(criterion.dates),
                period=None if period is None else write_period(period),
                where=[write_filter(item) for item in criterion.filters],
                nested=None if criterion.nested is None else write_group(criterion.nested),
            )
        case Eras():
            return {"eras_of": [write_criterion(part) for part in criterion.of]} | _given(
                gap_days=criterion.gap_days,
                first=criterion.first,
                dates=_dates(criterion.dates),
                where=[write_filter(item) for item in criterion.filters],
            )


def write_group(group: Group) -> Table:
    """A group of conditions."""
    match = None if group.match == Match.ALL else write_match(group.match, group.count)
    return _given(match=match) | {"members": [write_member(member) for member in group.members]}


def write_member(member: Correlated | Demographic | Group) -> Table:
    """A member of a group."""
    match member:
        case Group():
            return write_group(member)
        case Demographic():
            return {"demographic": [write_filter(item) for item in member.filters]}
        case Correlated():
            times = None if member.occurrence == Occurrence() else write_occurrence(member.occurrence)
            rest = write_criterion(member.events)
            nested = _given(nested=rest.pop("nested", None))
            return (
                _given(times=times)
                | rest
                | _given(
                    when=None if member.start == Window() else write_window(member.start),
                    and_when=None if member.end is None else write_window(member.end),
                    same_visit=member.same_visit,
                )
                | ({} if member.within_observation else {"within_observation": False})
                | nested
            )


def _entry(entry: EntryEvents) -> Table:
    return (
        _given(
            prior_days=entry.prior_days,
            post_days=entry.post_days,
            limit=_limit(entry.limit),
        )
        | ({} if entry.observed else {"observed": False})
        | {"events": [write_criterion(criterion) for criterion in entry.events]}
    )


def _exit(exit_: Exit) -> str | Table | None:
    match exit_:
        case EndOfObservation():
            return None
        case DateOffset():
            return write_moment(exit_.date, exit_.days)
        case DrugEraExit():
            # No days of supply is another statement than no word about them.
            supply = {} if exit_.days_supply is None else {"days_supply": exit_.days_supply}
            return {"drug_era": exit_.concepts} | _given(gap_days=exit_.gap_days, offset=exit_.offset) | supply


def _dates(dates: DateAdjustment | None) -> list[str] | None:
    if dates is None:
        return None
    return [write_moment(dates.start, dates.start_days), write_moment(dates.end, dates.end_days)]


def _limit(limit: Limit) -> str | None:
    return None if limit == Limit.ALL else limit.value


def _given(**values: Any) -> Table:
    """The values that say something: not None, false, 0 or empty."""
    return {key: value for key, value in values.items() if value is not None and value not in (False, 0, "", [], {})}
