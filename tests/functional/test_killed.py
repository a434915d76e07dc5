"""kill -9 at any moment of receive, build, erase, export and a rotation of keys: the next run ends as an undisturbed one.

The same holds of every file: none is left over, among temporary files neither. Half of the trials are killed before their n-th change of a file, spread
over all of them, so that each gap between two changes can be hit; the others after a time spread over the run's length.
"""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fairhaven.hub import open_hub
from fairhaven.ledger import Actor, EventKind
from fairhaven.omop.vocabulary import Vocabulary
from tests.support.actors import BEN
from tests.support.killed_hub import copied, differences, outcome
from tests.support.killed_stages import Region, Stage


def check(region: Region, stage: Stage, folder: Path, trials: int, seed: int = 1) -> None:
    """Kill the stage's command so many times, each in a copy of the hub, and run it again."""
    chance = random.Random(seed)
    killed, left = 0, region.processes.left()
    for trial in range(trials):
        hub = copied(stage.before, folder / f"trial-{trial}")
        place = (trial // 2 + chance.random()) / ((trials + 1) // 2)
        moment: dict[str, Any]
        if trial % 2 == 0:
            moment = {"step": 1 + int(place * stage.undisturbed.changes)}
        else:
            moment = {"after": place * stage.undisturbed.seconds}
        first = region.processes.run(hub, *stage.command, **moment)
        killed += first.code == -9
        if trial % 3 == 2:
            # Whoever finishes it may be killed as well.
            region.processes.run(hub, *stage.command, after=chance.random() * stage.undisturbed.seconds)
        again = region.processes.run(hub, *stage.command)
        # A folder that was exported is not written over.
        is_done = "is there already" in again.said
        assert again.code == 0 or is_done, f"{moment}: {again.said}"
        found = list(differences(stage.after, outcome(hub)))
        assert not found, (trial, moment, found[:10])
        assert region.processes.left() == left, moment
        shutil.rmtree(hub)
    assert killed >= trials // 2


@pytest.mark.parametrize(("name", "trials"), [("receive", 2), ("erase", 1)])
def test_what_is_killed_at_any_moment_ends_as_if_undisturbed(
    region: Region, tmp_path: Path, name: str, trials: int
) -> None:
    check(region, region.stage(name), tmp_path, trials=trials, seed=5)


def test_a_build_clears_away_whatever_killed_commands_were_writing(region: Region, tmp_path: Path) -> None:
    hub = copied(region.stage("erase").before, tmp_path / "hub")
    store = hub / "store"
    for folder in ("archive/.work", "archive/releases/0001/work-1", "vocabulary/work-1", "scratch/work-1"):
        (store / folder / "index").mkdir(parents=True)
        (store / folder / "index/persons.bin").write_text("whoever was in it")
    for file in (".erasing.json.1.part", "archive/.erasure.json.1.part", "vocabulary/.loading.json.1.part"):
        (store / file).write_text("whoever was to be erased")
    assert region.processes.run(hub, "build").code == 0
    assert not list(differences(region.stage("build").after, outcome(hub)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["receive", "build", "rebuild", "erase", "rotate", "export duckdb", "export parquet"])
def test_what_is_killed_at_fifty_moments_ends_as_if_undisturbed(region: Region, tmp_path: Path, name: str) -> None:
    check(region, region.stage(name), tmp_path, trials=50)


def test_a_build_that_is_interrupted_and_then_killed_ends_as_if_undisturbed(region: Region, tmp_path: Path) -> None:
    stage = region.stage("build")
    hub = copied(stage.before, tmp_path / "hub")
    with started("build", hub) as first:
        wait_for(hub / "store/archive/building.json", first)
        first.send_signal(signal.SIGINT)
        said = first.communicate()[1]
    assert first.returncode == 1
    assert "Interrupted" in said
    assert "Traceback" not in said
    check(region, replace(stage, before=hub), tmp_path, trials=1, seed=5)


def test_receiving_goes_on_while_a_build_runs_and_an_erasure_waits_for_both(region: Region, tmp_path: Path) -> None:
    erasure = region.stage("erase")
    hub = copied(region.stage("build").before, tmp_path / "hub")
    with started("build", hub) as build:
        wait_for(hub / "store/archive/building.json", build)
        build.send_signal(signal.SIGSTOP)
        received = region.processes.run(hub, "receive", 1)
        assert received.code == 0, received.said
        with started("erase", hub, "--person-key", str(erasure.command[1])) as erase:
            assert_waits(erase, "the build")
            build.send_signal(signal.SIGCONT)
            assert build.wait() == 0
            assert erase.wait() == 0, erase.communicate()[1]
    # The person was erased from the deliveries of the second month as well, whose rows the first release never had.
    found = outcome(hub)
    assert not list(differences(erasure.after["releases"], found["releases"]))
    assert len(found["deliveries"]) > len(erasure.after["deliveries"])
    assert region.processes.run(hub, "build").code == 0
    found = outcome(hub)
    built_from = [{extract["delivery"] for extract in release["extracts"]} for release in found["releases"]]
    numbers = {delivery["number"] for delivery in found["deliveries"] if delivery["extracts"]}
    assert built_from[0] == {delivery["number"] for delivery in erasure.after["deliveries"] if delivery["extracts"]}
    assert built_from[1] == numbers
    assert (found["problems"], found["ledger"]) == ([], [])


@pytest.mark.slow
def test_whoever_waits_for_a_build_that_is_killed_goes_on_with_what_it_left(region: Region, tmp_path: Path) -> None:
    stage = region.stage("build")
    hub = copied(stage.before, tmp_path / "hub")
    with started("build", hub) as first:
        wait_for(hub / "store/archive/building.json", first)
        first.send_signal(signal.SIGSTOP)
        with started("build", hub) as second:
            assert_waits(second, "the build")
            first.kill()
            assert second.wait() == 0, second.communicate()[1]
    found = outcome(hub)
    # The second was started by the user of the operating system, and made what the first would have made.
    assert not list(differences(stage.after["releases"], found["releases"]))
    assert not list(differences(stage.after["files"], found["files"]))


def test_of_two_deliveries_at_once_each_is_taken_whole(region: Region, tmp_path: Path) -> None:
    hub = copied(region.stage("receive").before, tmp_path / "hub")
    _, delivered = json.loads((hub / "months.json").read_text())[0]
    (one, its_files), (other, other_files) = delivered[:2]
    with (
        started("receive", hub, one, *(hub / file for file in its_files)) as first,
        started("receive", hub, other, *(hub / file for file in other_files)) as second,
    ):
        assert (first.wait(), second.wait()) == (0, 0)
    found = outcome(hub)
    assert {delivery["source"] for delivery in found["deliveries"]} == {one, other}
    assert [delivery["number"] for delivery in found["deliveries"]] == [1, 2]
    assert [kind for kind, _ in found["entries"]].count("delivery") == 2
    assert len(found["extracts"]) == len(its_files) + len(other_files)


def test_a_build_records_the_vocabulary_whose_loading_was_killed_and_who_loaded_it(
    region: Region, tmp_path: Path
) -> None:
    vocabulary = tmp_path / "vocabulary"
    vocabulary.mkdir()
    (vocabulary / "CONCEPT.csv").write_text(
        "concept_id,concept_name,domain_id,vocabulary_id,concept_class_id,standard_concept,concept_code,"
        "valid_start_date,valid_end_date,invalid_reason\n"
        "8507,MALE,Gender,Gender,Gender,S,M,1970-01-01,2099-12-31,\n"
    )
    before = region.stage("receive").before
    order = ("load_vocabulary", str(vocabulary))
    undisturbed = copied(before, tmp_path / "undisturbed")
    ended = region.processes.run(undisturbed, *order)
    assert ended.code == 0, ended.said
    loaded = vocabularies(undisturbed)
    # Backwards from its end to where the vocabulary is in use, and not yet in the ledger.
    for step in range(ended.changes, 0, -1):
        hub = copied(before, tmp_path / f"killed-{step}")
        assert region.processes.run(hub, *order, step=step).code == -signal.SIGKILL
        if vocabularies(hub) != loaded:
            break
    assert Vocabulary.open(hub / "store/vocabulary").version == loaded[-1][0]
    refused = region.processes.run(hub, "build")
    assert "nothing was received" in refused.said
    assert vocabularies(hub) == loaded
    assert loaded[-1][1] == BEN


def vocabularies(hub: Path) -> list[tuple[str, Actor | None]]:
    """Versions and who loaded them, as the ledger says."""
    entries = [entry for entry in open_hub(hub).ledger.entries() if entry.kind == EventKind.VOCABULARY]
    return [(entry.facts["version"], entry.actor) for entry in entries]


@pytest.mark.slow
def test_the_same_region_gives_the_same_release_in_another_folder(region: Region, tmp_path: Path) -> None:
    for command in (("prepare",), ("receive", 0), ("build",)):
        assert region.processes.run(tmp_path, *command).code == 0
    found = outcome(tmp_path)
    assert found["index"] == region.stage("build").after["index"]
    assert not list(differences(region.stage("build").after["releases"], found["releases"]))


@contextmanager
def started(*words: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A command as a user starts it; it is killed where the test fails while it runs."""
    command = [sys.executable, "-m", "fairhaven.cli", *map(str, words)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def assert_waits(process: subprocess.Popen[str], what: str) -> None:
    """Read what a command says until it says that it waits for something."""
    assert process.stderr is not None
    for line in process.stderr:
        if f"waiting for {what} that started at" in line:
            return
    raise AssertionError(f"the command ended with {process.wait()} and did not wait")


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)
