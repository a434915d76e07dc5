"""The FHIR rules give the same rows on DuckDB and on Spark."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fairhaven.engine import Engine
from fairhaven.harmonise.fhir import fhir_rows
from tests.spec.test_harmonise_fhir import CASES
from tests.support import fhir_files


def _told(rows: Iterable[dict[str, Any]]) -> list[str]:
    return sorted(repr({name: str(value) for name, value in row.items()}) for row in rows)


def test_every_case_gives_equal_rows_on_every_engine(spark: Engine, reference: Engine, tmp_path: Path) -> None:
    given = [one for case in CASES for one in (case.given if isinstance(case.given, list) else [case.given])]
    resources = [
        {"id": f"r{number}", **{name: value for name, value in one.items() if value is not None}}
        for number, one in enumerate(given)
    ]
    on_duckdb = fhir_files.tables(reference, fhir_files.written(tmp_path, resources), tmp_path / "hub")
    on_spark = {name: spark.parquet([tmp_path / "hub" / "landed" / f"{name}.parquet"]) for name in on_duckdb}
    for one, other in zip(fhir_rows(on_duckdb), fhir_rows(on_spark), strict=True):
        assert _told(spark.fetch(other.rows).to_pylist()) == _told(reference.fetch(one.rows).to_pylist()), one.rule
