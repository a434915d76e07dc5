"""From a definition to what an index can answer, or the reason why it cannot.

Two kinds of definitions are within reach:

- *questions about persons*: the entry is a person as such (`Domain.PERSON`, not observed). There is one index event for each
  person, so that every condition is a set of persons and the answer is made of sets;
- *questions about events*: the entry is events of tables in an observation period, with conditions on events around them.

Whatever might change the answer and is not kept in the index is `IndexCannotAnswer`; nothing is left out in silence. The
relational engine then answers.

Why sets suffice for the first kind. A person as such has one event, on 1 January of the year of birth. So "an index event
with so many events around it" is "a person with so many events at all" where the window is open, and a group of such
conditions is a union, an intersection or a count of sets; a negation is the complement, as nobody has a second event that
could still meet it. With several index events for a person that is wrong: two conditions can each be met by another of
them, and the person by none. The second kind therefore asks conditions of rows, and makes a set of persons at the end.

Invariant: a plan gives the persons that the relational engine gives, or there is no plan.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from fairhaven.cohort.domains import DEMOGRAPHIC_FIELDS, DOMAINS
from fairhaven.cohort.engines.bitmap_index.concept_hierarchy import ConceptHierarchy
from fairhaven.cohort.engines.bitmap_index.plan import (
    Complement,
    Condition,
    CorrelatedEvents,
    EventRows,
    HasConcept,
    HasEntryEvent,
    IndexCannotAnswer,
    Persons,
    PlanGroup,
)
from fairhaven.cohort.engines.bitmap_index.storage import Array
from fairhaven.cohort.engines.bitmap_index.unsupported_criteria import (
    check_exit,
    check_first_event,
    check_occurrence,
    check_start_only,
)
from fairhaven.cohort.engines.bitmap_index.window_bounds import clip_days, window_interval
from fairhaven.cohort.model import (
    CohortDefinition,
    ConceptSet,
    Correlated,
    Criterion,
    Dates,
    Demographic,
    Domain,
    EntryEvents,
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
)

_OF_EVENT = frozenset({"start_date", "end_date", "days", "age", "age_at_end"})
_OF_PERSON = frozenset(DEMOGRAPHIC_FIELDS) - {"age", "start_date", "end_date"}


def plan(definition: CohortDefinition, concepts: ConceptHierarchy, facts: Mapping[str, Any]) -> Persons:
    """The persons of a cohort.

    Args:
        facts: what the index's manifest says.

    Raises:
        IndexCannotAnswer: the index cannot tell; why.
    """
    entry = definition.entry
    are_persons = all(isinstance(each, Events) and each.domain is Domain.PERSON for each in entry.events)
    check_exit(definition, are_persons=are_persons)
    if facts["without_year_of_birth"]:
        raise IndexCannotAnswer("persons without a year of birth")
    parts = _DefinitionParts(concepts, facts["tables"], definition.concept_sets)
    if are_persons:
        groups = [group for group in (definition.qualifying, *(rule.group for rule in definition.rules)) if group]
        persons = PlanGroup(match=Match.ANY, members=tuple(parts.entry_persons(entry)))
        return PlanGroup(members=(persons, *map(parts.persons_meeting, groups)))
    if not entry.observed:
        raise IndexCannotAnswer("an entry by events that need not be observed")
    if not facts["periods_are_sound"]:
        raise IndexCannotAnswer("observation periods that overlap or lack a date")
    return parts.persons_by_entry_events(definition)


class _DefinitionParts:
    """Plans the parts of one definition."""

    def __init__(
        self, concepts: ConceptHierarchy, tables: Mapping[str, Mapping[str, Any]], sets: Iterable[ConceptSet]
    ) -> None:
        self._concepts = concepts
        self._tables = tables
        self._sets = {each.id: each.items for each in sets}
        self._found: dict[str, Array] = {}

    # Questions about persons

    def entry_persons(self, entry: EntryEvents) -> Iterable[Persons]:
        """Persons as such, by each of the entry's criteria."""
        if entry.observed:
            raise IndexCannotAnswer("persons that must be observed at the start of their year of birth")
        if entry.prior_days or entry.post_days:
            raise IndexCannotAnswer("days of observation around persons that need not be observed")
        for each in entry.events:
            match each:
                case Events(concepts=None, source_concepts=None, dates=None, period=None, nested=None):
                    yield PlanGroup(members=self._tests_of_person(each.filters))
                case _:
                    raise IndexCannotAnswer("persons as such with concepts, dates or nested conditions")

    def persons_meeting(self, asked: Group | Demographic | Correlated) -> Persons:
        """The persons who meet a group, or a member of one."""
        match asked:
            case Group(match=match, count=count, members=members):
                return PlanGroup(match=match, count=count, members=tuple(map(self.persons_meeting, members)))
            case Demographic(filters=filters):
                return PlanGroup(members=self._tests_of_person(filters))
            case Correlated():
                return self._persons_with_events(asked)

    def _persons_with_events(self, asked: Correlated) -> Persons:
        """With one index event for each person, what lies around it is a question about the person."""
        counted = self._events_around(asked, observed=False)
        rows = counted.rows
        some = _some_or_none(asked.occurrence)
        of_source = rows.source_concepts is not None
        by_both = of_source and rows.concepts is not None
        # A set of persons by concept knows no dates, numbers or attributes: with any of them rows have to be counted.
        if counted.since or counted.until or some is None or rows.tests or rows.nested or by_both:
            return counted
        having = HasConcept(
            domain=rows.domain,
            concepts=rows.source_concepts if of_source else rows.concepts,
            of_source=of_source,
            tops=rows.tops,
        )
        return having if some else Complement(persons=having)

    # Questions about events

    def persons_by_entry_events(self, definition: CohortDefinition) -> Persons:
        """Persons by their entry events."""
        entry = definition.entry
        qualifying, rules = definition.qualifying, Group(members=tuple(rule.group for rule in definition.rules))
        qualified_limit = definition.qualified_limit if qualifying else Limit.ALL
        parts = tuple(map(self.rows, entry.events))
        # Of events on one day only their ids say which is the first or last, and an index does not keep them. It makes no
        # difference as long as nothing is asked of the index event but its start, which they share.
        if entry.limit is not Limit.ALL or qualified_limit is not Limit.ALL or any(part.first for part in parts):
            check_start_only(qualifying)
            check_start_only(rules)
        return HasEntryEvent(
            parts=parts,
            prior_days=clip_days(entry.prior_days),
            post_days=clip_days(entry.post_days),
            limit=entry.limit,
            qualifying=None if qualifying is None else self.condition(qualifying),
            qualified_limit=qualified_limit,
            rules=self._group(rules),
        )

    def condition(self, asked: Group | Demographic | Correlated) -> Condition:
        """A group on index events, or a member of one."""
        match asked:
            case Group():
                return self._group(asked)
            case Demographic(filters=filters):
                return Demographic(filters=self._tests_of_person(filters))
            case Correlated():
                return self._events_around(asked, observed=True)

    def _group(self, asked: Group) -> PlanGroup[Condition]:
        return PlanGroup(match=asked.match, count=asked.count, members=tuple(map(self.condition, asked.members)))

    # Both

    def _events_around(self, asked: Correlated, *, observed: bool) -> CorrelatedEvents:
        if asked.same_visit:
            raise IndexCannotAnswer("events of the same visit" if observed else "the visit of a person as such")
        rows = self.rows(asked.events)
        of, since, until = window_interval(asked, observed=observed)
        check_occurrence(rows, asked.occurrence, of)
        return CorrelatedEvents(rows=rows, occurrence=asked.occurrence, of=of, since=since, until=until)

    def _tests_of_person(self, filters: tuple[Filter, ...]) -> tuple[Filter, ...]:
        for each in filters:
            if each.field not in DEMOGRAPHIC_FIELDS:
                raise IndexCannotAnswer(f"{each.field} of a person")
        return tuple(map(self._resolved, filters))

    # Rows

    def rows(self, criterion: Criterion) -> EventRows:
        """The events of a criterion."""
        if not isinstance(criterion, Events):
            raise IndexCannotAnswer("eras that the definition builds")
        if criterion.dates is not None or criterion.period is not None:
            raise IndexCannotAnswer("dates put in place of recorded ones")
        domain = criterion.domain
        table = self._tables.get(domain)
        if table is None:
            raise IndexCannotAnswer(f"the table {domain}")
        if table["missing_starts"]:
            raise IndexCannotAnswer(f"events of {domain} without a date")
        facts = DOMAINS[domain]
        concepts = None if criterion.concepts is None else self._concepts_of_set(criterion.concepts)
        source = None if criterion.source_concepts is None else self._concepts_of_set(criterion.source_concepts)
        if source is not None and table["rows"] and facts.source_concept not in table["fields"]:
            raise IndexCannotAnswer(f"source concepts of {domain}")
        tops = self._ancestors(criterion.concepts)
        tests = []
        for each in criterion.filters:
            # A test of the event's own concept narrows the concepts; but a first event is the first before it is tested.
            ids = self._named_concepts(each.test) if each.field == facts.concept else None
            if ids is not None and not criterion.first:
                concepts = ids if concepts is None else np.intersect1d(concepts, ids)
                tops = ()
                continue
            self._check_field(domain, each)
            tests.append(self._resolved(each))
        if criterion.first:
            check_first_event(criterion)
        # A group without members does not ask for observation either.
        nested = self.condition(criterion.nested) if criterion.nested and criterion.nested.members else None
        return EventRows(
            domain=domain,
            concepts=concepts,
            source_concepts=source,
            first=criterion.first,
            tests=tuple(tests),
            nested=nested,
            tops=tops,
        )

    def _check_field(self, domain: Domain, asked: Filter) -> None:
        kept: Collection[str] = (*self._tables[domain]["fields"], *_OF_EVENT, *_OF_PERSON)
        if self._tables[domain]["rows"] and asked.field not in kept:
            raise IndexCannotAnswer(f"{asked.field} of {domain}")

    def _named_concepts(self, test: Test) -> Array | None:
        """The release's concepts that a test lets through, where it names those."""
        match test:
            case OneOf(concepts=ids, excluded=False):
                return self._concepts.of_ids(ids)
            case InSet(concept_set=name, excluded=False):
                return self._concepts_of_set(name)
        return None

    def _resolved(self, asked: Filter) -> Filter:
        """A filter without concept sets."""
        match asked.test:
            case InSet(concept_set=name, excluded=excluded):
                ids = self._concepts_of_set(name)
            case OneOf(concepts=named, excluded=excluded):
                # Ids that the release does not have make no difference.
                ids = self._concepts.of_ids(named)
            case Numbers() | Dates() | Known():
                return asked
            case other:
                raise IndexCannotAnswer(f"a test of this kind: {type(other).__name__}")
        return Filter(field=asked.field, test=OneOf(concepts=tuple(ids.tolist()), excluded=excluded))

    def _concepts_of_set(self, name: str) -> Array:
        if name not in self._found:
            self._found[name] = self._concepts.of_set(self._sets[name])
        return self._found[name]

    def _ancestors(self, name: str | None) -> tuple[int, ...]:
        items = () if name is None else self._sets[name]
        return tuple(each.concept_id for each in items if each.descendants and not each.excluded)


def _some_or_none(occurrence: Occurrence) -> bool | None:
    """True where one event is enough, False where there must be none, None for other numbers."""
    match occurrence:
        case Occurrence(times=OccurrenceType.AT_LEAST, count=1):
            return True
        case Occurrence(times=OccurrenceType.EXACTLY | OccurrenceType.AT_MOST, count=0):
            return False
    return None
