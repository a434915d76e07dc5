"""The rows of the CDM that generated facts are, by the conventions that the pages state, whatever format they came in.

Pages: ``docs/reference/fhir-mapping.md`` (what gives no row, moments, ends), ``docs/how-to/new-mapping.md`` and ``new-source.md`` (what happens without
being asked), ``docs/explanation/the-way-of-the-data.md`` (days of birth), OHDSI's Themis and its scripts for eras.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.generated_facts import AS_OF, VISITS, Event, Moment, Person, Statement, Visit, World

Row = dict[str, Any]
Rows = Mapping[str, Sequence[Row]]
Moments = tuple[dt.date | None, dt.datetime | None, dt.date | None, dt.datetime | None]
"""First and last day, each with its moment, in this order: day, moment, last day, last moment."""

# vocabulary and code -> (domain's table, concept, source concept, value concept) for each row that the code gives
CODES: Mapping[tuple[str, str], Sequence[tuple[str, int, int, int | None]]] = {
    ("SNOMED", "195967001"): [("condition_occurrence", 317009, 317009, None)],
    ("SNOMED", "44054006"): [("condition_occurrence", 201826, 201826, None)],
    ("ICD10", "J45.9"): [("condition_occurrence", 317009, 45548118, None)],
    ("ICD10", "E11.9"): [("condition_occurrence", 201826, 45591560, None)],
    ("ICD10", "E14.9"): [
        ("condition_occurrence", 201826, 45600000, None),
        ("condition_occurrence", 317009, 45600000, None),
    ],
    ("ICD10", "R69"): [("condition_occurrence", 0, 45600002, None)],
    ("ICD10", "X99.9"): [("condition_occurrence", 0, 0, None)],
    ("ICD10", "Z83.3"): [("observation", 4167217, 45600001, 201826)],
    ("LOINC", "8480-6"): [("measurement", 3004249, 3004249, None)],
    ("SNOMED", "229819007"): [("observation", 4275495, 4275495, None)],
    ("SNOMED", "76009000"): [("procedure_occurrence", 4181583, 4181583, None)],
    ("RxNorm", "861007"): [("drug_exposure", 40163924, 40163924, None)],
    ("RxNorm", "6809"): [("drug_exposure", 1503297, 1503297, None)],
}
INGREDIENT = 1503297
"""Of both drugs."""
SEX = {"male": 8507, "female": 8532, "unknown": 0}
RACE = {"A": 8527}
STATUS = {"active": 0, "provisional": 32899, "resolved": 32906}
OPERATOR = {"<": 4171756, "<=": 4171754, ">=": 4171755, ">": 4172704}
UNIT = {"mm[Hg]": 8876, "kPa": 44777602}
VALUE = {"10828004": 4184633}
TYPE = {"prescription": 32838, "dispensing": 32825, "administration": 32818, "statement": 32865}
EHR = 32817
ALGORITHM_FROM_EHR = 32882
USUAL = {"prescription": 30, "dispensing": 30}
"""Days that an exposure lasts of which nothing is said (Themis 57)."""
AFTER_DEATH = dt.timedelta(days=60)
PREFIX = {"condition_occurrence": "condition", "measurement": "measurement", "observation": "observation", "procedure_occurrence": "procedure", "drug_exposure": "drug"}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What a release should hold of a source.

    Args:
        rows: by table; persons by their year of birth (``who``), visits by their start (``visit``).
        left_out: facts that are no rows, by why.
    """

    rows: Rows
    left_out: Mapping[str, int]


def truth(world: World, *, has_times_apart: bool = False) -> Truth:
    """The rows of a world after its last delivery.

    Args:
        has_times_apart: times of day are in columns of their own (``the-way-of-the-data.md``).
    """
    # Whom nobody describes has no NHS number by which to be opted out.
    described = {each.person for each in world.statements if each.table == "persons"}
    standing = [each for each in world.standing() if each.person not in world.opted_out & described]
    return _Truth(standing, has_times_apart=has_times_apart).truth()


def partner_rows(world: World, delivery: int) -> Rows:
    """A partner's CDM after a delivery: its rows by table, with the faults that are a hub's to find.

    Returns:
        columns as in `Truth`, but ``person``, ``key``, ``ordinal`` and ``fault`` for who it is, and ``visit`` is a key.
    """
    faulty = [each for each in world.last(delivery) if each.fault]
    standing = world.standing(delivery)
    rows = {**_Partner([*standing, *faulty]).truth().rows}
    of_year = {each.fact.birth[0]: each.person for each in standing if isinstance(each.fact, Person)}
    periods = _Truth(standing).truth().rows.get("observation_period", [])
    rows["observation_period"] = [
        {"person": of_year[row["who"]], "key": number, "ordinal": 0, "fault": "", "copies": 1}
        | {name: value for name, value in row.items() if name != "who"}
        for number, row in enumerate(periods, 1)
    ]
    return {name: several for name, several in rows.items() if several}


class _Truth:
    def __init__(self, standing: Sequence[Statement], *, has_times_apart: bool = False) -> None:
        self.has_times_apart = has_times_apart
        self.standing = standing
        self.persons = {each.person: each.fact for each in self.standing if isinstance(each.fact, Person)}
        self.left_out: Counter[str] = Counter()
        self.rows: dict[str, list[Row]] = defaultdict(list)
        self.visits: dict[tuple[int, int], Visit] = {}

    def truth(self) -> Truth:
        for each in self.standing:
            if isinstance(each.fact, Person):
                self.person(each, each.fact)
        for each in self.standing:
            if isinstance(each.fact, Visit) and not self.is_left_out(each):
                self.visits[each.person, each.key] = each.fact
                self.rows["visit_occurrence"].append(self.visit(each, each.fact))
        for each in self.standing:
            if isinstance(each.fact, Event) and not self.is_left_out(each):
                for table, row in self.event(each, each.fact):
                    self.rows[table].append(row)
        self.rows["observation_period"].extend(self.periods())
        self.rows["condition_era"].extend(self.eras("condition_occurrence"))
        self.rows["drug_era"].extend(self.eras("drug_exposure"))
        return Truth(rows={name: rows for name, rows in self.rows.items() if rows}, left_out=dict(self.left_out))

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

    def day(self, person: int, moment: Moment) -> dt.date:
        """A day that is the person's birth is told as coarsely as the birth."""
        birth = self.persons[person].birth
        return moment.day.replace(day=1) if moment.day.timetuple()[:3] == birth else moment.day

    def at(self, person: int, moment: Moment | None) -> tuple[dt.date | None, dt.datetime | None]:
        if moment is None:
            return None, None
        day = self.day(person, moment)
        is_as_said = day == moment.day or self.has_times_apart
        return day, dt.datetime.combine(day, (moment.clock if is_as_said else None) or dt.time())

    def ends(self, person: int, start: Moment | None, end: Moment | None) -> tuple[dt.date | None, dt.datetime | None]:
        """An end before its start is none; on the day of the start only its time goes."""
        (first, since), (last, until) = self.at(person, start), self.at(person, end)
        if last is None or first is None or last < first:
            return None, None
        return last, None if until is not None and since is not None and until < since else until

    def who(self, each: Statement) -> Row:
        return {"who": self.persons[each.person].birth[0]}

    def place(self, each: Statement, fact: Event) -> Row:
        """The visit of an event, by its start."""
        visit = self.visits.get((each.person, fact.visit or 0))
        return {"visit": self.at(each.person, visit.start)[1] if visit else None}

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
            }
        )
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
        (first, since), (last, until) = self.at(each.person, fact.start), self.ends(each.person, fact.start, fact.end)
        return {
            **self.who(each),
            "visit_concept_id": VISITS[fact.kind],
            "visit_start_date": first,
            "visit_start_datetime": since,
            "visit_end_date": last or first,
            "visit_end_datetime": until,
            "visit_type_concept_id": EHR,
            "visit_source_concept_id": 0,
        }

    def event(self, each: Statement, fact: Event) -> Iterator[tuple[str, Row]]:
        for ordinal, (table, concept, source, value) in enumerate(CODES[fact.code]):
            yield table, self.event_row(each, fact, table, concept, source, value) | self.number(ordinal)

    def number(self, ordinal: int) -> Row:
        """Of several rows of a fact, where that is told."""
        return {}

    def event_row(self, each: Statement, fact: Event, table: str, concept: int, source: int, value: int | None) -> Row:
        name = PREFIX[table]
        (first, since), (last, until) = self.at(each.person, fact.start), self.ends(each.person, fact.start, fact.end)
        row = {
            **self.who(each),
            **self.place(each, fact),
            f"{name}_concept_id": concept,
            f"{name}_source_concept_id": source,
            f"{name}_source_value": fact.code[1],
            f"{name}_type_concept_id": TYPE.get(fact.kind, EHR),
        }
        timed = {"date": first, "datetime": since}
        if table in {"condition_occurrence", "drug_exposure"}:
            timed = {"start_date": first, "start_datetime": since, "end_date": last, "end_datetime": until}
        elif table == "procedure_occurrence":
            timed |= {"end_date": last, "end_datetime": until}
        prefix = "drug_exposure" if table == "drug_exposure" else name
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
                    "value_source_value": f"{fact.number:.12g}",
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
                row |= self.exposure(fact, (first, since, last, until), self.at(each.person, fact.end)[0])
        return row

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

    def periods(self) -> Iterator[Row]:
        """From the first to the last record, and at most 60 days after death. An end that was worked out is no record."""
        seen: dict[int, list[tuple[dt.date, dt.date]]] = defaultdict(list)
        for table, rows in self.rows.items():
            if table in {"person", "death"}:
                continue
            for row in rows:
                first, last = _span(table, row)
                if table == "drug_exposure":
                    last = row["verbatim_end_date"]
                seen[row["who"]].append((first, max(last or first, first)))
        over = {row["who"]: row["death_date"] + AFTER_DEATH for row in self.rows["death"]}
        for who, spans in seen.items():
            first = min(start for start, _ in spans)
            last = min(max(end for _, end in spans), AS_OF, over.get(who, AS_OF))
            if first <= last:
                yield {
                    "who": who,
                    "observation_period_start_date": first,
                    "observation_period_end_date": last,
                    "period_type_concept_id": ALGORITHM_FROM_EHR,
                }

    def eras(self, table: str) -> Iterator[Row]:
        """Rows of one concept at most thirty days apart."""
        name = "drug" if table == "drug_exposure" else "condition"
        grouped: dict[tuple[int, int], list[tuple[dt.date, dt.date]]] = defaultdict(list)
        for row in self.rows.get(table, []):
            concept = INGREDIENT if name == "drug" else row["condition_concept_id"]
            first, last = _span(table, row)
            if concept:
                grouped[row["who"], concept].append((first, last or first + dt.timedelta(days=1)))
        for (who, concept), spans in grouped.items():
            for members in _islands(sorted(spans)):
                first, last = members[0][0], max(end for _, end in members)
                row = {
                    "who": who,
                    f"{name}_concept_id": concept,
                    f"{name}_era_start_date": first,
                    f"{name}_era_end_date": last,
                }
                if name == "drug":
                    row |= {"drug_exposure_count": len(members), "gap_days": _uncovered(members)}
                else:
                    row |= {"condition_occurrence_count": len(members)}
                yield row


class _Partner(_Truth):
    """What the ETL of a partner makes of the same facts: it knows the conventions, and leaves what is wrong in the facts as it is."""

    def is_left_out(self, each: Statement) -> bool:
        assert isinstance(each.fact, Visit | Event)
        return bool(each.fact.standing)

    def day(self, person: int, moment: Moment) -> dt.date:
        return moment.day

    def ends(self, person: int, start: Moment | None, end: Moment | None) -> tuple[dt.date | None, dt.datetime | None]:
        return self.at(person, end)

    def person(self, each: Statement, fact: Person) -> None:
        super().person(each, fact)
        if len(fact.birth) == 3:
            self.rows["person"][-1]["day_of_birth"] = fact.birth[2]

    def who(self, each: Statement) -> Row:
        return {"person": each.person, "key": each.key, "fault": each.fault, "copies": each.copies}

    def place(self, each: Statement, fact: Event) -> Row:
        return {"visit": fact.visit}

    def number(self, ordinal: int) -> Row:
        return {"ordinal": ordinal}

    def exposure(self, fact: Event, moments: Moments, stated: dt.date | None) -> Row:
        # The CDM requires an end, so an ETL does not leave one that cannot be.
        first, since, last, until = moments
        if first is not None and last is not None and last < first:
            last = until = None
        elif until is not None and since is not None and until < since:
            until = None
        return super().exposure(fact, (first, since, last, until), stated)

    def eras(self, table: str) -> Iterator[Row]:
        yield from ()

    def periods(self) -> Iterator[Row]:
        yield from ()


def _span(table: str, row: Row) -> tuple[dt.date, dt.date | None]:
    name = {"visit_occurrence": "visit", "drug_exposure": "drug_exposure"}.get(table, PREFIX.get(table, ""))
    if f"{name}_start_date" in row:
        return row[f"{name}_start_date"], row[f"{name}_end_date"]
    return row[f"{name}_date"], row.get(f"{name}_end_date")


def _islands(spans: Iterable[tuple[dt.date, dt.date]]) -> list[list[tuple[dt.date, dt.date]]]:
    found: list[list[tuple[dt.date, dt.date]]] = []
    for span in spans:
        if found and (span[0] - max(end for _, end in found[-1])).days <= 30:
            found[-1].append(span)
        else:
            found.append([span])
    return found


def _uncovered(members: Sequence[tuple[dt.date, dt.date]]) -> int:
    reached, days = members[0][1], 0
    for first, last in members[1:]:
        days += max((first - reached).days, 0)
        reached = max(reached, last)
    return days
