"""The reference's own SQL for a cohort definition, run on DuckDB over rows: a second oracle.

duckcdm (Apache-2.0) writes the SQL that OHDSI's Circe and SqlRender write, character for character.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from fairhaven.omop import CDM

Tables = Mapping[str, Sequence[Mapping[str, Any]]]


def arrow_table(name: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as the CDM's table: all its columns, those that rows lack NULL."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=CDM[name].schema_of().to_pyarrow())


class Reference:
    """A database with the rows; skips the test where duckcdm is not installed."""

    def __init__(self, tables: Tables) -> None:
        pytest.importorskip("duckcdm", reason="duckcdm, which writes the reference's SQL, is not installed")
        self._connection = duckdb.connect()
        # On one thread what the reference leaves to chance is the same in each run.
        self._connection.execute("SET threads = 1")
        for name, rows in tables.items():
            self._connection.register("rows", arrow_table(name, rows))
            self._connection.execute(f'CREATE TABLE "{name}" AS FROM rows')
            self._connection.unregister("rows")
        self._connection.execute(
            "CREATE TABLE found (cohort_definition_id BIGINT, subject_id BIGINT, cohort_start_date DATE, cohort_end_date DATE)"
        )

    def stays(self, circe: Mapping[str, Any]) -> list[tuple[int, dt.date, dt.date]]:
        """Person, first day and last day of each row of the cohort, in order."""
        from duckcdm.circe import build_cohort_query
        from duckcdm.sqlrender import render, translate

        asked = build_cohort_query(
            dict(circe), cdm_schema="main", vocabulary_schema="main", target_table="main.found", cohort_id=1
        )
        self._connection.execute(translate(render(asked), "duckdb", session_id="abcdefgh"))
        rows = self._connection.execute("SELECT * EXCLUDE (cohort_definition_id) FROM found ORDER BY ALL")
        return [tuple(row) for row in rows.fetchall()]

    def close(self) -> None:
        """Give back the memory."""
        self._connection.close()
