"""What a receipt says of rows of one key: the counts of a delivery as a whole, and the keys that are not unique."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.engine.sql import file, literal
from fairhaven.intake import repeated_keys
from fairhaven.intake.current_rows import tables_of, wholes_of
from fairhaven.intake.delivery_records import DeliveryRecords
from fairhaven.intake.fhir.views import WHOLES
from fairhaven.intake.landing import MEMORY_LIMIT, REJECTS
from fairhaven.intake.model import Extract, Format, Source, UndecidedKey
from fairhaven.intake.repeated_keys import UndecidedRows
from fairhaven.intake.row_links import link_columns
from fairhaven.kernel.errors import Fault
from fairhaven.kernel.files import scratch


def faults_of(undecided: Mapping[str, UndecidedRows], source: Source, file: str) -> Iterator[Fault]:
    """Why a file is refused: a key that its table declares unique is not.

    Args:
        undecided: table -> its rows of one key that differ.
    """
    for name, rows in undecided.items():
        if name not in source.tables or not source.tables[name].is_key_unique:
            continue
        lines = ", ".join(map(str, rows.lines)) + (", ..." if rows.rows > len(rows.lines) else "")
        message = (
            f"key_is_unique = true, but {rows.rows} rows that differ have {rows.keys} key{'s' * (rows.keys > 1)} (lines {lines}). "
            "Have the file corrected, or declare a key that tells its rows apart"
        )
        yield Fault(path=file, field=f"{name}.{', '.join(rows.key)}", message=message)


def undecided_keys(extract: int, undecided: Mapping[str, UndecidedRows]) -> Iterator[UndecidedKey]:
    """The keys that are not unique in one extract."""
    for table, found in undecided.items():
        yield UndecidedKey(
            extracts=(extract,),
            table=table,
            key=found.key,
            rows=found.rows,
            keys=found.keys,
            lines=found.lines,
            are_kept=found.are_kept,
        )


def counted_together(
    records: DeliveryRecords, source: Source, extracts: Sequence[Extract], work: Path
) -> tuple[list[Extract], list[UndecidedKey]]:
    """The extracts as the receipt counts them: of rows of one key in several files of the delivery one counts; and keys that are so."""
    by_table = tables_of(extracts)
    # Parts give way where their whole does, and a newer whole may have none.
    several = {
        table: having
        for table, having in by_table.items()
        if len({each.number for each in (*having, *wholes_of(source, table, by_table))}) > 1
    }
    if not several or source.format is Format.OPT_OUT:
        return list(extracts), []
    found = {extract.number: extract for extract in extracts}
    undecided = []
    paths = [records.folder(extract.number) for extract in extracts]
    with scratch(work) as room, open_duckdb(spill=room, reaches=paths, memory_limit=MEMORY_LIMIT) as connection:
        for table, having in several.items():
            landed = {extract.number: records.table(extract.number, table) for extract in having}
            columns = [*having[-1].columns[table], "patient_ref", *link_columns(source, table).names]
            others = list(_others(records, table, having, wholes_of(source, table, by_table)))
            changes, rows = repeated_keys.across_files(connection, landed, columns, others=others)
            for number, change in changes.items():
                tables = found[number].tables
                count = repeated_keys.changed(tables[table], change)
                found[number] = replace(found[number], tables={**tables, table: count})
            if rows:
                key = (
                    source.tables[table].key
                    if table in source.tables
                    else ("id",)
                    if source.format is Format.FHIR
                    else ()
                )
                undecided.append(
                    UndecidedKey(extracts=tuple(landed), table=table, key=key, rows=rows.rows, keys=rows.keys)
                )
    return list(found.values()), undecided


def _others(
    records: DeliveryRecords, table: str, having: Sequence[Extract], wholes: Sequence[Extract]
) -> Iterator[str]:
    """What rows of a table may give way to beside its own: rows in quarantine with their keys and, of parts, the rows of their wholes."""
    whole = WHOLES[table] if wholes else table
    for extract in wholes:
        yield repeated_keys.rivals_in(f"read_parquet({file(records.table(extract.number, whole))})")
    for extract in wholes or having:
        if extract.tables[whole].quarantined:
            rejects = f"read_parquet({file(records.table(extract.number, REJECTS))})"
            of_table = f"(FROM {rejects} WHERE table_name = {literal(whole)})"
            yield repeated_keys.unread_in(of_table, extract.number)
