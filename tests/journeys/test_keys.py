"""Keys by purpose, through the command: a wrong one changes nothing, and the way back is said."""

import hashlib
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from fairhaven.hub import open_hub
from fairhaven.journeys.hub_keys import recorded_checks
from fairhaven.kernel.envelope import HEADER
from fairhaven.kernel.errors import NotAllowedNow
from fairhaven.kernel.keyring import SEALING, Keyring, Purpose
from fairhaven.ledger import EventKind
from tests.support.command_line import Command
from tests.support.killed_hub import Commands

_ROWS = "event_id,patient_id,nhs_number,birth_date,sex,date,code,value,unit\n1,p1,9990000018,1950-02-03,F,2026-01-05,22298006,1,mg\n"


@pytest.fixture(scope="module")
def made(fairhaven: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new hub with one source, that has received once."""
    folder = tmp_path_factory.mktemp("keys") / "hub"
    fairhaven("init", folder)
    for place in ("sources", "mappings"):
        (folder / place / "example.toml.example").rename(folder / place / "example.toml")
    _receive(fairhaven, folder, "1")
    return folder


@pytest.fixture
def hub(made: Path, tmp_path: Path) -> Path:
    """A copy of it to change."""
    return Path(shutil.copytree(made, tmp_path / "hub"))


def _receive(fairhaven: Command, hub: Path, number: str, code: int = 0) -> str:
    extract = hub / "inbox" / f"events{number}.csv"
    extract.write_text(_ROWS.replace("\n1,", f"\n{number},"))
    return fairhaven("receive", hub, "example", extract, code=code).stderr


def _held(hub: Path) -> dict[str, str]:
    """What the store holds, by the hash of each file, and of the database by its ledger's; locks say who took them last, whoever it was."""
    held = {
        str(path.relative_to(hub)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((hub / "store").rglob("*"))
        if path.is_file() and path.parent.name not in ("keys", "locks") and not path.name.startswith("records.sqlite")
    }
    with closing(sqlite3.connect(hub / "store" / "records.sqlite")) as connection:
        return held | dict(connection.execute("SELECT 'event ' || number, hash FROM event"))


@pytest.mark.parametrize("key", ["vault.key", "deliveries.key", "pseudonyms.key"])
def test_nothing_is_received_under_a_wrong_key_and_with_the_right_one_all_goes_on(
    fairhaven: Command, hub: Path, tmp_path: Path, key: str
) -> None:
    other, right, before = Keyring.create(tmp_path / "other/keys").folder, hub / "store/keys" / key, _held(hub)
    kept = right.read_bytes()
    shutil.copy(other / key, right)
    assert f"{key} is not the key of this hub" in _receive(fairhaven, hub, "2", code=1)
    assert _held(hub) == before
    right.write_bytes(kept)
    _receive(fairhaven, hub, "2")


@pytest.mark.parametrize(
    "words", [("build",), ("erase", "--person-key", "7"), ("erase", "--person-key", "7", "--plan")]
)
def test_nothing_is_built_or_erased_under_a_wrong_key(
    fairhaven: Command, hub: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    fairhaven("keys", "rotate", hub)
    (hub / "store/vault/index.sealed").write_bytes((hub / "store/vault/identity/000001.sealed").read_bytes())
    shutil.copy(Keyring.create(tmp_path / "other/keys").folder / "vault.key", hub / "store/keys")
    before = _held(hub)
    command, *options = words
    assert "vault.key is not the key of this hub" in fairhaven(command, hub, *options, code=1).stderr
    assert _held(hub) == before


def test_the_folder_of_another_hubs_keys_is_refused_before_anything_is_written(
    fairhaven: Command, hub: Path, tmp_path: Path
) -> None:
    other, before = Keyring.create(tmp_path / "other/keys").folder, _held(hub)
    shutil.copytree(other, hub / "store/keys", dirs_exist_ok=True)
    assert "is not the key of this hub: its check value is not the one in the ledger" in _receive(
        fairhaven, hub, "2", code=1
    )
    assert _held(hub) == before


def _sealed(hub: Path) -> dict[str, bytes]:
    """What every sealed file holds, in the clear."""
    keyring, store = Keyring(hub / "store/keys"), hub / "store"
    envelopes = {"received": keyring.deliveries, "vault": keyring.vault}
    return {
        str(path.relative_to(store)): envelope.open_bytes(path)
        for place, envelope in envelopes.items()
        for path in sorted((store / place).rglob("*.sealed"))
    }


def test_keys_are_checked_with_what_each_is_for(fairhaven: Command, hub: Path) -> None:
    said = fairhaven("keys", "check", hub).stdout
    assert all(f"{purpose}.key" in said for purpose in Purpose)
    assert "open all 3 sealed files" in said


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda keys: (keys / "deliveries.key").chmod(0o644), "chmod 600"),
        (lambda keys: keys.chmod(0o755), "chmod 700"),
        (lambda keys: (keys / "record.key").unlink(), "record.key"),
        (lambda keys: (keys / "record.key").write_bytes(bytes(32)), "record.key is not the key of this hub"),
        (lambda keys: (keys.parent / "record.pub").write_text("another"), "record.pub is not the public half"),
        (lambda keys: (keys / "keys.json").unlink(), "does not hold keys.json"),
        (lambda keys: next(keys.parent.glob("received/*")).write_bytes(b"FHE1"), "the sealed file was altered"),
    ],
)
def test_a_check_names_what_is_wrong_with_the_keys(
    fairhaven: Command, hub: Path, harm: Callable[[Path], object], said: str
) -> None:
    harm(hub / "store/keys")
    assert said in fairhaven("keys", "check", hub, code=1).stdout


def test_rotation_gives_new_wrapping_keys_and_changes_nothing_else(fairhaven: Command, hub: Path) -> None:
    keys = hub / "store/keys"
    before, clear = {path.name: path.read_bytes() for path in keys.iterdir()}, _sealed(hub)
    content = {name: (hub / "store" / name).read_bytes()[HEADER:] for name in clear}
    assert "wrapped anew for 3 sealed files" in fairhaven("keys", "rotate", hub).stdout
    after = {path.name: path.read_bytes() for path in keys.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"vault.key", "deliveries.key", "keys.json"}
    assert after.keys() == before.keys()
    assert _sealed(hub) == clear
    assert {name: (hub / "store" / name).read_bytes()[HEADER:] for name in clear} == content
    fairhaven("keys", "check", hub)
    fairhaven("store", "verify", hub)
    _receive(fairhaven, hub, "2")


def test_a_key_of_before_a_rotation_is_a_wrong_key(fairhaven: Command, hub: Path, tmp_path: Path) -> None:
    shutil.copytree(hub / "store/keys", tmp_path / "backup")
    fairhaven("keys", "rotate", hub)
    shutil.copytree(tmp_path / "backup", hub / "store/keys", dirs_exist_ok=True)
    assert "not the one in the ledger" in _receive(fairhaven, hub, "2", code=1)


def test_a_rotation_is_refused_as_a_whole_where_a_sealed_file_does_not_open(fairhaven: Command, hub: Path) -> None:
    next((hub / "store/received").iterdir()).write_bytes(b"FHE1")
    before, keys = _held(hub), {path.name: path.read_bytes() for path in (hub / "store/keys").iterdir()}
    assert "the sealed file was altered" in fairhaven("keys", "rotate", hub, code=1).stderr
    assert _held(hub) == before
    assert {path.name: path.read_bytes() for path in (hub / "store/keys").iterdir()} == keys


def _check_killed_rotations(processes: Commands, hub: Path, folder: Path, trials: int) -> None:
    """Kill so many rotations, each in a copy of the hub, half before a change of a file and half after a time."""
    clear, files = _sealed(hub), sorted(path.name for path in (hub / "store/keys").iterdir())
    undisturbed = processes.run(shutil.copytree(hub, folder / "undisturbed"), "rotate")
    assert undisturbed.code == 0, undisturbed.said
    killed = interrupted = 0
    for trial in range(trials):
        copy = Path(shutil.copytree(hub, folder / f"trial-{trial}"))
        place = (trial // 2 + 0.5) / ((trials + 1) // 2)
        is_step = trial % 2 == 0
        ended = processes.run(
            copy,
            "rotate",
            step=1 + int(place * undisturbed.changes) if is_step else None,
            after=None if is_step else place * undisturbed.seconds,
        )
        killed += ended.code == -9
        is_interrupted = (copy / "store/keys/rotating.json").exists()
        interrupted += is_interrupted
        if is_interrupted:
            with pytest.raises(NotAllowedNow, match="fairhaven keys rotate"):
                open_hub(copy).keyring.check(*SEALING)
        again = processes.run(copy, "rotate")
        assert again.code == 0, again.said
        rooms = open_hub(copy)
        assert _sealed(copy) == clear
        assert sorted(path.name for path in rooms.keyring.folder.iterdir()) == files
        entries = [entry for entry in rooms.ledger.entries() if entry.kind == EventKind.KEYS_ROTATED]
        assert entries[-1].facts["keys"] == rooms.keyring.check_values()
        assert len(entries) == 1 or not is_interrupted
    assert killed >= trials // 2
    assert interrupted


def test_a_rotation_killed_at_any_moment_is_finished_by_the_next(
    processes: Commands, hub: Path, tmp_path: Path
) -> None:
    _check_killed_rotations(processes, hub, tmp_path / "trials", 2)


@pytest.mark.parametrize("trials", [2, pytest.param(30, marks=pytest.mark.slow)])
def test_a_hub_whose_making_is_killed_is_made_by_the_next_init(
    processes: Commands, tmp_path: Path, trials: int
) -> None:
    whole = tmp_path / "whole"
    changes = processes.run(whole, "init").changes
    for trial in range(trials):
        folder = tmp_path / f"trial-{trial}"
        assert processes.run(folder, "init", step=1 + (trial * changes + changes // 2) // trials).code == -9
        if (folder / "hub.toml").exists():
            open_hub(folder).keyring.check(*Purpose)
        again = processes.run(folder, "init")
        assert again.code == 0, again.said
        assert _names(folder) == _names(whole)
        rooms = open_hub(folder)
        assert recorded_checks(rooms.ledger.as_found().entries) == rooms.keyring.check_values()


def _names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
