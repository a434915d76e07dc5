"""Keys by purpose, through the command: a wrong one changes nothing, and the way back is said."""

import hashlib
import shutil
from pathlib import Path

import pytest

from fairhaven.kernel.keyring import Keyring
from tests.support.command_line import Command

_ROWS = "event_id,patient_id,nhs_number,birth_date,sex,date,code,value,unit\n1,p1,9990000018,1950-02-03,F,2026-01-05,22298006,1,mg\n"


@pytest.fixture
def hub(fairhaven: Command, tmp_path: Path) -> Path:
    """A new hub with one source, that has received once."""
    folder = tmp_path / "hub"
    fairhaven("init", folder)
    for place in ("sources", "mappings"):
        (folder / place / "example.toml.example").rename(folder / place / "example.toml")
    _receive(fairhaven, folder, "1")
    return folder


def _receive(fairhaven: Command, hub: Path, number: str, code: int = 0) -> str:
    extract = hub / "inbox" / f"events{number}.csv"
    extract.write_text(_ROWS.replace("\n1,", f"\n{number},"))
    return fairhaven("receive", hub, "example", extract, code=code).stderr


def _held(hub: Path) -> dict[str, str]:
    """What the store holds, by the hash of each file; locks say who took them last, whoever it was."""
    return {
        str(path.relative_to(hub)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((hub / "store").rglob("*"))
        if path.is_file() and path.parent.name not in ("keys", "locks")
    }


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


def test_the_folder_of_another_hubs_keys_is_refused_before_anything_is_written(
    fairhaven: Command, hub: Path, tmp_path: Path
) -> None:
    other, before = Keyring.create(tmp_path / "other/keys").folder, _held(hub)
    shutil.copytree(other, hub / "store/keys", dirs_exist_ok=True)
    assert "is not the key of this hub: its check value is not the one in the ledger" in _receive(
        fairhaven, hub, "2", code=1
    )
    assert _held(hub) == before
