"""The FHIR rules give the same rows on DuckDB and on Spark."""

from collections.abc import Iterable
from typing import Any

import pytest

from fairhaven.engine import Engine
from fairhaven.harmonise.fhir import fhir_rows
from tests.spec.test_harmonise_fhir import landed_cases


def _told(rows: Iterable[dict[str, Any]]) -> list[str]:
    return sorted(repr({name: str(value) for name, value in row.items()}) for row in rows)


def test_every_case_gives_equal_rows_on_every_engine(
    spark: Engine, reference: Engine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = landed_cases(tmp_path_factory)
    on_duckdb = {name: reference.parquet([path]) for name, path in files.items()}
    on_spark = {name: spark.parquet([path]) for name, path in files.items()}
    for one, other in zip(fhir_rows(on_duckdb), fhir_rows(on_spark), strict=True):
        assert _told(spark.fetch(other.rows).to_pylist()) == _told(reference.fetch(one.rows).to_pylist()), one.rule
