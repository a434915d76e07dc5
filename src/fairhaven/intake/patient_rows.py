"""Rows that bear patients to be erased: landed ones by pseudonym or tombstone, those in quarantine by tombstone."""

from collections import defaultdict
from collections.abc import Collection, Sequence

import duckdb
import pyarrow as pa

from fairhaven.engine.sql import file
from fairhaven.intake.delivery_records import DeliveryRecords
from fairhaven.intake.landing import REJECTS
from fairhaven.intake.linked_rows import FoundRows
from fairhaven.intake.model import Extract

_THEIRS = "patient_ref IN (FROM given_refs)"


def bearing(
    connection: duckdb.DuckDBPyConnection,
    records: DeliveryRecords,
    extracts: Sequence[Extract],
    *,
    refs: Collection[str] | None,
    tombstones: Collection[str],
) -> dict[int, FoundRows]:
    """By number of extract, landed rows that bear one of *refs*, and quarantined ones of whoever has a tombstone.

    Args:
        connection: has the macro ``tombstone_of`` of landing.
        refs: None where landed rows are meant, too, of whoever has a tombstone; a digest for each patient of each table is what that costs.
    """
    connection.register("given_refs", pa.table({"patient_ref": pa.array(sorted(refs or ()), pa.string())}))
    connection.register("given_digests", pa.table({"digest": pa.array(sorted(tombstones), pa.string())}))
    found = {}
    for extract in extracts:
        landed = dict[str, dict[int, int]]()
        for table in extract.tables if refs or refs is None else ():
            rows = f"read_parquet({file(records.table(extract.number, table))})"
            is_theirs = _has_tombstone(rows) if refs is None else _THEIRS
            theirs = connection.execute(f"SELECT row_line, count(*) FROM {rows} WHERE {is_theirs} GROUP BY row_line")
            if by_line := dict(theirs.fetchall()):
                landed[table] = by_line
        rejects = f"read_parquet({file(records.table(extract.number, REJECTS))})"
        known = connection.execute(
            f"SELECT DISTINCT table_name, row_line FROM {rejects} WHERE {_has_tombstone(rejects)}"
        )
        quarantined = defaultdict[str, set[int]](set)
        for table, line in known.fetchall():
            quarantined[table].add(line)
        if landed or quarantined:
            found[extract.number] = FoundRows(landed=landed, quarantined=quarantined)
    return found


def _has_tombstone(rows: str) -> str:
    """SQL: whether a row's patient has one; each patient is digested once."""
    refs = f"SELECT DISTINCT patient_ref FROM {rows}"
    return f"patient_ref IN (SELECT patient_ref FROM ({refs}) WHERE tombstone_of(patient_ref) IN (FROM given_digests))"
