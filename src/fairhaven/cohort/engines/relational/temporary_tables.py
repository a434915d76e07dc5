"""What a run keeps between passes: tables by name, all given back at its end."""

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from fairhaven.engine import Engine

TYPES: Mapping[str, pa.DataType] = {
    "double": pa.float64(),
    "whole": pa.int64(),
    "flag": pa.bool_(),
    "text": pa.string(),
}


class TemporaryTables:
    """An engine, and the tables that one run has made on it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._tables: list[ir.Table] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for table in self._tables:
            self.engine.drop(table)

    def keep(self, expression: ir.Table) -> ir.Table:
        """Run an expression once."""
        table = self.engine.keep(expression)
        self._tables.append(table)
        return table

    def give_back(self, table: ir.Table) -> None:
        """Drop a table before the end of the run."""
        self._tables = [each for each in self._tables if each is not table]
        self.engine.drop(table)

    def parameters(self, rows: Sequence[Mapping[str, Any]], schema: Mapping[str, str]) -> ir.Table:
        """Numbers of the definitions as a table.

        Args:
            rows: one mapping a row; a name that is missing is NULL.
            schema: column -> ``whole``, ``double``, ``flag`` or ``text``.
        """
        columns = {name: pa.array([row.get(name) for row in rows], TYPES[kind]) for name, kind in schema.items()}
        table = self.engine.arrow(pa.table(columns))
        self._tables.append(table)
        return table


def union_all(tables: Iterable[ir.Table]) -> ir.Table:
    """All rows of tables with the same columns."""
    first, *others = tables
    return ibis.union(first, *others) if others else first
