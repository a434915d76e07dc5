"""The ledger: a chain that shows every change."""

import datetime as dt
import json

import pytest

from fairhaven.kernel.errors import Invalid
from fairhaven.ledger import Ledger


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "ledger.jsonl", now=lambda: dt.datetime(2026, 11, 21, tzinfo=dt.UTC))


def test_entries_follow_each_other_by_hash(ledger):
    first = ledger.append("release", {"name": "r0001"})
    second = ledger.append("release", {"name": "r0002"})
    assert (first.number, second.number) == (1, 2)
    assert second.previous == first.hash
    assert list(ledger.entries()) == [first, second]
    assert ledger.verify() == []


def test_the_same_history_has_the_same_hashes(tmp_path):
    def clock():
        return dt.datetime(2026, 11, 21, tzinfo=dt.UTC)

    one, two = Ledger(tmp_path / "a", now=clock), Ledger(tmp_path / "b", now=clock)
    assert one.append("release", {"b": 1, "a": "é"}).hash == two.append("release", {"a": "é", "b": 1}).hash


def test_work_redone_records_once(ledger):
    ledger.append("delivery", {"number": 1})
    again = ledger.append_once("delivery", {"number": 1})
    assert again.number == 1
    assert ledger.append_once("delivery", {"number": 2}).number == 2


@pytest.mark.parametrize("line", [0, 1, 2])
def test_a_changed_entry_is_found(ledger, line):
    for number in range(3):
        ledger.append("delivery", {"number": number})
    lines = ledger.path.read_text().splitlines()
    lines[line] = lines[line].replace('"kind":"delivery"', '"kind":"Delivery"')
    ledger.path.write_text("\n".join(lines) + "\n")
    assert [fault.line for fault in ledger.verify()] == [line + 1]


def test_a_dropped_entry_is_found(ledger):
    for number in range(3):
        ledger.append("delivery", {"number": number})
    lines = ledger.path.read_text().splitlines()
    ledger.path.write_text("\n".join([lines[0], lines[2]]) + "\n")
    assert "dropped" in ledger.verify()[0].message


def test_an_entry_rewritten_with_its_hash_is_found_by_the_next(ledger):
    for number in range(2):
        ledger.append("delivery", {"number": number})
    lines = ledger.path.read_text().splitlines()
    other = Ledger(ledger.path.with_name("other"), now=lambda: dt.datetime(2026, 11, 21, tzinfo=dt.UTC))
    other.append("delivery", {"number": 9})
    ledger.path.write_text(other.path.read_text() + lines[1] + "\n")
    assert [fault.line for fault in ledger.verify()] == [2]


@pytest.mark.parametrize("cut", [1, 7, 60])
def test_a_line_torn_by_a_power_cut_is_passed_over_and_written_again(ledger, cut):
    ledger.append("delivery", {"number": 1})
    whole = ledger.path.read_bytes()
    ledger.append("delivery", {"number": 2})
    ledger.path.write_bytes(ledger.path.read_bytes()[:-cut])
    assert [entry.facts["number"] for entry in ledger.entries()] == [1]
    assert ledger.append("delivery", {"number": 3}).number == 2
    assert ledger.path.read_bytes().startswith(whole)
    assert ledger.verify() == []


def test_a_first_line_torn_leaves_an_empty_ledger(ledger):
    ledger.append("delivery", {"number": 1})
    ledger.path.write_bytes(ledger.path.read_bytes()[:20])
    assert list(ledger.entries()) == []
    assert ledger.append("delivery", {"number": 2}).number == 1
    assert ledger.verify() == []


def test_an_entry_longer_than_the_read_window_is_followed(ledger):
    ledger.append("release", {"rules": ["x" * 1000] * 200})
    ledger.append("release", {"rules": ["y" * 1000] * 200})
    ledger.append("release", {"rules": []})
    assert ledger.verify() == []


def test_a_file_that_is_no_ledger_is_refused(ledger):
    ledger.path.write_text("hello\n")
    with pytest.raises(Invalid):
        ledger.append("release", {})
    with pytest.raises(Invalid):
        list(ledger.entries())
    assert len(ledger.verify()) == 1


def test_the_file_is_one_json_object_a_line(ledger):
    ledger.append("release", {"name": "r0001"})
    assert set(json.loads(ledger.path.read_text())) == {"number", "at", "kind", "facts", "previous", "hash"}
