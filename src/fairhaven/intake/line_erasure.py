"""Blanking lines of a delivered file: their content goes, the numbers of all other lines stay.

What comes out is not the file as delivered, but it reads as that file without those rows.
"""

import json
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import pyarrow as pa

from fairhaven.engine.duckdb_connection import open_duckdb, write_parquet
from fairhaven.engine.sql import identifier
from fairhaven.intake import file_detection, lines
from fairhaven.intake.cdm_reader import dialect_of, members
from fairhaven.intake.fhir.bundle_entries import entries_of, said_by
from fairhaven.intake.fhir.ndjson_lines import ENTRIES, bundle_of, is_bundle, resources_of
from fairhaven.intake.model import Dialect, Format
from fairhaven.intake.parquet_reader import numbered_rows
from fairhaven.intake.reader import DeliveredFile
from fairhaven.kernel.files import scratch as private
from fairhaven.kernel.memory_files import memory_writer, place_in_memory

_CHUNK = 1 << 22


def blank(
    written: Format, dialect: Dialect, arrived: DeliveredFile, gone: Mapping[str, Collection[int]], scratch: Path
) -> Path:
    """A copy of the file without the content of the given lines, in memory.

    Args:
        written, dialect: how the file is read.
        gone: table -> line numbers, as they landed.
    """
    target = scratch / "blanked"
    every = frozenset[int]().union(*gone.values())
    match written:
        case Format.DELIMITED:
            text = file_detection.plain(arrived, scratch)
            _blank_delimited(text, every, dialect, scratch, target)
        case Format.FHIR:
            _blank_ndjson(file_detection.plain(arrived, scratch), every, target)
        case Format.PARQUET:
            _blank_parquet(arrived.path, every, dialect, scratch, target)
        case Format.OMOP:
            _blank_cdm(arrived, dialect, gone, scratch, target)
        case Format.OPT_OUT:
            raise AssertionError("an opt-out list has no patients to erase")
    return target


def _blank_delimited(path: Path, gone: frozenset[int], dialect: Dialect, scratch: Path, target: Path) -> None:
    text = lines.as_utf8(path, dialect.encoding, scratch)
    carriage_only = lines.survey(text).carriage_only
    places = [(start, end) for _, start, end in lines.places(text, dialect, gone, carriage_only=carriage_only)]
    with text.open("rb") as source, memory_writer(target) as out:
        kept = _blanked(source, places, b"\r" if carriage_only else b"\n")
        out.writelines(lines.from_utf8(kept, dialect.encoding))


def _blanked(source: BinaryIO, places: Sequence[tuple[int, int]], newline: bytes) -> Iterator[bytes]:
    """The file's bytes, of those from the first to the last of each place only the line ends."""
    for start, end in places:
        while chunk := source.read(min(_CHUNK, start - source.tell())):
            yield chunk
        yield newline * source.read(end - start).count(newline)
    while chunk := source.read(_CHUNK):
        yield chunk


def _blank_ndjson(path: Path, gone: frozenset[int], target: Path) -> None:
    resources = resources_of(path)
    with path.open("rb") as source, memory_writer(target) as out:
        lines = source if resources is None else (text.encode() + b"\n" for text in resources)
        for number, written in enumerate(lines, start=1):
            out.write(_without(number, written, gone))


def _without(number: int, written: bytes, gone: frozenset[int]) -> bytes:
    """A line without what is gone of it: all of it, or entries of the Bundle that it is."""
    bundle = bundle_of(written.decode("utf-8", "replace"))
    # The number of an entry is also that of a line, where a file has so many.
    if bundle is None or (number in gone and number < ENTRIES):
        return b"\n" if number in gone else written
    return json.dumps(_without_entries(number, bundle, gone)).encode() + b"\n"


def _without_entries(number: int, bundle: Mapping[str, Any], gone: frozenset[int]) -> dict[str, Any]:
    """A Bundle of the resources that stay, each at its place. What else it said may have named who is gone (where a resource was to
    go, what was searched for), and nothing of it lands."""
    kept: list[dict[str, Any]] = []
    for place, entry in enumerate(entries_of(bundle)):
        of_entry = number * ENTRIES + place + 1
        resource, url = (said_by(entry, bundle), entry.get("fullUrl")) if isinstance(entry, dict) else (entry, None)
        if of_entry in gone:
            # An empty Bundle holds the entry's place, and nothing lands of it.
            kept.append({"resource": {"resourceType": "Bundle"}})
            continue
        inner = _without_entries(of_entry, resource, gone) if is_bundle(resource) else resource
        # References within the Bundle are to such a URL.
        is_named = isinstance(url, str) and url.startswith("urn:")
        kept.append({"resource": inner, **({"fullUrl": url} if is_named else {})})
    return {"resourceType": "Bundle", "entry": kept}


def _blank_parquet(path: Path, gone: frozenset[int], dialect: Dialect, scratch: Path, target: Path) -> None:
    with open_duckdb(spill=scratch, reaches=[path, scratch]) as connection:
        _copy_without(connection, numbered_rows(path, time_zone=dialect.time_zone), gone, target)


def _copy_without(connection: duckdb.DuckDBPyConnection, rows: str, gone: frozenset[int], target: Path) -> None:
    """Write a relation that has ``row_line`` as Parquet in that order, the lines that are gone all NULL."""
    connection.register("gone", pa.table({"line": pa.array(sorted(gone), pa.int64())}))
    described = connection.execute(f"DESCRIBE SELECT * EXCLUDE (row_line) FROM {rows}").fetchall()
    columns = ", ".join(
        f"CASE WHEN row_line NOT IN (SELECT line FROM gone) THEN {identifier(row[0])} END AS {identifier(row[0])}"
        for row in described
    )
    place_in_memory(target)
    write_parquet(connection, f"SELECT {columns} FROM {rows} ORDER BY row_line", target, is_in_memory=True)


def _blank_cdm(
    arrived: DeliveredFile, dialect: Dialect, gone: Mapping[str, Collection[int]], scratch: Path, target: Path
) -> None:
    """A zip of the CDM's tables; a DuckDB file becomes one of Parquet files with the same row numbers."""
    with (
        private(scratch) as room,
        open_duckdb(spill=room, reaches=[arrived.path, scratch], keeps_order=True) as connection,
        memory_writer(target) as zipped,
        zipfile.ZipFile(zipped, "w", zipfile.ZIP_STORED) as out,
    ):
        for member in members(connection, arrived, room, time_zone=dialect.time_zone).found:
            lines_gone = frozenset(gone.get(member.table, ()))
            blanked = room / "blanked"
            if member.text is None:
                _copy_without(connection, member.rows, lines_gone, blanked)
                out.write(blanked, f"{member.table}.parquet")
            else:
                text = file_detection.plain(member.text, room)
                _blank_delimited(text, lines_gone, dialect_of(text, dialect), room, blanked)
                out.write(blanked, f"{member.table}.csv")
