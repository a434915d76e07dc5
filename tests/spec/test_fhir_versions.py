"""The same facts in STU3, R4 and R5 land as the same rows: what each version calls otherwise, resource by resource."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import pytest

from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.intake.fhir.element_changes import NotUnderstood
from fairhaven.intake.fhir.version_changes import CHANGES
from fairhaven.intake.fhir.version_reading import change
from fairhaven.intake.model import FhirVersion
from tests.support import fhir_files

Resource = dict[str, Any]
HL7 = "http://terminology.hl7.org/CodeSystem"
SNOMED = "http://snomed.info/sct"
DAY, LATER = "2020-03-04", "2020-03-05"


def coded(code: str, system: str = SNOMED) -> Resource:
    return {"coding": [{"system": system, "code": code}]}


def to(target: str) -> Resource:
    return {"reference": target}


@dataclass(frozen=True)
class Fact:
    """One resource in three versions: what all have, and what each has of its own; None where R4's serves."""

    resource: str
    all: Resource
    r4: Resource
    stu3: Resource | None = None
    r5: Resource | None = None

    def written(self, version: FhirVersion, number: int) -> Resource:
        own = {FhirVersion.STU3: self.stu3, FhirVersion.R5: self.r5}.get(version)
        return {"resourceType": self.resource, "id": f"x{number}", **self.all, **(self.r4 if own is None else own)}


PATIENT, OF = {"patient": to("Patient/p")}, {"subject": to("Patient/p")}
DRUG, DOSE = coded("1", "http://www.nlm.nih.gov/research/umls/rxnorm"), {"value": 5, "unit": "mg"}
STU3_DOSE, R4_DOSE = [{"doseQuantity": DOSE}], [{"doseAndRate": [{"doseQuantity": DOSE}]}]
GIVEN = {"medicationCodeableConcept": DRUG}
GIVEN_R5 = {"medication": {"concept": DRUG}}


def _verified(status: str, kind: str = "condition-ver-status") -> Resource:
    return {"verificationStatus": coded(status, f"{HL7}/{kind}")}


FACTS = [
    Fact("Patient", {"gender": "female", "birthDate": "1970-05-06"}, {}),
    Fact(
        "Encounter",
        {**OF, "serviceProvider": to("Organization/o")},
        {
            "status": "finished",
            "class": {"system": f"{HL7}/v3-ActCode", "code": "IMP"},
            "serviceType": coded("2"),
            "period": {"start": DAY, "end": LATER},
            "participant": [{"individual": to("Practitioner/d")}],
            "hospitalization": {"admitSource": coded("gp", f"{HL7}/admit-source")},
        },
        r5={
            "status": "completed",
            "class": [coded("IMP", f"{HL7}/v3-ActCode")],
            "serviceType": [{"concept": coded("2")}],
            "actualPeriod": {"start": DAY, "end": LATER},
            "participant": [{"actor": to("Practitioner/d")}],
            "admission": {"admitSource": coded("gp", f"{HL7}/admit-source")},
        },
    ),
    *[
        Fact(
            "Condition",
            {**OF, "code": coded("44054006"), "onsetDateTime": DAY},
            {
                "clinicalStatus": coded("active", f"{HL7}/condition-clinical"),
                **_verified(status),
                "encounter": to("Encounter/e"),
                "recordedDate": LATER,
                "asserter": to("Practitioner/d"),
            },
            stu3={
                "clinicalStatus": "active",
                "verificationStatus": status,
                "context": to("Encounter/e"),
                "assertedDate": LATER,
                "asserter": to("Practitioner/d"),
            },
            r5={
                "clinicalStatus": coded("active", f"{HL7}/condition-clinical"),
                **_verified(status),
                "encounter": to("Encounter/e"),
                "recordedDate": LATER,
                "participant": [{"actor": to("Practitioner/d")}],
            },
        )
        for status in ("confirmed", "refuted", "entered-in-error", "provisional")
    ],
    Fact(
        "Observation",
        {**OF, "status": "final", "code": coded("3"), "effectiveDateTime": DAY},
        {
            "encounter": to("Encounter/e"),
            "interpretation": [coded("H")],
            "hasMember": [to("Observation/m")],
            "component": [{"code": coded("4"), "interpretation": [coded("L")], "valueString": "x"}],
        },
        stu3={
            "context": to("Encounter/e"),
            "interpretation": coded("H"),
            "related": [
                {"type": "has-member", "target": to("Observation/m")},
                {"type": "derived-from", "target": to("Observation/n")},
            ],
            "component": [{"code": coded("4"), "interpretation": coded("L"), "valueString": "x"}],
        },
    ),
    Fact(
        "Observation",
        {**OF, "status": "final", "code": coded("3"), "effectiveDateTime": DAY},
        {"dataAbsentReason": coded("asked-unknown"), "encounter": to("Encounter/e")},
        stu3={"dataAbsentReason": coded("asked"), "context": to("Encounter/e")},
    ),
    *[
        Fact(
            "Procedure",
            {**OF, "code": coded("5")},
            {"status": status, "performedDateTime": DAY, "category": coded("6"), "encounter": to("Encounter/e")},
            stu3={**stu3, "performedDateTime": DAY, "category": coded("6"), "context": to("Encounter/e")},
            r5={"status": status, "occurrenceDateTime": DAY, "category": [coded("6")], "encounter": to("Encounter/e")},
        )
        for status, stu3 in (
            ("completed", {"status": "completed", "notDone": False}),
            ("not-done", {"status": "completed", "notDone": True}),
            ("entered-in-error", {"status": "entered-in-error", "notDone": True}),
            ("stopped", {"status": "aborted"}),
        )
    ],
    Fact(
        "MedicationRequest",
        {**OF, "intent": "order", "authoredOn": DAY},
        {
            "status": "completed",
            **GIVEN,
            "encounter": to("Encounter/e"),
            "requester": to("Practitioner/d"),
            "category": [coded("outpatient")],
            "dosageInstruction": R4_DOSE,
            "reportedBoolean": False,
        },
        stu3={
            "status": "completed",
            **GIVEN,
            "context": to("Encounter/e"),
            "requester": {"agent": to("Practitioner/d")},
            "category": coded("outpatient"),
            "dosageInstruction": STU3_DOSE,
            "reportedBoolean": False,
        },
        r5={
            "status": "ended",
            **GIVEN_R5,
            "encounter": to("Encounter/e"),
            "requester": to("Practitioner/d"),
            "category": [coded("outpatient")],
            "dosageInstruction": R4_DOSE,
            "reported": False,
        },
    ),
    Fact(
        "MedicationRequest",
        {**OF, "status": "active", "intent": "order", "authoredOn": DAY, "doNotPerform": True},
        {"medicationReference": to("Medication/m"), "encounter": to("Encounter/e")},
        stu3={"medicationReference": to("Medication/m"), "context": to("Encounter/e")},
        r5={"medication": {"reference": to("Medication/m")}, "encounter": to("Encounter/e")},
    ),
    *[
        Fact(
            "MedicationStatement",
            {**OF, "effectiveDateTime": DAY, "dateAsserted": LATER},
            {
                "status": status,
                **GIVEN,
                "context": to("Encounter/e"),
                "informationSource": to("Practitioner/d"),
                "dosage": R4_DOSE,
            },
            stu3={
                "status": "active",
                "taken": taken,
                **GIVEN,
                "context": to("Encounter/e"),
                "informationSource": to("Practitioner/d"),
                "dosage": STU3_DOSE,
            },
            r5={
                "status": "recorded",
                "adherence": {"code": coded(adherence)},
                **GIVEN_R5,
                "encounter": to("Encounter/e"),
                "informationSource": [to("Practitioner/d")],
                "dosage": R4_DOSE,
            },
        )
        for status, taken, adherence in (("active", "unk", "taking"), ("not-taken", "n", "not-taking"))
    ],
    *[
        Fact(
            "MedicationAdministration",
            OF,
            {
                "status": status,
                **GIVEN,
                "context": to("Encounter/e"),
                "effectivePeriod": {"start": DAY, "end": LATER},
                "performer": [{"actor": to("Practitioner/d")}],
            },
            stu3={
                "status": "completed",
                "notGiven": status == "not-done",
                **GIVEN,
                "context": to("Encounter/e"),
                "effectivePeriod": {"start": DAY, "end": LATER},
                "performer": [{"actor": to("Practitioner/d")}],
            },
            r5={
                "status": status,
                **GIVEN_R5,
                "encounter": to("Encounter/e"),
                "occurencePeriod": {"start": DAY, "end": LATER},
                "performer": [{"actor": {"reference": to("Practitioner/d")}}],
            },
        )
        for status in ("completed", "not-done")
    ],
    *[
        Fact(
            "MedicationDispense",
            {**OF, "whenHandedOver": DAY, "daysSupply": {"value": 28, "unit": "d"}},
            {"status": status, **GIVEN, "context": to("Encounter/e"), "dosageInstruction": R4_DOSE},
            stu3={
                "status": "on-hold",
                **not_done,
                **GIVEN,
                "context": to("Encounter/e"),
                "dosageInstruction": STU3_DOSE,
            },
            r5={
                "status": "on-hold",
                **({"notPerformedReason": {"concept": coded("7")}} if not_done else {}),
                **GIVEN_R5,
                "encounter": to("Encounter/e"),
                "dosageInstruction": R4_DOSE,
            },
        )
        for status, not_done in (("on-hold", {}), ("declined", {"notDoneCodeableConcept": coded("7")}))
    ],
    Fact(
        "Medication",
        {"status": "active"},
        {"ingredient": [{"itemCodeableConcept": DRUG}], "form": coded("8"), "batch": {"lotNumber": "L1"}},
        stu3={
            "ingredient": [{"itemCodeableConcept": DRUG}],
            "form": coded("8"),
            "package": {"batch": [{"lotNumber": "L1"}]},
        },
        r5={"ingredient": [{"item": {"concept": DRUG}}], "doseForm": coded("8"), "batch": {"lotNumber": "L1"}},
    ),
    *[
        Fact(
            "Immunization",
            {**PATIENT, "vaccineCode": coded("140"), "primarySource": True},
            {"status": status, "occurrenceDateTime": DAY, "performer": [{"actor": to("Practitioner/d")}]},
            stu3={
                "status": "completed",
                "notGiven": status == "not-done",
                "date": DAY,
                "practitioner": [{"actor": to("Practitioner/d")}],
            },
        )
        for status in ("completed", "not-done")
    ],
    *[
        Fact(
            "AllergyIntolerance",
            {**PATIENT, "code": coded("91936005"), "category": ["food"]},
            {
                "type": "allergy",
                "clinicalStatus": coded("active", f"{HL7}/allergyintolerance-clinical"),
                **_verified(status, "allergyintolerance-verification"),
                "recordedDate": DAY,
                "asserter": to("Practitioner/d"),
                "reaction": [{"manifestation": [coded("9")]}],
            },
            stu3={
                "type": "allergy",
                "clinicalStatus": "active",
                "verificationStatus": status,
                "assertedDate": DAY,
                "asserter": to("Practitioner/d"),
                "reaction": [{"manifestation": [coded("9")]}],
            },
            r5={
                "type": coded("allergy", f"{HL7}/allergy-intolerance-type"),
                "clinicalStatus": coded("active", f"{HL7}/allergyintolerance-clinical"),
                **_verified(status, "allergyintolerance-verification"),
                "recordedDate": DAY,
                "participant": [{"actor": to("Practitioner/d")}],
                "reaction": [{"manifestation": [{"concept": coded("9")}]}],
            },
        )
        for status in ("confirmed", "refuted")
    ],
    Fact(
        "DiagnosticReport",
        {**OF, "status": "final", "code": coded("10"), "effectiveDateTime": DAY},
        {
            "encounter": to("Encounter/e"),
            "category": [coded("LAB")],
            "performer": [to("Practitioner/d")],
            "conclusionCode": [coded("11")],
        },
        stu3={
            "context": to("Encounter/e"),
            "category": coded("LAB"),
            "performer": [{"actor": to("Practitioner/d")}],
            "codedDiagnosis": [coded("11")],
        },
    ),
    Fact(
        "DocumentReference",
        {**OF, "status": "current", "type": coded("12")},
        {
            "date": DAY,
            "category": [coded("13")],
            "docStatus": "amended",
            "authenticator": to("Practitioner/d"),
            "context": {"encounter": [to("Encounter/e")], "period": {"start": DAY}},
        },
        stu3={
            "indexed": DAY,
            "class": coded("13"),
            "docStatus": "appended",
            "authenticator": to("Practitioner/d"),
            "context": {"encounter": to("Encounter/e"), "period": {"start": DAY}},
        },
        r5={
            "date": DAY,
            "category": [coded("13")],
            "docStatus": "corrected",
            "attester": [{"party": to("Practitioner/d")}],
            "context": [to("Encounter/e")],
            "period": {"start": DAY},
        },
    ),
    Fact(
        "DocumentReference",
        {**OF, "status": "current", "type": coded("12")},
        {"context": {"period": {"start": DAY}}},
        r5={"period": {"start": DAY}},
    ),
    Fact(
        "Device",
        {"status": "active", "lotNumber": "L2", **PATIENT},
        {"type": coded("14"), "udiCarrier": [{"deviceIdentifier": "D"}]},
        stu3={"type": coded("14"), "udi": {"deviceIdentifier": "D"}},
        r5={"type": [coded("14")], "udiCarrier": [{"deviceIdentifier": "D"}]},
    ),
    Fact(
        "DeviceUseStatement",
        {"status": "completed"},
        {
            **OF,
            "device": to("Device/d"),
            "timingPeriod": {"start": DAY, "end": LATER},
            "recordedOn": LATER,
            "source": to("Practitioner/d"),
            "bodySite": coded("15"),
        },
        stu3={
            **OF,
            "device": to("Device/d"),
            "whenUsed": {"start": DAY, "end": LATER},
            "recordedOn": LATER,
            "source": to("Practitioner/d"),
            "bodySite": coded("15"),
        },
        r5={
            "resourceType": "DeviceUsage",
            **PATIENT,
            "device": {"reference": to("Device/d")},
            "timingPeriod": {"start": DAY, "end": LATER},
            "dateAsserted": LATER,
            "informationSource": to("Practitioner/d"),
            "bodySite": {"concept": coded("15")},
        },
    ),
    *[
        Fact(
            "DeviceUseStatement",
            {},
            {**OF, "status": status, "device": to("Device/d")},
            stu3={**OF, "status": status, "device": to("Device/d")},
            r5={
                "resourceType": "DeviceUsage",
                **PATIENT,
                "status": "active",
                "device": {"reference": to("Device/d")},
                "adherence": {"code": coded(adherence)},
            },
        )
        for status, adherence in (("not-done", "never"), ("active", "sometimes"))
    ],
    Fact(
        "DeviceUseStatement",
        {},
        {
            **OF,
            "status": "active",
            "deviceCodeableConcept": coded("18"),
            "recordedOn": DAY,
            "context": to("Encounter/e"),
        },
        r5={
            "resourceType": "DeviceUsage",
            **PATIENT,
            "status": "active",
            "device": {"concept": coded("18")},
            "dateAsserted": DAY,
            "context": to("Encounter/e"),
        },
    ),
    # STU3 says when a device was used in two ways, of which R4 has kept one.
    Fact(
        "DeviceUseStatement",
        {"status": "completed", "timingPeriod": {"start": DAY, "end": LATER}},
        {**OF, "device": to("Device/d")},
        r5={"resourceType": "DeviceUsage", **PATIENT, "device": {"reference": to("Device/d")}},
    ),
    Fact(
        "Specimen",
        {**OF, "status": "available", "type": coded("16")},
        {"collection": {"collectedDateTime": DAY, "bodySite": coded("17")}},
        r5={"collection": {"collectedDateTime": DAY, "bodySite": {"concept": coded("17")}}},
    ),
    Fact(
        "Coverage",
        {"status": "active", "beneficiary": to("Patient/p"), "period": {"start": DAY}},
        {"payor": [to("Organization/o")]},
        r5={"kind": "insurance", "insurer": to("Organization/o")},
    ),
    Fact("Practitioner", {"gender": "male"}, {}),
    Fact("PractitionerRole", {"practitioner": to("Practitioner/d"), "code": [coded("18")]}, {}),
    Fact(
        "Organization",
        {"name": "Ward Trust"},
        {"address": [{"postalCode": "M1 1AA"}]},
        r5={"contact": [{"address": {"postalCode": "M1 1AA"}}]},
    ),
    Fact(
        "Location",
        {"name": "Ward"},
        {"type": [coded("19")], "physicalType": coded("wa")},
        stu3={"type": coded("19"), "physicalType": coded("wa")},
        r5={"type": [coded("19")], "form": coded("wa")},
    ),
]


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> dict[FhirVersion, dict[str, list[Any]]]:
    """The rows of each table, by version."""
    found = {}
    for version in FhirVersion:
        folder = tmp_path_factory.mktemp(version)
        resources = [fact.written(version, number) for number, fact in enumerate(FACTS)]
        source = dataclasses.replace(fhir_files.SOURCE, fhir_version=version)
        path = fhir_files.written(folder, resources)
        with open_duckdb(spill=folder, reaches=[folder], threads=1) as con:
            tables = fhir_files.staged(con, path, folder / "scratch", source=source)
            rows = {
                name: con.execute(f"FROM {table.rows} ORDER BY row_line").fetchall() for name, table in tables.items()
            }
            faults = [con.execute(f"FROM {table.rejects}").fetchall() for table in tables.values()]
        assert not any(faults)
        found[version] = rows
    return found


@pytest.mark.parametrize("version", [FhirVersion.STU3, FhirVersion.R5])
def test_the_same_facts_land_alike(version: FhirVersion, staged: dict[FhirVersion, dict[str, list[Any]]]) -> None:
    assert staged[version] == staged[FhirVersion.R4]
    assert sum(map(len, staged[version].values())) == len(FACTS) + 1, "a row of each, and one of a component"


@pytest.mark.parametrize("version", [FhirVersion.STU3, FhirVersion.R5])
def test_each_version_tells_by_what_it_calls_otherwise(version: FhirVersion) -> None:
    """What is changed is written here in the version's own form, so no change stands in the table that no fact shows."""
    own = {fact.written(version, 0)["resourceType"]: fact.resource for fact in FACTS}
    assert set(CHANGES[version]) <= set(own.values())
    for fact in FACTS:
        resource = fact.written(version, 0)
        plain = fact.written(FhirVersion.R4, 0)
        change(resource, version)
        again = dict(plain)
        change(again, version)
        assert again == plain, "a resource of R4 is left as it is"


@pytest.mark.parametrize(
    ("version", "resource"),
    [
        (FhirVersion.STU3, {"resourceType": "Procedure", "notDone": "true"}),
        (FhirVersion.STU3, {"resourceType": "Immunization", "notGiven": 1}),
        (FhirVersion.STU3, {"resourceType": "Immunization", "notGiven": [True]}),
        (FhirVersion.STU3, {"resourceType": "MedicationAdministration", "notGiven": {"value": True}}),
        (FhirVersion.STU3, {"resourceType": "MedicationStatement", "taken": "N"}),
        (FhirVersion.STU3, {"resourceType": "MedicationStatement", "taken": False}),
        (FhirVersion.R5, {"resourceType": "MedicationStatement", "adherence": {"code": {"text": "not taking"}}}),
        (FhirVersion.R5, {"resourceType": "MedicationStatement", "adherence": "not-taking"}),
        (FhirVersion.R5, {"resourceType": "MedicationRequest", "medication": {"text": "aspirin"}}),
    ],
)
def test_what_may_negate_in_a_shape_that_is_not_known_is_not_read(version: FhirVersion, resource: Resource) -> None:
    with pytest.raises(NotUnderstood):
        change(resource, version)
