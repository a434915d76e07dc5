"""DocumentReference and reports with a printed form to NOTE (without their text), Coverage to PAYER_PLAN_PERIOD."""

import ibis
import ibis.expr.types as ir

from fairhaven.harmonise.fhir.rule_context import Columns, codes, dated, has_none_of, no_concept, resource_rule
from fairhaven.omop.concepts import TYPE

REFUSED_DOCUMENT = ("entered-in-error", "superseded")
REFUSED_REPORT = ("entered-in-error", "cancelled", "registered")
REFUSED_COVERAGE = ("entered-in-error", "draft")


@resource_rule(
    "document_reference",
    kind="note",
    rule="document",
    takes=lambda document: (
        has_none_of(document["status"], REFUSED_DOCUMENT)
        & has_none_of(document["document_status"], ("entered-in-error",))
    ),
)
def documents(placed: ir.Table) -> Columns:
    """Documents: when, of what class, in which visit, by whom."""
    return _note(placed, dated(placed, "date", "period_start"))


@resource_rule(
    "diagnostic_report",
    kind="note",
    rule="printed report",
    takes=lambda report: (
        has_none_of(report["status"], REFUSED_REPORT)
        & ((report["forms"] > 0) | report["has_conclusion"].fill_null(False))
    ),
)
def printed_reports(placed: ir.Table) -> Columns:
    """Reports with a printed form or a conclusion in words, like documents."""
    return _note(placed, dated(placed, "effective_start", "issued"))


def _note(placed: ir.Table, moment: ir.Value) -> Columns:
    return {
        **codes(placed),
        "date": moment.cast("date"),
        "datetime": moment.cast("timestamp(6)"),
        "type_concept_id": ibis.literal(TYPE["EHR note"], type="int32"),
    }


@resource_rule(
    "coverage",
    kind="payer_plan_period",
    takes=lambda coverage: has_none_of(coverage["status"], REFUSED_COVERAGE),
    place=lambda context, coverage: context.looked_up(coverage, "payor_id", "organization", ["name"]),
)
def coverages(placed: ir.Table) -> Columns:
    """Who pays, by name, from when to when; a cancelled coverage was one until then. Subscriber numbers have no column."""
    payer = ibis.coalesce(placed["known_name"], placed["payor_name"])
    plan = ibis.coalesce(placed["type_code_text"], placed["type_code"])
    return {
        "start_date": placed["start"].cast("date"),
        "end_date": placed["end"].cast("date"),
        "payer_concept_id": no_concept(payer),
        "payer": payer,
        "names_nothing": placed["payor_name"].isnull() & placed["refers_to_nothing"],
        "plan_concept_id": no_concept(plan),
        "plan": plan,
    }
