"""Any definition that the language can say: hypothesis strategies over every noun, with names that no sane person would give."""

import datetime as dt
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

from hypothesis import strategies as st

from fairhaven.cohort.definition_checks import MAX_DAYS
from fairhaven.cohort.domains import (
    DEMOGRAPHIC_FIELDS,
    DOMAINS,
    ERA_FIELDS,
    DomainField,
    FieldKind,
)
from fairhaven.cohort.model import (
    Abnormal,
    CohortDefinition,
    Compare,
    ConceptSet,
    ConceptSetItem,
    Correlated,
    DateAdjustment,
    DateField,
    DateOffset,
    Dates,
    Demographic,
    Domain,
    DrugEraExit,
    Edge,
    EndOfObservation,
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
    Numbers,
    Occurrence,
    OccurrenceType,
    OneOf,
    Text,
    UserPeriod,
    Window,
)
from tests.support.cohort_parts import can_be_missing, counted_columns, has_count

_AWKWARD = st.sampled_from(
    ['"', "'", "\\", "\n", '"""', "\r\n", "\t", "\x7f", "\x00", " | ", "#", "[a.b]", "= ", "é", "\u2028", "😀"]
)
TEXTS = st.lists(_AWKWARD | st.text(st.characters(exclude_categories=["Cs"]), max_size=6), max_size=4).map("".join)
IDS = st.sampled_from(
    ["0", "12", "t2dm", "kidney.function", "set", "a b", "Ünïcode", '"quoted"', "in set x"]
) | TEXTS.filter(lambda text: text not in ("", "*"))
_DAYS = st.integers(0, MAX_DAYS)
_SIGNED_DAYS = st.integers(-MAX_DAYS, MAX_DAYS)
_DATES = st.dates(dt.date(1, 1, 1), dt.date(9999, 12, 31))
_CONCEPTS = st.integers(0, 2**63 - 1)
_SINGLE = [each for each in Compare if each not in (Compare.BETWEEN, Compare.OUTSIDE)]


def _ranges(noun: type, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    two = st.lists(values, min_size=2, max_size=2).map(sorted)
    return st.builds(lambda how, value: noun(compare=how, value=value), st.sampled_from(_SINGLE), values) | st.builds(
        lambda how, ends: noun(compare=how, value=ends[0], to=ends[1]),
        st.sampled_from([Compare.BETWEEN, Compare.OUTSIDE]),
        two,
    )


_WHOLE = st.integers(-(10**6), 10**6)
_NUMBERS = st.floats(-(10.0**15), 10.0**15) | _WHOLE
_FLAGS = st.booleans()


def _tests(field: DomainField, ids: list[str]) -> st.SearchStrategy[Any]:
    known = st.builds(Known, yes=_FLAGS) if can_be_missing(field) else st.just(Known())
    match field.kind:
        case FieldKind.WHOLE:
            return _ranges(Numbers, _WHOLE) | known
        case FieldKind.NUMBER:
            return _ranges(Numbers, _NUMBERS) | known
        case FieldKind.DATE:
            return _ranges(Dates, _DATES) | known
        case FieldKind.CONCEPT:
            concepts = st.lists(_CONCEPTS, min_size=1, max_size=3).map(tuple)
            one_of = st.builds(OneOf, concepts=concepts, excluded=_FLAGS)
            in_set = st.builds(InSet, concept_set=st.sampled_from(ids), excluded=_FLAGS)
            return one_of | in_set | known
        case FieldKind.TEXT:
            return st.builds(Text, pattern=TEXTS, negated=_FLAGS) | known
        case FieldKind.FLAG:
            return st.just(Abnormal())


def _filters(fields: Any, ids: list[str]) -> st.SearchStrategy[tuple[Filter, ...]]:
    each = st.sampled_from(sorted(fields)).flatmap(
        lambda name: st.builds(Filter, field=st.just(name), test=_tests(fields[name], ids))
    )
    return st.lists(each, max_size=3).map(tuple)


_PERIODS = st.builds(UserPeriod, start=st.none() | _DATES, end=st.none() | _DATES).filter(
    lambda period: not (period.start and period.end and period.start > period.end)
)
_BOUNDS = st.sampled_from(Edge) | _SIGNED_DAYS
_WINDOWS = st.builds(
    Window, since=_BOUNDS, until=_BOUNDS, of=st.sampled_from(DateField), index=st.sampled_from(DateField)
)
_ADJUSTMENTS = st.none() | st.builds(
    DateAdjustment,
    start=st.sampled_from(DateField),
    start_days=_SIGNED_DAYS,
    end=st.sampled_from(DateField),
    end_days=_SIGNED_DAYS,
)


@st.composite
def events(draw: Any, ids: list[str], depth: int) -> Events:
    """Events of any table with all that the table allows."""
    domain = draw(st.sampled_from(Domain))
    facts = DOMAINS[domain]
    has_period = domain in (Domain.OBSERVATION_PERIOD, Domain.PAYER_PLAN_PERIOD)
    return Events(
        domain=domain,
        concepts=draw(st.none() | st.sampled_from(ids)) if facts.concept else None,
        source_concepts=draw(st.none() | st.sampled_from(ids)) if facts.source_concept else None,
        first=draw(_FLAGS),
        dates=None if domain == Domain.PERSON else draw(_ADJUSTMENTS),
        period=draw(st.none() | _PERIODS) if has_period else None,
        filters=draw(_filters(facts.fields, ids)),
        nested=draw(st.none() | groups(ids, depth - 1)) if depth > 0 else None,
    )


def criteria(ids: list[str], depth: int) -> st.SearchStrategy[Events | Eras]:
    """Events, or eras of them."""
    if depth <= 0:
        return events(ids, 0)
    eras = st.builds(
        Eras,
        of=st.lists(criteria(ids, depth - 1), min_size=1, max_size=2).map(tuple),
        gap_days=_DAYS,
        first=_FLAGS,
        dates=_ADJUSTMENTS,
        filters=_filters(ERA_FIELDS, ids),
    )
    return st.one_of(events(ids, depth), events(ids, depth), eras)


@st.composite
def correlated(draw: Any, ids: list[str], depth: int) -> Correlated:
    """Events around an index event."""
    criterion = draw(criteria(ids, depth))
    is_events = isinstance(criterion, Events)
    return Correlated(
        events=criterion,
        occurrence=Occurrence(
            times=draw(st.sampled_from(OccurrenceType)),
            count=draw(st.integers(0, 5)),
            distinct=draw(st.none() | st.sampled_from(counted_columns(criterion))),
        ),
        start=draw(_WINDOWS),
        end=draw(st.none() | _WINDOWS),
        within_observation=draw(_FLAGS),
        same_visit=draw(_FLAGS) if is_events and DOMAINS[criterion.domain].visit else False,
    )


@st.composite
def groups(draw: Any, ids: list[str], depth: int) -> Group:
    """A group of up to three members."""
    match = draw(st.sampled_from(Match))
    demographic = st.builds(Demographic, filters=_filters(DEMOGRAPHIC_FIELDS, ids))
    member = demographic if depth <= 0 else st.one_of(correlated(ids, depth - 1), groups(ids, depth - 1), demographic)
    return Group(
        match=match,
        count=draw(st.integers(0, 4)) if has_count(match) else None,
        members=tuple(draw(st.lists(member, max_size=3))),
    )


_ITEMS = st.builds(ConceptSetItem, concept_id=_CONCEPTS, descendants=_FLAGS, mapped=_FLAGS, excluded=_FLAGS, name=TEXTS)


@st.composite
def definitions(draw: Any) -> CohortDefinition:
    """A definition that `check` lets through."""
    ids = draw(st.lists(IDS, min_size=1, max_size=3, unique=True))
    exits = st.one_of(
        st.just(EndOfObservation()),
        st.builds(DateOffset, date=st.sampled_from(DateField), days=_SIGNED_DAYS),
        st.builds(
            DrugEraExit,
            concepts=st.sampled_from(ids),
            gap_days=_DAYS,
            offset=_SIGNED_DAYS,
            days_supply=st.none() | _DAYS,
        ),
    )
    entry = st.builds(
        EntryEvents,
        events=st.lists(criteria(ids, 2), min_size=1, max_size=2).map(tuple),
        prior_days=_DAYS,
        post_days=_DAYS,
        limit=st.sampled_from(Limit),
    )
    rules = st.builds(InclusionRule, name=TEXTS, group=groups(ids, 2), description=TEXTS)
    return CohortDefinition(
        name=draw(TEXTS),
        description=draw(TEXTS),
        concept_sets=tuple(
            ConceptSet(id=each, name=draw(TEXTS), items=tuple(draw(st.lists(_ITEMS, max_size=3)))) for each in ids
        ),
        entry=draw(entry),
        qualifying=draw(st.none() | groups(ids, 1)),
        qualified_limit=draw(st.sampled_from(Limit)),
        rules=tuple(draw(st.lists(rules, max_size=2))),
        limit=draw(st.sampled_from(Limit)),
        exit=draw(exits),
        censoring=tuple(draw(st.lists(criteria(ids, 1), max_size=1))),
        gap_days=draw(_DAYS),
        window=draw(st.none() | _PERIODS),
    )


def plainly_named(part: Any, names: dict[str, str] | None = None) -> Any:
    """The same definition in which all that a user may write freely (names, ids, texts) is ``words`` and a number.

    For tests of the program's own words: a user may well name a rule ``False``.
    """
    names = {} if names is None else names
    if isinstance(part, str) and not isinstance(part, Enum):
        return names.setdefault(part, f"words {len(names)}") if part else part
    if isinstance(part, tuple):
        return tuple(plainly_named(each, names) for each in part)
    if is_dataclass(part) and not isinstance(part, type):
        changed = {
            each.name: plainly_named(getattr(part, each.name), names)
            for each in fields(part)
            if each.name not in _OF_THE_LANGUAGE
        }
        return replace(part, **changed)
    return part


_OF_THE_LANGUAGE = {"field", "distinct"}
"""Texts of a definition that a user chooses from those that there are."""
