"""What a CDM that somebody else keeps must have for a definition: looked for before anything runs, and read as it is meant."""

import ibis.expr.types as ir
import pyarrow as pa
import pytest

from fairhaven.cohort.formats.fairhaven import read_json
from fairhaven.cohort.model import CohortDefinition
from fairhaven.cohort.service import Cohorts
from fairhaven.engine import Engine
from fairhaven.kernel.errors import Refused

ASTHMA = read_json(
    {
        "concept_sets": {"asthma": {"concepts": ["317009 descendants"]}},
        "entry": {"events": [{"condition_occurrence": "asthma", "where": ["gender_concept_id in 8532", "age >= 18"]}]},
    }
)
TABLES: dict[str, dict[str, list[object]]] = {
    "person": {
        "person_id": ["1", "2", "3"],
        "gender_concept_id": ["8532", "8532", "8507"],
        "race_concept_id": ["0", "", None],
        "ethnicity_concept_id": ["0", "0", "0"],
        "year_of_birth": ["1970", "1971.0", "1972"],
    },
    "observation_period": {
        "person_id": ["1", "2", "3"],
        "observation_period_start_date": ["2000-01-01"] * 3,
        "observation_period_end_date": ["20201231"] * 3,
    },
    "condition_occurrence": {
        "person_id": ["1", "2", "3"],
        "condition_occurrence_id": ["11", "12", "13"],
        "condition_concept_id": ["317009", "317010", "317010"],
        "condition_start_date": ["2010-05-01", " 20100502 ", "2010-05-03 00:00:00"],
        "condition_end_date": ["", None, "2010-05-04"],
        "visit_occurrence_id": [None, None, None],
    },
    "concept": {"concept_id": ["317009", "317010"], "invalid_reason": ["", ""]},
    "concept_ancestor": {"ancestor_concept_id": ["317009"] * 2, "descendant_concept_id": ["317009", "317010"]},
}
"""A CDM all in text, with the empty texts that a CSV file leaves behind."""


def found(engine: Engine, tables: dict[str, dict[str, list[object]]], asked: CohortDefinition = ASTHMA) -> list[int]:
    """The persons of a definition on tables of text."""
    on = {name: _text(engine, columns) for name, columns in tables.items()}
    return [
        person for batch in Cohorts(engine, on).run({1: asked}) for person in batch.fetch()["subject_id"].to_pylist()
    ]


def _text(engine: Engine, columns: dict[str, list[object]]) -> ir.Table:
    return engine.arrow(pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}))


def test_ids_and_dates_may_be_text_and_an_empty_reason_is_none(engine: Engine) -> None:
    assert found(engine, TABLES) == [1, 2]


@pytest.mark.parametrize(
    ("table", "column", "value", "kind"),
    [
        ("condition_occurrence", "condition_start_date", "31/05/2010", "a date"),
        ("observation_period", "observation_period_end_date", "20201332", "a date"),
        ("person", "person_id", "P2", "a whole number"),
        ("person", "year_of_birth", "1970.5", "a whole number"),
        ("condition_occurrence", "condition_concept_id", "99999999999999999999", "a whole number"),
    ],
)
def test_a_value_that_cannot_be_read_is_refused_and_not_shown(
    engine: Engine, table: str, column: str, value: str, kind: str
) -> None:
    values = [value, *TABLES[table][column][1:]]
    with pytest.raises(Refused, match=f"the CDM's table {table} has values in {column} that are not {kind}") as refusal:
        found(engine, TABLES | {table: TABLES[table] | {column: values}})
    assert value not in str(refusal.value)


def test_numbers_that_are_no_whole_ones_are_no_ids(engine: Engine) -> None:
    tables = {name: _text(engine, columns) for name, columns in TABLES.items()}
    tables["person"] = engine.arrow(pa.table(TABLES["person"] | {"person_id": pa.array([1.0, 2.0, 3.5])}))
    with pytest.raises(Refused, match="person has values in person_id that are not a whole number"):
        list(Cohorts(engine, tables).run({1: ASTHMA}))


def test_all_that_is_missing_is_said_at_once(engine: Engine) -> None:
    tables = {name: dict(columns) for name, columns in TABLES.items() if name != "concept_ancestor"}
    del tables["person"]["year_of_birth"], tables["condition_occurrence"]["person_id"], tables["observation_period"]
    with pytest.raises(Refused) as refusal:
        found(engine, tables)
    assert [line.split(",")[0] for line in str(refusal.value).splitlines()] == [
        "the CDM has no table concept_ancestor",
        "the CDM's table condition_occurrence has no column person_id",
        "the CDM has no table observation_period",
        "the CDM's table person has no column year_of_birth",
    ]


def test_what_no_definition_asks_for_need_not_be_there(engine: Engine) -> None:
    anybody = read_json({"entry": {"events": [{"condition_occurrence": "*"}]}})
    tables = {name: TABLES[name] for name in ("observation_period", "condition_occurrence")}
    assert found(engine, tables, anybody) == [1, 2, 3]
