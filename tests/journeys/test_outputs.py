"""Outputs through the command: what an attacker or a slip of the hand asks for is refused before anything is done."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.command_line import Command, command_line

_WITH_OUT = [
    ("report", "HUB"),
    ("export", "HUB", "--format", "duckdb"),
    ("export", "HUB", "--format", "parquet"),
    ("cohort", "explain", "HUB", "COHORT"),
    ("cohort", "count", "HUB", "COHORT"),
    ("cohort", "count", "HUB", "COHORT", "--project", "P"),
    ("cohort", "report", "HUB", "COHORT"),
    ("cohort", "generate", "HUB", "COHORT"),
]


@pytest.mark.parametrize("words", _WITH_OUT, ids=" ".join)
def test_no_output_goes_into_the_store_through_a_link_or_over_a_file_of_somebody_else(
    demo: Path, tmp_path: Path, fairhaven: Command, words: tuple[str, ...]
) -> None:
    cohort = demo / "cohorts" / "first_pregnancy.toml"
    asked = [{"HUB": demo, "COHORT": cohort}.get(word, word) for word in words]
    key = next(iter(sorted((demo / "store" / "keys").glob("*.key"))))
    secret = key.read_bytes()
    notes, link = tmp_path / "notes.csv", tmp_path / "link.csv"
    notes.write_text("mine")
    link.symlink_to(notes)
    for out in (key, demo / "store" / "archive" / "x.csv", demo / "sources" / "x.csv", demo / "hub.toml"):
        said = fairhaven(*asked, "--out", out, "--force", code=1).stderr
        assert "among a hub's own files" in said
    assert "is a link" in fairhaven(*asked, "--out", link, "--force", code=1).stderr
    assert "is there already" in fairhaven(*asked, "--out", notes, code=1).stderr
    assert (key.read_bytes(), notes.read_text()) == (secret, "mine")


@pytest.mark.parametrize("command", ["init", "demo"])
def test_no_hub_is_made_inside_a_hubs_own_folders(demo: Path, fairhaven: Command, command: str) -> None:
    place = demo / "store" / "archive" / "new"
    assert "among a hub's own files" in fairhaven(command, place, code=1).stderr
    assert not place.exists()


def test_a_page_is_written_again_where_its_command_wrote_it_and_over_another_with_force(
    demo: Path, tmp_path: Path, fairhaven: Command
) -> None:
    cohort, out = demo / "cohorts" / "first_pregnancy.toml", tmp_path / "words.md"
    fairhaven("cohort", "explain", cohort, "--out", out)
    fairhaven("cohort", "explain", cohort, "--out", out)
    out.write_text("notes of mine")
    fairhaven("cohort", "explain", cohort, "--out", out, code=1)
    assert out.read_text() == "notes of mine"
    fairhaven("cohort", "explain", cohort, "--out", out, "--force")
    assert "pregnancy" in out.read_text()


def test_what_a_killed_export_left_is_removed_and_named_by_the_next_command_whatever_it_is(
    demo: Path, tmp_path: Path, fairhaven: Command
) -> None:
    left = tmp_path / ".cdm.fairhaven-part"
    words = command_line("export", demo, "--format", "parquet", "--out", tmp_path / "cdm")
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as export:
        while not left.exists() and export.poll() is None:
            time.sleep(0.01)
        export.send_signal(signal.SIGKILL)
    assert left.exists(), "the export was killed too late"
    assert f"Removed what a killed command had left: {left}" in fairhaven("release", "list", demo).stderr
    assert list(tmp_path.iterdir()) == []
    assert fairhaven("release", "list", demo).stderr == ""


@pytest.mark.parametrize("place", ["scratch", "archive/releases/0001", "vocabulary"])
def test_work_folders_that_a_killed_command_left_are_removed_and_named_by_the_next(
    copy: Path, fairhaven: Command, place: str
) -> None:
    left = copy / "store" / place / "work-left"
    left.mkdir(parents=True)
    (left / "rows").write_text("rows")
    assert f"Removed what a killed command had left: {left}" in fairhaven("release", "list", copy).stderr
    assert not left.exists()
