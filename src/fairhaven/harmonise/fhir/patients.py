"""Patient to PERSON and DEATH."""

import ibis

from fairhaven.harmonise.fhir.rule_context import RuleContext, chosen, rows
from fairhaven.harmonise.generic_rows import GenericRows

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


def people(context: RuleContext) -> list[GenericRows]:
    """Every Patient is a person; gender and the English ethnic category are told by their words.

    A death needs a day: ``deceasedBoolean`` alone gives none.
    """
    patient = context.tables.get("patient")
    if patient is None:
        return []
    placed = context.placed(patient)
    dead = patient["deceased"].notnull()
    deceased = patient.filter(dead)
    return [
        rows(
            "person",
            "patient",
            "patient",
            placed,
            {
                "birth_date": placed["birth_date"],
                "gender": placed["sex"],
                "race": placed["ethnicity"],
                "race_concept_id": chosen(placed["ethnicity"], OMB_RACE),
                "ethnicity": placed["hispanic"],
                "ethnicity_concept_id": chosen(placed["hispanic"], OMB_ETHNICITY),
                "postcode_district": placed["postcode_district"],
                "care_site_ref": ibis.coalesce(placed["practice_id"], placed["organization_id"]),
            },
            takes=ibis.literal(True),
        ),
        rows(
            "death",
            "patient deceased",
            "patient",
            deceased,
            {"date": deceased["deceased"].cast("date"), "datetime": deceased["deceased"].cast("timestamp(6)")},
            takes=dead,
        ),
    ]
