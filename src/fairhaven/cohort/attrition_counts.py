"""How many persons and events each step of a definition leaves."""

from collections.abc import Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from fairhaven.cohort.engines.relational.cohort_run import BatchOutcome
from fairhaven.cohort.engines.relational.parts import Cohort
from fairhaven.cohort.engines.relational.temporary_tables import TemporaryTables


@dataclass(frozen=True, kw_only=True, slots=True)
class StepCount:
    """So many persons, with so many events (entry events, or rows of the cohort)."""

    persons: int = 0
    events: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Attrition:
    """What each step of a definition leaves.

    Args:
        entry: entry events after the observation window and the first limit.
        qualified: of these, what the qualifying group and its limit leave; equal to `entry` where there is none.
        left: what is left after each rule and all before it, in their order.
        alone: what each rule would leave if it were the only one.
        included: what all rules and the last limit leave.
        cohort: persons and rows of the cohort itself.
    """

    entry: StepCount = StepCount()
    qualified: StepCount = StepCount()
    left: tuple[StepCount, ...] = ()
    alone: tuple[StepCount, ...] = ()
    included: StepCount = StepCount()
    cohort: StepCount = StepCount()


def attrition(cohorts: Mapping[int, Cohort], outcome: BatchOutcome, temporary: TemporaryTables) -> dict[int, Attrition]:
    """The attrition of each cohort of a batch, by its number."""
    entry = _tallies(outcome.index, ["index"], temporary)
    included = _tallies(outcome.included, ["cohort"], temporary)
    rows = tallies(outcome.rows, temporary)
    left, alone = _by_rule(cohorts, outcome, temporary)
    none = StepCount()
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
    renamed = rows.select(cohort=rows.cohort_definition_id, person_id=rows.subject_id)
    return {key[0]: tally for key, tally in _tallies(renamed, ["cohort"], temporary).items()}


def _by_rule(
    cohorts: Mapping[int, Cohort], outcome: BatchOutcome, temporary: TemporaryTables
) -> tuple[dict[tuple[int, ...], StepCount], dict[tuple[int, ...], StepCount]]:
    """Tallies by cohort and place of the rule: of what meets all rules so far, and of what meets this one."""
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
    return _tallies(run, ["cohort", "place"], temporary), _tallies(met, ["cohort", "place"], temporary)


def _tallies(events: ir.Table, by: list[str], temporary: TemporaryTables) -> dict[tuple[int, ...], StepCount]:
    # Persons first: counting different values of many groups at once takes far more memory.
    persons = events.group_by([*by, "person_id"]).agg(events=events.count())
    counted = persons.group_by(by).agg(persons=persons.count(), events=persons.events.sum())
    return {
        tuple(row[name] for name in by): StepCount(persons=row["persons"], events=row["events"])
        for row in temporary.engine.fetch(counted).to_pylist()
    }
