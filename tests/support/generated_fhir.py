"""Generated facts as resources of FHIR STU3, R4 and R5, written from HL7's pages of each version's resources."""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from tests.support.generated_facts import Event, Moment, Person, Statement, Visit

Resource = dict[str, Any]
LONDON = ZoneInfo("Europe/London")
HL7 = "http://terminology.hl7.org/CodeSystem"
SYSTEM = {
    "SNOMED": "http://snomed.info/sct",
    "ICD10": "http://hl7.org/fhir/sid/icd-10",
    "LOINC": "http://loinc.org",
    "RxNorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
}
KIND = {
    "person": "Patient",
    "visit": "Encounter",
    "condition": "Condition",
    "measurement": "Observation",
    "observation": "Observation",
    "procedure": "Procedure",
    "prescription": "MedicationRequest",
    "dispensing": "MedicationDispense",
    "administration": "MedicationAdministration",
    "statement": "MedicationStatement",
}
ETHNICITY = {
    True: (
        "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-EthnicCategory-1",
        "https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-EthnicCategory-1",
    ),
    False: (
        "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-EthnicCategory",
        "https://fhir.hl7.org.uk/CodeSystem/UKCore-EthnicCategoryEngland",
    ),
}
CLASS = {"inpatient": "IMP", "outpatient": "AMB", "emergency": "EMER"}
EPOCH = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
BAD_DAY, BAD_NUMBERS = "2020-02-30", ("1e999", "NaN", "1_000", "12x")


class FhirWriter:
    """Writes statements in one version of FHIR (``STU3``, ``R4``, ``R5``)."""

    def __init__(self, version: str, random: Random, nhs_number: Callable[[int], str]) -> None:
        self.version = version
        self.random = random
        self.nhs_number = nhs_number
        self.is_stu3, self.is_r5 = version == "STU3", version == "R5"

    def line(self, each: Statement, number: int, dating: str) -> str:
        """The line of NDJSON of a statement, the *number*-th version of its fact.

        Args:
            dating: what tells versions apart: ``times``, ``numbers`` or ``both``.
        """
        kind = KIND[each.kind]
        name = f"p{each.person}" if kind == "Patient" else f"{each.kind[:3]}{each.key}"
        at = (EPOCH + dt.timedelta(minutes=each.order)).isoformat() if dating != "numbers" else None
        if each.fact is None:
            etag = f'W/"{number}"' if dating != "times" else None
            entry = {
                "request": {"method": "DELETE", "url": f"{kind}/{name}"},
                "response": _said(status="204", lastModified=at, etag=etag),
            }
            kind_of_bundle = self.random.choice(["transaction", "history"])
            return json.dumps({"resourceType": "Bundle", "type": kind_of_bundle, "entry": [entry]})
        resource = {
            "resourceType": kind,
            "id": name,
            "meta": _said(lastUpdated=at, versionId=str(number) if dating != "times" else None),
            **_said(**self.resource(each)),
        }
        return json.dumps(resource)

    def resource(self, each: Statement) -> Resource:
        match each.fact:
            case Person() as person:
                return self.patient(each, person)
            case Visit() as visit:
                return self.encounter(each, visit)
            case Event() as event:
                write = getattr(self, event.kind)
                resource: Resource = write(event, each.fault)
                return resource | self.links(each, event)
        raise AssertionError

    def links(self, each: Statement, event: Event) -> Resource:
        """Whose it is, and during what."""
        encounter = None if event.visit is None else self.reference(f"Encounter/vis{event.visit}")
        older = event.kind in {"dispensing", "administration", "statement"} and not self.is_r5
        return {"subject": self.of(each), "context" if self.is_stu3 or older else "encounter": encounter}

    def of(self, each: Statement) -> Resource:
        return self.reference(f"Patient/p{each.person}")

    def reference(self, name: str) -> Resource:
        """A reference by id, in any of its forms."""
        return {
            "reference": self.random.choice([name, name, f"https://server.example/fhir/{name}", f"{name}/_history/3"])
        }

    def moment(self, moment: Moment | None, fault: str = "") -> str | None:
        if fault == "no day":
            return BAD_DAY
        if moment is None:
            return None
        if moment.said != "day":
            return moment.day.isoformat()[: 7 if moment.said == "month" else 4]
        if moment.clock is None:
            return moment.day.isoformat()
        local = dt.datetime.combine(moment.day, moment.clock, LONDON)
        if self.random.random() < 0.5:
            return local.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return local.isoformat()

    def concept(self, code: tuple[str, str]) -> Resource:
        return {"coding": [{"system": SYSTEM[code[0]], "code": code[1]}]}

    def patient(self, each: Statement, person: Person) -> Resource:
        birth = "-".join(f"{part:02}" for part in person.birth)
        number = {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": self.nhs_number(each.person)}
        # Care Connect's extension is of STU3, UK Core's of R4; R5 has none of its own yet.
        url, system = ETHNICITY[self.is_stu3]
        ethnicity = {"url": url, "valueCodeableConcept": _coding(system, person.ethnicity)}
        return {
            "identifier": [number],
            "extension": [ethnicity] if person.ethnicity else None,
            "gender": person.sex,
            "birthDate": birth,
            "deceasedDateTime": self.moment(person.death),
        }

    def encounter(self, each: Statement, visit: Visit) -> Resource:
        status = visit.standing or ("completed" if self.is_r5 else "finished")
        coding = {"system": f"{HL7}/v3-ActCode", "code": CLASS[visit.kind]}
        period = _said(start=self.moment(visit.start), end=self.moment(visit.end))
        return {
            "status": status,
            "class": [{"coding": [coding]}] if self.is_r5 else coding,
            "subject": self.of(each),
            "actualPeriod" if self.is_r5 else "period": period,
        }

    def condition(self, event: Event, fault: str) -> Resource:
        verification = event.standing or ("provisional" if event.status == "provisional" else "")
        clinical = event.status if event.status != "provisional" and event.standing != "entered-in-error" else ""
        if self.is_stu3:
            statuses: Resource = {"clinicalStatus": clinical or None, "verificationStatus": verification or None}
        else:
            statuses = {
                "clinicalStatus": _coding(f"{HL7}/condition-clinical", clinical),
                "verificationStatus": _coding(f"{HL7}/condition-ver-status", verification),
            }
        return {
            **statuses,
            "code": self.concept(event.code),
            "onsetDateTime": self.moment(event.start, fault),
            "abatementDateTime": self.moment(event.end),
        }

    def observed(self, event: Event, fault: str) -> Resource:
        return {
            "status": event.standing or "final",
            "code": self.concept(event.code),
            "effectiveDateTime": self.moment(event.start, fault),
        }

    def measurement(self, event: Event, fault: str) -> Resource:
        number: Any = event.number
        if fault == "no number":
            number = self.random.choice(BAD_NUMBERS)
        ucum = {"system": "http://unitsofmeasure.org", "code": event.unit} if event.unit else {}
        quantity = _said(value=number, comparator=event.operator or None, unit=event.unit or None, **ucum)
        bounds = _said(
            low=None if event.low is None else {"value": event.low},
            high=None if event.high is None else {"value": event.high},
        )
        return {
            **self.observed(event, fault),
            "valueQuantity": quantity,
            "referenceRange": [bounds] if bounds else None,
        }

    def observation(self, event: Event, fault: str) -> Resource:
        value = self.concept(("SNOMED", event.value)) if event.value else None
        return {**self.observed(event, fault), "valueCodeableConcept": value}

    def procedure(self, event: Event, fault: str) -> Resource:
        name = "occurrence" if self.is_r5 else "performed"
        not_done = event.standing == "not-done"
        status = "completed" if self.is_stu3 and not_done else event.standing or "completed"
        return {
            "status": status,
            "notDone": True if self.is_stu3 and not_done else None,
            "code": self.concept(event.code),
            **self.when(name, event, fault),
        }

    def when(self, name: str, event: Event, fault: str) -> Resource:
        if event.end is None:
            return {f"{name}DateTime": self.moment(event.start, fault)}
        period = _said(start=self.moment(event.start, fault), end=self.moment(event.end))
        return {f"{name}Period": period}

    def drug(self, event: Event) -> Resource:
        concept = self.concept(event.code)
        return {"medication": {"concept": concept}} if self.is_r5 else {"medicationCodeableConcept": concept}

    def prescription(self, event: Event, fault: str) -> Resource:
        is_not = event.standing == "not-to-perform"
        # STU3 has no element for it.
        status = ("cancelled" if self.is_stu3 else "active") if is_not else event.standing or "active"
        dosage = {"timing": {"repeat": {"boundsPeriod": {"end": self.moment(event.end)}}}}
        supply = None
        if event.days_supply is not None:
            supply = {"value": event.days_supply, "unit": "d", "system": "http://unitsofmeasure.org", "code": "d"}
        dispense = _said(
            numberOfRepeatsAllowed=event.refills, quantity=_value(event.quantity), expectedSupplyDuration=supply
        )
        return {
            "status": status,
            "intent": "order",
            "doNotPerform": True if is_not and not self.is_stu3 else None,
            **self.drug(event),
            "authoredOn": self.moment(event.start, fault),
            "dosageInstruction": [dosage] if event.end else None,
            "dispenseRequest": dispense or None,
        }

    def dispensing(self, event: Event, fault: str) -> Resource:
        status: str | None = event.standing or "completed"
        not_done: Resource = {}
        if event.standing == "not-done":
            # R4 says declined, STU3 why not, R5 likewise.
            status = "declined" if self.version in {"R4", "R5"} else "completed"
            if self.is_stu3:
                not_done = {"notDoneCodeableConcept": {"text": "out of stock"}}
        return {
            "status": status,
            **not_done,
            **self.drug(event),
            "whenHandedOver": self.moment(event.start, fault),
            "quantity": _value(event.quantity),
            "daysSupply": _value(event.days_supply),
        }

    def administration(self, event: Event, fault: str) -> Resource:
        not_given = self.is_stu3 and event.standing == "not-done"
        name = "occurence" if self.is_r5 else "effective"
        dose = None if event.quantity is None else {"value": event.quantity, "unit": "mg"}
        return {
            "status": "completed" if not_given else event.standing or "completed",
            "notGiven": True if not_given else None,
            **self.drug(event),
            **self.when(name, event, fault),
            "dosage": None if dose is None else {"dose": dose},
        }

    def statement(self, event: Event, fault: str) -> Resource:
        not_taken = event.standing == "not-taken"
        status = "completed" if not_taken and self.is_stu3 else event.standing or "completed"
        said: Resource = {"status": status}
        if self.is_stu3:
            said["taken"] = "n" if not_taken else "y"
        if self.is_r5:
            said["status"] = event.standing if event.standing and not not_taken else "recorded"
            if not_taken:
                said["adherence"] = {
                    "code": _coding("http://hl7.org/fhir/CodeSystem/medication-statement-adherence", "not-taking")
                }
        return {**said, **self.drug(event), **self.when("effective", event, fault)}


def _value(number: float | None) -> Resource | None:
    return None if number is None else {"value": number}


def _coding(system: str, code: str) -> Resource | None:
    return {"coding": [{"system": system, "code": code}]} if code else None


def _said(**elements: Any) -> Mapping[str, Any]:
    """FHIR has no elements without a value."""
    return {name: value for name, value in elements.items() if value is not None}
