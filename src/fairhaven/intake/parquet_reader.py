"""Parquet files with declared columns; the row's number in the file, from 1, is its line."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from fairhaven.engine.duckdb_connection import count_of
from fairhaven.engine.parquet_footer import CUT_OFF, check_footer
from fairhaven.engine.sql import file, identifier, literals, parquet
from fairhaven.intake import file_detection
from fairhaven.intake.delimited_reader import count_emptied, stage_typed, unread_of, withdrawn_sql
from fairhaven.intake.model import Source, TableDeclaration
from fairhaven.intake.reader import DeliveredFile, StagedTable
from fairhaven.intake.time_zones import USUAL, at_instant, is_zone
from fairhaven.intake.type_casting import typed
from fairhaven.kernel.errors import Fault, Invalid, check_faults

_UTC = frozenset({"UTC", "Etc/UTC", "Z", "GMT", "Etc/GMT"})


class ParquetReader:
    """See `Reader`. One file is one table; the file's name says which."""

    version = "4"
    threads: int | None = None

    def stage(
        self,
        connection: duckdb.DuckDBPyConnection,
        source: Source,
        arrived: DeliveredFile,
        *,
        scratch: Path,  # noqa: ARG002 - of the protocol; Parquet is read where it is
    ) -> Sequence[StagedTable]:
        """See `Reader.stage`."""
        table = file_detection.table_for(source, arrived)
        check_footer(arrived.path, arrived.name, arrived.limits)
        rows = numbered_rows(arrived.path, time_zone=source.dialect.time_zone)
        return [stage_relation(connection, source, lambda _: table, rows, shown=arrived.name)]


def _zones_of(path: Path) -> Mapping[str, str]:
    """The zones that columns of a Parquet file name whose moments are adjusted to UTC (Arrow's schema in its footer); '' where UTC is all that it says."""
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError, ValueError):  # whoever reads the rows says what is wrong with it
        return {}
    zones = {field.name: field.type.tz for field in schema if pa.types.is_timestamp(field.type) and field.type.tz}
    return {name: zone if zone not in _UTC and is_zone(zone) else "" for name, zone in zones.items()}


def _told(header: str, kind: str, source: Source) -> tuple[str, str]:
    """A column and its type: without the words by which a text says that there is nothing, moments on the clock where it was."""
    column = identifier(header)
    words = [word for word in source.dialect.null if word]
    if kind == "VARCHAR" and words:
        return f"CASE WHEN {column} NOT IN ({literals(*words)}) THEN {column} END", kind
    if kind == "TIMESTAMP WITH TIME ZONE":
        return at_instant(column, source.dialect.time_zone), "TIMESTAMP"
    return column, kind


def numbered_rows(*files: Path, time_zone: str = USUAL) -> str:
    """Parquet files as one relation with ``row_line``, in which moments of a column that names a zone stand on the clock of that zone.

    Moments that are said in UTC stay so, unless the files say them in several ways: then they stand on the clock of *time_zone*.
    """
    zones = [_zones_of(path) for path in files]
    if any(each != zones[0] for each in zones):
        parts = [
            f"SELECT *{_on_their_clocks({name: zone or time_zone for name, zone in each.items()})} FROM {parquet(path, is_parted=True)}"
            for path, each in zip(files, zones, strict=True)
        ]
        return f"(SELECT row_number() OVER () AS row_line, * FROM ({' UNION ALL BY NAME '.join(parts)}))"
    clocks = _on_their_clocks({name: zone for name, zone in zones[0].items() if zone})
    if len(files) > 1:
        return f"(SELECT row_number() OVER () AS row_line, *{clocks} FROM {parquet(*files, is_parted=True)})"
    reading = f"read_parquet({file(files[0])}, file_row_number=true)"
    return f"(SELECT file_row_number + 1 AS row_line, * EXCLUDE (file_row_number){clocks} FROM {reading})"


def _on_their_clocks(zones: Mapping[str, str]) -> str:
    """SQL behind the star of a SELECT."""
    replaced = (f"{at_instant(identifier(name), zone)} AS {identifier(name)}" for name, zone in zones.items())
    return f" REPLACE ({', '.join(replaced)})" if zones else ""


def stage_relation(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    declare: Callable[[Collection[str]], TableDeclaration],
    relation: str,
    *,
    shown: str,
    prefix: str = "staged",
) -> StagedTable:
    """Stage a relation whose columns have types, in relations whose names begin with *prefix*; see `Reader.stage`.

    Args:
        declare: gives the table's declaration for the names of the delivered columns, in small letters.
        relation: has ``row_line`` and the delivered columns.
        shown: how faults name it.
    """
    try:
        described = connection.execute(f"DESCRIBE SELECT * EXCLUDE (row_line) FROM {relation}").fetchall()
        # A row that is NULL throughout is what a blank line is to a text file: erasure leaves such rows.
        something = f"coalesce({', '.join(f'{identifier(row[0])}::VARCHAR' for row in described)}) IS NOT NULL"
        rows = f"(FROM {relation} WHERE {something})"
        received = count_of(connection, f"SELECT count(*) FROM {rows}")
    except duckdb.Error:
        raise Invalid(Fault(path=shown, message=CUT_OFF)) from None
    delivered = {row[0].strip().casefold(): (row[0], row[1]) for row in described}
    table = declare(delivered)
    columns = [column for column in table.columns if not column.is_derived]
    headers = {column.name: column.header.strip().casefold() for column in columns}
    found = {name: delivered[header] for name, header in headers.items() if header in delivered}
    missing = [column for column in columns if column.name not in found]
    check_faults(
        [
            Fault(path=shown, message=f"the column {column.header} is missing")
            for column in missing
            if not column.is_optional
        ]
    )
    values = {name: _told(header, kind, source) for name, (header, kind) in found.items()}
    stage_typed(connection, source, table, typed(table, values, source.dialect, rows), prefix=prefix)
    return StagedTable(
        declaration=table,
        rows=f"{prefix}_rows",
        rejects=f"{prefix}_rejects",
        received=received,
        unread=unread_of(table, prefix),
        withdrawn=withdrawn_sql(table),
        dropped=tuple(header for header, kind in delivered.values() if (header, kind) not in found.values()),
        missing=tuple(column.header for column in missing),
        emptied=count_emptied(connection, table, prefix),
    )
