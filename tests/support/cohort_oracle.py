"""What a cohort definition means, as a slow and plain evaluation, one person at a time: the language's executable definition.

It shares nothing with the compiler but the nouns: rows are dictionaries, days are `datetime.date`, a missing value is None.
Where the language leaves open which of several events on one day comes first, the order here is the rule:
the event's id, then the criterion's place in the entry, then the start of the observation period.
"""

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fairhaven.cohort.domains import DOMAINS, ERA_FIELDS, FieldOrigin
from fairhaven.cohort.model import (
    Abnormal,
    CohortDefinition,
    Compare,
    ConceptSetItem,
    Correlated,
    Criterion,
    DateAdjustment,
    DateField,
    DateOffset,
    Dates,
    Demographic,
    Domain,
    DrugEraExit,
    Edge,
    EntryEvents,
    Eras,
    Events,
    Filter,
    Group,
    InSet,
    Known,
    Limit,
    Match,
    Numbers,
    Occurrence,
    OccurrenceType,
    OneOf,
    Test,
    Text,
    UserPeriod,
    Window,
)

_EPOCH = dt.date(1970, 1, 1)

Row = Mapping[str, Any]
Tables = Mapping[str, Sequence[Row]]
Stay = tuple[int, dt.date, dt.date]
"""Person, first day, last day."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened to a person.

    Args:
        sort: by which the entry's limit orders events: the start, before a user's dates are put in its place.
        row: the table's row; empty for an era.
    """

    person: int
    id: int
    start: dt.date
    end: dt.date | None
    sort: dt.date
    domain: Domain | None = None
    row: Row = field(default_factory=dict)

    def date(self, which: DateField) -> dt.date | None:
        return self.start if which is DateField.START else self.end

    @property
    def days(self) -> int | None:
        return None if self.end is None else (self.end - self.start).days

    @property
    def visit(self) -> int | None:
        return self.row.get("visit_occurrence_id") if self.domain and DOMAINS[self.domain].visit else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """A stretch of observation; both days belong to it."""

    start: dt.date
    end: dt.date

    def contains(self, day: dt.date) -> bool:
        return self.start <= day <= self.end


ALWAYS = Period(start=dt.date.min, end=dt.date.max)
"""What counts as observed where the entry does not ask for observation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """An event that conditions are asked of, in the observation period it starts in."""

    event: Event
    period: Period


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """How many persons and entry events."""

    persons: int
    events: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Attrition:
    """What each rule leaves.

    Args:
        entered: qualified entry events.
        after: those that meet this rule and all before it, rule by rule.
        alone: those that meet this rule, whatever the others say.
    """

    entered: Left
    after: tuple[Left, ...]
    alone: tuple[Left, ...]


class Oracle:
    """Evaluates cohort definitions over rows.

    Args:
        tables: OMOP tables by name, each a list of rows; a table that is not there has no rows.
        turn: of entry events that only the rule of ties keeps apart, which is taken: 0 for the first. With another number
            it shows what an engine without that rule might say.
    """

    def __init__(self, tables: Tables, *, turn: int = 0) -> None:
        self._turn = turn
        self._rows: dict[tuple[str, int], list[Row]] = defaultdict(list)
        for name in {*DOMAINS, Domain.OBSERVATION_PERIOD}:
            for row in tables.get(name, ()):
                self._rows[name, row["person_id"]].append(row)
        self._persons = {row["person_id"]: row for row in tables.get("person", ())}
        self._providers = {row["provider_id"]: row for row in tables.get("provider", ())}
        self._sites = {row["care_site_id"]: row for row in tables.get("care_site", ())}
        self._visits = {
            (row["person_id"], row["visit_occurrence_id"]): row for row in tables.get("visit_occurrence", ())
        }
        self._concepts = {row["concept_id"]: row["invalid_reason"] is None for row in tables.get("concept", ())}
        self._ancestors = tables.get("concept_ancestor", ())
        self._relationships = tables.get("concept_relationship", ())
        self._sets: dict[str, frozenset[int]] = {}
        self._found: dict[tuple[Criterion, int], list[Event]] = {}

    # -- the whole definition

    def stays(self, definition: CohortDefinition) -> list[Stay]:
        """The cohort: each person's stays, in order."""
        self._open(definition)
        return sorted(stay for person in self._everybody() for stay in self._stays(definition, person))

    def attrition(self, definition: CohortDefinition) -> Attrition:
        """What each inclusion rule leaves of the qualified entry events."""
        self._open(definition)
        entered = [index for person in self._everybody() for index in self._qualified(definition, person)]
        meets = [[self._holds(rule.group, index) for index in entered] for rule in definition.rules]
        after, alone = [], []
        for number, rule in enumerate(meets):
            kept = [all(column) for column in zip(*meets[: number + 1], strict=True)]
            after.append(_left(entered, kept))
            alone.append(_left(entered, rule))
        return Attrition(entered=_left(entered, [True] * len(entered)), after=tuple(after), alone=tuple(alone))

    def concepts(self, definition: CohortDefinition, concept_set: str) -> frozenset[int]:
        """The concepts of one of the definition's sets."""
        self._open(definition)
        return self._sets[concept_set]

    def _open(self, definition: CohortDefinition) -> None:
        self._found.clear()
        self._sets = {
            found.id: frozenset(self._all_of(item for item in found.items if not item.excluded))
            - frozenset(self._all_of(item for item in found.items if item.excluded))
            for found in definition.concept_sets
        }

    def _everybody(self) -> list[int]:
        return sorted({person for _, person in self._rows})

    def _stays(self, definition: CohortDefinition, person: int) -> list[Stay]:
        qualified = self._qualified(definition, person)
        included = [index for index in qualified if all(self._holds(rule.group, index) for rule in definition.rules)]
        stays = []
        for index in self._limited(included, definition.limit):
            ends = [end for end in self._ends(definition, index) if end >= index.event.start]
            if ends:
                stays.append((index.event.start, min(ends)))
        return [
            (person, *cut)
            for stretch in _joined(stays, definition.gap_days)
            if (cut := _cut(stretch, definition.window)) is not None
        ]

    # -- entry

    def _entered(self, entry: EntryEvents, person: int) -> list[Index]:
        before, after = dt.timedelta(days=entry.prior_days), dt.timedelta(days=entry.post_days)
        found = []
        for place, criterion in enumerate(entry.events):
            for event in self._events(criterion, person):
                for period in self._periods(person) if entry.observed else [ALWAYS]:
                    enough = not entry.observed or (
                        period.start + before <= event.start and event.start + after <= period.end
                    )
                    if period.contains(event.start) and enough:
                        found.append((event.sort, event.id, place, period.start, Index(event=event, period=period)))
        found.sort(key=lambda entered: entered[1:4])
        found.sort(key=lambda entered: entered[0], reverse=entry.limit is Limit.LAST)
        return [entered[-1] for entered in (found if entry.limit is Limit.ALL else found[:1])]

    def _qualified(self, definition: CohortDefinition, person: int) -> list[Index]:
        entered = self._entered(definition.entry, person)
        if definition.qualifying is None:
            return entered
        holding = [index for index in entered if self._holds(definition.qualifying, index)]
        return self._limited(holding, definition.qualified_limit)

    def _limited(self, indexes: list[Index], limit: Limit) -> list[Index]:
        """The first or last by start; of several on that day the one that the entry put first."""
        if limit is Limit.ALL or not indexes:
            return indexes
        starts = [index.event.start for index in indexes]
        day = min(starts) if limit is Limit.FIRST else max(starts)
        tied = [index for index in indexes if index.event.start == day]
        return [tied[self._turn % len(tied)]]

    def _periods(self, person: int) -> list[Period]:
        return [
            Period(start=row["observation_period_start_date"], end=row["observation_period_end_date"])
            for row in self._rows["observation_period", person]
        ]

    # -- events

    def _events(self, criterion: Criterion, person: int) -> list[Event]:
        key = (criterion, person)
        if key not in self._found:
            found = (
                self._events_of(criterion, person) if isinstance(criterion, Events) else self._eras(criterion, person)
            )
            self._found[key] = found
        return self._found[key]

    def _events_of(self, events: Events, person: int) -> list[Event]:
        facts = DOMAINS[events.domain]
        found = []
        for row in self._rows[events.domain, person]:
            if not self._is_in(row, facts.concept, events.concepts):
                continue
            if not self._is_in(row, facts.source_concept, events.source_concepts):
                continue
            start, end = _dates(events.domain, row)
            if start is not None:
                event = Event(person=person, id=row[facts.key], start=start, end=end, sort=start, domain=events.domain)
                found.append(replace(event, row=row))
        found = self._dated(found, first=events.first, dates=events.dates)
        found = [event for event in found if all(self._passes(event, test) for test in events.filters)]
        found = [changed for event in found if (changed := _in_place(event, events.period)) is not None]
        if events.nested is None or not events.nested.members:
            return found
        return [
            event
            for event in found
            if any(
                self._holds(events.nested, Index(event=event, period=period))
                for period in self._periods(person)
                if period.contains(event.start)
            )
        ]

    def _eras(self, eras: Eras, person: int) -> list[Event]:
        events = [event for criterion in eras.of for event in self._events(criterion, person)]
        found = [
            Event(person=person, id=(start - _EPOCH).days, start=start, end=end, sort=start)
            for start, end in _joined([(event.start, event.end) for event in events], eras.gap_days)
        ]
        found = self._dated(found, first=eras.first, dates=eras.dates)
        return [event for event in found if all(self._passes(event, test) for test in eras.filters)]

    def _dated(self, events: list[Event], *, first: bool, dates: DateAdjustment | None) -> list[Event]:
        """The earliest where asked for, then new dates."""
        if first:
            # Two eras start on one day only where one of them has no end or ends before it starts.
            events = sorted(events, key=lambda event: (event.start, event.id, event.end or dt.date.max))[:1]
        if dates is None:
            return events
        changed = []
        for event in events:
            start = _later(event.date(dates.start), dates.start_days)
            end = _later(event.date(dates.end), dates.end_days)
            if start is not None and end is not None and start <= end:
                changed.append(replace(event, start=start, end=end, sort=start))
        return changed

    def _is_in(self, row: Row, column: str | None, concept_set: str | None) -> bool:
        return concept_set is None or (column is not None and row[column] in self._sets[concept_set])

    # -- what is asked of one event

    def _passes(self, event: Event, asked: Filter) -> bool:
        return self._meets(self._value(event, asked.field), asked.test)

    def _value(self, event: Event, name: str) -> Any:
        """A field of an event: a column of its row, or what is derived from its dates, its person or its visit."""
        row = event.row
        fields = DOMAINS[event.domain].fields if event.domain else ERA_FIELDS
        match name:
            case "start_date":
                return event.start
            case "end_date":
                return event.end
            case "days":
                return event.days
            case "value_to_range_low":
                return _ratio(row["value_as_number"], row["range_low"])
            case "value_to_range_high":
                return _ratio(row["value_as_number"], row["range_high"])
            case "abnormal":
                return _is_abnormal(row)
        match fields[name].via:
            case None:
                return row[name]
            case FieldOrigin.PERSON:
                return self._of_person(event, name)
            case FieldOrigin.PROVIDER:
                return self._providers.get(row["provider_id"], {}).get(name)
            case FieldOrigin.VISIT:
                return self._visits.get((event.person, row["visit_occurrence_id"]), {}).get(name)
            case FieldOrigin.CARE_SITE:
                return self._sites.get(row["care_site_id"], {}).get(name)
        raise AssertionError(name)

    def _of_person(self, event: Event, name: str) -> int | None:
        person = self._persons.get(event.person, {})
        if name not in ("age", "age_at_end"):
            return person.get(name)
        day, born = event.start if name == "age" else event.end, person.get("year_of_birth")
        return None if day is None or born is None else day.year - born

    def _meets(self, value: Any, test: Test) -> bool:
        match test:
            case Known():
                return (value is not None) == test.yes
            case _ if value is None:
                return False
            case Numbers() | Dates():
                return _compares(value, test.compare, test.value, test.to)
            case OneOf():
                return (value in test.concepts) != test.excluded
            case InSet():
                return (value in self._sets[test.concept_set]) != test.excluded
            case Text():
                return _is_like(value, test.pattern) != test.negated
            case Abnormal():
                return bool(value)

    # -- conditions on an index event

    def _holds(self, group: Group, index: Index) -> bool:
        holding = sum(self._holds_member(member, index) for member in group.members)
        if not group.members:
            return True
        match group.match:
            case Match.ALL:
                return holding == len(group.members)
            case Match.ANY:
                return holding > 0
            case Match.AT_LEAST:
                assert group.count is not None
                return holding >= group.count
            case Match.AT_MOST:
                assert group.count is not None
                return holding <= group.count

    def _holds_member(self, member: Correlated | Demographic | Group, index: Index) -> bool:
        match member:
            case Group():
                return self._holds(member, index)
            case Demographic():
                person = replace(index.event, domain=None)
                return index.event.person in self._persons and all(
                    self._is_so(person, asked) for asked in member.filters
                )
            case Correlated():
                around = [
                    event
                    for event in self._events(member.events, index.event.person)
                    if self._is_around(event, index, member)
                ]
                return _is_number(around, member.occurrence)

    def _is_so(self, event: Event, asked: Filter) -> bool:
        if asked.field in ("start_date", "end_date"):
            return self._passes(event, asked)
        return self._meets(self._of_person(event, asked.field), asked.test)

    def _is_around(self, event: Event, index: Index, asked: Correlated) -> bool:
        if asked.within_observation and not index.period.contains(event.start):
            return False
        if asked.same_visit and (event.visit is None or event.visit != index.event.visit):
            return False
        return all(_lies_in(event, index, window) for window in (asked.start, asked.end) if window is not None)

    # -- exit

    def _ends(self, definition: CohortDefinition, index: Index) -> Iterable[dt.date]:
        """Every day on which the stay might end; the earliest does."""
        match definition.exit:
            case DateOffset(date=which, days=days):
                offset = _later(index.event.date(which), days)
                if offset is not None:
                    yield min(offset, index.period.end)
            case DrugEraExit():
                yield index.period.end
                for start, end in self._exposed(definition.exit, index.event.person):
                    if start <= index.event.start <= end:
                        yield end
            case _:
                yield index.period.end
        for criterion in definition.censoring:
            for event in self._events(criterion, index.event.person):
                if index.event.start <= event.start <= index.period.end:
                    yield event.start

    def _exposed(self, asked: DrugEraExit, person: int) -> list[tuple[dt.date, dt.date]]:
        drugs, stretches = self._sets[asked.concepts], []
        for row in self._rows[Domain.DRUG_EXPOSURE, person]:
            if row["drug_concept_id"] in drugs or row["drug_source_concept_id"] in drugs:
                start, end = _dates(Domain.DRUG_EXPOSURE, row)
                if start is None:
                    continue
                end = end if asked.days_supply is None else start + dt.timedelta(days=asked.days_supply)
                stretches.append((start, _later(end, asked.offset)))
        return [(start, end) for start, end in _joined(stretches, asked.gap_days) if end is not None]

    # -- concept sets

    def _all_of(self, items: Iterable[ConceptSetItem]) -> Iterable[int]:
        for item in items:
            found = {item.concept_id} & self._concepts.keys()
            if item.descendants:
                found |= {
                    row["descendant_concept_id"]
                    for row in self._ancestors
                    if row["ancestor_concept_id"] == item.concept_id
                    and self._concepts.get(row["descendant_concept_id"])
                }
            yield from found
            if item.mapped:
                yield from (
                    row["concept_id_1"]
                    for row in self._relationships
                    if row["concept_id_2"] in found
                    and row["relationship_id"] == "Maps to"
                    and row["invalid_reason"] is None
                )


def _left(entered: Sequence[Index], kept: Sequence[bool]) -> Left:
    persons = [index.event.person for index, is_kept in zip(entered, kept, strict=True) if is_kept]
    return Left(persons=len(set(persons)), events=len(persons))


def _dates(domain: Domain, row: Row) -> tuple[dt.date | None, dt.date | None]:
    """The two dates of a row, as its table says."""
    if domain is Domain.PERSON:
        born = row["year_of_birth"]
        day = None if born is None else dt.date(born, 1, 1)
        return day, day
    facts = DOMAINS[domain]
    start = row[facts.start]
    end = row[facts.end] if facts.end else None
    if end is not None or facts.end_after is None:
        return start, end
    if isinstance(facts.end_after, str):
        return start, _later(start, row[facts.end_after]) or _later(start, 1)
    return start, _later(start, facts.end_after)


def _later(day: dt.date | None, days: int | None) -> dt.date | None:
    if day is None or days is None:
        return None
    try:
        return day + dt.timedelta(days=days)
    except OverflowError:
        return dt.date.max if days > 0 else dt.date.min


def _in_place(event: Event, period: UserPeriod | None) -> Event | None:
    """The event with a user's dates, or None where it does not contain them."""
    for day in (period.start, period.end) if period else ():
        if day is not None and (event.end is None or not event.start <= day <= event.end):
            return None
    if period is None:
        return event
    return replace(event, start=period.start or event.start, end=period.end or event.end)


def _joined(stretches: Iterable[tuple[dt.date, dt.date | None]], gap_days: int) -> list[tuple[dt.date, Any]]:
    """Stretches that follow each other within so many days made one: each joins what came before it if that reaches it.

    The order is that of start and then end, unknown ends last; it matters only where an end is unknown or before its start.
    """
    joined: list[tuple[dt.date, dt.date | None]] = []
    reach: dt.date | None = None
    for start, end in sorted(stretches, key=lambda stretch: (stretch[0], stretch[1] or dt.date.max)):
        if reach is not None and reach >= start:
            joined[-1] = (joined[-1][0], _latest(joined[-1][1], end))
        else:
            joined.append((start, end))
        reach = _latest(reach, _later(end, gap_days))
    return joined


def _latest(one: dt.date | None, other: dt.date | None) -> dt.date | None:
    return max((day for day in (one, other) if day is not None), default=None)


def _cut(stretch: tuple[dt.date, dt.date], window: UserPeriod | None) -> tuple[dt.date, dt.date] | None:
    start, end = stretch
    if window is not None:
        start = max(start, window.start or start)
        end = min(end, window.end or end)
    return (start, end) if start <= end else None


def _lies_in(event: Event, index: Index, window: Window) -> bool:
    day, counted_from = event.date(window.of), index.event.date(window.index)

    def edge(at: int | Edge) -> dt.date | None:
        match at:
            case Edge.PERIOD_START:
                return index.period.start
            case Edge.PERIOD_END:
                return index.period.end
            case _:
                assert isinstance(at, int)
                return _later(counted_from, at)

    def is_kept(at: int | Edge, holds: Callable[[dt.date, dt.date], bool]) -> bool:
        if at is Edge.OPEN:
            return True
        limit = edge(at)
        return day is not None and limit is not None and holds(day, limit)

    return is_kept(window.since, lambda a, b: a >= b) and is_kept(window.until, lambda a, b: a <= b)


def _is_number(events: Sequence[Event], asked: Occurrence) -> bool:
    if asked.distinct is None:
        number = len(events)
    else:
        number = len({_counted(event, asked.distinct) for event in events} - {None})
    match asked.times:
        case OccurrenceType.EXACTLY:
            return number == asked.count
        case OccurrenceType.AT_MOST:
            return number <= asked.count
        case OccurrenceType.AT_LEAST:
            return number >= asked.count


def _counted(event: Event, name: str) -> Any:
    match name:
        case "start_date":
            return event.start
        case "end_date":
            return event.end
        case "days":
            return event.days
        case "visit_occurrence_id":
            return event.visit
        case "concept_id":
            assert event.domain is not None
            column = DOMAINS[event.domain].concept
            assert column is not None
            # A death without a cause counts as one of concept 0, as in the reference.
            return event.row[column] if event.domain is not Domain.DEATH else event.row[column] or 0
        case _:
            return event.row[name]


def _compares(value: Any, compare: Compare, other: Any, to: Any) -> bool:
    match compare:
        case Compare.LESS:
            return bool(value < other)
        case Compare.AT_MOST:
            return bool(value <= other)
        case Compare.EQUAL:
            return bool(value == other)
        case Compare.NOT_EQUAL:
            return bool(value != other)
        case Compare.AT_LEAST:
            return bool(value >= other)
        case Compare.MORE:
            return bool(value > other)
        case Compare.BETWEEN:
            return bool(other <= value <= to)
        case Compare.OUTSIDE:
            return not other <= value <= to


def _is_like(text: str, pattern: str) -> bool:
    parts = {"%": ".*", "_": "."}
    return re.fullmatch("".join(parts.get(sign, re.escape(sign)) for sign in pattern), text, re.DOTALL) is not None


def _ratio(value: float | None, limit: float | None) -> float | None:
    return None if value is None or not limit else value / limit


def _is_abnormal(row: Row) -> bool:
    value, low, high = row["value_as_number"], row["range_low"], row["range_high"]
    below = value is not None and low is not None and value < low
    above = value is not None and high is not None and value > high
    return below or above or row["value_as_concept_id"] in (4155142, 4155143)
