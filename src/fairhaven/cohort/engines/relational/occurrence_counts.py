"""Of the fourth pass the conditions on a number of events: windows become days, and one join finds what lies in them.

A condition on index event *i* counts events *e* of its criterion, of the same person, with

    since(i) <= day(e) <= until(i)                                  for each of two windows
    op_start(i) <= start(e) <= op_end(i)                            where only observed events count
    visit(e) = visit(i)                                             where the same visit is asked for

and holds where that number is as asked (OHDSI Circe, correlated criteria; windowedCriteria.sql). All conditions of all
definitions of a batch are rows of one table of parameters, so that there is one join, whatever their number.

The join has no row for an index event without events. Conditions that such an event fails (at least one, exactly two) can
be read off the join; those that it meets (at most two, exactly none) start from all index events and count 0 where the
join says nothing.
"""

from collections.abc import Mapping
from typing import Any

import ibis
import ibis.expr.types as ir

from fairhaven.cohort.comparison_semantics import TIMES, needs_an_event
from fairhaven.cohort.engines.relational.parts import CountTest
from fairhaven.cohort.engines.relational.temporary_tables import TemporaryTables
from fairhaven.cohort.event_dates import FAR
from fairhaven.cohort.model import DateField, Edge, Window

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


def count_tests_met(
    conditions: Mapping[int, CountTest], index: ir.Table, events: ir.Table, temporary: TemporaryTables
) -> list[ir.Table]:
    """The index events that meet each condition on a number of events around them.

    Args:
        conditions: by number.
        index: `INDEX_COLUMNS`.
        events: of all criteria that are counted.

    Returns:
        kept tables `MET`: of conditions that need at least one event, which the join with the events finds; of the others.
    """
    asked = temporary.parameters([_windows(number, each) for number, each in conditions.items()], _WINDOWS)
    is_distinct = any(each.occurrence.distinct for each in conditions.values())
    some = {number: each for number, each in conditions.items() if needs_an_event(each.occurrence)}
    none = {number: each for number, each in conditions.items() if number not in some}
    kept = []
    # The counts take most room of all, and nobody reads them after this.
    with TemporaryTables(temporary.engine) as counts:
        found = counts.keep(_counts_around(asked, index, events, distinct=is_distinct))
        if some:
            kept.append(temporary.keep(_enough(found.join(_occurrences(some, temporary), "condition"))))
        if none:
            every = index.join(_occurrences(none, temporary), "index").select(*MET, "times", "asked")
            counted = every.left_join(found, list(MET)).mutate(found=ibis.coalesce(found.found, 0))
            kept.append(temporary.keep(_enough(counted.select(*MET, "times", "asked", "found"))))
    return kept


def _occurrences(conditions: Mapping[int, CountTest], temporary: TemporaryTables) -> ir.Table:
    return temporary.parameters(
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
        *((counted.times == times.value) & compare(counted.found, counted.asked) for times, compare in TIMES.items())
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


def _windows(number: int, each: CountTest) -> dict[str, Any]:
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


def _counts_around(asked: ir.Table, index: ir.Table, events: ir.Table, *, distinct: bool) -> ir.Table:
    """How many events each condition finds around each index event; no row where it finds none.

    The bounds of the windows become days before the join with the events, so that the join compares numbers only.
    """
    # A probe is an index event with one condition asked of it.
    probes = index.join(asked, "index")
    bounds: dict[str, ir.Value] = {}
    for prefix in ("", "second_"):
        origin = ibis.ifelse(probes[f"{prefix}from_end"], probes.end_date, probes.start_date)
        for name, beyond in (("since", -FAR), ("until", FAR)):
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
        first_day=ibis.ifelse(probes.within, probes.op_start_date, -FAR),
        last_day=ibis.ifelse(probes.within, probes.op_end_date, FAR),
        visit=probes.visit_occurrence_id,
        same_visit=probes.same_visit,
        **bounds,
    )
    candidates = events.select(
        "criterion",
        "person_id",
        begins=events.start_date,
        ends=events.end_date,
        in_visit=events.visit_occurrence_id,
        counted=events.counted,
    )
    pairs = probes.join(candidates, ["criterion", "person_id"])
    pairs = pairs.filter(pairs.begins >= pairs.first_day, pairs.begins <= pairs.last_day)
    for prefix in ("", "second_"):
        day = ibis.ifelse(pairs[f"{prefix}of_end"], pairs.ends, pairs.begins)
        # A date that is not known is in every window that is open on both sides.
        since, until = pairs[f"{prefix}since_day"], pairs[f"{prefix}until_day"]
        pairs = pairs.filter(
            ((since == -FAR) | (day >= since)).fill_null(False),
            ((until == FAR) | (day <= until)).fill_null(False),
        )
    pairs = pairs.filter(~pairs.same_visit | (pairs.in_visit == pairs.visit).fill_null(False))
    found = pairs.count()
    if distinct:  # of any condition of the batch: otherwise nobody pays for counting different values
        found = ibis.ifelse(pairs.is_distinct.any(), pairs.counted.nunique(), found)
    return pairs.group_by(["condition", "person_id", "index_event"]).agg(found=found).rename(event_id="index_event")
