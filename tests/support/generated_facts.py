"""Made-up facts about people, as no format has them: who, what, when, and how what is said of them changes from delivery to delivery.

`generated_world` makes them up, `generated_truth` says which rows of the CDM they are, `generated_partner` what a partner makes of them,
`generated_files` and `generated_fhir` write them in every format that is read. None of these takes anything from the code that it tries.
"""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from itertools import groupby
from typing import Any

AS_OF = dt.date(2026, 11, 21)
DELIVERIES = (dt.date(2026, 10, 1), dt.date(2026, 11, 20))
NOBODY = 0
"""Whose a fact is that is about no person: a place, a provider."""

VISITS = {"inpatient": 9201, "outpatient": 9202, "emergency": 9203}
EXPOSURES = ("prescription", "dispensing", "administration", "statement")
NEGATIONS = {
    "condition": ("refuted", "entered-in-error"),
    "measurement": ("entered-in-error", "cancelled"),
    "observation": ("entered-in-error", "cancelled"),
    "procedure": ("entered-in-error", "not-done"),
    "prescription": ("entered-in-error", "draft", "not-to-perform"),
    "dispensing": ("entered-in-error", "not-done"),
    "administration": ("entered-in-error", "not-done"),
    "statement": ("entered-in-error", "not-taken"),
    "device": ("entered-in-error", "not-used"),
    "specimen": ("entered-in-error",),
    "allergy": ("refuted", "entered-in-error"),
    "note": ("entered-in-error", "superseded"),
    "coverage": ("entered-in-error", "draft"),
    "visit": ("cancelled", "entered-in-error"),
}
"""What takes a fact back in its own words; the formats say it each in theirs."""
PLANNED = ("prescription", "coverage")
"""What may be known to end on a day that is yet to come."""
FAULTS = ("no day", "no number")


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A day, perhaps with a time of day.

    Args:
        said: how much of it a format that can say less says: ``day``, ``month`` or ``year``. The day is what the conventions make of
            that: the first of a beginning, the last of an end.
    """

    day: dt.date
    clock: dt.time | None = None
    said: str = "day"

    @property
    def at(self) -> dt.datetime:
        """Midnight, where no time is said."""
        return dt.datetime.combine(self.day, self.clock or dt.time())

    @property
    def is_under_way(self) -> bool:
        """Whether it is the last day of a month or a year that the day of the release is in."""
        parts = {"month": 2, "year": 1}.get(self.said)
        return self.day > AS_OF and parts is not None and self.day.timetuple()[:parts] == AS_OF.timetuple()[:parts]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where people are cared for, and whoever pays. Its name never changes.

    Args:
        city, postcode, country: its address; empty where none is known.
        kind: a code of HL7's kinds of organization, perhaps none.
    """

    name: str
    city: str = ""
    postcode: str = ""
    country: str = ""
    kind: str = ""


@dataclass(frozen=True, kw_only=True)
class Provider:
    """Somebody who cares for people.

    Args:
        specialty: a code of NUCC that no other provider has; empty for one at most, by which a provider is known.
        place: its key.
    """

    sex: str
    specialty: str
    place: int | None = None


@dataclass(frozen=True, kw_only=True)
class Person:
    """What is said of somebody.

    Args:
        birth: year, month and day, as far as they are known. A person's year is nobody else's, so that it names them.
        ethnicity: a code of the English ethnic categories.
        provider, place: whose patient it is, by their keys.
    """

    birth: tuple[int, ...]
    sex: str
    ethnicity: str = ""
    death: Moment | None = None
    provider: int | None = None
    place: int | None = None


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A visit; *standing* is empty, or one of `NEGATIONS`."""

    kind: str
    start: Moment
    end: Moment | None = None
    standing: str = ""
    provider: int | None = None
    place: int | None = None


@dataclass(frozen=True, kw_only=True)
class Event:
    """A condition, a measurement, an exposure to a drug, a note, a coverage ...

    Args:
        kind: a key of `NEGATIONS`.
        code: vocabulary and code.
        visit, provider: their keys; there may be none of it.
        start: None where nobody said when.
        status: of a condition: ``active``, ``resolved`` or ``provisional``; of an allergy ``active``, ``inactive`` or ``resolved``.
        text: a result as somebody wrote it; *operator*, *number* and *unit* are what it says, as far as it says a number.
        value: a coded value, of SNOMED CT; of an allergy the substance, of RxNorm.
        site: where a specimen is from, of SNOMED CT.
        category: of an allergy: ``allergy food``, ``intolerance medication`` ...
        device, lot: of a device: its identifier and the number of its lot.
        place, payer, plan: of a coverage: who pays, by key and by name, and how.
    """

    kind: str
    code: tuple[str, str]
    visit: int | None
    start: Moment | None
    end: Moment | None = None
    standing: str = ""
    status: str = ""
    number: float | None = None
    operator: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    text: str = ""
    value: str = ""
    days_supply: int | None = None
    quantity: float | None = None
    refills: int | None = None
    site: str = ""
    category: str = ""
    device: str = ""
    lot: str = ""
    place: int | None = None
    payer: str = ""
    plan: str = ""
    provider: int | None = None


Fact = Place | Provider | Person | Visit | Event


@dataclass(frozen=True, kw_only=True)
class Statement:
    """Something is said of a fact, or it is taken back.

    Args:
        table: ``places``, ``providers``, ``persons``, ``visits`` or ``events``; with *key* the fact that it is about. The key of a person is the person's.
        person: `NOBODY` for places and providers.
        order: statements in the order in which they became true.
        delivery: with which they came, from 0.
        fact: None where it is taken back.
        fault: one of `FAULTS`: what makes it unreadable.
        copies: how many times it stands there.
        kind: of what is taken back, too.
    """

    table: str
    key: int
    person: int
    order: int
    delivery: int
    fact: Fact | None
    kind: str
    fault: str = ""
    copies: int = 1


@dataclass(frozen=True, kw_only=True)
class World:
    """All that is said, and who has opted out."""

    statements: tuple[Statement, ...]
    opted_out: frozenset[int]

    def only(self, statements: Collection[Statement]) -> "World":
        """What is left of it if nothing else is said."""
        return replace(self, statements=tuple(each for each in self.statements if each in statements))

    def without(self, lacks: Mapping[str, Collection[str]]) -> "World":
        """What is left of it where nothing can be said of these elements, by kind."""
        return replace(self, statements=tuple(_without(each, lacks.get(each.kind, ())) for each in self.statements))

    def by_key(self) -> dict[tuple[str, int], list[Statement]]:
        """The statements about each fact, in their order."""
        placed = sorted(self.statements, key=lambda each: (each.table, each.key, each.order))
        return {key: list(found) for key, found in groupby(placed, key=lambda each: (each.table, each.key))}

    def standing(self, delivery: int = len(DELIVERIES) - 1) -> list[Statement]:
        """The last word on each fact that still holds after a delivery. After one that cannot be read nothing does (ADR 42)."""
        return [each for each in self.last(delivery) if each.fact is not None and not each.fault]

    def last(self, delivery: int) -> list[Statement]:
        """The last word on each fact, whatever it is."""
        arrived = [[each for each in several if each.delivery <= delivery] for several in self.by_key().values()]
        return [several[-1] for several in arrived if several]


def _without(each: Statement, names: Collection[str]) -> Statement:
    if each.fact is None or not names:
        return each
    empty: dict[str, Any] = {
        field.name: None if field.default is MISSING else field.default for field in fields(each.fact)
    }
    fact: Any = each.fact
    return replace(each, fact=replace(fact, **{name: empty[name] for name in names}))
