"""Rows of a delivered CDM that share their number: what of each is kept."""

import datetime as dt
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fairhaven.cli import delivery_text
from fairhaven.intake import Receipt, Source
from fairhaven.kernel.errors import Invalid
from fairhaven.release.partner_cdms import version_said
from tests.support.intake_hub import Hub
from tests.unit.test_row_versions import flow

_CDM = 'title = "Partner"\ncontroller = "partner"\nkind = "cdm"\nformat = "omop"\n'
_PERSON = "person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth,race_concept_id,ethnicity_concept_id,provider_id,person_source_value\n"
NUMBERED = "1,0,1950,2,3,0,0,,9434765919\n"
FULLER = "1,8507,1950,2,,8527,38003564,5,LOCAL-77812\n"
NHS_NUMBER = "9434765919"


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return Hub(tmp_path)


def delivered(hub: Hub, **tables: str) -> tuple[Source, Receipt]:
    source = hub.source(_CDM, "partner")
    folder = hub.folder / "cdm"
    folder.mkdir()
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text)
    return source, hub.deliver(source, [folder])


@pytest.mark.parametrize("rows", [NUMBERED + FULLER, FULLER + NUMBERED])
def test_an_nhs_number_and_a_birth_that_only_the_lesser_row_of_a_person_says_are_kept(hub: Hub, rows: str) -> None:
    delivered(hub, person=_PERSON + rows)
    assert [(field, reason) for _, field, reason in hub.quarantined()] == [
        ("person_id", "another row of this number says more, or as much")
    ]
    [record] = hub.vault.records()
    assert (record["nhs_number"], record["birth_date"], record["sex"]) == (NHS_NUMBER, dt.date(1950, 2, 3), "M")
    assert [row["race_concept_id"] for row in hub.landed(table="person")] == [8527]


def test_every_number_of_a_person_is_looked_for_in_texts_and_a_row_that_cannot_stand_takes_no_place(hub: Hub) -> None:
    # Of the row with month 13 the number is known, but the person is the other one.
    rows = "1,8507,1950,,,0,0,,LOCAL-00451\n1,8507,1950,13,3,8527,38003564,5,LOCAL-77812\n"
    condition = "condition_occurrence_id,person_id,condition_concept_id,condition_start_date,condition_type_concept_id,condition_source_value\n1,1,0,2020-01-01,32817,LOCAL-77812\n2,1,0,2020-01-01,32817,LOCAL-00451\n"
    delivered(hub, person=_PERSON + rows, condition_occurrence=condition)
    assert hub.quarantined() == [(3, "month_of_birth", "is not between 1 and 12")]
    assert [row["year_of_birth"] for row in hub.landed(table="person")] == [1950]
    texts = [str(row["condition_source_value"]) for row in hub.landed(table="condition_occurrence")]
    assert not any("LOCAL" in text for text in texts)


@pytest.mark.parametrize("is_sound_first", [True, False])
def test_a_row_in_quarantine_takes_no_other_of_its_number_from_the_same_cdm_and_one_of_an_earlier_cdm_it_does(
    hub: Hub, is_sound_first: bool
) -> None:
    persons = _PERSON + "1,8507,1950,,,0,0,,\n2,8507,1960,,,0,0,,\n"
    header = "measurement_id,person_id,measurement_concept_id,measurement_date,measurement_type_concept_id\n"
    sound, faulty = "5,1,3004249,2020-01-01,32817\n", "5,2,3004249,2020-13-01,32817\n"
    rows = sound + faulty if is_sound_first else faulty + sound
    source, receipt = delivered(hub, person=persons, measurement=header + rows)
    count = receipt.extracts[0].tables["measurement"]
    assert (count.landed, count.superseded, count.quarantined) == (1, 0, 1)
    assert flow(hub, source)["measurement"].current == 1
    (hub.folder / "cdm" / "measurement.csv").write_text(header + faulty)
    hub.deliver(source, [hub.folder / "cdm"])
    assert (flow(hub, source)["measurement"].current, flow(hub, source)["measurement"].outdated) == (0, 1)


def test_what_a_cdm_says_of_itself_names_nobody_in_the_receipt_or_the_record(hub: Hub) -> None:
    said = (
        "cdm_version,cdm_etl_reference,vocabulary_version\n5.4,etl for Aurelia Quillfeather 9990001006,v5 9990001014\n"
    )
    named = "vocabulary_id,vocabulary_name,vocabulary_version\nNone,OMOP,v5.0 31-AUG-23 of Quillfeather\n"
    _, receipt = delivered(hub, person=_PERSON + NUMBERED, cdm_source=said, vocabulary=named)
    told = "\n".join(delivery_text.receipt(receipt))
    assert "says of itself: CDM 5.4, vocabulary another text and v5.0 in another text" in told
    assert "ETL another text" in told
    kept = told + (hub.store / "landing" / "000001" / "extract.json").read_text()
    assert not [text for text in ("Quillfeather", "9990001006", "9990001014") if text in kept]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        *(
            (said, said)
            for said in ("5.3", "v5.4.1", "6", "v5.0 31-AUG-23", "V5.0  27-aug-2015", "2023-08-31", "20230831")
        ),
        ("OMOP CDM v5.3.1_x", "v5.3.1 in another text"),
        ("v5.0 17-MAR-1950", "v5.0 in another text"),
        *(
            (said, "another text")
            for said in ("https://x.example/Jane-Doe", "999.000.10.06", "17.03.50", "v5 9990001014", "٥.٣")
        ),
    ],
)
def test_of_what_somebody_wrote_of_a_version_only_a_version_or_a_day_is_kept(text: str, kept: str) -> None:
    assert version_said(text) == kept


def test_a_cdm_of_version_6_is_refused_whatever_stands_beside_the_version(hub: Hub) -> None:
    with pytest.raises(Invalid, match="is of CDM 6"):
        delivered(hub, person=_PERSON + NUMBERED, cdm_source="cdm_version\nCDM 6\n")


def test_a_number_that_can_be_no_concept_lands_nowhere_and_is_counted_as_emptied(hub: Hub) -> None:
    number = "9990001006"
    visits = "visit_occurrence_id,person_id,visit_concept_id,visit_start_date,visit_end_date,visit_type_concept_id\n"
    visits += "".join(
        f"{row},1,9202,2020-01-01,2020-01-01,{kind}\n" for row, kind in enumerate((number, -1, 2147483647, 32827))
    )
    conditions = "condition_occurrence_id,person_id,condition_concept_id,condition_start_date,condition_type_concept_id,condition_source_concept_id\n"
    conditions += f"1,1,{number},2020-01-01,32817,{number}\n2,1,201826,2020-01-01,32817,2000000001\n"
    measured = "measurement_id,person_id,measurement_concept_id,measurement_date,measurement_type_concept_id,unit_concept_id,meas_event_field_concept_id\n"
    measured += f"1,1,3004249,2020-01-01,32817,{number}.0,{number}\n"
    facts = "domain_concept_id_1,fact_id_1,domain_concept_id_2,fact_id_2,relationship_concept_id\n"
    facts += f"{number},1,19,2,{number}\n"
    _, receipt = delivered(
        hub,
        person=_PERSON + f"1,{number},1950,2,3,0,0,,\n",
        visit_occurrence=visits,
        condition_occurrence=conditions,
        measurement=measured,
        fact_relationship=facts,
    )
    tables = receipt.extracts[0].tables
    assert {name: dict(count.emptied) for name, count in tables.items() if count.emptied} == {
        "person": {"gender_concept_id": 1},
        "visit_occurrence": {"visit_type_concept_id": 2},
        "condition_occurrence": {"condition_concept_id": 1, "condition_source_concept_id": 1},
        "measurement": {"unit_concept_id": 1, "meas_event_field_concept_id": 1},
        "fact_relationship": {"domain_concept_id_1": 1, "relationship_concept_id": 1},
    }
    assert [count.landed for count in tables.values()] == [count.received for count in tables.values()]
    assert "made empty, because the value did not fit: visit_type_concept_id of 2 rows" in "\n".join(
        delivery_text.receipt(receipt)
    )
    kinds = [row["visit_type_concept_id"] for row in hub.landed(table="visit_occurrence")]
    assert kinds == [None, None, 2147483647, 32827]
    assert [row["condition_source_concept_id"] for row in hub.landed(table="condition_occurrence")] == [
        None,
        2000000001,
    ]
    assert not [
        path.stem
        for path in (hub.store / "landing" / "000001").glob("*.parquet")
        if number in str(pq.read_table(path).to_pylist())
    ]
