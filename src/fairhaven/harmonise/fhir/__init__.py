"""FHIR R4 to generic rows, after the HL7 Vulcan FHIR-to-OMOP guide and the OHDSI conventions."""

from fairhaven.harmonise.fhir.rules import fhir_rows

__all__ = ["fhir_rows"]
