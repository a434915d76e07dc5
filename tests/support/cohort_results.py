"""Cohort definitions run on an engine over rows, in the shape in which the oracle answers."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import ibis.expr.types as ir

from fairhaven.cohort.attrition_counts import StepCount
from fairhaven.cohort.model import CohortDefinition
from fairhaven.cohort.service import Cohorts
from fairhaven.engine import Engine
from tests.support.cohort_oracle import Attrition, Left, Oracle, Stay
from tests.support.cohort_reference import arrow_table

Tables = Mapping[str, Sequence[Mapping[str, Any]]]


def on(engine: Engine, tables: Tables) -> dict[str, ir.Table]:
    """Rows as tables of an engine."""
    return {name: engine.arrow(arrow_table(name, rows)) for name, rows in tables.items()}


def stays(
    engine: Engine, tables: Mapping[str, ir.Table], definitions: Mapping[int, CohortDefinition]
) -> dict[int, list[Stay]]:
    """Each definition's rows, in order."""
    found: dict[int, list[Stay]] = {number: [] for number in definitions}
    for batch in Cohorts(engine, tables).run(definitions):
        for row in batch.fetch().to_pylist():
            stay = (row["subject_id"], row["cohort_start_date"], row["cohort_end_date"])
            found[row["cohort_definition_id"]].append(stay)
    return {number: sorted(rows) for number, rows in found.items()}


def attritions(
    engine: Engine, tables: Mapping[str, ir.Table], definitions: Mapping[int, CohortDefinition]
) -> dict[int, Attrition]:
    """What each definition's rules leave."""
    return {
        number: Attrition(
            entered=_left(each.qualified), after=tuple(map(_left, each.left)), alone=tuple(map(_left, each.alone))
        )
        for batch in Cohorts(engine, tables).run(definitions)
        for number, each in batch.attrition().items()
    }


def _left(tally: StepCount) -> Left:
    return Left(persons=tally.persons, events=tally.events)


def differing(
    found: Mapping[int, list[Stay]], oracle: Oracle, definitions: Mapping[int, CohortDefinition]
) -> dict[int, str]:
    """Definitions for which an engine found something else than the oracle, with the first person and the definition."""
    differences = {}
    for number, definition in definitions.items():
        expected = oracle.stays(definition)
        if found[number] != expected:
            only = sorted(set(found[number]) ^ set(expected)) or [(0, dt.date.min, dt.date.min)]
            side = "engine" if only[0] in found[number] else "oracle"
            differences[number] = f"only the {side} has {only[0]}: {definition}"
    return differences
