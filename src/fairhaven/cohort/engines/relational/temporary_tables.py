"""What a run keeps between passes: tables by name, all given back at its end."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

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


class TemporaryTables(ExitStack):
    """An engine, and the tables that one run has made on it."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.engine = engine

    def keep(self, expression: ir.Table) -> ir.Table:
        """Run an expression once."""
        return self._until_the_end(self.engine.keep(expression))

    def parameters(self, rows: Sequence[Mapping[str, Any]], schema: Mapping[str, str]) -> ir.Table:
        """Numbers of the definitions as a table.

        Args:
            rows: one mapping a row; a name that is missing is NULL.
            schema: column -> ``whole``, ``double``, ``flag`` or ``text``.
        """
        columns = {name: pa.array([row.get(name) for row in rows], TYPES[kind]) for name, kind in schema.items()}
        return self._until_the_end(self.engine.arrow(pa.table(columns)))

    def _until_the_end(self, table: ir.Table) -> ir.Table:
        self.callback(self.engine.drop, table)
        return table


def union_all(tables: Iterable[ir.Table]) -> ir.Table:
    """All rows of tables with the same columns."""
    first, *others = tables
    return ibis.union(first, *others) if others else first
