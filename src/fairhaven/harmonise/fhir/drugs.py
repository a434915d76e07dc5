"""Medications ordered, stated, given and dispensed, and immunizations, to drug exposures."""

import ibis
import ibis.expr.types as ir

from fairhaven.harmonise.fhir.rule_context import (
    CODES,
    Columns,
    RuleContext,
    chosen,
    codes,
    dated,
    has_none_of,
    joined_words,
    period,
    plain_number,
    resource_rule,
)
from fairhaven.omop.concepts import TYPE

REFUSED_REQUEST = ("entered-in-error", "cancelled", "draft")
REFUSED_INTENT = ("proposal", "plan", "option")
REFUSED_STATEMENT = ("entered-in-error", "not-taken", "intended")
REFUSED_ADMINISTRATION = ("entered-in-error", "not-done")
REFUSED_IMMUNIZATION = ("entered-in-error", "not-done")
REFUSED_DISPENSE = ("entered-in-error", "cancelled", "declined", "preparation", "on-hold")

DAYS = {
    "d": 1,
    "day": 1,
    "days": 1,
    "wk": 7,
    "week": 7,
    "weeks": 7,
    "mo": 30,
    "month": 30,
    "months": 30,
    "a": 365,
    "year": 365,
    "years": 365,
}
"""Days in a unit of time."""

_DRUG_EXPOSURE = {"default_target": ibis.literal("drug_exposure")}


def _named(context: RuleContext, table: ir.Table) -> ir.Table:
    """With the codes of the Medication that is referred to, where the resource has none itself."""
    found = context.looked_up(context.placed(table), "medication_id", "medication", CODES)
    is_bare = found["code"].isnull() & found["code_text"].isnull()
    named = {name: is_bare.ifelse(found[f"known_{name}"], found[name]) for name in CODES}
    return found.mutate(**named, names_nothing=is_bare & found["refers_to_nothing"])


@resource_rule(
    "medication_request",
    takes=lambda request: (
        has_none_of(request["status"], REFUSED_REQUEST)
        & has_none_of(request["intent"], REFUSED_INTENT)
        & ~request["is_not_to_perform"].fill_null(False)
    ),
    target="drug_exposure",
    place=_named,
)
def requests(placed: ir.Table) -> Columns:
    """Orders: not drafts, proposals or instructions not to take. They start when written."""
    is_reported = placed["is_reported"].fill_null(False)
    start = dated(placed, "authored", "bounds_start", "validity_start")
    return {
        **codes(placed),
        "names_nothing": placed["names_nothing"],
        **period(start, placed["bounds_end"]),
        **_dosage(placed),
        "type_concept_id": is_reported.ifelse(TYPE["patient self-report"], TYPE["EHR prescription"]).cast("int32"),
        "quantity": placed["quantity_number"],
        "refills": placed["refills"].try_cast("int32"),
        "days_supply": ibis.coalesce(_days(placed, "supply"), _days(placed, "bounds")),
        "stop_reason": placed["status_reason_code_text"],
        **_DRUG_EXPOSURE,
    }


@resource_rule(
    "medication_statement",
    takes=lambda statement: has_none_of(statement["status"], REFUSED_STATEMENT),
    target="drug_exposure",
    place=_named,
)
def statements(placed: ir.Table) -> Columns:
    """What patients say that they take."""
    return {
        **codes(placed),
        "names_nothing": placed["names_nothing"],
        **period(dated(placed, "effective_start", "asserted"), placed["effective_end"], placed["effective_end_length"]),
        **_dosage(placed),
        "type_concept_id": ibis.literal(TYPE["patient self-report"], type="int32"),
        "days_supply": _days(placed, "bounds"),
        "stop_reason": placed["status_reason_code_text"],
        **_DRUG_EXPOSURE,
    }


@resource_rule(
    "medication_administration",
    takes=lambda administration: has_none_of(administration["status"], REFUSED_ADMINISTRATION),
    target="drug_exposure",
    place=_named,
)
def administrations(placed: ir.Table) -> Columns:
    """What was given."""
    start = dated(placed, "effective_start")
    return {
        **codes(placed),
        "names_nothing": placed["names_nothing"],
        **period(start, placed["effective_end"], placed["effective_end_length"]),
        **_route(placed),
        "type_concept_id": ibis.literal(TYPE["EHR administration"], type="int32"),
        "quantity": placed["dose_number"],
        "dose_unit": placed["dose_unit"],
        "stop_reason": placed["status_reason_code_text"],
        **_DRUG_EXPOSURE,
    }


@resource_rule(
    "medication_dispense",
    takes=lambda dispense: has_none_of(dispense["status"], REFUSED_DISPENSE),
    target="drug_exposure",
    place=_named,
)
def dispenses(placed: ir.Table) -> Columns:
    """What was handed over, else prepared."""
    return {
        **codes(placed),
        "names_nothing": placed["names_nothing"],
        **period(dated(placed, "handed_over", "prepared")),
        **_dosage(placed),
        "type_concept_id": ibis.literal(TYPE["EHR dispensing"], type="int32"),
        "quantity": placed["quantity_number"],
        # The element is called days, so that many leave the unit out.
        "days_supply": _days(placed, "supply", otherwise="d"),
        **_DRUG_EXPOSURE,
    }


NO_VACCINE = ("v3-NullFlavor", "NullFlavor")
"""Code systems by which a vaccine's code says that it is not known."""


def _vaccination(context: RuleContext, immunization: ir.Table) -> ir.Table:
    """With the codes of the vaccination where the vaccine is not known, as in GP Connect; else these are tried last."""
    placed = context.placed(immunization)
    is_unknown = placed["code"].isnull() | placed["vocabulary_id"].isin(NO_VACCINE).fill_null(False)
    is_unknown = is_unknown & (placed["procedure_code"].notnull() | placed["procedure_code_text"].notnull())
    has_place = placed["code_3"].isnull()
    given = {
        **{name: is_unknown.ifelse(placed[f"procedure_{name}"], placed[name]) for name in CODES if "_3" not in name},
        **{
            f"{name}_3": is_unknown.ifelse(
                ibis.null("string"), has_place.ifelse(placed[f"procedure_{name}"], placed[f"{name}_3"])
            )
            for name in ("code", "vocabulary_id")
        },
    }
    return placed.mutate(**given)


@resource_rule(
    "immunization",
    takes=lambda immunization: has_none_of(immunization["status"], REFUSED_IMMUNIZATION),
    target="drug_exposure",
    place=_vaccination,
)
def immunizations(placed: ir.Table) -> Columns:
    """Vaccines that were given, by the vaccine's code, else by that of the vaccination."""
    start = dated(placed, "occurred", "recorded")
    return {
        **codes(placed),
        **period(start),
        **_route(placed),
        "type_concept_id": ibis.literal(TYPE["EHR administration"], type="int32"),
        "quantity": placed["dose_number"],
        "dose_unit": placed["dose_unit"],
        "lot_number": placed["lot_number"],
        **_DRUG_EXPOSURE,
    }


def _days(table: ir.Table, name: str, *, otherwise: str | None = None) -> ir.Value:
    """A length of time in days, at least one; NULL for hours and less, and for more days than a number of them holds.

    Args:
        otherwise: the unit where none is given.
    """
    unit = table[f"{name}_unit"].strip().lower().nullif("")
    days = chosen(unit if otherwise is None else unit.fill_null(otherwise), DAYS)
    return (table[f"{name}_number"] * days).ceil().try_cast("int32")


def _route(table: ir.Table) -> dict[str, ir.Value]:
    return {
        "route": ibis.coalesce(table["route_code"], table["route_code_text"]),
        "route_vocabulary_id": table["route_vocabulary_id"],
    }


def _dosage(table: ir.Table) -> dict[str, ir.Value]:
    """Route and dose. The instruction is put together from its coded parts, for its text may name people."""
    every = plain_number(table["frequency"]) + " per " + plain_number(table["frequency_period"]) + " "
    return {
        **_route(table),
        "dose_unit": table["dose_unit"],
        "sig": joined_words([plain_number(table["dose_number"]), table["dose_unit"], every + table["frequency_unit"]]),
    }
