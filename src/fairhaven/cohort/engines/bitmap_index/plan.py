"""What a definition asks, in terms that an index can answer: sets of persons, rows of events, conditions on index events."""

from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from fairhaven.cohort.engines.bitmap_index.storage import Array
from fairhaven.cohort.model import DateField, Demographic, Domain, Edge, Filter, Limit, Match, Occurrence
from fairhaven.kernel.errors import Refused

Member = TypeVar("Member", covariant=True)


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
class EventRows:
    """Events of one table.

    Args:
        concepts: ids that the release has, sorted; None for every row.
        source_concepts: the same for the source concept.
        first: of each person the earliest.
        tests: with concept ids in place of concept sets.
        nested: asked of each row as an index event, in the observation period it starts in.
        tops: as in `HasConcept`.
    """

    domain: Domain
    concepts: Array | None = None
    source_concepts: Array | None = None
    first: bool = False
    tests: tuple[Filter, ...] = ()
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
    """Rows around an index event, as many as asked; of persons as such around the first day of their year of birth.

    Args:
        of: the date of the rows that must lie at or after each of `since` and at or before each of `until`.
    """

    rows: EventRows
    occurrence: Occurrence
    of: DateField = DateField.START
    since: tuple[IntervalBound, ...] = ()
    until: tuple[IntervalBound, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanGroup(Generic[Member]):
    """Conditions of which so many must hold, or sets of which so many must have the person, as in `model.Group`."""

    match: Match = Match.ALL
    count: int | None = None
    members: tuple[Member, ...] = ()


Condition: TypeAlias = "CorrelatedEvents | Demographic | PlanGroup[Condition]"
"""Of index events. The filters of a `Demographic` have concept ids in place of concept sets."""


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
    qualifying: "Condition | None"
    qualified_limit: Limit
    rules: PlanGroup[Condition]


Persons: TypeAlias = "HasConcept | Filter | CorrelatedEvents | PlanGroup[Persons] | Complement | HasEntryEvent"
"""A `Filter` stands for the persons whose column of PERSON passes its test; ``age`` and the dates are those of the first day
of their year of birth."""
