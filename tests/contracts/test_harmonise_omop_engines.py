"""A partner's CDM becomes the same rows on DuckDB and on Spark."""

from pathlib import Path

import pytest

from fairhaven.engine import DuckDBEngine, Engine
from tests.spec.test_harmonise_omop import made_of, tables


def _told(engine: Engine) -> dict[str, list[str]]:
    return {
        name: sorted(repr(row) for row in engine.fetch(table).to_pylist())
        for name, table in made_of(engine, tables()).tables.items()
    }


def test_every_case_gives_equal_rows_on_sail(tmp_path: Path) -> None:
    pytest.importorskip("pysail", reason="Sail is not installed (pip install 'fairhaven[sail]')")
    from fairhaven.engine.session import sail
    from fairhaven.engine.spark import SparkEngine

    (tmp_path / "spark").mkdir()
    duckdb, spark = DuckDBEngine(tmp_path / "spill", threads=1), SparkEngine(sail(), tmp_path / "spark")
    try:
        assert _told(spark) == _told(duckdb)
    finally:
        spark.close()
        duckdb.close()
