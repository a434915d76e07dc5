"""Generated facts as files of every format, with the declarations that a hub needs to read them; FHIR's resources are in `generated_fhir`."""

import csv
import datetime as dt
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.generated_declarations import COLUMNS
from tests.support.generated_facts import DELIVERIES, Event, Moment, Person, Place, Provider, Statement, Visit, World
from tests.support.generated_fhir import BAD_DAY, BAD_NUMBERS, KIND, FhirWriter, snake
from tests.support.generated_partner import partner_rows
from tests.support.generated_periods import PREFIX, Row
from tests.support.generated_truth import FORMS

SOURCES = tuple(FORMS)
"""A source for each format, by name."""


def nhs_number(source: str, person: int) -> str:
    """A valid number of the range for tests, another for each person of each source."""
    stem = 999_000_000 + 10_000 * (1 + SOURCES.index(source)) + 37 * person
    while True:
        digits = str(stem)
        check = 11 - sum(int(digit) * weight for digit, weight in zip(digits, range(10, 1, -1), strict=True)) % 11
        if check != 10:
            return digits + str(check % 11)
        stem += 1


def spaced(number: str, random: Random) -> str:
    """A number as it is written by hand, or not."""
    return number if random.random() < 0.7 else f"{number[:3]} {number[3:6]} {number[6:]}"


class Written:
    """Files of one source and delivery, and what was written into each table."""

    def __init__(self) -> None:
        self.files: list[Path] = []
        self.received: Counter[str] = Counter()
        self.quarantined: Counter[str] = Counter()

    def count(self, table: str, *, is_faulty: bool, copies: int = 1) -> None:
        """One row, or its copies."""
        self.received[table] += copies
        self.quarantined[table] += copies * is_faulty


def write(world: World, source: str, delivery: int, folder: Path, random: Random) -> Written:
    """The files of a delivery."""
    folder.mkdir(parents=True)
    writer = _delimited if FORMS[source].is_declared else _cdm if FORMS[source].is_cdm else _fhir
    world = world.without(FORMS[source].lacks)
    return writer(world, source, delivery, folder, random)


def rows_in_use(world: World, source: str) -> Counter[str]:
    """Delivered table -> rows that count after the last delivery: not taken back, unreadable, replaced or somebody's who opted out.

    Of a patient whom a FHIR source has deleted nothing counts. Devices are not counted here: their use says whether they count.
    """
    form = FORMS[source]
    world = world.without(form.lacks)
    standing = world.standing()
    described = {each.person for each in world.statements if each.table == "persons"}
    persons = {each.person for each in standing if each.table == "persons"}
    if form.is_cdm:
        rows = partner_rows(world, len(DELIVERIES) - 1, form)
        # Whom a CDM described once stays opted out, though it does so no more.
        told = {each.person for number in range(len(DELIVERIES)) for each in world.standing(number) if each.table == "persons"}  # fmt: skip
        out = world.opted_out & told
        return Counter({table: sum(not row["fault"] and row["person"] not in out for row in several) for table, several in rows.items()})  # fmt: skip
    out = world.opted_out & described
    if form.is_declared:
        return Counter(each.table for each in standing if each.person not in out)
    out |= described - persons
    found = Counter(snake(KIND[each.kind]) for each in standing if each.person not in out)
    return found | Counter({"practitioner_role": found["practitioner"]})


def _delimited(world: World, source: str, delivery: int, folder: Path, random: Random) -> Written:
    written = Written()
    for table, columns in COLUMNS.items():
        rows = []
        for each in world.statements:
            if each.table == table and each.delivery == delivery:
                written.count(table, is_faulty=bool(each.fault), copies=each.copies)
                rows += [_cells(each, source, random)] * each.copies
        if not rows:
            continue
        path = folder / f"{table}.{'csv' if source == 'delimited' else 'parquet'}"
        if source == "delimited":
            with path.open("w", newline="") as file:
                out = csv.writer(file)
                out.writerow(columns)
                nothing = random.choice(["", "NULL", r"\N"])
                out.writerows([[_text(row.get(name), nothing) for name in columns] for row in rows])
        else:
            pq.write_table(pa.table({name: _column(name, rows, random) for name in columns}), path)
        written.files.append(path)
    return written


def _text(value: Any, nothing: str = "") -> str:
    return nothing if value is None else f"{value:.12g}" if isinstance(value, float) else str(value)


def _column(name: str, rows: Sequence[Row], random: Random) -> pa.Array:
    """Typed where every value is, else as texts."""
    values = [row.get(name) for row in rows]
    kinds = {type(value) for value in values} - {type(None)}
    typed = {dt.date: pa.date32(), float: pa.float64(), int: pa.int32(), dt.time: pa.time64("us")}
    if len(kinds) == 1 and (kind := typed.get(next(iter(kinds)))) is not None and random.random() < 0.7:
        return pa.array(values, kind)
    return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _cells(each: Statement, source: str, random: Random) -> Row:
    row: Row = {"person": str(each.person), each.table.removesuffix("s"): _key(each.table, each.key)}
    match each.fact:
        case None:
            return row | {"gone": "D"}
        case Place() as place:
            row |= {name: getattr(place, name) or None for name in ("name", "city", "postcode", "country", "kind")}
            return row
        case Provider() as provider:
            place_of = _key("places", provider.place)
            return row | {"sex": provider.sex, "specialty": provider.specialty or None, "place": place_of}
        case Person() as person:
            year, month, day = (*person.birth, None, None)[:3]
            row |= {"nhs_number": spaced(nhs_number(source, each.person), random), "sex": person.sex}
            row |= {"ethnicity": person.ethnicity or None, **_where(person)}
            if day is None:
                row |= {"born_year": year, "born_month": month}
            else:
                row |= {"born": dt.date(*person.birth)}
            return row | _moment("died", "died_clock", person.death)
        case Visit() as visit:
            row |= {"kind": visit.kind, "standing": visit.standing or None, **_where(visit)}
            return row | _moment("day", "clock", visit.start) | _moment("end_day", "end_clock", visit.end)
        case Event() as event:
            row |= {"kind": event.kind, "vocabulary": event.code[0], "code": event.code[1]}
            row |= {"visit": None if event.visit is None else str(event.visit), **_where(event)}
            for name in ("standing", "status", "site", "category", "device", "lot", "payer", "plan"):
                row[name] = getattr(event, name) or None
            for name in ("low", "high", "days_supply", "quantity", "refills"):
                row[name] = getattr(event, name)
            if event.text:
                row["result"] = event.text
            else:
                row |= {"number": event.number}
                row |= {name: getattr(event, name) or None for name in ("operator", "unit", "value")}
            if event.kind == "administration" and event.quantity is not None:
                row["dose_unit"] = "mg"
            row |= _moment("day", "clock", event.start) | _moment("end_day", "end_clock", event.end)
            if each.fault:
                row |= {"day": BAD_DAY} if each.fault == "no day" else {"number": random.choice(BAD_NUMBERS)}
    return row


def _key(table: str, key: int | None) -> str | None:
    """What the source calls it; of a place that is in the release."""
    return None if key is None else f"pla{key}" if table == "places" else str(key)


def _where(fact: Person | Visit | Event) -> Row:
    return {"provider": _key("providers", fact.provider), "place": _key("places", fact.place)}


def _moment(day: str, clock: str, moment: Moment | None) -> Row:
    if moment is None:
        return {}
    said = {"month": 7, "year": 4}.get(moment.said)
    return {day: moment.day.isoformat()[:said] if said else moment.day, clock: moment.clock}


def _fhir(world: World, source: str, delivery: int, folder: Path, random: Random) -> Written:
    """Lines in any order; a version that another has replaced may come as late as the last delivery."""
    written = Written()
    writer = FhirWriter(source.upper(), random, lambda person: spaced(nhs_number(source, person), random))
    lines = []
    for (_, key), several in world.by_key().items():
        dating = ("times", "numbers", "both")[key % 3]
        for number, each in enumerate(several, 8):
            late = each.delivery if each is several[-1] else max(each.delivery, (key + number) % 5 == 0)
            if late == delivery:
                for table, line in writer.lines(each, number, dating):
                    # What an event refers to has no day or number that could be at fault.
                    is_faulty = bool(each.fault) and table != "device"
                    written.count(table, is_faulty=is_faulty, copies=each.copies)
                    lines += [line] * each.copies
    random.shuffle(lines)
    path = folder / f"{source}-{delivery}.ndjson"
    path.write_text("".join(line + "\n" for line in lines))
    written.files.append(path)
    return written


def _cdm(world: World, source: str, delivery: int, folder: Path, random: Random) -> Written:
    written = Written()
    rows = partner_rows(world, delivery, FORMS[source])
    tables: dict[str, list[Row]] = {}
    for table, several in rows.items():
        for row in several:
            found = _partner_row(table, row, source, random)
            tables.setdefault(table, []).extend([found] * row["copies"])
            written.count(table, is_faulty=bool(row["fault"]), copies=row["copies"])
    version = "5.3" if source == "cdm53" else "5.4"
    tables["cdm_source"] = [
        {
            "cdm_source_name": source,
            "cdm_source_abbreviation": source,
            "cdm_holder": "C",
            "source_release_date": dt.date(2026, 9, 1),
            "cdm_release_date": dt.date(2026, 9, 2),
            "cdm_version": version,
            "vocabulary_version": "v-test",
        }
    ]
    form = "csv" if source == "cdm53" else random.choice(["parquet", "duckdb"])
    place = folder / (f"{source}.duckdb" if form == "duckdb" else source)
    if form != "duckdb":
        place.mkdir()
    for table, several in tables.items():
        names = list(dict.fromkeys(name for row in several for name in row))
        if form == "csv":
            with (place / f"{table}.csv").open("w", newline="") as file:
                out = csv.writer(file)
                out.writerow(names)
                out.writerows([[_text(row.get(name)) for name in names] for row in several])
            continue
        found = pa.table({name: _cdm_column(name, several) for name in names})
        if form == "parquet":
            pq.write_table(found, place / f"{table}.parquet")
        else:
            with duckdb.connect(place) as connection:
                connection.execute(f"CREATE TABLE {table} AS FROM found")
    written.files.append(place)
    return written


def _cdm_column(name: str, rows: Sequence[Row]) -> pa.Array:
    values = [row.get(name) for row in rows]
    if any(isinstance(value, str) for value in values):
        return pa.array([None if value is None else _text(value) for value in values], pa.string())
    if name.endswith("_datetime"):
        return pa.array(values, pa.timestamp("us"))
    if name.endswith("_date"):
        return pa.array(values, pa.date32())
    if name in {"value_as_number", "range_low", "range_high", "quantity"}:
        return pa.array(values, pa.float64())
    return pa.array(values, pa.int64() if name.endswith("_id") or not name.endswith("_value") else pa.string())


def _partner_row(table: str, row: Row, source: str, random: Random) -> Row:
    found = {_NUMBERED.get(name, name): value for name, value in row.items() if name not in _OF_THE_WRITER}
    if table in {"location", "care_site", "provider"}:
        return {name: value for name, value in found.items() if name != "person_id"} | {f"{table}_id": row["key"]}
    if table == "person":
        return found | {"person_source_value": nhs_number(source, row["person"])}
    if table == "visit_occurrence":
        return found | {"visit_occurrence_id": row["key"]}
    if table in {"death", "observation_period"}:
        return found | ({"observation_period_id": row["key"]} if table == "observation_period" else {})
    found[f"{table}_id"] = 10 * row["key"] + row["ordinal"]
    if table == "note":
        found |= {"note_title": "Progress", "note_text": "Slept well."}
    if row["fault"]:
        day = _DAY.get(table, f"{PREFIX.get(table, table)}_date")
        found |= {day: BAD_DAY} if row["fault"] == "no day" else {"value_as_number": random.choice(BAD_NUMBERS)}
    return found


_OF_THE_WRITER = {"key", "ordinal", "fault", "copies"}
_NUMBERED = {"person": "person_id", "visit": "visit_occurrence_id", "provider": "provider_id", "care_site": "care_site_id", "location": "location_id"}  # fmt: skip
_DAY = {
    "drug_exposure": "drug_exposure_start_date",
    "device_exposure": "device_exposure_start_date",
    "condition_occurrence": "condition_start_date",
    "payer_plan_period": "payer_plan_period_start_date",
}
