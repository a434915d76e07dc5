"""Random definitions over random CDMs: the compiler finds whom the plain evaluation finds, however they are run."""

from random import Random

import pytest
from hypothesis import given

from fairhaven.cohort.model import CohortDefinition
from fairhaven.engine import DuckDBEngine
from tests.support.cohort_oracle import Oracle
from tests.support.cohort_results import attritions, differing, on, stays
from tests.support.cohort_strategies import cdm, cdms, cohort_definitions, definitions
from tests.support.examples import examples

Tables = dict[str, list[dict[str, object]]]


def batch(seed: int, number: int) -> dict[int, CohortDefinition]:
    return dict(enumerate(definitions(Random(seed), number), start=1))


def test_a_batch_finds_whom_the_oracle_finds(engine: DuckDBEngine) -> None:
    tables, asked = cdm(Random(1), persons=20), batch(1, 40)
    found = stays(engine, on(engine, tables), asked)
    assert not differing(found, Oracle(tables), asked)
    assert sum(map(bool, found.values())) > len(asked) / 3, "most cohorts are empty: the trial says little"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 130))
def test_many_batches_find_whom_the_oracle_finds(seed: int, engine: DuckDBEngine) -> None:
    tables, asked = cdm(Random(seed)), batch(seed, 200)
    assert not differing(stays(engine, on(engine, tables), asked), Oracle(tables), asked)


@given(tables=cdms, definition=cohort_definitions)
@examples(3)
def test_one_definition_finds_whom_the_oracle_finds(tables: Tables, definition: CohortDefinition) -> None:
    opened = DuckDBEngine()
    try:
        found = stays(opened, on(opened, tables), {1: definition})
    finally:
        opened.close()
    assert found[1] == Oracle(tables).stays(definition)


def test_the_rules_leave_what_the_oracle_says(engine: DuckDBEngine) -> None:
    tables, asked = cdm(Random(11)), batch(11, 14)
    oracle = Oracle(tables)
    found = attritions(engine, on(engine, tables), asked)
    assert {number: found[number] for number in asked} == {
        number: oracle.attrition(each) for number, each in asked.items()
    }


def test_a_definition_finds_the_same_alone_and_among_others(engine: DuckDBEngine) -> None:
    tables, asked = on(engine, cdm(Random(21))), batch(21, 8)
    together = stays(engine, tables, asked)
    backwards = stays(engine, tables, dict(reversed(asked.items())))
    assert backwards == together
    for number in list(asked)[::4]:
        assert stays(engine, tables, {number: asked[number]})[number] == together[number], asked[number]


def test_the_order_of_rows_does_not_matter(engine: DuckDBEngine) -> None:
    tables, asked = cdm(Random(31)), batch(31, 8)
    shuffled = {name: Random(32).sample(rows, len(rows)) for name, rows in tables.items()}
    assert stays(engine, on(engine, shuffled), asked) == stays(engine, on(engine, tables), asked)
