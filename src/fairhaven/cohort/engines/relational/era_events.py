"""Eras: stretches of time that follow each other closely become one."""

from collections.abc import Mapping, Sequence

import ibis
import ibis.expr.types as ir

from fairhaven.cohort.engines.relational.criterion_events import (
    EVENT_COLUMNS,
    PARAMETERS,
    adjusted,
    counted_as,
    parameters,
)
from fairhaven.cohort.engines.relational.fields import with_derived
from fairhaven.cohort.engines.relational.filters import filters_of
from fairhaven.cohort.engines.relational.parts import EraSet
from fairhaven.cohort.engines.relational.temporary_tables import TemporaryTables, union_all


def collapse_eras(stretches: ir.Table, by: Sequence[str]) -> ir.Table:
    """Stretches that overlap or touch, as one.

    Args:
        stretches: `by`, ``start_date``, ``end_date`` as day numbers.
        by: columns whose rows belong together.

    Returns:
        `by`, ``start_date``, ``end_date``; stretches of one `by` lie apart.
    """
    keys = [stretches[name] for name in by]
    order = [stretches.start_date, stretches.end_date]
    before = ibis.window(group_by=keys, order_by=order, preceding=(None, 1))
    opened = stretches.mutate(
        opens=(stretches.end_date.max().over(before) >= stretches.start_date).fill_null(False).ifelse(0, 1)
    )
    # The stretch that opens an era comes first among those that start on its day.
    until = ibis.window(
        group_by=[opened[name] for name in by],
        order_by=[opened.start_date, opened.opens.desc()],
        preceding=(None, 0),
    )
    numbered = opened.mutate(era=opened.opens.sum().over(until))
    return (
        numbered.group_by([*by, "era"])
        .agg(start_date=numbered.start_date.min(), end_date=numbered.end_date.max())
        .drop("era")
    )


def built_eras(
    criteria: Mapping[int, EraSet],
    events: ir.Table,
    tables: Mapping[str, ir.Table],
    members: ir.Table,
    temporary: TemporaryTables,
) -> ir.Table:
    """The eras of criteria.

    Args:
        criteria: by number.
        events: of all criteria that they are made of.

    Returns:
        `EVENT_COLUMNS`; an era's id is the day it starts on.
    """
    parts = [{"era_criterion": number, "part": part} for number, each in criteria.items() for part in each.of]
    made_of = temporary.parameters(parts, {"era_criterion": "whole", "part": "whole"})
    filters = filters_of(each.filters for each in criteria.values())
    asked = temporary.parameters(
        [
            {"criterion": number, "gap_days": each.gap_days} | parameters(each) | row
            for (number, each), row in zip(criteria.items(), filters.rows, strict=True)
        ],
        {"criterion": "whole", "gap_days": "whole"} | PARAMETERS | filters.schema,
    )
    found = events.join(made_of, [("criterion", "part")]).select(
        "person_id", "start_date", "end_date", criterion=made_of.era_criterion
    )
    padded = found.join(asked, "criterion")
    padded = padded.mutate(end_date=padded.end_date + padded.gap_days).select(
        "criterion", "person_id", "start_date", "end_date"
    )
    built = collapse_eras(padded, ["criterion", "person_id"]).join(asked, "criterion")
    built = built.mutate(
        end_date=built.end_date - built.gap_days,
        event_id=built.start_date,
        visit_occurrence_id=ibis.null("int64"),
        is_first=ibis.row_number().over(
            ibis.window(group_by=[built.criterion, built.person_id], order_by=[built.start_date])
        )
        == 0,
    )
    if first := [number for number, each in criteria.items() if each.first]:
        built = built.filter(~built.criterion.isin(first) | built.is_first)
    built = adjusted(built, list(criteria.values()))
    built = filters.where(with_derived(built, filters.fields, tables), members)
    built = built.mutate(sort_date=built.start_date)
    return temporary.keep(
        union_all([_counting(built, criteria, kind) for kind in {e.counted for e in criteria.values()}])
    )


def _counting(built: ir.Table, criteria: Mapping[int, EraSet], counted: str | None) -> ir.Table:
    """The eras of the criteria that count the same column."""
    alike = [number for number, each in criteria.items() if each.counted == counted]
    return counted_as(built.filter(built.criterion.isin(alike)), counted).select(EVENT_COLUMNS)
