"""Whoever may write to the store and has no key plants, edits or repeats a note of an act under way, or alters files after a
command was killed: recovery carries out nothing that this hub did not decide, and enters nothing that it did not write."""

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fairhaven.hub import make_hub, open_hub
from fairhaven.journeys.deliveries.receive import receive_delivery, recover_deliveries, recover_vocabulary
from fairhaven.journeys.hub_locks import Locked, holding
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.persons.recovery import ErasureUnderWay, carry_out, recover
from fairhaven.journeys.releases.build import land_without_known_persons
from fairhaven.journeys.store_files import (
    check_deliveries,
    check_kept,
    erasure_journal,
    files_of_deliveries,
    is_of_deliveries,
    landing_journal,
)
from fairhaven.journeys.store_verification import verify_store
from fairhaven.kernel.codec import to_json
from fairhaven.kernel.errors import Invalid, NotAllowedNow
from fairhaven.kernel.keyring import Purpose
from fairhaven.kernel.progress import Silent
from fairhaven.ledger import content_hash
from fairhaven.omop.vocabulary import load_vocabulary
from tests.support.actors import ANNA, BEN
from tests.support.intake_hub import DAY, HEADER
from tests.support.partner_cdm import vocabulary_files
from tests.support.received_hub import received, received_hub

_TABLE = "landing/000001/events.parquet"
NOTES: Mapping[str, object] = {
    "erasing.json": {"person": 7, "patients": {"gp": ["x"]}, "by": to_json(BEN), "after": 0},
    "archive/erasure.json": {"persons": [7], "facts": {}, "by": to_json(BEN)},
    "archive/building.json": {"number": 1, "inputs": "", "tables": {}},
    "landing-again.json": {"source": "gp", "extracts": [1], "by": to_json(BEN)},
    "vocabulary/loading.json": to_json(BEN),
}
"""What the version before wrote, unsigned."""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return received_hub(tmp_path_factory.mktemp("received") / "hub")


@pytest.fixture
def rooms(hub: Path, tmp_path: Path) -> Rooms:
    shutil.copytree(hub, tmp_path / "hub")
    return open_hub(tmp_path / "hub")


def _recovered(rooms: Rooms) -> Rooms:
    """The hub after the recovery with which the next command begins."""
    again = open_hub(rooms.folder)
    recover_vocabulary(again)
    recover(again, by=BEN, progress=Silent())
    return again


def _check(rooms: Rooms) -> None:
    check_kept(rooms, files_of_deliveries(rooms, rooms.intake.extracts()))


def _landing_killed(rooms: Rooms, *, is_optional: bool = True) -> Rooms:
    """Lands again by another declaration, as a build does that is killed before the ledger's entry."""
    path = rooms.folder / "sources/gp.toml"
    was, now = ('"number"', '{ type = "number", optional = true }')[:: 1 if is_optional else -1]
    path.write_text(path.read_text().replace(f"value = {was}", f"value = {now}"))
    again = open_hub(rooms.folder)
    with landing_journal(again).writing({"source": "gp"}, by=ANNA, is_mine=is_of_deliveries):
        assert again.intake.land_again(again.sources["gp"], vault=again.vault, progress=Silent()) == (1,)
    return again


def _altered(path: Path) -> bytes:
    """A landed table without its last row, with a footer as it should be."""
    before = path.read_bytes()
    table = pq.read_table(path)
    pq.write_table(table.slice(0, table.num_rows - 1), path)
    return before


@pytest.mark.parametrize("how", ["unsigned", "another hub's"])
@pytest.mark.parametrize("name", NOTES)
def test_a_note_that_no_command_of_this_hub_wrote_is_refused_by_its_name_and_nothing_is_carried_out_or_entered(
    rooms: Rooms, tmp_path: Path, name: str, how: str
) -> None:
    note = rooms.store / name
    note.parent.mkdir(exist_ok=True)
    if how == "unsigned":
        note.write_text(json.dumps(NOTES[name]))
    else:
        make_hub(tmp_path / "other", by=BEN)
        theirs = open_hub(tmp_path / "other")
        theirs.ledger.journal(name).begin({"person": 7, "patients": {}}, by=BEN, files={_TABLE: "0" * 64})
        shutil.copyfile(theirs.store / name, note)
    before = {path: path.read_bytes() for path in rooms.store.rglob("*") if path.is_file()}
    with pytest.raises(Invalid, match=rf"{name}: is damaged, or was not written by this hub"):
        _recovered(rooms)
    assert [each.path for each in verify_store(open_hub(rooms.folder), after="", progress=Silent()).problems] == [name]
    assert {path: path.read_bytes() for path in rooms.store.rglob("*") if path.is_file()} == before


def test_a_note_of_an_erasure_in_which_somebody_put_another_person_is_refused(rooms: Rooms) -> None:
    decided = ErasureUnderWay(person=7, patients={}, by=ANNA, after=rooms.ledger.length())
    erasure_journal(rooms).begin(to_json(decided), by=ANNA)
    path = erasure_journal(rooms).path
    path.write_bytes(path.read_bytes().replace(b'"person":7', b'"person":8'))
    with pytest.raises(Invalid, match=r"erasing\.json: is damaged, or was not written by this hub"):
        _recovered(rooms)


def test_what_a_killed_landing_wrote_is_entered_as_it_was_written(rooms: Rooms) -> None:
    landed = _landing_killed(rooms)
    again = _recovered(landed)
    assert again.ledger.entries()[-1].kind == "landed again"
    assert again.ledger.entries()[-1].facts == {"source": "gp", "extracts": [1]}
    _check(again)
    assert verify_store(again, after="", progress=Silent()).is_good


def test_a_landed_table_that_is_altered_after_a_kill_is_not_entered_and_is_named(rooms: Rooms) -> None:
    landed = _landing_killed(rooms)
    _altered(landed.store / _TABLE)
    again = _recovered(landed)
    assert again.ledger.files()[_TABLE] != content_hash(again.store / _TABLE)
    with pytest.raises(Invalid, match=rf"{_TABLE}: was altered"):
        _check(again)


def test_a_build_that_lands_again_late_first_ends_what_was_killed_meanwhile(rooms: Rooms) -> None:
    _landing_killed(rooms)
    again = open_hub(rooms.folder)
    land_without_known_persons(again, again.intake.extracts(), by=BEN, progress=Silent())
    entries = [entry for entry in again.ledger.entries() if entry.kind == "landed again"]
    assert [entry.actor for entry in entries] == [ANNA, BEN]
    assert verify_store(again, after="", progress=Silent()).is_good


@pytest.mark.parametrize("place", [_TABLE, "landing/000001/extract.json", "received", "vault/identity/000001.sealed"])
def test_a_build_that_lands_again_late_enters_nothing_that_was_altered_meanwhile(rooms: Rooms, place: str) -> None:
    received(rooms, "3,p3,2020-01-01,3,c\n")
    late = [extract for extract in rooms.intake.extracts() if extract.number == 2]
    path = rooms.store / place / f"{late[0].sealed_as}.sealed" if place == "received" else rooms.store / place
    if place == _TABLE:
        _altered(path)
    else:
        path.write_bytes(path.read_bytes() + b" ")
    length = rooms.ledger.length()
    with pytest.raises(Invalid, match=rf"{path.relative_to(rooms.store)}: was altered"):
        land_without_known_persons(rooms, late, by=BEN, progress=Silent())
    assert rooms.ledger.length() == length and not landing_journal(rooms).is_open()


def test_notes_of_an_earlier_landing_with_its_files_put_there_again_bring_nothing_back(
    rooms: Rooms, tmp_path: Path
) -> None:
    landed = _landing_killed(rooms)
    old = landing_journal(landed).path.read_bytes()
    shutil.copytree(landed.store / "landing", tmp_path / "old")
    again = _recovered(_landing_killed(_recovered(landed), is_optional=False))
    length = again.ledger.length()
    landing_journal(again).path.write_bytes(old)
    shutil.copytree(tmp_path / "old", again.store / "landing", dirs_exist_ok=True)
    again = _recovered(again)
    assert again.ledger.length() == length
    with pytest.raises(Invalid, match=r"landing/000001/extract\.json: was altered"):
        _check(again)


def test_a_folder_that_somebody_put_beside_an_extract_does_not_take_its_place(rooms: Rooms) -> None:
    folder = rooms.store / "landing/000001"
    ready = shutil.copytree(folder, folder.with_name("000001.new"))
    _altered(ready / "events.parquet")
    kept = (folder / "events.parquet").read_bytes()
    with pytest.raises(Invalid, match=r"landing/000001\.new: is not what a command was about to put in its place"):
        _recovered(rooms)
    assert (folder / "events.parquet").read_bytes() == kept


def _erasure_killed(rooms: Rooms) -> ErasureUnderWay:
    """Erases a patient from what was delivered, and is killed then."""
    [ref, _] = sorted(set(pq.read_table(rooms.store / _TABLE)["patient_ref"].to_pylist()))
    decided = ErasureUnderWay(person=7, patients={"gp": [ref]}, by=ANNA, after=rooms.ledger.length())
    erasure_journal(rooms).begin(to_json(decided), by=ANNA)
    with erasure_journal(rooms).noting(is_mine=is_of_deliveries):
        rooms.intake.erase(decided.patients, sources=rooms.sources, vault=rooms.vault, progress=Silent())
    return decided


@pytest.mark.parametrize("place", [_TABLE, "received", "erased/gp.json", "vault/identity/000001.sealed"])
def test_an_erasure_that_was_killed_goes_on_only_from_what_it_left_and_names_what_was_altered(
    rooms: Rooms, place: str
) -> None:
    _erasure_killed(rooms)
    [path] = (rooms.store / place).glob("*.sealed") if place == "received" else [rooms.store / place]
    kept = path.read_bytes()
    if place == _TABLE:
        _altered(path)
    else:
        path.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    length = rooms.ledger.length()
    with pytest.raises(Invalid, match=rf"{path.relative_to(rooms.store)}: was altered"):
        _recovered(rooms)
    assert open_hub(rooms.folder).ledger.length() == length
    path.write_bytes(kept)
    again = _recovered(rooms)
    assert again.ledger.entries()[-1].kind == "erasure" and again.ledger.entries()[-1].actor == ANNA
    assert not erasure_journal(again).is_open() and verify_store(again, after="", progress=Silent()).is_good


def test_a_scrub_calls_what_a_killed_erasure_left_pending_and_only_what_was_altered_since_a_fault(rooms: Rooms) -> None:
    before = (rooms.store / _TABLE).read_bytes()
    _erasure_killed(rooms)
    found = verify_store(open_hub(rooms.folder), after="", progress=Silent())
    assert found.problems == () and not found.is_good
    assert {"erasing.json", _TABLE, "erased/gp.json"} <= set(found.pending)
    left = (rooms.store / _TABLE).read_bytes()
    _altered(rooms.store / _TABLE)
    [problem] = verify_store(open_hub(rooms.folder), after="", progress=Silent()).problems
    assert (problem.path, problem.message) == (_TABLE, "is not as a command that was killed left it")
    assert "Restore" not in problem.remedy and "Remove" not in problem.remedy
    (rooms.store / _TABLE).write_bytes(before)
    is_last = _TABLE in erasure_journal(rooms).notes()[-1].files
    found = verify_store(open_hub(rooms.folder), after="", progress=Silent())
    assert [each.path for each in found.problems] == ([] if is_last else [_TABLE])
    (rooms.store / _TABLE).write_bytes(left)
    assert verify_store(_recovered(rooms), after="", progress=Silent()).is_good


@pytest.mark.parametrize("is_moved", [False, True])
def test_a_scrub_calls_a_folder_pending_that_is_about_to_take_its_place(rooms: Rooms, is_moved: bool) -> None:
    folder = rooms.store / "landing/000001"
    shutil.copytree(folder, rooms.folder.parent / "before")
    _landing_killed(rooms)
    folder.rename(folder.with_name("000001.new"))
    if is_moved:  # what was there stands beside it until the swap has ended
        shutil.copytree(rooms.folder.parent / "before", folder.with_name("000001.old"))
    found = verify_store(open_hub(rooms.folder), after="", progress=Silent())
    assert found.problems == () and {"landing-again.json", "landing/000001.new/events.parquet"} <= set(found.pending)
    assert verify_store(_recovered(rooms), after="", progress=Silent()).is_good


def test_notes_of_an_erasure_that_has_ended_change_nothing_when_they_are_put_there_again(rooms: Rooms) -> None:
    _erasure_killed(rooms)
    old = erasure_journal(rooms).path.read_bytes()
    again = _recovered(rooms)
    length, files = again.ledger.length(), dict(again.ledger.files())
    erasure_journal(again).path.write_bytes(old)
    again = _recovered(again)
    assert (again.ledger.length(), dict(again.ledger.files())) == (length, files)
    assert verify_store(again, after="", progress=Silent()).is_good


def test_a_receive_between_a_killed_erasure_and_its_end_finds_what_it_changed_as_it_left_it(rooms: Rooms) -> None:
    decided = _erasure_killed(rooms)
    (rooms.folder / "more-events.csv").write_text(HEADER + "3,p3,2020-01-01,1,a\n")
    again = open_hub(rooms.folder)
    receive_delivery(
        again,
        source="gp",
        files=[rooms.folder / "more-events.csv"],
        received_on=DAY,
        today=DAY,
        by=ANNA,
        progress=Silent(),
    )
    _check(again)
    carry_out(again, decided, progress=Silent())
    assert verify_store(again, after="", progress=Silent()).is_good


def test_a_vocabulary_that_is_altered_after_its_loading_was_killed_is_not_entered(rooms: Rooms, tmp_path: Path) -> None:
    root, loading = rooms.store / "vocabulary", rooms.ledger.journal("vocabulary/loading.json")
    with loading.writing({}, by=ANNA, is_mine=lambda path: "/work-" not in path and not path.endswith("loading.json")):
        loaded = load_vocabulary(vocabulary_files(tmp_path), root)
    kept = (loaded.folder / "concept.parquet").read_bytes()
    _altered(loaded.folder / "concept.parquet")
    length = rooms.ledger.length()
    with pytest.raises(Invalid, match=r"concept\.parquet: was altered"):
        recover_vocabulary(open_hub(rooms.folder))
    (loaded.folder / "concept.parquet").write_bytes(kept)
    again = open_hub(rooms.folder)
    recover_vocabulary(again)
    assert (again.ledger.length(), again.ledger.entries()[-1].actor) == (length + 1, ANNA)


def _used(rooms: Rooms) -> None:
    """What commands do before they change anything."""
    rooms.keyring.check(*Purpose)
    with holding(rooms, *Locked, act="trial", progress=Silent()):
        recover_deliveries(rooms, by=BEN)
        check_deliveries(rooms, rooms.intake.extracts())
        check_kept(rooms, files_of_deliveries(rooms, rooms.intake.extracts()))


def test_a_pipe_in_the_place_of_any_file_of_the_store_is_named_and_never_waited_for(rooms: Rooms) -> None:
    with holding(rooms, *Locked, act="trial", progress=Silent()):  # so that the locks are there
        # What SQLite keeps beside its file while that is open is its own to look at.
        files = [
            path for path in rooms.store.rglob("*") if path.is_file() and not path.name.startswith("records.sqlite-")
        ]
    assert {
        "records.sqlite",
        "published-ledger.jsonl",
        "ledger",
        "checkpoint",
        "record.pub",
        "extract.json",
        "releases",
    } <= {each.name for each in files}
    taken = set[str]()
    for path in files:
        kept = path.read_bytes()
        path.unlink()
        os.mkfifo(path, 0o600)
        with suppress(Invalid, NotAllowedNow):
            _used(open_hub(rooms.folder))
            taken.add(path.relative_to(rooms.store).as_posix())
        with suppress(Invalid, NotAllowedNow):
            is_good = verify_store(open_hub(rooms.folder), after="", progress=Silent()).is_good
            assert not is_good or path.parent.name in ("locks", "tokens")  # neither is hashed
        path.unlink()
        path.write_bytes(kept)
        path.chmod(0o600)
    _used(open_hub(rooms.folder))
    # Who has the keys needs no public half, and nothing was entered.
    assert taken == {"record.pub", "published-ledger.jsonl"} | {
        f"locks/{name}" for name in ("ledger", "records.next", "records.writing")
    }
