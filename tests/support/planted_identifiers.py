"""Who somebody is, planted in every text of what sources deliver."""

import json
from collections.abc import Sequence
from typing import Any

from fairhaven.intake.fhir.element_columns import ElementColumn, alternatives, steps
from fairhaven.intake.fhir.views import VIEWS
from tests.support.known_persons import KnownBy

TABLES = """
[tables.registrations]
files = ["*registrations*"]
patient = "patient_id"
[tables.registrations.columns]
patient_id = "text"
nhs_number = { type = "text", identity = "nhs_number" }
given_name = { type = "text", identity = "given_name" }
family_name = { type = "text", identity = "family_name" }
birth_date = { type = "date", identity = "birth_date" }
sex = { type = "text", identity = "sex" }
ethnicity = { type = "text", identity = "ethnicity" }
postcode = { type = "text", identity = "postcode" }
address = { type = "text", identity = "address" }
registered_on = "date"
[tables.events]
files = ["*events*"]
key = ["event_id"]
patient = "patient_id"
[tables.events.columns]
event_id = "text"
patient_id = "text"
event_date = "date"
code_system = "text"
code = "text"
term = "text"
unit = "text"
whole = "whole"
exact = "number"
remark = "text"
"""
CONFIDED = "said in confidence"
"""A remark that names nobody who is known; no rule reads it."""
PERSON = ("1242486", "9990000018", "Rosalind", "Okafor", "1953-07-14", "40 Riverside, Thornfold", "FH10 0AN")
KNOWN = KnownBy(
    words=frozenset([b"rosalind", b"okafor"]),
    numbers=frozenset([b"9990000018"]),
    postcodes=frozenset([b"fh100an"]),
    texts=frozenset([b"40 riverside", b"1242486", b"1953-07-14"]),
)
"""What bytes show of that person."""
OF_BIRTH = ("1953-07-14", "14/07/1953", "14 July 1953", "19530714", "born 14.7.53")
PLANTED = (
    *("9990000018", "999 000 0018", "999-000-0018", "999.000.0018", "999/000/0018", "999\u00a0000\u00a00018"),
    *(
        "999  000  0018",
        "999\u2009000\u20090018",
        "\uff19\uff19\uff19 000 0018",
        "(999)000-0018",
        "999_000_0018",
        "NHS9990000018",
    ),
    *("Rosalind Okafor", "OKAFOR, Rosalind", "Mrs Okafor", "Okafor", "at FH10 0AN", "fh100an", "40 Riverside"),
    *(*OF_BIRTH, "1242486", "no. 1242486"),
)
NUMBERS = (9990000018, 19530714, 1242486, 19530714103000)
"""Those that are planted in columns of numbers, each in turn."""


def planted_tables(more: str = "harmless") -> dict[str, str]:
    """SQL of the tables of a GP system, with something planted in each text of an event, and one more text."""
    number, nhs, given, family, born, address, postcode = PERSON
    columns = ("event_id", "code_system", "code", "term", "unit", "sex", "ethnicity")
    rows = [*((text, column) for text in PLANTED for column in columns[:5]), (more, "term")]
    values = ", ".join(
        "(" + ", ".join(["'" + (text if name == column else f"harmless {place}") + "'" for name in columns[:5]]) + ")"
        for place, (text, column) in enumerate(rows)
    )
    in_turn = f"[{', '.join(map(str, NUMBERS))}]"
    return {
        "registrations": f"SELECT '{number}' AS patient_id, '{nhs}' AS nhs_number, '{given}' AS given_name, '{family}' AS "
        f"family_name, DATE '{born}' AS birth_date, 'Rosalind Okafor' AS sex, '999 000 0018' AS ethnicity, '{postcode}' AS postcode, "
        f"'{address}' AS address, DATE '{born}' AS registered_on",
        "events": f"SELECT '{number}' AS patient_id, DATE '{born}' AS event_date, {in_turn}[1 + length(code) % 4] AS whole, {in_turn}[1 + length(term) % 4]::DOUBLE AS exact, '{CONFIDED}' AS remark, * FROM (VALUES {values}) "
        f"t({', '.join(columns[:5])})",
    }


def planted_resources() -> str:
    """FHIR resources as NDJSON, with something planted in each text."""
    number, nhs, given, family, born, address, postcode = PERSON
    patient = {
        "resourceType": "Patient",
        "id": number,
        "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": nhs}],
        "name": [{"family": family, "given": [given]}],
        "birthDate": born,
        "address": [{"line": [address], "postalCode": postcode, "state": "harmless"}],
    }
    resources: list[dict[str, Any]] = [patient]
    for place, text in enumerate(PLANTED):
        coded: dict[str, Any] = {
            "coding": [{"system": "http://snomed.info/sct", "code": text, "display": text}],
            "text": text,
        }
        subject = {"reference": f"Patient/{number}"}
        resources.append(
            {
                "resourceType": "Observation",
                "id": f"o{place}",
                "status": "final",
                "category": [coded],
                "code": coded,
                "subject": subject,
                "effectiveDateTime": f"{born}T10:00:00",
                **({"valueString": text} if place % 2 else {"valueCodeableConcept": coded}),
                "interpretation": [coded],
                "component": [
                    {"code": coded, "valueString": text},
                    {"code": coded, "valueInteger": NUMBERS[place % 4]},
                    {"code": coded, "valueQuantity": {"value": NUMBERS[place % 4], "unit": text, "code": text}},
                ],
            }
        )
        resources.append({"resourceType": "Condition", "id": f"c{place}", "code": {"text": text}, "subject": subject})
        if text not in OF_BIRTH:
            # A day is told of a patient, and an organisation is none.
            resources.append({"resourceType": "Organization", "id": f"g{place}", "name": text, "type": [coded]})
    return "".join(json.dumps(resource) + "\n" for resource in resources)


def planted_elements(texts: Sequence[str]) -> str:
    """Resources of every type that is read, as NDJSON: each element that lands holds one of *texts*, a number of the person or the birth."""
    number, *_, born = PERSON[:5]
    patient = json.loads(planted_resources().partition("\n")[0])
    resources = [patient | {"gender": "female", "deceasedDateTime": f"{born}T10:00:00"}]
    for kind, views in VIEWS.items():
        for place, text in enumerate(texts if kind != "Patient" else ()):
            if not views[0].patient and text in (*OF_BIRTH, number, f"no. {number}"):
                continue
            resource: dict[str, Any] = {"resourceType": kind}
            for view in views:
                for column in view.columns:
                    for path in alternatives(column.path)[:1]:
                        each = path.replace("$", f"{view.each}[].")
                        _plant(resource, steps(each), _planted(column, text, NUMBERS[place % 4], born, number))
            resources.append(resource | {"id": text, "meta": {"versionId": "1"}})
    return "".join(json.dumps(resource) + "\n" for resource in resources)


def planted_in_version(version: str, texts: Sequence[str]) -> str:
    """Resources of STU3 or R5 as NDJSON, with one of *texts* in elements that R4 has not, or writes otherwise."""
    number, *_, born = PERSON[:5]
    resources = [json.loads(planted_resources().partition("\n")[0])]
    for place, text in enumerate(texts):
        concept = {"coding": [{"system": "http://snomed.info/sct", "code": text, "display": text}], "text": text}
        amount = {"value": NUMBERS[place % 4], "unit": text, "code": text}
        subject = {"subject": {"reference": f"Patient/{number}"}}
        at = f"{born}T10:00:00Z"
        if version == "STU3":
            made: list[dict[str, Any]] = [
                {
                    "resourceType": "Encounter",
                    "status": "finished",
                    "class": concept["coding"][0],
                    "hospitalization": {"admitSource": concept},
                },
                {
                    "resourceType": "Observation",
                    "status": "final",
                    "code": concept,
                    "interpretation": concept,
                    "valueQuantity": amount,
                    "issued": at,
                },
                {"resourceType": "Condition", "clinicalStatus": "active", "code": concept, "assertedDate": at},
                {
                    "resourceType": "MedicationStatement",
                    "status": "active",
                    "taken": "y",
                    "medicationCodeableConcept": concept,
                    "dosage": [{"route": concept, "doseQuantity": amount}],
                },
                {"resourceType": "Procedure", "status": "completed", "code": concept, "performedDateTime": at},
            ]
        else:
            made = [
                {
                    "resourceType": "Encounter",
                    "status": "completed",
                    "class": [concept],
                    "serviceType": [{"concept": concept}],
                    "actualPeriod": {"start": at},
                    "admission": {"admitSource": concept},
                },
                {
                    "resourceType": "Observation",
                    "status": "final",
                    "code": concept,
                    "valueQuantity": amount,
                    "issued": at,
                },
                {
                    "resourceType": "Condition",
                    "clinicalStatus": {"coding": [{"code": "active"}]},
                    "code": concept,
                    "recordedDate": at,
                },
                {
                    "resourceType": "MedicationRequest",
                    "status": "active",
                    "intent": "order",
                    "medication": {"concept": concept},
                    "authoredOn": at,
                    "dosageInstruction": [{"route": concept}],
                },
                {"resourceType": "Procedure", "status": "completed", "code": concept, "occurrenceDateTime": at},
            ]
        resources += [{**one, **subject, "id": f"r{place}"} for one in made]
    return "".join(json.dumps(resource) + "\n" for resource in resources)


def _planted(column: ElementColumn, text: str, whole: int, born: str, patient: str) -> Any:
    coding = {"system": "http://snomed.info/sct", "code": text, "display": text, "version": text}
    concept = {"coding": [coding] * column.codings, "text": text}
    is_of_patient = "Patient" in column.to
    match column.kind:
        case _ if column.codes:
            return column.codes[0] if column.kind == "text" else {"coding": [{"code": column.codes[0]}]}
        case "flag":
            return not column.is_modifier
        case "number" | "whole":
            return whole
        case "moment" | "last moment" | "date" | "length":
            return f"{born}T10:00:00Z"
        case "reference" | "references":
            target = {"reference": f"{column.to[0]}/{patient if is_of_patient else text}"}
            return [target] if column.kind == "references" else target
        case "concept":
            return None if column.is_modifier else concept
        case "codes":
            return [concept]
        case "coding":
            return coding
        case "quantity":
            return {"value": whole, "unit": text, "code": text, "system": "http://unitsofmeasure.org"}
        case "identifiers":
            return [{"system": "urn:x", "value": text}]
        case "text" | "words" | "organization name":
            return text
        case _:
            return None


def _plant(within: dict[str, Any], path: Sequence[tuple[str, str | None]], value: Any) -> None:
    """Put a value where a path leads, unless something is there."""
    if value is None or any(choice and choice.startswith("#") for _, choice in path):
        return
    (name, choice), rest = path[0], path[1:]
    if choice is None:
        inner = within.setdefault(name, {} if rest else value)
    else:
        several = within.setdefault(name, [])
        key, _, wanted = choice.partition("=")
        named = [one for one in several if not key or one.get(key) == wanted]
        if not named:
            several.append(({key: wanted} if key else {}) if rest else value)
            named = several[-1:]
        inner = named[0]
    if rest and isinstance(inner, dict):
        _plant(inner, rest, value)
