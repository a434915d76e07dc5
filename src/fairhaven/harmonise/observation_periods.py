"""Periods: intervals of one person merged where they touch; OBSERVATION_PERIOD from them."""

import datetime as dt
from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from fairhaven.harmonise.people import DAYS_AFTER_DEATH
from fairhaven.harmonise.row_ids import table_constant
from fairhaven.omop.concepts import TYPE


def merge_periods(rows: ir.Table, keys: Sequence[str], *, gap_days: int, carried: Sequence[str]) -> ir.Table:
    """Islands of intervals that are at most *gap_days* apart.

    Args:
        rows: *keys*, *carried*, ``start`` and ``end`` (dates, none NULL, end not before start), ``member`` (a number).

    Returns:
        *keys*, ``start``, ``end``, ``members`` (how many), ``uncovered`` (days inside that no interval covers), and
        ``member`` and *carried* of the member with the lowest number.
    """
    order = ("start", "end", "member")
    up_to_here = ibis.cumulative_window(group_by=keys, order_by=order)
    reached = rows.mutate(so_far=rows["end"].max().over(up_to_here))
    previous = reached["so_far"].lag().over(ibis.window(group_by=keys, order_by=order))
    reached = reached.mutate(gap=reached["start"].delta(previous, unit="day").cast("int32"))
    stepped = reached.mutate(is_new=(reached["gap"].isnull() | (reached["gap"] > gap_days)).cast("int32"))
    inside = stepped.mutate(
        island=stepped["is_new"].sum().over(up_to_here),
        inside=ibis.ifelse(stepped["is_new"] == 1, 0, ibis.greatest(stepped["gap"], 0)),
    )
    return (
        inside.group_by(*keys, "island")
        .agg(
            **{name: inside[name].argmin(inside["member"]) for name in carried},
            first=inside["start"].min(),
            last=inside["end"].max(),
            members=inside.count(),
            uncovered=inside["inside"].sum(),
            least=inside["member"].min(),
        )
        .rename(start="first", end="last", member="least")
        .drop("island")
    )


def _over(deaths: ir.Table) -> ir.Table:
    """``person_id, over``: the day on which observation of the dead ends."""
    over = (deaths["death_date"] + ibis.interval(days=DAYS_AFTER_DEATH)).cast("date")
    return deaths.select("person_id", over=over)


def begun_after_death(registrations: ir.Table, deaths: ir.Table) -> ir.Table:
    """Registrations that begin when observation is over, and so give no period."""
    return registrations.join(_over(deaths), "person_id").filter(lambda both: both["start"] > both["over"])


def observation_periods(
    registrations: ir.Table | None, seen: ir.Table | None, deaths: ir.Table | None, as_of: dt.date, rule: int
) -> ir.Table:
    """OBSERVATION_PERIOD, without overlaps: registrations where a person has some, else first to last record.

    Args:
        registrations: ``person_id, start, end`` (NULL: open), ``member, type, row_extract, row_line, row_rule``.
        seen: ``person_id, start, end, member, row_extract, row_line``: for each person, first to last record.
        rule: number of the derived rule "first to last record".
    """
    names = ["person_id", "start", "end", "member", "type", "row_extract", "row_line", "row_rule"]
    parts = [] if registrations is None else [registrations.select(*names)]
    if seen is not None:
        first_to_last = seen.mutate(
            type=ibis.literal(TYPE["algorithm from EHR"], type="int32"), row_rule=ibis.literal(rule, type="int32")
        ).select(*names)
        parts.append(first_to_last.anti_join(parts[0], "person_id") if parts else first_to_last)
    rows = ibis.union(*parts)
    last: ir.Value = ibis.literal(as_of).cast("date")
    if deaths is not None:
        rows = rows.left_join(_over(deaths), "person_id").drop("person_id_right")
        last = ibis.least(ibis.coalesce(rows["over"], last), last)
    rows = rows.mutate(end=ibis.least(ibis.coalesce(rows["end"], last), last))
    rows = rows.filter(rows["end"] >= rows["start"])
    periods = merge_periods(rows, ["person_id"], gap_days=1, carried=("type", "row_extract", "row_line", "row_rule"))
    return periods.select(
        "person_id",
        observation_period_id=periods["member"] ^ ibis.literal(table_constant("observation_period"), type="int64"),
        observation_period_start_date=periods["start"],
        observation_period_end_date=periods["end"],
        period_type_concept_id=periods["type"],
        row_extract=periods["row_extract"],
        row_line=periods["row_line"],
        row_rule=periods["row_rule"],
    )
