"""DocumentReference and reports with a printed form to NOTE (their text stays out), Coverage to PAYER_PLAN_PERIOD."""

import ibis
import ibis.expr.types as ir

from fairhaven.harmonise.fhir.rule_context import Columns, RuleContext, codes, has_none_of, resource_rule, rows
from fairhaven.harmonise.generic_rows import GenericRows
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
    return _note(placed, ibis.coalesce(placed["date"], placed["period_start"]))


@resource_rule(
    "diagnostic_report",
    kind="note",
    rule="printed report",
    takes=lambda report: has_none_of(report["status"], REFUSED_REPORT) & (report["forms"] > 0),
)
def printed_reports(placed: ir.Table) -> Columns:
    """Reports with a printed form, like documents."""
    return _note(placed, ibis.coalesce(placed["effective_start"], placed["issued"]))


def _note(placed: ir.Table, moment: ir.Value) -> Columns:
    return {
        **codes(placed),
        "date": moment.cast("date"),
        "datetime": moment.cast("timestamp(6)"),
        "type_concept_id": ibis.literal(TYPE["EHR note"], type="int32"),
    }


def coverages(context: RuleContext) -> list[GenericRows]:
    """Who pays, from when to when; a cancelled coverage was one until then. Subscriber numbers have no column."""
    coverage = context.tables.get("coverage")
    if coverage is None:
        return []
    takes = has_none_of(coverage["status"], REFUSED_COVERAGE)
    taken = coverage.filter(takes)
    organization = context.tables.get("organization")
    payer = ibis.coalesce(taken["type_code_text"], taken["type_code"])
    if organization is not None:
        named = organization.group_by(payer_id=organization["id"]).agg(payer_name=organization["name"].max())
        taken = taken.left_join(named, taken["payor_id"] == named["payer_id"])
        payer = ibis.coalesce(taken["payer_name"], taken["type_code_text"], taken["type_code"])
    return [
        rows(
            "payer_plan_period",
            "coverage",
            "coverage",
            taken,
            {
                "start_date": taken["start"].cast("date"),
                "end_date": taken["end"].cast("date"),
                "payer": payer,
                "plan": ibis.coalesce(taken["type_code_text"], taken["type_code"]),
            },
            takes=takes,
        )
    ]
