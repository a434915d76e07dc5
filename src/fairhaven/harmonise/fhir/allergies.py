"""AllergyIntolerance to observations.

A code may name the allergy as a whole (SNOMED "allergy to penicillin"): then it is the observation, and the vocabulary
has the substance (`Maps to value`). Or it names the substance alone: then the observation is the kind of allergy,
and the substance is its value, as the guide's Value-as-Concept pattern has it.
"""

import ibis
import ibis.expr.types as ir

from fairhaven.harmonise.fhir.rule_context import Columns, chosen, codes, dated, has_none_of, period, resource_rule
from fairhaven.omop.concepts import TYPE

REFUSED = ("entered-in-error", "refuted")
SUBSTANCE_VOCABULARIES = ("RxNorm", "dm+d", "NDC", "ATC", "CVX", "UNII", "NDFRT", "VANDF")
_WHOLE = "allerg|intoleranc|hypersensitiv|sensitivity to|adverse|propensity|anaphyla|\\(finding\\)|\\(disorder\\)"

ALLERGY = {"food": 4188027, "medication": 439224, "environment": 4144450, "biologic": 43530807}
"""Category of an allergy to concept: the guide's ConceptMap AllergyType."""

INTOLERANCE = {"food": 4340252, "medication": 4240582, "environment": 4172024, "biologic": 36684107}
"""Category of an intolerance to concept: the guide's ConceptMap IntoleranceType."""

ANY_ALLERGY = 43530807

CLINICAL_STATUS = {"active": "55561003", "inactive": "73425007", "resolved": "413322009"}
"""AllergyIntolerance.clinicalStatus to SNOMED CT: it qualifies the observation, for somebody who is no longer allergic was."""


@resource_rule(
    "allergy_intolerance",
    rule="allergy",
    takes=lambda allergy: _is_held(allergy) & ~_is_substance(allergy),
    target="observation",
)
def allergies(placed: ir.Table) -> Columns:
    """Allergies that were not refuted, on the day of onset, else the day recorded."""
    return {
        **codes(placed),
        **_observed(placed),
        "value_code": placed["substance_code"],
        "value_vocabulary_id": placed["substance_vocabulary_id"],
    }


@resource_rule(
    "allergy_intolerance",
    rule="allergy to substance",
    takes=lambda allergy: _is_held(allergy) & _is_substance(allergy),
    target="observation",
)
def allergies_to_substances(placed: ir.Table) -> Columns:
    """The same, where the code names the substance."""
    category = placed["category"].split(" ")[0]
    kind = ibis.ifelse(placed["type"] == "intolerance", chosen(category, INTOLERANCE), chosen(category, ALLERGY))
    return {
        **codes(placed),
        **_observed(placed),
        "concept_id": ibis.coalesce(kind, ANY_ALLERGY).cast("int32"),
        "value_code": placed["code"],
        "value_vocabulary_id": placed["vocabulary_id"],
        "value_text": placed["code_text"],
    }


def _is_held(allergy: ir.Table) -> ir.BooleanValue:
    return has_none_of(allergy["verification_status_code"], REFUSED)


def _is_substance(allergy: ir.Table) -> ir.BooleanValue:
    is_named_so = allergy["vocabulary_id"].isin(list(SUBSTANCE_VOCABULARIES)).fill_null(False)
    is_whole = allergy["code_text"].lower().re_search(_WHOLE).fill_null(False)
    return is_named_so | (allergy["code"].notnull() & allergy["code_text"].notnull() & ~is_whole)


def _observed(placed: ir.Table) -> Columns:
    status = chosen(placed["clinical_status_code"], CLINICAL_STATUS)
    return {
        **period(dated(placed, "onset_start", "recorded", "last_occurrence")),
        "qualifier": status,
        "qualifier_vocabulary_id": ibis.ifelse(status.notnull(), "SNOMED", ibis.null("string")),
        "qualifier_source_value": placed["clinical_status_code"],
        "type_concept_id": ibis.literal(TYPE["EHR"], type="int32"),
        "target": ibis.literal("observation"),
    }
