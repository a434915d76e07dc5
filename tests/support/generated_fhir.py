"""Generated facts as resources of FHIR STU3, R4 and R5, written from HL7's pages of each version's resources."""

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from tests.support.generated_facts import Event, Moment, Person, Place, Provider, Statement, Visit

Resource = dict[str, Any]
LONDON = ZoneInfo("Europe/London")
HL7 = "http://terminology.hl7.org/CodeSystem"
SYSTEM = {
    "SNOMED": "http://snomed.info/sct",
    "ICD10": "http://hl7.org/fhir/sid/icd-10",
    "LOINC": "http://loinc.org",
    "RxNorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "NUCC": "http://nucc.org/provider-taxonomy",
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
    "device": "DeviceUseStatement",
    "specimen": "Specimen",
    "allergy": "AllergyIntolerance",
    "note": "DocumentReference",
    "coverage": "Coverage",
    "place": "Organization",
    "provider": "Practitioner",
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

    def lines(self, each: Statement, number: int, dating: str) -> Iterator[tuple[str, str]]:
        """Landed table and line of NDJSON of each resource of a statement, the *number*-th version of its fact.

        Args:
            dating: what tells versions apart: ``times``, ``numbers`` or ``both``.
        """
        kind = KIND[each.kind]
        called = "DeviceUsage" if self.is_r5 and kind == "DeviceUseStatement" else kind
        of_provider = [("PractitionerRole", f"role{each.key}")] if kind == "Practitioner" else []
        at = (EPOCH + dt.timedelta(minutes=each.order)).isoformat() if dating != "numbers" else None
        if each.fact is None:
            etag = f'W/"{number}"' if dating != "times" else None
            for type_, name in [(called, _name(each)), *of_provider]:
                entry = {
                    "request": {"method": "DELETE", "url": f"{type_}/{name}"},
                    "response": _said(status="204", lastModified=at, etag=etag),
                }
                kind_of_bundle = self.random.choice(["transaction", "history"])
                bundle = {"resourceType": "Bundle", "type": kind_of_bundle, "entry": [entry]}
                yield snake("DeviceUseStatement" if type_ == "DeviceUsage" else type_), json.dumps(bundle)
            return
        meta = _said(lastUpdated=at, versionId=str(number) if dating != "times" else None)
        resources = [(kind, called, _name(each), self.resource(each))]
        if isinstance(each.fact, Provider):
            resources += [("PractitionerRole", *of_provider[0], self.role(each, each.fact))]
        if isinstance(each.fact, Event) and (device := resources[0][-1].get("device")) == {}:
            itself = self.reference(f"Device/dev{each.key}")
            device |= {"reference": itself} if self.is_r5 else itself
            resources += [("Device", "Device", f"dev{each.key}", self.device_itself(each, each.fact))]
        for landed, type_, name, said in resources:
            yield snake(landed), json.dumps({"resourceType": type_, "id": name, "meta": meta, **_said(**said)})

    def resource(self, each: Statement) -> Resource:
        match each.fact:
            case Place() as place:
                return self.organization(place)
            case Provider() as provider:
                return {"gender": provider.sex, "name": [{"family": "Quill"}]}
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
        match event.kind:
            case "device":
                of = "patient" if self.is_r5 else "subject"
                return {of: self.of(each), "context": encounter, **self.who(event)}
            case "allergy":
                return {"patient": self.of(each), "encounter": encounter, **self.who(event)}
            case "note":
                return {"subject": self.of(each), **self.in_care(event, encounter), **self.who(event)}
            case "coverage":
                return {"beneficiary": self.of(each)}
            case "specimen":
                return {"subject": self.of(each)}
        older = event.kind in {"dispensing", "administration", "statement"} and not self.is_r5
        context = "context" if self.is_stu3 or older else "encounter"
        return {"subject": self.of(each), context: encounter, **self.who(event)}

    def who(self, event: Event) -> Resource:
        """Who took care, in the element of each type."""
        if event.provider is None:
            return {}
        who = self.practitioner(event.provider)
        match event.kind:
            case "condition" | "allergy":
                if self.is_r5:
                    return {"participant": [{"actor": who}]}
                return {self.random.choice(["asserter", "recorder"] if not self.is_stu3 or event.kind == "allergy" else ["asserter"]): who}  # fmt: skip
            case "measurement" | "observation":
                return {"performer": [who]}
            case "prescription":
                return {"requester": {"agent": who} if self.is_stu3 else who}
            case "statement":
                return {"informationSource": [who] if self.is_r5 else who}
            case "device":
                return {"informationSource" if self.is_r5 else "source": who}
            case "note":
                return {"author": [who]}
            case "administration" if self.is_r5:
                return {"performer": [{"actor": {"reference": who}}]}
        return {"performer": [{"actor": who}]}

    def practitioner(self, key: int) -> Resource:
        """By the practitioner, or the role, which STU3 does not allow of all that is done."""
        return self.reference(
            f"Practitioner/pro{key}" if self.is_stu3 or self.random.random() < 0.6 else f"PractitionerRole/role{key}"
        )

    def place(self, key: int | None) -> Resource | None:
        return None if key is None else self.reference(f"Organization/pla{key}")

    def organization(self, place: Place) -> Resource:
        address = _said(line=["1 High Street"], city=place.city or None, postalCode=place.postcode or None, country=place.country or None)  # fmt: skip
        type_ = _coding(f"{HL7}/organization-type", place.kind)
        where: Resource = {"contact": [{"address": address}]} if self.is_r5 else {"address": [address]}
        return {"name": place.name, "type": [type_] if type_ else None, **(where if place.city else {})}

    def role(self, each: Statement, provider: Provider) -> Resource:
        return {
            "practitioner": self.reference(f"Practitioner/{_name(each)}"),
            "organization": self.place(provider.place),
            "specialty": [self.concept(("NUCC", provider.specialty))] if provider.specialty else None,
        }

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
            "generalPractitioner": None if person.provider is None else [self.practitioner(person.provider)],
            "managingOrganization": self.place(person.place),
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
            "serviceProvider": self.place(visit.place),
            "participant": None
            if visit.provider is None
            else [{"actor" if self.is_r5 else "individual": self.practitioner(visit.provider)}],
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
        if event.number is None:
            return {**self.observed(event, fault), "valueString": event.text}
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

    def device(self, event: Event, fault: str) -> Resource:
        """The use of a device; which one it is, R5 may say at the use."""
        not_used = event.standing == "not-used"
        status = ("not-done" if self.is_r5 else "intended") if not_used else event.standing or "active"
        is_concept = self.is_r5 and not event.device and not event.lot and self.random.random() < 0.5
        device = {"concept": self.concept(event.code)} if is_concept else {}
        return {"status": status, "device": device, **self.when("timing", event, fault)}

    def device_itself(self, each: Statement, event: Event) -> Resource:
        udi = {"deviceIdentifier": event.device} if event.device else None
        concept = self.concept(event.code)
        return {
            "status": "active",
            "type": [concept] if self.is_r5 else concept,
            "udi" if self.is_stu3 else "udiCarrier": udi and (udi if self.is_stu3 else [udi]),
            "lotNumber": event.lot or None,
            "patient": None if self.is_r5 else self.of(each),
        }

    def specimen(self, event: Event, fault: str) -> Resource:
        site = self.concept(("SNOMED", event.site)) if event.site else None
        unit = {"unit": "ml", "system": "http://unitsofmeasure.org", "code": event.unit}
        collection = _said(
            collectedDateTime=self.moment(event.start, fault),
            quantity=None if event.quantity is None else {"value": event.quantity, **unit},
            bodySite={"concept": site} if site and self.is_r5 else site,
        )
        return {
            "status": event.standing or "available",
            "type": self.concept(event.code),
            "collection": collection or None,
        }

    def allergy(self, event: Event, fault: str) -> Resource:
        verification, clinical = event.standing, event.status if event.standing != "entered-in-error" else ""
        if self.is_stu3:
            statuses: Resource = {"clinicalStatus": clinical or None, "verificationStatus": verification or None}
        else:
            statuses = {
                "clinicalStatus": _coding(f"{HL7}/allergyintolerance-clinical", clinical),
                "verificationStatus": _coding(f"{HL7}/allergyintolerance-verification", verification),
            }
        type_, _, category = event.category.partition(" ")
        is_onset = self.random.random() < 0.7
        when = "onsetDateTime" if is_onset else "assertedDate" if self.is_stu3 else "recordedDate"
        rash = {"text": "rash"}
        reaction = {
            "substance": self.concept(("RxNorm", event.value)),
            "manifestation": [{"concept": rash} if self.is_r5 else rash],
        }
        return {
            **statuses,
            "type": _coding(f"{HL7}/allergy-intolerance-type", type_) if self.is_r5 else type_ or None,
            "category": [category] if category else None,
            "code": self.concept(event.code),
            when: self.moment(event.start, fault),
            "reaction": [reaction] if event.value and event.code[0] == "SNOMED" else None,
        }

    def note(self, event: Event, fault: str) -> Resource:
        """The day is an instant, or that of the care; a part of a date can only be the care's."""
        date: Resource = {}
        if fault or self.is_instant(event):
            date = {
                self.random.choice(["created", "indexed"]) if self.is_stu3 else "date": self.moment(event.start, fault)
            }
        attachment = {"contentType": "text/plain", "title": "Progress", "data": "U2xlcHQgd2VsbC4="}
        return {
            "status": event.standing or "current",
            "type": self.concept(event.code),
            **date,
            "content": [{"attachment": attachment}],
        }

    def is_instant(self, event: Event) -> bool:
        return event.start is not None and event.start.said == "day" and event.start.clock is not None

    def in_care(self, event: Event, encounter: Resource | None) -> Resource:
        """The care that a note is of: its visit, and when it was."""
        has_period = event.start is not None and not self.is_instant(event)
        period = {"start": self.moment(event.start)} if has_period else None
        found = None if encounter is None else encounter if self.is_stu3 else [encounter]
        if self.is_r5:
            return {"context": found, "period": period}
        return {"context": _said(encounter=found, period=period) or None}

    def coverage(self, event: Event, fault: str) -> Resource:
        payer = {**self.reference(f"Organization/pla{event.place}"), "display": event.payer}
        return {
            "status": event.standing or "active",
            "kind": "insurance" if self.is_r5 else None,
            "type": _coding(f"{HL7}/v3-ActCode", event.plan),
            "period": _said(start=self.moment(event.start, fault), end=self.moment(event.end)) or None,
            "insurer" if self.is_r5 else "payor": payer if self.is_r5 else [payer],
        }


def _name(each: Statement) -> str:
    """The id of its resource."""
    return (
        f"p{each.person}" if each.kind == "person" else f"{'use' if each.kind == 'device' else each.kind[:3]}{each.key}"
    )


def snake(kind: str) -> str:
    """The landed table of a resource type."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in kind).lstrip("_")


def _value(number: float | None) -> Resource | None:
    return None if number is None else {"value": number}


def _coding(system: str, code: str) -> Resource | None:
    return {"coding": [{"system": system, "code": code}]} if code else None


def _said(**elements: Any) -> Mapping[str, Any]:
    """FHIR has no elements without a value."""
    return {name: value for name, value in elements.items() if value is not None}
