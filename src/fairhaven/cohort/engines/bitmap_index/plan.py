"""What a definition asks, in terms that an index can answer: sets of persons, rows of events, conditions on index events."""

from dataclasses import dataclass, field
from typing import TypeAlias

from fairhaven.cohort.engines.bitmap_index.storage import Array
from fairhaven.cohort.model import DateField, Domain, Edge, Limit, Match, Occurrence, Test
from fairhaven.kernel.errors import Refused


class Beyond(Refused):
    """An index cannot answer this; the general compiler can."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Nobody:
    """No person."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Everybody:
    """Every person of the release."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Having:
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
class Being:
    """Persons whose column of PERSON passes a test. ``age`` and the dates are those of the birth year's first day."""

    field: str
    test: Test


@dataclass(frozen=True, kw_only=True, slots=True)
class RowTest:
    """A test on a field of each row; concept sets are resolved."""

    field: str
    test: Test


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """Events of one table.

    Args:
        concepts: ids that the release has, sorted; None for every row.
        source_concepts: the same for the source concept.
        first: of each person the earliest.
        nested: asked of each row as an index event, in the observation period it starts in.
        tops: as in `Having`.
    """

    domain: Domain
    concepts: Array | None = None
    source_concepts: Array | None = None
    first: bool = False
    tests: tuple[RowTest, ...] = ()
    nested: "Condition | None" = None
    tops: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """One end of an interval of days: days from a date of the index event, or an edge of its observation period.

    Args:
        at: days, or which edge.
        index: which date of the index event days are counted from.
    """

    at: int | Edge
    index: DateField = DateField.START


@dataclass(frozen=True, kw_only=True, slots=True)
class Around:
    """Rows around an index event, as many as asked.

    Args:
        of: the date of the rows that must lie at or after each of `since` and at or before each of `until`.
    """

    rows: Rows
    occurrence: Occurrence
    of: DateField = DateField.START
    since: tuple[Bound, ...] = ()
    until: tuple[Bound, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class AtIndex:
    """Tests of the person at the index event."""

    tests: tuple[RowTest, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Combined:
    """Members of which so many must hold, as in `model.Group`."""

    match: Match
    count: int | None
    members: "tuple[Condition, ...]"


Condition: TypeAlias = Around | AtIndex | Combined


@dataclass(frozen=True, kw_only=True, slots=True)
class Times:
    """Persons with so many rows at any time.

    Args:
        birth: days from the first day of the year of birth within which the row's date lies.
    """

    rows: Rows
    occurrence: Occurrence
    of: DateField = DateField.START
    since_birth: tuple[int, ...] = ()
    until_birth: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Grouped:
    """Sets of which so many must have the person, as in `model.Group`."""

    match: Match
    count: int | None
    members: "tuple[Persons, ...]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Without:
    """Everybody else."""

    persons: "Persons"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entered:
    """Persons with an entry event, in an observation period, that meets conditions.

    Args:
        qualifying: asked first; then `qualified_limit` takes effect.
        rules: asked of what is left, all of the same event.
    """

    parts: tuple[Rows, ...]
    prior_days: int
    post_days: int
    limit: Limit
    qualifying: Condition | None
    qualified_limit: Limit
    rules: tuple[Condition, ...] = field(default=())


Persons: TypeAlias = Nobody | Everybody | Having | Being | Times | Grouped | Without | Entered
