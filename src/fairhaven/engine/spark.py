"""Spark as the engine, through Spark's own interface: the same for Sail, a cluster's Spark Connect, or PySpark here.

Rows that are kept lie in Parquet files in the scratch folder: nothing is computed twice, and memory stays free. The
folder, and the folders of the release, must be the same for the server and for this process.
"""

import itertools
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot.expressions as sge
from ibis.backends.sql.compilers.pyspark import PySparkCompiler
from ibis.backends.sql.dialects import PySpark

from fairhaven.engine.model import kept_schema
from fairhaven.engine.patterns import written_out
from fairhaven.engine.spark_session import Session
from fairhaven.kernel.listing import listed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_BUCKET = "fairhaven_bucket"
_GROUP = re.compile(r"\\([0-9])")
_NOT_IN_SPARK = frozenset("\a\v\f")
"""Characters that sqlglot writes as ``\\a``, ``\\v``, ``\\f``, which Spark reads as the letters a, v and f: `strip()`, which
takes away white space, took the f off a code that ends in one."""


class SparkEngine:
    """Spark through Ibis.

    Args:
        session: an open session (see `spark_session`); the engine closes it.
        scratch: folder for kept rows.
    """

    name = "spark"

    def __init__(self, session: Session, scratch: Path) -> None:
        _mend_literals()
        self._session = session
        self._scratch = scratch
        self.backend = ibis.pyspark.connect(session.spark)
        self.backend.compiler = _Compiler(session.edge)
        self._names = map("kept_{}".format, itertools.count(1))

    def parquet(self, files: Sequence[Path]) -> ir.Table:
        """See `Engine.parquet`."""
        if not files:
            raise ValueError("no files to read")
        return self._view(next(self._names), files)

    def arrow(self, table: pa.Table) -> ir.Table:
        """See `Engine.arrow`."""
        name = next(self._names)
        file = self._scratch / name / "rows.parquet"
        file.parent.mkdir(parents=True)
        pq.write_table(_typed(table), file)
        return self._view(name, [file])

    def keep(self, expression: ir.Table, *more: ir.Table) -> ir.Table:
        """See `Engine.keep`."""
        name = next(self._names)
        folder = self._scratch / name
        schema = kept_schema(expression)
        # Spark's types are often narrower or wider than what Ibis says, and counts on.
        types = {name: self.backend.compiler.type_mapper.to_string(dtype) for name, dtype in schema.items()}
        typed = [f"CAST(`{name}` AS {dtype}) AS `{name}`" for name, dtype in types.items()]
        for part in (expression, *more):
            self._frame(part).selectExpr(*typed).write.mode("append").parquet(str(folder))
        files = listed(folder, "*.parquet")
        if not files:  # Sail writes no file where there is no row, and a table needs one for its columns.
            return self.arrow(schema.to_pyarrow().empty_table())
        return self._view(name, files)

    def drop(self, table: ir.Table) -> None:
        """See `Engine.drop`."""
        self._session.spark.catalog.dropTempView(table.get_name())
        shutil.rmtree(self._scratch / table.get_name(), ignore_errors=True)

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
        from pyspark.sql import functions as f  # Spark is loaded where it is used.

        number = f.pmod(f.coalesce(f.col(bucket_by), f.lit(0)), f.lit(buckets)) if buckets > 1 else f.lit(0)
        order = [f.col(name).asc_nulls_last() for name in (_BUCKET, *order_by)]
        staging = folder / ".spark"
        (
            self._frame(expression)
            .withColumn(_BUCKET, number.cast("int"))
            .repartition(buckets, _BUCKET)
            .sortWithinPartitions(*order)
            .write.option("compression", "zstd")
            .partitionBy(_BUCKET)
            .parquet(str(staging))
        )
        folder.mkdir(parents=True, exist_ok=True)
        written = {}
        for bucket in range(buckets):
            parts = listed(staging / f"{_BUCKET}={bucket}", "*.parquet")
            if len(parts) > 1:
                raise RuntimeError(f"Spark wrote {len(parts)} files for one bucket")
            if parts and pq.read_metadata(parts[0]).num_rows:
                written[bucket] = parts[0].rename(folder / f"bucket-{bucket:03d}.parquet")
        shutil.rmtree(staging, ignore_errors=True)  # Sail makes no folder where there is no row.
        return written

    def close(self) -> None:
        """See `Engine.close`."""
        self._session.close()
        for folder in listed(self._scratch, "kept_*"):
            shutil.rmtree(folder, ignore_errors=True)

    def _frame(self, expression: ir.Table) -> "DataFrame":
        return self._session.spark.sql(self.backend.compile(expression))

    def _view(self, name: str, files: Sequence[Path]) -> ir.Table:
        frame: Any = self._session.spark.read.parquet(*(str(file) for file in files))
        frame.createOrReplaceTempView(name)
        return self.backend.table(name)


class _Compiler(PySparkCompiler):  # type: ignore[misc]  # Ibis is not typed there
    """Writes patterns so that they mean what they mean to RE2, DuckDB's engine of patterns."""

    __slots__ = ("_edge",)

    def __init__(self, edge: str) -> None:
        super().__init__()
        self._edge = edge

    def visit_RegexSearch(self, op: ops.RegexSearch, *, arg: Any, **_: Any) -> Any:  # noqa: N802
        """Whether the pattern is found."""
        return self.f.regexp_like(arg, self._written_out(op.pattern))

    def visit_RegexExtract(  # noqa: N802
        self, op: ops.RegexExtract, *, arg: Any, index: Any, **_: Any
    ) -> Any:
        """What a group of it caught."""
        return self.f.regexp_extract(arg, self._written_out(op.pattern), index)

    def visit_RegexReplace(  # noqa: N802
        self, op: ops.RegexReplace, *, arg: Any, replacement: Any, **_: Any
    ) -> Any:
        """The text with something else in its place."""
        written = op.replacement.value if isinstance(op.replacement, ops.Literal) else ""
        if _GROUP.search(written):  # RE2 writes a group as \1, Java and Rust as $1.
            replacement = sge.convert(_GROUP.sub(r"$\1", written))
        return self.f.regexp_replace(arg, self._written_out(op.pattern), replacement)

    def _written_out(self, pattern: ops.Value) -> Any:
        if not isinstance(pattern, ops.Literal):
            raise TypeError("a pattern is written in the program or the mapping, and does not come from a column")
        return sge.convert(written_out(pattern.value, edge=self._edge))


def _mend_literals() -> None:
    PySpark.ESCAPED_SEQUENCES = {
        plain: escaped for plain, escaped in PySpark.ESCAPED_SEQUENCES.items() if plain not in _NOT_IN_SPARK
    }


def _typed(table: pa.Table) -> pa.Table:
    """A column of nothing but absent values has a type, the one that DuckDB gives it."""
    fields = [field.with_type(pa.int32()) if pa.types.is_null(field.type) else field for field in table.schema]
    return table.cast(pa.schema(fields))
