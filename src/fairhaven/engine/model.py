"""What every engine can do. Rooms depend on this, never on a concrete engine."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa


class Engine(Protocol):
    """Runs Ibis expressions and reads and writes Parquet.

    The same expression gives the same rows on each engine; `tests/contracts` holds every engine to that.
    """

    name: str

    def parquet(self, files: Sequence[Path]) -> ir.Table:
        """A table over Parquet files that share one schema. Raises ValueError when *files* is empty."""

    def arrow(self, table: pa.Table) -> ir.Table:
        """A small in-memory table (reference data, maps)."""

    def keep(self, expression: ir.Table, *more: ir.Table) -> ir.Table:
        """Run an expression once and keep its rows, in the types of `kept_schema`, for later expressions (spilled to disk
        where they are many).

        Args:
            more: expressions of the same columns, whose rows are kept in the same table. Where many are joined each, one after
                another needs the memory of the largest, and their union that of all.
        """

    def drop(self, table: ir.Table) -> None:
        """Give back the space of a kept table."""

    def count(self, expression: ir.Table) -> int:
        """Number of rows."""

    def fetch(self, expression: ir.Table) -> pa.Table:
        """Rows of a small result."""

    def write(
        self, expression: ir.Table, folder: Path, *, order_by: Sequence[str] = (), buckets: int = 1, bucket_by: str = ""
    ) -> Mapping[int, Path]:
        """Write rows as zstd Parquet, one file for each bucket that has rows.

        Args:
            folder: made if it is not there; the files are ``bucket-000.parquet`` and so on.
            order_by: sort order inside a file.
            buckets: how many; a row goes to ``bucket_by % buckets``.
            bucket_by: a non-negative whole-number column; rows without it go to bucket 0.

        Returns:
            bucket number -> file.
        """

    def close(self) -> None:
        """Give back memory and scratch files."""


def is_stored(expression: ir.Table) -> bool:
    """True for rows that are already kept or in files: reading them again runs nothing again."""
    return isinstance(expression.op(), ops.PhysicalTable)


def kept_schema(expression: ir.Table) -> ibis.Schema:
    """What an expression's rows are kept as: in the types that Ibis says, a column of nothing but absent values as int32."""
    schema = expression.schema()
    return ibis.schema({name: "int32" if dtype.is_null() else dtype for name, dtype in schema.items()})
