"""Patients whom a FHIR source calls one, and patients whom it names by NHS number alone."""

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa

from fairhaven.engine import Engine
from fairhaven.harmonise.people import people
from fairhaven.linkage import link
from fairhaven.linkage.model import IDENTITY_SCHEMA
from tests.support.fhir_files import landed, written
from tests.support.harmonise_cases import index_of

Resource = dict[str, Any]

NHS = "https://fhir.nhs.uk/Id/nhs-number"
NUMBER, OTHER = "9990000018", "9990000026"


def patient(name: str, number: str, birth: str, **more: object) -> Resource:
    return {"resourceType": "Patient", "id": name, "birthDate": birth, "gender": "female",
            "name": [{"family": "Penhale", "given": ["Morwenna"]}], "identifier": [{"system": NHS, "value": number}], **more}  # fmt: skip


def condition(subject: Resource) -> Resource:
    return {"resourceType": "Condition", "id": "c", "subject": subject, "code": {"text": "cough"}}


def linked(folder: Path, *resources: Resource, also: pa.Table | None = None) -> dict[str, list[int]]:
    """Persons of the patients by step of linkage."""
    arrived = landed(written(folder, resources), folder / "landed").identities
    records = pa.concat_tables(
        [arrived, IDENTITY_SCHEMA.empty_table() if also is None else also], promote_options="default"
    )
    persons: dict[str, list[int]] = {}
    for row in link(records, key=b"secret").index.to_pylist():
        persons.setdefault(row["step"], []).append(row["person_id"])
    return persons


def test_patients_whom_a_link_of_any_type_calls_the_same_are_one_person(tmp_path: Path) -> None:
    kinds = ["replaced-by", "replaces", "refer", "seealso"]
    old = [patient(f"old{n}", NUMBER, "1944-02-03", link=[{"other": {"reference": "Patient/new"}, "type": kind}])
           for n, kind in enumerate(kinds)]  # fmt: skip
    persons = linked(tmp_path, *old, patient("new", OTHER, "1972-11-30"))
    assert len(persons["source-link"]) == 5 and len(set(persons["source-link"])) == 1


def test_links_join_in_chains_circles_and_to_whom_another_delivery_brings(tmp_path: Path) -> None:
    def linking(name: str, *others: str) -> Resource:
        return {"resourceType": "Patient", "id": name, "link": [{"other": {"reference": f"Patient/{other}"}, "type": "seealso"} for other in others]}  # fmt: skip

    here = [
        linking("a", "b"),
        linking("b", "c"),
        linking("c", "a", "c"),
        linking("d", "e"),
        linking("x", "never"),
        linking("y", "y"),
    ]
    arrived = landed(written(tmp_path, [linking("e"), linking("f", "d")]), tmp_path / "later").identities
    later = pa.Table.from_pylist(arrived.to_pylist(), IDENTITY_SCHEMA)
    persons = linked(tmp_path, *here, also=later)
    assert sorted(Counter(persons["source-link"]).values()) == [3, 3]
    assert len(persons["alone"]) == 2


def test_an_nhs_number_is_one_however_its_system_is_spelled_and_one_that_was_replaced_counts_last(
    tmp_path: Path,
) -> None:
    spelled = ("https://fhir.nhs.uk/Id/nhs-number", "https://fhir.nhs.uk/id/nhs-number/", " HTTP://FHIR.NHS.UK/Id/NHS-Number ",
               "http://fhir.nhs.net/Id/nhs-number", "urn:oid:2.16.840.1.113883.2.1.4.1", "2.16.840.1.113883.2.1.4.1", "URN:OID:2.16.840.1.113883.2.1.4.1")  # fmt: skip
    patients = [{"resourceType": "Patient", "id": f"p{place}", "identifier": [
        {"system": "https://hospital/ward", "value": OTHER}, {"system": system, "value": OTHER, "use": "old"}, {"system": system, "value": NUMBER}]}
        for place, system in enumerate(spelled)]  # fmt: skip
    subjects: list[Resource] = [
        *({"identifier": {"system": system, "value": NUMBER}} for system in spelled),
        # Beside the id of a patient whose resource never comes.
        {"reference": "Patient/absent", "identifier": {"system": spelled[1], "value": NUMBER}},
        {"reference": f"Patient?identifier={spelled[1]}|{NUMBER}"},
    ]
    persons = linked(tmp_path, *patients, *map(condition, subjects))
    assert len(set(persons.pop("nhs_number"))) == 1
    assert not persons


def test_what_a_patients_own_resource_says_is_believed_before_a_reference_to_them(tmp_path: Path) -> None:
    wrong = {"reference": "Patient/p", "identifier": {"system": NHS, "value": OTHER}}
    persons = linked(tmp_path, patient("p", NUMBER, "1970-05-06"), condition(wrong), patient("q", OTHER, "1980-05-06"))
    assert len(set(persons["alone"])) == 2


def test_a_link_to_what_is_no_patient_here_joins_nobody(tmp_path: Path) -> None:
    others = [{"reference": "RelatedPerson/new"}, {"reference": "Patient/absent"}, {"display": "new"}]
    old = patient("old", NUMBER, "1944-02-03", link=[{"other": other, "type": "seealso"} for other in others])
    assert set(linked(tmp_path, old, patient("new", OTHER, "1972-11-30"))) == {"alone"}


def test_a_patient_named_by_nhs_number_alone_is_who_has_the_number_here_or_elsewhere(tmp_path: Path) -> None:
    subjects: list[Resource] = [
        {"identifier": {"system": NHS, "value": NUMBER}},
        {"type": "Patient", "identifier": {"system": f" {NHS}", "value": "999 000 0018"}},
        {"reference": f"Patient?identifier={NHS}|{NUMBER}"},
        {"identifier": {"system": "http://fhir.nhs.net/Id/nhs-number", "value": NUMBER}},
        {"identifier": {"system": "https://hospital/ward", "value": NUMBER}},
    ]
    known = [{"source": "gp", "patient_ref": "g", "row_extract": 1, "nhs_number": NUMBER}]
    persons = linked(
        tmp_path,
        patient("p", NUMBER, "1970-05-06"),
        *(condition(subject) for subject in subjects),
        also=pa.Table.from_pylist(known, IDENTITY_SCHEMA),
    )
    # The first three are one name of the same patient to this source, the fourth another; a ward is none.
    assert len(persons["nhs_number"]) == 4 and len(set(persons["nhs_number"])) == 1
    assert len(persons["alone"]) == 1


def test_what_a_replaced_patient_says_of_themselves_counts_after_what_the_other_says(engine: Engine) -> None:
    said = {"source": "trust", "rule": "patient", "row_line": 1}
    rows = [
        {**said, "patient_ref": "old", "row_key": 1, "row_extract": 2, "is_replaced": True, "birth_date": dt.date(1944, 2, 3), "gender": "female"},
        {**said, "patient_ref": "new", "row_key": 2, "row_extract": 1, "is_replaced": False, "birth_date": dt.date(1972, 11, 30)},
    ]  # fmt: skip
    index = index_of({("trust", "old"): 7, ("trust", "new"): 7})
    found = people(engine, engine.arrow(pa.Table.from_pylist(rows)), engine.arrow(index), birth_date="day")
    (person,) = engine.fetch(found.persons).to_pylist()
    assert (person["year_of_birth"], person["month_of_birth"], person["gender_concept_id"]) == (1972, 11, 8532)
