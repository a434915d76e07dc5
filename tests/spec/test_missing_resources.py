"""What a FHIR resource has from another one that is not there is counted: its drug, its device, its payer, its gender."""

from pathlib import Path

from fairhaven.engine import DuckDBEngine
from fairhaven.harmonise import Harmonised, HubFacts, SourceTables, harmonise
from fairhaven.harmonise.fhir.rules import fhir_rows
from tests.support.harmonise_cases import AS_OF, index_of, vocabulary_tables
from tests.support.intake_hub import Hub
from tests.unit.test_row_versions import FHIR, Resource, lines

PATIENT = {"resourceType": "Patient", "id": "p1", "birthDate": "1950-01-01"}
SUBJECT = {"reference": "Patient/p1"}
MEDICATION: Resource = {
    "resourceType": "Medication",
    "id": "m1",
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "322236009"}]},
}
UNREAD = {"modifierExtension": [{"url": "http://example.org/x", "valueBoolean": True}]}


def request(number: int, **more: object) -> Resource:
    return {
        "resourceType": "MedicationRequest",
        "id": f"r{number}",
        "status": "active",
        "intent": "order",
        "authoredOn": "2020-01-01",
        "subject": SUBJECT,
        "medicationReference": {"reference": "Medication/m1"},
        **more,
    }


def told(folder: Path, *deliveries: tuple[Resource, ...]) -> set[tuple[str, str, int, int]]:
    """What a build of these deliveries says that another row would have said."""
    hub = Hub(folder)
    source = hub.source(FHIR.format(settings=""), "trust")
    for number, resources in enumerate(deliveries):
        hub.receive(source, lines(*resources), f"{number}.ndjson")
    (patient,) = {str(row["patient_ref"]) for row in hub.landed(1, "patient")}
    engine = DuckDBEngine(reaches=[hub.store])
    rows = hub.intake.current(engine, source, excluded=None)
    found: Harmonised = harmonise(
        engine,
        [SourceTables(name="trust", kind="hospital", format="fhir", tables=rows)],
        persons=engine.arrow(index_of({("trust", patient): 11})),
        vocabulary=vocabulary_tables(engine),
        hub=HubFacts(name="Test hub", abbreviation="test", birth_date="month"),
        as_of=AS_OF,
        standards={"trust": fhir_rows(rows)},
    )
    engine.close()
    reason = "is said by a row that is not there"
    return {(each.cdm_table, each.column, each.rows, each.given) for each in found.emptied if each.reason == reason}


def test_drugs_of_a_medication_in_quarantine_are_counted(tmp_path: Path) -> None:
    own = {"medicationReference": None, "medicationCodeableConcept": MEDICATION["code"]}
    first = (PATIENT, MEDICATION, request(1), request(2), {k: v for k, v in request(3, **own).items() if v})
    assert not told(tmp_path / "sound", first)
    assert told(tmp_path / "unread", first, ({**MEDICATION, **UNREAD},)) == {
        ("drug_exposure", "drug_source_value", 2, 3)
    }


def test_so_are_devices_payers_and_genders_of_what_was_never_given(tmp_path: Path) -> None:
    found = told(
        tmp_path,
        (
            PATIENT,
            {
                "resourceType": "DeviceUseStatement",
                "id": "d",
                "status": "active",
                "subject": SUBJECT,
                "device": {"reference": "Device/d1"},
                "timingPeriod": {"start": "2020-01-01"},
            },
            {
                "resourceType": "Coverage",
                "id": "c",
                "status": "active",
                "beneficiary": SUBJECT,
                "payor": [{"reference": "Organization/o1"}],
                "period": {"start": "2020-01-01", "end": "2020-02-01"},
            },
            {
                "resourceType": "PractitionerRole",
                "id": "r",
                "practitioner": {"reference": "Practitioner/a1"},
            },
        ),
    )
    assert found == {
        ("device_exposure", "device_source_value", 1, 1),
        ("payer_plan_period", "payer_source_value", 1, 1),
        ("provider", "gender_source_value", 1, 1),
    }
