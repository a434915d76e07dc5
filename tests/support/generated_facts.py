"""Made-up facts about people, as no format has them: who, what, when, and how what is said of them changes from delivery to delivery.

`generated_truth` says which rows of the CDM they are, `generated_files` and `generated_fhir` write them in every format
that is read. None of these takes anything from the code that it tries.
"""

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from random import Random

AS_OF = dt.date(2026, 11, 21)
DELIVERIES = (dt.date(2026, 10, 1), dt.date(2026, 11, 20))
PERSONS = 80
YEARS = 84
"""Of births. A person's year is nobody else's, so there can be no more persons."""

CONDITIONS = (
    ("SNOMED", "195967001"),
    ("SNOMED", "44054006"),
    ("ICD10", "J45.9"),
    ("ICD10", "E11.9"),
    ("ICD10", "E14.9"),
    ("ICD10", "R69"),
    ("ICD10", "X99.9"),
    ("ICD10", "Z83.3"),
)
DRUGS = (("RxNorm", "861007"), ("RxNorm", "6809"))
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
    "visit": ("cancelled", "entered-in-error"),
}
"""What takes a fact back in its own words; the formats say it each in theirs."""
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


@dataclass(frozen=True, kw_only=True)
class Person:
    """What is said of somebody.

    Args:
        birth: year, month and day, as far as they are known. A person's year is nobody else's, so that it names them.
        ethnicity: a code of the English ethnic categories.
    """

    birth: tuple[int, ...]
    sex: str
    ethnicity: str = ""
    death: Moment | None = None


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A visit; *standing* is empty, or one of `NEGATIONS`."""

    kind: str
    start: Moment
    end: Moment | None = None
    standing: str = ""


@dataclass(frozen=True, kw_only=True)
class Event:
    """A condition, a measurement, an exposure to a drug ...

    Args:
        kind: a key of `NEGATIONS`.
        code: vocabulary and code.
        visit: its key; there may be none of it.
        start: None where nobody said when.
        status: of a condition: ``active``, ``resolved`` or ``provisional``.
        value: a coded value, of SNOMED CT.
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
    value: str = ""
    days_supply: int | None = None
    quantity: float | None = None
    refills: int | None = None


Fact = Person | Visit | Event


@dataclass(frozen=True, kw_only=True)
class Statement:
    """Something is said of a fact, or it is taken back.

    Args:
        table: ``persons``, ``visits`` or ``events``; with *key* the fact that it is about. The key of a person is the person's.
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


def random_world(seed: int, persons: int = PERSONS) -> World:
    """The facts of a seed."""
    random = Random(seed)
    return _Making(random, persons).world()


class _Making:
    """Facts in the making: keys and orders are counted up."""

    def __init__(self, random: Random, persons: int) -> None:
        self.random = random
        self.persons = persons
        self.statements: list[Statement] = []
        self.keys = 100
        self.order = 0

    def world(self) -> World:
        for number in range(1, self.persons + 1):
            self.of_person(number)
        opted_out = frozenset(n for n in range(1, self.persons + 1) if self.random.random() < 0.08)
        return World(statements=tuple(self.statements), opted_out=opted_out)

    def of_person(self, number: int) -> None:
        year = 1921 + YEARS * number // (self.persons + 1)
        birth = (year, self.random.randint(1, 12), self.random.randint(1, 28))[: self.random.choice([1, 2, 3, 3, 3])]
        described = self.random.random() < 0.93
        if described:
            ethnicity = self.random.choice(["", "", "A", "Z"])
            first = Person(birth=birth, sex=self.random.choice(["male", "female", "unknown"]), ethnicity=ethnicity)
            self.say("persons", number, number, first, self.corrected_person)
        visits = [self.key() for _ in range(self.random.randint(0, 3))]
        for key in visits:
            self.say("visits", key, number, self.visit(birth), self.corrected_visit)
        for _ in range(self.random.randint(0, 7)):
            self.say("events", self.key(), number, self.event(birth, visits), self.corrected_event)

    def key(self) -> int:
        self.keys += 1
        return self.keys

    def say(self, table: str, key: int, person: int, fact: Fact, corrected: Callable[[Fact], Fact]) -> None:
        kind = {"persons": "person", "visits": "visit"}.get(table, getattr(fact, "kind", ""))
        faults = FAULTS if isinstance(fact, Event) and fact.number is not None else FAULTS[:1]
        if table == "events" and self.random.random() < 0.08:
            self.add(table, key, person, self.random.randrange(2), fact, kind, fault=self.random.choice(faults))
            return
        delivery = self.random.randrange(2)
        self.add(table, key, person, delivery, fact, kind)
        while self.random.random() < 0.3:
            delivery = self.random.randrange(delivery, 2)
            if self.random.random() < 0.3:
                self.add(table, key, person, delivery, None, kind)
            elif table == "events" and self.random.random() < 0.2:
                self.add(table, key, person, delivery, corrected(fact), kind, fault=self.random.choice(faults))
            else:
                fact = corrected(fact)
                self.add(table, key, person, delivery, fact, kind)

    def add(self, table: str, key: int, person: int, delivery: int, fact: Fact | None, kind: str, *, fault: str = "") -> None:  # fmt: skip
        self.order += 1
        copies = 2 if fact is not None and not fault and self.random.random() < 0.08 else 1
        self.statements.append(
            Statement(
                table=table,
                key=key,
                person=person,
                order=self.order,
                delivery=delivery,
                fact=fact,
                kind=kind,
                fault=fault,
                copies=copies,
            )
        )

    def corrected_person(self, fact: Fact) -> Person:
        assert isinstance(fact, Person)
        if self.random.random() < 0.7:
            under_way = self.random.choice([Moment(day=dt.date(2026, 11, 30), said="month"), Moment(day=dt.date(2026, 12, 31), said="year")])  # fmt: skip
            earlier = self.end(dt.date(self.random.randint(2012, 2025), 1, 1))
            return replace(fact, death=under_way if self.random.random() < 0.15 else earlier)
        return replace(fact, sex=self.random.choice(["male", "female"]))

    def corrected_visit(self, fact: Fact) -> Visit:
        assert isinstance(fact, Visit)
        return replace(fact, kind=self.random.choice(list(VISITS)), end=self.end(fact.start.day))

    def corrected_event(self, fact: Fact) -> Event:
        assert isinstance(fact, Event)
        if self.random.random() < 0.3:
            return replace(fact, standing=self.random.choice(NEGATIONS[fact.kind]))
        if fact.number is not None:
            return replace(fact, number=fact.number + 1)
        return replace(fact, start=self.start((1950,)), end=None)

    def day(self, birth: tuple[int, ...]) -> dt.date:
        """Usually in the years in which records are kept; sometimes before the year before birth, or after the release."""
        chance = self.random.random()
        if chance < 0.04:
            return dt.date(birth[0] - 3, 6, self.random.randint(1, 28))
        if chance < 0.08:
            return AS_OF + dt.timedelta(days=self.random.randint(1, 300))
        if chance < 0.12 and len(birth) == 3:
            return dt.date(*birth)
        return dt.date(2010, 1, 1) + dt.timedelta(days=self.random.randint(0, 15 * 365))

    def start(self, birth: tuple[int, ...]) -> Moment:
        day, chance = self.day(birth), self.random.random()
        if chance < 0.1:
            return Moment(day=day.replace(day=1), said="month")
        if chance < 0.15:
            return Moment(day=day.replace(month=1, day=1), said="year")
        return Moment(day=day, clock=self.clock())

    def clock(self) -> dt.time | None:
        return None if self.random.random() < 0.4 else dt.time(self.random.randint(3, 23), self.random.randint(0, 59))

    def end(self, start: dt.date) -> Moment | None:
        """None, or after the start; sometimes before it."""
        chance = self.random.random()
        day = start + dt.timedelta(days=self.random.choice([0, 1, 5, 40, 400, -3]))
        if chance < 0.2:
            return None
        if chance < 0.3:
            return Moment(day=(day.replace(day=1) + dt.timedelta(days=31)).replace(day=1) - dt.timedelta(days=1), said="month")  # fmt: skip
        if chance < 0.35:
            return Moment(day=day.replace(month=12, day=31), said="year")
        return Moment(day=day, clock=self.clock())

    def visit(self, birth: tuple[int, ...]) -> Visit:
        start = self.start(birth)
        standing = self.random.choice(NEGATIONS["visit"]) if self.random.random() < 0.1 else ""
        return Visit(kind=self.random.choice(list(VISITS)), start=start, end=self.end(start.day), standing=standing)

    def event(self, birth: tuple[int, ...], visits: Sequence[int]) -> Event:
        random = self.random
        kind = random.choice(["condition", "condition", "measurement", "observation", "procedure", *EXPOSURES])
        start = None if random.random() < 0.03 else self.start(birth)
        # FHIR's page takes the day of what nothing dates from its visit.
        visit = random.choice([*visits, None, 99]) if visits and start else None
        standing = random.choice(NEGATIONS[kind]) if random.random() < 0.12 else ""
        event = Event(kind=kind, code=("", ""), visit=visit, start=start, standing=standing)
        end = self.end(start.day) if start else None
        match kind:
            case "condition":
                status = random.choice(["", "active", "provisional"]) if end is None else "resolved"
                return replace(event, code=random.choice(CONDITIONS), end=end, status=status)
            case "measurement":
                low, high = random.choice([(None, None), (60.0, 120.0), (None, 140.5)])
                return replace(
                    event,
                    code=("LOINC", "8480-6"),
                    number=random.choice([0.0, 5.0, 120.5, -3.25, 1e6]),
                    operator=random.choice(["", "", "<", "<=", ">=", ">"]),
                    unit=random.choice(["mm[Hg]", "kPa", ""]),
                    low=low,
                    high=high,
                )
            case "observation":
                code = random.choice([("SNOMED", "229819007"), ("SNOMED", "195967001")])
                value = random.choice(["", "10828004"]) if code[1] == "229819007" else ""
                return replace(event, code=code, value=value)
            case "procedure":
                return replace(event, code=("SNOMED", "76009000"), end=end)
        quantity = None if kind == "statement" else random.choice([None, 28.0, 0.5])
        supply = random.choice([None, 7, 28]) if kind in {"prescription", "dispensing"} else None
        refills = random.choice([None, 0, 3]) if kind == "prescription" else None
        # A dispensing states no end in any version of FHIR, only what was supplied.
        end = None if kind == "dispensing" else end
        return replace(event, code=random.choice(DRUGS), end=end, days_supply=supply, quantity=quantity, refills=refills)  # fmt: skip


VISITS = {"inpatient": 9201, "outpatient": 9202, "emergency": 9203}
