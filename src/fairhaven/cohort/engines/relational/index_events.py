"""Fifth pass: the index events: a person's entry events, what is left of them, and the events of nested criteria."""

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir

from fairhaven.cohort.engines.relational.occurrence_counts import INDEX_COLUMNS
from fairhaven.cohort.engines.relational.parts import EntryIndex, NestedIndex, QualifiedIndex
from fairhaven.cohort.engines.relational.temporary_tables import TemporaryTables, union_all
from fairhaven.cohort.event_dates import FIRST_DAY, LAST_DAY, day_numbers
from fairhaven.cohort.model import Domain, Limit


def observation_periods_of(tables: Mapping[str, ir.Table], temporary: TemporaryTables) -> ir.Table:
    """Observation periods as day numbers: ``person_id``, ``op_start_date``, ``op_end_date``."""
    period = tables[Domain.OBSERVATION_PERIOD]
    return temporary.keep(
        period.select(
            person_id=period.person_id.cast("int64"),
            op_start_date=day_numbers(period.observation_period_start_date),
            op_end_date=day_numbers(period.observation_period_end_date),
        )
    )


def nested_index_events(
    indexes: Mapping[int, NestedIndex], events: ir.Table, periods: ir.Table, temporary: TemporaryTables
) -> ir.Table:
    """The events of criteria as index events, each in the observation period that it starts in."""
    rows = [{"index": number, "base": each.base} for number, each in indexes.items()]
    wanted = temporary.parameters(rows, {"index": "whole", "base": "whole"})
    found = _observed(events.join(wanted, [("criterion", "base")]), periods)
    return temporary.keep(found.select(INDEX_COLUMNS))


def entry_events(
    indexes: Mapping[int, EntryIndex], events: ir.Table, periods: ir.Table, temporary: TemporaryTables
) -> ir.Table:
    """The entry events of definitions; an event's id is its place among those of the person."""
    rows = [
        {
            "index": number,
            "part": part,
            "turn": turn,
            "prior_days": each.prior_days,
            "post_days": each.post_days,
            "one": each.limit is not Limit.ALL,
            "sign": -1 if each.limit is Limit.LAST else 1,
            "observed": each.observed,
        }
        for number, each in indexes.items()
        for turn, part in enumerate(each.criteria)
    ]
    whole = dict.fromkeys(("index", "part", "turn", "prior_days", "post_days", "sign"), "whole")
    wanted = temporary.parameters(rows, whole | {"one": "flag", "observed": "flag"})
    found = events.join(wanted, [("criterion", "part")])
    seen = []
    if any(each.observed for each in indexes.values()):
        inside = _observed(found.filter(found.observed), periods)
        seen.append(
            inside.filter(
                inside.op_start_date + inside.prior_days <= inside.start_date,
                inside.start_date + inside.post_days <= inside.op_end_date,
            )
        )
    if not all(each.observed for each in indexes.values()):
        always = found.filter(~found.observed)
        seen.append(
            always.mutate(op_start_date=ibis.literal(FIRST_DAY, "int64"), op_end_date=ibis.literal(LAST_DAY, "int64"))
        )
    columns = [*INDEX_COLUMNS, "turn", "sort_date", "sign", "one"]
    all_of = union_all([each.select(columns) for each in seen])
    place = ibis.row_number().over(
        ibis.window(
            group_by=[all_of["index"], all_of.person_id],
            # The place in the entry tells apart events of two tables that have the same day and id: a criterion's number
            # would depend on what else is in the batch.
            order_by=[all_of.sort_date * all_of.sign, all_of.event_id, all_of.turn, all_of.op_start_date],
        )
    )
    placed = all_of.mutate(place=place)
    placed = placed.filter(~placed.one | (placed.place == 0)).mutate(event_id=placed.place.cast("int64"))
    return temporary.keep(placed.select(INDEX_COLUMNS))


def qualified_events(
    indexes: Mapping[int, QualifiedIndex], index: ir.Table, met: ir.Table, temporary: TemporaryTables
) -> ir.Table:
    """Entry events that meet the qualifying condition of their definition."""
    rows = [
        {
            "qualified": number,
            "index": each.base,
            "condition": each.condition,
            "one": each.limit is not Limit.ALL,
            "sign": -1 if each.limit is Limit.LAST else 1,
        }
        for number, each in indexes.items()
    ]
    whole = dict.fromkeys(("qualified", "index", "condition", "sign"), "whole")
    wanted = temporary.parameters(rows, whole | {"one": "flag"})
    passing = index.join(wanted, "index").semi_join(met, ["condition", "person_id", "event_id"])
    passing = limit_events(passing.mutate(index=passing.qualified), by="index")
    return temporary.keep(passing.select(INDEX_COLUMNS))


def limit_events(events: ir.Table, *, by: str) -> ir.Table:
    """Of each person the event that the limit asks for, all where it asks for none.

    Args:
        events: with ``one`` (is there a limit) and ``sign`` (-1 for the last, 1 for the first).
        by: what tells the definitions apart.
    """
    place = ibis.row_number().over(
        ibis.window(
            group_by=[events[by], events.person_id], order_by=[events.start_date * events.sign, events.event_id]
        )
    )
    placed = events.mutate(place=place)
    return placed.filter(~placed.one | (placed.place == 0)).drop("place")


def _observed(events: ir.Table, periods: ir.Table) -> ir.Table:
    inside = events.join(periods, "person_id")
    return inside.filter(inside.start_date >= inside.op_start_date, inside.start_date <= inside.op_end_date)
