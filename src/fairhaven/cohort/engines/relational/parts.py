"""The numbered parts of a batch: what several definitions share has one number and is computed once.

Three number spaces: *concept sets*; *criteria* (sets of events); *indexes* (sets of events that conditions are asked of: the
entry events of a definition, or the events of a criterion that has a nested group) with the *conditions* asked of them.
"""

from dataclasses import dataclass

from fairhaven.cohort.model import (
    ConceptSetItem,
    DateAdjustment,
    Domain,
    Exit,
    Limit,
    Match,
    Occurrence,
    Test,
    UserPeriod,
    Window,
)

Items = tuple[ConceptSetItem, ...] | tuple[int, ...]
"""A concept set by what is in it: items, or concept ids as they stand."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldTest:
    """A filter whose concept set, if it has one, is numbered."""

    field: str
    test: Test
    concept_set: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """Rows of one table.

    Args:
        counted: the column whose different values some occurrence counts.
        backwards: keep events whose adjusted end is before their start.
    """

    domain: Domain
    concepts: int | None = None
    source_concepts: int | None = None
    first: bool = False
    dates: DateAdjustment | None = None
    backwards: bool = False
    period: UserPeriod | None = None
    filters: tuple[FieldTest, ...] = ()
    counted: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EraSet:
    """Eras over other criteria."""

    of: tuple[int, ...]
    gap_days: int = 0
    first: bool = False
    dates: DateAdjustment | None = None
    filters: tuple[FieldTest, ...] = ()
    counted: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Restricted:
    """Events of a criterion that meet a condition asked of each of them."""

    base: int
    condition: int


Criterion = Scan | EraSet | Restricted


@dataclass(frozen=True, kw_only=True, slots=True)
class NestedIndex:
    """Events of a criterion, each with the observation period that it starts in."""

    base: int


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryIndex:
    """Entry events of one or more definitions; of two events of one day and one id that of the earlier criterion comes first."""

    criteria: tuple[int, ...]
    prior_days: int
    post_days: int
    limit: Limit
    observed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class QualifiedIndex:
    """Entry events that meet a condition, limited again."""

    base: int
    condition: int
    limit: Limit


Index = NestedIndex | EntryIndex | QualifiedIndex


@dataclass(frozen=True, kw_only=True, slots=True)
class CountTest:
    """So many events of a criterion around each event of an index."""

    index: int
    criterion: int
    occurrence: Occurrence
    start: Window
    end: Window | None
    within_observation: bool
    same_visit: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonTest:
    """What the person is at each event of an index."""

    index: int
    filters: tuple[FieldTest, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupTest:
    """So many of other conditions of the same index."""

    index: int
    match: Match
    count: int | None
    members: tuple[int, ...]


Condition = CountTest | PersonTest | GroupTest


@dataclass(frozen=True, kw_only=True, slots=True)
class Cohort:
    """One definition, in numbers.

    Args:
        entry: index of the entry events before the qualifying group.
        index: index that the rules are asked of.
        rules: one condition each.
        drug_eras: the criterion whose eras end a stay.
        censoring: criteria whose events end a stay.
    """

    entry: int
    index: int
    rules: tuple[int, ...]
    limit: Limit
    exit: Exit
    drug_eras: int | None
    censoring: tuple[int, ...]
    gap_days: int
    window: UserPeriod | None
