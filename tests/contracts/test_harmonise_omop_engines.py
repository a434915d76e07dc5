"""A partner's CDM becomes the same rows on DuckDB and on Spark."""

from fairhaven.engine import Engine
from tests.spec.test_harmonise_omop import made_of, tables


def _told(engine: Engine) -> dict[str, list[str]]:
    return {
        name: sorted(repr(row) for row in engine.fetch(table).to_pylist())
        for name, table in made_of(engine, tables()).tables.items()
    }


def test_every_case_gives_equal_rows_on_every_engine(spark: Engine, reference: Engine) -> None:
    assert _told(spark) == _told(reference)
