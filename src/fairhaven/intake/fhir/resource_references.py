"""What a FHIR resource is called by, and to what it refers: how one that names no patient belongs to one.

A reference is ``Type/id``, an absolute URL that ends so, either with a version or a part behind it, ``urn:uuid:id``, or an identifier
(hl7.org/fhir/R4/references.html). An attachment's URL names a ``Binary`` in the same way.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fairhaven.intake.fhir.ndjson_lines import parsed
from fairhaven.intake.fhir.resource_types import RESOURCE_TYPES

_PATIENTS = """
Account AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent Basic Binary BodyStructure CarePlan CareTeam ChargeItem Claim
ClaimResponse ClinicalImpression Communication CommunicationRequest Composition Condition Consent Contract Coverage CoverageEligibilityRequest
CoverageEligibilityResponse DetectedIssue DeviceRequest DeviceUseStatement DiagnosticReport DocumentManifest DocumentReference Encounter
EnrollmentRequest EnrollmentResponse EpisodeOfCare ExplanationOfBenefit FamilyMemberHistory Flag Goal Group GuidanceResponse ImagingStudy Immunization
ImmunizationEvaluation ImmunizationRecommendation Invoice Linkage List MeasureReport Media MedicationAdministration MedicationDispense
MedicationRequest MedicationStatement MessageHeader MolecularSequence NutritionOrder Observation Patient PaymentNotice Person Procedure Provenance
QuestionnaireResponse RelatedPerson RequestGroup ResearchSubject RiskAssessment ServiceRequest Specimen SupplyDelivery SupplyRequest Task
VerificationResult VisionPrescription
"""
OF_PATIENTS = frozenset(_PATIENTS.split())
"""Kinds of resource that are about a patient, whether they name one or not: R4's patient compartment, and what refers to such. What is of
another kind (organisations, staff, places, medications, devices, definitions, schedules) is shared, and belongs to nobody through others."""

_TYPED = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/([^/?#|]+)(?:/_history/[^/?#]*)?(?:[?#|].*)?$")
_IN_TEXT = re.compile(r"\b([A-Z][A-Za-z]{2,40})/([A-Za-z0-9\-._]{1,64})")
ANY = "*"


@dataclass(frozen=True, kw_only=True, slots=True)
class References:
    """Of one resource, as tokens ``Type/id``; the type is ``*`` where a reference does not say it.

    Args:
        kind: its type.
        called: what others may call it by.
        refers: what it refers to, with what is contained in it.
    """

    kind: str
    called: frozenset[str]
    refers: frozenset[str]

    @property
    def answering(self) -> frozenset[str]:
        """What it is called by, also where the type is not said."""
        return self.called | {f"{ANY}/{token.partition('/')[2]}" for token in self.called}

    @property
    def of_patients(self) -> frozenset[str]:
        """What it refers to that is no patient and may be a patient's."""
        return frozenset(token for token in self.refers if _may_belong(token.partition("/")[0]))


def references_of(text: bytes) -> References | None:
    """What a resource says; None where the text is no resource."""
    resource = parsed(text)
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if not isinstance(kind, str):
        return None
    called = set[str]()
    if isinstance(name := resource.get("id"), str):
        called = {f"{kind}/{name}"}
    identifiers = resource.get("identifier")
    for identifier in identifiers if isinstance(identifiers, list) else [identifiers]:
        if token := _of_identifier(identifier):
            called.add(f"{kind}/{token}")
    return References(kind=kind, called=frozenset(called), refers=frozenset(_refers(resource)))


def tokens_in(text: str) -> set[str]:
    """What a line may name that is no JSON."""
    return {f"{kind}/{name}" for kind, name in _IN_TEXT.findall(text) if kind in RESOURCE_TYPES}


def _may_belong(kind: str) -> bool:
    return kind == ANY or (kind in OF_PATIENTS and kind != "Patient")


def _refers(resource: dict[str, Any]) -> Iterator[str]:
    stack: list[Any] = [resource]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            reference = part.get("reference")
            if isinstance(reference, str):
                yield from _of_reference(reference)
            elif isinstance(kind := part.get("type"), str) and (token := _of_identifier(part.get("identifier"))):
                yield f"{kind}/{token}"
            if isinstance(url := part.get("url"), str) and "Binary/" in url:
                yield from _of_reference(url)
            stack.extend(part.values())
        elif isinstance(part, list):
            stack.extend(part)


def _of_reference(reference: str) -> Iterator[str]:
    if reference.startswith("urn:"):
        yield f"{ANY}/{reference.rpartition(':')[2]}"
    elif "?identifier=" in reference:
        kind, _, query = reference.partition("?identifier=")
        system, bar, value = query.partition("&")[0].partition("|")
        identifier = {"system": system, "value": value} if bar else {"value": system}
        yield f"{kind.rpartition('/')[2]}/{_of_identifier(identifier)}"
    elif (found := _TYPED.search(reference)) and found[1] in RESOURCE_TYPES:
        yield f"{found[1]}/{found[2]}"


def _of_identifier(identifier: Any) -> str:
    """As the macro ``fhir_token``: what stands for an identifier."""
    if not isinstance(identifier, dict) or not isinstance(value := identifier.get("value"), str):
        return ""
    system = identifier.get("system")
    text = f"{system if isinstance(system, str) else ''}|{value}"
    return f"identifier-{hashlib.sha256(text.encode()).hexdigest()[:24]}"
