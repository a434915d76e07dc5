"""In which version of FHIR a file is written, what in it contradicts, and what may negate in a shape that is not known."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from docs.generators.fhir_mapping import LEFT_OUT
from fairhaven.cli import delivery_text
from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.intake.fhir.element_columns import NO_CODE, NO_COMPARATOR, NO_CONCEPT, NO_FLAG
from fairhaven.intake.fhir.fhir_reader import IMPLICIT, MIXED, MODIFIED, OTHER_VERSION, STRANGE, UNKNOWN, UNREAD_VERSION
from fairhaven.intake.fhir.status_codes import CODES
from fairhaven.intake.fhir.version_recognition import version_of
from fairhaven.intake.model import FhirVersion
from fairhaven.kernel.progress import Silent
from tests.support import fhir_files
from tests.support.intake_hub import Hub

Resource = dict[str, Any]
STU3, R4, R5 = FhirVersion.STU3, FhirVersion.R4, FhirVersion.R5
VERIFIED = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def condition(**more: Any) -> Resource:
    return {"resourceType": "Condition", "subject": {"reference": "Patient/p"}, "onsetDateTime": "2020-03-04", **more}


def drug(**more: Any) -> Resource:
    return {"resourceType": "MedicationRequest", "status": "active", "intent": "order", **more}


def coded(*codes: str, system: str = VERIFIED) -> Resource:
    return {"coding": [{"system": system, "code": code} for code in codes]}


def other(version: str, read_as: str) -> str:
    return OTHER_VERSION.format(other=version, version=read_as)


def read(
    resources: list[Resource] | str, folder: Path, declared: FhirVersion | None = None
) -> tuple[str, list[int], list[tuple[int, str, str]]]:
    """How a file is read, the lines that land, and (line, field, reason) of those in quarantine."""
    source = dataclasses.replace(fhir_files.SOURCE, fhir_version=declared)
    path = fhir_files.written(folder, resources)
    with open_duckdb(spill=folder, reaches=[folder], threads=1) as con:
        tables = fhir_files.staged(con, path, folder / "scratch", source=source).values()
        lines = [line for table in tables for (line,) in con.execute(f"SELECT row_line FROM {table.rows}").fetchall()]
        faults = [
            fault
            for table in tables
            for fault in con.execute(f"SELECT row_line, field, reason FROM {table.rejects}").fetchall()
        ]
    return next(table.written_as for table in tables), sorted(lines), sorted(faults)


OF_STU3 = condition(verificationStatus="confirmed")
OF_R4 = condition(verificationStatus=coded("confirmed"), asserter={"reference": "Practitioner/d"})
OF_R5 = drug(medication={"concept": coded("1")})
OF_DSTU2 = condition(patient={"reference": "Patient/p"}, verificationStatus="refuted")
ANY = condition()


@pytest.mark.parametrize(
    ("resources", "declared", "written_as", "faults"),
    [
        ([ANY], None, "FHIR R4, assumed", []),
        ([ANY, OF_STU3], None, "FHIR STU3, detected", []),
        ([ANY, OF_R4], None, "FHIR R4, detected", []),
        ([ANY, OF_R5], None, "FHIR R5, detected", []),
        ([ANY], STU3, "FHIR STU3, declared", []),
        ([OF_STU3, OF_R4], STU3, "FHIR STU3, declared", [(2, "", other("R4", "STU3"))]),
        ([OF_STU3, ANY], R4, "FHIR R4, declared", [(1, "", other("STU3", "R4"))]),
        ([OF_STU3, OF_STU3, OF_R5], None, "FHIR STU3, detected", [(3, "", other("R5", "STU3"))]),
        # As many speak for one as for the other: neither is taken.
        (
            [OF_STU3, OF_R5],
            None,
            "FHIR R4, assumed",
            [(1, "", other("STU3", "R4")), (2, "", other("R5", "R4"))],
        ),
        ([OF_DSTU2], None, "FHIR R4, assumed", [(1, "", UNREAD_VERSION)]),
        (
            [OF_R4, {"resourceType": "DeviceUsage"}, {"resourceType": "MedicationOrder"}, {"resourceType": "Wizard"}],
            R4,
            "FHIR R4, declared",
            [(2, "", other("R5", "R4")), (3, "", UNREAD_VERSION), (4, "", UNKNOWN.format(version="R4"))],
        ),
        (
            [condition(clinicalStatus="active", encounter={"reference": "Encounter/e"})],
            STU3,
            "FHIR STU3, declared",
            [(1, "", MIXED)],
        ),
        # What a profile says counts where the elements say nothing, and contradicts nothing.
        (
            [condition(meta={"profile": ["https://fhir.hl7.org.uk/STU3/StructureDefinition/CareConnect-Condition-1"]})],
            None,
            "FHIR STU3, detected",
            [],
        ),
        (
            [
                {
                    **OF_R4,
                    "meta": {"profile": ["https://fhir.nhs.uk/STU3/StructureDefinition/CareConnect-GPC-Condition-1"]},
                }
            ],
            None,
            "FHIR R4, detected",
            [],
        ),
        ([{"resourceType": "CapabilityStatement", "fhirVersion": "3.0.2"}], None, "FHIR STU3, detected", []),
    ],
)
def test_a_file_is_read_as_its_source_declares_or_as_it_tells_and_what_contradicts_is_quarantined(
    resources: list[Resource],
    declared: FhirVersion | None,
    written_as: str,
    faults: list[tuple[int, str, str]],
    tmp_path: Path,
) -> None:
    found, lines, reasons = read(resources, tmp_path, declared)
    assert (found, reasons) == (written_as, faults)
    assert len(lines) == len(resources) - len(faults)


def test_more_resources_for_one_version_than_for_each_other_decide() -> None:
    assert version_of({}) == (R4, False)
    assert version_of({7: 9}) == (R4, False)
    assert version_of({1: 2, 2: 1}) == (STU3, True)
    assert version_of({1: 1, 3: 5}) == (STU3, True), "of three that are STU3 or R4, one that is STU3 decides"
    assert version_of({6: 5}) == (R4, False)
    assert version_of({0: 5, 8: 5}) == (R4, False)


NOT_THIS_PATIENT = [{"url": "https://example.org/not-this-patient", "valueBoolean": True}]
NOT_DONE = "http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-notDone"

STRANGE_SHAPES: list[tuple[Resource, str, str]] = [
    (condition(verificationStatus=[coded("refuted")]), "verification_status_code", NO_CODE),
    (condition(verificationStatus=coded("Refuted")), "verification_status_code", NO_CODE),
    (condition(verificationStatus=coded("nonsense")), "verification_status_code", NO_CODE),
    (condition(verificationStatus={"text": "refuted"}), "verification_status_code", NO_CODE),
    (condition(verificationStatus={"coding": {"code": "refuted"}}), "verification_status_code", NO_CODE),
    (condition(verificationStatus=coded("confirmed", "refuted")), "verification_status_code", NO_CODE),
    (condition(verificationStatus=True), "verification_status_code", NO_CODE),
    (condition(clinicalStatus=[coded("active")]), "clinical_status_code", NO_CONCEPT),
    (condition(modifierExtension=NOT_THIS_PATIENT), "modifierExtension", MODIFIED),
    (condition(modifierExtension=NOT_THIS_PATIENT[0]), "modifierExtension", MODIFIED),
    (condition(modifierExtension=["x"]), "modifierExtension", MODIFIED),
    (condition(modifierExtension=[{"url": NOT_DONE, "valueBoolean": True}]), "modifierExtension", MODIFIED),
    (condition(modifierExtension=[{"url": NOT_DONE, "valueBoolean": "false"}]), "modifierExtension", MODIFIED),
    (condition(implicitRules="https://example.org/rules"), "implicitRules", IMPLICIT),
    (drug(status=["entered-in-error"]), "status", NO_CODE),
    (drug(status="Entered-In-Error"), "status", NO_CODE),
    (drug(status={"coding": [{"code": "cancelled"}]}), "status", NO_CODE),
    (drug(intent="Plan"), "intent", NO_CODE),
    (drug(doNotPerform="true"), "is_not_to_perform", NO_FLAG),
    (drug(doNotPerform=[True]), "is_not_to_perform", NO_FLAG),
    (drug(doNotPerform=1), "is_not_to_perform", NO_FLAG),
    (drug(dosageInstruction=[{}, {"modifierExtension": NOT_THIS_PATIENT}]), "modifierExtension", MODIFIED),
    (drug(dispenseRequest={"quantity": {"value": 5, "comparator": "ad"}}), "quantity_comparator", NO_COMPARATOR),
    (drug(dispenseRequest={"quantity": {"value": 5, "comparator": [">"]}}), "quantity_comparator", NO_COMPARATOR),
    (drug(dispenseRequest={"modifierExtension": NOT_THIS_PATIENT}), "modifierExtension", MODIFIED),
]
UNDERSTOOD: list[Resource] = [
    condition(verificationStatus=None),
    condition(
        verificationStatus={
            "coding": [{"system": "http://snomed.info/sct", "code": "410605003"}, {"code": "confirmed"}]
        }
    ),
    condition(verificationStatus=coded("refuted")),
    condition(clinicalStatus={"text": "Active"}),
    condition(modifierExtension=[]),
    condition(modifierExtension=[{"url": NOT_DONE, "valueBoolean": False}]),
    drug(doNotPerform=True),
    drug(doNotPerform=False),
    drug(status=" active "),
]


def test_what_may_negate_in_a_shape_that_is_not_known_is_in_quarantine_and_what_is_known_lands(tmp_path: Path) -> None:
    resources = [resource for resource, _, _ in STRANGE_SHAPES] + UNDERSTOOD
    _, lines, faults = read(resources, tmp_path, R4)
    assert faults == [(line, field, reason) for line, (_, field, reason) in enumerate(STRANGE_SHAPES, start=1)]
    assert lines == list(range(len(STRANGE_SHAPES) + 1, len(resources) + 1))


def test_what_changes_a_component_leaves_the_others(tmp_path: Path) -> None:
    resource = {
        "resourceType": "Observation",
        "status": "final",
        "component": [{"code": coded("1")}, {"code": coded("2"), "modifierExtension": NOT_THIS_PATIENT}],
    }
    _, lines, faults = read([resource, {**resource, "status": "Cancelled"}], tmp_path)
    assert lines == [1, 1]
    assert faults == [
        (1, "modifierExtension", MODIFIED),
        (2, "modifierExtension", MODIFIED),
        *[(2, "status", NO_CODE)] * 2,
    ]


def test_a_name_that_is_written_by_numbers_of_its_letters_is_found(tmp_path: Path) -> None:
    text = json.dumps(condition(modifierExtension=NOT_THIS_PATIENT)).replace("modifierE", "modifier\\u0045")
    assert read(text + "\n", tmp_path)[2] == [(1, "modifierExtension", MODIFIED)]


def test_what_a_version_does_not_know_of_its_own_element_is_in_quarantine(tmp_path: Path) -> None:
    given = {"resourceType": "Immunization", "status": "completed", "patient": {"reference": "Patient/p"}}
    resources = [{**given, "notGiven": flag} for flag in (False, "false", True)]
    found, lines, faults = read(resources, tmp_path)
    assert (found, lines, faults) == ("FHIR STU3, detected", [1, 3], [(2, "notGiven", STRANGE)])


def test_a_receipt_says_in_which_version_a_file_is_and_another_declaration_lands_it_again(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    text = 'title = "GP"\ncontroller = "c"\nkind = "gp"\nformat = "fhir"\n'
    given = [
        {"resourceType": "Patient", "id": "p"},
        {"id": "c1", **condition(verificationStatus="refuted")},
        {"id": "c2", **OF_STU3},
        {"resourceType": "ReferralRequest", "id": "r", "status": "active", "subject": {"reference": "Patient/p"}},
    ]
    receipt = hub.receive(hub.source(text), "".join(json.dumps(each) + "\n" for each in given), "gp.ndjson")
    assert "read as FHIR STU3, detected:" in "\n".join(delivery_text.receipt(receipt))
    rows = hub.landed(table="condition")
    assert [row["verification_status_code"] for row in rows] == ["refuted", "confirmed"]
    assert [row["id"] for row in hub.landed(table="service_request")] == ["r"]

    declared = hub.source(text + 'fhir_version = "R4"\n')
    assert hub.intake.land_again(declared, vault=hub.vault, progress=Silent()) == (1,)
    assert hub.intake.extracts()[0].written_as == "FHIR R4, declared"
    assert [(line, reason) for line, _, reason in hub.quarantined()] == [(n, other("STU3", "R4")) for n in (2, 3, 4)]

    [who] = {row["patient_ref"] for row in rows}
    hub.erase({"gp": [str(who)]})
    assert hub.landed(table="patient") == hub.landed(table="condition") == []
    assert hub.quarantined() == []


def test_every_status_by_which_a_rule_leaves_out_is_one_that_the_element_may_have() -> None:
    known = {element: set(codes) for element, codes in CODES.items()}
    for resources, element, values in LEFT_OUT:
        for resource in resources.split(", "):
            assert set(values) <= known.get(f"{resource}.{element}", set(values)), (resource, element)
