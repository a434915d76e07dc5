"""Device, DeviceUseStatement and Specimen."""

import ibis
import ibis.expr.types as ir

from fairhaven.harmonise.fhir.rule_context import CODES, Columns, RuleContext, codes, has_none_of, period, resource_rule
from fairhaven.omop.concepts import TYPE

REFUSED = ("entered-in-error",)
REFUSED_USE = ("entered-in-error", "intended", "not-done")
_DESCRIBED = (*CODES, "device_identifier", "lot_number")


@resource_rule(
    "device_use_statement",
    rule="device use",
    takes=lambda use: has_none_of(use["status"], REFUSED_USE),
    target="device_exposure",
    place=lambda context, use: context.looked_up(context.placed(use), "device_id", "device", _DESCRIBED),
)
def device_uses(placed: ir.Table) -> Columns:
    """Uses of devices, of the code that the device has, else of the one that the use gives (R5)."""
    when = period(ibis.coalesce(placed["start"], placed["recorded"]), placed["end"], placed["end_length"])
    known = _exposure(placed, before="known_")
    is_known = known["code"].notnull() | known["code_text"].notnull()
    named = {name: is_known.ifelse(known[name], placed[name]) for name in CODES}
    is_bare = named["code"].isnull() & named["code_text"].isnull()
    return when | known | named | {"names_nothing": is_bare & placed["refers_to_nothing"]}


def _without_use(context: RuleContext, device: ir.Table) -> ir.Table:
    use = context.tables.get("device_use_statement")
    return device if use is None else device.anti_join(use, [("id", "device_id")])


@resource_rule(
    "device",
    takes=lambda device: (
        has_none_of(device["status"], REFUSED) & device["patient_ref"].notnull() & device["manufactured"].notnull()
    ),
    target="device_exposure",
    place=_without_use,
)
def devices(placed: ir.Table) -> Columns:
    """Devices of a patient of which no use is stated, from the day they were made.

    The day of manufacture is the only day that a Device has; a device without it gives no row.
    """
    return period(placed["manufactured"]) | _exposure(placed)


@resource_rule("specimen", takes=lambda specimen: has_none_of(specimen["status"], REFUSED), target="specimen")
def specimens(placed: ir.Table) -> Columns:
    """Specimens on the day they were collected, else received."""
    return {
        **codes(placed),
        **period(ibis.coalesce(placed["collected_start"], placed["received"])),
        "quantity": placed["quantity_number"],
        "unit": placed["quantity_unit"],
        "anatomic_site": placed["body_site_code"],
        "anatomic_site_vocabulary_id": placed["body_site_vocabulary_id"],
        "type_concept_id": ibis.literal(TYPE["EHR"], type="int32"),
        "target": ibis.literal("specimen"),
    }


def _exposure(source: ir.Table, *, before: str = "") -> dict[str, ir.Value]:
    return {
        **codes(source, before=before),
        "unique_device_id": source[f"{before}device_identifier"],
        "lot_number": source[f"{before}lot_number"],
        "type_concept_id": ibis.literal(TYPE["EHR"], type="int32"),
        "default_target": ibis.literal("device_exposure"),
    }
