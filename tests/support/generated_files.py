"""Generated facts as files of every format, with the declarations that a hub needs to read them; FHIR's resources are in `generated_fhir`."""

import csv
import datetime as dt
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.generated_facts import Event, Moment, Person, Statement, Visit, World
from tests.support.generated_fhir import BAD_DAY, BAD_NUMBERS, KIND, FhirWriter
from tests.support.generated_truth import PREFIX, Row, partner_rows

SOURCES = ("delimited", "parquet", "r4", "stu3", "r5", "cdm53", "cdm54")
"""A source for each format, by name."""

_TABLES = """
[tables.persons]
files = ["persons*"]
key = ["person"]
patient = "person"
withdrawn = { column = "gone", values = ["D"] }
[tables.persons.columns]
person = "text"
nhs_number = { type = "text", identity = "nhs_number" }
sex = { type = "text", identity = "sex" }
born = { type = "date", identity = "birth_date", formats = ["%Y-%m-%d"] }
born_year = "whole"
born_month = "whole"
ethnicity = { type = "text", identity = "ethnicity" }
died = { type = "date", formats = ["%Y-%m-%d", "%Y-%m", "%Y"] }
died_clock = "time"
gone = "text"

[tables.visits]
files = ["visits*"]
key = ["visit"]
patient = "person"
withdrawn = { column = "gone", values = ["D"] }
[tables.visits.columns]
visit = "text"
person = "text"
kind = "text"
day = { type = "date", formats = ["%Y-%m-%d", "%Y-%m", "%Y"] }
clock = "time"
end_day = { type = "date", formats = ["%Y-%m-%d", "%Y-%m", "%Y"] }
end_clock = "time"
standing = "text"
gone = "text"

[tables.events]
files = ["events*"]
key = ["event"]
patient = "person"
withdrawn = { column = "gone", values = ["D"] }
[tables.events.columns]
event = "text"
person = "text"
visit = "text"
kind = "text"
vocabulary = "text"
code = "text"
day = { type = "date", formats = ["%Y-%m-%d", "%Y-%m", "%Y"] }
clock = "time"
end_day = { type = "date", formats = ["%Y-%m-%d", "%Y-%m", "%Y"] }
end_clock = "time"
standing = "text"
status = "text"
number = "number"
operator = "text"
unit = "text"
low = "number"
high = "number"
value = "text"
days_supply = "whole"
quantity = "number"
dose_unit = "text"
refills = "whole"
gone = "text"
"""
_COLUMNS = {name: tuple(table["columns"]) for name, table in tomllib.loads(_TABLES)["tables"].items()}
_HEAD = """title = "{name}"
controller = "c"
kind = "{kind}"
format = "{format}"
delivery = "{delivery}"
quarantine_limit = 1.0
national_opt_out = true
"""


def _rule(name: str, kinds: Sequence[str], type_: str, more: str, *, vocabulary: str = "", clean: str = "none") -> str:
    where = f'\nvocabulary = "{vocabulary}"' if vocabulary else '\nvocabulary = { not = "ICD10" }'
    default = {"condition": "condition_occurrence", "measurement": "measurement"}.get(kinds[0], "observation")
    return f"""
[[map]]
name = "{name}"
from = "events"
to = "event"
unmapped_to = "{default}"
coded = ["code", "status", "value", "unit"]
[map.when]
kind = {list(kinds)}
standing = {{ present = false }}{where}
[map.code]
column = "code"
vocabulary = {{ column = "vocabulary", map = {{ SNOMED = "SNOMED", ICD10 = "ICD10", LOINC = "LOINC", RxNorm = "RxNorm" }} }}
clean = "{clean}"
{more}
[map.set]
type_concept_id = {{ value = "{type_}" }}
start_date = "day"
start_datetime = {{ date = "day", time = "clock" }}
visit_ref = "visit"
"""


_ENDS = 'end_date = "end_day_last_day"\nend_datetime = { date = "end_day_last_day", time = "end_clock" }\n'
_SUPPLY = (
    'days_supply = "days_supply"\nquantity = "quantity"\nrefills = "refills"\nverbatim_end_date = "end_day_last_day"\n'
)
_MAPPING = (
    """
[[map]]
name = "persons"
from = "persons"
to = "person"
[map.set]
birth_date = "birth_date"
birth_year = "born_year"
birth_month = "born_month"
gender = "sex"
race = "ethnicity"

[[map]]
name = "deaths"
from = "persons"
to = "death"
when = { died = { present = true } }
[map.set]
date = "died"
datetime = { date = "died_last_day", time = "died_clock" }
type_concept_id = { value = "EHR" }

[[map]]
name = "visits"
from = "visits"
to = "visit_occurrence"
when = { standing = { present = false } }
[map.set]
visit_ref = "visit"
concept_id = { column = "kind", map = { inpatient = 9201, outpatient = 9202, emergency = 9203 } }
type_concept_id = { value = "EHR" }
start_date = "day"
start_datetime = { date = "day", time = "clock" }
"""
    + _ENDS
    + _rule("conditions", ["condition"], "EHR", "")
    + _ENDS
    + 'status = "status"\n'
    + _rule("conditions of ICD-10", ["condition"], "EHR", "", vocabulary="ICD10", clean="icd10")
    + _ENDS
    + 'status = "status"\n'
    + _rule("measurements", ["measurement"], "EHR", "")
    + 'value_number = "number"\noperator = "operator"\nunit = "unit"\nrange_low = "low"\nrange_high = "high"\n'
    + _rule("observations", ["observation"], "EHR", '[map.value]\ncolumn = "value"\nvocabulary = "SNOMED"')
    + _rule("procedures", ["procedure"], "EHR", "")
    + _ENDS
    + _rule("prescriptions", ["prescription"], "EHR prescription", "")
    + _ENDS
    + _SUPPLY
    + _rule("dispensings", ["dispensing"], "EHR dispensing", "")
    + _ENDS
    + _SUPPLY
    + _rule("administrations", ["administration"], "EHR administration", "")
    + _ENDS
    + _SUPPLY
    + 'dose_unit = "dose_unit"\n'
    + _rule("statements", ["statement"], "patient self-report", "")
    + _ENDS
    + _SUPPLY
)


def declare(hub: Path) -> None:
    """Write the declarations of every source of `SOURCES`, and of the list of opt-outs, into a hub's folder."""
    (hub / "controllers" / "c.toml").write_text('title = "C"\n')
    (hub / "mappings" / "generated.toml").write_text(_MAPPING)
    mapped = 'mapping = ["generated.toml"]\n'
    for name in ("delimited", "parquet"):
        head = _HEAD.format(name=name, kind="gp", format=name, delivery="changes")
        (hub / "sources" / f"{name}.toml").write_text(head + mapped + _TABLES)
    for name in ("r4", "stu3", "r5"):
        head = _HEAD.format(name=name, kind="gp", format="fhir", delivery="changes")
        (hub / "sources" / f"{name}.toml").write_text(head + '[dialect]\ntime_zone = "Europe/London"\n')
    for name in ("cdm53", "cdm54"):
        head = _HEAD.format(name=name, kind="cdm", format="omop", delivery="full")
        (hub / "sources" / f"{name}.toml").write_text(head)
    (hub / "sources" / "optout.toml").write_text(
        'title = "National opt-outs"\ncontroller = "c"\nkind = "opt-out"\nformat = "opt-out"\n'
    )


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
    writer = {"delimited": _delimited, "parquet": _delimited, "cdm53": _cdm, "cdm54": _cdm}.get(source, _fhir)
    return writer(world, source, delivery, folder, random)


def _delimited(world: World, source: str, delivery: int, folder: Path, random: Random) -> Written:
    written = Written()
    for table, columns in _COLUMNS.items():
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
    key = {"persons": "person", "visits": "visit", "events": "event"}[each.table]
    row: Row = {"person": str(each.person), key: str(each.key)}
    match each.fact:
        case None:
            return row | {"gone": "D"}
        case Person() as person:
            year, month, day = (*person.birth, None, None)[:3]
            row |= {"nhs_number": spaced(nhs_number(source, each.person), random), "sex": person.sex}
            row |= {"ethnicity": person.ethnicity or None}
            if day is None:
                row |= {"born_year": year, "born_month": month}
            else:
                row |= {"born": dt.date(*person.birth)}
            return row | _moment("died", "died_clock", person.death)
        case Visit() as visit:
            row |= {"kind": visit.kind, "standing": visit.standing or None}
            return row | _moment("day", "clock", visit.start) | _moment("end_day", "end_clock", visit.end)
        case Event() as event:
            row |= {"kind": event.kind, "vocabulary": event.code[0], "code": event.code[1]}
            row |= {"visit": None if event.visit is None else str(event.visit)}
            for name in ("standing", "status", "operator", "unit", "value"):
                row[name] = getattr(event, name) or None
            for name in ("number", "low", "high", "days_supply", "quantity", "refills"):
                row[name] = getattr(event, name)
            if event.kind == "administration" and event.quantity is not None:
                row["dose_unit"] = "mg"
            row |= _moment("day", "clock", event.start) | _moment("end_day", "end_clock", event.end)
            if each.fault:
                row |= {"day": BAD_DAY} if each.fault == "no day" else {"number": random.choice(BAD_NUMBERS)}
    return row


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
                written.count(_snake(KIND[each.kind]), is_faulty=bool(each.fault), copies=each.copies)
                lines += [writer.line(each, number, dating)] * each.copies
    random.shuffle(lines)
    path = folder / f"{source}-{delivery}.ndjson"
    path.write_text("".join(line + "\n" for line in lines))
    written.files.append(path)
    return written


def _snake(kind: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in kind).lstrip("_")


def _cdm(world: World, source: str, delivery: int, folder: Path, random: Random) -> Written:
    written = Written()
    rows = partner_rows(world, delivery)
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
    found = {name: value for name, value in row.items() if name not in _OF_THE_WRITER}
    found["person_id"] = row["person"]
    if table == "person":
        return found | {"person_source_value": nhs_number(source, row["person"])}
    if table == "visit_occurrence":
        return found | {"visit_occurrence_id": row["key"]}
    if table in {"death", "observation_period"}:
        return found | ({"observation_period_id": row["key"]} if table == "observation_period" else {})
    name = PREFIX[table]
    key = f"{name}_exposure_id" if name == "drug" else f"{table}_id" if table.endswith("occurrence") else f"{name}_id"
    found |= {key: 10 * row["key"] + row["ordinal"], "visit_occurrence_id": row["visit"]}
    if row["fault"]:
        day = {"drug": "drug_exposure_start_date", "condition": "condition_start_date"}.get(name, f"{name}_date")
        bad = {day: BAD_DAY} if row["fault"] == "no day" else {"value_as_number": random.choice(BAD_NUMBERS)}
        found |= bad
    return found


_OF_THE_WRITER = {"person", "key", "ordinal", "fault", "copies", "visit"}
