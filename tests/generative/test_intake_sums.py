"""Random deliveries in every format, with rows of one key in and across files: what is received adds up by name, and the row counts that should."""

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairhaven.engine import DuckDBEngine
from fairhaven.intake import Receipt, Source, check_reconciled
from tests.support.examples import examples
from tests.support.intake_hub import Hub

KEYS, ROWS = 9, 25
DELIMITED = """
title = "x"
controller = "c"
kind = "gp"
format = "{format}"
[tables.events]
key = ["key"]
patient = "patient"
withdrawn = {{ column = "status", values = ["D"] }}
[tables.events.columns]
key = "text"
patient = "text"
value = {{ type = "whole", required = true }}
status = "text"
"""
FHIR = 'title = "x"\ncontroller = "c"\nkind = "gp"\nformat = "fhir"\n'
CDM = 'title = "x"\ncontroller = "c"\nkind = "cdm"\nformat = "omop"\ndelivery = "{delivery}"\n'
TABLES = {"delimited": "events", "parquet": "events", "fhir": "observation", "omop": "measurement"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row; a value of None is quarantined (of FHIR where it is not gone), and a row that is gone takes its key back.

    Args:
        time, version: of FHIR alone; None where it says none.
    """

    key: int
    value: int | None
    is_gone: bool
    time: int | None
    version: int | None


def random_rows(random: Random) -> list[Row]:
    return [
        Row(
            key=random.randrange(KEYS),
            value=random.choice([1, 1, 2, 3, None]),
            is_gone=random.random() < 0.15,
            time=random.choice([None, *range(5)]),
            version=random.choice([None, *range(8, 12)]),
        )
        for _ in range(random.randrange(1, ROWS))
    ]


def write(format_: str, rows: Sequence[Row], path: Path) -> Path:
    match format_:
        case "delimited":
            lines = [
                f"{row.key},p{row.key % 3},{'x' if row.value is None else row.value},{'D' if row.is_gone else ''}"
                for row in rows
            ]
            path.write_text("\n".join(["key,patient,value,status", *lines]) + "\n")
        case "parquet":
            table = {
                "key": [str(row.key) for row in rows],
                "patient": [f"p{row.key % 3}" for row in rows],
                "value": [None if row.value is None else str(row.value) for row in rows],
                "status": ["D" if row.is_gone else "" for row in rows],
            }
            pq.write_table(pa.table(table), path)
        case "fhir":
            path.write_text("".join(json.dumps(each) + "\n" for each in map(resource, rows)))
        case _:
            path.mkdir()
            persons = {"person_id": [0, 1, 2], "year_of_birth": [1970] * 3, "gender_concept_id": [8507] * 3}
            pq.write_table(pa.table(persons), path / "person.parquet")
            measured = {
                "measurement_id": [row.key for row in rows],
                "person_id": [row.key % 3 for row in rows],
                "measurement_concept_id": [3004249] * len(rows),
                "measurement_date": ["x" if row.value is None else "2020-01-01" for row in rows],
                "value_as_number": [row.value for row in rows],
            }
            pq.write_table(pa.table(measured), path / "measurement.parquet")
    return path


def resource(row: Row) -> dict[str, Any]:
    time = None if row.time is None else (dt.datetime(2020, 1, 1, row.time, tzinfo=dt.UTC)).isoformat()
    meta = {"lastUpdated": time, "versionId": None if row.version is None else str(row.version)}
    if row.is_gone:
        etag = None if row.version is None else f'W/"{row.version}"'
        response = {"lastModified": time, "etag": etag}
        entry = {"request": {"method": "DELETE", "url": f"Observation/{row.key}"}, "response": response}
        return {"resourceType": "Bundle", "type": "history", "entry": [entry]}
    value = {"effectiveDateTime": "never"} if row.value is None else {"valueInteger": row.value}
    return {
        "resourceType": "Observation",
        "id": str(row.key),
        "subject": {"reference": "Patient/p"},
        "meta": meta,
        **value,
    }


def is_read(row: Row, *, by_version: bool) -> bool:
    return row.value is not None or (by_version and row.is_gone)


def counted(rows: Sequence[tuple[int, Row]], *, by_version: bool) -> Row | None:
    """Which of the rows of one key counts, as the page on FHIR has it; with each the number of its delivery, in the order of their arrival.

    None where it is one in quarantine.
    """
    newest = _newest(rows) if by_version else rows[-1][1]
    return newest if is_read(newest, by_version=by_version) else None


def _newest(rows: Sequence[tuple[int, Row]]) -> Row:
    placed = list(enumerate(rows))
    everyone = [row for _, row in rows]
    low = -1

    def number(value: int | None) -> int:
        return low if value is None else value

    if all(row.time is not None for row in everyone):
        return max(
            placed,
            key=lambda each: (
                number(each[1][1].time),
                number(each[1][1].version),
                is_read(each[1][1], by_version=True),
                each[1][1].is_gone,
                each[1][0],
                each[0],
            ),
        )[1][1]
    if all(row.version is not None for row in everyone):
        return max(
            placed,
            key=lambda each: (
                number(each[1][1].version),
                is_read(each[1][1], by_version=True),
                _time(each[1], rows),
                each[1][0],
                each[1][1].is_gone,
                each[1][1].time is not None,
                each[0],
            ),
        )[1][1]
    return max(
        placed,
        key=lambda each: (
            _time(each[1], rows),
            each[1][0],
            each[1][1].is_gone,
            each[1][1].time is not None,
            number(each[1][1].version),
            each[0],
        ),
    )[1][1]


def _time(one: tuple[int, Row], rows: Sequence[tuple[int, Row]]) -> int:
    delivery, row = one
    if row.time is not None:
        return row.time
    return max((other.time for number, other in rows if number <= delivery and other.time is not None), default=-1)


def check_sums(receipts: Sequence[Receipt], table: str) -> Iterator[int]:
    for receipt in receipts:
        for extract in receipt.extracts:
            for count in extract.tables.values():
                parts = (
                    count.landed,
                    count.superseded,
                    count.identical,
                    count.withdrawn,
                    count.quarantined,
                    count.erased,
                )
                assert min(parts) >= 0
                assert count.received == sum(parts)
        yield sum(
            extract.tables[table].landed + extract.tables[table].withdrawn
            for extract in receipt.extracts
            if table in extract.tables
        )


def declared(hub: Hub, format_: str) -> Source:
    text = {"fhir": FHIR, "omop": CDM.format(delivery="changes")}.get(format_, DELIMITED.format(format=format_))
    return hub.source(text, "gp")


@pytest.mark.parametrize("format_", list(TABLES))
@examples(2)
@given(st.integers(0, 1 << 32))
def test_what_is_received_adds_up_by_name_and_the_row_that_should_counts(format_: str, seed: int) -> None:
    random = Random(seed)
    table = TABLES[format_]
    deliveries = [[random_rows(random) for _ in range(files)] for files in (2, 1)]
    with TemporaryDirectory() as name:
        hub = Hub(Path(name))
        source = declared(hub, format_)
        receipts = [
            hub.deliver(
                source, [write(format_, rows, hub.folder / f"{number}-{place}") for place, rows in enumerate(files)]
            )
            for number, files in enumerate(deliveries)
        ]
        standing = list(check_sums(receipts, table))
        engine = DuckDBEngine(reaches=[hub.store])
        flow = hub.intake.reconcile(engine, source, None)
        current = engine.fetch(hub.intake.current(engine, source, excluded=None)[table]).to_pylist()
        engine.close()
    check_reconciled(flow)
    for row in flow:
        assert row.received == row.current + row.superseded + row.withdrawn + row.quarantined + row.opted_out
        assert 0 <= row.repeated <= row.superseded
    if format_ == "omop":  # rows of one number are told apart by their content, and the receipt says so
        for extract in receipts[0].extracts:
            rows = {row for row in deliveries[0][extract.number - 1] if row.value is not None}
            several = {row.key for row in rows if len({other.value for other in rows if other.key == row.key}) > 1}
            kept = [
                each
                for each in receipts[0].undecided_keys
                if each.table == table and each.extracts == (extract.number,)
            ]
            assert [(each.keys, each.are_kept, each.key) for each in kept] == [
                (len(several), True, ("measurement_id",))
            ] * bool(several)
        return
    arrived = [(number, row) for number, files in enumerate(deliveries) for rows in files for row in rows]
    by_version = format_ == "fhir"

    def winners(rows: Sequence[tuple[int, Row]]) -> dict[int, Row | None]:
        return {
            key: counted([each for each in rows if each[1].key == key], by_version=by_version)
            for key in {row.key for _, row in rows}
        }

    wanted = {str(key): row.value for key, row in winners(arrived).items() if row and not row.is_gone}
    assert {
        row["id" if by_version else "key"]: row["value_integer" if by_version else "value"] for row in current
    } == wanted
    of_each = [winners([each for each in arrived if each[0] == number]) for number in range(2)]
    assert standing == [sum(row is not None for row in found.values()) for found in of_each]
