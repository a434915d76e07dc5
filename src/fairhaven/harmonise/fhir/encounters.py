"""Encounter to VISIT_OCCURRENCE, and to VISIT_DETAIL where it is part of another encounter."""

import ibis
import ibis.expr.types as ir

from fairhaven.harmonise.fhir.rule_context import (
    REFUSED_ENCOUNTER,
    RuleContext,
    chosen,
    codes,
    has_none_of,
    period,
    rows,
)
from fairhaven.harmonise.generic_rows import GenericRows
from fairhaven.omop.concepts import TYPE

CLASS = {
    "IMP": 9201,
    "ACUTE": 9201,
    "NONAC": 9201,
    "SS": 9201,
    "AMB": 9202,
    "EMER": 9203,
    "OBSENC": 262,
    "VR": 722455,
    "HH": 581476,
    # Words of FHIR before v3-ActCode, which Synthea and others still write.
    "inpatient": 9201,
    "daytime": 9201,
    "outpatient": 9202,
    "ambulatory": 9202,
    "wellness": 9202,
    "emergency": 9203,
    "urgentcare": 8782,
    "virtual": 722455,
    "home": 581476,
    "snf": 8863,
    "hospice": 8546,
}
"""Encounter.class to visit concept: the guide's ConceptMap EncounterClass (v3-ActCode), the inpatient kinds it omits, and words for a class."""

ADMITTED_FROM = {
    "hosp-trans": 38004515,
    "emd": 8870,
    "outp": 8756,
    "born": 38004515,
    "gp": 581477,
    "mp": 581477,
    "nursing": 8676,
    "psych": 8971,
    "rehab": 38004254,
}
"""Encounter.hospitalization.admitSource: the guide's ConceptMap EncounterAdmitSource, with the standard concept where its own is none
(an office), and an emergency room where the guide's first version has a unit."""

DISCHARGED_TO = {
    "home": 0,
    "alt-home": 0,
    "other-hcf": 33007,
    "hosp": 8546,
    "long": 38004277,
    "aadvice": 32216,
    "exp": 32218,
    "psy": 8971,
    "rehab": 32266,
    "snf": 8863,
}
"""Encounter.hospitalization.dischargeDisposition: the guide's ConceptMap EncounterDischargeDisposition; to whoever goes home, the CDM
gives concept 0."""


def visits(context: RuleContext) -> list[GenericRows]:
    """Encounters that took place or take place."""
    encounter = context.tables.get("encounter")
    if encounter is None:
        return []
    takes = has_none_of(encounter["status"], REFUSED_ENCOUNTER)
    named = context.resolved(encounter.filter(takes), "organization_id", "organization")
    named = context.resolved(named, "location_id", "location")
    placed = context.in_visits(named.mutate(encounter_id=named["id"]))
    is_part = placed["visit_detail_ref"].notnull()
    whole, part = placed.filter(~is_part), placed.filter(is_part)
    return [
        rows("visit_occurrence", "encounter", "encounter", whole, _visit(whole), takes=takes),
        rows("visit_detail", "encounter part", "encounter", part, _visit(part), takes=takes),
    ]


def _visit(encounter: ir.Table) -> dict[str, ir.Value]:
    return {
        "concept_id": chosen(encounter["class_code"], CLASS),
        **codes(encounter, before="class_"),
        **period(encounter["start"], encounter["end"], encounter["end_length"]),
        "type_concept_id": ibis.literal(TYPE["EHR"], type="int32"),
        "care_site_ref": ibis.coalesce(
            encounter["organization_id"], ibis.literal("Location/") + encounter["location_id"]
        ),
        "admitted_from_concept_id": chosen(encounter["admitted_from_code"], ADMITTED_FROM),
        "admitted_from": encounter["admitted_from_code"],
        "discharged_to_concept_id": chosen(encounter["discharged_to_code"], DISCHARGED_TO),
        "discharged_to": encounter["discharged_to_code"],
    }
