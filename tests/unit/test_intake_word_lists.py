"""A word of a closed list is left alone, whatever somebody is called; and where one was withheld doubt fails closed."""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairhaven.engine import DuckDBEngine
from fairhaven.harmonise import read_code_map, single_words
from fairhaven.harmonise.fhir import allergies, drugs, encounters, locations, observations
from fairhaven.harmonise.fhir.rule_context import has_none_of
from fairhaven.identifiers.withheld import MARK
from fairhaven.intake import ReadTexts, code_columns
from fairhaven.intake.fhir.code_lists import listed_codes
from fairhaven.intake.fhir.status_codes import CODES
from tests.support.intake_hub import HEADER, NAMED, Hub

TYPE_1 = '[type_1_opt_out]\ntable = "events"\ncolumn = "code"\ndate = "event_date"\nopted_out = ["XaZ89"]\nopted_in = ["XaZ8A"]'
WITHHELD = f"{MARK}9294851c624578e1]"
FHIR = 'title = "x"\ncontroller = "c"\nkind = "hospital"\nformat = "fhir"\n'


def named(hub: Hub, *names: str) -> None:
    """A partner's records of people who are called so."""
    people = "".join(f"{number},{name}\n" for number, name in enumerate(names))
    hub.receive(hub.source(NAMED, "partner"), "patient_id,given_name,family_name\n" + people, "p.csv")


def test_a_made_up_record_of_another_source_takes_no_opt_out_back(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    named(hub, "Zxqv,Xaz")
    source = hub.events(more=TYPE_1.replace("XaZ89", "Zxqv Xaz"))
    hub.receive(source, HEADER + "e1,p1,2020-01-01,1,Zxqv Xaz\ne2,p2,2020-01-01,1,Xaz Zxqv\n")
    assert hub.landed(2)[0]["code"] == "Zxqv Xaz"
    assert str(hub.landed(2)[1]["code"]).startswith(MARK)  # which is no word of the list


def test_a_code_that_was_withheld_may_have_been_an_opt_out(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    source = hub.events(more=TYPE_1)
    hub.receive(source, HEADER + "e1,p1,2020-01-01,1,a\n")
    path = hub.store / "landing" / "000001" / "events.parquet"
    rows = pq.read_table(path)
    place = rows.schema.get_field_index("code")
    pq.write_table(rows.set_column(place, "code", pa.array([WITHHELD])), path)
    with closing(DuckDBEngine(reaches=[hub.store])) as engine:
        assert hub.intake.type_1_opt_outs(engine, source).num_rows == 1


def test_states_and_classes_of_fhir_land_whatever_people_are_called(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    named(hub, "Zxqv,Refuted", "Emer,Byrne", "Zxqv,Cancelled", "Entered,Zxqv", "In,Error", "Cel,Bright", "Vital,Signs")
    about = {"subject": {"reference": "Patient/p1"}}
    day = "2020-01-01"
    status = {"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "refuted"}
    value = {"value": 37.2, "system": "http://unitsofmeasure.org", "code": "Cel"}
    resources = [
        {"resourceType": "Patient", "id": "p1", "gender": "female"},
        {"resourceType": "Condition", "id": "c1", **about, "verificationStatus": {"coding": [status]}},
        {"resourceType": "Encounter", "id": "e1", "status": "finished", "class": {"code": "EMER"}, **about},
        {"resourceType": "Procedure", "id": "r1", "status": "entered-in-error", **about, "performedDateTime": day},
        {"resourceType": "MedicationRequest", "id": "m1", "status": "cancelled", "intent": "order", **about},
        {
            "resourceType": "Observation",
            "id": "o1",
            "status": "final",
            **about,
            "effectiveDateTime": day,
            "category": [{"coding": [{"code": "vital-signs"}]}],
            "valueQuantity": value,
        },
    ]
    hub.receive(hub.source(FHIR, "trust"), "".join(json.dumps(one) + "\n" for one in resources), "all.ndjson")
    wanted = {
        ("condition", "verification_status_code"): "refuted",
        ("encounter", "class_code"): "EMER",
        ("encounter", "status"): "finished",
        ("procedure", "status"): "entered-in-error",
        ("medication_request", "status"): "cancelled",
        ("observation", "value_unit"): "Cel",
        ("observation", "category"): "vital-signs",
    }
    assert {(table, name): hub.landed(2, table)[0][name] for table, name in wanted} == wanted


def test_words_that_a_mapping_names_land_whatever_people_are_called(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    named(hub, "Zxqv,Refuted")
    reads = ReadTexts(plain=frozenset({"code"}), free=frozenset(), words={"code": frozenset({"REFUTED"})})
    source = replace(hub.events(), reads={"events": reads})
    hub.receive(source, HEADER + "e1,p1,2020-01-01,1,Refuted\ne2,p2,2020-01-01,1,Zxqv Refuted\n")
    first, second = (str(row["code"]) for row in hub.landed(2))
    assert (first, second.startswith(MARK)) == ("Refuted", True)


@pytest.mark.parametrize(
    ("value", "is_taken"), [("confirmed", True), (None, True), ("refuted", False), (WITHHELD, False)]
)
def test_a_state_that_was_withheld_may_be_one_that_is_refused(value: str | None, is_taken: bool) -> None:
    rows = ibis.memtable(pa.table({"state": pa.array([value], pa.string())}))
    assert rows.mutate(taken=has_none_of(rows["state"], ["refuted"])).to_pyarrow()["taken"].to_pylist() == [is_taken]


def test_the_words_by_which_the_rules_of_fhir_decide_are_listed() -> None:
    listed = listed_codes()
    known = {
        ("encounter", "class_code"): encounters.CLASS,
        ("encounter", "admitted_from_code"): encounters.ADMITTED_FROM,
        ("encounter", "discharged_to_code"): encounters.DISCHARGED_TO,
        ("encounter", "status"): CODES["Encounter.status"],
        ("observation", "absent_code"): observations.NOT_DONE,
        ("observation", "interpretation_code"): observations.INTERPRETATION,
        ("observation_component", "status"): observations.REFUSED,
        ("allergy_intolerance", "category"): allergies.ALLERGY,
        ("allergy_intolerance", "clinical_status_code"): allergies.CLINICAL_STATUS,
        ("location", "physical_type_code"): (*locations.SMALL, locations.HOME),
        ("medication_request", "frequency_unit"): drugs.DAYS,
        ("medication_request", "intent"): drugs.REFUSED_INTENT,
    }
    assert {place: set(words) - listed[place[0]][place[1]] for place, words in known.items()} == {
        place: set() for place in known
    }


def test_a_code_of_a_code_map_lands_where_a_patient_is_called_so_and_two_words_are_searched(tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    path = tmp_path / "maps" / "local.csv"
    path.write_text(
        "source_code,source_vocabulary_id,source_code_description,target_concept_id\n"
        "Okonkwo,Lab,x,3004249\nChidi Okonkwo,Lab,x,3004249\nL1,Lab,x,3004249\nOkonkwo,Other,x,3004249\n"
    )
    words = single_words({"local.csv": read_code_map(path)})
    assert words == {name: frozenset({"Okonkwo"}) for name in ("lab", "other", "")}
    hub = Hub(tmp_path)
    reads = ReadTexts(plain=frozenset({"code"}), free=frozenset(), words={"code": words["lab"]})
    source = replace(
        hub.source(
            NAMED.replace('"*"', '"p*"')
            + '[tables.events]\nfiles = ["*events*"]\npatient = "patient_id"\n[tables.events.columns]\n'
            'patient_id = "text"\ncode = "text"\n',
            "partner",
        ),
        reads={"events": reads},
    )
    people, events = tmp_path / "p.csv", tmp_path / "events.csv"
    people.write_text("patient_id,given_name,family_name\np1,Chidi,Okonkwo\n")
    events.write_text("patient_id,code\np1,Okonkwo\np1,Chidi Okonkwo\n")
    hub.deliver(source, [people, events])
    first, second = (str(row["code"]) for row in hub.landed(2))
    assert (first, second.startswith(MARK)) == ("Okonkwo", True)


def test_the_columns_of_fhir_with_codes_are_those_that_land() -> None:
    columns = code_columns()
    assert {"code", "value_code"} <= set(columns["observation"])
    assert "code_2" in columns["condition"]
