"""How far the log of questions goes is in the ledger, so that nobody begins anew with an old copy of what was answered."""

import json
import os
import shutil
from pathlib import Path

import pytest

from fairhaven.hub import open_hub
from fairhaven.ledger import EventKind
from tests.support.command_line import Command

_RECORD = ("query-audit.sqlite", f"query-audit/{os.geteuid()}.log")


@pytest.fixture
def hub(described_hub: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(described_hub, tmp_path / "hub"))


def test_a_hub_whose_record_of_questions_is_of_an_earlier_day_or_gone_answers_no_more(
    hub: Path, fairhaven: Command, tmp_path: Path
) -> None:
    def count(*, code: int = 0) -> str:
        done = fairhaven("cohort", "count", hub, hub / "cohorts" / "first_pregnancy.toml", "--project", "P", code=code)
        return done.stdout + done.stderr

    fairhaven("project", "open", hub, "P", "--organisation", "O")
    count()
    for name in _RECORD:
        shutil.copy(hub / "store" / name, tmp_path / Path(name).name)
    count()
    recorded = [entry for entry in open_hub(hub).ledger.entries() if entry.kind == EventKind.QUESTIONS]
    mine = str(os.geteuid())
    assert [entry.facts["logs"][mine]["lines"] for entry in recorded] == [1, 2]
    for name in _RECORD:
        shutil.copy(tmp_path / Path(name).name, hub / "store" / name)
    assert "was cut off or altered" in count(code=1)
    for name in _RECORD:
        (hub / "store" / name).unlink()
    assert "is not the record of questions that the ledger has seen" in count(code=1)


def test_what_was_asked_is_no_longer_in_the_ledger_than_that_it_was(hub: Path, fairhaven: Command) -> None:
    fairhaven("project", "open", hub, "Confidential", "--organisation", "Riverside")
    fairhaven("cohort", "count", hub, hub / "cohorts", "--project", "Confidential")
    facts = open_hub(hub).ledger.entries()[-1].facts
    assert set(facts) == {"record", "logs"}
    assert set(facts["logs"][str(os.geteuid())]) == {"lines", "start", "end", "previous", "hash"}


def test_a_count_without_a_project_is_recorded_and_says_that_it_is_not_for_handing_out(
    hub: Path, fairhaven: Command, tmp_path: Path
) -> None:
    cohort, page = hub / "cohorts" / "first_pregnancy.toml", tmp_path / "page.html"

    def lines() -> int:
        entered = [entry for entry in open_hub(hub).ledger.entries() if entry.kind == EventKind.QUESTIONS]
        return int(entered[-1].facts["logs"][str(os.geteuid())]["lines"]) if entered else 0

    said = fairhaven("cohort", "count", hub, cohort).stdout
    assert "recorded, and not for handing out" in said
    assert lines() == 1
    said = fairhaven("cohort", "report", hub, cohort, "--out", page, "--json").stdout
    (found,) = json.loads(said)["cohorts"]
    assert found["rows"] is None and {step["events"] for step in found["steps"]} == {None}
    assert "not for handing out" in page.read_text()
