"""The FHIR rules give the same rows on DuckDB and on Spark."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from fairhaven.engine import DuckDBEngine
from fairhaven.harmonise.fhir import fhir_rows
from tests.spec.test_harmonise_fhir import CASES
from tests.support import fhir_files


def _told(rows: Iterable[dict[str, Any]]) -> list[str]:
    return sorted(repr({name: str(value) for name, value in row.items()}) for row in rows)


def test_every_case_gives_equal_rows_on_sail(tmp_path: Path) -> None:
    pytest.importorskip("pysail", reason="Sail is not installed (pip install 'fairhaven[sail]')")
    from fairhaven.engine.session import sail
    from fairhaven.engine.spark import SparkEngine

    given = [one for case in CASES for one in (case.given if isinstance(case.given, list) else [case.given])]
    resources = [
        {"id": f"r{number}", **{name: value for name, value in one.items() if value is not None}}
        for number, one in enumerate(given)
    ]
    duckdb = DuckDBEngine(tmp_path / "spill", threads=1)
    on_duckdb = fhir_files.tables(duckdb, fhir_files.written(tmp_path, resources), tmp_path / "hub")
    (tmp_path / "spark").mkdir()
    spark = SparkEngine(sail(), tmp_path / "spark")
    on_spark = {name: spark.parquet([tmp_path / "hub" / "landed" / f"{name}.parquet"]) for name in on_duckdb}
    try:
        for one, other in zip(fhir_rows(on_duckdb), fhir_rows(on_spark), strict=True):
            assert _told(spark.fetch(other.rows).to_pylist()) == _told(duckdb.fetch(one.rows).to_pylist()), one.rule
    finally:
        spark.close()
        duckdb.close()
