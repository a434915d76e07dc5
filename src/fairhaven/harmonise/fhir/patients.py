"""Patient to PERSON and DEATH."""

import ibis
import ibis.expr.types as ir

from fairhaven.harmonise.fhir.rule_context import Columns, RuleContext, chosen, first_day, period, resource_rule
from fairhaven.harmonise.mapping_values import birth_columns
from fairhaven.kernel.partial_days import WHOLE_DAY, WHOLE_MONTH
from fairhaven.omop.concepts import RACE_OBSERVED, SEVERAL_RACES, TYPE

OMB_RACE = {
    "2106-3": 8527,
    "2054-5": 8516,
    "2028-9": 8515,
    "1002-5": 8657,
    "2076-8": 8557,
}
"""Race codes of US Core (urn:oid:2.16.840.1.113883.6.238), after the guide's ConceptMap RaceClass; other races have no standard concept."""

OMB_ETHNICITY = {"2135-2": 38003563, "2186-5": 38003564}


@resource_rule("patient", kind="person")
def people(placed: ir.Table) -> Columns:
    """Every Patient is a person; the sex at birth and the English ethnic category are known by their words.

    Of a birth date of which only the year or the month is known there is no day.
    """
    length = placed["birth_date_length"].fill_null(WHOLE_DAY)
    several = _has_several_races(placed)
    return {
        "is_replaced": placed["is_replaced"],
        **birth_columns(placed["birth_date"], knows_month=length >= WHOLE_MONTH, knows_day=length >= WHOLE_DAY),
        "gender": placed["sex"],
        "race": several.ifelse(placed["races"], placed["ethnicity"]),
        "race_concept_id": several.ifelse(SEVERAL_RACES, chosen(placed["ethnicity"], OMB_RACE)).cast("int32"),
        "ethnicity": placed["hispanic"],
        "ethnicity_concept_id": chosen(placed["hispanic"], OMB_ETHNICITY),
        "postcode_district": placed["postcode_district"],
        "care_site_ref": ibis.coalesce(placed["practice_id"], placed["organization_id"]),
    }


def _has_several_races(patient: ir.Table) -> ir.BooleanValue:
    """Whether somebody has two races or more; codes that say that it is not known are none."""
    given = ibis.literal(" ") + patient["races"].fill_null("") + " "
    known = [given.contains(f" {code} ").cast("int32") for code in OMB_RACE]
    return sum(known[1:], known[0]) > 1


def _each_race(_: RuleContext, patient: ir.Table) -> ir.Table:
    each = patient.mutate(one=patient["races"].split(" ").unnest())
    each = each.mutate(race=chosen(each["one"], OMB_RACE))
    return each.filter(each["race"].notnull())


@resource_rule("patient", rule="patient race", takes=_has_several_races, target="observation", place=_each_race)
def races(placed: ir.Table) -> Columns:
    """Of a patient with several races an observation of each, from birth on (Themis 71)."""
    return {
        **period(placed["birth_date"]),
        "concept_id": ibis.literal(RACE_OBSERVED, type="int32"),
        "value_concept_id": placed["race"].cast("int32"),
        "source_value": placed["one"],
        "value_source_value": placed["one"],
        "type_concept_id": ibis.literal(TYPE["EHR"], type="int32"),
        "position": chosen(placed["one"], {code: place for place, code in enumerate(OMB_RACE, start=1)}),
        "target": ibis.literal("observation"),
    }


def _is_dead(patient: ir.Table) -> ir.BooleanValue:
    return patient["deceased"].notnull() | patient["is_deceased"].fill_null(False)


@resource_rule("patient", kind="death", rule="patient deceased", takes=_is_dead)
def deaths(placed: ir.Table) -> Columns:
    """A death needs a day: one of which ``deceasedBoolean`` alone tells is counted as without; of a month or a year it is the last (Themis 104)."""
    last, length = placed["deceased"].cast("date"), placed["deceased_length"]
    return {"date": last, "date_from": first_day(last, length), "datetime": placed["deceased"].cast("timestamp(6)")}
