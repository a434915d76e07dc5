"""What becomes of each FHIR resource: one resource in, generic rows out. This is the manual of the FHIR rules.

All resources of all cases are landed as one file, so that a case costs next to nothing; a case's rows are known by their lines.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from fairhaven.engine import DuckDBEngine
from fairhaven.harmonise.fhir import fhir_rows
from fairhaven.intake.fhir.views import VIEWS
from tests.support import fhir_files
from tests.support.demonstration import made_once, shared_folder

SNOMED, LOINC, RXNORM = "http://snomed.info/sct", "http://loinc.org", "http://www.nlm.nih.gov/research/umls/rxnorm"
UCUM = "http://unitsofmeasure.org"
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition"
UK_BIRTH_SEX = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-BirthSex"
HL7 = "http://terminology.hl7.org/CodeSystem"

Resource = dict[str, Any]
Row = dict[str, Any]


def coded(code: str, system: str = SNOMED, text: str | None = None) -> Resource:
    return {"coding": [{"system": system, "code": code}], **({"text": text} if text else {})}


def quantity(value: float, unit: str) -> Resource:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


@dataclass(frozen=True)
class Case:
    """A resource and the rows it gives: `kind` and the columns that are named; other columns are not looked at."""

    name: str
    given: Resource | list[Resource]
    rows: list[Row] = field(default_factory=list)


ABOUT = {"subject": {"reference": "Patient/p1"}}
NINE = "2020-03-04T09:30:00+01:00"
MORNING = dt.datetime.fromisoformat("2020-03-04T09:30")
DAY = dt.date(2020, 3, 4)


def condition(**more: Any) -> Resource:
    return {"resourceType": "Condition", "code": coded("44054006"), **ABOUT, "onsetDateTime": NINE, **more}


def observation(**more: Any) -> Resource:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": coded("8302-2", LOINC),
        **ABOUT,
        "effectiveDateTime": NINE,
        **more,
    }


def procedure(**more: Any) -> Resource:
    return {"resourceType": "Procedure", "status": "completed", "code": coded("80146002"), **ABOUT, **more}


def request(**more: Any) -> Resource:
    return {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": coded("860975", RXNORM),
        **ABOUT,
        "authoredOn": NINE,
        **more,
    }


def undated(resource: Resource) -> Resource:
    return {name: value for name, value in resource.items() if name not in ("onsetDateTime", "authoredOn")}


def encounter(name: str, **more: Any) -> Resource:
    return {
        "resourceType": "Encounter",
        "id": name,
        "status": "finished",
        "class": {"system": f"{HL7}/v3-ActCode", "code": "AMB"},
        **ABOUT,
        "period": {"start": NINE, "end": "2020-03-05T10:00:00+01:00"},
        **more,
    }


def allergy(**more: Any) -> Resource:
    return {
        "resourceType": "AllergyIntolerance",
        "code": coded("91936005", text="Allergy to penicillin"),
        "patient": {"reference": "Patient/p1"},
        "recordedDate": NINE,
        **more,
    }


def patient_of_races(name: str, *races: str) -> Resource:
    each = [{"url": "ombCategory", "valueCoding": {"code": race}} for race in races]
    return {
        "resourceType": "Patient",
        "id": name,
        "birthDate": "1970-05-06",
        "extension": [{"url": f"{US_CORE}/us-core-race", "extension": each}],
    }


BIRTH_SEXES: list[tuple[str, str, str, Resource, str]] = [
    ("us-core-birthsex", f"{US_CORE}/us-core-birthsex", "F", {"valueCode": "F"}, "F"),
    ("us-core-birthsex", f"{US_CORE}/us-core-birthsex", "UNK", {"valueCode": "UNK"}, "male"),
    ("us-core-sex", f"{US_CORE}/us-core-sex", "248152002", {"valueCode": "248152002"}, "248152002"),
    ("UKCore-BirthSex", UK_BIRTH_SEX, "F", {"valueCodeableConcept": coded("F")}, "F"),
]

EVENT = {"kind": "event", "start_date": DAY}
HEIGHT = {**EVENT, "code": "8302-2", "vocabulary_id": "LOINC"}
DRUG = {**EVENT, "code": "860975", "vocabulary_id": "RxNorm", "default_target": "drug_exposure"}
CONDITION = {**EVENT, "code": "44054006", "vocabulary_id": "SNOMED", "default_target": "condition_occurrence"}
PROCEDURE = {"kind": "event", "code": "80146002", "default_target": "procedure_occurrence"}
VISIT = {"kind": "visit_occurrence", "start_date": DAY, "end_date": dt.date(2020, 3, 5)}

CASES = [
    # Patient
    Case(
        "a patient is a person",
        {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1970-05-06"},
        [{"kind": "person", "gender": "female", "birth_date": dt.date(1970, 5, 6)}],
    ),
    Case(
        "a birth date may be a year",
        {"resourceType": "Patient", "id": "p2", "birthDate": "1970"},
        [{"kind": "person", "birth_date": None, "birth_year": 1970, "birth_month": None, "gender": None}],
    ),
    Case(
        "or a month",
        {"resourceType": "Patient", "id": "p2m", "birthDate": "1970-05"},
        [{"kind": "person", "birth_date": None, "birth_year": 1970, "birth_month": 5}],
    ),
    *[
        Case(
            f"the sex at birth goes before the administrative one: {name} {code}",
            {
                "resourceType": "Patient",
                "id": f"p-sex-{number}",
                "birthDate": "1970-05-06",
                "gender": "male",
                "extension": [{"url": url, **value}],
            },
            [{"kind": "person", "gender": sex}],
        )
        for number, (name, url, code, value, sex) in enumerate(BIRTH_SEXES)
    ],
    Case(
        "race and ethnicity of US Core",
        {
            "resourceType": "Patient",
            "id": "p3",
            "birthDate": "1970-05-06",
            "extension": [
                {
                    "url": f"http://hl7.org/fhir/us/core/StructureDefinition/us-core-{name}",
                    "extension": [{"url": "ombCategory", "valueCoding": {"code": code}}],
                }
                for name, code in (("race", "2054-5"), ("ethnicity", "2186-5"))
            ],
        },
        [{"kind": "person", "race": "2054-5", "race_concept_id": 8516, "ethnicity_concept_id": 38003564}],
    ),
    Case(
        "several races, in whatever order: more than one, and an observation of each",
        patient_of_races("p3a", "2106-3", "2028-9", "UNK"),
        [
            {"kind": "person", "race": "2028-9 2106-3 UNK", "race_concept_id": 1546847},
            *(
                {"concept_id": 4013886, "value_concept_id": race, "start_date": dt.date(1970, 5, 6)}
                for race in (8515, 8527)
            ),
        ],
    ),
    Case(
        "one race twice, or beside one that is not known, is one",
        patient_of_races("p3b", "2106-3", "2106-3", "UNK"),
        [{"kind": "person", "race": "2106-3", "race_concept_id": 8527}],
    ),
    Case(
        "another race has no standard concept",
        patient_of_races("p3c", "2131-1"),
        [{"kind": "person", "race": "2131-1", "race_concept_id": None}],
    ),
    Case(
        "ethnic category of UK Core, and the district of a postcode",
        {
            "resourceType": "Patient",
            "id": "p4",
            "birthDate": "1970-05-06",
            "address": [{"use": "old", "postalCode": "M1 1AA"}, {"use": "home", "postalCode": "LS2 9JT"}],
            "extension": [
                {
                    "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-EthnicCategory",
                    "valueCodeableConcept": coded("A", "https://fhir.hl7.org.uk/CodeSystem/UKCore-EthnicCategory"),
                }
            ],
            "managingOrganization": {"reference": "Organization/o1"},
            "generalPractitioner": [{"reference": "Practitioner/d1"}],
        },
        [
            {
                "kind": "person",
                "race": "A",
                "postcode_district": "LS2",
                "care_site_ref": "o1",
                "provider_ref": "d1",
            }
        ],
    ),
    Case(
        "a day of death is a death",
        {"resourceType": "Patient", "id": "p5", "birthDate": "1970-05-06", "deceasedDateTime": NINE},
        [{"kind": "person"}, {"kind": "death", "date": DAY, "datetime": MORNING}],
    ),
    *[
        Case(
            f"of a death of {written} the day is the last",
            {"resourceType": "Patient", "id": f"p5-{written}", "birthDate": "1970-05-06", "deceasedDateTime": written},
            [{"kind": "person"}, {"kind": "death", "date": last, "date_from": first}],
        )
        for written, first, last in (
            ("2020-02", dt.date(2020, 2, 1), dt.date(2020, 2, 29)),
            ("2021", dt.date(2021, 1, 1), dt.date(2021, 12, 31)),
        )
    ],
    Case(
        "a leap second is the second before it",
        {"resourceType": "Patient", "id": "p5l", "birthDate": "1970-05-06", "deceasedDateTime": "2016-12-31T23:59:60Z"},
        [{"kind": "person"}, {"kind": "death", "datetime": dt.datetime.fromisoformat("2016-12-31T23:59:59")}],
    ),
    Case(
        "dead without a day is a death that is counted, and in no table",
        {"resourceType": "Patient", "id": "p6", "birthDate": "1970-05-06", "deceasedBoolean": True},
        [{"kind": "person"}, {"kind": "death", "date": None}],
    ),
    # Encounter
    Case(
        "of an end of which the month is known the day is the last, and the first is known, too",
        {
            "resourceType": "Encounter",
            "id": "e-month",
            "status": "finished",
            "subject": {"reference": "Patient/p1"},
            "class": {"code": "IMP"},
            "period": {"start": "2020-02-10", "end": "2020-02"},
        },
        [{"kind": "visit_occurrence", "end_date": dt.date(2020, 2, 29), "end_from": dt.date(2020, 2, 1)}],
    ),
    Case(
        "an ambulatory encounter",
        encounter("e1", serviceProvider={"reference": "Organization/o1"}),
        [{**VISIT, "concept_id": 9202, "code": "AMB", "visit_ref": "e1", "care_site_ref": "o1"}],
    ),
    *[
        Case(
            f"an encounter of class {code}",
            encounter(f"e-{code}", **{"class": {"code": code}}),
            [{**VISIT, "concept_id": concept}],
        )
        for code, concept in (
            ("IMP", 9201),
            ("ACUTE", 9201),
            ("EMER", 9203),
            ("OBSENC", 262),
            ("HH", 581476),
            ("VR", 722455),
            ("inpatient", 9201),
            ("wellness", 9202),
            ("emergency", 9203),
            ("urgentcare", 8782),
            ("virtual", 722455),
            ("hospice", 8546),
            ("elsewhere", None),
        )
    ],
    *[
        Case(f"an encounter that is {status} gives nothing", encounter(f"e-{status}", status=status))
        for status in ("planned", "cancelled", "entered-in-error")
    ],
    Case(
        "where a patient came from and went to",
        encounter(
            "e2",
            hospitalization={
                "admitSource": coded("emd", f"{HL7}/admit-source"),
                "dischargeDisposition": coded("home", f"{HL7}/discharge-disposition"),
            },
        ),
        [{**VISIT, "admitted_from": "emd", "admitted_from_concept_id": 8870, "discharged_to_concept_id": 0}],
    ),
    Case(
        "an encounter that is part of another is a detail of the visit",
        [
            encounter("e3", **{"class": {"code": "IMP"}}),
            encounter(
                "e4", partOf={"reference": "Encounter/e3"}, location=[{"location": {"reference": "Location/l1"}}]
            ),
            encounter("e5", partOf={"reference": "Encounter/e4"}),
        ],
        [
            {**VISIT, "visit_ref": "e3"},
            {"kind": "visit_detail", "visit_detail_ref": "e4", "visit_ref": "e3", "care_site_ref": "Location/l1"},
            {"kind": "visit_detail", "visit_detail_ref": "e5", "visit_ref": "e3"},
        ],
    ),
    Case(
        "an encounter that is part of one that was not sent is a visit",
        encounter("e6", partOf={"reference": "Encounter/nowhere"}),
        [{**VISIT, "visit_ref": "e6"}],
    ),
    Case(
        "what happened in a part happened in the visit",
        condition(encounter={"reference": "Encounter/e4"}),
        [{**CONDITION, "visit_ref": "e3", "visit_detail_ref": "e4"}],
    ),
    # Condition
    Case(
        "what nothing dates is of the day on which its encounter began",
        [
            encounter("e7"),
            undated(condition(encounter={"reference": "Encounter/e7"})),
            undated(procedure(encounter={"reference": "Encounter/e7"})),
            undated(request(encounter={"reference": "Encounter/e7"})),
            {
                "resourceType": "DocumentReference",
                "status": "current",
                "type": coded("11506-3", LOINC),
                **ABOUT,
                "context": {"encounter": [{"reference": "Encounter/e7"}]},
            },
        ],
        [
            {**VISIT, "visit_ref": "e7"},
            {**CONDITION, "start_datetime": MORNING, "visit_ref": "e7"},
            {**PROCEDURE, "start_date": DAY},
            DRUG,
            {"kind": "note", "date": DAY, "datetime": MORNING, "code": "11506-3"},
        ],
    ),
    Case(
        "and an encounter of another patient, or one that did not take place, dates nothing",
        [
            encounter("e8", subject={"reference": "Patient/p2"}),
            encounter("e9", status="cancelled"),
            undated(condition(encounter={"reference": "Encounter/e8"})),
            undated(condition(encounter={"reference": "Encounter/e9"})),
        ],
        [{**VISIT, "visit_ref": "e8"}, *({**CONDITION, "start_date": None},) * 2],
    ),
    Case(
        "a condition from its onset", condition(), [{**CONDITION, "start_datetime": MORNING, "type_concept_id": 32817}]
    ),
    Case(
        "a condition that ended",
        condition(abatementDateTime="2020-04", clinicalStatus=coded("resolved", f"{HL7}/condition-clinical")),
        [{**CONDITION, "end_date": dt.date(2020, 4, 30), "status": "resolved"}],
    ),
    Case(
        "a period of onset",
        {**condition(onsetPeriod={"start": "2020-03-04"}), "onsetDateTime": None},
        [{**CONDITION}],
    ),
    Case(
        "a condition without onset has the day it was recorded",
        {**condition(recordedDate="2020-03-04"), "onsetDateTime": None},
        [CONDITION],
    ),
    *[
        Case(
            f"a condition that is {status} gives nothing",
            condition(verificationStatus=coded(status, f"{HL7}/condition-ver-status")),
        )
        for status in ("refuted", "entered-in-error")
    ],
    *[
        Case(
            f"a condition that is {status} says so",
            condition(verificationStatus=coded(status, f"{HL7}/condition-ver-status")),
            [{**CONDITION, "status": status}],
        )
        for status in ("provisional", "differential", "unconfirmed")
    ],
    *[
        Case(
            f"a condition of category {category}",
            condition(category=[coded(category, f"{HL7}/condition-category")]),
            [{**CONDITION, "type_concept_id": concept}],
        )
        for category, concept in (("problem-list-item", 32840), ("encounter-diagnosis", 32827))
    ],
    Case(
        "several codings: SNOMED before ICD-10, what a person chose before both",
        [
            condition(
                code={
                    "coding": [
                        {"system": "http://hl7.org/fhir/sid/icd-10", "code": "E11.9"},
                        {"system": SNOMED, "code": "44054006"},
                        {"system": "https://example.org/local", "code": "DM2"},
                    ]
                }
            ),
            condition(
                code={
                    "coding": [
                        {"system": SNOMED, "code": "44054006"},
                        {"system": "http://hl7.org/fhir/sid/icd-10-uk", "code": "E119", "userSelected": True},
                    ],
                    "text": "Type 2 diabetes",
                }
            ),
        ],
        [
            {
                "code": "44054006",
                "vocabulary_id": "SNOMED",
                "code_2": "E11.9",
                "vocabulary_id_2": "ICD10",
                "code_3": "DM2",
                "vocabulary_id_3": "https://example.org/local",
            },
            {"code": "E119", "vocabulary_id": "ICD10", "code_2": "44054006", "code_text": "Type 2 diabetes"},
        ],
    ),
    *[
        Case(
            f"the category of a code of {vocabulary} stands behind it",
            condition(code=coded(code, system)),
            [{"code": code, "code_2": category, "vocabulary_id_2": vocabulary, "code_3": None}],
        )
        for vocabulary, code, category, system in (
            ("ICD10", "E11.9", "E11", "http://hl7.org/fhir/sid/icd-10"),
            ("OPCS4", "k401", "K40", "https://fhir.hl7.org.uk/Id/opcs-4"),
        )
    ],
    Case(
        "a condition in words only",
        condition(code={"text": "Sore throat"}),
        [{"kind": "event", "code": None, "code_text": "Sore throat"}],
    ),
    *[
        Case(
            f"a code of {vocabulary}", condition(code=coded("1", system)), [{"code": "1", "vocabulary_id": vocabulary}]
        )
        for vocabulary, system in (
            ("dm+d", "https://dmd.nhs.uk"),
            ("OPCS4", "https://fhir.hl7.org.uk/Id/opcs-4"),
            ("Read", "http://read.info/readv2"),
            ("CTV3", "http://read.info/ctv3"),
            ("ICD10CM", "http://hl7.org/fhir/sid/icd-10-cm"),
            ("ICD9CM", "http://hl7.org/fhir/sid/icd-9-cm"),
            ("NDC", "http://hl7.org/fhir/sid/ndc"),
            ("ATC", "http://www.whocc.no/atc"),
            ("CPT4", "http://www.ama-assn.org/go/cpt"),
            ("LOINC", "urn:oid:2.16.840.1.113883.6.1"),
        )
    ],
    # References
    *[
        Case(
            f"a reference as {reference}",
            condition(encounter={"reference": reference}),
            [{**CONDITION, "visit_ref": visit}],
        )
        for reference, visit in (
            ("Encounter/e1", "e1"),
            ("https://server.example/fhir/Encounter/e1", "e1"),
            ("Encounter/e1/_history/3", "e1"),
            ("urn:uuid:0a1b", "0a1b"),
            ("#e1", None),
            ("EpisodeOfCare/e1", None),
        )
    ],
    Case(
        "a role stands for its practitioner",
        [
            {
                "resourceType": "PractitionerRole",
                "id": "r1",
                "practitioner": {"reference": "Practitioner/d1"},
                "specialty": [coded("394579002")],
                "organization": {"reference": "Organization/o1"},
            },
            condition(asserter={"reference": "PractitionerRole/r1"}),
        ],
        [
            {"kind": "provider", "provider_ref": "d1", "code": "394579002", "care_site_ref": "o1"},
            {"provider_ref": "d1"},
        ],
    ),
    Case(
        "references by identifier, as Synthea's transactions have them",
        [
            {
                "resourceType": "Practitioner",
                "id": "d3",
                "identifier": [{"system": "https://x.example/gmc", "value": "7"}],
            },
            {
                "resourceType": "Location",
                "id": "l3",
                "identifier": [
                    {"system": "https://x.example/site", "value": "1"},
                    {"system": "https://x.example/site", "value": "2"},
                ],
            },
            encounter(
                "e7",
                participant=[{"individual": {"reference": "Practitioner?identifier=https://x.example/gmc|7"}}],
                location=[{"location": {"identifier": {"system": "https://x.example/site", "value": "2"}}}],
            ),
        ],
        [
            {**VISIT, "provider_ref": "d3", "care_site_ref": "Location/l3"},
            {"kind": "provider", "provider_ref": "d3"},
            {"kind": "care_site", "care_site_ref": "Location/l3"},
        ],
    ),
    # Observation
    Case(
        "a quantity",
        observation(valueQuantity=quantity(172.5, "cm")),
        [{**HEIGHT, "value_number": 172.5, "unit": "cm", "type_concept_id": 32817, "default_target": "observation"}],
    ),
    Case(
        "a laboratory result below what can be measured, with its range",
        observation(
            category=[coded("laboratory", f"{HL7}/observation-category")],
            valueQuantity={"value": 5, "comparator": "<", "unit": "ng/L"},
            referenceRange=[{"low": {"value": 1}, "high": {"value": 14.5}}],
            interpretation=[coded("L", f"{HL7}/v3-ObservationInterpretation")],
        ),
        [
            {
                **HEIGHT,
                "value_number": 5.0,
                "operator": "<",
                "unit": "ng/L",
                "range_low": 1.0,
                "range_high": 14.5,
                "qualifier": "62482003",
                "qualifier_vocabulary_id": "SNOMED",
                "value_code": None,
                "type_concept_id": 32856,
                "default_target": "measurement",
            }
        ],
    ),
    Case(
        "a coded value",
        observation(valueCodeableConcept=coded("266919005", text="Never smoked")),
        [{**HEIGHT, "value_code": "266919005", "value_vocabulary_id": "SNOMED", "value_text": None}],
    ),
    Case(
        "a meaning without a value is the value",
        observation(interpretation=[coded("POS", f"{HL7}/v3-ObservationInterpretation")]),
        [{**HEIGHT, "value_code": "10828004", "value_vocabulary_id": "SNOMED", "value_source_value": "POS"}],
    ),
    *[
        Case(
            f"a value that is {name}",
            observation(valueCodeableConcept=coded(code, f"{HL7}/{system}")),
            [{**HEIGHT, "value_code": meant, "value_vocabulary_id": "SNOMED", "value_source_value": code}],
        )
        for name, code, system, meant in (
            ("how a germ responds", "S", "v3-ObservationInterpretation", "131196009"),
            ("a yes of HL7 version 2", "Y", "v2-0136", "373066001"),
        )
    ],
    Case(
        "a meaning beside a value qualifies it, and its code is the source value",
        observation(valueInteger=7, interpretation=[coded("H", f"{HL7}/v3-ObservationInterpretation")]),
        [{**HEIGHT, "qualifier": "75540009", "qualifier_source_value": "H", "value_source_value": None}],
    ),
    *[
        Case(f"a value that is {name}", observation(**value), [{**HEIGHT, **row}])
        for name, value, row in (
            ("a word", {"valueString": "trace"}, {"value_text": "trace"}),
            ("a whole number", {"valueInteger": 7}, {"value_number": 7.0}),
            ("yes", {"valueBoolean": True}, {"value_code": "373066001", "value_text": "true"}),
            ("no", {"valueBoolean": False}, {"value_code": "373067005", "value_text": "false"}),
            ("a moment", {"valueDateTime": NINE}, {"value_text": "2020-03-04"}),
            ("a time", {"valueTime": "09:30:00"}, {"value_text": "09:30:00"}),
            ("a range", {"valueRange": {"low": {"value": 1}, "high": {"value": 2.5}}}, {"value_text": "1-2.5"}),
            (
                "a ratio",
                {"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}},
                {"value_text": "1:128", "value_number": None},
            ),
            (
                "a period",
                {"valuePeriod": {"start": "2020-01-01", "end": "2020-01-31"}},
                {"value_text": "2020-01-01/2020-01-31"},
            ),
            ("a series", {"valueSampledData": {"data": "1 2 3"}}, {"value_text": "1 2 3"}),
        )
    ],
    Case(
        "no value, and the reason",
        observation(dataAbsentReason=coded("unknown", f"{HL7}/data-absent-reason")),
        [{**HEIGHT, "value_number": None, "value_text": "unknown"}],
    ),
    Case(
        "what was not performed gives nothing",
        observation(dataAbsentReason=coded("not-performed", f"{HL7}/data-absent-reason")),
    ),
    *[
        Case(f"an observation that is {status} gives nothing", observation(status=status, valueInteger=1))
        for status in ("entered-in-error", "cancelled", "registered")
    ],
    Case(
        "a blood pressure is its two components",
        observation(
            code=coded("85354-9", LOINC),
            component=[
                {"code": coded("8480-6", LOINC), "valueQuantity": quantity(120, "mm[Hg]")},
                {"code": coded("8462-4", LOINC), "valueQuantity": quantity(80, "mm[Hg]")},
                {"code": coded("8478-0", LOINC), "dataAbsentReason": coded("not-performed")},
            ],
        ),
        [
            {**EVENT, "code": "8462-4", "value_number": 80.0, "position": 2},
            {**EVENT, "code": "8480-6", "value_number": 120.0, "position": 1},
        ],
    ),
    Case(
        "a score with components is a row too",
        observation(valueInteger=9, component=[{"code": coded("9268-4", LOINC), "valueInteger": 6}]),
        [{**HEIGHT, "value_number": 9.0}, {"code": "9268-4", "value_number": 6.0, "position": 1}],
    ),
    *[
        Case(
            f"a result of {word!r} says so, coded or not",
            [observation(valueString=word), observation(valueCodeableConcept={"text": word})],
            [{**HEIGHT, "value_code": code, "value_vocabulary_id": "SNOMED", "value_text": word.strip()}] * 2,
        )
        for word, code in (("Negative", "260385009"), ("NOT DETECTED ", "260415000"), ("absent", "2667000"))
    ],
    Case("another word is text", observation(valueString="Negatively"), [{**HEIGHT, "value_code": None}]),
    Case(
        "an observation that does not say when is of the day of its specimen, its report, or when it was issued",
        [
            {
                **observation(
                    id="late1", valueInteger=1, specimen={"reference": "Specimen/sp1"}, issued="2020-03-09T10:00:00Z"
                ),
                "effectiveDateTime": None,
            },
            {**observation(id="late2", valueInteger=1), "effectiveDateTime": None},
            {**observation(id="late3", valueInteger=1, issued=NINE), "effectiveDateTime": None},
            {**observation(id="late4", valueInteger=1), "effectiveDateTime": None},
            {
                **observation(
                    id="late5",
                    specimen={"reference": "Specimen/sp1"},
                    component=[{"code": coded("9268-4", LOINC), "valueInteger": 6}],
                ),
                "effectiveDateTime": None,
            },
        ],
        [
            *[HEIGHT] * 3,
            {"start_date": None, "code": "8302-2"},
            {**EVENT, "code": "9268-4"},
        ],
    ),
    Case(
        "a report or a specimen that was withdrawn, or is another patient's, says of no observation when it was",
        [
            {
                **observation(id="other1", valueInteger=1, specimen={"reference": "Specimen/withdrawn"}, issued=NINE),
                "effectiveDateTime": None,
            },
            {
                **observation(id="other2", valueInteger=1, specimen={"reference": "Specimen/another"}, issued=NINE),
                "effectiveDateTime": None,
            },
            {**observation(id="other3", valueInteger=1, issued=NINE), "effectiveDateTime": None},
        ],
        [HEIGHT] * 3,
    ),
    Case(
        "what is withdrawn, and what is another patient's",
        [
            {
                "resourceType": "Specimen",
                "id": "withdrawn",
                "status": "entered-in-error",
                **ABOUT,
                "collection": {"collectedDateTime": "1999-01-01"},
            },
            {
                "resourceType": "Specimen",
                "id": "another",
                "subject": {"reference": "Patient/p2"},
                "collection": {"collectedDateTime": "1999-01-01"},
            },
            {
                "resourceType": "DiagnosticReport",
                "status": "entered-in-error",
                "code": coded("24323-8", LOINC),
                **ABOUT,
                "issued": "1999-01-01T00:00:00Z",
                "result": [{"reference": "Observation/other3"}],
            },
        ],
        [{"start_date": dt.date(1999, 1, 1), "target": "specimen"}],
    ),
    Case(
        "what says when they were",
        [
            {
                "resourceType": "Specimen",
                "id": "sp1",
                "status": "available",
                "type": coded("119297000"),
                **ABOUT,
                "collection": {"collectedPeriod": {"start": NINE}},
            },
            {
                "resourceType": "DiagnosticReport",
                "status": "final",
                "code": coded("24323-8", LOINC),
                **ABOUT,
                "issued": NINE,
                "result": [{"reference": "Observation/other"}, {"reference": "Observation/late2"}],
            },
        ],
        [{**EVENT, "target": "specimen"}],
    ),
    Case("a panel of members gives nothing itself", observation(hasMember=[{"reference": "Observation/x"}])),
    Case(
        "an observation over a period",
        {
            **observation(effectivePeriod={"start": NINE, "end": "2020-03-06"}, valueInteger=1),
            "effectiveDateTime": None,
        },
        [{**HEIGHT, "end_date": dt.date(2020, 3, 6)}],
    ),
    Case(
        "an observation at an instant, by a practitioner",
        {
            **observation(effectiveInstant="2020-03-04T09:30:00.123Z", valueInteger=1),
            "effectiveDateTime": None,
            "performer": [{"reference": "Practitioner/d1"}],
        },
        [{**HEIGHT, "start_datetime": MORNING, "provider_ref": "d1"}],
    ),
    # Procedure
    Case("a procedure", procedure(performedDateTime=NINE), [{**PROCEDURE, "start_datetime": MORNING}]),
    Case(
        "a procedure over a period",
        procedure(
            performedPeriod={"start": NINE, "end": "2020-03-04T11:00:00+01:00"},
            performer=[{"actor": {"reference": "Practitioner/d1"}}],
        ),
        [
            {
                **PROCEDURE,
                "start_date": DAY,
                "end_datetime": dt.datetime.fromisoformat("2020-03-04T11:00"),
                "provider_ref": "d1",
            }
        ],
    ),
    *[
        Case(f"a procedure that is {status} gives nothing", procedure(performedDateTime=NINE, status=status))
        for status in ("not-done", "entered-in-error", "preparation")
    ],
    # Medication
    Case(
        "a prescription",
        request(
            dosageInstruction=[
                {
                    "text": "one for Mrs Smith, twice a day",
                    "route": coded("26643006"),
                    "doseAndRate": [{"doseQuantity": quantity(1, "{tbl}")}],
                    "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
                }
            ],
            dispenseRequest={
                "quantity": {"value": 56},
                "numberOfRepeatsAllowed": 3,
                "expectedSupplyDuration": {"value": 4, "unit": "weeks"},
            },
        ),
        [
            {
                **DRUG,
                "type_concept_id": 32838,
                "days_supply": 28,
                "refills": 3,
                "quantity": 56.0,
                "route": "26643006",
                "route_vocabulary_id": "SNOMED",
                "sig": "1 {tbl} 2 per 1 d",
                "dose_unit": "{tbl}",
            }
        ],
    ),
    Case(
        "repeats and a length of more than the CDM can hold are none",
        request(
            dispenseRequest={"numberOfRepeatsAllowed": 99_999_999_999},
            dosageInstruction=[{"timing": {"repeat": {"boundsDuration": quantity(99_999_999, "a")}}}],
        ),
        [{**DRUG, "refills": None, "days_supply": None}],
    ),
    Case("a prescription that a patient reported", request(reportedBoolean=True), [{**DRUG, "type_concept_id": 32865}]),
    Case(
        "a stopped prescription",
        request(status="stopped", statusReason={"text": "rash"}),
        [{**DRUG, "stop_reason": "rash"}],
    ),
    *[
        Case(f"a prescription that is {name} gives nothing", request(**more))
        for name, more in (
            ("entered in error", {"status": "entered-in-error"}),
            ("cancelled", {"status": "cancelled"}),
            ("a draft", {"status": "draft"}),
            ("a proposal", {"intent": "proposal"}),
            ("a plan", {"intent": "plan"}),
            ("not to be followed", {"doNotPerform": True}),
        )
    ],
    Case(
        "a medication by reference",
        [
            {"resourceType": "Medication", "id": "m1", "code": coded("860975", RXNORM)},
            {**request(medicationReference={"reference": "Medication/m1"}), "medicationCodeableConcept": None},
        ],
        [DRUG],
    ),
    Case(
        "a contained medication",
        {
            **request(
                medicationReference={"reference": "#m"},
                contained=[
                    {"resourceType": "Medication", "id": "other", "code": coded("1", RXNORM)},
                    {"resourceType": "Medication", "id": "m", "code": coded("860975", RXNORM)},
                ],
            ),
            "medicationCodeableConcept": None,
        },
        [DRUG],
    ),
    Case(
        "a medication that a patient takes",
        {
            "resourceType": "MedicationStatement",
            "status": "active",
            "medicationCodeableConcept": coded("860975", RXNORM),
            **ABOUT,
            "effectivePeriod": {"start": "2020-03-04", "end": "2020-03-10"},
        },
        [{**DRUG, "type_concept_id": 32865, "end_date": dt.date(2020, 3, 10)}],
    ),
    Case(
        "a medication not taken gives nothing",
        {
            "resourceType": "MedicationStatement",
            "status": "not-taken",
            "medicationCodeableConcept": coded("860975", RXNORM),
            **ABOUT,
        },
    ),
    Case(
        "a medication given",
        {
            "resourceType": "MedicationAdministration",
            "status": "completed",
            "medicationCodeableConcept": coded("860975", RXNORM),
            **ABOUT,
            "context": {"reference": "Encounter/e1"},
            "effectiveDateTime": NINE,
            "dosage": {"dose": quantity(500, "mg"), "route": coded("47625008")},
        },
        [{**DRUG, "type_concept_id": 32818, "quantity": 500.0, "dose_unit": "mg", "visit_ref": "e1", "end_date": None}],
    ),
    *[
        Case(
            f"a supply of {name}",
            {
                "resourceType": "MedicationDispense",
                "status": "completed",
                "medicationCodeableConcept": coded("860975", RXNORM),
                **ABOUT,
                "whenHandedOver": NINE,
                "daysSupply": supply,
            },
            [{**DRUG, "days_supply": days}],
        )
        for name, supply, days in (
            ("28 of no unit", {"value": 28}, 28),
            ("28 of an empty unit", {"value": 28, "unit": " "}, 28),
            ("4 weeks", quantity(4, "wk"), 28),
            ("6 hours", quantity(6, "h"), None),
            ("more days than a number of them holds", {"value": 9_999_999_999, "code": "d"}, None),
            ("20 tablets, which are no time", {"value": 20, "unit": "tablets"}, None),
        )
    ],
    Case(
        "a medication not given gives nothing",
        {
            "resourceType": "MedicationAdministration",
            "status": "not-done",
            "medicationCodeableConcept": coded("860975", RXNORM),
            **ABOUT,
        },
    ),
    Case(
        "a medication dispensed",
        {
            "resourceType": "MedicationDispense",
            "status": "completed",
            "medicationCodeableConcept": coded("860975", RXNORM),
            **ABOUT,
            "whenPrepared": "2020-03-01",
            "whenHandedOver": NINE,
            "quantity": {"value": 28},
            "daysSupply": quantity(28, "d"),
        },
        [{**DRUG, "type_concept_id": 32825, "quantity": 28.0, "days_supply": 28}],
    ),
    Case(
        "a vaccine given",
        {
            "resourceType": "Immunization",
            "status": "completed",
            "vaccineCode": coded("140", "http://hl7.org/fhir/sid/cvx"),
            "patient": {"reference": "Patient/p1"},
            "occurrenceDateTime": NINE,
            "lotNumber": "L976",
            "doseQuantity": quantity(0.5, "mL"),
        },
        [
            {
                **EVENT,
                "code": "140",
                "vocabulary_id": "CVX",
                "lot_number": "L976",
                "quantity": 0.5,
                "type_concept_id": 32818,
            }
        ],
    ),
    *[
        Case(
            f"a vaccination by its own code, {name}",
            {
                "resourceType": "Immunization",
                "status": "completed",
                "vaccineCode": vaccine,
                "extension": [
                    {
                        "url": f"https://fhir.hl7.org.uk/{version}StructureDefinition/Extension-{profile}",
                        "valueCodeableConcept": coded("38598009", text="MMR vaccination"),
                    }
                ],
                "patient": {"reference": "Patient/p1"},
                "occurrenceDateTime": NINE,
            },
            [{**EVENT, "vocabulary_id_2": None, **row}],
        )
        for name, version, profile, vaccine, row in (
            (
                "where the vaccine is not known (GP Connect)",
                "STU3/",
                "CareConnect-VaccinationProcedure-1",
                coded("UNK", "http://hl7.org/fhir/v3/NullFlavor"),
                {"code": "38598009", "vocabulary_id": "SNOMED", "code_3": None},
            ),
            (
                "beside the vaccine's (UK Core)",
                "",
                "UKCore-VaccinationProcedure",
                coded("7374311000001101", "https://dmd.nhs.uk"),
                {
                    "code": "7374311000001101",
                    "vocabulary_id": "dm+d",
                    "code_3": "38598009",
                    "vocabulary_id_3": "SNOMED",
                },
            ),
        )
    ],
    Case(
        "a vaccine not given gives nothing",
        {
            "resourceType": "Immunization",
            "status": "not-done",
            "vaccineCode": coded("140", "http://hl7.org/fhir/sid/cvx"),
            "patient": {"reference": "Patient/p1"},
            "occurrenceDateTime": NINE,
        },
    ),
    # Allergy
    Case(
        "an allergy as a whole is coded as such",
        allergy(),
        [{**EVENT, "target": "observation", "code": "91936005", "concept_id": None}],
    ),
    Case(
        "an allergy to a substance is the kind of allergy, with the substance as its value",
        allergy(code=coded("7980", RXNORM), category=["medication"], type="allergy"),
        [{**EVENT, "concept_id": 439224, "code": "7980", "value_code": "7980", "value_vocabulary_id": "RxNorm"}],
    ),
    Case(
        "an intolerance of a food",
        allergy(code=coded("227493005", text="Cashew nuts"), category=["food"], type="intolerance"),
        [{**EVENT, "concept_id": 4340252, "value_code": "227493005", "target": "observation"}],
    ),
    Case("a refuted allergy gives nothing", allergy(verificationStatus=coded("refuted"))),
    Case(
        "an allergy that somebody no longer has says so",
        allergy(clinicalStatus=coded("resolved", f"{HL7}/allergyintolerance-clinical")),
        [{**EVENT, "qualifier": "413322009", "qualifier_source_value": "resolved"}],
    ),
    # Reports and documents
    Case(
        "a report whose results are observations gives nothing itself",
        {
            "resourceType": "DiagnosticReport",
            "status": "final",
            "code": coded("24323-8", LOINC),
            **ABOUT,
            "effectiveDateTime": NINE,
            "result": [{"reference": "Observation/x"}],
        },
    ),
    Case(
        "a report of its own, printed: what was reported, its conclusion, and a note without the text",
        {
            "resourceType": "DiagnosticReport",
            "status": "final",
            "category": [coded("LAB", f"{HL7}/v2-0074")],
            "code": coded("24323-8", LOINC),
            **ABOUT,
            "effectiveDateTime": NINE,
            "conclusion": "Mrs Smith is well",
            "conclusionCode": [coded("17621005")],
            "presentedForm": [{"data": "TXJzIFNtaXRo"}],
        },
        [
            {**EVENT, "code": "24323-8", "value_code": "17621005", "default_target": "measurement"},
            {"kind": "note", "date": DAY, "code": "24323-8"},
        ],
    ),
    Case(
        "a report with a conclusion in words is a note without the text",
        {
            "resourceType": "DiagnosticReport",
            "status": "final",
            "code": coded("34117-2", LOINC, "History and physical note"),
            **ABOUT,
            "effectiveDateTime": NINE,
            "conclusion": "Mrs Smith is well",
        },
        [{**EVENT, "code": "34117-2"}, {"kind": "note", "date": DAY, "code": "34117-2"}],
    ),
    Case(
        "a document is a note without the text",
        {
            "resourceType": "DocumentReference",
            "status": "current",
            "type": coded("18842-5", LOINC),
            **ABOUT,
            "date": NINE,
            "author": [{"reference": "Practitioner/d1", "display": "Dr Jones"}],
            "content": [{"attachment": {"data": "TXJzIFNtaXRo"}}],
            "context": {"encounter": [{"reference": "Encounter/e1"}]},
        },
        [
            {
                "kind": "note",
                "date": DAY,
                "code": "18842-5",
                "visit_ref": "e1",
                "provider_ref": "d1",
                "type_concept_id": 32831,
            }
        ],
    ),
    Case(
        "a superseded document gives nothing",
        {
            "resourceType": "DocumentReference",
            "status": "superseded",
            "type": coded("18842-5", LOINC),
            **ABOUT,
            "date": NINE,
        },
    ),
    # Devices, specimens, coverage
    Case(
        "the use of a device",
        [
            {
                "resourceType": "Device",
                "id": "dev1",
                "status": "active",
                "type": coded("23973005"),
                "udiCarrier": [{"deviceIdentifier": "00844588003288"}],
                "patient": {"reference": "Patient/p1"},
                "manufactureDate": "2019-01-01",
            },
            {
                "resourceType": "DeviceUseStatement",
                "status": "completed",
                **ABOUT,
                "device": {"reference": "Device/dev1"},
                "timingPeriod": {"start": "2020-03-04", "end": "2020-03-08"},
            },
        ],
        [{**EVENT, "code": "23973005", "unique_device_id": "00844588003288", "end_date": dt.date(2020, 3, 8)}],
    ),
    Case(
        "a device of which no use is stated, from its manufacture",
        {
            "resourceType": "Device",
            "id": "dev2",
            "status": "active",
            "type": coded("72506001"),
            "patient": {"reference": "Patient/p1"},
            "manufactureDate": "2020-03-04",
        },
        [{**EVENT, "code": "72506001", "default_target": "device_exposure"}],
    ),
    Case(
        "a specimen",
        {
            "resourceType": "Specimen",
            "status": "available",
            "type": coded("119297000"),
            **ABOUT,
            "collection": {"collectedDateTime": NINE, "quantity": quantity(5, "mL"), "bodySite": coded("368208006")},
        },
        [
            {
                **EVENT,
                "target": "specimen",
                "code": "119297000",
                "quantity": 5.0,
                "unit": "mL",
                "anatomic_site": "368208006",
            }
        ],
    ),
    Case(
        "a coverage",
        {
            "resourceType": "Coverage",
            "status": "active",
            "beneficiary": {"reference": "Patient/p1"},
            "subscriberId": "91206949269",
            "period": {"start": "2020-01-01", "end": "2020-12-31"},
            "type": {"text": "Group plan"},
            "payor": [{"reference": "Organization/o1"}],
        },
        [
            {
                "kind": "payer_plan_period",
                "start_date": dt.date(2020, 1, 1),
                "end_date": dt.date(2020, 12, 31),
                "payer": "South Trust",
                "payer_concept_id": 0,
                "plan": "Group plan",
                "plan_concept_id": 0,
            }
        ],
    ),
    *[
        Case(
            f"a payer {name}",
            {
                "resourceType": "Coverage",
                "status": "active",
                "beneficiary": {"reference": "Patient/p1"},
                "period": {"start": "2020-01-01", "end": "2020-02"},
                "type": {"text": "Group plan"},
                "payor": [payor],
            },
            [
                {
                    "kind": "payer_plan_period",
                    "payer": payer,
                    "payer_concept_id": 0 if payer else None,
                    "plan": "Group plan",
                    "end_date": dt.date(2020, 2, 29),
                }
            ],
        )
        for name, payor, payer in (
            ("by its name alone", {"display": "Northern Mutual"}, "Northern Mutual"),
            ("that was not sent", {"reference": "Organization/gone", "display": "Northern Mutual"}, "Northern Mutual"),
            ("that is a patient", {"reference": "Patient/p1", "display": "Ann Smith"}, None),
            ("that is a relative", {"type": "RelatedPerson", "display": "Bob Smith"}, None),
            ("that nobody names", {"identifier": {"value": "7"}}, None),
        )
    ],
    # Places and people of care
    Case(
        "an organization is a care site, its address a location",
        {
            "resourceType": "Organization",
            "id": "o1",
            "name": "South Trust",
            "type": [coded("prov", f"{HL7}/organization-type")],
            "address": [{"city": "Leeds", "postalCode": "LS1 3EX", "country": "GB"}],
        },
        [
            {
                "kind": "care_site",
                "care_site_ref": "o1",
                "name": "South Trust",
                "location_ref": "Organization/o1",
                "place_of_service": "prov",
                "place_of_service_concept_id": 0,
            },
            {
                "kind": "location",
                "location_ref": "Organization/o1",
                "city": "Leeds",
                "zip": "LS1 3EX",
                "country": "GB",
                "country_concept_id": 0,
            },
        ],
    ),
    Case(
        "a ward is a care site",
        {
            "resourceType": "Location",
            "id": "l1",
            "name": "Ward 3",
            "physicalType": coded("wa", f"{HL7}/location-physical-type"),
        },
        [
            {
                "kind": "care_site",
                "care_site_ref": "Location/l1",
                "name": "Ward 3",
                "place_of_service_concept_id": None,
                "location_ref": None,
            }
        ],
    ),
    *[
        Case(
            f"a {name} is none",
            {
                "resourceType": "Location",
                "id": f"l-{code}",
                "physicalType": coded(code, f"{HL7}/location-physical-type"),
                "address": {"postalCode": "LS1 3EX"},
            },
        )
        for name, code in (("bed", "bd"), ("house", "ho"))
    ],
    Case(
        "a practitioner without a role",
        {
            "resourceType": "Practitioner",
            "id": "d2",
            "name": [{"family": "Jones"}],
            "gender": "male",
            "qualification": [{"code": coded("MD", f"{HL7}/v2-0360")}],
        },
        [{"kind": "provider", "provider_ref": "d2", "gender": "male", "code": "MD", "vocabulary_id": "v2-0360"}],
    ),
]


@dataclass(frozen=True)
class Evaluated:
    """Rows of all cases, by the line they come from."""

    rows: list[Row]
    lines: dict[str, list[int]]


def _given(case: Case) -> list[Resource]:
    return case.given if isinstance(case.given, list) else [case.given]


def _land(folder: Path) -> None:
    resources = [
        {"id": f"r{number}", **{name: value for name, value in resource.items() if value is not None}}
        for number, resource in enumerate(chain(*map(_given, CASES)))
    ]
    folder.mkdir()
    fhir_files.landed(fhir_files.written(folder, resources), folder / "hub")


def landed_cases(factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The landed file of each table, with the resources of all cases, landed once a run."""
    found = made_once(shared_folder(factory) / "fhir-cases", _land) / "hub" / "landed"
    views = {view.table for view in chain(*VIEWS.values())}
    return {path.stem: path for path in sorted(found.glob("*.parquet")) if path.stem in views}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evaluated]:
    lines: dict[str, list[int]] = {}
    count = 0
    for case in CASES:
        lines[case.name] = [count + number for number in range(1, len(_given(case)) + 1)]
        count += len(_given(case))
    files = landed_cases(tmp_path_factory)
    engine = DuckDBEngine(tmp_path_factory.mktemp("fhir") / "spill", reaches=list(files.values()), threads=1)
    tables = {name: engine.parquet([path]) for name, path in files.items()}
    rows = [{"kind": rule.kind, **row} for rule in fhir_rows(tables) for row in engine.fetch(rule.rows).to_pylist()]
    yield Evaluated(rows=rows, lines=lines)
    engine.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_resource_gives_these_rows(case: Case, evaluated: Evaluated) -> None:
    found = [row for row in evaluated.rows if row["row_line"] in evaluated.lines[case.name]]
    shown = [
        {name: row.get(name) for name in expected} for row, expected in zip(_ordered(found), case.rows, strict=False)
    ]
    assert len(found) == len(case.rows), [row["kind"] for row in found]
    assert shown == case.rows


def test_every_row_of_a_patient_has_its_pseudonym(evaluated: Evaluated) -> None:
    of_patients = [
        row for row in evaluated.rows if row["kind"] in ("event", "person", "death", "note", "visit_occurrence")
    ]
    assert of_patients
    assert all(row["patient_ref"] and len(row["patient_ref"]) == 32 for row in of_patients)


def test_nothing_that_names_a_person_is_in_any_row(evaluated: Evaluated) -> None:
    everything = repr(evaluated.rows)
    for name in ("Smith", "TXJzIFNtaXRo", "Jones", "91206949269", "M1 1AA", "LS2 9JT", "Patient/"):
        assert name not in everything


def _ordered(rows: list[Row]) -> list[Row]:
    order = {
        "person": 0,
        "death": 1,
        "visit_occurrence": 2,
        "visit_detail": 3,
        "provider": 4,
        "care_site": 5,
        "location": 6,
    }
    return sorted(
        rows,
        key=lambda row: (
            order.get(row["kind"], 7) if row["kind"] != "note" else 8,
            row["row_line"],
            row.get("code") or "",
            row.get("visit_detail_ref") or "",
        ),
    )
