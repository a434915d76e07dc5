"""Fourth pass: which events of which index meet which condition; the conditions of many indexes in a few joins."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import ibis
import ibis.expr.types as ir

from fairhaven.cohort.model import DateField, Edge, Match, Times, Window
from fairhaven.cohort.program.days import ALWAYS
from fairhaven.cohort.program.filtering import filters_of
from fairhaven.cohort.program.keeping import Keeping, together
from fairhaven.cohort.program.parts import Combination, Condition, Count, PersonTest
from fairhaven.cohort.program.scanning import with_derived

INDEX_COLUMNS = (
    "index",
    "person_id",
    "event_id",
    "start_date",
    "end_date",
    "op_start_date",
    "op_end_date",
    "visit_occurrence_id",
)
"""Of every table of index events: days as numbers, with the observation period that the event starts in."""

MET = ("condition", "person_id", "event_id")
"""Of every table of conditions: the events that meet each, once."""

_COMPARES: Mapping[Times, Callable[[ir.Value, ir.Value], ir.BooleanValue]] = {
    Times.EXACTLY: lambda found, asked: found == asked,
    Times.AT_MOST: lambda found, asked: found <= asked,
    Times.AT_LEAST: lambda found, asked: found >= asked,
}


def with_members(conditions: Iterable[int], parts: list[Condition]) -> dict[int, Condition]:
    """Conditions and all that they are made of, by number."""
    found: dict[int, Condition] = {}
    todo = list(conditions)
    while todo:
        if (number := todo.pop()) not in found:
            found[number] = part = parts[number]
            if isinstance(part, Combination):
                todo.extend(part.members)
    return found


def met(
    conditions: Mapping[int, Condition],
    index: ir.Table,
    events: Callable[[Iterable[int]], ir.Table],
    tables: Mapping[str, ir.Table],
    members: ir.Table,
    keeping: Keeping,
) -> ir.Table:
    """The index events that meet each condition.

    Args:
        conditions: by number, with all that they are made of.
        index: `INDEX_COLUMNS`.
        events: gives the events of criteria by number.
        members: see `concepts.members`.

    Returns:
        a kept table `MET`.
    """
    counts = {number: each for number, each in conditions.items() if isinstance(each, Count)}
    tests = {number: each for number, each in conditions.items() if isinstance(each, PersonTest)}
    found = []
    if counts:
        found += _counts(counts, index, events(each.criterion for each in counts.values()), keeping)
    if tests:
        found.append(keeping.keep(_person_tests(tests, index, tables, members, keeping)))
    for level in _levels(conditions):
        found.append(keeping.keep(_combinations(level, found, index, keeping)))
    return together(found)


def _counts(conditions: Mapping[int, Count], index: ir.Table, events: ir.Table, keeping: Keeping) -> list[ir.Table]:
    """Conditions on a number of events: first those that at least one event is needed for."""
    asked = keeping.parameters([_windows(number, each) for number, each in conditions.items()], _WINDOWS)
    found = keeping.keep(
        _around(asked, index, events, distinct=any(each.occurrence.distinct for each in conditions.values()))
    )
    kept = []
    some = {number: each for number, each in conditions.items() if not _can_be_none(each)}
    if some:
        kept.append(_enough(found.join(_occurrences(some, keeping), "condition")))
    none = {number: each for number, each in conditions.items() if _can_be_none(each)}
    if none:
        occurrences = _occurrences(none, keeping)
        every = index.join(occurrences, "index").select("condition", "person_id", "event_id", "times", "asked")
        counted = every.left_join(found, list(MET)).mutate(found=ibis.coalesce(found.found, 0))
        kept.append(_enough(counted.select(*MET, "times", "asked", "found")))
    result = [keeping.keep(each) for each in kept]
    keeping.give_back(found)
    return result


def _can_be_none(each: Count) -> bool:
    return each.occurrence.times is Times.AT_MOST or each.occurrence.count == 0


def _occurrences(conditions: Mapping[int, Count], keeping: Keeping) -> ir.Table:
    return keeping.parameters(
        [
            {
                "condition": number,
                "index": each.index,
                "times": each.occurrence.times.value,
                "asked": each.occurrence.count,
            }
            for number, each in conditions.items()
        ],
        {"condition": "whole", "index": "whole", "times": "text", "asked": "whole"},
    )


def _enough(counted: ir.Table) -> ir.Table:
    holds: ir.BooleanValue = ibis.or_(
        *(
            (counted.times == times.value) & compare(counted.found, counted.asked)
            for times, compare in _COMPARES.items()
        )
    )
    return counted.filter(holds).select(MET)


_WINDOWS = {
    "condition": "whole",
    "index": "whole",
    "criterion": "whole",
    "of_end": "flag",
    "from_end": "flag",
    "since": "whole",
    "since_edge": "text",
    "until": "whole",
    "until_edge": "text",
    "second_of_end": "flag",
    "second_from_end": "flag",
    "second_since": "whole",
    "second_since_edge": "text",
    "second_until": "whole",
    "second_until_edge": "text",
    "within": "flag",
    "same_visit": "flag",
    "is_distinct": "flag",
}


def _windows(number: int, each: Count) -> dict[str, Any]:
    """The windows of a condition as parameters."""
    row: dict[str, Any] = {
        "condition": number,
        "index": each.index,
        "criterion": each.criterion,
        "within": each.within_observation,
        "same_visit": each.same_visit,
        "is_distinct": each.occurrence.distinct is not None,
    }
    for prefix, window in (("", each.start), ("second_", each.end or Window())):
        row[f"{prefix}of_end"] = window.of is DateField.END
        row[f"{prefix}from_end"] = window.index is DateField.END
        for name, bound in (("since", window.since), ("until", window.until)):
            if isinstance(bound, Edge):
                row[f"{prefix}{name}_edge"] = bound.value
            else:
                row[f"{prefix}{name}"] = bound
    return row


def _around(asked: ir.Table, index: ir.Table, events: ir.Table, *, distinct: bool) -> ir.Table:
    """How many events each condition finds around each index event; no row where it finds none.

    The bounds of the windows become days before the join with the events, so that the join compares numbers only.
    """
    probes = index.join(asked, "index")
    bounds: dict[str, ir.Value] = {}
    for prefix in ("", "second_"):
        origin = ibis.ifelse(probes[f"{prefix}from_end"], probes.end_date, probes.start_date)
        for name, beyond in (("since", -ALWAYS), ("until", ALWAYS)):
            edge = probes[f"{prefix}{name}_edge"]
            bounds[f"{prefix}{name}_day"] = ibis.cases(
                (edge.isnull(), origin + probes[f"{prefix}{name}"]),
                (edge == Edge.PERIOD_START.value, probes.op_start_date),
                (edge == Edge.PERIOD_END.value, probes.op_end_date),
                else_=ibis.literal(beyond, "int64"),
            )
    probes = probes.select(
        "condition",
        "criterion",
        "person_id",
        "of_end",
        "second_of_end",
        "is_distinct",
        index_event=probes.event_id,
        first_day=ibis.ifelse(probes.within, probes.op_start_date, -ALWAYS),
        last_day=ibis.ifelse(probes.within, probes.op_end_date, ALWAYS),
        visit=probes.visit_occurrence_id,
        same_visit=probes.same_visit,
        **bounds,
    )
    other = events.select(
        "criterion",
        "person_id",
        begins=events.start_date,
        ends=events.end_date,
        in_visit=events.visit_occurrence_id,
        counted=events.counted,
    )
    pairs = probes.join(other, ["criterion", "person_id"])
    pairs = pairs.filter(pairs.begins >= pairs.first_day, pairs.begins <= pairs.last_day)
    for prefix in ("", "second_"):
        day = ibis.ifelse(pairs[f"{prefix}of_end"], pairs.ends, pairs.begins)
        # A date that is not known is in every window that is open on both sides.
        since, until = pairs[f"{prefix}since_day"], pairs[f"{prefix}until_day"]
        pairs = pairs.filter(
            ((since == -ALWAYS) | (day >= since)).fill_null(False),
            ((until == ALWAYS) | (day <= until)).fill_null(False),
        )
    pairs = pairs.filter(~pairs.same_visit | (pairs.in_visit == pairs.visit).fill_null(False))
    found = pairs.count()
    if distinct:
        found = ibis.ifelse(pairs.is_distinct.any(), pairs.counted.nunique(), found)
    return pairs.group_by(["condition", "person_id", "index_event"]).agg(found=found).rename(event_id="index_event")


def _person_tests(
    conditions: Mapping[int, PersonTest],
    index: ir.Table,
    tables: Mapping[str, ir.Table],
    members: ir.Table,
    keeping: Keeping,
) -> ir.Table:
    filters = filters_of(each.filters for each in conditions.values())
    asked = keeping.parameters(
        [
            {"condition": number, "index": each.index} | row
            for (number, each), row in zip(conditions.items(), filters.rows, strict=True)
        ],
        {"condition": "whole", "index": "whole"} | filters.schema,
    )
    events = with_derived(index.join(asked, "index"), filters.fields, tables)
    return filters.where(events, members).select(MET).distinct()


def _levels(conditions: Mapping[int, Condition]) -> list[dict[int, Combination]]:
    """Combinations, those first that are made of no other combination."""
    heights: dict[int, int] = {}

    def height(number: int) -> int:
        part = conditions[number]
        if number not in heights:
            made_of = part.members if isinstance(part, Combination) else ()
            heights[number] = max((height(each) for each in made_of), default=0) + isinstance(part, Combination)
        return heights[number]

    levels: defaultdict[int, dict[int, Combination]] = defaultdict(dict)
    for number, part in conditions.items():
        if isinstance(part, Combination):
            levels[height(number)][number] = part
    return [levels[each] for each in sorted(levels)]


def _combinations(
    combinations: Mapping[int, Combination], found: list[ir.Table], index: ir.Table, keeping: Keeping
) -> ir.Table:
    rows = [
        {"combination": number, "member": member} for number, each in combinations.items() for member in each.members
    ]
    made_of = keeping.parameters(rows, {"combination": "whole", "member": "whole"})
    needed = keeping.parameters(
        [
            {
                "condition": number,
                "index": each.index,
                "least": _least(each),
                "most": each.count if each.match is Match.AT_MOST else ALWAYS,
            }
            for number, each in combinations.items()
        ],
        dict.fromkeys(("condition", "index", "least", "most"), "whole"),
    )
    parts = []
    some = [number for number, each in combinations.items() if _least(each) > 0]
    none = [number for number, each in combinations.items() if _least(each) == 0]
    counted = None
    if found and rows:
        holding = together(found)
        holding = holding.join(made_of, holding.condition == made_of.member)
        counted = (
            holding.group_by(["combination", "person_id", "event_id"])
            .agg(found=holding.count())
            .rename(condition="combination")
        )
    if some and counted is not None:
        reached = counted.join(needed, "condition")
        parts.append(reached.filter(reached.least > 0, reached.found >= reached.least).select(MET))
    if none:
        every = index.join(needed.filter(needed.condition.isin(none)), "index")
        every = every.select("condition", "person_id", "event_id", "most")
        if counted is not None:
            joined = every.left_join(counted, list(MET))
            every = joined.filter(ibis.coalesce(joined.found, 0) <= joined.most)
        parts.append(every.select(MET).distinct())
    return together(parts)


def _least(each: Combination) -> int:
    """How many members must hold at least."""
    if not each.members or each.match is Match.AT_MOST:
        return 0
    if each.match is Match.ALL:
        return len(each.members)
    return 1 if each.match is Match.ANY else each.count or 0
