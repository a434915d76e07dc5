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
from fairhaven.engine.sql import file, identifier
from fairhaven.intake.model import TableCount
from fairhaven.intake.reader import StagedTable
from fairhaven.intake.row_versions import TURN, UPDATED, VERSION, WHOLE, in_turn_sql

_LINES = 5
_DECIDED = (
    f"(coalesce(placed.{UPDATED} <> winner.{UPDATED}, false) OR coalesce(placed.{VERSION} <> winner.{VERSION}, false) "
    "OR (winner.row_withdrawn AND {takes_back_surely}))"
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


def in_file(connection: duckdb.DuckDBPyConnection, staged: StagedTable, landed: Path) -> GivenWay:
    """Count the rows of a landed table that give way in its own file.

    Args:
        staged: what it was landed from: names and what else does not land tell rows apart, too.
    """
    rows = f"read_parquet({file(landed)})"
    key = WHOLE if staged.part_of else "row_key"
    updated = UPDATED if staged.updated else "NULL::BIGINT"
    version = VERSION if staged.version else "NULL::BIGINT"
    takes_back = "row_withdrawn" if staged.updated else "false"
    [(total, keys, withdrawn, has_versions)] = connection.execute(
        f"SELECT count({'DISTINCT row_line' if staged.part_of else '*'}), count(DISTINCT {key}), count(*) FILTER (row_withdrawn), "
        f"coalesce(bool_or({updated} IS NOT NULL OR {version} IS NOT NULL OR {takes_back}), false) FROM {rows}"
    ).fetchall()
    found = GivenWay(withdrawn=withdrawn, has_versions=has_versions, undecided=kept(connection, staged))
    if total == keys:
        return found
    delivered = [column.name for column in staged.declaration.columns]
    # Parts of one whole have their line in common.
    own = ", ".join(["row_line", *(identifier(each) for each in staged.declaration.key if staged.part_of)])
    content = (
        f"SELECT l.*, content FROM {rows} AS l JOIN (SELECT {own}, {_content(delivered)} AS content "
        f"FROM {identifier(staged.rows)}) USING ({own})"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE rivals AS SELECT {key} AS k, row_extract, row_extract AS row_delivery, row_line, row_withdrawn, "
        f"{updated} AS {UPDATED}, {version} AS {VERSION}, content FROM ({content}) "
        f"SEMI JOIN (SELECT {key} FROM {rows} GROUP BY {key} HAVING min(row_line) < max(row_line)) USING ({key})"
    )
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
    connection: duckdb.DuckDBPyConnection, paths: Mapping[int, Path], columns: Sequence[str]
) -> tuple[Mapping[int, Mapping[str, int]], UndecidedRows | None]:
    """Rows of a table that count in their own file and give way to another of the delivery, and those of them that nothing but the files' order decides.

    Args:
        paths: number of extract -> landed file.
        columns: what tells rows of one key apart, of what landed.

    Returns:
        number of extract -> count -> by how much it changes; the sum is 0.
    """
    has = set(pq.read_schema(next(iter(paths.values()))).names)
    key = WHOLE if WHOLE in has else "row_key"
    updated, version = (name if name in has else "NULL::BIGINT" for name in (UPDATED, VERSION))
    rows = f"read_parquet([{', '.join(file(path) for path in paths.values())}], union_by_name = true)"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE rivals AS SELECT {key} AS k, row_extract, 0 AS row_delivery, row_line, row_withdrawn, {updated} AS {UPDATED}, "
        f"{version} AS {VERSION}, {_content(columns)} AS content FROM {rows} "
        f"SEMI JOIN (SELECT {key} FROM {rows} GROUP BY {key} HAVING min(row_extract) < max(row_extract)) USING ({key})"
    )
    if count_of(connection, "SELECT count(*) FROM rivals") == 0:
        return {}, None
    # Of each file the row that counts there; what gives way in its own file is counted already.
    _judge(connection, ["k", "row_extract"], takes_back_surely=UPDATED in has)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE rivals AS SELECT * EXCLUDE (gives_way, is_identical, is_decided) FROM judged WHERE NOT gives_way"
    )
    _judge(connection, ["k"], takes_back_surely=UPDATED in has)
    changes: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for extract, was_withdrawn, is_identical, number in connection.execute(
        "SELECT row_extract, row_withdrawn, is_identical, count(*) FROM judged WHERE gives_way GROUP BY ALL"
    ).fetchall():
        changes[extract]["withdrawn" if was_withdrawn else "landed"] -= number
        changes[extract]["identical" if is_identical else "superseded"] += number
    undecided = _undecided(connection, ())
    return changes, replace(undecided, lines=()) if undecided else None


def changed(count: TableCount, by: Mapping[str, int]) -> TableCount:
    """A count as `across_files` changes it."""
    return replace(count, **{name: getattr(count, name) + number for name, number in by.items()})


def _content(columns: Sequence[str]) -> str:
    return f"hash({', '.join(map(identifier, columns))})" if columns else "0"


def _judge(connection: duckdb.DuckDBPyConnection, key: Sequence[str], *, takes_back_surely: bool) -> None:
    """``judged``: ``rivals`` with whether they give way to another, are equal to it, and give way for what the source says.

    Args:
        takes_back_surely: the format says by itself that a row takes back.
    """
    by = ", ".join(key)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE rival_lines AS SELECT DISTINCT k, row_extract, row_delivery, row_line, row_withdrawn, {UPDATED}, "
        f"{VERSION} FROM rivals; CREATE OR REPLACE TEMP TABLE turns AS FROM ({in_turn_sql('rival_lines', key)})"
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
