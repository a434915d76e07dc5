"""AllergyIntolerance to observations.

A code may name the allergy as a whole (SNOMED "allergy to penicillin"): then it is the observation, and the vocabulary
tells the substance (`Maps to value`). Or it names the substance alone: then the observation is the kind of allergy,
and the substance is its value, as the guide's Value-as-Concept pattern has it.
"""

import ibis
import ibis.expr.types as ir

from fairhaven.harmonise.fhir.rule_context import RuleContext, chosen, codes, has_none_of, period, rows
from fairhaven.harmonise.generic_rows import GenericRows
from fairhaven.omop.concepts import TYPE

REFUSED = ("entered-in-error", "refuted")
SUBSTANCE_VOCABULARIES = ("RxNorm", "dm+d", "NDC", "ATC", "CVX", "UNII", "NDFRT", "VANDF")
_WHOLE = "allerg|intoleranc|hypersensitiv|sensitivity to|adverse|propensity|anaphyla|\\(finding\\)|\\(disorder\\)"

ALLERGY = {"food": 4188027, "medication": 439224, "environment": 4144450, "biologic": 43530807}
"""Category of an allergy to concept: the guide's ConceptMap AllergyType."""

INTOLERANCE = {"food": 4340252, "medication": 4240582, "environment": 4172024, "biologic": 36684107}
"""Category of an intolerance to concept: the guide's ConceptMap IntoleranceType."""

ANY_ALLERGY = 43530807


def allergies(context: RuleContext) -> list[GenericRows]:
    """Allergies that were not refuted, on the day of onset, else the day recorded."""
    allergy = context.tables.get("allergy_intolerance")
    if allergy is None:
        return []
    takes = has_none_of(allergy["verification_status_code"], REFUSED)
    placed = context.placed(allergy.filter(takes))
    is_substance = _is_substance(placed)
    whole, substance = placed.filter(~is_substance), placed.filter(is_substance)
    category = substance["category"].split(" ")[0]
    kind = ibis.ifelse(substance["type"] == "intolerance", chosen(category, INTOLERANCE), chosen(category, ALLERGY))
    return [
        _rows(
            "allergy",
            whole,
            {
                **codes(whole),
                "value_code": whole["substance_code"],
                "value_vocabulary_id": whole["substance_vocabulary_id"],
            },
            takes & ~_is_substance(allergy),
        ),
        _rows(
            "allergy to substance",
            substance,
            {
                **codes(substance),
                "concept_id": ibis.coalesce(kind, ANY_ALLERGY).cast("int32"),
                "value_code": substance["code"],
                "value_vocabulary_id": substance["vocabulary_id"],
                "value_text": substance["code_text"],
            },
            takes & _is_substance(allergy),
        ),
    ]


def _is_substance(allergy: ir.Table) -> ir.BooleanValue:
    is_named_so = allergy["vocabulary_id"].isin(list(SUBSTANCE_VOCABULARIES)).fill_null(False)
    is_whole = allergy["code_text"].lower().re_search(_WHOLE).fill_null(False)
    return is_named_so | (allergy["code"].notnull() & allergy["code_text"].notnull() & ~is_whole)


def _rows(rule: str, placed: ir.Table, given: dict[str, ir.Value], takes: ir.BooleanValue) -> GenericRows:
    start = ibis.coalesce(placed["onset_start"], placed["recorded"], placed["last_occurrence"])
    return rows(
        "event",
        rule,
        "allergy_intolerance",
        placed,
        {
            **given,
            **period(start),
            "type_concept_id": ibis.literal(TYPE["EHR"], type="int32"),
            "target": ibis.literal("observation"),
        },
        takes=takes,
        target="observation",
    )
