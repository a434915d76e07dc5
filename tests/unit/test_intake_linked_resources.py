"""FHIR resources that name no patient go with the patient to whom they belong through others, and whatever is somebody else's stays."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from time import process_time
from typing import Any

import duckdb
import pytest

from fairhaven.intake import Source
from fairhaven.intake.fhir.duckdb_macros import create_macros
from fairhaven.intake.fhir.resource_references import references_of
from fairhaven.intake.landing import LandingKeys
from fairhaven.kernel.ids import pseudonym
from fairhaven.kernel.progress import Silent
from tests.support.intake_hub import Hub

Resource = dict[str, Any]
_TRUST = 'title = "x"\ncontroller = "c"\nkind = "hospital"\nformat = "fhir"\n'


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return Hub(tmp_path)


def trust(hub: Hub) -> Source:
    return hub.source(_TRUST, "trust")


def resource(kind: str, name: str, /, **said: Any) -> Resource:
    status = {"Encounter": "finished", "DocumentReference": "current"}.get(kind, "final")
    return {"resourceType": kind, "id": name, "status": status} | said


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


FEW = frozenset({"Patient", "Encounter", "Appointment", "Provenance", "Practitioner", "Location"})
"""Enough to lead from one to another; each type more costs a landing as much as a file of another kind."""


def few(resources: Sequence[Resource], *more: str) -> list[Resource]:
    """Those of few types."""
    return [each for each in resources if each["resourceType"] in FEW.union(more)]


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
    gone, shared, stays = of_a_patient("zz9"), SHARED, [*SHARED, *of_a_patient("kk1")]
    if form != "lines":
        gone, shared, stays = few(gone), few(shared), few(stays)
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
    assert landed(hub) == ids(shared)


def test_a_list_of_several_patients_goes_and_leads_to_nothing_of_the_others(hub: Hub) -> None:
    source = trust(hub)
    both = resource("Group", "g", member=[{"entity": to("Patient/zz9")}, {"entity": to("Patient/kk1")}])
    import_of_both = resource(
        "Provenance", "import", target=[to("Encounter/e-zz9"), to("Encounter/e-kk1"), to("Task/open")]
    )
    stays = [*few(of_a_patient("kk1")), resource("Task", "open"), resource("MeasureReport", "m", subject=to("Group/g"))]
    receive(hub, source, [*few(of_a_patient("zz9")), *stays, both, import_of_both])
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


def test_a_deletion_of_what_was_erased_goes_too_and_the_deletions_of_others_hold(hub: Hub) -> None:
    source = trust(hub)
    both = [
        each
        for name in ("zz9", "kk1")
        for each in (resource("Patient", name), resource("Condition", f"c-{name}", subject=to(f"Patient/{name}")))
    ]
    gone = {"resourceType": "Bundle", "type": "transaction", "entry": [
        {"request": {"method": "DELETE", "url": f"Condition/c-{name}"}} for name in ("zz9", "kk1")]}  # fmt: skip
    receive(hub, source, both)
    receive(hub, source, [gone, resource("Location", "loc")], name="deleted.ndjson")
    erase(hub, "zz9")
    for again in (False, True):
        if again:
            hub.intake.land_again(dataclasses.replace(source, digest="again"), vault=hub.vault, progress=Silent())
        assert "zz9" not in kept(hub, 1) + kept(hub, 2)
        assert landed(hub, 2) == {"c-kk1", "loc"}
        assert [row["row_withdrawn"] for row in hub.landed(2, "condition")] == [True]
        count = hub.intake.extracts()[1].tables["condition"]
        assert (count.received, count.withdrawn, count.erased) == (2, 1, 1)
    receive(hub, source, [{**gone, "id": "later"}], name="later.ndjson")
    assert landed(hub, 3) == {"c-kk1"}
    assert "zz9" not in kept(hub, 3)


def test_what_came_before_the_resource_that_names_the_patient_goes_when_that_comes_and_is_left_out(hub: Hub) -> None:
    source = trust(hub)
    mine, other = (few(of_a_patient(name), "DiagnosticReport", "Observation") for name in ("zz9", "kk1"))
    receive(hub, source, [resource("Patient", "zz9"), resource("Patient", "kk1")])
    erase(hub, "zz9")
    through = [each for each in mine if each["id"] in ("p-zz9", "pp-zz9", "o-zz9")]
    receive(hub, source, [*through, *other], name="before.ndjson")
    assert ids(through) <= landed(hub, 2)
    receive(hub, source, [each for each in mine if "subject" in each], name="after.ndjson")
    assert landed(hub, 3) == set()
    assert landed(hub, 2) == ids(other)
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


NUMBER = {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}
PATIENT = resource(
    "Patient",
    "zz9",
    identifier=[NUMBER, {"system": "https://mrn", "value": "M 17"}],
    name=[{"family": "Zebulon"}],
    link=[{"other": to("Patient/formerly"), "type": "replaces"}],
)
NAMING = [
    resource("Task", "typed", **{"for": {"type": "Patient", "identifier": NUMBER}}),
    resource("Task", "untyped", **{"for": {"identifier": NUMBER}}),
    resource("Task", "spaced", **{"for": {"identifier": NUMBER | {"value": "999 000 0018"}}}),
    resource("Task", "older", **{"for": {"identifier": NUMBER | {"system": "http://fhir.nhs.net/Id/nhs-number"}}}),
    resource("Task", "bare", **{"for": {"identifier": {"value": "999-000-0018"}}}),
    resource("Task", "a number", **{"for": {"identifier": NUMBER | {"value": 9990000018}}}),
    resource("Task", "local", **{"for": {"identifier": {"system": "https://mrn", "value": "M17"}}}),
    resource("Task", "type by its URI", **{"for": {"type": "http://hl7.org/fhir/StructureDefinition/Patient", "identifier": NUMBER}}),
    resource("Task", "both", **{"for": to("https://pds/Patient/9990000018") | {"identifier": NUMBER}}),
    resource("Task", "both and an id of elsewhere", **{"for": to("Patient/elsewhere") | {"identifier": NUMBER}}),
    resource("Task", "by that id alone", **{"for": to("Patient/elsewhere")}),
    resource("Task", "percent", **{"for": to("Patient?identifier=https%3A%2F%2Ffhir.nhs.uk%2FId%2Fnhs-number%7C9990000018")}),
    resource("Task", "slash", **{"for": to("Patient/zz9/")}),
    resource("Task", "URI", extension=[{"url": "u", "valueUri": "Patient/zz9"}]),
    resource("Task", "narrative", text={"div": "<div><a href=\"Patient/zz9\">Zebulon</a></div>"}),
    resource("Task", "note", note=[{"text": "NHS no. 999 000 0018, rings back"}]),
    resource("Task", "wrapped", input=[{"resource": PATIENT}]),
    resource("Observation", "subject by number", subject={"identifier": NUMBER}),
    resource("Observation", "subject by both", subject=to("Patient/remote") | {"identifier": NUMBER}),
    resource("Observation", "subject by the other of both", subject=to("Patient/remote")),
    resource("Observation", "by an id that theirs replaced", subject=to("Patient/formerly")),
    resource("Observation", "fragment", subject=to("Patient/zz9#x")),
    resource("Observation", "blank", subject=to(" Patient/zz9 ")),
    resource("Observation", "contained", contained=[PATIENT | {"id": "x"}], subject=to("#x")),
    resource("Location", "extension", extension=[{"url": "u", "valueReference": to("Patient/zz9")}]),
    resource("Location", "home", extension=[{"url": "u", "valueReference": {"identifier": NUMBER}}]),
    resource("Location", "identifier", extension=[{"url": "u", "valueIdentifier": NUMBER}]),
]  # fmt: skip
BY_ANOTHER_IDENTIFIER = [
    resource("Observation", "a number beside the id", subject=to("Patient/zz9") | {"identifier": {"value": "A1"}}),
    resource("Observation", "by that number alone", subject={"identifier": {"value": "A1"}}),
]
NAMING_ANOTHER = [
    resource("Location", "loc"),
    resource("Task", "t-kk1", **{"for": to("Patient/kk1")}),
    resource("Observation", "o-kk1", subject=to("Patient/kk1")),
    resource("Observation", "unknown", subject={"identifier": {"value": "B2"}}),
]


def test_a_resource_goes_and_stays_out_in_whatever_form_it_names_the_patient(hub: Hub) -> None:
    source = trust(hub)
    patients = [PATIENT, resource("Patient", "kk1")]
    receive(hub, source, [*patients, *NAMING, *BY_ANOTHER_IDENTIFIER, *NAMING_ANOTHER])
    erase(hub, "zz9")
    receive(hub, source, [*NAMING, *BY_ANOTHER_IDENTIFIER, *NAMING_ANOTHER], name="later.ndjson")
    for extract in (1, 2):
        assert landed(hub, extract) == ids(NAMING_ANOTHER)
        assert not any(
            text in kept(hub, extract)
            for text in ("zz9", "999", "Zebulon", "elsewhere", "remote", "formerly", "A1", "M17")
        )


def test_a_resource_that_calls_an_erased_patient_by_a_new_name_stays_out_with_what_else_has_that_name(hub: Hub) -> None:
    source = trust(hub)
    receive(
        hub, source, [PATIENT, resource("Patient", "kk1"), resource("Observation", "early", subject=to("Patient/new"))]
    )
    erase(hub, "zz9")
    assert landed(hub) == {"early"}
    receive(
        hub,
        source,
        [each for each in NAMING if "both" in each["id"]]
        + [resource("Observation", "both", subject=to("Patient/new") | {"identifier": NUMBER}), *NAMING_ANOTHER],
        name="later.ndjson",
    )
    assert landed(hub, 2) == ids(NAMING_ANOTHER) and "999" not in kept(hub, 2)
    assert landed(hub) == set() and "new" not in kept(hub)


def test_resources_that_know_nothing_of_the_patient_but_the_nhs_number_are_found_by_it(hub: Hub) -> None:
    source = trust(hub)
    subjects = [
        {"identifier": NUMBER},
        to("Patient/remote") | {"identifier": NUMBER},
        to("Patient/remote"),
        to("Patient/kk1"),
    ]
    receive(hub, source, [resource("Observation", f"o{n}", subject=each) for n, each in enumerate(subjects)])
    hub.erase({"trust": sorted(hub.intake.also_named("trust", (), {NUMBER["value"]}))})
    assert landed(hub) == {"o3"}
    assert "999" not in kept(hub) and "remote" not in kept(hub)


def test_a_reference_that_names_two_patients_does_not_make_one_of_them(hub: Hub) -> None:
    source = trust(hub)
    other = {"system": NUMBER["system"], "value": "9990000026"}
    wrong = [
        resource("Observation", "kk1's, with zz9's number", subject=to("Patient/kk1") | {"identifier": NUMBER}),
        resource("Observation", "zz9's, with kk1's number", subject=to("Patient/zz9") | {"identifier": other}),
    ]
    stays = [
        resource("Observation", "by kk1's number", subject={"identifier": other}),
        resource("Observation", "by kk1's id", subject=to("Patient/kk1")),
    ]
    receive(hub, source, [PATIENT, resource("Patient", "kk1", identifier=[other]), *wrong, *stays])
    erase(hub, "zz9")
    assert landed(hub) == ids([wrong[0], *stays])
    receive(hub, source, [*stays, wrong[0]], name="later.ndjson")
    assert landed(hub, 2) == ids([wrong[0], *stays])


@pytest.mark.parametrize("form", ["lines", "document"])
def test_what_a_bundle_says_beside_its_resources_names_nobody_who_was_erased(hub: Hub, form: str) -> None:
    source = trust(hub)
    search = "Patient?identifier=https://fhir.nhs.uk/Id/nhs-number|9990000018"
    bundle = {
        "resourceType": "Bundle", "type": "transaction", "link": [{"relation": "self", "url": search}],
        "entry": [
            {"request": {"method": "DELETE", "url": search}},
            {"fullUrl": "http://x/Patient/zz9", "request": {"method": "DELETE", "url": "Patient/zz9"}},
            {"resource": resource("Organization", "o"), "request": {"method": "POST", "ifNoneExist": "patient=Patient/zz9"}},
            {"resource": {"resourceType": "Bundle", "entry": [{"response": {"location": "Patient/zz9/_history/1"}}]}},
            {"fullUrl": "urn:uuid:e", "resource": {"resourceType": "Encounter", "subject": to("Patient/kk1")}},
            {"resource": resource("Task", "t", focus=to("urn:uuid:e"))},
        ],
    }  # fmt: skip
    receive(hub, source, [PATIENT, resource("Patient", "kk1")])
    written = [bundle, resource("Location", "l")] if form == "lines" else [bundle]
    receive(hub, source, written, name="before.ndjson")
    before = landed(hub, 2)
    erase(hub, "zz9")
    receive(hub, source, [bundle | {"id": "again"}, *written[1:]], name="after.ndjson")
    for extract in (2, 3):
        assert landed(hub, extract) == before
        assert "zz9" not in kept(hub, extract) and "999" not in kept(hub, extract)
        assert '"urn:uuid:e"' in kept(hub, extract) or '"Encounter/e"' in kept(hub, extract)


def test_what_could_not_be_read_goes_as_a_whole_where_it_names_the_patient(hub: Hub) -> None:
    source = trust(hub)
    unreadable: list[Any] = [
        {"id": "no type", "subject": to("Patient/zz9")},
        resource("Wizard", "unknown type", **{"for": {"identifier": NUMBER}}),
        [resource("Patient", "zz9"), resource("Patient", "kk1")],
        resource("Patient", "q7", identifier=[NUMBER], birthDate="soon"),
        resource("Condition", "of q7", subject=to("Patient/q7"), onsetDateTime="soon"),
    ]
    stays = [{"id": "no type either", "subject": to("Patient/kk1")}, resource("Patient", "q8", birthDate="soon")]
    inner = {
        "resourceType": "Bundle",
        "entry": [{"resource": each} for each in [*unreadable[:2], *unreadable[3:], *stays]],
    }
    nested = {
        "resourceType": "Bundle",
        "entry": [{"resource": {"resourceType": "Bundle", "entry": [{"resource": inner}]}}],
    }
    receive(
        hub, source, [PATIENT, resource("Patient", "kk1"), *unreadable, *stays, inner, nested, {"broken": "9990000018"}]
    )
    erase(hub, "zz9")
    assert not any(text in kept(hub) for text in ("zz9", "999", "q7")), kept(hub)
    assert "no type either" in kept(hub) and "q8" in kept(hub)
    reasons = [line for line, *_ in hub.quarantined()]
    assert {8, 9} <= set(reasons)


@pytest.mark.slow
def test_a_chain_of_twenty_thousand_resources_holds_an_erasure_for_seconds(hub: Hub) -> None:
    source = trust(hub)
    chain = [
        resource("Provenance", f"c{n}", target=[to(f"Provenance/c{n - 1}" if n else "Patient/zz9")])
        for n in range(20_000)
    ]
    receive(hub, source, [PATIENT, *reversed(chain), *SHARED])
    before = process_time()
    erase(hub, "zz9")
    assert landed(hub) == ids(SHARED)
    assert process_time() - before < 30


REFERENCES: list[Resource] = [
    {"reference": "Patient/7"},
    {"reference": " Patient/7\t"},
    {"reference": "Patient/7/"},
    {"reference": "Patient/7 #x"},
    {"reference": "Patient/7|3"},
    {"reference": "Patient/7?_format=json"},
    {"reference": "Patient/7/_history/2"},
    {"reference": "https://a.b/fhir/Patient/7"},
    {"reference": "\xa0https://a.b/fhir/Patient/7/#x"},
    {"reference": "https://a.b/fhir/Patient/7/_history/2?x=y"},
    {"reference": "urn:uuid:7"},
    {"reference": "urn:uuid:7#x", "type": "Patient"},
    {"reference": "#7"},
    {"reference": "Patient/"},
    {"reference": "Group/7"},
    {"reference": ""},
    {"reference": " ", "identifier": {"value": "7"}},
    {"reference": "Patient?identifier=s|7"},
    {"reference": "https://a.b/Patient/?x=y&identifier=s%7C7&z=1"},
    {"reference": "Patient?identifier=7"},
    {"reference": "Patient?identifier=s|7|8"},
    {"reference": "Patient?name=7"},
    {"identifier": {"value": "7"}},
    {"identifier": {"system": " s ", "value": " 7\n"}},
    {"type": "http://hl7.org/fhir/StructureDefinition/Patient", "identifier": {"system": "s", "value": "7"}},
    {"identifier": {"system": "s", "value": "123 456-7890"}},
    {"identifier": {"system": "s", "value": "12-3"}},
    {"identifier": {"system": "https://a.b/ids/", "value": "7"}},
    {"identifier": {"system": "HTTPS://fhir.nhs.uk/Id/nhs-number/", "value": "7"}},
    {"identifier": {"system": "2.16.840.1.113883.2.1.4.1", "value": "7"}},
    {"reference": "Patient?identifier=https%3A%2F%2Ffhir.nhs.uk%2Fid%2Fnhs-number|7"},
    {"reference": "Patient/7", "identifier": {"system": "s", "value": "8"}},
]


def test_landing_and_erasure_say_alike_which_patient_a_reference_names() -> None:
    kind = "STRUCT(reference VARCHAR, type VARCHAR, identifier STRUCT(system VARCHAR, value VARCHAR))"
    with duckdb.connect() as connection:
        create_macros(connection, time_zone="Europe/London")
        for reference in REFERENCES:
            given = {"reference": None, "type": None, "identifier": None} | reference
            if identifier := reference.get("identifier"):
                given["identifier"] = {"system": None} | identifier
            found = connection.execute(
                f"SELECT fhir_key(?::JSON::{kind}, 'Patient', [])", [json.dumps(given)]
            ).fetchone()
            said = references_of(json.dumps({"resourceType": "Task", "for": reference}).encode())
            assert found is not None and said is not None
            named = {token.partition("/")[2] for token in said.refers if token.partition("/")[0] in ("Patient", "*")}
            also = {name for pair in said.alike for name in pair}
            assert named - also == ({found[0]} - also - {None}), reference
            assert found[0] is None or found[0] in named, reference


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
    said = references_of(text)
    assert said is None or not said.called | said.refers | said.mentions
