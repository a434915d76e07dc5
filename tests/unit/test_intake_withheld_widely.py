"""Whoever's records have a text withheld at many patients' rows is named at the receipt, and what it says is not."""

from pathlib import Path

from fairhaven.cli import delivery_text
from fairhaven.intake.model import WidelyWithheld
from tests.support.intake_hub import HEADER, Hub

NAMED = """
title = "x"
controller = "c"
kind = "hospital"
format = "delimited"
[tables.persons]
files = ["*"]
key = ["patient_id"]
patient = "patient_id"
[tables.persons.columns]
patient_id = "text"
given_name = { type = "text", identity = "given_name" }
family_name = { type = "text", identity = "family_name" }
"""


def test_whose_records_withhold_a_text_at_many_patients_is_told_and_not_the_text(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.receive(hub.source(NAMED, "partner"), "patient_id,given_name,family_name\n1,Zylorex,Ramcovir\n", "p.csv")
    hub.receive(hub.source(NAMED, "other"), "patient_id,given_name,family_name\n1,Amaka,Nwosu\n", "o.csv")
    events = "".join(f"e{n},{n},2020-01-01,1,Zylorex ramcovir {n % 2}\n" for n in range(50))
    receipt = hub.receive(hub.events(), HEADER + events + "e90,90,2020-01-01,1,Amaka Nwosu\n")
    assert receipt.widely_withheld == (WidelyWithheld(source="partner", texts=2, patients=25),)
    said = "\n".join(delivery_text.receipt(receipt))
    assert "records of patients of partner have 2 texts of this delivery withheld" in said
    assert "ylorex" not in said + repr(receipt)
