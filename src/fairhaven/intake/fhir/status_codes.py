"""The codes that elements of R4 may have which say whether something happened, and what of them the rules know.

Source: the value sets with a required binding of hl7.org/fhir/R4, and of R5 what R4 has no code for. A resource whose element has another
code, another shape or another case is put in quarantine: it may say that something did not happen.
"""

from collections.abc import Mapping
from types import MappingProxyType

_EVENT = "preparation in-progress not-done on-hold stopped completed entered-in-error unknown"
_OBSERVED = "registered preliminary final amended corrected cancelled entered-in-error unknown"

CODES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        element: tuple(codes.split())
        for element, codes in {
            "AllergyIntolerance.verificationStatus": "unconfirmed confirmed refuted entered-in-error",
            "Condition.verificationStatus": "unconfirmed provisional differential confirmed refuted entered-in-error",
            "Coverage.status": "active cancelled draft entered-in-error",
            "Device.status": "active inactive entered-in-error unknown",
            # R5 has "not-done" as well.
            "DeviceUseStatement.status": "active completed not-done entered-in-error intended stopped on-hold",
            "DiagnosticReport.status": f"{_OBSERVED} partial appended",
            "DocumentReference.docStatus": "preliminary final amended entered-in-error",
            "DocumentReference.status": "current superseded entered-in-error",
            "Encounter.status": (
                "planned arrived triaged in-progress onleave finished cancelled entered-in-error unknown"
            ),
            "Immunization.status": "completed entered-in-error not-done",
            "MedicationAdministration.status": (
                "in-progress not-done on-hold completed entered-in-error stopped unknown"
            ),
            "MedicationDispense.status": (
                "preparation in-progress cancelled on-hold completed entered-in-error stopped declined unknown"
            ),
            "MedicationRequest.intent": (
                "proposal plan order original-order reflex-order filler-order instance-order option"
            ),
            "MedicationRequest.status": "active on-hold cancelled completed entered-in-error stopped draft unknown",
            "MedicationStatement.status": (
                "active completed entered-in-error intended stopped on-hold unknown not-taken"
            ),
            "Observation.status": _OBSERVED,
            "Procedure.status": _EVENT,
            "Specimen.status": "available unavailable unsatisfactory entered-in-error",
        }.items()
    }
)
"""Element -> its codes."""

NEGATIONS: Mapping[str, str] = MappingProxyType(
    {
        "http://hl7.org/fhir/StructureDefinition/request-doNotPerform": "request-doNotPerform",
        "http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-notDone": "qicore-notDone",
    }
)
"""Modifier extensions that are understood: of value false they change nothing."""
