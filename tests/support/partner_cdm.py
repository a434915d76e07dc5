"""A partner's CDM taken into a hub of the test, and the release held against it row for row."""

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from fairhaven.hub import make_hub, open_hub
from fairhaven.intake.free_text import may_be_free
from fairhaven.intake.model import Format
from fairhaven.journeys.deliveries.receive import receive_delivery, take_vocabulary
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.releases.build import build_release
from fairhaven.kernel.progress import Silent
from fairhaven.omop import CDM
from fairhaven.omop.cdm import CDM_5_3_NAMES
from tests.support.actors import ANNA
from tests.support.harmonise_cases import CONCEPTS, RELATIONSHIPS

AS_OF = dt.date(2026, 11, 21)
_CODED = sorted(
    f"{table}.{field.name}" for table in CDM for field in CDM[table].fields if may_be_free(Format.OMOP, field.name)
)
SOURCE = f"""
title = "A partner's CDM"
controller = "partner"
kind = "cdm"
format = "omop"
delivery = "full"
national_opt_out = false
coded = {_CODED}
"""
KEYS = {
    "person_id": "person",
    "visit_occurrence_id": "visit_occurrence",
    "preceding_visit_occurrence_id": "visit_occurrence",
    "visit_detail_id": "visit_detail",
    "parent_visit_detail_id": "visit_detail",
    "preceding_visit_detail_id": "visit_detail",
    "provider_id": "provider",
    "care_site_id": "care_site",
    "location_id": "location",
}
"""Columns that name a row of another table, whose identifiers are the hub's own."""


def vocabulary_files(
    folder: Path, concepts: Sequence[tuple[Any, ...]] = (), relationships: Sequence[tuple[int, int, str]] = ()
) -> Path:
    """The concepts of `harmonise_cases`, and further ones, as a vocabulary to load."""
    since = {"valid_start_date": dt.date(1970, 1, 1), "valid_end_date": dt.date(2099, 12, 31), "invalid_reason": None}
    names: tuple[str, ...] = ("concept_id", "concept_name", "domain_id", "vocabulary_id", "concept_class_id", "standard_concept", "concept_code")  # fmt: skip
    _write(folder / "concept.parquet", [dict(zip(names, row, strict=True)) | since for row in (*CONCEPTS, *concepts)])
    names = ("concept_id_1", "concept_id_2", "relationship_id")
    _write(
        folder / "concept_relationship.parquet",
        [dict(zip(names, row, strict=True)) | since for row in (*RELATIONSHIPS, *relationships)],
    )
    return folder


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(rows)
    place = table.column_names.index("invalid_reason")
    pq.write_table(table.set_column(place, "invalid_reason", pa.nulls(len(rows), pa.string())), path)


def new_hub(folder: Path, vocabulary: Path) -> Path:
    """A hub with a source ``partner`` and a vocabulary, nothing received."""
    make_hub(folder, by=ANNA)
    (folder / "controllers" / "partner.toml").write_text('title = "Partner"\n')
    (folder / "sources" / "partner.toml").write_text(SOURCE)
    take_vocabulary(open_hub(folder), vocabulary, by=ANNA, progress=Silent())
    return folder


def built(folder: Path, **delivered: Path) -> Rooms:
    """The hub after deliveries (source=file) and a build."""
    rooms = open_hub(folder)
    for source, path in delivered.items():
        receive_delivery(rooms, source=source, files=[path], received_on=AS_OF, today=AS_OF, by=ANNA, progress=Silent())
    build_release(rooms, as_of=AS_OF, today=AS_OF, by=ANNA, progress=Silent())
    return rooms


def release(rooms: Rooms) -> duckdb.DuckDBPyConnection:
    """The release's tables by their names, with lineage."""
    connection = duckdb.connect()
    current = rooms.archive.release()
    for name in current.tables:
        if files := [str(path) for path in rooms.archive.files(current, name)]:
            connection.execute(f"CREATE VIEW {name} AS FROM read_parquet({files!r})")
    return connection


def differences(connection: duckdb.DuckDBPyConnection, originals: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Table -> column -> rows that differ from the partner's; ``rows`` are those that the release does not have.

    Args:
        originals: table -> relation in SQL with ``row_line`` and the partner's columns.
    """
    has = {row[0] for row in connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()}
    for name, relation in originals.items():
        connection.execute(f"CREATE VIEW original_{name} AS FROM {relation}")
    for name in set(KEYS.values()) & has & set(originals):
        key = CDM[name].primary_key
        connection.execute(
            f"CREATE TABLE key_{name} AS SELECT o.{key} AS theirs, any_value(r.{key}) AS ours "
            f"FROM original_{name} AS o JOIN {name} AS r USING (row_line) GROUP BY ALL"
        )
    found: dict[str, dict[str, int]] = {}
    for name in originals:
        if name not in has:
            count = connection.execute(f"SELECT count(*) FROM original_{name}").fetchone()
            found[name] = {"rows": count[0]} if count and count[0] else {}
            continue
        tests = _tests(connection, name, has & set(originals))
        sums = ", ".join(f"count(*) FILTER ({test}) AS {column}" for column, test in tests.items())
        counted = connection.execute(
            f"SELECT count(*) FILTER (r.row_line IS NULL) AS rows, {sums} "
            f"FROM original_{name} AS o LEFT JOIN {name} AS r USING (row_line)"
        ).fetchone()
        found[name] = {column: rows for column, rows in zip(("rows", *tests), counted or (), strict=True) if rows}
    return {name: columns for name, columns in found.items() if columns}


def _tests(connection: duckdb.DuckDBPyConnection, name: str, mapped: set[str]) -> dict[str, str]:
    described = connection.execute(f"DESCRIBE original_{name}").fetchall()
    columns = {row[0].casefold() for row in described}
    tests = {}
    for field in CDM[name].fields:
        older = CDM_5_3_NAMES.get(name, {}).get(field.name, field.name)
        source = field.name if field.name in columns else older
        if source not in columns or (field.name == CDM[name].primary_key and field.name != "person_id"):
            continue
        theirs = f"o.{source}"
        if field.name in KEYS:
            table = KEYS[field.name]
            theirs = f"(SELECT ours FROM key_{table} WHERE theirs = o.{source})" if table in mapped else "NULL"
        elif field.type == "date":
            theirs = f"coalesce(try_cast({theirs} AS DATE), try_strptime({theirs}::VARCHAR, '%Y%m%d')::DATE)"
        elif field.type == "datetime":
            theirs = f"{theirs}::TIMESTAMP"
        elif field.type == "float":
            theirs = f"{theirs}::DOUBLE"
        elif field.type.startswith("varchar"):
            theirs = f"{theirs}::VARCHAR"
        tests[field.name] = f"r.row_line IS NOT NULL AND r.{field.name} IS DISTINCT FROM {theirs}"
    return tests
