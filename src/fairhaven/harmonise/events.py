"""Event rows of all rules as one kept table: person, concepts, visit and outcome known, not yet parted by CDM table."""

import datetime as dt
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from fairhaven.engine import Engine
from fairhaven.harmonise.code_mapping import with_concepts, with_further_concept
from fairhaven.harmonise.emptied_values import Emptied, with_marks, without_false_ends
from fairhaven.harmonise.generic_rows import column_or_null
from fairhaven.harmonise.health_system import OF_PERSON, Places, referred
from fairhaven.harmonise.people import People
from fairhaven.harmonise.row_outcomes import ends_of, exclusion_reason, number_of

FURTHER_CODES = (
    ("value_code", "value_vocabulary_id"),
    ("route", "route_vocabulary_id"),
    ("qualifier", "qualifier_vocabulary_id"),
    ("anatomic_site", "anatomic_site_vocabulary_id"),
)
"""Columns of an event that hold a code beside the event's own, each with its vocabulary."""

PLACED = ("person_id", "visit_occurrence_id", "visit_detail_id", "provider_id")
"""What `place_rows` finds."""

REFERENCES = (
    Emptied(column="visit_ref", kept="visit_occurrence_id"),
    Emptied(column="visit_detail_ref", kept="visit_detail_id"),
    Emptied(column="provider_ref", kept="provider_id"),
)
"""What `place_rows` looks up beside the person."""

_REPLACED = (
    "source",
    "patient_ref",
    "visit_ref",
    "visit_detail_ref",
    "provider_ref",
    "care_site_ref",
    "value_vocabulary_id",
    "route_vocabulary_id",
    "qualifier_vocabulary_id",
    "anatomic_site_vocabulary_id",
    "target",
    "default_target",
    "resolved_table",
    "resolved_concept_id",
    "resolved_source_concept_id",
    "resolved_source_value",
    "resolved_vocabulary_id",
    "resolved_is_remapped",
    "resolved_is_mended",
    "resolved_is_damaged",
    "maps_to_value",
    "maps_to_unit",
    "value_code_concept",
    "start",
    "stated_end",
)


@dataclass(frozen=True, kw_only=True)
class EventContext:
    """What rows of events and notes are joined with."""

    people: People
    visits: ir.Table | None
    details: ir.Table | None
    places: Places


def place_rows(rows: ir.Table, context: EventContext) -> ir.Table:
    """Rows with the columns of `PLACED`, ``birth_year``, the marks of `REFERENCES`, and what they are compared with (`referred`)."""
    who = context.people.who.rename(who_source="source", who_ref="patient_ref")
    joined = rows.left_join(who, [rows["source"] == who["who_source"], rows["patient_ref"] == who["who_ref"]])
    joined = referred(joined, context.visits, "visit_ref", "visit_occurrence_id", within=OF_PERSON)
    joined = referred(joined, context.details, "visit_detail_ref", "visit_detail_id", within=OF_PERSON)
    return with_marks(referred(joined, context.places.providers, "provider_ref", "provider_id"), REFERENCES)


def events(
    engine: Engine,
    rows: ir.Table,
    resolved: ir.Table | None,
    context: EventContext,
    as_of: dt.date,
) -> ir.Table:
    """The kept table of events.

    Args:
        rows: gathered event rows.
        resolved: from `code_mapping.resolve_codes`.

    Returns:
        generic columns that some rule gives, ``start_date`` and ``end_date`` filled, ``concept_id``,
        ``source_concept_id``, ``source_value``, ``vocabulary_id``, ``value_concept_id``, the ids of `place_rows`, the marks of
        what was emptied, ``is_code_mended`` and ``is_code_damaged`` (by a spreadsheet), ``birth_days`` (`_birth_days`), and ``outcome``: the
        CDM table, or why there is none.
    """
    starts = column_or_null(rows, "start_datetime", "event")
    start = ibis.coalesce(column_or_null(rows, "start_date", "event"), starts.cast("date"))
    end, ends = ends_of(rows, "event", as_of)
    dated = rows.mutate(start=start, start_date=start, start_datetime=starts, stated_end=end, end_datetime=ends)
    dated = without_false_ends(dated, "stated_end")
    coded = with_concepts(dated, resolved)
    joined = place_rows(coded, context)
    looked_up = [(code, name) for code, name in FURTHER_CODES if code in rows.columns]
    for code, name in looked_up:
        assert resolved is not None
        joined = with_further_concept(joined, code, name, resolved)
    given = column_or_null(joined, "value_concept_id", "event")
    coded_value = joined["value_code_concept"] if "value_code" in rows.columns else ibis.null("int32")
    unit_is_given = column_or_null(joined, "unit", "event").notnull()
    made = {
        "outcome": ibis.coalesce(exclusion_reason(joined, as_of), _table(joined)),
        "verbatim_end_date": _verbatim_end(joined, "stated_end"),
        "birth_days": _birth_days(joined),
        # 0 where a value was said for which there is no standard concept, as of other further codes.
        "value_concept_id": ibis.coalesce(
            given.nullif(0), coded_value.nullif(0), joined["maps_to_value"], given, coded_value
        ),
        "unit_concept_id": ibis.coalesce(
            column_or_null(joined, "unit_concept_id", "event"),
            unit_is_given.ifelse(ibis.null("int32"), joined["maps_to_unit"]),
        ),
        "is_code_mended": joined["resolved_is_mended"],
        "is_code_damaged": joined["resolved_is_damaged"],
        "concept_id": joined["resolved_concept_id"],
        "source_concept_id": joined["resolved_source_concept_id"],
        "source_value": joined["resolved_source_value"],
        "vocabulary_id": joined["resolved_vocabulary_id"],
    }
    marks = (each.mark for each in REFERENCES)
    names = (*coded.columns, *PLACED, *marks, *(f"{code}_concept" for code, _ in looked_up))
    return engine.keep(joined.select(*[name for name in names if name not in {*_REPLACED, *made}], **made))


def _verbatim_end(rows: ir.Table, stated: str) -> ir.Value:
    """The end as the source states it, though it be before the start; of a CDM what it says itself, even where it says nothing."""
    said = column_or_null(rows, "verbatim_end_date", "event")
    either = ibis.coalesce(said, rows[stated])
    return rows["is_cdm"].fill_null(False).ifelse(said, either) if "is_cdm" in rows.columns else either


def _birth_days(rows: ir.Table) -> ir.Value:
    """Days within which the birth is, of a CDM's row that begins with them and whose end is not the source's own words; else NULL.

    Such a start may be the birth, cut to the hub's precision, and such an end what an ETL counted from the day itself.
    """
    nothing = ibis.null("int32")
    if "is_cdm" not in rows.columns:
        return nothing
    start, born = rows["start_date"], rows["born"]
    is_year = born % 10_000 == 0
    begins = number_of(start) == born + is_year.ifelse(101, 1)
    is_counted = ~(column_or_null(rows, "verbatim_end_date", "event") == rows["end_date"]).fill_null(False)
    is_told = (rows["is_cdm"] & begins & is_counted).fill_null(False)
    return is_told.ifelse(is_year.ifelse(366, 31).cast("int32"), nothing)


def _table(rows: ir.Table) -> ir.StringValue:
    """The table that the rule fixes, else that of the concept's domain, else that of unmapped codes.

    A row of a CDM is where it was, unless its concept gave way to another.
    """
    target, default = (column_or_null(rows, name, "event").nullif("") for name in ("target", "default_target"))
    if "is_cdm" in rows.columns:
        has_moved = rows["is_cdm"].fill_null(False) & rows["resolved_is_remapped"] & rows["resolved_table"].notnull()
        target = has_moved.ifelse(ibis.null("string"), target)
    return ibis.coalesce(target, rows["resolved_table"], default, "observation")
