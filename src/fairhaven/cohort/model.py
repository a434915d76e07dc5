"""What a cohort definition is: the nouns of the cohort language, each frozen and complete in itself.

A person is in a cohort from an *entry event* to an *exit*. The definition says which events let a person in, which rules an
entry event must meet, and what ends the stay. Days are whole days, dates are calendar dates, concepts are OMOP concept ids.
The meaning of each noun is that of OHDSI's Circe 1.11, the reference of the field, and each docstring says it in full.

::

    CohortDefinition
    ├── concept_sets   ConceptSet ── ConceptSetItem
    ├── entry          Entry ── Events | Eras
    ├── qualifying     Group, evaluated on each entry event before the rules
    ├── rules          InclusionRule ── Group
    │                    Group ── Correlated (events in a time window) | Demographic | Group
    ├── exit           EndOfObservation | DateOffset | DrugEraExit, and `censoring` events that end it earlier
    └── gap_days, window   how stays become eras, and the calendar dates they are cut to
"""

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias


class Domain(StrEnum):
    """A table of events. The value is the OMOP table's name; `domains` says what each offers."""

    CONDITION_ERA = "condition_era"
    CONDITION_OCCURRENCE = "condition_occurrence"
    DEATH = "death"
    DEVICE_EXPOSURE = "device_exposure"
    DOSE_ERA = "dose_era"
    DRUG_ERA = "drug_era"
    DRUG_EXPOSURE = "drug_exposure"
    EPISODE = "episode"
    MEASUREMENT = "measurement"
    OBSERVATION = "observation"
    OBSERVATION_PERIOD = "observation_period"
    PAYER_PLAN_PERIOD = "payer_plan_period"
    PERSON = "person"
    PROCEDURE_OCCURRENCE = "procedure_occurrence"
    SPECIMEN = "specimen"
    VISIT_DETAIL = "visit_detail"
    VISIT_OCCURRENCE = "visit_occurrence"


@dataclass(frozen=True, kw_only=True, slots=True)
class ConceptSetItem:
    """One line of a concept set.

    Args:
        concept_id: an OMOP concept id.
        descendants: with all concepts below it (CONCEPT_ANCESTOR) that are valid.
        mapped: with the source concepts that map to it (CONCEPT_RELATIONSHIP "Maps to").
        excluded: takes its concepts out of the set instead of putting them in.
        name: for readers only.
    """

    concept_id: int
    descendants: bool = False
    mapped: bool = False
    excluded: bool = False
    name: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConceptSet:
    """Concepts under one name: all that the including items bring, less all that the excluding items bring.

    A concept that the vocabulary does not know brings nothing; to look for an id whatever the vocabulary says, use a
    `Filter` with `OneOf`.

    Args:
        id: by which the definition's criteria refer to it.
    """

    id: str
    name: str = ""
    items: tuple[ConceptSetItem, ...] = ()


class Compare(StrEnum):
    """How a value is compared."""

    LESS = "<"
    AT_MOST = "<="
    EQUAL = "="
    NOT_EQUAL = "!="
    AT_LEAST = ">="
    MORE = ">"
    BETWEEN = "between"
    OUTSIDE = "outside"


@dataclass(frozen=True, kw_only=True, slots=True)
class Numbers:
    """A number in a range. ``BETWEEN`` includes both ends; ``OUTSIDE`` neither.

    Args:
        value: what is compared with; the lower end of a range.
        to: the upper end of a range, else None.
    """

    compare: Compare
    value: float
    to: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Dates:
    """A date in a range, as `Numbers`."""

    compare: Compare
    value: dt.date
    to: dt.date | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OneOf:
    """A concept id among those given, or (``excluded``) known and not among them."""

    concepts: tuple[int, ...]
    excluded: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class InSet:
    """A concept id in a concept set, or (``excluded``) known and not in it."""

    concept_set: str
    excluded: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """A value is there, or (``yes=False``) is not."""

    yes: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """A text that matches a pattern: ``%`` stands for any characters, ``_`` for one; letter case counts."""

    pattern: str
    negated: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Abnormal:
    """A measurement below its lower or above its upper limit, or whose value is the concept 4155142 or 4155143."""


Test: TypeAlias = Numbers | Dates | OneOf | InSet | Known | Text | Abnormal


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """A test that a field of an event must pass; a missing value passes none but ``Known(yes=False)``.

    Args:
        field: a name of `DomainFacts.fields`: an OMOP column, or a derived one such as ``age`` or ``days``.
    """

    field: str
    test: Test


class DateField(StrEnum):
    """One of the two dates of an event."""

    START = "start_date"
    END = "end_date"


@dataclass(frozen=True, kw_only=True, slots=True)
class DateAdjustment:
    """New dates for an event, each one of its dates plus days; an event whose end falls before its start is left out."""

    start: DateField = DateField.START
    start_days: int = 0
    end: DateField = DateField.END
    end_days: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class UserPeriod:
    """Dates put in place of an observation or payer plan period's own; the period must contain each date given."""

    start: dt.date | None = None
    end: dt.date | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Events:
    """Events of one table.

    The order of meaning: rows of the table whose concept is in `concepts` and whose source concept is in `source_concepts`;
    of these each person's earliest where `first` (ties by the row's id); then dates are adjusted; then the filters; then
    `nested`, a group that is evaluated with each of these events as its index, in the observation period it starts in.

    Args:
        concepts: id of a concept set for the table's standard concept; None takes every row.
        source_concepts: id of a concept set for the table's source concept.
        period: for OBSERVATION_PERIOD and PAYER_PLAN_PERIOD only.
    """

    domain: Domain
    concepts: str | None = None
    source_concepts: str | None = None
    first: bool = False
    dates: DateAdjustment | None = None
    period: UserPeriod | None = None
    filters: tuple[Filter, ...] = ()
    nested: "Group | None" = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Eras:
    """Eras built from events: stretches whose events follow each other within `gap_days`.

    Each person's earliest era where `first`; then dates are adjusted; then the filters (``start_date``, ``end_date``, ``days``,
    ``age``, ``gender_concept_id``).
    """

    of: "tuple[Events | Eras, ...]"
    gap_days: int = 0
    first: bool = False
    dates: DateAdjustment | None = None
    filters: tuple[Filter, ...] = ()


Criterion: TypeAlias = Events | Eras


class Edge(StrEnum):
    """An end of a time window that is not a number of days."""

    PERIOD_START = "observation start"
    PERIOD_END = "observation end"
    OPEN = "any time"


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Where a date of an event must lie, seen from a date of the index event; both ends belong to it.

    Args:
        since: days from the index date (negative is before it), an edge of the index event's observation period, or open.
        until: the same for the upper end.
        of: which date of the event is looked at.
        index: which date of the index event days are counted from.
    """

    since: int | Edge = Edge.OPEN
    until: int | Edge = Edge.OPEN
    of: DateField = DateField.START
    index: DateField = DateField.START


class OccurrenceType(StrEnum):
    """How a number of events is compared."""

    EXACTLY = "exactly"
    AT_MOST = "at most"
    AT_LEAST = "at least"


@dataclass(frozen=True, kw_only=True, slots=True)
class Occurrence:
    """How many events there must be.

    Args:
        distinct: count the different values of this column (`domains.countable(domain)`, for example
            ``start_date`` or ``concept_id``) instead of events.
    """

    times: OccurrenceType = OccurrenceType.AT_LEAST
    count: int = 1
    distinct: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Correlated:
    """Events of the same person around an index event, as many as `occurrence` asks for.

    Args:
        start: the first window; every event counted lies in it.
        end: a second window that must hold as well, or None.
        within_observation: the event starts in the observation period of the index event.
        same_visit: the event belongs to the index event's visit.
    """

    events: Criterion
    occurrence: Occurrence = Occurrence()
    start: Window = Window()
    end: Window | None = None
    within_observation: bool = True
    same_visit: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Demographic:
    """What the person is at the index event.

    Args:
        filters: on ``age`` (years of the index event's start less the year of birth), ``gender_concept_id``,
            ``race_concept_id``, ``ethnicity_concept_id``, ``year_of_birth``, ``start_date``, ``end_date``; all must pass.
    """

    filters: tuple[Filter, ...]


class Match(StrEnum):
    """How many members of a group must hold."""

    ALL = "all"
    ANY = "any"
    AT_LEAST = "at least"
    AT_MOST = "at most"


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Conditions on an index event. A group without members holds.

    Args:
        count: for AT_LEAST and AT_MOST.
    """

    match: Match = Match.ALL
    count: int | None = None
    members: "tuple[Correlated | Demographic | Group, ...]" = ()


class Limit(StrEnum):
    """Which of a person's events go on."""

    ALL = "all"
    FIRST = "first"
    LAST = "last"


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryEvents:
    """Which events let a person in.

    Args:
        events: any of these.
        prior_days, post_days: days of observation that the period must hold before and after the event's start.
        limit: by the events' start, ties by id.
        observed: the event must start in an observation period of the person. Without, the whole of time counts as
            observed: for questions about persons as such (Cohort Discovery), only with events of `Domain.PERSON`.
    """

    events: tuple[Criterion, ...]
    prior_days: int = 0
    post_days: int = 0
    limit: Limit = Limit.ALL
    observed: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class InclusionRule:
    """A named rule that each entry event must meet."""

    name: str
    group: Group
    description: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class EndOfObservation:
    """Stay until the observation period of the entry event ends."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DateOffset:
    """Stay until so many days after a date of the entry event, and not beyond its observation period."""

    date: DateField = DateField.START
    days: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class DrugEraExit:
    """Stay while exposed: until the end of the era of these drugs that contains the entry, or of observation.

    Args:
        concepts: concept set of the drugs, by standard or by source concept.
        gap_days: days without drug that do not end the era.
        offset: days added to each exposure.
        days_supply: length of each exposure in place of the recorded one.
    """

    concepts: str
    gap_days: int = 0
    offset: int = 0
    days_supply: int | None = None


Exit: TypeAlias = EndOfObservation | DateOffset | DrugEraExit


@dataclass(frozen=True, kw_only=True, slots=True)
class CohortDefinition:
    """A cohort definition, complete in itself.

    Args:
        entry: the events that let a person in.
        qualifying: asked of each entry event first; then `qualified_limit` takes effect (it has none without a group).
        rules: all must hold for the same entry event.
        limit: of the events that meet all rules.
        exit: what ends a stay.
        censoring: a stay ends at the first of these events on or after its start, if that is earlier.
        gap_days: stays of a person that follow each other within so many days become one.
        window: calendar dates that stays are cut to.
    """

    name: str = ""
    description: str = ""
    concept_sets: tuple[ConceptSet, ...] = ()
    entry: EntryEvents
    qualifying: Group | None = None
    qualified_limit: Limit = Limit.ALL
    rules: tuple[InclusionRule, ...] = ()
    limit: Limit = Limit.ALL
    exit: Exit = field(default_factory=EndOfObservation)
    censoring: tuple[Criterion, ...] = ()
    gap_days: int = 0
    window: UserPeriod | None = None
