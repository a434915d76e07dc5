"""Sixth pass: which entry events meet all rules, when each stay ends, and how stays become eras."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import ibis
import ibis.expr.types as ir

from fairhaven.cohort.engines.relational.era_events import collapse_eras
from fairhaven.cohort.engines.relational.index_events import limit_events
from fairhaven.cohort.engines.relational.parts import Cohort
from fairhaven.cohort.engines.relational.temporary_tables import TemporaryTables, union_all
from fairhaven.cohort.event_dates import FAR, date_of_day, day_number
from fairhaven.cohort.model import DateField, DateOffset, Limit, UserPeriod

INCLUDED = ("cohort", "person_id", "event_id", "start_date", "end_date", "op_start_date", "op_end_date")
_STAY = ["cohort", "person_id", "event_id", "ends"]


def included_events(
    cohorts: Mapping[int, Cohort], index: ir.Table, met: ir.Table | None, temporary: TemporaryTables
) -> ir.Table:
    """The events that meet all rules of their definition, limited.

    Args:
        met: the events that meet each rule's condition; None where no definition has a rule.

    Returns:
        a kept table `INCLUDED`.
    """
    wanted = temporary.parameters(
        [
            {
                "cohort": number,
                "index": each.index,
                "needed": len(each.rules),
                "one": each.limit is not Limit.ALL,
                "sign": -1 if each.limit is Limit.LAST else 1,
            }
            for number, each in cohorts.items()
        ],
        dict.fromkeys(("cohort", "index", "needed", "sign"), "whole") | {"one": "flag"},
    )
    events = index.join(wanted, "index")
    passing = [events.filter(events.needed == 0).select(*INCLUDED, "one", "sign")]
    if met is not None:
        rules = temporary.parameters(
            [{"cohort": number, "condition": rule} for number, each in cohorts.items() for rule in each.rules],
            {"cohort": "whole", "condition": "whole"},
        )
        held = met.join(rules, "condition")
        held = held.group_by(["cohort", "person_id", "event_id"]).agg(held=held.count())
        judged = events.join(held, ["cohort", "person_id", "event_id"])
        passing.append(judged.filter(judged.held == judged.needed).select(*INCLUDED, "one", "sign"))
    return temporary.keep(limit_events(union_all(passing), by="cohort").select(INCLUDED))


def cohort_periods(
    cohorts: Mapping[int, Cohort],
    events: ir.Table,
    criteria: Callable[[Iterable[int]], ir.Table],
    temporary: TemporaryTables,
) -> ir.Table:
    """The stays of each person as the definition wants them.

    Args:
        events: see `included_events`.
        criteria: gives the events of criteria by number.

    Returns:
        ``cohort_definition_id``, ``subject_id``, ``cohort_start_date``, ``cohort_end_date``.
    """
    wanted = temporary.parameters([_exit(number, each) for number, each in cohorts.items()], _EXIT)
    staying = events.join(wanted, "cohort")
    offset = ibis.ifelse(staying.of_end, staying.end_date, staying.start_date) + staying.add
    is_observed_to_end = staying.add.isnull() | (offset > staying.op_end_date)
    ends = [staying.mutate(ends=ibis.ifelse(is_observed_to_end, staying.op_end_date, offset)).select(_STAY)]
    by_drug = [(number, each.drug_eras) for number, each in cohorts.items() if each.drug_eras is not None]
    if by_drug:
        pairs = _pairs(by_drug, criteria, events, temporary)
        within = pairs.filter(pairs.start_date >= pairs.other_start, pairs.start_date <= pairs.other_end)
        ends.append(within.mutate(ends=within.other_end).select(_STAY))
    by_event = [(number, criterion) for number, each in cohorts.items() for criterion in each.censoring]
    if by_event:
        pairs = _pairs(by_event, criteria, events, temporary)
        within = pairs.filter(pairs.other_start >= pairs.start_date, pairs.other_start <= pairs.op_end_date)
        ends.append(within.mutate(ends=within.other_start).select(_STAY))
    left = events.join(union_all(ends), ["cohort", "person_id", "event_id"])
    left = left.filter(left.ends >= left.start_date)
    left = left.group_by(["cohort", "person_id", "event_id", "start_date"]).agg(end_date=left.ends.min())
    padded = left.join(wanted, "cohort")
    padded = padded.mutate(end_date=padded.end_date + padded.gap_days)
    joined = collapse_eras(padded.select("cohort", "person_id", "start_date", "end_date"), ["cohort", "person_id"])
    joined = joined.join(wanted, "cohort")
    cut = joined.mutate(
        start_date=ibis.greatest(joined.start_date, joined.window_start),
        end_date=ibis.least(joined.end_date - joined.gap_days, joined.window_end),
    )
    cut = cut.filter(~cut.is_cut | (cut.start_date <= cut.end_date))
    return cut.select(
        cohort_definition_id=cut.cohort,
        subject_id=cut.person_id,
        cohort_start_date=date_of_day(cut.start_date),
        cohort_end_date=date_of_day(cut.end_date),
    )


_EXIT = dict.fromkeys(("cohort", "add", "gap_days", "window_start", "window_end"), "whole") | {
    "of_end": "flag",
    "is_cut": "flag",
}


def _exit(number: int, each: Cohort) -> dict[str, object]:
    window = each.window or UserPeriod()
    row: dict[str, object] = {
        "cohort": number,
        "gap_days": each.gap_days,
        "of_end": False,
        "is_cut": each.window is not None,
        "window_start": -FAR if window.start is None else day_number(window.start),
        "window_end": FAR if window.end is None else day_number(window.end),
    }
    if isinstance(each.exit, DateOffset):
        row |= {"add": each.exit.days, "of_end": each.exit.date is DateField.END}
    return row


def _pairs(
    wanted: Sequence[tuple[int, int]],
    criteria: Callable[[Iterable[int]], ir.Table],
    events: ir.Table,
    temporary: TemporaryTables,
) -> ir.Table:
    """Included events beside the events that may end their stay.

    Args:
        wanted: cohort and criterion.
    """
    asked = temporary.parameters(
        [{"cohort": number, "criterion": criterion} for number, criterion in wanted],
        {"cohort": "whole", "criterion": "whole"},
    )
    others = criteria(criterion for _, criterion in wanted)
    other = others.select("criterion", "person_id", other_start=others.start_date, other_end=others.end_date)
    return events.join(asked, "cohort").join(other, ["criterion", "person_id"])
