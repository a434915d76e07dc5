"""Fourth pass: which events of which index meet which condition; the conditions of many indexes in a few joins."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

import ibis
import ibis.expr.types as ir

from fairhaven.cohort.comparison_semantics import member_bounds
from fairhaven.cohort.engines.relational.fields import with_derived
from fairhaven.cohort.engines.relational.filters import filters_of
from fairhaven.cohort.engines.relational.occurrence_counts import MET, count_tests_met
from fairhaven.cohort.engines.relational.parts import Condition, CountTest, GroupTest, PersonTest
from fairhaven.cohort.engines.relational.temporary_tables import TemporaryTables, union_all


def with_members(conditions: Iterable[int], parts: list[Condition]) -> dict[int, Condition]:
    """Conditions and all that they are made of, by number."""
    found: dict[int, Condition] = {}
    todo = list(conditions)
    while todo:
        if (number := todo.pop()) not in found:
            found[number] = part = parts[number]
            if isinstance(part, GroupTest):
                todo.extend(part.members)
    return found


def conditions_met(
    conditions: Mapping[int, Condition],
    index: ir.Table,
    events: Callable[[Iterable[int]], ir.Table],
    tables: Mapping[str, ir.Table],
    members: ir.Table,
    temporary: TemporaryTables,
) -> ir.Table:
    """The index events that meet each condition.

    Args:
        conditions: by number, with all that they are made of.
        index: `INDEX_COLUMNS`.
        events: gives the events of criteria by number.
        members: see `concept_sets.concept_set_members`.

    Returns:
        a kept table `MET`.
    """
    counting = {number: each for number, each in conditions.items() if isinstance(each, CountTest)}
    tests = {number: each for number, each in conditions.items() if isinstance(each, PersonTest)}
    found = []
    if counting:
        found += count_tests_met(counting, index, events(each.criterion for each in counting.values()), temporary)
    if tests:
        found.append(temporary.keep(_person_tests(tests, index, tables, members, temporary)))
    for level in _levels(conditions):
        found.append(temporary.keep(_combinations(level, found, index, temporary)))
    return union_all(found)


def _person_tests(
    conditions: Mapping[int, PersonTest],
    index: ir.Table,
    tables: Mapping[str, ir.Table],
    members: ir.Table,
    temporary: TemporaryTables,
) -> ir.Table:
    filters = filters_of(each.filters for each in conditions.values())
    asked = temporary.parameters(
        [
            {"condition": number, "index": each.index} | row
            for (number, each), row in zip(conditions.items(), filters.rows, strict=True)
        ],
        {"condition": "whole", "index": "whole"} | filters.schema,
    )
    events = with_derived(index.join(asked, "index"), filters.fields, tables)
    return filters.where(events, members).select(MET).distinct()


def _levels(conditions: Mapping[int, Condition]) -> list[dict[int, GroupTest]]:
    """Combinations, those first that are made of no other combination."""
    heights: dict[int, int] = {}
    levels: defaultdict[int, dict[int, GroupTest]] = defaultdict(dict)
    # A part is numbered after all that it is made of.
    for number, part in sorted(conditions.items()):
        heights[number] = 0
        if isinstance(part, GroupTest):
            heights[number] = 1 + max((heights[each] for each in part.members), default=0)
            levels[heights[number]][number] = part
    return [levels[each] for each in sorted(levels)]


def _combinations(
    combinations: Mapping[int, GroupTest], found: list[ir.Table], index: ir.Table, temporary: TemporaryTables
) -> ir.Table:
    rows = [
        {"combination": number, "member": member} for number, each in combinations.items() for member in each.members
    ]
    made_of = temporary.parameters(rows, {"combination": "whole", "member": "whole"})
    bounds = {number: member_bounds(each.match, each.count, len(each.members)) for number, each in combinations.items()}
    needed = temporary.parameters(
        [
            {"condition": number, "index": combinations[number].index, "least": least, "most": most}
            for number, (least, most) in bounds.items()
        ],
        dict.fromkeys(("condition", "index", "least", "most"), "whole"),
    )
    counted = None
    if found and rows:
        holding = union_all(found)
        holding = holding.join(made_of, holding.condition == made_of.member)
        held = holding.group_by(["combination", "person_id", "event_id"]).agg(found=holding.count())
        counted = held.rename(condition="combination")
    parts = []
    if counted is not None and any(least > 0 for least, _ in bounds.values()):
        reached = counted.join(needed, "condition")
        parts.append(reached.filter(reached.least > 0, reached.found >= reached.least).select(MET))
    if none := [number for number, (least, _) in bounds.items() if least <= 0]:
        every = index.join(needed.filter(needed.condition.isin(none)), "index")
        every = every.select("condition", "person_id", "event_id", "most")
        if counted is not None:
            joined = every.left_join(counted, list(MET))
            every = joined.filter(ibis.coalesce(joined.found, 0) <= joined.most)
        parts.append(every.select(MET).distinct())
    return union_all(parts)
