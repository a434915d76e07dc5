"""All passes over a batch, from definitions to persons and dates."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import ibis.expr.types as ir

from fairhaven.cohort.engines.relational import cohort_exit, criteria_groups, index_events
from fairhaven.cohort.engines.relational.concept_sets import concept_set_members
from fairhaven.cohort.engines.relational.criterion_events import EVENT_COLUMNS, scans
from fairhaven.cohort.engines.relational.era_events import built_eras
from fairhaven.cohort.engines.relational.parts import (
    Condition,
    CountTest,
    EntryIndex,
    EraSet,
    GroupTest,
    NestedIndex,
    QualifiedIndex,
    Restricted,
    Scan,
)
from fairhaven.cohort.engines.relational.required_columns import fit_tables, required_columns
from fairhaven.cohort.engines.relational.shared_parts import Program
from fairhaven.cohort.engines.relational.temporary_tables import TemporaryTables, union_all


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchOutcome:
    """What a batch gave.

    Args:
        rows: ``cohort_definition_id``, ``subject_id``, ``cohort_start_date``, ``cohort_end_date``.
        index: entry and qualified events (`occurrence_counts.INDEX_COLUMNS`).
        met: events that meet each rule (`occurrence_counts.MET`); None where no definition has a rule.
        included: events that meet all rules (`cohort_exit.INCLUDED`).
    """

    rows: ir.Table
    index: ir.Table
    met: ir.Table | None
    included: ir.Table


class CohortRun:
    """One run of a program over a CDM.

    Raises:
        Refused: the CDM lacks what the program needs; all of it at once.
    """

    def __init__(self, program: Program, tables: Mapping[str, ir.Table], temporary: TemporaryTables) -> None:
        self._program = program
        self._tables = fit_tables(tables, required_columns(program), temporary.engine)
        self._temporary = temporary
        self._members = concept_set_members(program.concept_sets.parts, self._tables, temporary)
        self._periods = index_events.observation_periods_of(self._tables, temporary)
        self._events: list[tuple[frozenset[int], ir.Table]] = []

    def outcome(self) -> BatchOutcome:
        """Run all passes."""
        self._criteria()
        indexes, cohorts = self._program.indexes.parts, self._program.cohorts
        entry = {number: each for number, each in enumerate(indexes) if isinstance(each, EntryIndex)}
        index = index_events.entry_events(
            entry, self._of(part for each in entry.values() for part in each.criteria), self._periods, self._temporary
        )
        qualifying = {number: each for number, each in enumerate(indexes) if isinstance(each, QualifiedIndex)}
        if qualifying:
            passed = self._met({each.condition for each in qualifying.values()}, index)
            index = union_all([index, index_events.qualified_events(qualifying, index, passed, self._temporary)])
        rules = {rule for each in cohorts.values() for rule in each.rules}
        met = self._met(rules, index) if rules else None
        included = cohort_exit.included_events(cohorts, index, met, self._temporary)
        rows = self._temporary.keep(cohort_exit.cohort_periods(cohorts, included, self._of, self._temporary))
        return BatchOutcome(rows=rows, index=index, met=met, included=included)

    def _criteria(self) -> None:
        """The events of all criteria, those first that others are made of."""
        levels = criterion_levels(self._program)
        parts = self._program.criteria.parts
        for level in range(max(levels, default=0) + 1):
            now = {number: parts[number] for number, each in enumerate(levels) if each == level}
            scanned = {number: each for number, each in now.items() if isinstance(each, Scan)}
            if scanned:
                self._events += scans(scanned, self._tables, self._members, self._temporary).values()
            built = {number: each for number, each in now.items() if isinstance(each, EraSet)}
            if built:
                of = self._of(part for each in built.values() for part in each.of)
                self._events.append(
                    (frozenset(built), built_eras(built, of, self._tables, self._members, self._temporary))
                )
            restricted = {number: each for number, each in now.items() if isinstance(each, Restricted)}
            if restricted:
                self._events.append((frozenset(restricted), self._restricted(restricted)))

    def _restricted(self, criteria: Mapping[int, Restricted]) -> ir.Table:
        wanted = {self._program.conditions.parts[each.condition].index for each in criteria.values()}
        indexes = {
            number: each
            for number, each in enumerate(self._program.indexes.parts)
            if number in wanted and isinstance(each, NestedIndex)
        }
        base = self._of(each.base for each in criteria.values())
        index = index_events.nested_index_events(indexes, base, self._periods, self._temporary)
        passed = self._met({each.condition for each in criteria.values()}, index)
        asked = self._temporary.parameters(
            [
                {"restricted": number, "criterion": each.base, "condition": each.condition}
                for number, each in criteria.items()
            ],
            dict.fromkeys(("restricted", "criterion", "condition"), "whole"),
        )
        left = base.join(asked, "criterion").semi_join(passed, ["condition", "person_id", "event_id"])
        return self._temporary.keep(left.mutate(criterion=left.restricted).select(EVENT_COLUMNS))

    def _met(self, wanted: Iterable[int], index: ir.Table) -> ir.Table:
        needed = criteria_groups.with_members(wanted, self._program.conditions.parts)
        return criteria_groups.conditions_met(needed, index, self._of, self._tables, self._members, self._temporary)

    def _of(self, criteria: Iterable[int]) -> ir.Table:
        """The kept events of criteria, with others that were kept beside them."""
        wanted = frozenset(criteria)
        return union_all([table for numbers, table in self._events if numbers & wanted])


def criterion_levels(program: Program) -> list[int]:
    """For each criterion how many others must be there one after the other before it."""
    criteria, conditions = program.criteria.parts, program.conditions.parts
    levels: list[int] = []

    def of_condition(number: int) -> int:
        part: Condition = conditions[number]
        if isinstance(part, CountTest):
            return levels[part.criterion]
        if isinstance(part, GroupTest):
            return max((of_condition(member) for member in part.members), default=0)
        return 0

    # A part is numbered after all that it is made of.
    for part in criteria:
        if isinstance(part, Scan):
            levels.append(0)
        elif isinstance(part, EraSet):
            levels.append(1 + max(levels[each] for each in part.of))
        else:
            levels.append(1 + max(levels[part.base], of_condition(part.condition)))
    return levels
