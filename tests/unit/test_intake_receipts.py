"""A receipt goes to whoever delivered: it says nothing by which one could ask who is a patient of whom."""

import json
from dataclasses import asdict, replace
from pathlib import Path

from fairhaven.cli import delivery_text
from tests.support.intake_hub import HEADER, NAMED, Hub


def test_a_receipt_is_the_same_whether_somebody_is_a_patient_of_another_source_or_nobody_is_called_so(
    tmp_path: Path,
) -> None:
    hub = Hub(tmp_path)
    hub.receive(hub.source(NAMED, "sexual_health"), "patient_id,given_name,family_name\n1,Chidinma,Okonkwo\n", "p.csv")
    said = []
    for name, times in (("Chidinma Okonkwo", 20), ("Chidinma Okonkwo", 40), ("Chidinma Okonkwa", 40)):
        # Keys of one length, and as many rows of nobody as make the sums equal.
        codes = [name] * times + ["Ngozi Adeyemi"] * (60 - times)
        rows = "".join(f"{name[-1]}{times}e{place},{place},2020-01-01,1,{code}\n" for place, code in enumerate(codes))
        receipt = hub.receive(hub.events(), HEADER + rows)
        assert receipt.extracts[0].tables["events"].withheld == {}
        words = "\n".join(delivery_text.receipt(receipt))
        assert "What tells who somebody is has not landed, if there was any" in words
        told = replace(receipt.extracts[0], number=0, delivery=0, file="", bytes=0, sha256="", sealed_as="")
        said.append(
            (
                words.partition(" read as ")[2],
                json.dumps(asdict(replace(receipt, extracts=(told,), delivery=0)), default=str),
            )
        )
    assert said[0] == said[1] == said[2]
    # The operator's own record has the number.
    records = [json.loads(path.read_text()) for path in sorted((hub.store / "landing").glob("*/extract.json"))]
    assert [record["tables"]["events"]["withheld"] for record in records[1:]] == [{"code": 20}, {"code": 40}, {}]
