"""Small random CDMs and random cohort definitions that often have somebody in them.

Both are drawn from a `random.Random`, so that one generator serves two ends: hypothesis's own Random for single cases that
it can shrink, a seeded one for batches too large for it.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import strategies as st

from fairhaven.cohort.definition_checks import check_parts
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
    Criterion,
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
    Exit,
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
    Test,
    Text,
    UserPeriod,
    Window,
)
from fairhaven.omop import CDM
from tests.support.cohort_parts import can_be_missing, counted_columns, has_count

Rows = list[dict[str, Any]]
Tables = dict[str, Rows]
if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")
D = TypeVar("D", bound="DataclassInstance")

FIRST_DAY = dt.date(2018, 1, 1)
SPAN = 1300
MALE, FEMALE, TOO_LOW = 8507, 8532, 4155142
CONCEPTS = (*range(1, 17), MALE, FEMALE, TOO_LOW)
UNKNOWN = 99
"""A concept that no vocabulary here knows, but rows use."""
SETS = ("a", "b", "c", "d")
TEXTS = ("stopped", "Stopped", "stop_x", "100%", "a\\b", "")
OFFSETS = (0, 0, 0, 0, 1, 1, -1, 2, 7, -7, 14, 29, 30, 31, -30, 60, 90, 180, 365, -365)
VOCABULARY = ("concept", "concept_ancestor", "concept_relationship")


# -- CDMs


def cdm(random: Random, *, persons: int = 0, unique_ids: bool = False) -> Tables:
    """Rows of every table that a cohort can ask for, with every column of CDM 5.4.

    Args:
        persons: how many; 0 for 5 to 25.
        unique_ids: no two events of whatever tables have one id; else ids of two tables are often the same.
    """
    return _Writing(random, unique_ids).tables(persons or random.randint(5, 25))


class _Writing:
    def __init__(self, random: Random, unique_ids: bool) -> None:
        self._random = random
        self._unique = unique_ids
        self._ids: dict[str, int] = {}
        self._tables: Tables = {name: [] for name in ("person", "provider", "care_site", *VOCABULARY, *DOMAINS)}

    def tables(self, persons: int) -> Tables:
        self._vocabulary()
        for number in range(1, 6):
            self._add("provider", provider_id=number, specialty_concept_id=self._concept(required=False))
            self._add("care_site", care_site_id=number, place_of_service_concept_id=self._concept(required=False))
        for person in range(1, persons + 1):
            self._person(person)
        for rows in self._tables.values():
            self._random.shuffle(rows)
        return self._tables

    def _person(self, person: int) -> None:
        random = self._random
        self._add(
            "person",
            person_id=person,
            gender_concept_id=random.choice([MALE, FEMALE, FEMALE, 0]),
            year_of_birth=random.choice([1930, 1950, 1960, 1975, 1990, 2000, 2015]),
            race_concept_id=self._concept(),
            ethnicity_concept_id=self._concept(),
        )
        periods = self._periods()
        for start, end in periods:
            self._event(Domain.OBSERVATION_PERIOD, person, start, end)
        anchors = [
            _day(random.choice([random.randint(0, SPAN), *edges]))
            for edges in (periods or [(0, SPAN)])
            for _ in range(random.choice([1, 2, 3]))
        ]
        for domain in (Domain.VISIT_OCCURRENCE, *DOMAINS):
            if domain in (Domain.OBSERVATION_PERIOD, Domain.PERSON):
                continue
            most = 1 if domain is Domain.DEATH else 3
            for _ in range(random.choice([0, 0, 1, most]) if domain is Domain.DEATH else random.randint(0, most)):
                if domain is not Domain.DEATH or not any(row["person_id"] == person for row in self._tables["death"]):
                    day = random.choice(anchors) + dt.timedelta(days=random.choice(OFFSETS))
                    start = (day - FIRST_DAY).days
                    self._event(domain, person, start, start + random.choice([0, 0, 1, 5, 10, 30, 45, 200]))

    def _periods(self) -> list[tuple[int, int]]:
        """None to three stretches that do not overlap, some a day apart."""
        random = self._random
        number = random.choice([0, 1, 1, 1, 1, 2, 3])
        days = sorted(random.sample(range(SPAN), 2 * number))
        if number and random.random() < 0.7:
            days[0], days[-1] = random.randint(0, min(60, days[0])), random.randint(max(SPAN - 60, days[-1]), SPAN)
        periods = [(days[2 * place], days[2 * place + 1]) for place in range(number)]
        return [
            (periods[place - 1][1] + 1 if place and random.random() < 0.4 else start, end)
            for place, (start, end) in enumerate(periods)
        ]

    def _event(self, domain: Domain, person: int, start: int, end: int) -> None:
        random, facts = self._random, DOMAINS[domain]
        row: dict[str, Any] = {}
        for field in CDM[domain].fields:
            if field.name in facts.fields or field.name in (*facts.countable, facts.concept, facts.source_concept):
                row[field.name] = self._value(field.name, field.type, required=field.is_required)
        row |= {"person_id": person, facts.start: _day(start)}
        if facts.key != "person_id":
            row[facts.key] = self._id(domain)
        if facts.end:
            # Eras, visits and periods end; what else may is left open now and then, or ends before it starts.
            strict = CDM[domain][facts.end].is_required
            is_known = strict or random.random() < 0.7
            backwards = not strict and random.random() < 0.03
            row[facts.end] = _day(start - 2 if backwards else end) if is_known else None
        if "provider_id" in CDM[domain].names:
            row["provider_id"] = random.choice([None, 1, 2, 3, 4, 5])
        if "care_site_id" in CDM[domain].names and domain is not Domain.PERSON:
            row["care_site_id"] = random.choice([None, 1, 2, 3, 4, 5])
        if "visit_occurrence_id" in CDM[domain].names and domain is not Domain.VISIT_OCCURRENCE:
            visits = self._tables["visit_occurrence"]
            own = [visit["visit_occurrence_id"] for visit in visits if visit["person_id"] == person]
            others = [visit["visit_occurrence_id"] for visit in visits[:1]]
            row["visit_occurrence_id"] = random.choice([None, *own, *own, *own, *others])
        self._add(domain, **row)

    def _value(self, name: str, kind: str, *, required: bool) -> Any:
        random = self._random
        if name.endswith("_concept_id"):
            return self._concept(required=required)
        if not required and random.random() < 0.3:
            return None
        match kind:
            case "integer":
                return random.choice([0, 1, 2, 3, 7, 30, 90])
            case "float":
                return random.choice([0.0, 0.5, 1.0, 2.5, 5.0, 10.0, 100.0])
            case _:
                return random.choice(TEXTS)

    def _concept(self, *, required: bool = True) -> int | None:
        if not required and self._random.random() < 0.3:
            return None
        concept: int = self._random.choice([*CONCEPTS, 0, UNKNOWN])
        return concept

    def _id(self, domain: Domain) -> int:
        key = "" if self._unique else domain
        self._ids[key] = self._ids.get(key, 0) + self._random.choice([1, 1, 2])
        return self._ids[key]

    def _vocabulary(self) -> None:
        """Concepts, some no longer valid; a tree with self rows missing and cycles now and then; mappings, some withdrawn."""
        random = self._random
        for concept in CONCEPTS:
            self._add("concept", concept_id=concept, invalid_reason=random.choice([None] * 5 + ["D"]))
        pairs = {(concept, concept) for concept in CONCEPTS if random.random() < 0.9}
        pairs |= {(high, low) for high in CONCEPTS[:8] for low in CONCEPTS[high:] if random.random() < 0.15}
        pairs |= {(low, high) for high, low in sorted(pairs) if random.random() < 0.05}
        pairs |= {(UNKNOWN, random.choice(CONCEPTS)), (random.choice(CONCEPTS), UNKNOWN)}
        for above, below in sorted(pairs):
            self._add("concept_ancestor", ancestor_concept_id=above, descendant_concept_id=below)
        for one in (*CONCEPTS, UNKNOWN):
            for other in {random.choice(CONCEPTS), random.choice(CONCEPTS)}:
                self._add(
                    "concept_relationship",
                    concept_id_1=one,
                    concept_id_2=other,
                    relationship_id=random.choice(["Maps to", "Maps to", "Mapped from"]),
                    invalid_reason=random.choice([None, None, None, "D"]),
                )

    def _add(self, table: str, **values: Any) -> None:
        self._tables[table].append(dict.fromkeys(CDM[table].names) | values)


def _day(number: int) -> dt.date:
    return FIRST_DAY + dt.timedelta(days=number)


# -- definitions


def definition(random: Random, *, says: Callable[[Any], bool] = lambda part: True) -> CohortDefinition:
    """A definition that the language allows.

    Args:
        says: whether another language can say a part (an Events, Eras, Correlated, Group, Entry or CohortDefinition); parts
            that it cannot say are left out.
    """
    return definitions(random, 1, says=says)[0]


def definitions(
    random: Random, number: int, *, says: Callable[[Any], bool] = lambda part: True
) -> list[CohortDefinition]:
    """Definitions of one batch: now and then one takes a criterion or a group of an earlier one, as published ones do."""
    drawing = _Drawing(random, says)
    found = [drawing.definition(place) for place in range(number)]
    for each in found:
        faults = list(check_parts(each))
        assert not faults, faults
    return found


class _Drawing:
    def __init__(self, random: Random, says: Callable[[Any], bool]) -> None:
        self._random = random
        self._says = says
        self._criteria: list[Criterion] = []
        self._groups: list[Group] = []
        self._sets: list[tuple[ConceptSet, ...]] = []

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _some(self, draw: Callable[[], T], most: int) -> tuple[T, ...]:
        return tuple(draw() for _ in range(self._random.randint(0, most)))

    def definition(self, place: int) -> CohortDefinition:
        random = self._random
        asked = CohortDefinition(
            name=f"cohort {place}",
            concept_sets=self._concept_sets(),
            entry=self._kept(EntryEvents(events=(self._simple_events(),)), self._entry),
            limit=random.choice([Limit.ALL, Limit.ALL, Limit.FIRST, Limit.LAST]),
            gap_days=random.choice([0, 0, 0, 1, 30, 200]),
        )
        if self._chance(0.3):
            asked = self._with(asked, qualifying=self._group(1), qualified_limit=random.choice(list(Limit)))
        if self._chance(0.65):
            rules = [
                InclusionRule(name=f"rule {number}", group=self._group(1)) for number in range(random.randint(1, 3))
            ]
            asked = self._with(asked, rules=tuple(rules))
        asked = self._with(asked, exit=self._exit())
        if self._chance(0.3):
            asked = self._with(asked, censoring=tuple(self._criterion(1) for _ in range(random.choice([1, 1, 2]))))
        if self._chance(0.15):
            start, end = sorted((self._date(), self._date()))
            window = UserPeriod(start=random.choice([None, start]), end=random.choice([None, end, end]))
            asked = self._with(asked, window=window)
        return asked

    def _with(self, part: D, **changes: Any) -> D:
        """The part with what is new, unless that cannot be said."""
        return self._kept(part, lambda: replace(part, **changes))

    def _kept(self, otherwise: T, draw: Callable[[], T]) -> T:
        """What is drawn first that can be said."""
        return next((drawn for drawn in (draw() for _ in range(5)) if self._says(drawn)), otherwise)

    # -- concept sets

    def _concept_sets(self) -> tuple[ConceptSet, ...]:
        if not self._sets or self._chance(0.6):
            self._sets.append(tuple(self._concept_set(name) for name in SETS))
        return self._random.choice(self._sets)

    def _concept_set(self, name: str) -> ConceptSet:
        random = self._random
        number = random.choice([0, 2, 6, 6, 9, 12])
        items = []
        for concept in random.sample((*CONCEPTS, UNKNOWN), number):
            flags = {"descendants": self._chance(0.4), "mapped": self._chance(0.2), "excluded": self._chance(0.15)}
            items.append(ConceptSetItem(concept_id=concept, name=random.choice(["", "a name"]), **flags))
        return ConceptSet(id=name, name=f"set {name}", items=tuple(items))

    # -- entry and exit

    def _entry(self) -> EntryEvents:
        random = self._random
        if self._chance(0.04):
            people = Events(domain=Domain.PERSON, filters=self._filters(DOMAINS[Domain.PERSON].fields, 1))
            return EntryEvents(events=(people,), observed=False, limit=random.choice(list(Limit)))
        events = tuple(
            self._simple_events() if self._chance(0.6) else self._criterion(1)
            for _ in range(random.choice([1, 2, 2, 3]))
        )
        return EntryEvents(
            # What is written twice lets nobody in twice, but would be counted twice by other languages.
            events=tuple(dict.fromkeys(events)),
            prior_days=random.choice([0, 0, 0, 0, 1, 30, 180]),
            post_days=random.choice([0, 0, 0, 0, 1, 90]),
            limit=random.choice([Limit.ALL, Limit.ALL, Limit.FIRST, Limit.LAST]),
        )

    def _exit(self) -> Exit:
        random = self._random
        match random.randint(0, 5):
            case 0 | 1:
                return EndOfObservation()
            case 2 | 3:
                return DateOffset(date=random.choice(list(DateField)), days=random.choice([0, 1, 30, 365, -1, -20]))
            case _:
                return DrugEraExit(
                    concepts=random.choice(SETS),
                    gap_days=random.choice([0, 1, 30, 90]),
                    offset=random.choice([0, 0, 7, -1]),
                    days_supply=random.choice([None, None, 0, 28]),
                )

    # -- criteria

    def _simple_events(self) -> Events:
        domain = self._random.choice([each for each in DOMAINS if each is not Domain.PERSON])
        return (
            Events(domain=domain, concepts=self._random.choice([None, *SETS]) if DOMAINS[domain].concept else None)
            if (self._says(Events(domain=domain, concepts="a")) and DOMAINS[domain].concept)
            else Events(domain=domain)
        )

    def _criterion(self, depth: int) -> Criterion:
        if self._criteria and self._chance(0.2):
            return self._random.choice(self._criteria)
        drawn: Criterion = self._eras(depth) if self._chance(0.1) and depth <= 3 else self._events(depth)
        if depth >= 2:
            self._criteria.append(drawn)
        return drawn

    def _eras(self, depth: int) -> Eras:
        random = self._random
        eras = Eras(of=tuple(self._events(depth + 1) for _ in range(random.randint(1, 2))))
        if not self._says(eras):
            eras = Eras(of=(Events(domain=Domain.CONDITION_OCCURRENCE),))
        if self._chance(0.7):
            eras = self._with(eras, gap_days=random.choice([1, 7, 30, 180]))
        if self._chance(0.3):
            eras = self._with(eras, first=True)
        if self._chance(0.2):
            eras = self._with(eras, dates=self._adjustment())
        for each in self._filters(ERA_FIELDS, 1):
            eras = self._with(eras, filters=(*eras.filters, each))
        return eras

    def _events(self, depth: int) -> Events:
        random = self._random
        events = self._simple_events()
        facts = DOMAINS[events.domain]
        if self._chance(0.03) and self._says(Events(domain=Domain.PERSON)):
            events, facts = Events(domain=Domain.PERSON), DOMAINS[Domain.PERSON]
        if facts.source_concept and self._chance(0.2):
            events = self._with(events, source_concepts=random.choice(SETS))
        if self._chance(0.25):
            events = self._with(events, first=True)
        if events.domain is not Domain.PERSON and self._chance(0.15):
            events = self._with(events, dates=self._adjustment())
        if events.domain in (Domain.OBSERVATION_PERIOD, Domain.PAYER_PLAN_PERIOD) and self._chance(0.5):
            start, end = sorted((self._date(), self._date()))
            period = UserPeriod(start=random.choice([None, start]), end=random.choice([None, end]))
            events = self._with(events, period=period)
        for each in self._filters(facts.fields, 2):
            events = self._with(events, filters=(*events.filters, each))
        if depth <= 3 and self._chance(0.25 / depth):
            events = self._with(events, nested=self._group(depth + 1))
        return events

    def _adjustment(self) -> DateAdjustment:
        random = self._random
        return DateAdjustment(
            start=random.choice([DateField.START, DateField.START, DateField.END]),
            start_days=random.choice([0, 0, 1, -7, 30]),
            end=random.choice([DateField.END, DateField.END, DateField.START]),
            end_days=random.choice([0, 0, 1, 30, -2]),
        )

    # -- conditions

    def _group(self, depth: int) -> Group:
        random = self._random
        if self._groups and self._chance(0.1):
            return random.choice(self._groups)
        members = tuple(self._member(depth) for _ in range(random.choice([0, 1, 1, 1, 2, 3])))
        match = random.choice([Match.ALL, Match.ANY, Match.ANY, Match.AT_LEAST, Match.AT_MOST])
        count = random.randint(0, len(members)) if has_count(match) else None
        group = Group(match=match, count=count, members=members)
        if depth >= 3:
            self._groups.append(group)
        return group

    def _member(self, depth: int) -> Correlated | Demographic | Group:
        if self._chance(0.2):
            return self._demographic()
        if depth <= 3 and self._chance(0.2):
            return self._group(depth + 1)
        return self._correlated(depth)

    def _demographic(self) -> Demographic:
        found = Demographic(filters=())
        for each in self._filters(DEMOGRAPHIC_FIELDS, 2):
            found = self._with(found, filters=(*found.filters, each))
        return found

    def _correlated(self, depth: int) -> Correlated:
        random = self._random
        found = Correlated(events=self._criterion(depth + 1))
        if not self._says(found):
            found = Correlated(events=Events(domain=Domain.CONDITION_OCCURRENCE))
        if self._chance(0.3):
            found = self._with(found, within_observation=False)
        for name, share in (("start", 0.6), ("end", 0.15)):
            if self._chance(share):
                found = self._with(found, **{name: self._window()})
        if isinstance(found.events, Events) and DOMAINS[found.events.domain].visit and self._chance(0.15):
            found = self._with(found, same_visit=True)
        occurrence = Occurrence(
            times=random.choice(
                [OccurrenceType.AT_LEAST, OccurrenceType.AT_LEAST, OccurrenceType.AT_MOST, OccurrenceType.EXACTLY]
            ),
            count=random.choice([0, 1, 1, 1, 2]),
        )
        found = self._with(found, occurrence=occurrence)
        if self._chance(0.25):
            column = random.choice(counted_columns(found.events))
            found = self._with(found, occurrence=replace(found.occurrence, distinct=column))
        return found

    def _window(self) -> Window:
        random = self._random
        since: int | Edge = random.choice([0, 0, 1, -1, -30, -180, -365, *Edge, Edge.OPEN])
        until: int | Edge = random.choice([0, 0, 1, -1, 30, 180, 365, *Edge, Edge.OPEN])
        fields = [DateField.START, DateField.START, DateField.END]
        return Window(since=since, until=until, of=random.choice(fields), index=random.choice(fields))

    # -- filters

    def _filters(self, fields: Mapping[str, DomainField], most: int) -> tuple[Filter, ...]:
        return self._some(lambda: self._filter(fields), most) if self._chance(0.5) else ()

    def _filter(self, fields: Mapping[str, DomainField]) -> Filter:
        name = self._random.choice(sorted(fields))
        return Filter(field=name, test=self._test(name, fields[name]))

    def _test(self, name: str, field: DomainField) -> Test:
        random = self._random
        if self._chance(0.1) and field.kind is not FieldKind.FLAG:
            return Known(yes=not can_be_missing(field) or self._chance(0.5))
        match field.kind:
            case FieldKind.WHOLE | FieldKind.NUMBER:
                return self._numbers(name, field.kind)
            case FieldKind.DATE:
                compare, value, to = self._range(self._date)
                return Dates(compare=compare, value=value, to=to)
            case FieldKind.CONCEPT:
                if self._chance(0.5):
                    return InSet(concept_set=random.choice(SETS), excluded=self._chance(0.3))
                pool = (*CONCEPTS, 0, UNKNOWN)
                concepts = tuple(random.sample(pool, random.choice([1, 4, 10])))
                return OneOf(concepts=concepts, excluded=self._chance(0.3))
            case FieldKind.TEXT:
                pattern = random.choice(["stop%", "%stop%", "%ed", "%_x", "%", "%\\b", "100%", "Stopped", "%\\_%", ""])
                return Text(pattern=pattern, negated=self._chance(0.3))
            case FieldKind.FLAG:
                return Abnormal()

    def _numbers(self, name: str, kind: FieldKind) -> Numbers:
        pool: Sequence[float] = {
            "age": (0, 17, 18, 40, 65, 90),
            "age_at_end": (0, 17, 18, 40, 65, 90),
            "year_of_birth": (1950, 1960, 1990),
            "days": (0, 1, 5, 30, 31),
            "value_to_range_low": (0.5, 1.0, 2.0),
            "value_to_range_high": (0.5, 1.0, 2.0),
        }.get(name, (0, 1, 2, 7, 30) if kind is FieldKind.WHOLE else (0.0, 0.5, 1.0, 2.25, 10.0))
        compare, value, to = self._range(lambda: self._random.choice(pool))
        return Numbers(compare=compare, value=value, to=to)

    def _range(self, draw: Callable[[], Any]) -> tuple[Compare, Any, Any]:
        compare = self._random.choice([*Compare, Compare.AT_LEAST, Compare.AT_MOST, Compare.BETWEEN])
        if compare in (Compare.BETWEEN, Compare.OUTSIDE):
            low, high = sorted((draw(), draw()))
            return compare, low, high
        return compare, draw(), None

    def _date(self) -> dt.date:
        return _day(self._random.choice([-1000, 0, 100, 365, 700, 900, 1000, 1200, SPAN]))


# -- strategies

cdms = st.randoms(use_true_random=False).map(lambda random: cdm(random, persons=random.randint(1, 5)))
"""CDMs that hypothesis can shrink."""

cohort_definitions = st.randoms(use_true_random=False).map(definition)
"""Definitions that hypothesis can shrink."""

seeds = st.integers(0, 2**32 - 1)
