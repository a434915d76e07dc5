"""How many persons and events each step of a definition leaves, and which persons."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import ibis
import ibis.expr.types as ir
import numpy as np
from numpy.typing import NDArray

from fairhaven.cohort.engines.relational.cohort_run import BatchOutcome
from fairhaven.cohort.engines.relational.parts import Cohort
from fairhaven.cohort.engines.relational.temporary_tables import TemporaryTables


@dataclass(frozen=True, kw_only=True, slots=True)
class StepCount:
    """So many persons, with so many events (entry events, or rows of the cohort)."""

    persons: int = 0
    events: int = 0


Persons = NDArray[np.int64]
"""The ``person_id`` of each person once, in no order."""
T = TypeVar("T")
_Keyed = dict[tuple[int, ...], T]


@dataclass(frozen=True, kw_only=True, slots=True)
class Attrition(Generic[T]):
    """What each step of a definition leaves: how many (`StepCount`) or whom (`Persons`).

    Args:
        entry: entry events after the observation window and the first limit.
        qualified: of these, what the qualifying group and its limit leave; equal to `entry` where there is none.
        left: what is left after each rule and all before it, in their order.
        alone: what each rule would leave if it were the only one.
        included: what all rules and the last limit leave.
        cohort: persons and rows of the cohort itself.
    """

    entry: T
    qualified: T
    left: tuple[T, ...]
    alone: tuple[T, ...]
    included: T
    cohort: T


def attrition(
    cohorts: Mapping[int, Cohort], outcome: BatchOutcome, temporary: TemporaryTables
) -> dict[int, Attrition[StepCount]]:
    """The attrition of each cohort of a batch, by its number."""
    return _attrition(cohorts, outcome, temporary, _tallies, StepCount())


def step_persons(
    cohorts: Mapping[int, Cohort], outcome: BatchOutcome, temporary: TemporaryTables
) -> dict[int, Attrition[Persons]]:
    """Whom each step of each cohort of a batch leaves, by its number."""
    return _attrition(cohorts, outcome, temporary, _persons, np.empty(0, np.int64))


def _attrition(
    cohorts: Mapping[int, Cohort],
    outcome: BatchOutcome,
    temporary: TemporaryTables,
    taken: Callable[[ir.Table, list[str], TemporaryTables], _Keyed[T]],
    none: T,
) -> dict[int, Attrition[T]]:
    entry = taken(outcome.index, ["index"], temporary)
    included = taken(outcome.included, ["cohort"], temporary)
    rows = {key[0]: each for key, each in taken(_by_cohort(outcome.rows), ["cohort"], temporary).items()}
    left, alone = _by_rule(cohorts, outcome, temporary, taken)
    return {
        number: Attrition(
            entry=entry.get((each.entry,), none),
            qualified=entry.get((each.index,), none),
            left=tuple(left.get((number, place), none) for place in range(len(each.rules))),
            alone=tuple(alone.get((number, place), none) for place in range(len(each.rules))),
            included=included.get((number,), none),
            cohort=rows.get(number, none),
        )
        for number, each in cohorts.items()
    }


def tallies(rows: ir.Table, temporary: TemporaryTables) -> dict[int, StepCount]:
    """Persons and rows of each cohort; a cohort without rows is left out."""
    return {key[0]: tally for key, tally in _tallies(_by_cohort(rows), ["cohort"], temporary).items()}


def _by_cohort(rows: ir.Table) -> ir.Table:
    return rows.select(cohort=rows.cohort_definition_id, person_id=rows.subject_id)


def _by_rule(
    cohorts: Mapping[int, Cohort],
    outcome: BatchOutcome,
    temporary: TemporaryTables,
    taken: Callable[[ir.Table, list[str], TemporaryTables], _Keyed[T]],
) -> tuple[_Keyed[T], _Keyed[T]]:
    """By cohort and place of the rule: what meets all rules so far, and what meets this one."""
    if outcome.met is None:
        return {}, {}
    rules = temporary.parameters(
        [
            {"cohort": number, "index": each.index, "condition": rule, "place": place}
            for number, each in cohorts.items()
            for place, rule in enumerate(each.rules)
        ],
        dict.fromkeys(("cohort", "index", "condition", "place"), "whole"),
    )
    met = temporary.keep(outcome.met.join(rules, "condition").select("cohort", "place", "person_id", "event_id"))
    # An event meets all rules up to a place if as many of its rules lie before it as there are places.
    before = ibis.window(group_by=[met.cohort, met.person_id, met.event_id], order_by=[met.place])
    run = met.mutate(met_before=ibis.row_number().over(before))
    run = run.filter(run.met_before == run.place)
    return taken(run, ["cohort", "place"], temporary), taken(met, ["cohort", "place"], temporary)


def _persons(events: ir.Table, by: list[str], temporary: TemporaryTables) -> _Keyed[Persons]:
    found = temporary.engine.fetch(events.select(*by, "person_id").distinct().order_by(by))
    keys = np.stack([found[name].to_numpy() for name in by], axis=1)
    persons = found["person_id"].to_numpy().astype(np.int64)
    starts = np.flatnonzero(np.any(np.diff(keys, axis=0, prepend=keys[:1] - 1), axis=1))
    return {
        tuple(int(each) for each in keys[start]): part
        for start, part in zip(starts, np.split(persons, starts[1:]), strict=True)
    }


def _tallies(events: ir.Table, by: list[str], temporary: TemporaryTables) -> _Keyed[StepCount]:
    # Persons first: counting different values of many groups at once takes far more memory.
    persons = events.group_by([*by, "person_id"]).agg(events=events.count())
    counted = persons.group_by(by).agg(persons=persons.count(), events=persons.events.sum())
    return {
        tuple(row[name] for name in by): StepCount(persons=row["persons"], events=row["events"])
        for row in temporary.engine.fetch(counted).to_pylist()
    }
