"""Third pass: the events of each criterion that is rows of one table; all criteria of a table in a few scans of it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from fairhaven.cohort.domains import DOMAINS, DomainFacts
from fairhaven.cohort.engines.relational.fields import POINTED_TO, own_field, with_derived
from fairhaven.cohort.engines.relational.filters import Filters, filters_of
from fairhaven.cohort.engines.relational.parts import EraSet, Scan
from fairhaven.cohort.engines.relational.temporary_tables import TemporaryTables
from fairhaven.cohort.event_dates import day_number, end_day, start_day
from fairhaven.cohort.model import DateField, Domain

EVENT_COLUMNS = (
    "criterion",
    "person_id",
    "event_id",
    "start_date",
    "end_date",
    "sort_date",
    "visit_occurrence_id",
    "counted",
)
"""Of every table of events: days as numbers; `sort_date` orders the events of a person, `counted` is what some occurrence
counts the different values of."""

OF_EVENT = ("start_date", "end_date", "days", "visit_occurrence_id")
"""What can be counted of an event that is no column of its table, or is read anyway."""


@dataclass(frozen=True, slots=True)
class CriterionShape:
    """Criteria of one shape differ in numbers only: one query does them all."""

    domain: Domain
    has_concepts: bool
    has_source_concepts: bool
    is_first: bool
    is_filtered: bool
    counted: str | None


def scans(
    criteria: Mapping[int, Scan], tables: Mapping[str, ir.Table], members: ir.Table, temporary: TemporaryTables
) -> dict[CriterionShape, tuple[frozenset[int], ir.Table]]:
    """The events of criteria.

    Args:
        criteria: by number.
        tables: with all that the criteria need (`required_columns.fit_tables`).
        members: see `concept_sets.concept_set_members`.

    Returns:
        for each shape the criteria's numbers and a kept table of `EVENT_COLUMNS`.
    """
    shapes: defaultdict[CriterionShape, dict[int, Scan]] = defaultdict(dict)
    for number, scan in criteria.items():
        shapes[_shape(scan)][number] = scan
    return {
        shape: (frozenset(alike), temporary.keep(_events(shape, alike, tables, members, temporary)))
        for shape, alike in shapes.items()
    }


def _shape(scan: Scan) -> CriterionShape:
    return CriterionShape(
        domain=scan.domain,
        has_concepts=scan.concepts is not None,
        has_source_concepts=scan.source_concepts is not None,
        is_first=scan.first,
        is_filtered=bool(scan.filters or scan.dates or scan.period),
        counted=scan.counted,
    )


def _events(
    shape: CriterionShape,
    criteria: Mapping[int, Scan],
    tables: Mapping[str, ir.Table],
    members: ir.Table,
    temporary: TemporaryTables,
) -> ir.Table:
    facts = DOMAINS[shape.domain]
    filters = filters_of(scan.filters for scan in criteria.values())
    rows = _rows(shape, facts, filters, tables)
    asked = _asked(criteria, filters, temporary)
    events = _of_concepts(shape, rows, asked, members)
    if shape.is_first:
        window = ibis.window(
            group_by=[events.criterion, events.person_id], order_by=[events.start_date, events.event_id]
        )
        events = events.mutate(place=ibis.row_number().over(window))
        events = events.filter(events.place == 0)
    events = adjusted(events, list(criteria.values()))
    events = events.mutate(sort_date=events.start_date)
    events = filters.where(with_derived(events, filters.fields, tables), members)
    events = _in_period(events, list(criteria.values()))
    return counted_as(events, shape.counted).select(EVENT_COLUMNS)


def _rows(shape: CriterionShape, facts: DomainFacts, filters: Filters, tables: Mapping[str, ir.Table]) -> ir.Table:
    """The table's rows with the columns that the criteria need, days as numbers."""
    table = tables[shape.domain]
    nothing = ibis.null("int64")
    columns: dict[str, ir.Value] = {
        "person_id": table.person_id.cast("int64"),
        "event_id": table[facts.key].cast("int64"),
        "start_date": start_day(shape.domain, table),
        "end_date": end_day(shape.domain, table),
        "visit_occurrence_id": table.visit_occurrence_id.cast("int64") if facts.visit else nothing,
    }
    if shape.has_concepts:
        columns["held_concept"] = table[facts.concept or ""].cast("int64")
    if shape.has_source_concepts:
        columns["held_source"] = table[facts.source_concept or ""].cast("int64")
    if shape.counted is not None and shape.counted not in OF_EVENT:
        columns["counted_value"] = _counted_column(table, facts, shape)
    own = {name: own_field(table, name) for name in filters.fields if facts.fields[name].via is None}
    keys = {key: table[key] for name, (_, key) in POINTED_TO.items() if name in filters.fields}
    return table.select(**columns, **own, **keys)


def _counted_column(table: ir.Table, facts: DomainFacts, shape: CriterionShape) -> ir.Value:
    if shape.counted != "concept_id":
        return table[shape.counted or ""]
    concept = table[facts.concept or ""]
    # A death without a known cause has the cause "no matching concept".
    return concept.fill_null(0) if shape.domain is Domain.DEATH else concept


def _asked(criteria: Mapping[int, Scan], filters: Filters, temporary: TemporaryTables) -> ir.Table:
    """The parameters of the criteria, one row each."""
    rows = [
        {"criterion": number, "concepts": scan.concepts, "source_concepts": scan.source_concepts}
        | parameters(scan)
        | _period_parameters(scan)
        | filtered
        for (number, scan), filtered in zip(criteria.items(), filters.rows, strict=True)
    ]
    whole = dict.fromkeys(("criterion", "concepts", "source_concepts", "period_start", "period_end"), "whole")
    return temporary.parameters(rows, whole | PARAMETERS | filters.schema)


PARAMETERS = {
    "start_of_end": "flag",
    "start_add": "whole",
    "end_of_end": "flag",
    "end_add": "whole",
    "forwards": "flag",
}


def parameters(scan: Scan | EraSet) -> dict[str, object]:
    """The adjustment of dates as parameters; nothing where there is none."""
    if scan.dates is None:
        return {}
    return {
        "start_of_end": scan.dates.start is DateField.END,
        "start_add": scan.dates.start_days,
        "end_of_end": scan.dates.end is DateField.END,
        "end_add": scan.dates.end_days,
        "forwards": not (isinstance(scan, Scan) and scan.backwards),
    }


def _period_parameters(scan: Scan) -> dict[str, object]:
    if scan.period is None:
        return {}
    start, end = scan.period.start, scan.period.end
    return {
        "period_start": None if start is None else day_number(start),
        "period_end": None if end is None else day_number(end),
    }


def _of_concepts(shape: CriterionShape, rows: ir.Table, asked: ir.Table, members: ir.Table) -> ir.Table:
    """Each row once for each criterion whose concepts it has."""
    if not shape.has_concepts and not shape.has_source_concepts:
        return rows.cross_join(asked)
    by_own = "concepts" if shape.has_concepts else "source_concepts"
    own = "held_concept" if shape.has_concepts else "held_source"
    wanted = asked.join(members, [(by_own, "concept_set")]).drop("concept_set")
    events = rows.join(wanted, [(own, "concept_id")]).drop("concept_id")
    if shape.has_concepts and shape.has_source_concepts:
        events = events.semi_join(members, [("source_concepts", "concept_set"), ("held_source", "concept_id")])
    return events


def adjusted(events: ir.Table, criteria: list[Scan] | list[EraSet]) -> ir.Table:
    """Events with the dates that their criteria ask for."""
    if all(each.dates is None for each in criteria):
        return events
    is_asked = events.start_add.notnull()
    start = ibis.ifelse(events.start_of_end, events.end_date, events.start_date) + events.start_add
    end = ibis.ifelse(events.end_of_end, events.end_date, events.start_date) + events.end_add
    events = events.mutate(
        start_date=ibis.ifelse(is_asked, start, events.start_date), end_date=ibis.ifelse(is_asked, end, events.end_date)
    )
    return events.filter(~events.forwards.fill_null(False) | (events.end_date >= events.start_date))


def _in_period(events: ir.Table, criteria: list[Scan]) -> ir.Table:
    """Periods that contain the dates asked for, with these dates in place of their own."""
    if all(each.period is None for each in criteria):
        return events
    for asked in (events.period_start, events.period_end):
        events = events.filter(asked.isnull() | ((events.start_date <= asked) & (events.end_date >= asked)))
    return events.mutate(
        start_date=events.period_start.fill_null(events.start_date),
        end_date=events.period_end.fill_null(events.end_date),
    )


def counted_as(events: ir.Table, counted: str | None) -> ir.Table:
    """Events with the column that is counted, as a number."""
    if counted is None:
        value: ir.Value = ibis.null("float64")
    elif counted == "days":
        value = events.end_date - events.start_date
    elif counted in OF_EVENT:
        value = events[counted]
    else:
        value = events.counted_value
    return events.mutate(counted=value.cast("float64"))
