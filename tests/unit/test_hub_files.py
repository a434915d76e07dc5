"""A hub's files: what of a setting is wrong is said once."""

from pathlib import Path

import pytest

from fairhaven.hub.hub_files import read_text
from fairhaven.hub.new_hub import make_hub
from fairhaven.kernel.errors import Invalid
from tests.support.actors import ANNA


@pytest.mark.parametrize("setting", ["wait_minutes", "national_max_age_days"])
def test_a_negative_time_is_one_fault(tmp_path: Path, setting: str) -> None:
    make_hub(tmp_path / "hub", by=ANNA)
    file = tmp_path / "hub" / "hub.toml"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(f"{setting} = -1\n" if line.startswith(f"{setting} =") else line for line in lines))
    with pytest.raises(Invalid) as caught:
        read_text(tmp_path / "hub")
    [fault] = caught.value.faults
    assert (fault.path, fault.message) == ("hub.toml", "must be 0 or more")
    assert fault.field.endswith(setting)


def test_a_hub_file_that_is_no_toml_is_one_fault(tmp_path: Path) -> None:
    make_hub(tmp_path / "hub", by=ANNA)
    (tmp_path / "hub" / "hub.toml").write_text('name = "a\n')
    with pytest.raises(Invalid) as caught:
        read_text(tmp_path / "hub")
    [fault] = caught.value.faults
    assert (fault.path, fault.line) == ("hub.toml", 1)


SOURCE = """
title = "Hospital"
controller = "hillside"
kind = "hospital"
format = "delimited"
mapping = ["visits.toml"]
[tables.visits]
key = ["id"]
patient = "pid"
[tables.visits.columns]
id = "text"
pid = "text"
day = "date"
nhs = { type = "text", identity = "nhs_number" }
home = { type = "text", identity = "postcode" }
sex = { type = "text", identity = "sex" }
"""
MAPPING = """
[[map]]
name = "visits"
from = "visits"
to = "visit_occurrence"
when = { postcode = { present = true } }
[map.set]
visit_ref = { join = ["pid", "day"], with = "|" }
start_date = "day"
discharged_to = "nhs_number"
admitted_from = "postcode_district"
"""


def test_a_rule_that_reads_what_does_not_land_is_told_by_check_with_what_there_is_instead(tmp_path: Path) -> None:
    hub = tmp_path / "hub"
    make_hub(hub, by=ANNA)
    (hub / "controllers" / "hillside.toml").write_text('title = "Hillside"\n')
    (hub / "sources" / "visits.toml").write_text(SOURCE)
    (hub / "mappings" / "visits.toml").write_text(MAPPING)
    with pytest.raises(Invalid) as caught:
        read_text(hub)
    assert [(fault.path, fault.line) for fault in caught.value.faults] == [("mappings/visits.toml", 2)] * 3
    said = "\n".join(map(str, caught.value.faults))
    assert (
        "rule visits: the column pid of visits is the patient's number, which does not land; write patient_ref" in said
    )
    assert "the column nhs_number of visits goes to the vault" in said
    assert "the column postcode of visits goes to the vault; write postcode_district" in said
    mended = (
        MAPPING.replace('"pid"', '"patient_ref"')
        .replace('"nhs_number"', '"sex"')
        .replace("postcode =", "postcode_district =")
    )
    (hub / "mappings" / "visits.toml").write_text(mended)
    read_text(hub)


def test_an_address_of_the_database_with_a_password_is_one_fault_that_does_not_show_it(tmp_path: Path) -> None:
    make_hub(tmp_path / "hub", by=ANNA)
    file = tmp_path / "hub" / "hub.toml"
    address = "postgresql+psycopg://hub:ward7door@db.example/hub"
    file.write_text(file.read_text(encoding="utf-8").replace('database = ""', f'database = "{address}"'))
    with pytest.raises(Invalid, match="has a password in it") as caught:
        read_text(tmp_path / "hub")
    [fault] = caught.value.faults
    assert fault.line and "ward7door" not in str(fault)
