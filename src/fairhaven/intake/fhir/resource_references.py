"""What a FHIR resource is called by, and to what it refers: how one that names no patient belongs to one.

A reference is ``Type/id``, an absolute URL that ends so, either with a version or a part behind it, ``urn:uuid:id``, an identifier, or a
reference and an identifier together (hl7.org/fhir/R4/references.html). An attachment's URL names a ``Binary`` in the same way. What each
names is what the macro ``fhir_key`` says, by which rows land.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

from fairhaven.intake.fhir.ndjson_lines import parsed
from fairhaven.intake.fhir.resource_types import RESOURCE_TYPES
from fairhaven.intake.fhir.version_changes import DSTU2_TYPES, FURTHER_TYPES
from fairhaven.intake.fhir.views import NHS_NUMBER_SPELLINGS, NHS_NUMBER_SYSTEMS
from fairhaven.nhs.number import nhs_numbers_in, valid_nhs_number

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
_PATIENTS_ELSEWHERE = """
BodySite DeviceAssociation DeviceDispense DeviceUsage DeviceUseRequest DiagnosticOrder EligibilityRequest EligibilityResponse EncounterHistory
GenomicStudy ImagingManifest ImagingSelection MedicationOrder NutritionIntake ProcedureRequest ProcessRequest ProcessResponse ReferralRequest
RequestOrchestration Sequence Transport
"""
OF_PATIENTS = frozenset((_PATIENTS + _PATIENTS_ELSEWHERE).split())
"""Kinds of resource that are about a patient, whether they name one or not: the patient compartments of R4
and of what other versions have, and what refers to such. What is of
another kind (organisations, staff, places, medications, devices, definitions, schedules) is shared, and belongs to nobody through others."""

_TYPES = RESOURCE_TYPES | DSTU2_TYPES.union(*FURTHER_TYPES.values())
ANY = "*"
_PATIENT = "Patient"
_BLANKS = " \t\n\r\xa0"
_BLANK = re.compile(r"[ \t\n\f\r\xa0]")
_NHS_SPELLED = re.compile(NHS_NUMBER_SPELLINGS)
_TEN_DIGITS = re.compile(r"[0-9]{10}")
_BEHIND = re.compile(r"[#?|]")
_SEARCHED = re.compile(r"""[?&".]identifier=((?:[^&#"\\]|\\/)+)""")
_PATIENT_SEARCHED = re.compile(r"""[?&"](?:patient|subject|_id)(?::Patient)?=(?:Patient\\?/)?([^&#"\\|/]+)""")
_PATIENT_IN_TEXT = re.compile(r"""Patient\\?/([A-Za-z0-9][^"\\/?#|&<>\s]*)""")
_IN_TEXT = re.compile(r"\b([A-Z][A-Za-z]{2,40})/([A-Za-z0-9\-._]{1,64})")


@dataclass(frozen=True, kw_only=True, slots=True)
class References:
    """Of one resource, as tokens ``Type/name``: a name is an id, or stands for an identifier. The type is ``*`` where a reference does
    not say it.

    Args:
        kind: its type; empty where it has none.
        called: what others may call it by.
        refers: what it refers to, with what is contained in it.
        mentions: names of patients that stand in it otherwise: in a text, a URL, an NHS number anywhere.
        alike: pairs of names of one patient: a patient's own, and links to other resources of the same one; and the two of a reference
            that has a text and an identifier.
    """

    kind: str
    called: frozenset[str]
    refers: frozenset[str]
    mentions: frozenset[str]
    alike: frozenset[tuple[str, str]]

    @property
    def answering(self) -> frozenset[str]:
        """What it is called by, also where the type is not said."""
        return self.called | {f"{ANY}/{token.partition('/')[2]}" for token in self.called}

    @property
    def of_patients(self) -> frozenset[str]:
        """What it refers to that is no patient and may be a patient's."""
        return frozenset(token for token in self.refers if _may_belong(token.partition("/")[0]))


def references_of(text: bytes) -> References | None:
    """What a resource says, or JSON that is none; None where the text is no JSON object or array."""
    resource = parsed(text)
    if not isinstance(resource, dict | list):
        return None
    root = resource if isinstance(resource, dict) else {}
    kind = root.get("resourceType")
    kind = kind if isinstance(kind, str) else ""
    called = list(_names(root))
    said = _Said(root)
    said.gather(resource)
    if kind == _PATIENT and called:
        said.alike.update((called[0], name) for name in (*called[1:], *_linked(root)))
    written = text.decode("utf-8", "replace")
    said.mentions.update(_PATIENT_IN_TEXT.findall(written))
    said.mentions.update(nhs_numbers_in(written))
    said.mentions.update(_searched(query) for query in _SEARCHED.findall(written))
    said.mentions.update(unquote(name) for names in _PATIENT_SEARCHED.findall(written) for name in names.split(","))
    return References(
        kind=kind,
        called=frozenset(f"{kind}/{name}" for name in called) if kind else frozenset(),
        refers=frozenset(said.refers),
        mentions=frozenset(said.mentions),
        alike=frozenset(said.alike),
    )


def names_of_number(number: str) -> set[str]:
    """Names of the patient who has an NHS number, in every usual form."""
    return {number, *(_token(system, number) for system in ("", *NHS_NUMBER_SYSTEMS))}


def tokens_in(text: str) -> set[str]:
    """What a line may name that is no JSON."""
    return {f"{kind}/{name}" for kind, name in _IN_TEXT.findall(text) if kind in _TYPES}


def _may_belong(kind: str) -> bool:
    return kind == ANY or (kind in OF_PATIENTS and kind != _PATIENT)


class _Said:
    """What is gathered of one resource."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.refers = set[str]()
        self.mentions = set[str]()
        self.alike = set[tuple[str, str]]()
        self._root = root

    def gather(self, whole: Any) -> None:
        stack = [whole]
        while stack:
            part = stack.pop()
            if isinstance(part, dict):
                self._add(part)
                stack.extend(each for each in part.values() if isinstance(each, dict | list))
            elif isinstance(part, list):
                stack.extend(each for each in part if isinstance(each, dict | list))

    def _add(self, part: dict[str, Any]) -> None:
        if part is not self._root and isinstance(part.get("resourceType"), str):
            if part["resourceType"] == _PATIENT:
                self.refers.update(f"{_PATIENT}/{name}" for name in _names(part, is_contained=True))
        elif part is not self._root:
            self._add_reference(part)
        if _is_nhs_number(part):
            self.mentions.add(_of_identifier(part))
        if isinstance(inner := part.get("resource"), dict) and inner.get("resourceType") == _PATIENT:
            self.mentions.update(_names(inner))
        if isinstance(url := part.get("url"), str) and "Binary/" in url:
            self.refers.update(_of_text(url, ANY))

    def _add_reference(self, part: dict[str, Any]) -> None:
        written, identifier = part.get("reference"), part.get("identifier")
        kind = part["type"].strip(_BLANKS).rpartition("/")[2] if isinstance(part.get("type"), str) else ANY
        tokens = list(_of_text(written, kind)) if isinstance(written, str) else []
        self.refers.update(tokens)
        if not isinstance(identifier, dict) or not (name := _of_identifier(identifier)):
            return
        if kind == ANY:
            kind = _PATIENT if _is_nhs_number(identifier) else next((token.partition("/")[0] for token in tokens), ANY)
        self.refers.add(f"{kind}/{name}")
        if kind == _PATIENT:
            self.alike.update((token.partition("/")[2], name) for token in tokens)


def _of_text(written: str, kind: str) -> Iterator[str]:
    """Tokens of the text of a reference.

    Args:
        kind: where the text does not say it.
    """
    text = written.strip(_BLANKS)
    plain = _BEHIND.split(text, maxsplit=1)[0].strip(_BLANKS)
    if text.startswith("urn:"):
        yield f"{kind}/{plain.rpartition(':')[2]}"
    elif found := _SEARCHED.search(text):
        yield f"{plain.rstrip('/').rpartition('/')[2]}/{_searched(found[1])}"
    else:
        for before, name in pairwise(part.strip(_BLANKS) for part in plain.split("/") if part):
            if before in _TYPES:
                yield f"{before}/{name}"


def _names(resource: Mapping[str, Any], *, is_contained: bool = False) -> Iterator[str]:
    """What others may call a resource by: its id and identifiers; a patient also by an NHS number in every usual form.

    Args:
        is_contained: its id is none outside of what contains it.
    """
    if (name := _text(resource.get("id"))) and not is_contained:
        yield name.strip(_BLANKS)
    identifiers = resource.get("identifier")
    for identifier in identifiers if isinstance(identifiers, list) else [identifiers]:
        if isinstance(identifier, dict) and (token := _of_identifier(identifier)):
            yield token
            if resource.get("resourceType") == _PATIENT and _is_nhs_number(identifier):
                yield from names_of_number(_value(_text(identifier["value"])))


def _linked(patient: Mapping[str, Any]) -> Iterator[str]:
    """Names of other resources of the same patient."""
    links = patient.get("link")
    for link in links if isinstance(links, list) else ():
        other = link.get("other") if isinstance(link, dict) else None
        if isinstance(other, dict) and isinstance(written := other.get("reference"), str):
            tokens = (token.partition("/") for token in _of_text(written, _PATIENT))
            yield from (name for kind, _, name in tokens if kind == _PATIENT)


def _is_nhs_number(identifier: Mapping[str, Any]) -> bool:
    system, value = _system(_text(identifier.get("system"))), _text(identifier.get("value"))
    return value != "" and (system in NHS_NUMBER_SYSTEMS or (not system and valid_nhs_number(value) is not None))


def _of_identifier(identifier: Mapping[str, Any]) -> str:
    """As the macro ``fhir_token``: what stands for an identifier; empty where it has no value."""
    value = _text(identifier.get("value"))
    return _token(_text(identifier.get("system")), value) if value else ""


def _text(value: Any) -> str:
    """A value as the reader takes it for text: a number that stands for a text is one."""
    return value if isinstance(value, str) else str(value) if type(value) is int else ""


def _searched(query: str) -> str:
    """What stands for the identifier that a search is for."""
    system, bar, value = unquote(query.replace("\\/", "/")).partition("|")
    return _token(system, value.partition("|")[0]) if bar else _token("", system)


def _token(system: str, value: str) -> str:
    return f"identifier-{hashlib.sha256(f'{_system(system)}|{_value(value)}'.encode()).hexdigest()[:24]}"


def _system(written: str) -> str:
    """As the macro ``fhir_system``."""
    system = written.strip(_BLANKS)
    if system in NHS_NUMBER_SYSTEMS:
        return system
    return NHS_NUMBER_SYSTEMS[0] if _NHS_SPELLED.fullmatch(system.lower()) else system.rstrip("/")


def _value(written: str) -> str:
    """As the macro ``fhir_value``: without blanks, and ten digits without hyphens."""
    value = _BLANK.sub("", written)
    digits = value.replace("-", "")
    return digits if _TEN_DIGITS.fullmatch(digits) else value
