"""Organization, Location, Practitioner and PractitionerRole."""

import ibis
import ibis.expr.types as ir

from fairhaven.harmonise.fhir.rule_context import Columns, RuleContext, codes, has_none_of, no_concept, resource_rule

SMALL = ("bd", "ro", "lvl", "ca", "co")
"""Physical types too small to be a care site: beds, rooms, levels, cabinets, corridors."""

HOME = "ho"
"""A house: where somebody lives, which is no place of care."""


def _has_address(table: ir.Table) -> ir.BooleanValue:
    return ibis.or_(*(table[name].notnull() for name in ("postcode", "city", "state", "country")))


def _addressed(_: RuleContext, table: ir.Table) -> ir.Table:
    return table.filter(_has_address(table))


def _is_site(location: ir.Table) -> ir.BooleanValue:
    return has_none_of(location["physical_type_code"], (*SMALL, HOME))


@resource_rule("organization", kind="care_site")
def organizations(placed: ir.Table) -> Columns:
    """Organizations are care sites."""
    return {"care_site_ref": placed["id"], **_site(placed, "Organization")}


@resource_rule("organization", kind="location", rule="organization address", place=_addressed)
def organization_addresses(placed: ir.Table) -> Columns:
    """Addresses of organizations are locations."""
    return _address(placed, "Organization")


@resource_rule("location", kind="care_site", takes=_is_site)
def locations(placed: ir.Table) -> Columns:
    """Locations are care sites, unless they are too small or somebody's home."""
    return {"care_site_ref": _ref(placed, "Location"), **_site(placed, "Location")}


@resource_rule("location", kind="location", rule="location address", takes=_is_site, place=_addressed)
def location_addresses(placed: ir.Table) -> Columns:
    """Addresses of such locations are locations of the CDM."""
    return _address(placed, "Location")


def _ref(table: ir.Table, resource: str) -> ir.Value:
    return ibis.literal(f"{resource}/") + table["id"]


def _site(placed: ir.Table, resource: str) -> Columns:
    return {
        "name": placed["name"],
        "place_of_service_concept_id": no_concept(placed["type_code"]),
        "place_of_service": placed["type_code"],
        "location_ref": _has_address(placed).ifelse(_ref(placed, resource), ibis.null("string")),
    }


def _address(placed: ir.Table, resource: str) -> Columns:
    return {
        "location_ref": _ref(placed, resource),
        "city": placed["city"],
        "state": placed["state"],
        "zip": placed["postcode"],
        "country_concept_id": no_concept(placed["country"]),
        "country": placed["country"],
    }


def _by_person(context: RuleContext, role: ir.Table) -> ir.Table:
    """Roles by the ids of whose they are and where, with the gender."""
    known = context.resolved(role, "organization_id", "organization")
    known = context.resolved(known, "practitioner_id", "practitioner")
    return context.looked_up(known, "practitioner_id", "practitioner", ["gender"])


def _without_role(context: RuleContext, practitioner: ir.Table) -> ir.Table:
    role = context.tables.get("practitioner_role")
    if role is None:
        return practitioner
    return practitioner.anti_join(
        context.resolved(role, "practitioner_id", "practitioner"), [("id", "practitioner_id")]
    )


@resource_rule(
    "practitioner_role", kind="provider", takes=lambda role: role["practitioner_id"].notnull(), place=_by_person
)
def practitioner_roles(placed: ir.Table) -> Columns:
    """A practitioner with a role is a provider with its specialty and care site."""
    return {
        "provider_ref": placed["practitioner_id"],
        **codes(placed, before="specialty_"),
        "gender": placed["known_gender"],
        "names_nothing": placed["refers_to_nothing"],
        "care_site_ref": ibis.coalesce(placed["organization_id"], ibis.literal("Location/") + placed["location_id"]),
    }


@resource_rule("practitioner", kind="provider", place=_without_role)
def practitioners(placed: ir.Table) -> Columns:
    """One without a role is a provider with the qualification."""
    return {
        "provider_ref": placed["id"],
        **codes(placed, before="qualification_"),
        "gender": placed["gender"],
    }
