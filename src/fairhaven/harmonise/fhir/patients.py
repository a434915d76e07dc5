"""Patient to PERSON and DEATH."""

import ibis
import ibis.expr.types as ir

from fairhaven.harmonise.fhir.rule_context import Columns, chosen, resource_rule

OMB_RACE = {
    "2106-3": 8527,
    "2054-5": 8516,
    "2028-9": 8515,
    "1002-5": 8657,
    "2076-8": 8557,
    "2131-1": 8522,
}
"""Race codes of US Core (urn:oid:2.16.840.1.113883.6.238), after the guide's ConceptMap RaceClass."""

OMB_ETHNICITY = {"2135-2": 38003563, "2186-5": 38003564}


@resource_rule("patient", kind="person")
def people(placed: ir.Table) -> Columns:
    """Every Patient is a person; gender and the English ethnic category are known by their words."""
    return {
        "is_replaced": placed["is_replaced"],
        "birth_date": placed["birth_date"],
        "gender": placed["sex"],
        "race": placed["ethnicity"],
        "race_concept_id": chosen(placed["ethnicity"], OMB_RACE),
        "ethnicity": placed["hispanic"],
        "ethnicity_concept_id": chosen(placed["hispanic"], OMB_ETHNICITY),
        "postcode_district": placed["postcode_district"],
        "care_site_ref": ibis.coalesce(placed["practice_id"], placed["organization_id"]),
    }


@resource_rule("patient", kind="death", rule="patient deceased", takes=lambda patient: patient["deceased"].notnull())
def deaths(placed: ir.Table) -> Columns:
    """A death needs a day: ``deceasedBoolean`` alone gives none."""
    return {"date": placed["deceased"].cast("date"), "datetime": placed["deceased"].cast("timestamp(6)")}
