"""Erasing a patient leaves no trace in landed rows or sealed bytes, and line numbers hold."""

import dataclasses
import gzip
import io
import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairhaven.engine import DuckDBEngine
from fairhaven.intake import Source, check_reconciled
from fairhaven.intake.delivery_records import Tombstones
from fairhaven.intake.landing import LandingKeys
from fairhaven.intake.row_links import CDM_NUMBERS, is_link_column
from fairhaven.kernel.errors import Invalid
from fairhaven.kernel.ids import pseudonym
from fairhaven.kernel.progress import Silent
from tests.support.intake_hub import EVENTS, HEADER, Hub

HEAD = 'title = "x"\ncontroller = "c"\nkind = "{kind}"\nformat = "{format}"\n'


def ref(hub: Hub, patient: str, source: str) -> str:
    return pseudonym(LandingKeys.of(hub.keyring.pseudonyms.key_for).pseudonym, source, patient)


def sealed(hub: Hub, extract: int = 1) -> bytes:
    found = hub.intake.extracts()[extract - 1]
    return hub.keyring.deliveries.open_bytes(hub.store / "received" / f"{found.sealed_as}.sealed")


def check_adds_up(hub: Hub, source: Source) -> dict[str, tuple[int, int, int]]:
    engine = DuckDBEngine(reaches=[hub.store])
    found = hub.intake.reconcile(engine, source, None)
    check_reconciled(found)
    engine.close()
    return {count.table: (count.received, count.landed, count.opted_out) for count in found}


@pytest.mark.parametrize("content", ["{}", "[1]", "null", "["])
def test_tombstones_that_are_damaged_are_not_taken_for_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "erased").mkdir()
    (tmp_path / "erased" / "gp.json").write_text(content)
    with pytest.raises(Invalid, match=r"gp\.json is damaged"):
        Tombstones(tmp_path).of("gp")


@pytest.mark.parametrize(
    ("encoding", "is_gzip"),
    [
        ("utf-8", False),
        ("windows-1252", True),
        ("utf-16", True),
        # A file is unpacked before its text is looked at, whatever that is.
        pytest.param("utf-8", True, marks=pytest.mark.slow),
        pytest.param("windows-1252", False, marks=pytest.mark.slow),
        pytest.param("utf-16", False, marks=pytest.mark.slow),
    ],
)
def test_a_patient_goes_from_delimited_text_in_every_form(tmp_path: Path, encoding: str, is_gzip: bool) -> None:
    hub = Hub(tmp_path)
    source = hub.events(f'[dialect]\nencoding = "{encoding}"')
    rows = (
        HEADER
        + '1,p1,2020-01-01,,é\n2,zz9,2020-01-01,,"secret\nnote"\n3,zz9,not a day,,x\n4,"zz9",short\n5,p5,2020-01-05,,£\n'
    )
    content = rows.encode("cp1252" if encoding == "windows-1252" else encoding)
    hub.receive(source, gzip.compress(content) if is_gzip else content)
    before = hub.intake.extracts()[0].sha256
    gone = {"gp": [ref(hub, "zz9", "gp")]}
    counts = hub.erase(gone)
    assert counts.rows == {"gp": {"events": 1}}
    assert counts.quarantined == {"gp": {"events": 2}}
    text = sealed(hub).decode("cp1252" if encoding == "windows-1252" else encoding)
    assert "zz9" not in text and "secret" not in text and "note" not in text
    assert text.splitlines()[6] == "5,p5,2020-01-05,,£"
    assert hub.intake.extracts()[0].sha256 == before
    assert check_adds_up(hub, source) == {"events": (5, 2, 3)}
    again = hub.erase(gone)
    assert (again.rows, again.extracts) == ({}, ())
    hub.intake.land_again(
        hub.events(f'[dialect]\nencoding = "{encoding}"\nnull = ["", "-"]'), vault=hub.vault, progress=Silent()
    )
    assert hub.lines() == [2, 7]
    assert check_adds_up(hub, source) == {"events": (5, 2, 3)}


def test_an_erased_patient_in_a_later_delivery_is_left_out_of_rows_vault_and_bytes(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    source = hub.events()
    hub.receive(source, HEADER + "1,zz9,2020-01-01,,\n")
    hub.erase({"gp": [ref(hub, "zz9", "gp")]})
    hub.receive(source, HEADER + "2,zz9,2020-02-01,,\n3,p3,2020-02-01,,\n", name="events2.csv")
    assert hub.lines(2) == [3]
    assert b"zz9" not in sealed(hub, 2)
    assert [record["patient_ref"] for record in hub.vault.by_extract[2].to_pylist()] == [ref(hub, "p3", "gp")]
    assert check_adds_up(hub, source) == {"events": (3, 1, 2)}
    assert hub.receive(source, HEADER + "1,zz9,2020-01-01,,\n", name="events3.csv").delivery is None


def test_who_a_source_calls_the_same_as_somebody_erased_is_left_out_with_all_that_comes_of_them(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    source = hub.events(more='same_as = { type = "text", identity = "source_links", optional = true }')
    header = HEADER.strip() + ",same_as\n"
    hub.receive(source, header + "1,zz9,2020-01-01,,,\n2,zz5,2020-01-01,,,\n")
    hub.erase({"gp": [ref(hub, "zz9", "gp")]})
    inbox = tmp_path / "inbox"
    (inbox / "events-a.csv").write_text(HEADER + "3,zz8,2020-02-01,,\n4,p4,2020-02-01,,\n")
    # One of them names the erased, one is named by one of those, and the erased names a third.
    (inbox / "events-b.csv").write_text(
        header + "5,zz8,2020-02-01,,,zz9\n6,zz7,2020-02-01,,,zz8\n7,zz9,2020-02-01,,,zz6\n8,p5,2020-02-01,,,p4\n"
    )
    hub.deliver(source, [inbox / "events-a.csv", inbox / "events-b.csv"])
    hub.receive(source, HEADER + "9,zz6,2020-03-01,,\n10,zz7,2020-03-01,,\n11,p5,2020-03-01,,\n", name="events-c.csv")
    assert [hub.lines(extract) for extract in (1, 2, 3, 4)] == [[3], [3], [5], [4]]
    assert not any(
        each in sealed(hub, extract) for extract in (1, 2, 3, 4) for each in (b"zz6", b"zz7", b"zz8", b"zz9")
    )
    [last] = [record for record in hub.vault.records() if record["source_links"]]
    assert (last["patient_ref"], last["source_links"]) == (ref(hub, "p5", "gp"), ref(hub, "p4", "gp"))
    # Somebody of before, whom the source only now calls the same: what landed of them goes as well.
    hub.receive(source, header + "12,zz5,2020-04-01,,,zz9\n", name="events-d.csv")
    assert (hub.lines(1), hub.lines(5)) == ([], []) and b"zz5" not in sealed(hub, 1)
    assert check_adds_up(hub, source) == {"events": (12, 3, 9)}


def test_a_fhir_patient_whose_link_names_somebody_erased_is_left_out_with_their_resources(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    source = hub.source(HEAD.format(kind="hospital", format="fhir"), "trust")
    old = {"resourceType": "Patient", "id": "zz9", "birthDate": "1980-01-01"}
    hub.receive(source, json.dumps(old) + "\n", name="old.ndjson")
    hub.erase({"trust": [ref(hub, "zz9", "trust")]})
    link = [{"other": {"reference": "Patient/zz9"}, "type": "replaces"}]
    resources = [
        observation(1, "zz8"),
        {"resourceType": "Patient", "id": "zz8", "birthDate": "1980-01-01", "link": link},
        {"resourceType": "Patient", "id": "kk1", "birthDate": "1980-01-01"},
        observation(2, "kk1"),
    ]
    hub.receive(source, "".join(json.dumps(each) + "\n" for each in resources), name="new.ndjson")
    hub.receive(source, json.dumps(observation(3, "zz8")) + "\n", name="later.ndjson")
    assert (hub.lines(2, "patient"), hub.lines(2, "observation"), hub.lines(3, "observation")) == ([3], [4], [])
    assert b"zz8" not in sealed(hub, 2) + sealed(hub, 3)


@pytest.mark.parametrize("is_of_before", [False, True])
def test_an_erasure_from_one_source_leaves_another_the_same_file_as_it_delivered_it(
    tmp_path: Path, is_of_before: bool
) -> None:
    hub = Hub(tmp_path)
    first, second = hub.events(), hub.source(EVENTS.format(settings="", more=""), "twin")
    text = HEADER + "1,zz9,2020-01-01,,\n2,p2,2020-01-01,,\n"
    for source in (first, second):
        hub.receive(source, text)
    if is_of_before:
        # As an earlier version kept them: both extracts have one file.
        for record in hub.store.glob("landing/*/extract.json"):
            facts = json.loads(record.read_text())
            del facts["sealed_as"]
            record.write_text(json.dumps(facts))
    hub.erase({"gp": [ref(hub, "zz9", "gp")]})
    assert b"zz9" not in sealed(hub, 1) and sealed(hub, 2).decode() == text
    changed = hub.source(EVENTS.format(settings="", more='also = { type = "text", optional = true }'), "twin")
    hub.intake.land_again(changed, vault=hub.vault, progress=Silent())
    assert (hub.lines(1), hub.lines(2)) == ([3], [2, 3])
    hub.erase({"twin": [ref(hub, "zz9", "twin")]})
    assert b"zz9" not in sealed(hub, 2) and hub.lines(2) == [3]
    # What nothing refers to is cleared by whoever receives next; what both have is still there.
    hub.receive(first, HEADER + "3,p3,2020-01-01,,\n", name="events3.csv")
    assert b"p2" in sealed(hub, 1) and b"p2" in sealed(hub, 2) and b"zz9" not in sealed(hub, 1)


def test_somebody_all_of_whose_rows_are_in_quarantine_is_found_by_the_nhs_number_in_them(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    gp, ward = hub.events(), hub.source(HEAD.format(kind="hospital", format="fhir"), "ward")
    parquet = hub.source(EVENTS.format(settings="", more="").replace('"delimited"', '"parquet"'), "lab")
    header = HEADER.strip() + ",nhs_number\n"
    hub.receive(
        gp,
        header
        + "1,b7,not a day,,x,999 000 0018\n2,b7,not a day either,,x,\n3,b8,not a day,,x,9990000026\n"
        + '4,known,not a day,,x,9990000018\n5,b9,"broken, 999-000-0018\n6,b9,2020-01-01,,x,\n7,,not a day,,"two\nlines",9990000018\n'
        + "8,,2020-01-01,,nobody,9990000018\n9,,2020-01-01,,nobody,\n",
    )
    patient = {"resourceType": "Patient", "id": "w1", "birthDate": "soon"}
    hub.receive(ward, json.dumps(patient | {"identifier": [{"value": "9990000018"}]}) + "\n", name="w.ndjson")
    path = tmp_path / "events.parquet"
    duckdb.sql(
        "SELECT '1' AS event_id, 'l1' AS patient_id, 'soon' AS event_date, 1.0 AS value, 'x' AS code, '9990000018' AS nhs_number"
    ).write_parquet(str(path))
    hub.deliver(parquet, [path])
    others = pa.table({"source": ["gp"], "patient_ref": [ref(hub, "known", "gp")]})
    found = hub.intake.named_by_numbers({"9990000018"}, others=others)
    assert found == {
        "gp": {ref(hub, "b7", "gp"), ref(hub, "9990000018", "gp")},
        "ward": {ref(hub, "w1", "ward")},
        "lab": {ref(hub, "l1", "lab")},
    }
    hub.erase({source: sorted(refs) for source, refs in found.items()})
    assert [line for line, *_ in hub.quarantined()] == [4, 5, 11]
    assert hub.lines() == [7]
    assert re.sub(rb"4,known.*", b"", sealed(hub)).count(b"999") == 1  # of b8
    assert b"999" not in sealed(hub, 2) and b"9990000018" not in sealed(hub, 3)


def test_a_file_that_comes_again_brings_nobody_back_into_the_bytes_of_its_first_delivery(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    source = hub.events('delivery = "full"')
    text = HEADER + "1,zz9,2020-01-01,,\n2,p2,2020-01-01,,\n"
    hub.receive(source, text)
    hub.erase({"gp": [ref(hub, "zz9", "gp")]})
    kept = (hub.store / "received" / f"{hub.intake.extracts()[0].sealed_as}.sealed").read_bytes()
    again, more = hub.folder / "inbox/events.csv", hub.folder / "inbox/events2.csv"
    more.write_text(HEADER + "3,p3,2020-01-01,,\n")
    hub.deliver(source, [again, more])
    assert (hub.store / "received" / f"{hub.intake.extracts()[1].sealed_as}.sealed").read_bytes() == kept
    assert hub.intake.extracts()[1].sealed_as == hub.intake.extracts()[0].sealed_as


def test_an_erasure_that_was_cut_off_before_the_bytes_is_ended_by_the_next(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    source = hub.events()
    hub.receive(source, HEADER + "1,zz9,2020-01-01,,\n2,p2,2020-01-01,,\n")
    whole = (hub.store / "received" / f"{hub.intake.extracts()[0].sha256}.sealed").read_bytes()
    gone = {"gp": [ref(hub, "zz9", "gp")]}
    hub.erase(gone)
    # As if the process had died after the landed rows were swapped and before the bytes were sealed.
    (hub.store / "received" / f"{hub.intake.extracts()[0].sha256}.sealed").write_bytes(whole)
    record = hub.store / "landing/000001/extract.json"
    facts = json.loads(record.read_text())
    facts["to_blank"] = {"events": [2]}
    record.write_text(json.dumps(facts))
    assert hub.erase(gone).extracts == (1,)
    assert b"zz9" not in sealed(hub)


def test_a_patient_goes_from_parquet(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    text = (
        HEAD.format(kind="hospital", format="parquet")
        + '[tables.stays]\npatient = "p"\n[tables.stays.columns]\np = "text"\nn = "whole"\nd = "date"\n'
    )
    source = hub.source(text, "acute")
    path = tmp_path / "stays.parquet"
    duckdb.sql(
        "SELECT 'q' || (i % 3) AS p, i::DOUBLE AS n, DATE '2020-01-01' + i::INTEGER AS d FROM range(9) t(i)"
    ).write_parquet(str(path))
    hub.deliver(source, [path])
    assert hub.landed(1, "stays")[4]["n"] == 4
    hub.erase({"acute": [ref(hub, "q1", "acute")]})
    (tmp_path / "left.parquet").write_bytes(sealed(hub))
    left = duckdb.sql(f"SELECT DISTINCT p FROM '{tmp_path}/left.parquet' ORDER BY 1 NULLS LAST").fetchall()
    assert left == [("q0",), ("q2",), (None,)]
    assert check_adds_up(hub, source) == {"stays": (9, 6, 3)}
    hub.intake.land_again(
        hub.source(text.replace('n = "whole"', 'n = "number"'), "acute"), vault=hub.vault, progress=Silent()
    )
    assert hub.lines(1, "stays") == [1, 3, 4, 6, 7, 9]
    assert check_adds_up(hub, source) == {"stays": (9, 6, 3)}


def observation(number: int, patient: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": f"o{number}",
        "status": "final",
        "subject": {"reference": f"Patient/{patient}"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "1-8"}]},
    }


def test_rows_add_up_when_several_of_an_erased_patient_share_a_line(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    source = hub.source(HEAD.format(kind="hospital", format="fhir"), "trust")
    pressure = [
        {"code": {"coding": [{"system": "http://loinc.org", "code": code}]}, "valueQuantity": {"value": value}}
        for code, value in (("8480-6", 120), ("8462-4", 80))
    ]
    both = [observation(number, patient) | {"component": pressure} for number, patient in ((1, "zz9"), (2, "kk1"))]
    hub.receive(source, "".join(json.dumps(line) + "\n" for line in both), name="export.ndjson")
    assert hub.lines(1, "observation_component") == [1, 1, 2, 2]
    hub.erase({"trust": [ref(hub, "zz9", "trust")]})
    assert hub.lines(1, "observation_component") == [2, 2]
    totals = check_adds_up(hub, source)
    assert totals["observation_component"] == (4, 2, 2)
    hub.intake.land_again(dataclasses.replace(source, digest="again"), vault=hub.vault, progress=Silent())
    assert check_adds_up(hub, source) == totals


@pytest.mark.parametrize("form", ["ndjson", "bundle lines", "bundle file"])
def test_a_patient_goes_from_fhir(tmp_path: Path, form: str) -> None:
    hub = Hub(tmp_path)
    source = hub.source(HEAD.format(kind="hospital", format="fhir"), "trust")
    resources: list[dict[str, Any]] = [
        {"resourceType": "Patient", "id": "zz9", "birthDate": "1980-01-01"},
        observation(1, "zz9"),
        {"resourceType": "Patient", "id": "kk1", "birthDate": "1980-01-01"},
        observation(2, "kk1"),
    ]
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": r} for r in resources],
    }
    of_form: dict[str, list[dict[str, Any]]] = {
        "ndjson": resources,
        "bundle lines": [bundle, {"resourceType": "Patient", "id": "mm2"}],
        "bundle file": [bundle],
    }
    lines = of_form[form]
    hub.receive(source, "".join(json.dumps(line) + "\n" for line in lines), name="export.ndjson")
    kept = hub.lines(1, "observation")[1]
    hub.erase({"trust": [ref(hub, "zz9", "trust")]})
    assert b"zz9" not in sealed(hub)
    assert hub.lines(1, "observation") == [kept]
    totals = check_adds_up(hub, source)
    assert totals["observation"] == (2, 1, 1)
    hub.intake.land_again(dataclasses.replace(source, digest="again"), vault=hub.vault, progress=Silent())
    assert hub.lines(1, "observation") == [kept]
    assert check_adds_up(hub, source) == totals


def test_a_table_of_which_nothing_is_left_lands_again_without_rows(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    source = hub.source(HEAD.format(kind="hospital", format="fhir"), "trust")
    lines = [
        {"resourceType": "Patient", "id": "zz9", "birthDate": "1980-01-01"},
        observation(1, "zz9"),
        {"resourceType": "Basic", "id": "b", "subject": {"reference": "Patient/zz9"}},
        {"resourceType": "List", "id": "l", "status": "current"},
    ]
    hub.receive(source, "".join(json.dumps(line) + "\n" for line in lines), name="export.ndjson")
    hub.erase({"trust": [ref(hub, "zz9", "trust")]})
    totals = check_adds_up(hub, source)
    assert totals["observation"] == totals["basic"] == (1, 0, 1)
    for _ in range(2):
        hub.intake.land_again(dataclasses.replace(source, digest="again"), vault=hub.vault, progress=Silent())
        tables = hub.intake.extracts()[0].tables
        assert {table: len(hub.landed(1, table)) for table in tables} == {
            "patient": 0,
            "observation": 0,
            "basic": 0,
            "list": 1,
        }
        assert totals.items() >= check_adds_up(hub, source).items()


def test_a_resource_written_over_several_lines_is_erased_as_a_whole(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    source = hub.source(HEAD.format(kind="hospital", format="fhir"), "trust")
    patient = {"resourceType": "Patient", "id": "zz9", "name": [{"family": "Ashworth"}]}
    hub.receive(source, json.dumps(patient, indent=1), name="patient.json")
    hub.erase({"trust": [ref(hub, "zz9", "trust")]})
    assert b"Ashworth" not in sealed(hub)


def test_a_patient_goes_from_a_line_behind_the_millionth(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    source = hub.source(HEAD.format(kind="hospital", format="fhir"), "trust")
    bundle = {"resourceType": "Bundle", "entry": [{"resource": observation(1, "kk1")}]}
    text = json.dumps(bundle) + "\n" * 1_000_004 + json.dumps(observation(2, "zz9")) + "\n"
    hub.receive(source, text, name="export.ndjson")
    hub.erase({"trust": [ref(hub, "zz9", "trust")]})
    assert b"zz9" not in sealed(hub)
    assert b"kk1" in sealed(hub)


def test_the_other_rows_of_a_file_that_ends_within_a_character_are_kept(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    source = hub.events('[dialect]\nencoding = "utf-16"')
    rows = HEADER + "1,p1,2020-01-01,,\n2,zz9,2020-01-02,,\n3,p3,2020-01-03,,\n"
    hub.receive(source, rows.encode("utf-16") + b"x")
    hub.erase({"gp": [ref(hub, "zz9", "gp")]})
    hub.intake.land_again(dataclasses.replace(source, digest="again"), vault=hub.vault, progress=Silent())
    assert hub.lines() == [2, 4]
    assert check_adds_up(hub, source) == {"events": (4, 2, 1)}


def cdm(folder: Path, form: str) -> Path:
    """A CDM of two persons and three visits."""
    person = "SELECT i AS person_id, 8507 AS gender_concept_id, 1980 AS year_of_birth, 5 AS month_of_birth, 6 AS day_of_birth, 0 AS race_concept_id, 0 AS ethnicity_concept_id, 'src' || i AS person_source_value FROM range(771, 773) t(i)"
    visit = "SELECT i AS visit_occurrence_id, 771 + i % 2 AS person_id, 9201 AS visit_concept_id, {date} AS visit_start_date, {date} AS visit_end_date, 32817 AS visit_type_concept_id, 'S' AS discharge_to_source_value FROM range(3) t(i)"
    folder.mkdir()
    if form == "duckdb":
        with duckdb.connect(str(folder / "cdm.duckdb")) as connection:
            connection.execute(f"CREATE TABLE PERSON AS {person}")
            connection.execute(f"CREATE TABLE VISIT_OCCURRENCE AS {visit.format(date='DATE ' + repr('2020-01-01'))}")
        return folder / "cdm.duckdb"
    date = {"csv": "'20200101'", "parquet": "DATE '2020-01-01'", "tsv": "'20200101'"}[form]
    for table, query in (("PERSON", person), ("VISIT_OCCURRENCE", visit.format(date=date))):
        options = {
            "csv": "(FORMAT csv, HEADER)",
            "tsv": "(FORMAT csv, HEADER, DELIMITER '\t')",
            "parquet": "(FORMAT parquet)",
        }[form]
        duckdb.execute(f"COPY ({query}) TO '{folder}/{table}.{'csv' if form == 'tsv' else form}' {options}")
    return folder


@pytest.mark.parametrize("form", ["duckdb", "parquet", "csv", "tsv"])
def test_a_partners_cdm_lands_and_a_patient_goes_from_it(tmp_path: Path, form: str) -> None:
    hub = Hub(tmp_path)
    source = hub.source(HEAD.format(kind="cdm", format="omop"), "partner")
    path = cdm(tmp_path / "delivered", form)
    receipt = hub.deliver(source, [path])
    person, visit = hub.landed(1, "person")[0], hub.landed(1, "visit_occurrence")[0]
    assert (person["year_of_birth"], person["month_of_birth"], person["day_of_birth"]) == (1980, 5, None)
    assert str(person["birth_date"]) == "1980-05-01" and person["sex"] == "M"
    assert "person_source_value" not in person and "person_id" not in person
    assert visit["discharged_to_source_value"] == "S" and str(visit["visit_start_date"]) == "2020-01-01"
    assert "person_source_value" in receipt.extracts[0].tables["person"].dropped
    assert str(hub.vault.records()[0]["birth_date"]) == "1980-05-06"
    assert hub.deliver(source, [path]).delivery is None
    hub.erase({"partner": [ref(hub, "771", "partner")]})
    left = sealed(hub)
    assert b"src771" not in left
    assert check_adds_up(hub, source) == {"person": (2, 1, 1), "visit_occurrence": (3, 1, 2)}
    hub.intake.land_again(dataclasses.replace(source, digest="again"), vault=hub.vault, progress=Silent())
    assert check_adds_up(hub, source) == {"person": (2, 1, 1), "visit_occurrence": (3, 1, 2)}
    assert io.BytesIO(left).read(4) == b"PK\x03\x04"


_HANGING = {
    "location": "SELECT i AS location_id, 'Street of ' || i AS address_1, 'LS1 4AB' AS zip FROM range(1, 5) t(i)",
    "care_site": "SELECT 1 AS care_site_id, 4 AS location_id",
    "note": "SELECT 40 + i AS note_id, 771 + i AS person_id, DATE '2020-01-01' AS note_date FROM range(2) t(i)",
    "note_nlp": "SELECT i AS note_nlp_id, 40 + i AS note_id, 'term of ' || (771 + i) AS lexical_variant FROM range(2) t(i)",
    "episode": "SELECT 60 + i AS episode_id, 771 + i AS person_id FROM range(2) t(i)",
    "episode_event": "SELECT 60 + i AS episode_id, 7710 + i AS event_id FROM range(2) t(i)",
    "cost": "SELECT i AS cost_id, event AS cost_event_id, domain AS cost_domain_id, i * 11.5 AS total_paid FROM (VALUES "
    "(1, 1, 'Visit'), (2, 0, 'Visit'), (3, 1, 'Drug'), (4, 1, 'Elsewhere'), (5, 0, NULL)) t(i, event, domain)",
    "fact_relationship": "SELECT * FROM (VALUES (56, 771, 56, 772, 1), (8, 1, 21, 5, 2), (8, 0, 21, 5, 3), (21, 1, 8, 2, 4), "
    "(0, 771, 57, 9, 5)) t(domain_concept_id_1, fact_id_1, domain_concept_id_2, fact_id_2, relationship_concept_id)",
    "cohort": "SELECT 1 AS cohort_definition_id, 771 + i AS subject_id, DATE '2020-01-01' AS cohort_start_date FROM range(2) t(i)",
}


def cdm_with_tables_that_name_nobody(folder: Path) -> Path:
    """Visits 0 and 2 are of 771, visit 1 is of 772; 771 lives at 1, 772 at 2."""
    cdm(folder, "parquet")
    for table, query in _HANGING.items():
        duckdb.execute(f"COPY ({query}) TO '{folder}/{table}.parquet' (FORMAT parquet)")
    duckdb.execute(
        f"COPY (SELECT *, person_id - 770 AS location_id FROM '{folder}/PERSON.parquet') TO '{folder}/located' (FORMAT parquet)"
    )
    (folder / "located").replace(folder / "PERSON.parquet")
    return folder


def test_rows_of_a_cdm_that_name_no_person_follow_its_keys(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    source = hub.source(HEAD.format(kind="cdm", format="omop") + 'delivery = "full"\n', "partner")
    folder = cdm_with_tables_that_name_nobody(tmp_path / "delivered")
    hub.deliver(source, [folder])
    counts = hub.erase({"partner": [ref(hub, "771", "partner")]})

    expected: dict[str, list[object]] = {
        "cost": [1, 3, 4],  # visit 1 is the other's; of drugs there are none; 4 and 5 may be of any table
        "episode_event": [2],
        "fact_relationship": [2],
        "cohort": [2],
        "note_nlp": [2],
        "location": [2, 3, 4],  # nobody else lives at 1
    }

    def left(extract: int) -> dict[str, list[object]]:
        return {table: [row["row_line"] for row in hub.landed(extract, table)] for table in expected}

    assert left(1) == expected
    assert counts.rows["partner"]["location"] == 1
    text = sealed(hub)
    assert b"term of 771" not in text and b"Street of 1" not in text
    hub.intake.land_again(dataclasses.replace(source, digest="again"), vault=hub.vault, progress=Silent())
    assert left(1) == expected
    duckdb.execute(
        f"COPY (SELECT 1 AS care_site_id, 3 AS location_id) TO '{folder}/care_site.parquet' (FORMAT parquet)"
    )
    hub.deliver(source, [folder])
    assert left(2) == expected
    assert b"term of 771" not in sealed(hub, 2) and b"Street of 1" not in sealed(hub, 2)
    totals = check_adds_up(hub, source)
    assert totals["note_nlp"] == (4, 2, 2)


def test_an_address_that_others_have_stays(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    source = hub.source(HEAD.format(kind="cdm", format="omop"), "partner")
    folder = cdm_with_tables_that_name_nobody(tmp_path / "delivered")
    home = "SELECT 1 AS care_site_id, 1 AS location_id"
    duckdb.execute(f"COPY ({home}) TO '{folder}/care_site.parquet' (FORMAT parquet)")
    hub.deliver(source, [folder])
    hub.erase({"partner": [ref(hub, "771", "partner")]})
    assert [row["row_line"] for row in hub.landed(1, "location")] == [1, 2, 3, 4]


def _with_numbers_as_delivered(landed: Path, delivered: Path) -> None:
    """What an earlier version landed: the numbers of rows themselves, and no digests of what rows belong to."""
    has = pq.read_schema(landed).names
    numbers = sorted(CDM_NUMBERS.intersection(has, pq.read_schema(delivered).names))
    columns = [
        f"d.{name}::BIGINT AS {name}" if name in numbers else f"l.{name}" for name in has if not is_link_column(name)
    ]
    told = f"(SELECT file_row_number + 1 AS line, * FROM read_parquet('{delivered}', file_row_number = true))"
    rows = f"SELECT {', '.join(columns)} FROM '{landed}' AS l JOIN {told} AS d ON line = row_line ORDER BY row_line"
    pq.write_table(duckdb.execute(rows).fetch_arrow_table(), landed)


def test_what_belongs_to_an_erased_row_of_a_cdm_goes_though_it_comes_alone_or_an_earlier_version_landed_it(
    tmp_path: Path,
) -> None:
    hub = Hub(tmp_path)
    source = hub.source(HEAD.format(kind="cdm", format="omop"), "partner")
    folder = cdm_with_tables_that_name_nobody(tmp_path / "delivered")
    hub.deliver(source, [folder])
    by_table = {path.stem.casefold(): path for path in folder.glob("*.parquet")}
    for path in (hub.store / "landing").glob("*1/*.parquet"):
        if delivered := by_table.get(path.stem):
            _with_numbers_as_delivered(path, delivered)
    assert [row["note_id"] for row in hub.landed(1, "note_nlp")] == [40, 41]
    hub.erase({"partner": [ref(hub, "771", "partner")]})
    assert [row["note_id"] for row in hub.landed(1, "note_nlp")] == [41]
    for path in list(folder.glob("*.parquet")):
        if path.stem.casefold() in ("note", "episode", "visit_occurrence"):
            path.unlink()
    (folder / "other.txt").write_text("another delivery")
    hub.deliver(source, [folder])
    tables = ("note_nlp", "episode_event", "cost", "fact_relationship", "cohort", "location")
    # Visits of an erased person that this delivery does not bring are still known by their tombstones.
    assert {table: [row["row_line"] for row in hub.landed(2, table)] for table in tables} == {
        "note_nlp": [2],
        "episode_event": [2],
        "cost": [1, 3, 4],
        "fact_relationship": [2],
        "cohort": [2],
        "location": [2, 3, 4],
    }
