"""Keys: one for each purpose, private, known again, and not used where they are another hub's."""

import os
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fairhaven.kernel.errors import FairhavenError, Invalid, NotAllowedNow, NotFound
from fairhaven.kernel.ids import derive
from fairhaven.kernel.keyring import Keyring, Purpose


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Keyring.create(tmp_path / "store" / "keys")
    return tmp_path / "store" / "keys"


def test_each_purpose_has_a_key_of_its_own_which_only_its_owner_reads(folder: Path) -> None:
    keys = {purpose: (folder / f"{purpose}.key").read_bytes() for purpose in Purpose}
    assert len(set(keys.values())) == len(Purpose)
    assert {len(key) for key in keys.values()} == {32}
    assert all(path.stat().st_mode & 0o077 == 0 for path in (folder, *folder.glob("*.key")))


def test_keys_that_are_there_are_kept(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    Keyring.create(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_new_keys_are_on_the_disk_with_every_folder_above_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    Keyring.create(tmp_path / "hub/store/keys")
    folders = [tmp_path, tmp_path / "hub", tmp_path / "hub/store", tmp_path / "hub/store/keys.making"]
    assert set(folders) <= set(synced)
    assert len([path for path in synced if ".key." in path.name]) == len(Purpose)
    assert synced[-1] == tmp_path / "hub/store"


@pytest.mark.parametrize("purpose", [purpose for purpose in Purpose if purpose is not Purpose.PSEUDONYMS])
def test_a_key_that_was_cut_off_is_damaged(folder: Path, purpose: Purpose) -> None:
    (folder / f"{purpose}.key").write_bytes(b"short")
    with pytest.raises(Invalid, match=rf"{purpose}\.key is damaged"):
        Keyring(folder).check(purpose)


def test_keys_whose_making_was_killed_are_made_anew(tmp_path: Path) -> None:
    (tmp_path / "store/keys.making").mkdir(parents=True)
    (tmp_path / "store/keys.making/vault.key").write_bytes(b"half")
    Keyring.create(tmp_path / "store/keys").check(*Purpose)
    assert not (tmp_path / "store/keys.making").exists()


def test_a_key_is_read_when_it_is_needed_and_not_before(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path / "nowhere")
    rooms = (keyring.vault, keyring.deliveries, keyring.pseudonyms, keyring.record)
    assert len(rooms) == len(Purpose)
    with pytest.raises(NotFound, match="key backup"):
        keyring.pseudonyms.key_for("person_id")


def test_one_key_is_used_where_the_others_cannot_be_had(folder: Path) -> None:
    for purpose in set(Purpose) - {Purpose.PSEUDONYMS}:
        (folder / f"{purpose}.key").unlink()
    assert len(Keyring(folder).pseudonyms.key_for("row_key")) == 32
    with pytest.raises(NotFound, match=r"vault\.key"):
        Keyring(folder).check(Purpose.VAULT)


def test_what_is_signed_is_verified_by_the_public_half_beside_the_keys(folder: Path) -> None:
    record = Keyring(folder).record
    Ed25519PublicKey.from_public_bytes(record.public).verify(record.sign(b"head"), b"head")
    assert len(record.public) == 32
    assert (folder.parent / "record.pub").is_file()


@pytest.mark.parametrize("purpose", Purpose)
def test_a_key_of_another_hub_is_refused(folder: Path, tmp_path: Path, purpose: Purpose) -> None:
    Keyring.create(tmp_path / "other/keys")
    shutil.copy(tmp_path / f"other/keys/{purpose}.key", folder)
    with pytest.raises(Invalid, match=rf"{purpose}.key is not the key of this hub"):
        Keyring(folder).check(purpose)


def test_the_whole_folder_of_another_hub_is_refused_by_what_the_ledger_knows(folder: Path, tmp_path: Path) -> None:
    recorded = Keyring(folder).check_values()
    other = Keyring.create(tmp_path / "other/keys").folder
    with pytest.raises(Invalid, match="the one in the ledger"):
        Keyring(other, recorded=lambda: recorded).check(Purpose.VAULT)
    Keyring(folder, recorded=lambda: recorded).check(*Purpose)


@pytest.mark.parametrize("damage", ["gone", "empty", "lacks a purpose"])
def test_keys_without_their_check_values_are_refused(folder: Path, damage: str) -> None:
    checks = folder / "keys.json"
    match damage:
        case "gone":
            checks.unlink()
        case "empty":
            checks.write_text("")
        case _:
            checks.write_text('{"checks": {"record": "00"}}')
    with pytest.raises(FairhavenError, match=r"keys\.json"):
        Keyring(folder).check(Purpose.VAULT)


@pytest.mark.parametrize(
    ("name", "mode"),
    [("vault.key", 0o640), ("deliveries.key", 0o604), (".", 0o755), (".", 0o750), (".", 0o710)],
)
def test_a_key_that_others_may_read_is_refused_with_the_command_that_mends_it(
    folder: Path, name: str, mode: int
) -> None:
    path = folder / name
    path.chmod(mode)
    with pytest.raises(NotAllowedNow, match=rf"chmod [67]00 {path}"):
        Keyring(folder).check(*Purpose)


def test_a_hub_of_before_has_its_two_keys_for_all_purposes(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    for name, key in {"master.key": b"m" * 32, "secret.key": b"a secret of any length"}.items():
        (tmp_path / name).write_bytes(key)
        (tmp_path / name).chmod(0o600)
    keyring = Keyring(tmp_path)
    keyring.check(*Purpose)
    assert keyring.pseudonyms.key_for("row_key") == derive(b"a secret of any length", "row_key")
    keyring.deliveries.seal_bytes(b"x", tmp_path / "sealed")
    assert keyring.vault.open_bytes(tmp_path / "sealed") == b"x"
    assert len(keyring.record.public) == 32
