"""Device, DeviceUseStatement and Specimen."""

import ibis
import ibis.expr.types as ir

from fairhaven.harmonise.fhir.rule_context import Columns, RuleContext, codes, has_none_of, period, resource_rule, rows
from fairhaven.harmonise.generic_rows import GenericRows
from fairhaven.omop.concepts import TYPE

REFUSED = ("entered-in-error",)
REFUSED_USE = ("entered-in-error", "intended")


def devices(context: RuleContext) -> list[GenericRows]:
    """Uses of devices; and devices of a patient of which no use is stated, from the day they were made.

    The day of manufacture is the only day that a Device has; a device without it gives no row.
    """
    found = []
    device, use = context.tables.get("device"), context.tables.get("device_use_statement")
    if use is not None:
        takes = has_none_of(use["status"], REFUSED_USE)
        used = _described(context.placed(use.filter(takes)), device)
        start = ibis.coalesce(used["start"], used["recorded"])
        found.append(_exposure("device use", "device_use_statement", used, period(start, used["end"]), takes))
    if device is not None:
        takes = (
            has_none_of(device["status"], REFUSED) & device["patient_ref"].notnull() & device["manufactured"].notnull()
        )
        owned = device.filter(takes)
        if use is not None:
            owned = owned.anti_join(use.select(device_id=use["device_id"]), owned["id"] == use["device_id"])
        found.append(_exposure("device", "device", owned, period(owned["manufactured"]), takes))
    return found


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


def _described(use: ir.Table, device: ir.Table | None) -> ir.Table:
    """Uses with what the device is."""
    if device is None:
        nothing = {name: ibis.null("string") for name in ("code", "vocabulary_id", "device_identifier", "lot_number")}
        return use.mutate(**nothing)
    names = [*codes(device), "device_identifier", "lot_number"]
    known = device.group_by(known_id=device["id"]).agg(
        **{name: device[name].argmax(device["row_key"]) for name in names}
    )
    return use.left_join(known, use["device_id"] == known["known_id"]).drop("known_id")


def _exposure(
    rule: str, table: str, source: ir.Table, when: dict[str, ir.Value], takes: ir.BooleanValue
) -> GenericRows:
    return rows(
        "event",
        rule,
        table,
        source,
        {
            **codes(source),
            **when,
            "unique_device_id": source["device_identifier"],
            "lot_number": source["lot_number"],
            "type_concept_id": ibis.literal(TYPE["EHR"], type="int32"),
            "default_target": ibis.literal("device_exposure"),
        },
        takes=takes,
        target="device_exposure",
    )
