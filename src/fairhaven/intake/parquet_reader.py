"""Parquet files with declared columns; the row's number in the file, from 1, is its line."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from fairhaven.engine.sql import file, identifier
from fairhaven.intake import file_detection
from fairhaven.intake.delimited_reader import stage_typed, withdrawn_sql
from fairhaven.intake.model import Source, TableDeclaration
from fairhaven.intake.reader import DeliveredFile, StagedTable
from fairhaven.intake.type_casting import structured
from fairhaven.kernel.errors import Fault, Invalid, check_faults


class ParquetReader:
    """See `Reader`. One file is one table, told by the file's name."""

    version = "1"

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
        reading = f"read_parquet({file(arrived.path)}, file_row_number=true)"
        try:
            described = connection.execute(f"DESCRIBE SELECT * EXCLUDE (file_row_number) FROM {reading}").fetchall()
        except duckdb.Error:
            raise Invalid(
                Fault(path=arrived.name, message="cannot be read as Parquet; it may be cut off. Deliver it again.")
            ) from None
        types = {row[0]: row[1] for row in described}
        found, missing = _match(table, types, arrived)
        values = {column: (identifier(header), types[header]) for column, header in found.items()}
        # A row that is NULL throughout is what a blank line is to a text file: erasure leaves such rows.
        something = f"coalesce({', '.join(f'{identifier(header)}::VARCHAR' for header in types)}) IS NOT NULL"
        relation = (
            f"(SELECT file_row_number + 1 AS row_line, * EXCLUDE (file_row_number) FROM {reading} WHERE {something})"
        )
        received = connection.execute(f"SELECT count(*) FROM {relation}").fetchone()
        stage_typed(connection, source, table, structured(table, values, source.dialect, relation))
        return [
            StagedTable(
                table=table.name,
                declaration=table,
                rows="staged_rows",
                rejects="staged_rejects",
                received=received[0] if received else 0,
                withdrawn=withdrawn_sql(table),
                dropped=tuple(header for header in types if header not in found.values()),
                missing=missing,
            )
        ]


def _match(
    table: TableDeclaration, types: dict[str, str], arrived: DeliveredFile
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Column name -> the file's name for it; headers of optional columns that are missing."""
    by_name = {header.strip().casefold(): header for header in types}
    found = {
        column.name: by_name[column.header.strip().casefold()]
        for column in table.columns
        if column.header.strip().casefold() in by_name
    }
    absent = [column for column in table.columns if column.name not in found]
    faults = [
        Fault(path=arrived.name, message=f"the column {column.header} is missing")
        for column in absent
        if not column.is_optional
    ]
    check_faults(faults)
    return found, tuple(column.header for column in absent)
