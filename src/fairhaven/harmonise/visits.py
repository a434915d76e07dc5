"""VISIT_OCCURRENCE and VISIT_DETAIL: rows that name the same visit become one."""

import datetime as dt

import ibis
import ibis.expr.types as ir

from fairhaven.engine import Engine
from fairhaven.harmonise.emptied_values import STAFF, Emptied, with_marks, without_false_ends
from fairhaven.harmonise.generic_rows import column_or_null
from fairhaven.harmonise.health_system import OF_PERSON, Places, referred, staffed
from fairhaven.harmonise.people import of_persons
from fairhaven.harmonise.row_ids import row_id, unique_ids
from fairhaven.harmonise.row_outcomes import ends_of, exclusion_reason

ORDER = ("rule", "row_key")
OF_VISITS = (*STAFF, Emptied(column="preceding_visit_ref", kept="preceding_id"))
OF_DETAILS = (
    *STAFF,
    Emptied(column="parent_ref", kept="parent_id"),
    Emptied(column="preceding_ref", kept="preceding_id"),
)
"""References of visits and of their details, beside that of a detail to its visit."""


def visits(engine: Engine, rows: ir.Table | None, who: ir.Table, kind: str, as_of: dt.date) -> ir.Table | None:
    """Merge rows of one source, person and reference: earliest start, latest end, the rest from the first row.

    Args:
        rows: gathered rows of *kind* with resolved codes; None where no rule yields any.
        kind: ``visit_occurrence`` or ``visit_detail``.

    Returns:
        kept rows: generic columns with ``id``, ``person_id``, ``ref`` (NULL where nothing refers to it), ``start_date``,
        ``start_datetime``, ``end_date``, ``end_datetime`` (an end before the start is emptied), ``concept``, resolved
        concepts, lineage.
    """
    if rows is None:
        return None
    ref = "visit_ref" if kind == "visit_occurrence" else "visit_detail_ref"
    known = of_persons(rows, who)
    starts = column_or_null(known, "start_datetime", kind)
    end, ends = ends_of(known, kind, as_of)
    known = known.mutate(
        ref=column_or_null(known, ref, kind).nullif(""),
        start_date=ibis.coalesce(column_or_null(known, "start_date", kind), starts.cast("date")),
        end_date=end,
        start_datetime=starts,
        end_datetime=ends,
        concept=ibis.coalesce(column_or_null(known, "concept_id", kind), known["resolved_concept_id"]),
    )
    known = known.mutate(start=known["start_date"])
    known = known.filter(exclusion_reason(known, as_of).isnull() & (known["ordinal"] == 0)).drop("start")
    # A row without a reference is a visit of its own.
    known = known.mutate(same=known["ref"].fill_null("\x1f" + (known["row_key"] ^ known["rule_key"]).cast("string")))
    group = [known["source"], known["person_id"], known["same"]]
    window = ibis.window(group_by=group)
    order = [known["start_date"], ibis.ifelse(known["start_datetime"].isnull(), 1, 0), known["start_datetime"]]
    merged = known.mutate(
        turn=ibis.row_number().over(group_by=group, order_by=[*order, known["rule"], known["row_key"]]),
        end_date=known["end_date"].max().over(window),
        end_datetime=known["end_datetime"].max().over(window),
        id=row_id(known, kind),
    )
    first = merged.filter(merged["turn"] == 0).drop("turn", "same")
    return unique_ids(engine, engine.keep(without_false_ends(first)), "id", ORDER)


def _period(rows: ir.Table) -> dict[str, ir.Value]:
    """Start and end of a visit; one without an end, as the CDM requires one, ends the day it starts."""
    return {
        "start_date": rows["start_date"],
        "start_datetime": rows["start_datetime"],
        "end_date": ibis.coalesce(rows["end_date"], rows["start_date"]),
        "end_datetime": rows["end_datetime"],
    }


def _columns(rows: ir.Table, kind: str, prefix: str) -> dict[str, ir.Value]:
    return {
        "person_id": rows["person_id"],
        **{f"{prefix}_{name}": value for name, value in _period(rows).items()},
        f"{prefix}_concept_id": rows["concept"],
        f"{prefix}_type_concept_id": rows["type_concept_id"],
        f"{prefix}_source_value": rows["resolved_source_value"],
        f"{prefix}_source_concept_id": rows["resolved_source_concept_id"],
        "provider_id": rows["provider_id"],
        "care_site_id": rows["care_site_id"],
        "admitted_from_concept_id": column_or_null(rows, "admitted_from_concept_id", kind),
        "admitted_from_source_value": column_or_null(rows, "admitted_from", kind),
        "discharged_to_concept_id": column_or_null(rows, "discharged_to_concept_id", kind),
        "discharged_to_source_value": column_or_null(rows, "discharged_to", kind),
        "row_extract": rows["row_extract"],
        "row_line": rows["row_line"],
        "row_rule": rows["rule"],
    }


def placed_visits(found: ir.Table, places: Places) -> ir.Table:
    """Visits with what they refer to, and the marks of `OF_VISITS`."""
    rows = referred(staffed(found, places), found, "preceding_visit_ref", "preceding_id", within=OF_PERSON)
    return with_marks(rows, OF_VISITS)


def of_a_visit(details: ir.Table, found: ir.Table) -> tuple[ir.Table, ir.Table]:
    """Details of the visits *found*, and those of none, which the CDM cannot have."""
    details = details.mutate(visit_ref=column_or_null(details, "visit_ref", "visit_detail"))
    same = [details["visit_ref"] == found["ref"], *(details[name] == found[name] for name in OF_PERSON)]
    return details.semi_join(found, same), details.anti_join(found, same)


def placed_details(details: ir.Table, found: ir.Table, places: Places) -> ir.Table:
    """Details (`of_a_visit`) with what they refer to, and the marks of `OF_DETAILS`."""
    rows = referred(staffed(details, places), found, "visit_ref", "visit_id", within=OF_PERSON)
    for ref, number in (("parent_ref", "parent_id"), ("preceding_ref", "preceding_id")):
        rows = referred(rows, details, ref, number, within=OF_PERSON)
    return with_marks(rows, OF_DETAILS)


def visit_occurrence(rows: ir.Table) -> ir.Table:
    """VISIT_OCCURRENCE of `placed_visits`."""
    return rows.select(
        visit_occurrence_id=rows["id"],
        preceding_visit_occurrence_id=rows["preceding_id"],
        **_columns(rows, "visit_occurrence", "visit"),
    )


def visit_detail(rows: ir.Table) -> ir.Table:
    """VISIT_DETAIL of `placed_details`."""
    return rows.select(
        visit_detail_id=rows["id"],
        visit_occurrence_id=rows["visit_id"],
        parent_visit_detail_id=rows["parent_id"],
        preceding_visit_detail_id=rows["preceding_id"],
        **_columns(rows, "visit_detail", "visit_detail"),
    )
