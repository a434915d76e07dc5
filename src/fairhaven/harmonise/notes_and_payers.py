"""NOTE without its text, PAYER_PLAN_PERIOD and CDM_SOURCE."""

import datetime as dt
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from fairhaven.engine import Engine
from fairhaven.harmonise.cdm_columns import CDM_COLUMNS
from fairhaven.harmonise.emptied_values import BEFORE_START, Emptied
from fairhaven.harmonise.generic_rows import column_or_null
from fairhaven.harmonise.row_ids import row_id
from fairhaven.identifiers.withheld import FREE_TEXT
from fairhaven.omop import concepts

CDM_VERSION = "5.4"
PAYER_END = Emptied(column="end_date", kept="end_date", reason=BEFORE_START)


@dataclass(frozen=True, kw_only=True, slots=True)
class HubFacts:
    """What a release says of the hub that made it.

    Args:
        holder: who holds the data.
        birth_date: how much of a date of birth is released: day, month or year.
        reference: where the way the data was made is described.
    """

    name: str
    abbreviation: str
    holder: str = ""
    birth_date: str = "month"
    description: str = ""
    reference: str = ""


def note_table(rows: ir.Table) -> ir.Table:
    """NOTE from placed rows with resolved codes."""
    return rows.select(
        "person_id",
        "provider_id",
        "visit_occurrence_id",
        "visit_detail_id",
        "row_extract",
        "row_line",
        "row_key",
        note_id=row_id(rows, "note"),
        note_date=rows["start"],
        note_datetime=column_or_null(rows, "datetime", "note"),
        note_type_concept_id=rows["type_concept_id"],
        note_class_concept_id=rows["resolved_concept_id"],
        note_text=ibis.literal(FREE_TEXT),
        encoding_concept_id=column_or_null(rows, "encoding_concept_id", "note").fill_null(concepts.NOTE_ENCODING_UTF8),
        language_concept_id=column_or_null(rows, "language_concept_id", "note").fill_null(concepts.LANGUAGE_ENGLISH),
        note_source_value=rows["resolved_source_value"],
        row_rule=rows["rule"],
    )


def payer_periods(rows: ir.Table) -> ir.Table:
    """Rows that know their person, with ``end_date`` where it is not before the start, and the mark of `PAYER_END`."""
    end = column_or_null(rows, "end_date", "payer_plan_period")
    is_before = (end < rows["start_date"]).fill_null(False)
    return rows.mutate(**{"end_date": is_before.ifelse(ibis.null("date"), end), PAYER_END.mark: is_before})


def payer_plan_period_table(rows: ir.Table) -> ir.Table:
    """PAYER_PLAN_PERIOD of `payer_periods`; one without an end, as the CDM requires one, ends the day it starts."""
    kind = "payer_plan_period"
    given = {column: column_or_null(rows, name, kind) for name, column in CDM_COLUMNS[kind].items()}
    start, end = given["payer_plan_period_start_date"], given["payer_plan_period_end_date"]
    return rows.select(
        "person_id",
        "row_extract",
        "row_line",
        "row_key",
        **given | {"payer_plan_period_end_date": ibis.coalesce(end, start)},
        payer_plan_period_id=row_id(rows, kind),
        row_rule=rows["rule"],
    )


def cdm_source(engine: Engine, hub: HubFacts, *, as_of: dt.date, vocabulary_version: str) -> ir.Table:
    """CDM_SOURCE: one row. The release date is the day up to which it speaks, so that a rebuild gives the same row."""
    return engine.arrow(
        pa.table(
            {
                "cdm_source_name": [hub.name[:255]],
                "cdm_source_abbreviation": [hub.abbreviation[:25]],
                "cdm_holder": [(hub.holder or hub.name)[:255]],
                "source_description": pa.array([hub.description or None], pa.string()),
                "source_documentation_reference": pa.array([hub.reference or None], pa.string()),
                "cdm_etl_reference": ["fairhaven"],
                "source_release_date": [as_of],
                "cdm_release_date": [as_of],
                "cdm_version": [CDM_VERSION],
                "cdm_version_concept_id": [concepts.CDM_VERSION_CONCEPT],
                "vocabulary_version": [(vocabulary_version or "none")[:20]],
            }
        )
    )
