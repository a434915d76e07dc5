"""Condition and Procedure."""

import ibis

from fairhaven.harmonise.fhir.rule_context import RuleContext, codes, has_category, has_none_of, period, rows
from fairhaven.harmonise.generic_rows import GenericRows
from fairhaven.omop.concepts import TYPE

REFUSED_CONDITION = ("entered-in-error", "refuted")
REFUSED_PROCEDURE = ("entered-in-error", "not-done", "preparation")
PRELIMINARY = ("provisional", "differential", "unconfirmed")


def conditions(context: RuleContext) -> list[GenericRows]:
    """Conditions that were not refuted. The day of onset, else the day it was recorded.

    The status is preliminary where it is not confirmed; else it is the clinical status, of which ``resolved`` has a concept.
    """
    condition = context.tables.get("condition")
    if condition is None:
        return []
    takes = has_none_of(condition["verification_status_code"], REFUSED_CONDITION)
    placed = context.placed(condition.filter(takes))
    is_preliminary = placed["verification_status_code"].isin(PRELIMINARY).fill_null(False)
    return [
        rows(
            "event",
            "condition",
            "condition",
            placed,
            {
                **codes(placed),
                **period(ibis.coalesce(placed["onset_start"], placed["recorded"]), placed["abatement_start"]),
                "type_concept_id": ibis.cases(
                    (has_category(placed, "problem-list-item"), TYPE["EHR problem list"]),
                    (has_category(placed, "encounter-diagnosis"), TYPE["EHR encounter"]),
                    else_=TYPE["EHR"],
                ).cast("int32"),
                "status": is_preliminary.ifelse("preliminary", placed["clinical_status_code"]),
                "default_target": ibis.literal("condition_occurrence"),
            },
            takes=takes,
            target="condition_occurrence",
        )
    ]


def procedures(context: RuleContext) -> list[GenericRows]:
    """Procedures that were done, or at least begun."""
    procedure = context.tables.get("procedure")
    if procedure is None:
        return []
    takes = has_none_of(procedure["status"], REFUSED_PROCEDURE)
    placed = context.placed(procedure.filter(takes))
    return [
        rows(
            "event",
            "procedure",
            "procedure",
            placed,
            {
                **codes(placed),
                **period(placed["performed_start"], placed["performed_end"]),
                "type_concept_id": ibis.literal(TYPE["EHR"], type="int32"),
                "default_target": ibis.literal("procedure_occurrence"),
            },
            takes=takes,
            target="procedure_occurrence",
        )
    ]
