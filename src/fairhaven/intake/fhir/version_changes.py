"""What STU3 and R5 call otherwise than R4, or write in another form, of all elements that the views read.

Sources: the resource pages of FHIR 3.0.2, 4.0.1 and 5.0.0 with their "R3 Diff" and "R4 Diff", and HL7's conversions of resources between
versions (hl7.org/fhir/extensions). Where a code has no like in R4, the comment says which was taken. What DSTU2 calls otherwise is here to
be recognised: it is not read.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType

from fairhaven.intake.fhir.element_changes import (
    ElementChange,
    Sign,
    address_of_contact,
    adherence,
    attester,
    class_of_encounter,
    coded,
    context_of_document,
    device_concept,
    dose,
    first,
    has_member,
    inner,
    listed,
    lot_of_package,
    medication,
    moved,
    negating,
    never_used,
    participants,
    payers,
    period_of_document,
    period_of_use,
    present,
    renamed,
    replaced,
    uncoded,
)
from fairhaven.intake.model import FhirVersion

_HL7 = "http://terminology.hl7.org/CodeSystem"
_ENCOUNTER = moved("context", "encounter")
_ABSENT = {"asked": "asked-unknown", "temp": "temp-unknown", "astext": "as-text", "NaN": "not-a-number"}


def _doses(dosage: str) -> tuple[ElementChange, ...]:
    rated = Sign(path=f"$.{dosage}[0].doseAndRate")
    return tuple(
        replaced(
            f"{dosage}[].{name}",
            "`doseQuantity` of `doseAndRate`",
            dose,
            sign=Sign(path=f"$.{dosage}[0].{name}"),
            denial=rated,
        )
        for name in ("doseQuantity", "doseSimpleQuantity")
    )


def _absent(path: str) -> ElementChange:
    return renamed(f"{path}dataAbsentReason.coding[].code", _ABSENT)


_STU3: Mapping[str, Sequence[ElementChange]] = {
    "Condition": (
        coded("clinicalStatus", f"{_HL7}/condition-clinical"),
        # R4 has no "unknown": unconfirmed is what it says of a condition that may be none.
        coded("verificationStatus", f"{_HL7}/condition-ver-status", {"unknown": "unconfirmed"}),
        _ENCOUNTER,
        moved("assertedDate", "recordedDate"),
    ),
    "Observation": (
        _ENCOUNTER,
        listed("interpretation"),
        listed("component[].interpretation"),
        replaced("related", "`hasMember`, of type `has-member`", has_member, sign=Sign(path="$.related")),
        _absent(""),
        _absent("component[]."),
    ),
    "Procedure": (
        # Before notDone: what was not done was not stopped.
        renamed("status", {"suspended": "on-hold", "aborted": "stopped"}),
        negating("notDone", "not-done"),
        _ENCOUNTER,
    ),
    "MedicationRequest": (
        _ENCOUNTER,
        inner("requester", "agent"),
        listed("category"),
        *_doses("dosageInstruction"),
    ),
    "MedicationStatement": (
        # GP Connect says "unk" of every prescribed medication; "na" is said of what is no taking at all.
        negating("taken", "not-taken", {"y": False, "n": True, "unk": False, "na": False}),
        moved("reasonNotTaken", "statusReason"),
        *_doses("dosage"),
    ),
    "MedicationAdministration": (negating("notGiven", "not-done"), moved("reasonNotGiven", "statusReason")),
    "MedicationDispense": (
        present("notDoneCodeableConcept", "declined"),
        present("notDoneReference", "declined"),
        *_doses("dosageInstruction"),
    ),
    "Medication": (
        replaced("package", "`batch`, the first of the package", lot_of_package, sign=Sign(path="$.package")),
    ),
    "Immunization": (
        negating("notGiven", "not-done"),
        moved("date", "occurrenceDateTime"),
        moved("practitioner", "performer"),
    ),
    "AllergyIntolerance": (
        coded("clinicalStatus", f"{_HL7}/allergyintolerance-clinical"),
        coded("verificationStatus", f"{_HL7}/allergyintolerance-verification"),
        moved("assertedDate", "recordedDate"),
    ),
    "DiagnosticReport": (
        _ENCOUNTER,
        listed("category"),
        inner("performer[]", "actor"),
        moved("codedDiagnosis", "conclusionCode"),
    ),
    "DocumentReference": (
        listed("class", "category"),
        moved("indexed", "date"),
        moved("created", "date"),
        listed("context.encounter"),
        renamed("docStatus", {"appended": "amended"}),
    ),
    "Device": (listed("udi", "udiCarrier"),),
    "DeviceUseStatement": (replaced("whenUsed", "`timingPeriod`", period_of_use, sign=Sign(path="$.whenUsed")),),
    "Location": (listed("type"),),
}

_MEDICATION = replaced(
    "medication",
    "`medicationCodeableConcept`, `medicationReference`",
    medication,
    sign=Sign(path="$.medication"),
    denial=Sign(path="$.medicationCodeableConcept"),
    may_negate=True,
)
_CONTEXT = moved("encounter", "context")
_ADHERENCE = {
    "taking": "active",
    "taking-as-directed": "active",
    "taking-not-as-directed": "active",
    "not-taking": "not-taken",
    "on-hold": "on-hold",
    "on-hold-as-directed": "on-hold",
    "on-hold-not-as-directed": "on-hold",
    "stopped": "stopped",
    "stopped-as-directed": "stopped",
    "stopped-not-as-directed": "stopped",
    "unknown": "unknown",
}


def _participant(to: str) -> ElementChange:
    return replaced(
        "participant",
        f"`{to}`, the first",
        partial(participants, to=to),
        sign=Sign(path="$.participant"),
        denial=Sign(path=f"$.{to}"),
    )


_R5: Mapping[str, Sequence[ElementChange]] = {
    "Encounter": (
        # An encounter that was broken off had begun: in R4 cancelled is one that never did.
        renamed(
            "status",
            {"on-hold": "onleave", "discharged": "finished", "completed": "finished", "discontinued": "finished"},
        ),
        replaced(
            "class",
            "the first coding",
            class_of_encounter,
            sign=Sign(path="$.class", types=("ARRAY",)),
            denial=Sign(path="$.class", types=("OBJECT",)),
        ),
        first("serviceType"),
        inner("serviceType", "concept"),
        moved("actualPeriod", "period"),
        moved("admission", "hospitalization"),
        moved("participant[].actor", "individual"),
    ),
    "Condition": (_participant("asserter"),),
    "Procedure": (
        moved("occurrenceDateTime", "performedDateTime"),
        moved("occurrencePeriod", "performedPeriod"),
        first("category"),
    ),
    "MedicationRequest": (_MEDICATION, moved("reported", "reportedBoolean"), renamed("status", {"ended": "completed"})),
    "MedicationStatement": (
        _MEDICATION,
        _CONTEXT,
        first("informationSource"),
        # Recorded says nothing of the medication; a draft is of nothing that happened.
        renamed("status", {"recorded": "unknown", "draft": "intended"}),
        replaced(
            "adherence",
            "the status",
            partial(adherence, statuses=_ADHERENCE),
            sign=Sign(path="$.adherence"),
            may_negate=True,
        ),
    ),
    "MedicationAdministration": (
        _MEDICATION,
        _CONTEXT,
        # R5 spells it so.
        moved("occurenceDateTime", "effectiveDateTime"),
        moved("occurencePeriod", "effectivePeriod"),
        moved("occurrenceDateTime", "effectiveDateTime"),
        moved("occurrencePeriod", "effectivePeriod"),
        inner("performer[].actor", "reference"),
    ),
    "MedicationDispense": (_MEDICATION, _CONTEXT, present("notPerformedReason", "declined")),
    "Medication": (
        moved("doseForm", "form"),
        inner("ingredient[].item", "concept"),
        moved("ingredient[].item", "itemCodeableConcept"),
    ),
    "AllergyIntolerance": (
        uncoded("type"),
        # R4 has no "presumed", and what is presumed is not confirmed.
        renamed("verificationStatus.coding[].code", {"presumed": "unconfirmed"}),
        _participant("asserter"),
        inner("reaction[].manifestation[]", "concept"),
    ),
    "DiagnosticReport": (renamed("status", {"modified": "preliminary"}),),
    "DocumentReference": (
        replaced(
            "context",
            "`encounter` of `context`",
            context_of_document,
            sign=Sign(path="$.context", types=("ARRAY",)),
            denial=Sign(path="$.context", types=("OBJECT",)),
        ),
        replaced("period", "`period` of `context`", period_of_document, sign=Sign(path="$.period", types=("OBJECT",))),
        replaced(
            "attester",
            "`authenticator`, the first",
            attester,
            sign=Sign(path="$.attester"),
            denial=Sign(path="$.authenticator"),
        ),
        renamed(
            "docStatus",
            # What is deprecated or cancelled is as good as superseded, which R4 says by another element.
            {
                "registered": "preliminary",
                "partial": "preliminary",
                "corrected": "amended",
                "appended": "amended",
                "unknown": "preliminary",
                "deprecated": "entered-in-error",
                "cancelled": "entered-in-error",
            },
        ),
    ),
    "Device": (first("type"),),
    "DeviceUseStatement": (
        moved("patient", "subject"),
        replaced(
            "device",
            "a `concept` of it: `deviceCodeableConcept`, which is read though R4 has no such element",
            device_concept,
            sign=Sign(path="$.device.concept", types=("OBJECT",)),
        ),
        inner("device", "reference"),
        moved("dateAsserted", "recordedOn"),
        replaced(
            "adherence",
            "`never`: status `not-done`",
            never_used,
            sign=Sign(path="$.adherence"),
            may_negate=True,
        ),
        moved("informationSource", "source"),
        inner("bodySite", "concept"),
    ),
    "Specimen": (inner("collection.bodySite", "concept"),),
    "Coverage": (
        listed("insurer", "payor"),
        replaced("paymentBy", "`payor`", payers, sign=Sign(path="$.paymentBy"), denial=Sign(path="$.payor")),
    ),
    "Organization": (
        replaced("contact", "`address`, of the contacts", address_of_contact, denial=Sign(path="$.address")),
    ),
    "Location": (moved("form", "physicalType"),),
}

CHANGES: Mapping[FhirVersion, Mapping[str, Sequence[ElementChange]]] = MappingProxyType(
    {
        FhirVersion.STU3: MappingProxyType(_STU3),
        FhirVersion.R4: MappingProxyType({}),
        FhirVersion.R5: MappingProxyType(_R5),
    }
)
"""Version -> resource type, as R4 calls it -> what becomes of its elements, in this order."""

_STU3_TYPES = """
BodySite DataElement DeviceComponent EligibilityRequest EligibilityResponse ExpansionProfile ImagingManifest ProcedureRequest ProcessRequest
ProcessResponse ReferralRequest Sequence ServiceDefinition
"""
_R5_TYPES = """
ActorDefinition AdministrableProductDefinition ArtifactAssessment BiologicallyDerivedProductDispense Citation ClinicalUseDefinition
ConditionDefinition DeviceAssociation DeviceDispense DeviceUsage EncounterHistory EvidenceReport FormularyItem GenomicStudy ImagingSelection
Ingredient InventoryItem InventoryReport ManufacturedItemDefinition MedicinalProductDefinition NutritionIntake NutritionProduct
PackagedProductDefinition Permission RegulatedAuthorization RequestOrchestration Requirements SubscriptionStatus SubscriptionTopic
SubstanceDefinition TestPlan Transport
"""
FURTHER_TYPES: Mapping[FhirVersion, frozenset[str]] = MappingProxyType(
    {
        FhirVersion.STU3: frozenset(_STU3_TYPES.split()),
        FhirVersion.R4: frozenset(),
        FhirVersion.R5: frozenset(_R5_TYPES.split()),
    }
)
"""Resource types that R4 does not have."""

RENAMED_TYPES: Mapping[str, str] = MappingProxyType(
    {"ProcedureRequest": "ServiceRequest", "ReferralRequest": "ServiceRequest", "DeviceUsage": "DeviceUseStatement"}
)
"""Those of them that R4 has by another name."""

DSTU2: Mapping[str, Sequence[Sign]] = MappingProxyType(
    {
        "AllergyIntolerance": (Sign(path="$.substance"), Sign(path="$.status")),
        "Condition": (Sign(path="$.patient"), Sign(path="$.dateRecorded")),
        "Encounter": (Sign(path="$.class", types=("VARCHAR",)), Sign(path="$.patient")),
        "Immunization": (Sign(path="$.wasNotGiven"),),
        "MedicationAdministration": (Sign(path="$.wasNotGiven"), Sign(path="$.patient")),
        "MedicationDispense": (Sign(path="$.patient"),),
        "MedicationStatement": (Sign(path="$.wasNotTaken"), Sign(path="$.patient")),
        "Procedure": (Sign(path="$.notPerformed"), Sign(path="$.reasonNotPerformed")),
    }
)
"""By what a resource of DSTU2 is known, of which some say that something did not happen."""
DSTU2_TYPES = frozenset({"MedicationOrder", "DiagnosticOrder", "DeviceUseRequest", "Conformance"})
