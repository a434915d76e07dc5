"""Event rows of all rules as one kept table: person, concepts, visit and outcome known, not yet parted by CDM table."""

import datetime as dt
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from fairhaven.engine import Engine
from fairhaven.harmonise.code_mapping import VocabularyTables, look_up_concepts, with_concepts
from fairhaven.harmonise.generic_rows import column_or_null
from fairhaven.harmonise.health_system import OF_PERSON, Places, referred
from fairhaven.harmonise.people import People
from fairhaven.harmonise.row_outcomes import exclusion_reason

_FURTHER_CODES = (
    ("value_code", "value_vocabulary_id"),
    ("route", "route_vocabulary_id"),
    ("qualifier", "qualifier_vocabulary_id"),
    ("anatomic_site", "anatomic_site_vocabulary_id"),
)
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
    "maps_to_value",
    "value_code_concept",
    "why_not",
)


@dataclass(frozen=True, kw_only=True)
class EventContext:
    """What rows of events and notes are joined with."""

    people: People
    visits: ir.Table | None
    details: ir.Table | None
    places: Places


def place_rows(rows: ir.Table, context: EventContext, as_of: dt.date) -> ir.Table:
    """Rows with ``person_id``, ``visit_occurrence_id``, ``visit_detail_id``, ``provider_id`` and ``why_not``.

    Args:
        rows: gathered rows with a column ``start``, the date that is judged.

    ``why_not`` is the `row_outcomes.exclusion_reason`.
    """
    who = context.people.who.rename(who_source="source", who_ref="patient_ref")
    joined = rows.left_join(who, [rows["source"] == who["who_source"], rows["patient_ref"] == who["who_ref"]])
    joined = joined.drop("who_source", "who_ref")
    joined = referred(joined, context.visits, "visit_ref", "visit_occurrence_id", within=OF_PERSON)
    joined = referred(joined, context.details, "visit_detail_ref", "visit_detail_id", within=OF_PERSON)
    joined = referred(joined, context.places.providers, "provider_ref", "provider_id")
    return joined.mutate(why_not=exclusion_reason(joined, as_of)).drop("birth_year")


def events(
    engine: Engine,
    rows: ir.Table,
    resolved: ir.Table | None,
    context: EventContext,
    vocabulary: VocabularyTables,
    local: pa.Table | None,
    as_of: dt.date,
) -> ir.Table:
    """The kept table of events.

    Args:
        rows: gathered event rows.
        resolved: from `code_mapping.resolve_codes`.

    Returns:
        generic columns that some rule gives, ``start_date`` and ``end_date`` filled, ``concept_id``,
        ``source_concept_id``, ``source_value``, ``vocabulary_id``, ``value_concept_id``, the ids of `place_rows`, and
        ``outcome``: the CDM table, or why there is none.
    """
    starts, ends = column_or_null(rows, "start_datetime", "event"), column_or_null(rows, "end_datetime", "event")
    start = ibis.coalesce(column_or_null(rows, "start_date", "event"), starts.cast("date"))
    end = ibis.coalesce(column_or_null(rows, "end_date", "event"), ends.cast("date"))
    # An end before its start cannot both be true; the start is what the row is found by, so the end goes.
    is_backwards = (end < start).fill_null(False)
    dated = rows.mutate(
        start=start,
        start_date=start,
        start_datetime=starts,
        end_date=is_backwards.ifelse(ibis.null("date"), end),
        end_datetime=is_backwards.ifelse(ibis.null("timestamp(6)"), ends),
        is_end_dropped=is_backwards,
    )
    joined = place_rows(with_concepts(dated, resolved), context, as_of).drop("start")
    for code, name in _FURTHER_CODES:
        if code in joined.columns:
            joined = _with_concept(engine, joined, rows, code, name, vocabulary, local)
    given = column_or_null(joined, "value_concept_id", "event")
    looked_up = joined["value_code_concept"] if "value_code_concept" in joined.columns else ibis.null("int32")
    joined = joined.mutate(
        outcome=ibis.coalesce(joined["why_not"], _table(joined)),
        value_concept_id=ibis.coalesce(given.nullif(0), looked_up.nullif(0), joined["maps_to_value"], given),
        concept_id=joined["resolved_concept_id"],
        source_concept_id=joined["resolved_source_concept_id"],
        source_value=joined["resolved_source_value"],
        vocabulary_id=joined["resolved_vocabulary_id"],
    )
    return engine.keep(joined.drop(*[name for name in _REPLACED if name in joined.columns]))


def _with_concept(
    engine: Engine,
    joined: ir.Table,
    rows: ir.Table,
    code: str,
    vocabulary_id: str,
    vocabulary: VocabularyTables,
    local: pa.Table | None,
) -> ir.Table:
    """With ``<code>_concept``."""
    found = look_up_concepts(engine, rows, code, vocabulary_id, vocabulary, local)
    joined = joined.mutate(named=column_or_null(joined, vocabulary_id, "event").fill_null(""))
    same = [joined[code] == found[f"{code}_key"], joined["named"] == found[f"{code}_vocabulary"]]
    return joined.left_join(found, same).drop(f"{code}_key", f"{code}_vocabulary", "named")


def _table(rows: ir.Table) -> ir.StringValue:
    """The table that the rule fixes, else that of the concept's domain, else that of unmapped codes.

    A row of a CDM is where it was, unless its concept gave way to another.
    """
    target, default = (column_or_null(rows, name, "event").nullif("") for name in ("target", "default_target"))
    if "is_cdm" in rows.columns:
        has_moved = rows["is_cdm"].fill_null(False) & rows["resolved_is_remapped"] & rows["resolved_table"].notnull()
        target = has_moved.ifelse(ibis.null("string"), target)
    return ibis.coalesce(target, rows["resolved_table"], default, "observation")
