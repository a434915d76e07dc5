"""DocumentReference and reports with a printed form to NOTE (their text stays out), Coverage to PAYER_PLAN_PERIOD."""

import ibis

from fairhaven.harmonise.fhir.rule_context import RuleContext, codes, has_none_of, rows
from fairhaven.harmonise.generic_rows import GenericRows
from fairhaven.omop.concepts import TYPE

REFUSED_DOCUMENT = ("entered-in-error", "superseded")
REFUSED_REPORT = ("entered-in-error", "cancelled", "registered")
REFUSED_COVERAGE = ("entered-in-error", "draft")


def notes(context: RuleContext) -> list[GenericRows]:
    """Documents and printed reports: when, of what class, in which visit, by whom."""
    found = []
    document = context.tables.get("document_reference")
    if document is not None:
        takes = has_none_of(document["status"], REFUSED_DOCUMENT) & has_none_of(
            document["document_status"], ("entered-in-error",)
        )
        placed = context.placed(document.filter(takes))
        moment = ibis.coalesce(placed["date"], placed["period_start"])
        given = {
            **codes(placed),
            "date": moment.cast("date"),
            "datetime": moment.cast("timestamp(6)"),
            "type_concept_id": ibis.literal(TYPE["EHR note"], type="int32"),
        }
        found.append(rows("note", "document", "document_reference", placed, given, takes=takes))
    report = context.tables.get("diagnostic_report")
    if report is not None:
        takes = has_none_of(report["status"], REFUSED_REPORT) & (report["forms"] > 0)
        placed = context.placed(report.filter(takes))
        moment = ibis.coalesce(placed["effective_start"], placed["issued"])
        given = {
            **codes(placed),
            "date": moment.cast("date"),
            "datetime": moment.cast("timestamp(6)"),
            "type_concept_id": ibis.literal(TYPE["EHR note"], type="int32"),
        }
        found.append(rows("note", "printed report", "diagnostic_report", placed, given, takes=takes))
    return found


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
