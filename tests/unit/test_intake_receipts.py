"""A receipt goes to whoever delivered: it tells in which columns something was withheld, and nothing by which one could ask for whom."""

import json
from dataclasses import asdict
from pathlib import Path

from fairhaven.cli import delivery_text
from fairhaven.intake.model import IdentifyingColumns
from tests.support.intake_hub import HEADER, NAMED, Hub


def test_a_receipt_tells_columns_with_identifiers_and_neither_their_rows_nor_whose_records_know_them(
    tmp_path: Path,
) -> None:
    hub = Hub(tmp_path)
    hub.receive(hub.source(NAMED, "sexual_health"), "patient_id,given_name,family_name\n1,Chidinma,Okonkwo\n", "p.csv")
    said = []
    for name, times in (("Chidinma Okonkwo", 20), ("Chidinma Okonkwo", 40)):
        # Keys of one length, and as many rows of nobody as make the sums equal.
        codes = [name] * times + ["Ngozi Adeyemi"] * (60 - times)
        rows = "".join(f"{times}e{place},{place},2020-01-01,1,{code}\n" for place, code in enumerate(codes))
        receipt = hub.receive(hub.events(), HEADER + rows)
        assert receipt.identifying == (
            IdentifyingColumns(extract=receipt.extracts[0].number, table="events", columns=("code",)),
        )
        assert receipt.extracts[0].tables["events"].withheld == {}
        words = "\n".join(delivery_text.receipt(receipt))
        assert "withheld in some rows, because it tells who somebody is: code" in words
        assert "sexual_health" not in words + json.dumps(asdict(receipt), default=str)
        said.append(words.partition(" read as ")[2])
    assert said[0] == said[1]
    # The operator's own record has the number.
    records = [json.loads(path.read_text()) for path in sorted((hub.store / "landing").glob("*/extract.json"))]
    assert [record["tables"]["events"]["withheld"] for record in records[1:]] == [{"code": 20}, {"code": 40}]
