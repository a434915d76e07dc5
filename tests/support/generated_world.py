"""Random facts of a seed: people with what happened to them, places and providers, corrected, taken back, unreadable and repeated."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from tests.support.generated_facts import (
    AS_OF,
    EXPOSURES,
    FAULTS,
    NEGATIONS,
    NOBODY,
    VISITS,
    Event,
    Fact,
    Moment,
    Person,
    Place,
    Provider,
    Statement,
    Visit,
    World,
)

PERSONS = 80
YEARS = 84
"""Of births. A person's year is nobody else's, so there can be no more persons."""

_CONDITIONS = (
    ("SNOMED", "195967001"),
    ("SNOMED", "44054006"),
    ("ICD10", "J45.9"),
    ("ICD10", "E11.9"),
    ("ICD10", "E14.9"),
    ("ICD10", "R69"),
    ("ICD10", "X99.9"),
    ("ICD10", "Z83.3"),
)
_DRUGS = (("RxNorm", "861007"), ("RxNorm", "6809"))
_ALLERGIES = (("RxNorm", "6809"), ("RxNorm", "4"), ("SNOMED", "91936005"))
_CATEGORIES = ("", "allergy", "intolerance", *(f"{kind} {of}" for kind in ("allergy", "intolerance") for of in ("food", "medication", "environment", "biologic")))  # fmt: skip
_NOTES = (("LOINC", "11506-3"), ("LOINC", "34117-2"))
_SPECIALTIES = ("207RC0000X", "163W00000X", "208D00000X", "1041C0700X", "")
_PLACES = (
    ("Riverside Infirmary", "Leeds", "LS1 3EX", "GB"),
    ("Northern Surgery", "Leeds", "LS1 4AP", "GB"),
    ("Seaview Clinic", "Whitby", "YO21 1DN", ""),
    ("Mutual of the Dales", "", "", ""),
    ("Hill Ward", "Leeds", "LS1 3EX", "GB"),
)
_TEXTS: Sequence[tuple[str, str, float | None, str, str]] = (
    # as written, then what it says: operator, number, unit, and a value of SNOMED CT
    ("<5", "<", 5.0, "", ""),
    ("\u22655.5", ">=", 5.5, "", ""),
    ("=>10", ">=", 10.0, "", ""),
    ("1,234.5", "", 1234.5, "", ""),
    ("-3", "", -3.0, "", ""),
    ("1e3", "", 1000.0, "", ""),
    ("120 mm[Hg]", "", 120.0, "mm[Hg]", ""),
    ("<= 7.25kPa", "<=", 7.25, "kPa", ""),
    ("POS", "", None, "", "10828004"),
    ("positive", "", None, "", "10828004"),
    ("Not detected", "", None, "", "260415000"),
    ("5-10", "", None, "", ""),
    ("120/80", "", None, "", ""),
    ("1:40", "", None, "", ""),
    ("~5", "", None, "", ""),
)


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
        self.places: list[int] = []
        self.providers: list[int] = []
        self.order = 0

    def world(self) -> World:
        self.health_system()
        for number in range(1, self.persons + 1):
            self.of_person(number)
        opted_out = frozenset(n for n in range(1, self.persons + 1) if self.random.random() < 0.08)
        return World(statements=tuple(self.statements), opted_out=opted_out)

    def health_system(self) -> None:
        """Places and providers, of which one of each is perhaps named and never described."""
        for name, city, postcode, country in _PLACES:
            self.places.append(self.key())
            kind = self.random.choice(["", "prov"])
            place = Place(name=name, city=city, postcode=postcode, country=country, kind=kind)
            if self.random.random() < 0.9:
                self.say("places", self.places[-1], NOBODY, place, self.corrected_place)
        for specialty in _SPECIALTIES:
            self.providers.append(self.key())
            sex = self.random.choice(["male", "female", "unknown"])
            provider = Provider(sex=sex, specialty=specialty, place=self.perhaps(self.places) if specialty else None)
            if self.random.random() < 0.9:
                self.say("providers", self.providers[-1], NOBODY, provider, self.corrected_provider)

    def perhaps(self, keys: Sequence[int]) -> int | None:
        return self.random.choice([None, *keys])

    def corrected_place(self, fact: Fact) -> Place:
        assert isinstance(fact, Place)
        return replace(fact, kind="prov") if fact.kind == "" else replace(fact, city="Leeds", postcode="LS2 9JT")

    def corrected_provider(self, fact: Fact) -> Provider:
        assert isinstance(fact, Provider)
        place = self.perhaps(self.places) if fact.specialty else None
        return replace(fact, sex=self.random.choice(["male", "female"]), place=place)

    def of_person(self, number: int) -> None:
        year = 1921 + YEARS * number // (self.persons + 1)
        birth = (year, self.random.randint(1, 12), self.random.randint(1, 28))[: self.random.choice([1, 2, 3, 3, 3])]
        described = self.random.random() < 0.93
        if described:
            ethnicity = self.random.choice(["", "", "A", "Z"])
            first = Person(
                birth=birth,
                sex=self.random.choice(["male", "female", "unknown"]),
                ethnicity=ethnicity,
                provider=self.perhaps(self.providers),
                place=self.perhaps(self.places),
            )
            self.say("persons", number, number, first, self.corrected_person)
        visits = [self.key() for _ in range(self.random.randint(0, 3))]
        for key in visits:
            self.say("visits", key, number, self.visit(birth), self.corrected_visit)
        for _ in range(self.random.randint(0, 25)):
            self.say("events", self.key(), number, self.event(birth, visits), self.corrected_event)

    def key(self) -> int:
        self.keys += 1
        return self.keys

    def say(self, table: str, key: int, person: int, fact: Fact, corrected: Callable[[Fact], Fact]) -> None:
        kind = _KIND_OF_TABLE.get(table) or str(getattr(fact, "kind", ""))
        has_number = isinstance(fact, Event) and fact.number is not None and not fact.text
        faults = FAULTS if has_number else FAULTS[:1]
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
        if fact.number is not None and not fact.text:
            return replace(fact, number=fact.number + 1)
        if self.random.random() < 0.3 and fact.kind not in {"specimen", "coverage"}:
            return replace(fact, provider=self.perhaps(self.providers))
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
        if chance < 0.17:
            return None
        if chance < 0.2:
            return self.random.choice([Moment(day=dt.date(2026, 11, 30), said="month"), Moment(day=dt.date(2026, 12, 31), said="year")])  # fmt: skip
        if chance < 0.3:
            return Moment(day=(day.replace(day=1) + dt.timedelta(days=31)).replace(day=1) - dt.timedelta(days=1), said="month")  # fmt: skip
        if chance < 0.35:
            return Moment(day=day.replace(month=12, day=31), said="year")
        return Moment(day=day, clock=self.clock())

    def visit(self, birth: tuple[int, ...]) -> Visit:
        start = self.start(birth)
        standing = self.random.choice(NEGATIONS["visit"]) if self.random.random() < 0.1 else ""
        return Visit(
            kind=self.random.choice(list(VISITS)),
            start=start,
            end=self.end(start.day),
            standing=standing,
            provider=self.perhaps(self.providers),
            place=self.perhaps(self.places),
        )

    def event(self, birth: tuple[int, ...], visits: Sequence[int]) -> Event:
        random = self.random
        kind = random.choice(["condition", "condition", "measurement", "result", "observation", "procedure", "device", "specimen", "allergy", "note", "coverage", *EXPOSURES])  # fmt: skip
        start = None if random.random() < 0.03 else self.start(birth)
        if kind == "coverage" and start is None:
            start = self.start(birth)
        # FHIR's page takes the day of what nothing dates from its visit.
        visit = random.choice([*visits, None, 99]) if visits and start else None
        is_text, kind = kind == "result", "measurement" if kind == "result" else kind
        standing = random.choice(NEGATIONS[kind]) if random.random() < 0.12 else ""
        provider = self.perhaps(self.providers)
        event = Event(kind=kind, code=("", ""), visit=visit, start=start, standing=standing, provider=provider)
        end = self.end(start.day) if start else None
        match kind:
            case "condition":
                status = random.choice(["", "active", "provisional"]) if end is None else "resolved"
                return replace(event, code=random.choice(_CONDITIONS), end=end, status=status)
            case "measurement" if is_text:
                text, operator, number, unit, value = random.choice(_TEXTS)
                said = replace(event, text=text, operator=operator, number=number, unit=unit, value=value)
                return replace(said, code=("LOINC", "8480-6"))
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
            case "device":
                code = ("SNOMED", random.choice(["69805005", "303607000"]))
                device, lot = random.choice([("", ""), ("00844588003288", ""), ("00844588003288", "L976")])
                return replace(event, code=code, end=end, device=device, lot=lot)
            case "specimen":
                quantity = random.choice([None, 5.0, 0.25])
                unit, site = "mL" if quantity is not None else "", random.choice(["", "368208006", "1"])
                found = replace(event, code=("SNOMED", "119297000"), quantity=quantity, unit=unit, site=site)
                return replace(found, visit=None, provider=None)
            case "allergy":
                code, category = random.choice(_ALLERGIES), random.choice(_CATEGORIES)
                # What an allergy as a whole is to is said beside it; of a substance it is the code.
                value = random.choice(["", "6809"]) if code[0] == "SNOMED" else code[1]
                status = random.choice(["", "active", "inactive", "resolved"])
                return replace(event, code=code, category=category, value=value, status=status)
            case "note":
                return replace(event, code=random.choice(_NOTES))
            case "coverage":
                place, plan = random.randrange(len(_PLACES)), random.choice(["", "EHCPOL"])
                found = replace(event, end=end, place=self.places[place], payer=_PLACES[place][0], plan=plan)
                return replace(found, visit=None, provider=None)
        quantity = None if kind == "statement" else random.choice([None, 28.0, 0.5])
        supply = random.choice([None, 7, 28]) if kind in {"prescription", "dispensing"} else None
        refills = random.choice([None, 0, 3]) if kind == "prescription" else None
        # A dispensing states no end in any version of FHIR, only what was supplied.
        end = None if kind == "dispensing" else end
        return replace(event, code=random.choice(_DRUGS), end=end, days_supply=supply, quantity=quantity, refills=refills)  # fmt: skip


_KIND_OF_TABLE = {"places": "place", "providers": "provider", "persons": "person", "visits": "visit"}
