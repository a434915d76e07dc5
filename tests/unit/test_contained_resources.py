"""What a resource lists and contains is read as others of its kind are: GP Connect's ended allergies, results within their report."""

import copy
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from fairhaven.engine import DuckDBEngine
from fairhaven.harmonise import fhir_rows
from fairhaven.intake import Source
from tests.support.fhir_files import landed, tables, written
from tests.support.intake_hub import Hub
from tests.unit.test_intake_erasure import ref, sealed

Resource = dict[str, Any]
SNOMED = "http://snomed.info/sct"
PATIENT = {"reference": "Patient/p"}


def coded(code: str, text: str = "") -> Resource:
    return {"coding": [{"system": SNOMED, "code": code, "display": text}]}


def ended_allergies(**more: Any) -> Resource:
    """A List of GP Connect (STU3): what it lists is contained in it."""
    allergy = {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": "resolved",
        "verificationStatus": "unconfirmed",
        "code": coded("91936005", "Allergy to penicillin"),
        "assertedDate": "2010-05-06",
        "patient": PATIENT,
    }
    other = {**allergy, "code": coded("300916003", "Latex allergy"), "verificationStatus": "refuted"}
    return {
        "resourceType": "List",
        "status": "current",
        "mode": "snapshot",
        "code": coded("1103671000000101", "Ended allergies"),
        "subject": PATIENT,
        "contained": [
            {"id": "1", **allergy},
            {"id": "2", **other},
            {"id": "3", **allergy, "assertedDate": "2011-01-01"},
        ],
        "entry": [
            {"item": {"reference": "#1"}},
            {"item": {"reference": "#2"}},
            {"item": {"reference": "#3"}, "deleted": True},
        ],
        **more,
    }


def _rows(folder: Path, table: str) -> list[Resource]:
    path = folder / "landed" / f"{table}.parquet"
    return pq.read_table(path).to_pylist() if path.exists() else []


def _of(rows: list[Resource], *names: str) -> list[list[Any]]:
    return sorted([row[name] for name in names] for row in rows)


def test_allergies_contained_in_a_list_of_gp_connect_are_facts_and_what_the_list_took_out_or_refutes_is_none(
    tmp_path: Path,
) -> None:
    patient: Resource = {"resourceType": "Patient", "id": "p", "birthDate": "1950-01-01", "gender": "female"}
    path = written(tmp_path, [patient, ended_allergies()])
    engine = DuckDBEngine(reaches=[tmp_path])
    found = tables(engine, path, tmp_path)
    allergies = _rows(tmp_path, "allergy_intolerance")
    whose = [row["patient_ref"] for row in _rows(tmp_path, "patient")]
    assert _of(allergies, "code", "row_line") == [["300916003", 2], ["91936005", 2]]
    assert {row["patient_ref"] for row in allergies} == {*whose}
    events = [row for made in fhir_rows(found) if made.rule == "allergy" for row in engine.fetch(made.rows).to_pylist()]
    assert [(event["code"], str(event["start_date"]), event["qualifier_source_value"]) for event in events] == [
        ("91936005", "2010-05-06", "resolved")
    ]


def test_results_contained_in_their_report_have_its_day_and_its_patient_and_a_shared_medication_is_found(
    tmp_path: Path,
) -> None:
    result: Resource = {
        "resourceType": "Observation",
        "status": "final",
        "code": coded("271737000"),
        "identifier": [{"value": "order-1"}],
    }
    report: Resource = {
        "resourceType": "DiagnosticReport",
        "id": "r",
        "status": "final",
        "code": coded("26604007"),
        "subject": PATIENT,
        "effectiveDateTime": "2020-03-04",
        "contained": [
            {"id": "panel", **result, "hasMember": [{"reference": "#part"}, {"reference": "#inner"}]},
            {"id": "inner", **result, "valueQuantity": {"value": 8}, "effectiveDateTime": "2020-03-04"},
            {"id": "part", **result, "valueQuantity": {"value": 7}, "subject": {"reference": "#p"}},
            {"id": "unlisted", **result, "valueQuantity": {"value": 9}},
            {"id": "p", "resourceType": "Patient"},
        ],
        "result": [{"reference": "#panel"}, {"reference": "#part"}],
    }
    statement: Resource = {
        "resourceType": "MedicationStatement",
        "id": "s",
        "status": "active",
        "medicationReference": {"reference": "#m"},
    }
    listing: Resource = {
        "resourceType": "List",
        "id": "l",
        "status": "current",
        "mode": "working",
        "subject": PATIENT,
        "contained": [statement, {"resourceType": "Medication", "id": "m", "code": coded("322236009")}],
        "entry": [{"item": {"reference": "#s"}}],
    }
    composition: Resource = {
        "resourceType": "Composition",
        "id": "c",
        "status": "final",
        "subject": PATIENT,
        "contained": [
            {"resourceType": "Condition", "id": "x", "code": coded("44054006"), "onsetDateTime": "2019-01-02"}
        ],
        "section": [{"section": [{"entry": [{"reference": "#x"}]}]}],
    }
    path = written(
        tmp_path,
        [
            {
                "resourceType": "Bundle",
                "type": "collection",
                "entry": [{"resource": each} for each in (report, listing, composition)],
            }
        ],
    )
    engine = DuckDBEngine(reaches=[tmp_path])
    found = tables(engine, path, tmp_path)
    observations = _rows(tmp_path, "observation")
    assert _of(
        [{**row, "value_number": row["value_number"] or 0} for row in observations], "code", "value_number", "members"
    ) == [
        ["271737000", 0, 2],
        ["271737000", 7, 0],
        ["271737000", 8, 0],
    ]
    assert len({row["row_key"] for row in observations}) == 3
    [reported] = _rows(tmp_path, "diagnostic_report")
    everybody = {
        row["patient_ref"]
        for table in ("observation", "condition", "medication_statement")
        for row in _rows(tmp_path, table)
    }
    assert everybody == {reported["patient_ref"]}
    assert _of(_rows(tmp_path, "medication_statement"), "code") == [["322236009"]]
    assert [(row["code"], str(row["onset_start"].date())) for row in _rows(tmp_path, "condition")] == [
        ("44054006", "2019-01-02")
    ]
    measured = [
        row for made in fhir_rows(found) if made.rule == "observation" for row in engine.fetch(made.rows).to_pylist()
    ]
    assert {str(row["start_date"]) for row in measured} == {"2020-03-04"}


def test_a_list_that_was_entered_in_error_takes_back_what_it_contained_and_one_again_in_a_later_delivery_is_the_same(
    tmp_path: Path,
) -> None:
    first, second = ended_allergies(), ended_allergies(status="entered-in-error")
    again = copy.deepcopy(first)
    again["contained"].insert(
        0, {**first["contained"][0], "id": "0", "code": coded("294505008", "Amoxicillin allergy")}
    )
    again["entry"].insert(0, {"item": {"reference": "#0"}})
    keys = []
    for number, each in enumerate((first, again, second)):
        folder = tmp_path / str(number)
        folder.mkdir()
        landed(written(folder, [each]), folder)
        keys.append({row["row_key"]: row["row_withdrawn"] for row in _rows(folder, "allergy_intolerance")})
    assert len(keys[0]) == 2 and not any(keys[0].values())
    assert len(keys[1]) == 3 and keys[0].keys() < keys[1].keys()
    assert keys[2].keys() == keys[0].keys() and all(keys[2].values())


def test_what_is_contained_goes_with_its_erased_patient_from_rows_and_bytes(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    source: Source = hub.source('title = "x"\ncontroller = "c"\nkind = "gp"\nformat = "fhir"\n', "gpc")
    other = json.loads(json.dumps(ended_allergies()).replace("Patient/p", "Patient/q").replace("91936005", "91934008"))
    patients: list[Resource] = [{"resourceType": "Patient", "id": name, "birthDate": "1950-01-01"} for name in "pq"]
    lines = "".join(json.dumps(each) + "\n" for each in [*patients, ended_allergies(), other])
    hub.receive(source, lines, "a.ndjson")
    assert len(hub.landed(1, "allergy_intolerance")) == 4
    hub.erase({"gpc": [ref(hub, "p", "gpc")]})
    assert {row["code"] for row in hub.landed(1, "allergy_intolerance")} == {"91934008", "300916003"}
    assert b"91936005" not in sealed(hub, 1) and b"91934008" in sealed(hub, 1)
    record = json.loads((hub.store / "landing" / "000001" / "extract.json").read_text())
    count = record["tables"]["allergy_intolerance"]
    assert (count["received"], count["landed"], count["erased"]) == (4, 2, 2)


def _resource(kind: str, patient: str = "p", **more: Any) -> Resource:
    """A List, DiagnosticReport or Composition without what it contains."""
    further: dict[str, Resource] = {
        "List": {"status": "current", "mode": "snapshot"},
        "DiagnosticReport": {"status": "final", "code": coded("26604007"), "effectiveDateTime": "2020-03-04"},
        "Composition": {"status": "final"},
    }
    return {"resourceType": kind, "subject": {"reference": f"Patient/{patient}"}, **further[kind], **more}


def _holding(holder: Resource, contained: list[Resource]) -> Resource:
    """A holder that contains and lists these."""
    items = [{"reference": f"#{each['id']}"} for each in contained]
    kind = holder["resourceType"]
    if kind == "List":
        listing: Resource = {"entry": [{"item": item} for item in items]}
    else:
        listing = {"section": [{"entry": items}]} if kind == "Composition" else {"result": items}
    return {**holder, **listing, "contained": contained}


def _observations(number: int) -> list[Resource]:
    """Results with two components each: parts of one whole, several wholes on a line."""
    component = [{"code": coded("271649006"), "valueQuantity": {"value": each}} for each in (120, 121)]
    return [
        {
            "resourceType": "Observation",
            "id": f"o{each}",
            "status": "final",
            "code": coded(f"27173700{each}"),
            "component": component,
        }
        for each in range(number)
    ]


def _versions() -> list[list[Resource]]:
    """Three holders with four results each, in two versions, of which the later differs in one result."""
    found = []
    for version, code in enumerate(("271737000", "1003671000000109"), start=1):
        inner = _observations(4)
        inner[0]["code"] = coded(code)
        meta = {"versionId": str(version), "lastUpdated": f"2020-0{version}-01T00:00:00Z"}
        holders = [_resource(kind, id=kind, meta=meta) for kind in ("List", "DiagnosticReport", "Composition")]
        found.append([_holding(holder, copy.deepcopy(inner)) for holder in holders])
    return found


def _counts(hub: Hub, source: Source, files: list[Path]) -> tuple[dict[str, list[int]], bool]:
    receipt = hub.deliver(source, files)
    fates = ("received", "landed", "identical", "superseded")
    tables = ("observation", "observation_component")
    counted = {
        table: [sum(getattr(each.tables[table], fate) for each in receipt.extracts) for fate in fates]
        for table in tables
    }
    return counted, bool(receipt.undecided_keys)


def test_a_list_a_report_and_a_composition_that_come_twice_are_counted_once_for_each_thing_that_they_contain(
    tmp_path: Path,
) -> None:
    hub = Hub(tmp_path)
    first, second = _versions()
    together = [written(tmp_path, [*first, *second], "together.ndjson")]
    apart = [written(tmp_path, each, f"apart{place}.ndjson") for place, each in enumerate((first, second))]
    for name, files in {"one": together, "two": apart}.items():
        source = hub.source('title = "x"\ncontroller = "c"\nkind = "gp"\nformat = "fhir"\n', name)
        counts, is_undecided = _counts(hub, source, files)
        assert counts == {"observation": [24, 12, 9, 3], "observation_component": [48, 24, 24, 0]}
        assert not is_undecided


def _keys_of(folder: Path, resources: list[Resource], table: str) -> dict[int, str]:
    """Key -> whose it is."""
    folder.mkdir()
    landed(written(folder, resources), folder)
    return {row["row_key"]: row["patient_ref"] for row in _rows(folder, table)}


def test_contained_facts_of_two_patients_or_two_lists_stay_apart_whatever_number_they_share(tmp_path: Path) -> None:
    def allergy(patient: str, **identifier: str) -> Resource:
        return {
            "resourceType": "AllergyIntolerance",
            "id": "a",
            "identifier": [{"value": "1", **identifier}],
            "code": coded("91936005"),
            "patient": {"reference": f"Patient/{patient}"},
        }

    numbers: list[Resource] = [{}, {"system": "https://gp.example/allergy"}]
    names: list[Resource] = [{}, {"id": "same"}]
    for place, (identifier, name) in enumerate((one, other) for one in numbers for other in names):
        lists = [
            _holding(_resource("List", patient, **name), [allergy(patient, **identifier)]) for patient in ("p", "q")
        ]
        found = _keys_of(tmp_path / str(place), lists, "allergy_intolerance")
        assert len(found) == 2 and len({*found.values()}) == 2
    one_patients = [_holding(_resource("List", id=name), [allergy("p")]) for name in ("l1", "l2")]
    assert len(_keys_of(tmp_path / "lists", one_patients, "allergy_intolerance")) == 2


def test_results_of_one_order_are_told_apart_by_time_and_content_and_not_by_the_order_in_which_they_are_listed(
    tmp_path: Path,
) -> None:
    order = {"identifier": [{"system": "https://lab.example/order", "value": "7"}], "code": coded("271737000")}
    results = [
        {
            "resourceType": "Observation",
            "id": f"r{number}",
            "status": "final",
            "effectiveDateTime": day,
            "valueQuantity": {"value": value},
            **order,
        }
        for number, (day, value) in enumerate([("2020-01-01", 7), ("2020-01-01", 8), ("2020-01-02", 7)])
    ]
    twice = {**results[0], "id": "again"}
    report = _resource("DiagnosticReport")
    listed = _keys_of(tmp_path / "a", [_holding(report, [*results, twice])], "observation")
    turned = _keys_of(tmp_path / "b", [_holding(report, [twice, *results[::-1]])], "observation")
    assert len(listed) == 4 and listed == turned
    # The patient is one, whatever server or version the reference names.
    elsewhere = {**report, "subject": {"reference": "https://fhir.example/r4/Patient/p/_history/2", "display": "x"}}
    assert _keys_of(tmp_path / "c", [_holding(elsewhere, results[2:])], "observation").keys() < listed.keys()
    # Another report's day is its results' where they have none.
    dayless = [{key: value for key, value in results[0].items() if key != "effectiveDateTime"}]
    reports = [
        _holding({**report, "effectiveDateTime": day}, copy.deepcopy(dayless)) for day in ("2020-03-04", "2020-03-05")
    ]
    assert len(_keys_of(tmp_path / "d", reports, "observation")) == 2
