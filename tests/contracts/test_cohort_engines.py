"""Every engine finds the same cohorts, and the same as the plain evaluation of the language."""

import datetime as dt
import json
from random import Random

import pyarrow as pa
import pytest

from fairhaven.cohort.model import CohortDefinition, DateField, DateOffset, Domain, EntryEvents, Events, Limit
from fairhaven.cohort.service import Cohorts
from fairhaven.engine import DuckDBEngine, Engine
from tests.support.cohort_cases import case_of, entering_by, run
from tests.support.cohort_oracle import Oracle
from tests.support.cohort_results import attritions, differing, on, stays
from tests.support.cohort_strategies import cdm, definitions


@pytest.mark.parametrize("many", [10, pytest.param(40, marks=pytest.mark.slow)])
def test_a_batch_finds_whom_the_oracle_finds(engine: Engine, many: int) -> None:
    tables, asked = cdm(Random(41)), dict(enumerate(definitions(Random(41), many), start=1))
    found = stays(engine, on(engine, tables), asked)
    assert not differing(found, Oracle(tables), asked)


@pytest.mark.parametrize("many", [4, pytest.param(16, marks=pytest.mark.slow)])
def test_the_rules_leave_what_the_oracle_says(engine: Engine, many: int) -> None:
    tables, asked = cdm(Random(42)), dict(enumerate(definitions(Random(42), many), start=1))
    oracle = Oracle(tables)
    assert attritions(engine, on(engine, tables), asked) == {
        number: oracle.attrition(each) for number, each in asked.items()
    }


def test_rows_are_those_of_the_table_cohort(engine: Engine) -> None:
    tables = on(engine, cdm(Random(43), persons=20))
    entry = EntryEvents(events=(Events(domain=Domain.CONDITION_OCCURRENCE),))
    for batch in Cohorts(engine, tables).run({7: CohortDefinition(entry=entry)}):
        rows = batch.fetch()
        assert rows.column_names == ["cohort_definition_id", "subject_id", "cohort_start_date", "cohort_end_date"]
        assert rows.schema.types == [pa.int64(), pa.int64(), pa.date32(), pa.date32()]
        assert rows.num_rows > 5 and set(rows["cohort_definition_id"].to_pylist()) == {7}


def test_who_need_not_be_observed_stays_until_the_end_of_the_calendar(engine: Engine) -> None:
    people = CohortDefinition(entry=EntryEvents(events=(Events(domain=Domain.PERSON),), observed=False), gap_days=30)
    tables = {"person": [{"person_id": 1, "year_of_birth": 1970}], "observation_period": []}
    assert stays(engine, on(engine, tables), {1: people})[1] == [(1, dt.date(1970, 1, 1), dt.date.max)]


def test_patterns_match_the_same_texts(engine: Engine) -> None:
    """Spark's LIKE takes a backslash for an escape, and the language does not."""
    rows = r"condition 1 5 stop_reason=a\b, condition 1 8 stop_reason=ab, condition 1 11 stop_reason=a_b"
    said = {"a\\b": "5-5", "a\\_%": "5-5", "%\\": "", "a_b": "5-5, 11-11", "%b": "5-5, 8-8, 11-11"}
    cases = [
        case_of(
            pattern,
            rows,
            expected,
            exit="start_date",
            entry=entering_by({"condition_occurrence": "one", "where": [f"stop_reason like {json.dumps(pattern)}"]}),
        )
        for pattern, expected in said.items()
    ]
    found = run(cases, engine)
    for case in cases:
        expected, by_oracle, compiled = found.of(cases, case)
        assert compiled == by_oracle == expected, case


def test_events_of_one_day_and_one_id_come_in_the_order_of_the_entry(engine: DuckDBEngine) -> None:
    """Keys begin at 1 in each table, so this is common; what else is in the batch must not decide it."""
    day = dt.date(2020, 1, 5)
    period = {
        "observation_period_id": 1,
        "person_id": 1,
        "observation_period_start_date": dt.date(2020, 1, 1),
        "observation_period_end_date": dt.date(2020, 1, 30),
    }
    condition = {"condition_occurrence_id": 1, "person_id": 1, "condition_start_date": day, "condition_end_date": day}
    drug = {
        "drug_exposure_id": 1,
        "person_id": 1,
        "drug_exposure_start_date": day,
        "drug_exposure_end_date": dt.date(2020, 1, 20),
    }
    tables: dict[str, list[dict[str, object]]] = {
        "person": [{"person_id": 1, "year_of_birth": 1970}],
        "observation_period": [period],
        "condition_occurrence": [condition],
        "drug_exposure": [drug],
    }
    conditions, drugs = Events(domain=Domain.CONDITION_OCCURRENCE), Events(domain=Domain.DRUG_EXPOSURE)
    leave = DateOffset(date=DateField.END)
    asked = {
        number: CohortDefinition(entry=EntryEvents(events=events, limit=Limit.FIRST), exit=leave)
        for number, events in enumerate([(drugs,), (conditions, drugs), (drugs, conditions)], start=1)
    }
    found = stays(engine, on(engine, tables), asked)
    assert [found[number][0][2] for number in (1, 2, 3)] == [dt.date(2020, 1, 20), day, dt.date(2020, 1, 20)]
