"""The codec: what is written is read back, what does not fit is refused at every place, and nothing of it is repeated."""

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pytest

from fairhaven.kernel.codec import from_json, read_record, schema_of, to_json
from fairhaven.kernel.errors import Invalid


class Kind(StrEnum):
    HOSPITAL = "hospital"
    PRACTICE = "practice"


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    rows: int
    share: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Whole:
    name: str
    day: dt.date
    kind: Kind
    parts: tuple[Part, ...]
    tables: Mapping[str, Part]


_WHOLE = Whole(
    name="Öl",
    day=dt.date(2026, 11, 3),
    kind=Kind.PRACTICE,
    parts=(Part(rows=3, share=0.5), Part(rows=0)),
    tables={"person": Part(rows=7)},
)


def test_what_is_written_is_read_back() -> None:
    assert from_json(Whole, json.loads(json.dumps(to_json(_WHOLE)))) == _WHOLE


@pytest.mark.parametrize("name", ["\ud800", {"\ud800": 1}, json.loads("[" * 300 + "]" * 300)])
def test_what_json_holds_and_no_text_can_is_refused(name: object) -> None:
    with pytest.raises(Invalid, match="lone surrogate"):
        from_json(Whole, {**to_json(_WHOLE), "name": name})


def test_a_record_of_another_form_is_damaged_and_its_faults_are_not_worded_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text(json.dumps({**to_json(_WHOLE), "parts": [{"row": 1}] * 20_000}))
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        with pytest.raises(Invalid, match=r"record\.json"):
            read_record(path, Whole)
    finally:
        sys.setprofile(None)
    assert calls < 20_000


def test_written_values_are_plain() -> None:
    assert to_json(_WHOLE) == {
        "name": "Öl",
        "day": "2026-11-03",
        "kind": "practice",
        "parts": [{"rows": 3, "share": 0.5}, {"rows": 0, "share": None}],
        "tables": {"person": {"rows": 7, "share": None}},
    }
    assert to_json([_WHOLE.parts[1]]) == [{"rows": 0, "share": None}]


def test_every_fault_is_named_with_its_place_and_none_with_its_value() -> None:
    value = to_json(_WHOLE) | {"name": 943_476_5919, "kind": "943 476 5919", "day": "9434765919x", "more": "943"}
    value["parts"][1] = {"rows": "943"}
    value["tables"]["person"] = {}
    with pytest.raises(Invalid) as caught:
        from_json(Whole, value, path="file.json")
    faults = {fault.field: fault for fault in caught.value.faults}
    assert set(faults) == {"name", "day", "kind", "parts.1.rows", "tables.person.rows", "more"}
    assert faults["tables.person.rows"].message == "is missing"
    assert faults["more"].message == "is not known here"
    assert all(fault.path == "file.json" for fault in faults.values())
    assert "943" not in str(caught.value)


@pytest.mark.parametrize("value", [None, [], "text", 3, {}])
def test_what_is_no_object_is_refused(value: object) -> None:
    with pytest.raises(Invalid):
        from_json(Whole, value)


def test_the_schema_describes_what_is_written() -> None:
    schema = schema_of(list[Whole])["$defs"]["Whole"]
    assert schema["required"] == list(schema["properties"])
    assert schema["additionalProperties"] is False
    assert schema["properties"]["day"] == {"format": "date", "title": "Day", "type": "string"}


def test_pydantic_is_imported_on_first_use() -> None:
    code = "import sys, fairhaven.kernel.codec as codec; assert 'pydantic' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
