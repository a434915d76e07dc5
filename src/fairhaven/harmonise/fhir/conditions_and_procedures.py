"""Condition and Procedure."""

import ibis
import ibis.expr.types as ir

from fairhaven.harmonise.fhir.rule_context import (
    Columns,
    codes,
    dated,
    has_category,
    has_none_of,
    period,
    resource_rule,
)
from fairhaven.omop.concepts import TYPE

REFUSED_CONDITION = ("entered-in-error", "refuted")
REFUSED_PROCEDURE = ("entered-in-error", "not-done", "preparation")
PRELIMINARY = ("provisional", "differential", "unconfirmed")


@resource_rule(
    "condition",
    takes=lambda condition: has_none_of(condition["verification_status_code"], REFUSED_CONDITION),
    target="condition_occurrence",
)
def conditions(placed: ir.Table) -> Columns:
    """Conditions that were not refuted. The day of onset, else the day it was recorded.

    The status is the verification where that says that it is not confirmed; else the clinical status, of which ``resolved`` has a concept.
    """
    verification = placed["verification_status_code"]
    return {
        **codes(placed),
        **period(dated(placed, "onset_start", "recorded"), placed["abatement_start"], placed["abatement_length"]),
        "type_concept_id": ibis.cases(
            (has_category(placed, "problem-list-item"), TYPE["EHR problem list"]),
            (has_category(placed, "encounter-diagnosis"), TYPE["EHR encounter"]),
            else_=TYPE["EHR"],
        ).cast("int32"),
        "status": verification.isin(PRELIMINARY).fill_null(False).ifelse(verification, placed["clinical_status_code"]),
        "default_target": ibis.literal("condition_occurrence"),
    }


@resource_rule(
    "procedure",
    takes=lambda procedure: has_none_of(procedure["status"], REFUSED_PROCEDURE),
    target="procedure_occurrence",
)
def procedures(placed: ir.Table) -> Columns:
    """Procedures that were done, or at least begun."""
    return {
        **codes(placed),
        **period(dated(placed, "performed_start"), placed["performed_end"], placed["performed_end_length"]),
        "type_concept_id": ibis.literal(TYPE["EHR"], type="int32"),
        "default_target": ibis.literal("procedure_occurrence"),
    }
