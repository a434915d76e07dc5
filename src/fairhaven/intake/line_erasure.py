"""Blanking lines of a delivered file: their content goes, the numbers of all other lines stay.

What comes out is not the file as delivered, but it reads as that file without those rows.
"""

import codecs
import json
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import duckdb

from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.engine.sql import file, identifier, literal
from fairhaven.intake import file_detection, lines
from fairhaven.intake.cdm_reader import dialect_of, members
from fairhaven.intake.fhir.fhir_reader import ENTRIES
from fairhaven.intake.fhir.ndjson_lines import bundled
from fairhaven.intake.model import Dialect, Format
from fairhaven.intake.reader import DeliveredFile
from fairhaven.intake.source_file import python_encoding
from fairhaven.kernel.files import scratch as private

_CHUNK = 1 << 22


def blank(
    written: Format, dialect: Dialect, arrived: DeliveredFile, gone: Mapping[str, Collection[int]], scratch: Path
) -> Path:
    """A copy of the file without the content of the given lines.

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
            _blank_parquet(arrived.path, every, scratch, target)
        case Format.OMOP:
            _blank_cdm(arrived, gone, scratch, target)
        case Format.OPT_OUT:
            raise AssertionError("an opt-out list has no patients to erase")
    return target


def _blank_delimited(path: Path, gone: frozenset[int], dialect: Dialect, scratch: Path, target: Path) -> None:
    text = lines.as_utf8(path, dialect.encoding, scratch)
    seen = lines.survey(text)
    newline = b"\r" if seen.carriage_only else b"\n"
    encoding = None if dialect.encoding == "utf-8" else python_encoding(dialect.encoding)
    with text.open("rb") as source, target.open("wb") as out:
        encoder = _Encoder(encoding)
        at = 0
        for start, end in list(lines.places(text, dialect, gone, carriage_only=seen.carriage_only)):
            source.seek(at)
            while at < start and (chunk := source.read(min(_CHUNK, start - at))):
                out.write(encoder.encode(chunk))
                at += len(chunk)
            out.write(encoder.encode(newline * source.read(end - start).count(newline)))
            at = end
        source.seek(at)
        while chunk := source.read(_CHUNK):
            out.write(encoder.encode(chunk))
        out.write(encoder.encode(b"", final=True))


class _Encoder:
    """From UTF-8 back to the encoding that the file was delivered in; see `lines.as_utf8`."""

    def __init__(self, encoding: str | None) -> None:
        self._is_needed = encoding is not None
        if encoding is not None:
            errors = "surrogatepass" if encoding == "utf-16" else "surrogateescape"
            self._decoder = codecs.getincrementaldecoder("utf-8")("surrogatepass")
            self._encoder = codecs.getincrementalencoder(encoding)(errors)

    def encode(self, data: bytes, *, final: bool = False) -> bytes:
        if not self._is_needed:
            return data
        try:
            return self._encoder.encode(self._decoder.decode(data, final), final)
        except UnicodeDecodeError:
            return b""


def _blank_ndjson(path: Path, gone: frozenset[int], target: Path) -> None:
    inside: dict[int, set[int]] = {}
    for number in gone:
        if number >= ENTRIES:
            inside.setdefault(number // ENTRIES, set()).add(number % ENTRIES)
    document = _document(path)
    with path.open("rb") as source, target.open("wb") as out:
        if document is not None:
            texts = bundled(document)
            for number, text in enumerate(texts, start=1):
                out.write((b"" if number in gone else text.encode()) + b"\n")
            return
        for number, line in enumerate(source, start=1):
            if number in inside:
                out.write(_without(json.loads(line), inside[number]).encode() + b"\n")
            else:
                out.write(b"\n" if number in gone else line)


def _document(path: Path) -> Any:
    """The file as one Bundle or array; None for lines of JSON. Such files are small."""
    with path.open("rb") as file:
        try:
            json.loads(file.readline())
            if file.readline().strip():
                return None
            file.seek(0)
        except ValueError:
            file.seek(0)
        try:
            found = json.loads(file.read())
        except ValueError:
            return None
    return found if isinstance(found, list) or found.get("resourceType") == "Bundle" else None


def _without(bundle: Any, entries: set[int]) -> str:
    for number in entries:
        # An empty Bundle holds the entry's place, and nothing lands of it.
        bundle["entry"][number - 1] = {"resource": {"resourceType": "Bundle"}}
    return json.dumps(bundle)


def _blank_parquet(path: Path, gone: frozenset[int], scratch: Path, target: Path) -> None:
    with open_duckdb(spill=scratch) as connection:
        reading = f"read_parquet({file(path)}, file_row_number=true)"
        rows = f"(SELECT file_row_number + 1 AS row_line, * EXCLUDE (file_row_number) FROM {reading})"
        _copy_without(connection, rows, gone, target)


def _copy_without(connection: duckdb.DuckDBPyConnection, rows: str, gone: frozenset[int], target: Path) -> None:
    """Write a relation that has ``row_line`` as Parquet in that order, the lines that are gone all NULL."""
    connection.execute("CREATE OR REPLACE TEMP TABLE gone (line BIGINT)")
    connection.executemany("INSERT INTO gone VALUES (?)", [[line] for line in sorted(gone)] or [[0]])
    described = connection.execute(f"DESCRIBE SELECT * EXCLUDE (row_line) FROM {rows}").fetchall()
    columns = ", ".join(
        f"CASE WHEN row_line NOT IN (SELECT line FROM gone) THEN {identifier(row[0])} END AS {identifier(row[0])}"
        for row in described
    )
    connection.execute(
        f"COPY (SELECT {columns} FROM {rows} ORDER BY row_line) TO {literal(target)} (FORMAT parquet, COMPRESSION zstd)"
    )


def _blank_cdm(arrived: DeliveredFile, gone: Mapping[str, Collection[int]], scratch: Path, target: Path) -> None:
    """A zip of the CDM's tables; a DuckDB file becomes one of Parquet files with the same row numbers."""
    with (
        private(scratch) as room,
        open_duckdb(spill=room, keeps_order=True) as connection,
        zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as out,
    ):
        for member in members(connection, arrived, room).found:
            lines_gone = frozenset(gone.get(member.table, ()))
            blanked = room / "blanked"
            if member.text is None:
                _copy_without(connection, member.rows, lines_gone, blanked)
                out.write(blanked, f"{member.table}.parquet")
            else:
                text = file_detection.plain(member.text, room)
                _blank_delimited(text, lines_gone, dialect_of(text), room, blanked)
                out.write(blanked, f"{member.table}.csv")
