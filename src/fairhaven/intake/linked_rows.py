"""Rows that belong to erased patients through rows of other tables, however many links away.

Beginning with rows of the patients themselves, table by table in the order of the links: a row is found where what it
belongs to is the name of a row found before, of a row that was erased earlier (a tombstone), or of a quarantined one. Since
links have no circles, each table is looked through once.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from fairhaven.engine.process_key import is_under_key, rows_of
from fairhaven.engine.sql import literal
from fairhaven.intake.delivery_records import DeliveryRecords
from fairhaven.intake.landing import REJECTS
from fairhaven.intake.model import Extract, Source
from fairhaven.intake.row_links import (
    BELONGING,
    digests_of_owners,
    digests_sql,
    in_order,
    link_columns,
    links_of,
    text_of,
    texts_of_links,
    texts_of_names,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundRows:
    """Where rows of patients are in one extract.

    Args:
        landed: table -> line -> how many landed rows it has; a line of FHIR may have several in one table.
        quarantined: table -> lines.
    """

    landed: Mapping[str, Mapping[int, int]]
    quarantined: Mapping[str, Collection[int]]

    def and_also(self, other: "FoundRows") -> "FoundRows":
        """These and others of the same extract."""
        return FoundRows(
            landed={
                table: {**self.landed.get(table, {}), **other.landed.get(table, {})}
                for table in self.landed.keys() | other.landed.keys()
            },
            quarantined={
                table: {*self.quarantined.get(table, ()), *other.quarantined.get(table, ())}
                for table in self.quarantined.keys() | other.quarantined.keys()
            },
        )

    def rows(self) -> dict[str, int]:
        """Table -> landed rows."""
        return {table: sum(by_line.values()) for table, by_line in self.landed.items()}

    def lines(self) -> dict[str, set[int]]:
        """Table -> lines, landed or quarantined."""
        return {
            table: {*self.landed.get(table, ()), *self.quarantined.get(table, ())}
            for table in self.landed.keys() | self.quarantined.keys()
        }


NO_ROWS = FoundRows(landed={}, quarantined={})


def with_linked_rows(
    connection: duckdb.DuckDBPyConnection,
    records: DeliveryRecords,
    source: Source,
    extracts: Sequence[Extract],
    found: Mapping[int, FoundRows],
    names: Collection[str],
) -> tuple[dict[int, FoundRows], frozenset[str]]:
    """What was found, with the rows that belong to it.

    Args:
        connection: has the macros ``tombstone_of`` and ``pseudonym_of`` of landing.
        found: by number of extract, the rows that bear a patient to be erased.
        names: tombstones of the source, and digests of what rows are called by that were left out in landing.

    Returns:
        what was found by extract, and the digests of all that erased rows are called by.
    """
    links = links_of(source)
    if not links:
        return dict(found), frozenset(names)
    _seed(connection, found, names)
    for table in in_order(links):
        rows = _rows_of(connection, records, source, extracts, table)
        if rows is None:
            continue
        connection.execute(
            f"INSERT INTO gone SELECT DISTINCT {literal(table)}, x, n, is_quarantined FROM "
            f"(SELECT x, n, is_quarantined, unnest(belonging) AS digest FROM {rows}) SEMI JOIN names USING (digest)"
            f"{_not_kept(records, source, extracts, table)}"
        )
        # A row that was delivered again for another patient is theirs by the latest word, and so is what belongs to it.
        connection.execute(
            "INSERT INTO names SELECT digest FROM ("
            "SELECT digest, x, bool_or((x, n, is_quarantined) IN "
            f"(SELECT (x, n, is_quarantined) FROM gone WHERE t = {literal(table)})) AS is_gone "
            f"FROM (SELECT x, n, is_quarantined, unnest(named) AS digest FROM {rows}) WHERE digest IS NOT NULL "
            "GROUP BY digest, x) GROUP BY digest HAVING arg_max(is_gone, x)"
        )
    return _gathered(connection, found), frozenset(
        name for (name,) in connection.execute("SELECT DISTINCT digest FROM names").fetchall()
    )


def _not_kept(
    records: DeliveryRecords,
    source: Source,
    extracts: Sequence[Extract],
    table: str,
) -> str:
    """SQL, a WHERE clause: rows of *table* by whose ``digest`` no row that is left would have them kept."""
    keeping = []
    for link in links_of(source):
        for keeper in link.kept_by if link.table == table else ():
            having = [records.table(extract.number, keeper) for extract in extracts if keeper in extract.tables]
            if having:
                keeping.append(
                    f"SELECT tombstone_of(UNNEST({texts_of_links([link], table)})) FROM {rows_of(*having)} "
                    f"WHERE (row_extract, row_line) NOT IN (SELECT (x, n) FROM gone WHERE t = {literal(keeper)})"
                )
    return (
        f" WHERE digest NOT IN (FROM ({' UNION ALL '.join(keeping)}) AS kept(d) WHERE d IS NOT NULL)" if keeping else ""
    )


def unknown_owners(
    connection: duckdb.DuckDBPyConnection, records: DeliveryRecords, source: Source, extracts: Sequence[Extract]
) -> dict[int, dict[str, int]]:
    """Number of extract -> table -> landed rows whose patient cannot be known, because no row that they belong to was delivered.

    Args:
        extracts: all of the source.
    """
    links = links_of(source)
    if not source.tables or not links:
        return {}
    counts = defaultdict[int, dict[str, int]](dict)
    connection.execute("CREATE OR REPLACE TEMP TABLE known (digest VARCHAR)")
    for table in in_order(links):
        rows = _rows_of(connection, records, source, extracts, table)
        if rows is None:
            continue
        is_known = "patient_ref IS NOT NULL OR list_has_any(belonging, (SELECT coalesce(list(digest), []) FROM known))"
        if any(link.table == table for link in links):
            known = f"(SELECT x, n FROM (SELECT x, n, unnest(belonging) AS digest FROM {rows}) SEMI JOIN known USING (digest))"
            found = connection.execute(
                f"SELECT x, count(*) FROM {rows} WHERE NOT is_quarantined AND (x, n) NOT IN {known} GROUP BY x"
            )
            for number, several in found.fetchall():
                counts[number][table] = several
            is_known = f"(x, n) IN {known}"
        connection.execute(f"INSERT INTO known SELECT DISTINCT unnest(named) FROM {rows} WHERE {is_known}")
    return counts


def names_in(parts: Sequence[str], source: Source) -> Iterator[str]:
    """Every text that a line which could not be read as a row may belong to, if its values are among *parts*."""
    for to, its in dict.fromkeys((link.to, link.its) for link in links_of(source) if link.to):
        for values in permutations(parts, len(its)):
            yield text_of(to, its, values)


def _seed(connection: duckdb.DuckDBPyConnection, found: Mapping[int, FoundRows], names: Collection[str]) -> None:
    gone = [
        (table, number, line, is_quarantined)
        for number, rows in found.items()
        for is_quarantined, by_table in ((False, rows.landed), (True, rows.quarantined))
        for table, lines in by_table.items()
        for line in lines
    ]
    fields = [("t", pa.string()), ("x", pa.int32()), ("n", pa.int64()), ("is_quarantined", pa.bool_())]
    columns = list(zip(*gone, strict=True)) or [(), (), (), ()]
    arrays = [pa.array(column, kind) for column, (_, kind) in zip(columns, fields, strict=True)]
    connection.register("found_rows", pa.table(arrays, schema=pa.schema(fields)))
    connection.register("found_names", pa.table({"digest": pa.array(sorted(names), pa.string())}))
    connection.execute("CREATE OR REPLACE TEMP TABLE gone AS FROM found_rows")
    connection.execute("CREATE OR REPLACE TEMP TABLE names AS FROM found_names")
    connection.unregister("found_rows")
    connection.unregister("found_names")


def _gathered(connection: duckdb.DuckDBPyConnection, found: Mapping[int, FoundRows]) -> dict[int, FoundRows]:
    landed: defaultdict[int, defaultdict[str, dict[int, int]]] = defaultdict(lambda: defaultdict(dict))
    quarantined: defaultdict[int, defaultdict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for table, number, line, is_quarantined in connection.execute("SELECT DISTINCT * FROM gone").fetchall():
        if is_quarantined:
            quarantined[number][table].add(line)
        else:
            before = found[number].landed.get(table, {}) if number in found else {}
            landed[number][table][line] = before.get(line, 1)
    return {
        number: FoundRows(landed=landed[number], quarantined=quarantined[number])
        for number in {*landed, *quarantined, *found}
    }


def _rows_of(
    connection: duckdb.DuckDBPyConnection,
    records: DeliveryRecords,
    source: Source,
    extracts: Sequence[Extract],
    table: str,
) -> str | None:
    """Relation of a table's rows, landed and quarantined: ``x`` (extract), ``n`` (line), ``is_quarantined, patient_ref`` and the
    digests ``named`` and ``belonging``. None where no extract has the table."""
    having = [extract for extract in extracts if table in extract.tables]
    if not having:
        return None
    parts = []
    columns = link_columns(source, table)
    paths = [records.table(extract.number, table) for extract in having]
    # What is under the key has just landed, with all that it has today.
    digested = [
        path for path in paths if columns and (is_under_key(path) or columns.are_in(pq.read_schema(path).names))
    ]
    if digested:
        belonging = BELONGING if columns.is_list else f"[{BELONGING if columns.belonging else ''}]::VARCHAR[]"
        parts.append(
            "SELECT row_extract AS x, row_line AS n, false AS is_quarantined, patient_ref, "
            f"[{', '.join(columns.named.values())}]::VARCHAR[] AS named, "
            f"{belonging} AS belonging FROM {rows_of(*digested)}"
        )
    if older := [path for path in paths if path not in digested]:
        parts.append(_of_values(connection, source, table, rows_of(*older)))
    for extract in having:
        rejects = rows_of(records.table(extract.number, REJECTS))
        described = {row[0] for row in connection.execute(f"DESCRIBE FROM {rejects}").fetchall()}
        if "named" in described:
            parts.append(
                f"SELECT {extract.number}::INTEGER, row_line, true, patient_ref, named, belonging "
                f"FROM {rejects} WHERE table_name = {literal(table)}"
            )
    return f"({' UNION ALL '.join(parts)})"


def _of_values(connection: duckdb.DuckDBPyConnection, source: Source, table: str, landed: str) -> str:
    """The same of landed rows without digests: those of a CDM to which others belong, and what earlier versions landed."""
    has = {row[0] for row in connection.execute(f"DESCRIBE FROM {landed}").fetchall()}
    links = [
        link
        for link in links_of(source)
        if {*(link.own if link.table == table else ()), *(link.its if link.to == table else ())} <= has
    ]
    return (
        "SELECT row_extract AS x, row_line AS n, false AS is_quarantined, patient_ref, "
        f"{digests_sql(texts_of_names(links, table))} AS named, "
        f"{digests_of_owners(links, table, source.name)} AS belonging FROM {landed}"
    )
