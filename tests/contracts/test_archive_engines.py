"""A release written by any engine has the same content, is verified by the same rules, and differs from others alike."""

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fairhaven.archive import Archive
from fairhaven.engine import Engine
from fairhaven.omop import CDM, to_cdm
from tests.support.actors import ANNA
from tests.support.ledgers import archive_in
from tests.support.release_facts import release_facts

# Times of the CDM have no zone.
# ruff: noqa: DTZ001

LINEAGE = {"row_extract": 1, "row_line": 2, "row_rule": 3}
MEASUREMENT = {"measurement_concept_id": 3004249, "measurement_date": dt.date(2020, 1, 1), **LINEAGE}
MEASUREMENTS = [
    {
        "measurement_id": number * 7_000_000_000,
        "person_id": number % 5,
        "value_as_number": [0.1, -0.0, None, 1e-9, 123456789.125][number % 5],
        "measurement_datetime": [None, dt.datetime(1899, 1, 1, 0, 0, 0, 1), dt.datetime(2020, 2, 29, 12)][number % 3],
        "measurement_source_value": [None, "", "é|☃", "a:b", "|"][number % 5],
        "unit_concept_id": [None, 0, 8876][number % 3],
        **MEASUREMENT,
    }
    for number in range(60)
]
DEATHS = [{"person_id": number, "death_date": dt.date(1850 + number, 12, 31), **LINEAGE} for number in range(3)]


def published(store: Path, engine: Engine, measurements: list[dict[str, Any]], number: int = 1) -> Archive:
    archive = archive_in(store)
    given = {"measurement": measurements, "death": DEATHS, "note": []}
    tables = {}
    for name, rows in given.items():
        schema = CDM[name].schema_of(lineage=True).to_pyarrow()
        tables[name] = to_cdm(engine.arrow(pa.Table.from_pylist(rows, schema)), name)
    written = archive.write(engine, tables, number=number, by=ANNA)
    archive.publish(number=number, as_of=dt.date(2026, 11, number), tables=written, facts=release_facts(), by=ANNA)
    return archive


@pytest.fixture(autouse=True)
def small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairhaven.archive.parquet.ROWS_A_BUCKET", 32)


def test_a_release_has_the_same_content_from_every_engine(engine: Engine, reference: Engine, tmp_path: Path) -> None:
    mine = published(tmp_path / "mine", engine, MEASUREMENTS)
    theirs = published(tmp_path / "theirs", reference, list(reversed(MEASUREMENTS)))
    assert mine.release().content == theirs.release().content
    assert mine.release().tables["measurement"].buckets == 4
    assert mine.verify() == []


def test_releases_of_two_engines_differ_by_their_rows_only(engine: Engine, reference: Engine, tmp_path: Path) -> None:
    published(tmp_path, reference, MEASUREMENTS)
    changed = [{**MEASUREMENTS[0], "unit_concept_id": 1}, *MEASUREMENTS[2:]]
    archive = published(tmp_path, engine, changed, number=2)
    first, second = archive.releases()
    found = archive.diff(first, second, engine)
    change = found["measurement"]
    assert (change.added, change.changed, change.gone) == (0, 1, 1)
    assert found["death"].is_empty and found["note"].is_empty


def test_an_unchanged_release_is_not_stored_again(engine: Engine, tmp_path: Path) -> None:
    published(tmp_path, engine, MEASUREMENTS)
    archive = published(tmp_path, engine, MEASUREMENTS, number=2)
    first, second = archive.releases()
    assert first.tables["death"].paths == second.tables["death"].paths
    assert first.content == second.content
    archive.erase([3], facts={"persons": ["digest"]}, by=ANNA)
    assert archive.verify() == []
    assert [release.tables["measurement"].rows for release in archive.releases()] == [48, 48]
