"""Parts of cohort definitions that tests write again and again, and what the random definitions must know of the language."""

import datetime as dt
from typing import Any

from fairhaven.cohort.domains import DomainField, FieldOrigin, countable
from fairhaven.cohort.model import (
    CohortDefinition,
    Compare,
    Correlated,
    Criterion,
    Dates,
    Demographic,
    Domain,
    EntryEvents,
    Events,
    Filter,
    Group,
    InclusionRule,
    Match,
    Numbers,
    Occurrence,
    OccurrenceType,
    OneOf,
)

NONE = Occurrence(times=OccurrenceType.EXACTLY, count=0)
PERSONS = EntryEvents(events=(Events(domain=Domain.PERSON),), observed=False)


def number(field: str, compare: Compare, value: float, to: float | None = None) -> Filter:
    return Filter(field=field, test=Numbers(compare=compare, value=value, to=to))


def since(date: str, field: str = "start_date") -> Filter:
    return Filter(field=field, test=Dates(compare=Compare.AT_LEAST, value=dt.date.fromisoformat(date)))


def one_of(field: str, *concepts: int, excluded: bool = False) -> Filter:
    return Filter(field=field, test=OneOf(concepts=concepts, excluded=excluded))


def ever(domain: Domain, concepts: str | None = None, *filters: Filter, **changes: Any) -> Correlated:
    """Events at any time; *changes* of the events, and of how many and where they are asked for."""
    around = {name: changes.pop(name) for name in ("start", "end", "occurrence", "same_visit") if name in changes}
    events = Events(domain=domain, concepts=concepts, filters=filters, **changes)
    return Correlated(events=events, within_observation=False, **around)


def persons(*members: Correlated | Demographic | Group, **changes: Any) -> CohortDefinition:
    """Persons as such, observed or not, of whom all members hold."""
    rule = InclusionRule(name="asked", group=Group(members=members))
    return CohortDefinition(entry=PERSONS, rules=(rule,), **changes)


def has_count(match: Match) -> bool:
    return match in (Match.AT_LEAST, Match.AT_MOST)


def can_be_missing(field: DomainField) -> bool:
    """What is missing behind a visit, a provider or a care site cannot be asked for."""
    return field.via not in (FieldOrigin.PROVIDER, FieldOrigin.VISIT, FieldOrigin.CARE_SITE)


def counted_columns(criterion: Criterion) -> tuple[str, ...]:
    """Columns whose different values can be counted."""
    return countable(criterion.domain) if isinstance(criterion, Events) else ("start_date", "end_date", "days")
