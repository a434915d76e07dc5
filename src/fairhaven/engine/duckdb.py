"""The embedded engine: DuckDB in this process, with a ceiling on memory and room to spill."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from fairhaven.engine.model import is_stored

MEMORY_LIMIT = "1200MB"


class DuckDBEngine:
    """DuckDB through Ibis.

    Args:
        scratch: folder for spilled blocks; a private one is made where none is given.
        memory_limit: DuckDB's ceiling; kept well under 2 GB because the process needs room beside it.
        threads: worker threads; None leaves it to DuckDB.
    """

    name = "duckdb"

    def __init__(
        self, scratch: Path | None = None, *, memory_limit: str = MEMORY_LIMIT, threads: int | None = None
    ) -> None:
        self._own_scratch = tempfile.TemporaryDirectory(prefix="fairhaven-") if scratch is None else None
        folder = scratch if scratch is not None else Path(self._own_scratch.name)  # type: ignore[union-attr]
        folder.mkdir(parents=True, exist_ok=True)
        settings: dict[str, Any] = {
            "memory_limit": memory_limit,
            "temp_directory": str(folder / "spill"),
            # Row order is never relied on; keeping it would hold whole results in memory.
            "preserve_insertion_order": False,
        }
        if threads is not None:
            settings["threads"] = threads
        self.backend = ibis.duckdb.connect(**settings)
        self.connection = self.backend.con
        self._kept = 0

    def parquet(self, files: Sequence[Path]) -> ir.Table:
        """See `Engine.parquet`."""
        if not files:
            raise ValueError("no files to read")
        return self.backend.read_parquet([str(file) for file in files])

    def arrow(self, table: pa.Table) -> ir.Table:
        """See `Engine.arrow`."""
        name = self._name()
        self.connection.register("arriving", table)
        self.connection.execute(f"CREATE TEMP TABLE {name} AS FROM arriving")
        self.connection.unregister("arriving")
        return self.backend.table(name)

    def keep(self, expression: ir.Table) -> ir.Table:
        """See `Engine.keep`."""
        name = self._name()
        self.connection.execute(f"CREATE TEMP TABLE {name} AS {self.backend.compile(expression)}")
        return self.backend.table(name)

    def drop(self, table: ir.Table) -> None:
        """See `Engine.drop`."""
        self.backend.drop_table(table.get_name())

    def count(self, expression: ir.Table) -> int:
        """See `Engine.count`."""
        return int(expression.count().execute())

    def fetch(self, expression: ir.Table) -> pa.Table:
        """See `Engine.fetch`."""
        return self.backend.to_pyarrow(expression)

    def write(
        self, expression: ir.Table, folder: Path, *, order_by: Sequence[str] = (), buckets: int = 1, bucket_by: str = ""
    ) -> Mapping[int, Path]:
        """See `Engine.write`."""
        folder.mkdir(parents=True, exist_ok=True)
        kept = expression if buckets == 1 or is_stored(expression) else self.keep(expression)
        written: dict[int, Path] = {}
        for bucket in range(buckets):
            part = kept
            if buckets > 1:
                part = kept.filter((kept[bucket_by].fill_null(0) % buckets) == bucket)
            if order_by:
                part = part.order_by(list(order_by))
            file = folder / f"bucket-{bucket:03d}.parquet"
            rows = self.connection.execute(
                f"COPY ({self.backend.compile(part)}) TO '{_quoted(file)}' (FORMAT parquet, COMPRESSION zstd)"
            ).fetchone()[0]
            if rows:
                written[bucket] = file
            else:
                file.unlink()
        if kept is not expression:
            self.drop(kept)
        return written

    def close(self) -> None:
        """See `Engine.close`."""
        self.backend.disconnect()
        if self._own_scratch is not None:
            self._own_scratch.cleanup()

    def _name(self) -> str:
        self._kept += 1
        return f"kept_{self._kept}"


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
