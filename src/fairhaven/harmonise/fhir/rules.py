"""All rules of FHIR R4, in the order in which a release numbers them."""

from collections.abc import Mapping

import ibis.expr.types as ir

from fairhaven.harmonise.fhir.allergies import allergies, allergies_to_substances
from fairhaven.harmonise.fhir.conditions_and_procedures import conditions, procedures
from fairhaven.harmonise.fhir.devices import device_uses, devices, specimens
from fairhaven.harmonise.fhir.documents import coverages, documents, printed_reports
from fairhaven.harmonise.fhir.drugs import administrations, dispenses, immunizations, requests, statements
from fairhaven.harmonise.fhir.encounters import visits
from fairhaven.harmonise.fhir.locations import (
    location_addresses,
    locations,
    organization_addresses,
    organizations,
    practitioner_roles,
    practitioners,
)
from fairhaven.harmonise.fhir.observations import components, observations, reports
from fairhaven.harmonise.fhir.patients import deaths, people, races
from fairhaven.harmonise.fhir.rule_context import RuleContext
from fairhaven.harmonise.generic_rows import GenericRows

_MAKERS = (
    people,
    races,
    deaths,
    organizations,
    organization_addresses,
    locations,
    location_addresses,
    practitioner_roles,
    practitioners,
    visits,
    conditions,
    procedures,
    observations,
    components,
    reports,
    requests,
    statements,
    administrations,
    dispenses,
    immunizations,
    allergies,
    allergies_to_substances,
    device_uses,
    devices,
    specimens,
    documents,
    printed_reports,
    coverages,
)


def fhir_rows(tables: Mapping[str, ir.Table]) -> list[GenericRows]:
    """What each rule yields from the current rows of a FHIR source.

    Args:
        tables: landed tables by name, with the columns of `intake/fhir/views.py`; any may be missing.
    """
    context = RuleContext.of(tables)
    return [rows for make in _MAKERS for rows in make(context)]
