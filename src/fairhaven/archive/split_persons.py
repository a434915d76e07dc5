"""Rows of erased persons under the keys of others: earlier releases took two persons for one, and a later build found that they are two.

Whose a row is, is told by its lineage. Such rows go by themselves; what a release has derived of both goes with them (eras, observation
periods), and of the other's row of PERSON is left what a release says that tells the two apart.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from fairhaven.archive.model import SplitRow
from fairhaven.archive.parquet import person_column
from fairhaven.archive.release_store import ReleaseStore
from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.engine.sql import identifier, parquet
from fairhaven.kernel.files import readers_scratch
from fairhaven.omop import CDM
from fairhaven.release.manifest import Release, StoredFile, TableVersion

PERSON = "person"
DERIVED = frozenset({"observation_period", "condition_era", "drug_era", "dose_era"})
"""Tables whose rows come from many rows of a person."""
_PLACES = frozenset({"location_id", "provider_id", "care_site_id"})
"""Columns of PERSON that name a row of the same release."""
_LINEAGE = frozenset({"row_extract", "row_line", "row_rule"})
_ROWS = pa.schema([("person", pa.int64()), ("extract", pa.int32()), ("line", pa.int64()), ("rule", pa.int32())])


def split_rows(store: ReleaseStore, lines: pa.Table, person_keys: Collection[int]) -> tuple[SplitRow, ...]:
    """See `Archive.split_rows`."""
    if not lines.num_rows:
        return ()
    found, seen = set[SplitRow](), set[str]()
    with readers_scratch() as work, open_duckdb(spill=work, reaches=[store.folder]) as connection:
        connection.register("lines", lines)
        connection.register("own", pa.table({"id": pa.array(sorted(set(person_keys)), pa.int64())}))
        for release in store.releases():
            rules = {rule.number: rule.table for rule in release.facts.rules}
            numbers, tables = pa.array(list(rules), pa.int32()), pa.array(list(rules.values()), pa.string())
            connection.register("rules", pa.table({"row_rule": numbers, "rule_table": tables}))
            for table in release.tables.values():
                fresh = sorted(table.paths - seen)
                seen.update(fresh)
                if (column := person_column(table.name)) and fresh:
                    rows = connection.execute(
                        f"SELECT DISTINCT {column}, row_extract, row_line, row_rule FROM {parquet(*map(store.path, fresh))} "
                        "JOIN lines USING (row_extract, row_line) LEFT JOIN rules USING (row_rule) "
                        f"WHERE table_name IN ('', rule_table) AND {column} NOT IN (FROM own)"
                    ).fetchall()
                    found.update(SplitRow(person=p, extract=e, line=line, rule=rule) for p, e, line, rule in rows)
            connection.unregister("rules")
    return tuple(sorted(found))


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitPersons:
    """Persons under whose keys rows of erased ones stand.

    Args:
        mixed: file -> keys of those who are mixed with the erased ones in every release that has it, and apart in another.
        lost: keys of those whom no release tells apart, so that nobody can say what of them is theirs.
    """

    mixed: Mapping[Path, frozenset[int]]
    lost: frozenset[int]


def find_split_persons(
    store: ReleaseStore, connection: duckdb.DuckDBPyConnection, releases: Sequence[Release], rows: Sequence[SplitRow]
) -> SplitPersons:
    """Find them, and make ``split_row`` (as `_ROWS`), and ``own_person``: their rows of PERSON, as the latest release says that tells
    them apart."""
    columns = [
        [row.person for row in rows],
        [row.extract for row in rows],
        [row.line for row in rows],
        [row.rule for row in rows],
    ]
    connection.register("split_arriving", pa.table(columns, schema=_ROWS))
    connection.execute("CREATE OR REPLACE TEMP TABLE split_row AS FROM split_arriving")
    connection.unregister("split_arriving")
    if not rows:
        return SplitPersons(mixed={}, lost=frozenset())
    keys = frozenset(row.person for row in rows)
    in_file: dict[str, frozenset[int]] = {}
    in_release: defaultdict[int, frozenset[int]] = defaultdict(frozenset)
    for release in releases:
        for file, table in _files(release, keys):
            if file.path not in in_file:
                in_file[file.path] = _mixed_in(connection, table, store.path(file.path))
            in_release[release.number] |= in_file[file.path]
    told = _told_apart(store, connection, releases, keys, in_release)
    mixed: dict[Path, frozenset[int]] = {}
    for release in releases:
        for file, _ in _files(release, keys):
            path = store.path(file.path)
            mixed[path] = mixed.get(path, told) & in_release[release.number]
    return SplitPersons(mixed=mixed, lost=keys - told)


def is_split_row(column: str, *, of: str = "") -> str:
    """SQL: whether a row is one of ``split_row``.

    Args:
        column: that says whose row it is.
        of: what stands before each column, with its point.
    """
    names = ", ".join(f"{of}{identifier(name)}" for name in (column, "row_extract", "row_line", "row_rule"))
    return f"({names}) IN (FROM split_row)"


def without_others(file: Path, keys: Iterable[int]) -> str:
    """Query: the rows of PERSON of split persons in a file, as they are without what they were mixed with.

    Their columns are their own; a place that the release may not have is left out, and so is the lineage of an erased row.
    """
    is_theirs = is_split_row("person_id", of="r.")

    def value(name: str) -> str:
        column = identifier(name)
        if name in _LINEAGE:
            return f"CASE WHEN NOT {is_theirs} THEN r.{column} END AS {column}"
        return (
            f"CASE WHEN r.{column} = o.{column} THEN r.{column} END AS {column}" if name in _PLACES else f"o.{column}"
        )

    columns = ", ".join(map(value, CDM[PERSON].schema_of(lineage=True).names))
    listed = ", ".join(map(str, sorted(keys)))
    return f"SELECT {columns} FROM {parquet(file)} AS r JOIN own_person AS o USING (person_id) WHERE r.person_id IN ({listed})"


def _files(release: Release, keys: Collection[int]) -> Iterable[tuple[StoredFile, str]]:
    """Files of a release that can hold rows of some persons, each with its table."""
    for name, table in release.tables.items():
        if person_column(name):
            yield from ((file, name) for file in of_persons(table, keys))


def of_persons(table: TableVersion, keys: Collection[int]) -> list[StoredFile]:
    """Files of a table that can hold rows of some persons; it is one whose rows have a person."""
    buckets = {key % table.buckets for key in keys}
    return [file for file in table.files if file.bucket in buckets]


def _mixed_in(connection: duckdb.DuckDBPyConnection, table: str, file: Path) -> frozenset[int]:
    column = person_column(table)
    found = connection.execute(f"SELECT DISTINCT {column} FROM {parquet(file)} WHERE {is_split_row(column)}")
    return frozenset(key for (key,) in found.fetchall())


def _told_apart(
    store: ReleaseStore,
    connection: duckdb.DuckDBPyConnection,
    releases: Sequence[Release],
    keys: frozenset[int],
    in_release: Mapping[int, frozenset[int]],
) -> frozenset[int]:
    """Those whom a release tells apart; the latest one's rows of PERSON are kept as ``own_person``."""
    told = frozenset[int]()
    for release in reversed(releases):
        apart = keys - told - in_release.get(release.number, frozenset())
        table = release.tables.get(PERSON)
        files = [store.path(file.path) for file in of_persons(table, apart)] if table and apart else []
        if files:
            rows = f"SELECT * FROM {parquet(*files)} WHERE person_id IN ({', '.join(map(str, sorted(apart)))})"
            into = "INSERT INTO own_person BY NAME" if told else "CREATE OR REPLACE TEMP TABLE own_person AS"
            connection.execute(f"{into} {rows}")
            told |= {key for (key,) in connection.execute("SELECT person_id FROM own_person").fetchall()}
    return told
