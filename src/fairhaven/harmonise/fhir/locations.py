"""Organization, Location, Practitioner and PractitionerRole."""

import ibis
import ibis.expr.types as ir

from fairhaven.harmonise.fhir.rule_context import RuleContext, codes, has_none_of, rows
from fairhaven.harmonise.generic_rows import GenericRows

SMALL = ("bd", "ro", "lvl", "ca", "co")
"""Physical types too small to be a care site: beds, rooms, levels, cabinets, corridors."""

HOME = "ho"
"""A house: where somebody lives, which is no place of care."""


def places(context: RuleContext) -> list[GenericRows]:
    """Organizations and locations are care sites; their addresses are locations."""
    found = []
    organization = context.tables.get("organization")
    if organization is not None:
        ref = ibis.literal("Organization/") + organization["id"]
        found += [
            rows(
                "care_site",
                "organization",
                "organization",
                organization,
                {
                    "care_site_ref": organization["id"],
                    "name": organization["name"],
                    "place_of_service": organization["type_code"],
                    "location_ref": ref,
                },
                takes=ibis.literal(True),
            ),
            _address("organization address", "organization", organization, ref, ibis.literal(True)),
        ]
    location = context.tables.get("location")
    if location is not None:
        is_site = has_none_of(location["physical_type_code"], (*SMALL, HOME))
        sites = location.filter(is_site)
        ref = ibis.literal("Location/") + sites["id"]
        found += [
            rows(
                "care_site",
                "location",
                "location",
                sites,
                {
                    "care_site_ref": ref,
                    "name": sites["name"],
                    "place_of_service": sites["type_code"],
                    "location_ref": ref,
                },
                takes=is_site,
            ),
            _address("location address", "location", sites, ref, is_site),
        ]
    return found


def _address(rule: str, table: str, source: ir.Table, ref: ir.Value, takes: ir.BooleanValue) -> GenericRows:
    placed = source.mutate(location_ref=ref)
    addressed = placed.filter(
        placed["postcode"].notnull()
        | placed["city"].notnull()
        | placed["state"].notnull()
        | placed["country"].notnull()
    )
    return rows(
        "location",
        rule,
        table,
        addressed,
        {
            "location_ref": addressed["location_ref"],
            "city": addressed["city"],
            "state": addressed["state"],
            "zip": addressed["postcode"],
            "country": addressed["country"],
        },
        takes=takes,
    )


def providers(context: RuleContext) -> list[GenericRows]:
    """One provider for each practitioner: the specialty and care site of a role where there is one."""
    found = []
    role = context.tables.get("practitioner_role")
    practitioner = context.tables.get("practitioner")
    if role is not None:
        has_person = role["practitioner_id"].notnull()
        known = context.resolved(role.filter(has_person), "organization_id", "organization")
        known = context.resolved(known, "practitioner_id", "practitioner")
        gender: ir.Value = ibis.null("string")
        if practitioner is not None:
            people = practitioner.group_by(known_id=practitioner["id"]).agg(known_gender=practitioner["gender"].max())
            known = known.left_join(people, known["practitioner_id"] == people["known_id"])
            gender = known["known_gender"]
        found.append(
            rows(
                "provider",
                "practitioner role",
                "practitioner_role",
                known,
                {
                    "provider_ref": known["practitioner_id"],
                    **codes(known, before="specialty_"),
                    "gender": gender,
                    "care_site_ref": ibis.coalesce(
                        known["organization_id"], ibis.literal("Location/") + known["location_id"]
                    ),
                },
                takes=has_person,
            )
        )
    if practitioner is not None:
        others = practitioner
        if role is not None:
            named = context.resolved(role, "practitioner_id", "practitioner").select("practitioner_id").distinct()
            others = practitioner.anti_join(named, practitioner["id"] == named["practitioner_id"])
        given = {
            "provider_ref": others["id"],
            **codes(others, before="qualification_"),
            "gender": others["gender"],
        }
        found.append(rows("provider", "practitioner", "practitioner", others, given, takes=ibis.literal(True)))
    return found
