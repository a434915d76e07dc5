"""Who somebody is, planted in every text of what sources deliver."""

import json
from typing import Any

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
