"""A record's day is the day where the patient was, whichever zone its moment is said in."""

import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairhaven.intake import read_source
from fairhaven.kernel.progress import Silent
from fairhaven.kernel.toml import Document
from tests.support.intake_hub import Hub

TABLES = """title = "Q"
controller = "q"
kind = "gp"
format = "{format}"
{dialect}
[tables.events]
key = ["event_id"]
patient = "patient_id"
[tables.events.columns]
event_id = "text"
patient_id = "text"
at = {at}
day = {day}
"""
FHIR = 'title = "F"\ncontroller = "f"\nkind = "hospital"\nformat = "fhir"\n'

# Either side of each change of the clock in 2020 (29 March 01:00, 25 October 02:00 in London), and of midnight in summer and winter.
MOMENTS = {
    "2020-06-30T23:30:00Z": "2020-07-01 00:30:00",
    "2020-07-01T00:30:00+01:00": "2020-07-01 00:30:00",
    "2020-07-01T00:30:00": "2020-07-01 00:30:00",
    "2020-01-01T00:30:00Z": "2020-01-01 00:30:00",
    "2020-03-28T23:30:00+00:00": "2020-03-28 23:30:00",
    "2020-03-29T00:59:59Z": "2020-03-29 00:59:59",
    "2020-03-29T01:00:00Z": "2020-03-29 02:00:00",
    "2020-03-29T23:30:00Z": "2020-03-30 00:30:00",
    "2020-10-24T23:30:00Z": "2020-10-25 00:30:00",
    "2020-10-25T00:59:00Z": "2020-10-25 01:59:00",
    "2020-10-25T01:00:00Z": "2020-10-25 01:00:00",
    "2020-10-25T23:30:00Z": "2020-10-25 23:30:00",
    "2020-06-30T20:30:00-05:00": "2020-06-30 20:30:00",
}
# As PostgreSQL, DuckDB and SQL Server write moments as text.
OF_DATABASES = {
    "2020-06-30 23:30:00+00": "2020-07-01 00:30:00",
    "2020-06-30 23:30:00.000 UTC": "2020-07-01 00:30:00",
    "2020-06-30 23:30:00.0000000 +00:00": "2020-07-01 00:30:00",
    "2020-07-01 00:30:00.0000000 +01:00": "2020-07-01 00:30:00",
    "2020-07-01 00:30:00+01": "2020-07-01 00:30:00",
}


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return Hub(tmp_path)


def declared(kind: str, *, dialect: str = "", at: str = '"datetime"', day: str = '"date"') -> str:
    return TABLES.format(format=kind, dialect=dialect, at=at, day=day)


def test_moments_in_delimited_text_are_on_the_clock_where_they_were(hub: Hub) -> None:
    moments = MOMENTS | OF_DATABASES
    lines = [f"{number:02d},p1,{moment}," for number, moment in enumerate(moments)]
    hub.receive(hub.source(declared("delimited")), "\n".join(["event_id,patient_id,at,day", *lines, ""]))
    assert [str(row["at"]) for row in hub.landed()] == list(moments.values())


def test_moments_in_a_form_of_their_own_are_too(hub: Hub) -> None:
    at, day = (
        '{ type = "datetime", formats = ["%d/%m/%Y %H:%M %z"] }',
        '{ type = "date", formats = ["%Y-%m-%dT%H:%MZ"] }',
    )
    source = hub.source(declared("delimited", at=at, day=day))
    hub.receive(
        source,
        "event_id,patient_id,at,day\n1,p1,01/07/2020 00:30 +02:00,2020-06-30T23:30Z\n2,p1,30/06/2020 23:30 +00:00,\n",
    )
    one, two = hub.landed()
    assert (str(one["at"]), str(one["day"]), str(two["at"])) == (
        "2020-07-01 00:30:00",
        "2020-07-01",
        "2020-07-01 00:30:00",
    )


def test_moments_in_fhir_are_too(hub: Hub) -> None:
    patient = {"resourceType": "Patient", "id": "p1"}
    seen = [
        {"resourceType": "Observation", "id": f"o{number:02d}", "status": "final", "subject": {"reference": "Patient/p1"},
         "code": {"text": "x"}, "effectiveDateTime": moment}
        for number, moment in enumerate(MOMENTS) if "+" in moment or "Z" in moment or "-05" in moment
    ]  # fmt: skip
    hub.receive(hub.source(FHIR), "\n".join(map(json.dumps, [patient, *seen])), name="all.ndjson")
    landed = {str(row["id"]): str(row["effective_start"]) for row in hub.landed(table="observation")}
    expected = {
        f"o{number:02d}": at for number, (moment, at) in enumerate(MOMENTS.items()) if f"o{number:02d}" in landed
    }
    assert len(landed) == len(seen)
    assert landed == expected


@pytest.mark.parametrize(
    ("stored", "dialect", "day"),
    [
        ("Europe/London", "", "2020-07-01"),
        ("UTC", "", "2020-07-01"),
        ("UTC", '[dialect]\ntime_zone = "America/New_York"', "2020-06-30"),
        ("Asia/Kolkata", "", "2020-07-01"),
        ("America/New_York", "", "2020-06-30"),
    ],
)
def test_a_parquet_moment_is_of_the_zone_that_its_file_or_its_source_names(
    hub: Hub, tmp_path: Path, stored: str, dialect: str, day: str
) -> None:
    file = tmp_path / "events.parquet"
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT '1' AS event_id, 'p1' AS patient_id, TIMESTAMPTZ '2020-06-30 23:30:00+00' AS at"
        ).to_arrow_table()
    moments = rows["at"].cast(pa.timestamp("us", tz=stored))
    pq.write_table(rows.set_column(2, "at", moments).append_column("day", moments), file)
    hub.deliver(hub.source(declared("parquet", dialect=dialect)), [file])
    (row,) = hub.landed()
    assert (str(row["at"])[:10], str(row["day"])) == (day, day)


def test_a_zone_that_there_is_not_is_a_fault_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "q.toml"
    path.write_text(declared("parquet", dialect='[dialect]\ntime_zone = "Europe/Hillside"'))
    document = Document(path, "sources/q.toml")
    read_source(document)
    assert [(fault.line, fault.field) for fault in document.faults] == [(6, "dialect.time_zone")]


def at(moment: str, zone: str | None) -> pa.Array:
    """A moment of UTC as Parquet keeps it beside the name of a zone; without one the clock itself."""
    return pa.array([moment, moment]).cast(pa.timestamp("us")).cast(pa.timestamp("us", tz=zone))


def test_each_part_of_a_table_is_of_the_zone_that_it_names(hub: Hub) -> None:
    cdm = hub.folder / "cdm"
    (cdm / "measurement").mkdir(parents=True)
    person = {"person_id": [1], "gender_concept_id": [8507], "year_of_birth": [1980]}
    pq.write_table(pa.table(person), cdm / "person.parquet")
    zones = ["Asia/Tokyo", "UTC", None, "Europe/Berlin"]
    for number, zone in enumerate(zones):
        days = at("2020-06-30 22:30:00", zone)
        rows = {"measurement_id": [2 * number, 2 * number + 1], "person_id": [1, 1], "measurement_concept_id": [7, 7]}
        written = pa.table({**rows, "measurement_date": days, "measurement_datetime": days})
        pq.write_table(written, cdm / "measurement" / f"{number}.parquet")
    source = hub.source('title = "C"\ncontroller = "c"\nkind = "cdm"\nformat = "omop"\ndelivery = "full"\n', name="cdm")
    hub.deliver(source, [cdm])
    clocks = ["2020-07-01 07:30:00", "2020-06-30 23:30:00", "2020-06-30 22:30:00", "2020-07-01 00:30:00"]
    landed = hub.landed(table="measurement")
    assert [row["row_line"] for row in landed] == list(range(1, 9))
    assert [str(row["measurement_datetime"]) for row in landed] == [clock for clock in clocks for _ in range(2)]
    assert [str(row["measurement_date"]) for row in landed] == [clock[:10] for clock in clocks for _ in range(2)]


def test_an_erasure_leaves_the_moments_of_others_where_they_were(hub: Hub) -> None:
    source = hub.source(declared("parquet"))
    moments = at("2020-06-30 20:30:00", "Asia/Tokyo")
    rows = pa.table({"event_id": ["1", "2"], "patient_id": ["p1", "p2"], "at": moments, "day": moments})
    path = hub.folder / "events.parquet"
    pq.write_table(rows, path)
    hub.deliver(source, [path])
    first, second = hub.landed()
    hub.erase({"gp": [str(second["patient_ref"])]})
    hub.intake.land_again(source, vault=hub.vault, progress=Silent(), also=[1])
    assert hub.landed() == [first]
    assert (str(first["at"]), str(first["day"])) == ("2020-07-01 05:30:00", "2020-07-01")
