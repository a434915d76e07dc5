"""Open a CDM that somebody else made: a DuckDB file, or a folder (or zip) of Parquet or CSV files; CDM 5.3 or 5.4."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import ibis.expr.types as ir

from fairhaven.engine.damage import reading_foreign
from fairhaven.engine.duckdb import DuckDBEngine
from fairhaven.engine.sql import identifier
from fairhaven.kernel.errors import Fault, Invalid, check_faults
from fairhaven.kernel.files import readers_scratch
from fairhaven.omop.cdm import CDM, type_of
from fairhaven.omop.external_tables import StoredTable, find_tables

_TYPES = {"int64": "BIGINT", "float64": "DOUBLE", "date": "DATE", "timestamp": "TIMESTAMP"}
_NAMES = frozenset((*CDM, "attribute_definition", "cohort_attribute"))
"""Tables of CDM 5.4, and those that 5.3 had beside them."""


@dataclass(frozen=True, kw_only=True)
class OpenedCDM:
    """A CDM that can be read, and the engine that reads it.

    Args:
        tables: CDM name -> table with columns in lower case; a table that is not there is left out.
    """

    tables: Mapping[str, ir.Table]
    engine: DuckDBEngine


@contextmanager
def open_cdm(path: Path) -> Iterator[OpenedCDM]:
    """Open a CDM for reading; nothing of it is changed.

    Columns of CSV files get the CDM's types, dates as ISO or YYYYMMDD; a column with a value that does not fit is
    left as text, for the check of its type to find.

    Args:
        path: the DuckDB file, folder, or zip.

    Raises:
        Invalid: there is no CDM at *path*, or files cannot be read, all faults at once; or while it is read one turns out
            to be damaged.
    """
    with (
        ExitStack() as opened,
        readers_scratch() as folder,
        closing(DuckDBEngine(folder, reaches=[path, folder])) as engine,
        reading_foreign(str(path)),
    ):
        yield OpenedCDM(tables=_tables(path, folder, engine, opened), engine=engine)


def _tables(path: Path, folder: Path, engine: DuckDBEngine, opened: ExitStack) -> dict[str, ir.Table]:
    connection = engine.connection
    found = find_tables(connection, path, _NAMES, room=folder, opened=opened)
    if "person" not in found:
        raise Invalid(
            Fault(path=str(path), message=f"there is no PERSON table among the {len(found)} CDM tables found here")
        )
    tables: dict[str, ir.Table] = {}
    faults: list[Fault] = []
    for name, stored in found.items():
        view = f"cdm_{name}"
        try:
            with reading_foreign(stored.shown):
                if stored.is_text:
                    _keep_typed(connection, stored, view)
                    faults += stored.faults(connection)
                else:
                    connection.execute(f"CREATE TEMP VIEW {view} AS SELECT {_renamed(stored)} FROM {stored.relation}")
        except Invalid as damaged:
            # The last one: after some damage DuckDB answers nothing more, and what it says of the other tables is not of them.
            raise Invalid([*faults, *damaged.faults]) from None
        tables[name] = engine.backend.table(view)
    check_faults(faults)
    return tables


def _renamed(stored: StoredTable) -> str:
    return ", ".join(f"{identifier(column)} AS {identifier(name)}" for name, column in stored.columns.items())


def _keep_typed(connection: duckdb.DuckDBPyConnection, stored: StoredTable, name: str) -> None:
    """Read a delimited file once, then give each column its type where every value fits."""
    connection.execute(f"CREATE TEMP TABLE text_{name} AS SELECT {_renamed(stored)} FROM {stored.relation}")
    kinds = {column: _TYPES.get(type_of(stored.name, column), "VARCHAR") for column in stored.columns}
    typed = {column: _typed(column, kind) for column, kind in kinds.items()}
    tests = ", ".join(
        f"count(*) FILTER ({identifier(column)} IS NOT NULL AND ({value}) IS NULL) = 0"
        for column, value in typed.items()
    )
    fits = connection.execute(f"SELECT {tests} FROM text_{name}").fetchall()[0]
    columns = ", ".join(
        f"{value if is_fit else identifier(column)} AS {identifier(column)}"
        for (column, value), is_fit in zip(typed.items(), fits, strict=True)
    )
    connection.execute(f"CREATE TEMP TABLE {name} AS SELECT {columns} FROM text_{name}")
    connection.execute(f"DROP TABLE text_{name}")


def _typed(name: str, kind: str) -> str:
    column = identifier(name)
    match kind:
        case "DATE":
            return f"coalesce(try_strptime({column}, '%Y%m%d')::DATE, TRY_CAST({column} AS TIMESTAMP)::DATE)"
        case "TIMESTAMP":
            compact = f"try_strptime({column}, ['%Y%m%d', '%Y%m%d %H:%M:%S'])"
            return f"coalesce({compact}, TRY_CAST({column} AS TIMESTAMP))"
        case "BIGINT":
            # DuckDB rounds '1.5' to 2; only what is written as a whole number is one.
            is_whole = f"regexp_full_match({column}, '\\s*[+-]?\\d+(\\.0*)?\\s*')"
            return f"CASE WHEN {is_whole} THEN TRY_CAST({column} AS BIGINT) END"
        case _:
            return f"TRY_CAST({column} AS {kind})"
