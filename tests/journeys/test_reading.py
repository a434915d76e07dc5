"""What only reads leaves a hub as it was, so that it works on a medium that nobody can write to; a lost store is no empty hub."""

import shutil
from pathlib import Path

import pytest

from fairhaven.hub import open_hub
from tests.support.command_line import Command


def places(folder: Path) -> dict[str, int]:
    """Every file and folder, with the time of its last change."""
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize("words", [("release", "verify"), ("release", "diff"), ("erase", "--plan")], ids=" ".join)
def test_what_only_reads_changes_nothing_of_the_store(fairhaven: Command, copy: Path, words: tuple[str, ...]) -> None:
    index = open_hub(copy).vault.index()
    assert index is not None
    person = index["person_id"][0].as_py() if "erase" in words else None
    before = places(copy)
    fairhaven(*words, copy, *(("--person-key", person) if person else ()))
    assert places(copy) == before


def test_a_hub_whose_store_is_lost_is_not_taken_for_an_empty_one(fairhaven: Command, copy: Path) -> None:
    shutil.rmtree(copy / "store")
    for words in (("release", "verify"), ("release", "list"), ("build", "--plan")):
        done = fairhaven(*words, copy, code=1)
        assert "store is not there" in done.stderr
