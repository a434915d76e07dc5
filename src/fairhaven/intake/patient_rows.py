"""Rows that bear patients to be erased: landed ones by pseudonym or tombstone, those in quarantine by tombstone.

A source may have thousands of extracts, and a query costs milliseconds whatever it reads, so one reads the files of many.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from fairhaven.engine.process_key import rows_of
from fairhaven.intake.delivery_records import DeliveryRecords
from fairhaven.intake.landing import REJECTS
from fairhaven.intake.linked_rows import FoundRows
from fairhaven.intake.model import Extract

_TOGETHER = 500
"""Files that one query reads."""
_FILE = "row_file"
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
    landed: defaultdict[int, dict[str, dict[int, int]]] = defaultdict(dict)
    if refs or refs is None:
        for table in sorted({table for extract in extracts for table in extract.tables}):
            of_table = [extract for extract in extracts if table in extract.tables]
            for numbers, rows in _files(records, of_table, table):
                is_theirs = _has_tombstone(rows) if refs is None else _THEIRS
                counted = (
                    f"SELECT row_file, row_line, count(*) FROM {rows} WHERE {is_theirs} GROUP BY row_file, row_line"
                )
                for path, line, count in connection.execute(counted).fetchall():
                    landed[numbers[path]].setdefault(table, {})[line] = count
    quarantined: defaultdict[int, defaultdict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for numbers, rows in _files(records, extracts, REJECTS):
        known = f"SELECT DISTINCT row_file, table_name, row_line FROM {rows} WHERE {_has_tombstone(rows)}"
        for path, table, line in connection.execute(known).fetchall():
            quarantined[numbers[path]][table].add(line)
    return {
        number: FoundRows(landed=landed.get(number, {}), quarantined=quarantined.get(number, {}))
        for number in landed.keys() | quarantined.keys()
    }


def naming_nobody(
    connection: duckdb.DuckDBPyConnection, records: DeliveryRecords, extracts: Sequence[Extract]
) -> dict[int, dict[int, str]]:
    """By number of extract, quarantined lines of which no patient could be read, each with its table."""
    found: defaultdict[int, dict[int, str]] = defaultdict(dict)
    for numbers, rows in _files(records, extracts, REJECTS):
        unread = f"SELECT DISTINCT row_file, row_line, table_name FROM {rows} WHERE patient_ref IS NULL ORDER BY ALL"
        for path, line, table in connection.execute(unread).fetchall():
            found[numbers[path]][line] = table
    return found


def _files(
    records: DeliveryRecords, extracts: Sequence[Extract], table: str
) -> Iterator[tuple[Mapping[str, int], str]]:
    """Path -> number of extract, and SQL of the rows of these files, which have their path in ``row_file``."""
    for begin in range(0, len(extracts), _TOGETHER):
        paths: dict[Path, int] = {
            records.table(extract.number, table): extract.number for extract in extracts[begin : begin + _TOGETHER]
        }
        numbers = {str(path): number for path, number in paths.items()}
        yield numbers, rows_of(*paths, name_in=_FILE)


def _has_tombstone(rows: str) -> str:
    """SQL: whether a row's patient has one; each patient is digested once."""
    refs = f"SELECT DISTINCT patient_ref FROM {rows}"
    return f"patient_ref IN (SELECT patient_ref FROM ({refs}) WHERE tombstone_of(patient_ref) IN (FROM given_digests))"
