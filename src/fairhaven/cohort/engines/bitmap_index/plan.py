"""What a definition asks, in terms that an index can answer: sets of persons, rows of events, conditions on index events."""

from dataclasses import dataclass, field
from typing import TypeAlias

from fairhaven.cohort.engines.bitmap_index.storage import Array
from fairhaven.cohort.model import DateField, Domain, Edge, Limit, Match, Occurrence, Test
from fairhaven.kernel.errors import Refused


class IndexCannotAnswer(Refused):
    """An index cannot answer this; the general compiler can."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HasConcept:
    """Persons with any of some concepts in a table.

    Args:
        concepts: ids that the release has, sorted; None for any event at all.
        of_source: ids of source concepts.
        tops: concepts whose descendants were asked for: their sets may be there ready made.
    """

    domain: Domain
    concepts: Array | None
    of_source: bool = False
    tops: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class HasAttribute:
    """Persons whose column of PERSON passes a test. ``age`` and the dates are those of the birth year's first day."""

    field: str
    test: Test


@dataclass(frozen=True, kw_only=True, slots=True)
class RowTest:
    """A test on a field of each row; concept sets are resolved."""

    field: str
    test: Test


@dataclass(frozen=True, kw_only=True, slots=True)
class EventRows:
    """Events of one table.

    Args:
        concepts: ids that the release has, sorted; None for every row.
        source_concepts: the same for the source concept.
        first: of each person the earliest.
        nested: asked of each row as an index event, in the observation period it starts in.
        tops: as in `HasConcept`.
    """

    domain: Domain
    concepts: Array | None = None
    source_concepts: Array | None = None
    first: bool = False
    tests: tuple[RowTest, ...] = ()
    nested: "Condition | None" = None
    tops: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class IntervalBound:
    """One end of an interval of days: days from a date of the index event, or an edge of its observation period.

    Args:
        at: days, or which edge.
        index: which date of the index event days are counted from.
    """

    at: int | Edge
    index: DateField = DateField.START


@dataclass(frozen=True, kw_only=True, slots=True)
class CorrelatedEvents:
    """Rows around an index event, as many as asked.

    Args:
        of: the date of the rows that must lie at or after each of `since` and at or before each of `until`.
    """

    rows: EventRows
    occurrence: Occurrence
    of: DateField = DateField.START
    since: tuple[IntervalBound, ...] = ()
    until: tuple[IntervalBound, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexEventTests:
    """Tests of the person at the index event."""

    tests: tuple[RowTest, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ConditionGroup:
    """Members of which so many must hold, as in `model.Group`."""

    match: Match
    count: int | None
    members: "tuple[Condition, ...]"


Condition: TypeAlias = CorrelatedEvents | IndexEventTests | ConditionGroup


@dataclass(frozen=True, kw_only=True, slots=True)
class HasEvents:
    """Persons with so many rows at any time.

    Args:
        birth: days from the first day of the year of birth within which the row's date lies.
    """

    rows: EventRows
    occurrence: Occurrence
    of: DateField = DateField.START
    since_birth: tuple[int, ...] = ()
    until_birth: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonGroup:
    """Sets of which so many must have the person, as in `model.Group`."""

    match: Match
    count: int | None
    members: "tuple[Persons, ...]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Complement:
    """Everybody else."""

    persons: "Persons"


@dataclass(frozen=True, kw_only=True, slots=True)
class HasEntryEvent:
    """Persons with an entry event, in an observation period, that meets conditions.

    Args:
        qualifying: asked first; then `qualified_limit` takes effect.
        rules: asked of what is left, all of the same event.
    """

    parts: tuple[EventRows, ...]
    prior_days: int
    post_days: int
    limit: Limit
    qualifying: Condition | None
    qualified_limit: Limit
    rules: tuple[Condition, ...] = field(default=())


Persons: TypeAlias = HasConcept | HasAttribute | HasEvents | PersonGroup | Complement | HasEntryEvent
