"""The embedded engine: DuckDB in this process, with a ceiling on memory and room to spill."""

import gc
import itertools
import shutil
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa
from ibis.formats.pyarrow import PyArrowData

from fairhaven.engine import sql
from fairhaven.engine.duckdb_connection import count_of, open_duckdb, write_parquet
from fairhaven.engine.model import kept_schema
from fairhaven.kernel.files import readers_scratch

_MEMORY_LIMIT = "1200MB"
"""DuckDB's ceiling: well under 2 GB, because the process needs room beside it."""

_BUCKET = "fairhaven_bucket"


@cache
def _locked_backend() -> Any:
    """Ibis on a connection that is locked: what it would set (UTC, no Python variables as tables) is set when it is opened."""
    # With it come the dialects of a dozen databases, a quarter of the CPU of a command that opens no engine.
    from ibis.backends.duckdb import Backend

    class LockedBackend(Backend):  # type: ignore[misc]
        def _post_connect(self, extensions: Sequence[str] | None = None) -> None:  # noqa: ARG002 - of Ibis
            self._record_batch_readers_consumed: dict[str, bool] = {}

    return LockedBackend


class DuckDBEngine:
    """DuckDB through Ibis.

    Args:
        scratch: folder for spilled blocks; a temporary one is made where none is given.
        reaches: what it reads and writes; see `open_duckdb`.
        threads: worker threads; None leaves it to DuckDB.
    """

    name = "duckdb"

    def __init__(
        self, scratch: Path | None = None, *, reaches: Collection[Path] = (), threads: int | None = None
    ) -> None:
        self._opened = ExitStack()
        spill = scratch or self._opened.enter_context(readers_scratch())
        self.connection = self._opened.enter_context(
            open_duckdb(spill=spill, reaches=reaches, memory_limit=_MEMORY_LIMIT, threads=threads, time_zone="UTC")
        )
        self.backend = _locked_backend().from_connection(self.connection)
        # Merging nested selects is work that DuckDB's optimiser does anyway, and Ibis takes seconds for it in a large query.
        ibis.options.sql.fuse_selects = False
        # Ibis makes small objects by the hundred thousand, nearly all of which are freed by their counts; at Python's own
        # threshold of 700 looking for cycles among them was a tenth of the CPU of a small build, for 10 MB of memory.
        gc.set_threshold(50_000, 20, 20)
        self._names = map("kept_{}".format, itertools.count(1))
        self._files: dict[tuple[Path, ...], ir.Table] = {}

    def parquet(self, files: Sequence[Path]) -> ir.Table:
        """See `Engine.parquet`."""
        if not files:
            raise ValueError("no files to read")
        # Finding out the columns of a file costs more than reading many a file.
        if (named := tuple(files)) not in self._files:
            self._files[named] = self.backend.read_parquet([sql.plain(file) for file in files])
        return self._files[named]

    def arrow(self, table: pa.Table) -> ir.Table:
        """See `Engine.arrow`."""
        name = next(self._names)
        self.connection.register("arriving", table)
        self.connection.execute(f"CREATE TEMP TABLE {name} AS FROM arriving")
        self.connection.unregister("arriving")
        return self.backend.table(name)

    def keep(self, expression: ir.Table, *more: ir.Table) -> ir.Table:
        """See `Engine.keep`."""
        name, schema = next(self._names), kept_schema(expression)
        # Its columns are declared: left to itself DuckDB keeps a small whole number in a narrower type than Ibis counts on.
        types = {column: self.backend.compiler.type_mapper.to_string(dtype) for column, dtype in schema.items()}
        columns = ", ".join(f"{sql.identifier(column)} {dtype}" for column, dtype in types.items())
        self.connection.execute(f"CREATE TEMP TABLE {name} ({columns})")
        for part in (expression, *more):
            self.connection.execute(f"INSERT INTO {name} BY NAME {self.backend.compile(part)}")
        return ops.DatabaseTable(name, schema=schema, source=self.backend, namespace=ops.Namespace()).to_expr()

    def drop(self, table: ir.Table) -> None:
        """See `Engine.drop`."""
        self.backend.drop_table(table.get_name())

    def count(self, expression: ir.Table) -> int:
        """See `Engine.count`."""
        # As text: for a table that is there, Ibis takes a hundred times as long to ask as DuckDB to answer.
        operation = expression.op()
        is_named = isinstance(operation, ops.DatabaseTable)
        rows = sql.identifier(operation.name) if is_named else f"({self.backend.compile(expression)})"
        return count_of(self.connection, f"SELECT count(*) FROM {rows}")

    def fetch(self, expression: ir.Table) -> pa.Table:
        """See `Engine.fetch`."""
        # Not through Ibis, which goes through the expression four times in search of what it would have to register, and
        # loads pandas, which takes longer than many a query.
        found = self.connection.sql(self.backend.compile(expression)).to_arrow_table()
        return PyArrowData.convert_table(found, kept_schema(expression))

    def write(
        self, expression: ir.Table, folder: Path, *, order_by: Sequence[str] = (), buckets: int = 1, bucket_by: str = ""
    ) -> Mapping[int, Path]:
        """See `Engine.write`."""
        folder.mkdir(parents=True, exist_ok=True)
        if buckets == 1:
            file = _file(folder, 0)
            return {0: file} if self._copy(self.backend.compile(expression), file, order_by) else {}
        # Rows are dealt out in one pass and sorted bucket by bucket: reading them once for each bucket took three times
        # the CPU at 10 million rows, and sorting them as a whole would not stay in order.
        parts = folder / ".parts"
        number = (expression[bucket_by].fill_null(0) % buckets).cast("int32")
        dealt = self.backend.compile(expression.mutate(**{_BUCKET: number}))
        self.connection.execute(f"COPY ({dealt}) TO {sql.literal(parts)} (FORMAT parquet, PARTITION_BY ({_BUCKET}))")
        written = {}
        for bucket in range(buckets):
            if (part := parts / f"{_BUCKET}={bucket}").exists():
                written[bucket] = _file(folder, bucket)
                rows = f"FROM read_parquet({sql.literal(sql.plain(part) + '/*.parquet')}, hive_partitioning => false)"
                self._copy(rows, written[bucket], order_by)
                shutil.rmtree(part)
        shutil.rmtree(parts, ignore_errors=True)
        return written

    def close(self) -> None:
        """See `Engine.close`."""
        self._opened.close()

    def _copy(self, query: str, file: Path, order_by: Sequence[str]) -> int:
        """Write a query's rows; no file where there is none."""
        columns = ", ".join(map(sql.identifier, order_by))
        order = f" ORDER BY {columns}" if columns else ""
        rows = write_parquet(self.connection, f"FROM ({query}){order}", file)
        if not rows:
            file.unlink()
        return rows


def _file(folder: Path, bucket: int) -> Path:
    return folder / f"bucket-{bucket:03d}.parquet"
