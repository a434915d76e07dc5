"""Rows of one key in a delivery: which of them counts, and how many give way to it.

Rows that are equal to the one that counts are told from rows that differ. Where the source itself says which version counts
(`row_versions`) a row that gives way is an older version; where only the order of lines or files does, the key is not what tells rows
apart, and whoever declared it has to know.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from fairhaven.engine.duckdb_connection import count_of
from fairhaven.engine.process_key import rows_of
from fairhaven.engine.sql import file, identifier
from fairhaven.intake.model import TableCount
from fairhaven.intake.reader import StagedTable
from fairhaven.intake.row_versions import TURN, UNREAD, UPDATED, VERSION, WHOLE, in_turn_sql

_LINES = 5
_DECIDED = (
    f"(coalesce(placed.{UPDATED} <> winner.{UPDATED}, false) OR coalesce(placed.{VERSION} <> winner.{VERSION}, false) "
    f"OR winner.{UNREAD} OR (winner.row_withdrawn AND {{takes_back_surely}}))"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class UndecidedRows:
    """Rows of keys that are shared by rows that differ, where only their order says which counts, or nothing does.

    Args:
        key: names of its columns.
        lines: the first few, of one file.
        are_kept: all of them count.
    """

    rows: int
    keys: int
    key: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()
    are_kept: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class GivenWay:
    """What is counted of a landed table, as `TableCount` has it."""

    superseded: int = 0
    identical: int = 0
    withdrawn: int = 0
    has_unique_keys: bool = True
    has_versions: bool = False
    undecided: UndecidedRows | None = None


def rivals_in(rows: str) -> str:
    """Query of what landed rows say of their versions, as rivals of rows that go with them."""
    return f"SELECT row_key AS k, row_extract, row_line, row_withdrawn, {UPDATED}, {VERSION}, false AS {UNREAD} FROM {rows}"


def unread_in(rows: str, extract: int) -> str:
    """The same of rows in quarantine whose keys could be read."""
    return (
        f"SELECT row_key AS k, {extract}::INTEGER AS row_extract, row_line, false AS row_withdrawn, {UPDATED}, {VERSION}, true AS {UNREAD} "
        f"FROM {rows} WHERE row_key IS NOT NULL"
    )


def in_file(
    connection: duckdb.DuckDBPyConnection,
    staged: StagedTable,
    landed: Path,
    *,
    row_key: str = "",
    others: Sequence[str] = (),
) -> GivenWay:
    """Count the rows of a landed table that give way in its own file.

    Args:
        staged: what it was landed from: names and what else does not land tell rows apart, too.
        row_key: SQL of the key over its rows as ``r``, where a line may hold several; empty where each has its own line.
        others: queries of rows that are not of the table, or in quarantine, and that its rows may give way to (`rivals_in`, `unread_in`).
    """
    rows = rows_of(landed)
    key = WHOLE if staged.part_of else "row_key"
    updated = UPDATED if staged.updated else "NULL::BIGINT"
    version = VERSION if staged.version else "NULL::BIGINT"
    takes_back = "row_withdrawn" if staged.updated else "false"
    [(total, keys, withdrawn, has_versions)] = connection.execute(
        f"SELECT count({f'DISTINCT (row_line, {key})' if staged.part_of else '*'}), count(DISTINCT {key}), count(*) FILTER (row_withdrawn), "
        f"coalesce(bool_or({updated} IS NOT NULL OR {version} IS NOT NULL OR {takes_back}), false) FROM {rows}"
    ).fetchall()
    found = GivenWay(withdrawn=withdrawn, has_versions=has_versions, undecided=kept(connection, staged))
    if total == keys and not others:
        return found
    delivered = [column.name for column in staged.declaration.columns]
    # Parts of one whole have their line in common, and so have resources that one contains.
    own, and_key = ("row_line, row_key", f", {row_key} AS row_key") if row_key else ("row_line", "")
    content = (
        f"SELECT l.*, content FROM {rows} AS l JOIN (SELECT row_line{and_key}, {_content(delivered)} AS content "
        f"FROM {identifier(staged.rows)} AS r) USING ({own})"
    )
    _others(connection, others)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE rivals AS SELECT {key} AS k, row_extract, row_extract AS row_delivery, row_line, row_withdrawn, "
        f"{updated} AS {UPDATED}, {version} AS {VERSION}, content FROM ({content}) "
        f"SEMI JOIN ({_several(f'SELECT {key} AS k, row_line FROM {rows}', 'row_line')}) AS shared ON shared.k = {key}"
    )
    if count_of(connection, "SELECT count(*) FROM rivals") == 0:
        return found
    _judge(connection, ["k"], takes_back_surely=bool(staged.updated))
    [(superseded, identical, gone)] = connection.execute(
        "SELECT count(*) FILTER (NOT is_identical), count(*) FILTER (is_identical), count(*) FILTER (row_withdrawn) "
        "FROM judged WHERE gives_way"
    ).fetchall()
    return replace(
        found,
        superseded=superseded,
        identical=identical,
        withdrawn=withdrawn - gone,
        has_unique_keys=False,
        undecided=found.undecided or _undecided(connection, staged.declaration.key),
    )


def across_files(
    connection: duckdb.DuckDBPyConnection,
    paths: Mapping[int, Path],
    columns: Sequence[str],
    *,
    others: Sequence[str] = (),
) -> tuple[Mapping[int, Mapping[str, int]], UndecidedRows | None]:
    """How what became of rows of a table in their own file changes by other files of the delivery, and those of them that nothing but the files' order decides.

    Args:
        paths: number of extract -> landed file.
        columns: what tells rows of one key apart, of what landed.
        others: as of `in_file`.

    Returns:
        number of extract -> count -> by how much it changes; the sum is 0.
    """
    has = set(pq.read_schema(next(iter(paths.values()))).names)
    key = WHOLE if WHOLE in has else "row_key"
    updated, version = (name if name in has else "NULL::BIGINT" for name in (UPDATED, VERSION))
    rows = f"read_parquet([{', '.join(file(path) for path in paths.values())}], union_by_name = true)"
    _others(connection, others)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE rivals AS SELECT {key} AS k, row_extract, 0 AS row_delivery, row_line, row_withdrawn, {updated} AS {UPDATED}, "
        f"{version} AS {VERSION}, {_content(columns)} AS content, row_number() OVER () AS number FROM {rows} "
        f"SEMI JOIN ({_several(f'SELECT {key} AS k, row_extract FROM {rows}', 'row_extract')}) AS shared ON shared.k = {key}"
    )
    if count_of(connection, "SELECT count(*) FROM rivals") == 0:
        return {}, None
    # What gives way in its own file is counted so; which row counts hangs on all that there are, so both are asked.
    _judge(connection, ["k", "row_extract"], takes_back_surely=UPDATED in has)
    connection.execute("CREATE OR REPLACE TEMP TABLE judged_alone AS FROM judged")
    _judge(connection, ["k"], takes_back_surely=UPDATED in has)
    changes: defaultdict[int, Counter[str]] = defaultdict(Counter)
    fate = "CASE WHEN NOT {0}.gives_way THEN CASE WHEN {0}.row_withdrawn THEN 'withdrawn' ELSE 'landed' END WHEN {0}.is_identical THEN 'identical' ELSE 'superseded' END"
    for extract, before, after, number in connection.execute(
        f"SELECT judged.row_extract, {fate.format('judged_alone')}, {fate.format('judged')}, count(*) "
        "FROM judged JOIN judged_alone USING (number) GROUP BY ALL"
    ).fetchall():
        changes[extract][before] -= number
        changes[extract][after] += number
    connection.execute("DELETE FROM judged WHERE number IN (SELECT number FROM judged_alone WHERE gives_way)")
    undecided = _undecided(connection, ())
    return changes, replace(undecided, lines=()) if undecided else None


def changed(count: TableCount, by: Mapping[str, int]) -> TableCount:
    """A count as `across_files` changes it."""
    return replace(count, **{name: getattr(count, name) + number for name, number in by.items()})


def _content(columns: Sequence[str]) -> str:
    return f"hash({', '.join(map(identifier, columns))})" if columns else "0"


def _others(connection: duckdb.DuckDBPyConnection, queries: Sequence[str]) -> None:
    """``others``: rows besides those of a table that its rows may give way to."""
    nothing = (
        "SELECT NULL::BIGINT AS k, NULL::INTEGER AS row_extract, NULL::BIGINT AS row_line, NULL::BOOLEAN AS row_withdrawn, "
        f"NULL::BIGINT AS {UPDATED}, NULL::BIGINT AS {VERSION}, NULL::BOOLEAN AS {UNREAD} LIMIT 0"
    )
    every = " UNION ALL ".join(f"({query})" for query in [nothing, *queries])
    connection.execute(f"CREATE OR REPLACE TEMP TABLE others AS SELECT DISTINCT * FROM ({every})")


def _several(rows: str, place: str) -> str:
    """Query of the keys that have rows in several places, those of ``others`` among them."""
    return (
        f"SELECT k FROM ({rows} UNION ALL SELECT k, {place} FROM others) GROUP BY k HAVING min({place}) < max({place})"
    )


def _judge(connection: duckdb.DuckDBPyConnection, key: Sequence[str], *, takes_back_surely: bool) -> None:
    """``judged``: ``rivals`` with whether they give way to another, are equal to it, and give way for what the source says.

    Args:
        takes_back_surely: the format says by itself that a row takes back.
    """
    by = ", ".join(key)
    # A part that landed stands for its whole, also where that is in quarantine for what is not the part's.
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE rival_lines AS SELECT DISTINCT k, row_extract, row_delivery, row_line, row_withdrawn, {UPDATED}, "
        f"{VERSION}, false AS {UNREAD} FROM rivals; "
        f"INSERT INTO rival_lines SELECT k, row_extract, delivery, row_line, row_withdrawn, {UPDATED}, {VERSION}, {UNREAD} FROM others "
        "JOIN (SELECT k, first(row_delivery) AS delivery FROM rivals GROUP BY k) USING (k) "
        "ANTI JOIN rival_lines USING (k, row_extract, row_line); "
        f"CREATE OR REPLACE TEMP TABLE turns AS FROM ({in_turn_sql('rival_lines', key)})"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE judged AS WITH placed AS (SELECT rivals.*, {TURN} > 0 AS gives_way "
        "FROM rivals JOIN turns USING (k, row_extract, row_line)) "
        "SELECT placed.*, gives_way AND EXISTS (FROM placed AS other WHERE NOT other.gives_way AND other.content = placed.content "
        f"AND other.row_withdrawn = placed.row_withdrawn AND {' AND '.join(f'other.{each} = placed.{each}' for each in key)}) AS is_identical, "
        f"{_DECIDED.format(takes_back_surely=takes_back_surely)} AS is_decided "
        f"FROM placed JOIN (FROM turns WHERE {TURN} = 0) AS winner USING ({by})"
    )


def kept(connection: duckdb.DuckDBPyConnection, staged: StagedTable) -> UndecidedRows | None:
    """Rows that differ under one key that should be theirs alone, and all of which are kept."""
    if not staged.shared_key:
        return None
    rows, content = identifier(staged.rows), _content([column.name for column in staged.declaration.columns])
    key = ", ".join(map(identifier, staged.shared_key))
    shared = f"SELECT {key} FROM {rows} GROUP BY {key} HAVING count(DISTINCT {content}) > 1"
    [(number, keys, lines)] = connection.execute(
        f"SELECT count(*), count(DISTINCT ({key})), list(row_line ORDER BY row_line)[:?] FROM {rows} SEMI JOIN ({shared}) USING ({key})",
        [_LINES],
    ).fetchall()
    if not number:
        return None
    return UndecidedRows(rows=number, keys=keys, key=staged.shared_key, lines=tuple(lines), are_kept=True)


def _undecided(connection: duckdb.DuckDBPyConnection, key: tuple[str, ...]) -> UndecidedRows | None:
    [(rows, keys, lines)] = connection.execute(
        "SELECT count(*), count(DISTINCT k), list(DISTINCT row_line ORDER BY row_line)[:?] FROM judged "
        "WHERE k IN (SELECT k FROM judged WHERE gives_way AND NOT is_identical AND NOT is_decided)",
        [_LINES],
    ).fetchall()
    return UndecidedRows(rows=rows, keys=keys, key=key, lines=tuple(lines)) if rows else None
