"""FHIR resources that name no patient go with the patient to whom they belong through others, and whatever is somebody else's stays."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fairhaven.intake import Source
from fairhaven.intake.fhir.resource_references import references_of
from fairhaven.intake.landing import LandingKeys
from fairhaven.kernel.ids import pseudonym
from tests.support.intake_hub import Hub

Resource = dict[str, Any]
_TRUST = 'title = "x"\ncontroller = "c"\nkind = "hospital"\nformat = "fhir"\n'


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return Hub(tmp_path)


def trust(hub: Hub) -> Source:
    return hub.source(_TRUST, "trust")


def resource(kind: str, name: str, **said: Any) -> Resource:
    return {"resourceType": kind, "id": name, "status": "final"} | said


def to(target: str) -> Resource:
    return {"reference": target}


def of_a_patient(patient: str) -> list[Resource]:
    """A patient with an encounter and a report, and what names the patient through these or not at all but by a reference."""
    return [
        resource("Patient", patient),
        resource("Encounter", f"e-{patient}", subject=to(f"Patient/{patient}"), appointment=[to(f"Appointment/a-{patient}")]),
        resource("DiagnosticReport", f"r-{patient}", subject=to(f"Patient/{patient}"), result=[to(f"Observation/o-{patient}")]),
        resource("Observation", f"o-{patient}", specimen=to("Specimen/none"), performer=[to("Organization/org")]),
        resource("Appointment", f"a-{patient}", participant=[{"actor": to("Location/loc")}]),
        resource("Provenance", f"p-{patient}", target=[to(f"http://here/fhir/Encounter/e-{patient}/_history/3")]),
        resource("Provenance", f"pp-{patient}", target=[to(f"Provenance/p-{patient}")], agent=[{"who": to("Practitioner/doc")}]),
        resource("Task", f"t-{patient}", **{"for": to(f"Patient/{patient}")}),
        resource("DocumentReference", f"d-{patient}", subject=to(f"Patient/{patient}"), content=[{"attachment": {"url": f"Binary/b-{patient}"}}]),
        resource("List", f"l-{patient}", entry=[{"item": to(f"urn:uuid:e-{patient}")}]),
        resource("Binary", f"b-{patient}", contentType="text/plain", data="c2VjcmV0"),
    ]  # fmt: skip


SHARED = [
    resource("Organization", "org"),
    resource("Practitioner", "doc"),
    resource("Location", "loc"),
    resource("Medication", "med"),
    resource("Schedule", "sch", actor=[to("Practitioner/doc")]),
]


def receive(hub: Hub, source: Source, resources: Sequence[Resource], name: str = "export.ndjson") -> None:
    hub.receive(source, "".join(json.dumps(each) + "\n" for each in resources), name=name)


def erase(hub: Hub, patient: str) -> None:
    key = LandingKeys.of(hub.keyring.pseudonyms.key_for).pseudonym
    mine = pseudonym(key, "trust", patient)
    hub.erase({"trust": [mine, *hub.intake.also_named("trust", [mine])]})


def kept(hub: Hub, extract: int = 1) -> str:
    """The bytes as delivered, opened."""
    found = hub.intake.extracts()[extract - 1]
    return hub.keyring.deliveries.open_bytes(hub.store / "received" / f"{found.sealed_as}.sealed").decode()


def landed(hub: Hub, extract: int = 1) -> set[object]:
    """Ids of the landed rows."""
    tables = hub.intake.extracts()[extract - 1].tables
    return {row.get("id") for table in tables for row in hub.landed(extract, table)} - {None}


def ids(resources: Sequence[Resource]) -> set[str]:
    # A patient's own number does not land.
    return {each["id"] for each in resources if each["resourceType"] != "Patient"}


@pytest.mark.parametrize("form", ["lines", "bundle lines", "bundle file", "bundle in a bundle"])
def test_resources_that_name_the_patient_only_through_others_go_and_what_is_shared_or_of_others_stays(
    hub: Hub, form: str
) -> None:
    source = trust(hub)
    gone, stays = of_a_patient("zz9"), [*SHARED, *of_a_patient("kk1")]
    entries = [{"resource": each} for each in (*gone, *stays)]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    of_form = {
        "lines": [*gone, *stays],
        "bundle lines": [bundle, resource("Patient", "mm2")],
        "bundle file": [bundle],
        "bundle in a bundle": [{"resourceType": "Bundle", "entry": [{"resource": bundle}]}, resource("Patient", "mm2")],
    }
    receive(hub, source, of_form[form])
    assert landed(hub) == ids([*gone, *stays])
    erase(hub, "zz9")
    assert "zz9" not in kept(hub)
    assert landed(hub) == ids(stays)
    assert all(f'"{name}"' in kept(hub) for name in ids(stays))
    erase(hub, "kk1")
    assert "kk1" not in kept(hub)
    assert landed(hub) == ids(SHARED)


def test_a_list_of_several_patients_goes_and_leads_to_nothing_of_the_others(hub: Hub) -> None:
    source = trust(hub)
    both = resource("Group", "g", member=[{"entity": to("Patient/zz9")}, {"entity": to("Patient/kk1")}])
    import_of_both = resource(
        "Provenance", "import", target=[to("Encounter/e-zz9"), to("Encounter/e-kk1"), to("Task/open")]
    )
    stays = [*of_a_patient("kk1"), resource("Task", "open"), resource("MeasureReport", "m", subject=to("Group/g"))]
    receive(hub, source, [*of_a_patient("zz9"), *stays, both, import_of_both])
    erase(hub, "zz9")
    assert "zz9" not in kept(hub)
    assert landed(hub) == ids(stays)


def test_what_is_delivered_later_brings_nothing_of_an_erased_patient_back(hub: Hub) -> None:
    source = trust(hub)
    whole = of_a_patient("zz9")
    named = [each for each in whole if "subject" in each or each["resourceType"] == "Patient"]
    receive(hub, source, [*named, *of_a_patient("kk1")])
    erase(hub, "zz9")
    receive(hub, source, [*[each for each in whole if each not in named], *SHARED], name="later.ndjson")
    assert "zz9" not in kept(hub, 2)
    assert landed(hub, 2) == ids(SHARED)
    assert {"t-kk1", "pp-kk1"} <= landed(hub, 1)


def test_what_came_before_the_resource_that_names_the_patient_goes_when_that_comes_and_is_left_out(hub: Hub) -> None:
    source = trust(hub)
    receive(hub, source, [resource("Patient", "zz9"), resource("Patient", "kk1")])
    erase(hub, "zz9")
    through = [each for each in of_a_patient("zz9") if each["id"] in ("p-zz9", "pp-zz9", "o-zz9")]
    receive(hub, source, [*through, *of_a_patient("kk1")], name="before.ndjson")
    assert ids(through) <= landed(hub, 2)
    receive(hub, source, [each for each in of_a_patient("zz9") if "subject" in each], name="after.ndjson")
    assert landed(hub, 3) == set()
    assert landed(hub, 2) == ids(of_a_patient("kk1"))
    assert "zz9" not in kept(hub, 2) + kept(hub, 3)


def test_resources_that_name_the_patient_by_an_identifier_alone_go_too(hub: Hub) -> None:
    source = trust(hub)
    number = {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}
    other = number | {"value": "9990000026"}
    by_number = [resource("Observation", "n1", subject={"type": "Patient", "identifier": number})]
    by_number += [resource("Condition", "n2", subject=to(f"Patient?identifier={number['system']}|{number['value']}"))]
    stays = resource("Observation", "n3", subject={"type": "Patient", "identifier": other})
    patients = [resource("Patient", "zz9", identifier=[number]), resource("Patient", "kk1", identifier=[other])]
    receive(hub, source, [*patients, *by_number, stays])
    erase(hub, "zz9")
    assert number["value"] not in kept(hub) and other["value"] in kept(hub)
    assert landed(hub) == {"n3"}
    receive(hub, source, [*by_number, resource("Practitioner", "doc")], name="later.ndjson")
    assert landed(hub, 2) == {"doc"} and number["value"] not in kept(hub, 2)


def test_what_names_an_erased_patient_by_an_identifier_goes_when_a_delivery_says_that_it_is_theirs(hub: Hub) -> None:
    source = trust(hub)
    number = {"value": "H-17"}
    receive(hub, source, [resource("Patient", "zz9"), resource("Patient", "kk1")])
    erase(hub, "zz9")
    receive(
        hub, source, [resource("Observation", "n1", subject={"type": "Patient", "identifier": number})], name="2.ndjson"
    )
    assert landed(hub, 2) == {"n1"}
    receive(hub, source, [resource("Patient", "zz9", identifier=[number])], name="3.ndjson")
    assert landed(hub, 2) == set() and "H-17" not in kept(hub, 2) + kept(hub, 3)


@pytest.mark.parametrize(
    ("reference", "token"),
    [
        ({"reference": "Encounter/7"}, "Encounter/7"),
        ({"reference": "https://a.b/fhir/Encounter/7/_history/2"}, "Encounter/7"),
        ({"reference": "https://a.b/fhir/Encounter/7?_format=json"}, "Encounter/7"),
        ({"reference": "urn:uuid:7"}, "*/7"),
        ({"reference": "#7"}, ""),
        ({"reference": "Encounter?identifier=s|7"}, "Encounter/identifier-"),
        ({"type": "Encounter", "identifier": {"system": "s", "value": "7"}}, "Encounter/identifier-"),
        ({"reference": "Nothing/7"}, ""),
        ({"reference": 7}, ""),
    ],
)
def test_every_form_of_a_reference_is_followed(reference: Resource, token: str) -> None:
    found = references_of(json.dumps({"resourceType": "Provenance", "target": [reference]}).encode())
    named = references_of(
        json.dumps({"resourceType": "Encounter", "id": "7", "identifier": [{"system": "s", "value": "7"}]}).encode()
    )
    assert found is not None and named is not None
    assert bool(found.refers & named.answering) == bool(token)
    assert all(each.startswith(token) for each in found.refers)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[1]", b"7", b'{"resourceType": 7}', b'{"identifier": [3, {"value": 1}]}']
)
def test_what_is_no_resource_says_nothing(text: bytes) -> None:
    assert references_of(text) is None
