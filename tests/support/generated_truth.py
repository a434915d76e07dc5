"""The rows of the CDM that generated facts are, by the conventions that the pages state, whatever format they came in.

Pages: ``docs/reference/fhir-mapping.md`` (what gives no row, moments, ends), ``docs/how-to/new-mapping.md`` and ``new-source.md`` (what happens without
being asked), ``docs/explanation/the-way-of-the-data.md`` (days of birth), OHDSI's Themis and its scripts for eras.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.support.generated_concepts import (
    ALLERGY,
    ALLERGY_STATUS,
    ALLERGY_TO_PENICILLIN,
    ANY_ALLERGY,
    CODES,
    EHR,
    EHR_NOTE,
    ENGLISH,
    OPERATOR,
    RACE,
    SEX,
    SITE,
    SPECIALTY,
    STATUS,
    SUBSTANCE,
    TYPE,
    UNIT,
    USUAL,
    UTF_8,
    VALUE,
    WITHHELD,
)
from tests.support.generated_facts import (
    AS_OF,
    PLANNED,
    VISITS,
    Event,
    Moment,
    Person,
    Place,
    Provider,
    Statement,
    Visit,
    World,
)
from tests.support.generated_periods import PREFIX, Row, eras, periods

Rows = Mapping[str, Sequence[Row]]
Moments = tuple[dt.date | None, dt.datetime | None, dt.date | None, dt.datetime | None]
"""First and last day, each with its moment, in this order: day, moment, last day, last moment."""

REFERENCES = {"visit": "visit_occurrence_id", "provider": "provider_id", "care_site": "care_site_id"}
"""What rows refer to, and the column."""
UNCODED = "none"
"""By which the provider is known that has no specialty."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What a release should hold of a source.

    Args:
        rows: by table; persons by their year of birth (``who``), visits by their start (``visit``).
        left_out: facts that are no rows, by why.
        emptied: references to what is in no row, by table and column.
    """

    rows: Rows
    left_out: Mapping[str, int]
    emptied: Mapping[tuple[str, str], int]


@dataclass(frozen=True, kw_only=True)
class Form:
    """What the pages say of the files of one source that they do not say of all.

    Args:
        is_declared: times of day are in columns of their own, and results may be texts (``mapping-files.md``).
        is_cdm: a partner's CDM (``new-source.md``).
        lacks: what its format has no place for, by kind of fact.
    """

    is_declared: bool = False
    is_cdm: bool = False
    lacks: Mapping[str, Collection[str]] = field(default_factory=dict)


FORMS = {
    "delimited": Form(is_declared=True),
    "parquet": Form(is_declared=True),
    "r4": Form(lacks={"device": ["visit"]}),
    "stu3": Form(lacks={"device": ["visit"], "allergy": ["visit"]}),
    "r5": Form(),
    "cdm53": Form(is_cdm=True, lacks={"device": ["lot"], "place": ["country"]}),
    "cdm54": Form(is_cdm=True),
}
"""The form of each source."""


def truth(world: World, form: Form) -> Truth:
    """The rows of a world after its last delivery, as a source of that form sent it."""
    world = world.without(form.lacks)
    # Whom nobody describes has no NHS number by which to be opted out.
    described = {each.person for each in world.statements if each.table == "persons"}
    standing = [each for each in world.standing() if each.person not in world.opted_out & described]
    return Making(standing, form).truth()


class Making:
    """The rows of statements that stand."""

    def __init__(self, standing: Sequence[Statement], form: Form) -> None:
        self.form = form
        self.standing = standing
        self.persons = {each.person: each.fact for each in self.standing if isinstance(each.fact, Person)}
        self.places = {each.key: each.fact for each in self.standing if isinstance(each.fact, Place)}
        self.providers = {each.key: each.fact for each in self.standing if isinstance(each.fact, Provider)}
        self.left_out: Counter[str] = Counter()
        self.emptied: Counter[tuple[str, str]] = Counter()
        self.rows: dict[str, list[Row]] = defaultdict(list)
        self.visits: dict[tuple[int, int], Visit] = {}

    def truth(self) -> Truth:
        self.health_system()
        for each in self.standing:
            if isinstance(each.fact, Person):
                self.person(each, each.fact)
        for each in self.standing:
            if isinstance(each.fact, Visit) and not self.is_left_out(each):
                self.visits[each.person, each.key] = each.fact
                self.rows["visit_occurrence"].append(self.visit(each, each.fact))
                self.count_emptied("visit_occurrence", self.rows["visit_occurrence"][-1], each.fact)
        for each in self.standing:
            if isinstance(each.fact, Event) and not self.is_left_out(each):
                rows = list(self.event(each, each.fact))
                for table, row in rows:
                    self.rows[table].append(row)
                # What is one fact for us are two rows where a partner's CDM has two.
                for table, row in rows if self.form.is_cdm else rows[:1]:
                    self.count_emptied(table, row, each.fact)
        self.derived()
        found = {name: several for name, several in self.rows.items() if several}
        return Truth(rows=found, left_out=dict(self.left_out), emptied=dict(self.emptied))

    def derived(self) -> None:
        self.rows["observation_period"].extend(periods(self.rows))
        self.rows["condition_era"].extend(eras(self.rows, "condition_occurrence"))
        self.rows["drug_era"].extend(eras(self.rows, "drug_exposure"))

    def count_emptied(self, table: str, row: Row, fact: Provider | Person | Visit | Event) -> None:
        """Count the references of a fact that are not in its row; a fact that is two rows gives each once."""
        for name, column in REFERENCES.items():
            of = "place" if name == "care_site" else name
            if name in row and row[name] is None and getattr(fact, of, None) is not None:
                self.emptied[table, column] += 1

    def health_system(self) -> None:
        """Places and providers; of a CDM the places that say the same are one, and they say less."""
        for key, place in self.places.items():
            address = self.address(place)
            if address and not (self.form.is_cdm and address in self.rows["location"]):
                self.rows["location"].append(address)
            self.rows["care_site"].append(self.site(key, place))
        for provider in self.providers.values():
            self.rows["provider"].append(self.staff(provider))
            self.count_emptied("provider", self.rows["provider"][-1], provider)

    def site(self, key: int, place: Place) -> Row:
        return {
            "care_site_name": place.name,
            "care_site_source_value": f"pla{key}",
            "place_of_service_source_value": place.kind or None,
            "place_of_service_concept_id": 0 if place.kind else None,
            "location": self.location(key, place),
        }

    def staff(self, provider: Provider) -> Row:
        concept, source = SPECIALTY.get(provider.specialty, (0, 0))
        return {
            "specialty_concept_id": concept,
            "specialty_source_concept_id": source,
            "specialty_source_value": provider.specialty or None,
            "gender_concept_id": SEX[provider.sex],
            "gender_source_value": provider.sex,
            "care_site": self.care_site(provider.place),
        }

    def address(self, place: Place) -> Row:
        if not place.city:
            return {}
        postcode = place.postcode.split()[0] if self.form.is_cdm else place.postcode
        country = {"country_source_value": place.country, "country_concept_id": 0} if place.country else {}
        return {"city": place.city, "zip": postcode, "location_source_value": postcode, **country}

    def location(self, key: int, place: Place) -> Any:
        """By what a place is known where something refers to it."""
        address = self.address(place)
        return f"{address['city']} {address['zip']}" if address else None

    def care_site(self, key: int | None) -> Any:
        return f"pla{key}" if key in self.places else None

    def provider(self, key: int | None) -> Any:
        return self.providers[key].specialty or UNCODED if key in self.providers else None

    def is_left_out(self, each: Statement) -> bool:
        fact = each.fact
        assert isinstance(fact, Visit | Event)
        if fact.standing:
            why = "not taken"
        elif each.person not in self.persons:
            why = "no birth year"
        elif fact.start is None:
            why = "no date"
        elif self.day(each.person, fact.start) > AS_OF:
            why = "after the release"
        elif fact.start.day.year < self.persons[each.person].birth[0] - 1:
            why = "before birth"
        else:
            return False
        # What a row was about is known before why it is left out, so a code that gives two rows is counted twice.
        self.left_out[why] += len(CODES[fact.code]) if isinstance(fact, Event) and why != "not taken" else 1
        return True

    def is_birth(self, person: int, moment: Moment) -> bool:
        return moment.day.timetuple()[:3] == self.persons[person].birth

    def day(self, person: int, moment: Moment) -> dt.date:
        """A day that is the person's birth is told as coarsely as the birth."""
        return moment.day.replace(day=1) if self.is_birth(person, moment) else moment.day

    def at(self, person: int, moment: Moment | None) -> tuple[dt.date | None, dt.datetime | None]:
        """A day and its moment; of a birth no time is told, on whatever day of a month it was."""
        if moment is None:
            return None, None
        day = self.day(person, moment)
        if day == AS_OF and moment.said != "day":
            return day, None
        has_time = self.form.is_declared or not self.is_birth(person, moment)
        return day, dt.datetime.combine(day, (moment.clock if has_time else None) or dt.time())

    def over(self, each: Statement) -> Moment | None:
        """The end, of a month or a year that is not over the day of the release (but of what is planned, what was said)."""
        assert isinstance(each.fact, Visit | Event)
        end = each.fact.end
        return replace(end, day=AS_OF) if end is not None and end.is_under_way and each.kind not in PLANNED else end

    def ends(self, person: int, start: Moment | None, end: Moment | None) -> tuple[dt.date | None, dt.datetime | None]:
        """An end before its start is none; on the day of the start only its time goes."""
        (first, since), (last, until) = self.at(person, start), self.at(person, end)
        if last is None or first is None or last < first:
            return None, None
        return last, None if until is not None and since is not None and until < since else until

    def who(self, each: Statement) -> Row:
        return {"who": self.persons[each.person].birth[0]}

    def place(self, each: Statement, fact: Event) -> Row:
        """The visit of an event, by its start, and who took care."""
        visit = self.visits.get((each.person, fact.visit or 0))
        return {
            "visit": self.at(each.person, visit.start)[1] if visit else None,
            "provider": self.provider(fact.provider),
        }

    def person(self, each: Statement, fact: Person) -> None:
        who = self.who(each)
        self.rows["person"].append(
            {
                **who,
                "year_of_birth": fact.birth[0],
                "month_of_birth": fact.birth[1] if len(fact.birth) > 1 else None,
                "gender_concept_id": SEX[fact.sex],
                "gender_source_value": fact.sex,
                "race_concept_id": RACE.get(fact.ethnicity, 0),
                "race_source_value": fact.ethnicity or None,
                "ethnicity_concept_id": 0,
                "provider": self.provider(fact.provider),
                "care_site": self.care_site(fact.place),
            }
        )
        self.count_emptied("person", self.rows["person"][-1], fact)
        if fact.death is not None:
            # Of a month or a year that is not over, the day of the release (Themis 104 would have the last).
            died = fact.death if fact.death.day <= AS_OF else Moment(day=AS_OF)
            self.rows["death"].append(
                {
                    **who,
                    "death_date": died.day,
                    "death_datetime": fact.death.at if died == fact.death else None,
                    "death_type_concept_id": EHR,
                    "cause_concept_id": 0,
                    "cause_source_concept_id": 0,
                }
            )

    def visit(self, each: Statement, fact: Visit) -> Row:
        (first, since) = self.at(each.person, fact.start)
        (last, until) = self.ends(each.person, fact.start, self.over(each))
        return {
            **self.who(each),
            "provider": self.provider(fact.provider),
            "care_site": self.care_site(fact.place),
            "visit_concept_id": VISITS[fact.kind],
            "visit_start_date": first,
            "visit_start_datetime": since,
            "visit_end_date": last or first,
            "visit_end_datetime": until,
            "visit_type_concept_id": EHR,
            "visit_source_concept_id": 0,
        }

    def event(self, each: Statement, fact: Event) -> Iterator[tuple[str, Row]]:
        match fact.kind:
            case "allergy":
                yield "observation", self.allergy(each, fact) | self.number(0)
            case "note":
                yield "note", self.note(each, fact) | self.number(0)
            case "coverage":
                yield "payer_plan_period", self.coverage(each, fact) | self.number(0)
            case _:
                for ordinal, (table, concept, source, value) in enumerate(CODES[fact.code]):
                    yield table, self.event_row(each, fact, table, concept, source, value) | self.number(ordinal)

    def allergy(self, each: Statement, fact: Event) -> Row:
        """A code of the allergy as a whole is the observation; one of a substance its value (the guide's Value-as-Concept)."""
        first, since = self.at(each.person, fact.start)
        is_whole = fact.code[0] == "SNOMED"
        concept = SUBSTANCE.get(fact.code[1], 0)
        return {
            **self.who(each),
            **self.place(each, fact),
            "observation_date": first,
            "observation_datetime": since,
            "observation_type_concept_id": EHR,
            "observation_concept_id": ALLERGY_TO_PENICILLIN if is_whole else ALLERGY.get(fact.category, ANY_ALLERGY),
            "observation_source_concept_id": ALLERGY_TO_PENICILLIN if is_whole else concept,
            "observation_source_value": fact.code[1],
            "value_as_concept_id": SUBSTANCE.get(fact.value, 0) if fact.value else None,
            "value_source_value": fact.value or None,
            "qualifier_concept_id": ALLERGY_STATUS[fact.status][1] if fact.status else None,
            "qualifier_source_value": fact.status or None,
        }

    def note(self, each: Statement, fact: Event) -> Row:
        """A note without its text; of a CDM without what it was called either."""
        first, since = self.at(each.person, fact.start)
        return {
            **self.who(each),
            **self.place(each, fact),
            "note_date": first,
            "note_datetime": since,
            "note_type_concept_id": EHR_NOTE,
            "note_class_concept_id": CODES[fact.code][0][1],
            "note_source_value": None if self.form.is_cdm else fact.code[1],
            "note_text": WITHHELD,
            "encoding_concept_id": UTF_8,
            "language_concept_id": ENGLISH,
        }

    def coverage(self, each: Statement, fact: Event) -> Row:
        """Who pays, by name, from when to when."""
        first, last = self.at(each.person, fact.start)[0], self.ends(each.person, fact.start, self.over(each))[0]
        return {
            **self.who(each),
            "payer_plan_period_start_date": first,
            "payer_plan_period_end_date": last or first,
            "payer_concept_id": 0,
            "payer_source_value": fact.payer,
            "plan_concept_id": 0 if fact.plan else None,
            "plan_source_value": fact.plan or None,
        }

    def number(self, ordinal: int) -> Row:
        """Of several rows of a fact, where that is told."""
        return {}

    def event_row(self, each: Statement, fact: Event, table: str, concept: int, source: int, value: int | None) -> Row:
        name = PREFIX[table]
        end = self.over(each)
        (first, since), (last, until) = self.at(each.person, fact.start), self.ends(each.person, fact.start, end)
        row = {
            **self.who(each),
            **({} if table == "specimen" else self.place(each, fact)),
            f"{name}_concept_id": concept,
            f"{name}_source_concept_id": None if table == "specimen" else source,
            f"{name}_source_value": fact.code[1],
            f"{name}_type_concept_id": TYPE.get(fact.kind, EHR),
        }
        timed = {"date": first, "datetime": since}
        if table in {"condition_occurrence", "drug_exposure", "device_exposure"}:
            timed = {"start_date": first, "start_datetime": since, "end_date": last, "end_datetime": until}
        elif table == "procedure_occurrence":
            timed |= {"end_date": last, "end_datetime": until}
        prefix = table if table.endswith("_exposure") else name
        row |= {f"{prefix}_{column}": moment for column, moment in timed.items()}
        match table:
            case "condition_occurrence" if fact.status:
                row |= {
                    "condition_status_concept_id": STATUS[fact.status],
                    "condition_status_source_value": fact.status,
                }
            case "measurement":
                row |= {
                    "operator_concept_id": OPERATOR.get(fact.operator),
                    "value_as_number": fact.number,
                    "value_as_concept_id": VALUE.get(fact.value, 0) if fact.value else None,
                    "value_source_value": self.result(fact),
                    "unit_concept_id": UNIT.get(fact.unit),
                    "unit_source_value": fact.unit or None,
                    "range_low": fact.low,
                    "range_high": fact.high,
                }
            case "observation":
                row |= {
                    "value_as_concept_id": VALUE.get(fact.value, value),
                    "value_source_value": fact.value or None,
                }
            case "drug_exposure":
                if self.form.is_cdm:
                    last, until = self.delivered_end(fact.start, end, last, until)
                row |= self.exposure(fact, (first, since, last, until), self.at(each.person, end)[0])
            case "device_exposure":
                row |= {"unique_device_id": fact.device or None, "production_id": fact.lot or None}
            case "specimen":
                row |= {
                    "quantity": fact.quantity,
                    "unit_concept_id": UNIT.get(fact.unit),
                    "unit_source_value": fact.unit or None,
                    "anatomic_site_concept_id": SITE.get(fact.site, 0) if fact.site else None,
                    "anatomic_site_source_value": fact.site or None,
                }
        return row

    def result(self, fact: Event) -> str:
        """What is understood of a text is a number, but the text where it is read as such."""
        return fact.text if (self.form.is_declared and fact.text) or fact.number is None else f"{fact.number:.12g}"

    def delivered_end(
        self, start: Moment | None, end: Moment | None, last: dt.date | None, until: dt.datetime | None
    ) -> tuple[dt.date | None, dt.datetime | None]:
        """Of an end what a partner's ETL delivers: it compares it with the day of birth itself, of which a release tells less."""
        if start is None or end is None or end.day < start.day:
            return None, None
        is_earlier = end.day == start.day and (end.clock or dt.time()) < (start.clock or dt.time())
        return last, None if is_earlier else until

    def exposure(self, fact: Event, moments: Moments, stated: dt.date | None) -> Row:
        """Ends with what is stated, else with the supply, else as usual for its kind."""
        first, since, last, until = moments
        days = fact.days_supply or USUAL.get(fact.kind, 1)
        if last is None and fact.kind == "administration":
            until = since
        return {
            "drug_exposure_end_date": last or (first and first + dt.timedelta(days=days - 1)),
            "drug_exposure_end_datetime": until,
            # What was said stays said, also where it cannot be.
            "verbatim_end_date": stated,
            "refills": fact.refills,
            "quantity": fact.quantity,
            "days_supply": fact.days_supply,
            "dose_unit_source_value": "mg" if fact.kind == "administration" and fact.quantity is not None else None,
        }
