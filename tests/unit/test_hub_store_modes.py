"""Modes are given to a hub's own files: no link leads them to somebody else's."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from fairhaven.hub import make_hub, open_hub
from fairhaven.hub.store_modes import StoreModes
from fairhaven.journeys.demonstration import demonstrate
from fairhaven.kernel.errors import Invalid, NotPermitted
from fairhaven.kernel.progress import Silent
from tests.support.actors import ANNA

_STRANGER = 54_321


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A tree of somebody else's, as open as they left it."""
    place = tmp_path / "foreign"
    (place / "deep").mkdir(parents=True)
    (place / "deep" / "notes.txt").write_text("theirs")
    (place / "records.sqlite").write_text("")
    for path in (place, place / "deep"):
        path.chmod(0o755)
    (place / "deep" / "notes.txt").chmod(0o604)
    return place


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    place = tmp_path / "hub"
    for folder in ("store/keys", "store/vault", "sources", "mappings"):
        (place / folder).mkdir(parents=True)
    (place / "store" / "records.sqlite").write_text("")
    (place / "store").chmod(0o755)
    return place


def modes(tree: Path) -> dict[str, tuple[int, int]]:
    """Mode and group of a folder and all below it."""
    return {str(path): (path.stat().st_mode, path.stat().st_gid) for path in (tree, *tree.rglob("*"))}


@pytest.mark.parametrize(
    "name", ["sources", "mappings", "store/vault", "store/keys", "store/landing", "store/vault/deep"]
)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to another group")
def test_a_link_in_a_hub_leads_no_modes_to_somebody_elses_files(hub: Path, foreign: Path, name: str) -> None:
    before = modes(foreign)
    if (hub / name).is_dir():
        (hub / name).rmdir()
    (hub / name).symlink_to(foreign)
    StoreModes(folder=hub, group=_STRANGER).close(tell=lambda _: None)
    assert modes(foreign) == before
    assert stat.S_IMODE((hub / "store").stat().st_mode) == 0o750


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to another account")
def test_a_store_that_is_a_link_to_somebody_elses_folder_is_refused_and_nothing_there_is_touched(
    hub: Path, foreign: Path
) -> None:
    (hub / "store").rename(hub / "before")
    link = hub / "store"
    link.symlink_to(foreign)
    os.chown(link, _STRANGER, _STRANGER, follow_symlinks=False)
    before = modes(foreign)
    with pytest.raises(Invalid, match="nothing there was touched"):
        StoreModes(folder=hub, group=None).close(tell=lambda _: None)
    with pytest.raises(Invalid, match="nothing there was touched"):
        StoreModes(folder=hub, group=None).apply()
    assert modes(foreign) == before


def test_a_store_that_is_a_link_to_what_is_no_store_is_refused(hub: Path, foreign: Path) -> None:
    (hub / "store").rename(hub / "before")
    (hub / "store").symlink_to(foreign)
    (foreign / "records.sqlite").unlink()
    before = modes(foreign)
    with pytest.raises(Invalid, match="is no store"):
        StoreModes(folder=hub, group=None).close(tell=lambda _: None)
    assert modes(foreign) == before


def test_a_store_that_its_owner_linked_elsewhere_and_a_hub_reached_through_a_link_are_closed(
    hub: Path, tmp_path: Path
) -> None:
    (hub / "store").rename(tmp_path / "volume")
    (hub / "store").symlink_to(tmp_path / "volume")
    (tmp_path / "linked").symlink_to(hub)
    said: list[str] = []
    StoreModes(folder=tmp_path / "linked", group=None).close(tell=said.append)
    assert stat.S_IMODE((tmp_path / "volume").stat().st_mode) == 0o700
    assert "is closed now" in said[0]


@pytest.mark.parametrize("name", ["store/query-audit/planted.log", "sources/planted.toml"])
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to another group")
def test_another_name_of_a_file_of_elsewhere_gives_it_no_modes(hub: Path, foreign: Path, name: str) -> None:
    (hub / name).parent.mkdir(exist_ok=True)
    (foreign / "deep" / "notes.txt").chmod(0o600)
    os.link(foreign / "deep" / "notes.txt", hub / name)
    before = modes(foreign)
    StoreModes(folder=hub, group=_STRANGER).close(tell=lambda _: None)
    assert modes(foreign) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to another account")
def test_another_name_of_a_file_of_roots_gives_it_no_modes_in_a_store_of_another_account(
    hub: Path, foreign: Path
) -> None:
    for path in (hub / "store", *(hub / "store").rglob("*")):
        os.chown(path, _STRANGER, -1)
    (foreign / "deep" / "notes.txt").chmod(0o600)
    (hub / "store" / "archive").mkdir()
    os.link(foreign / "deep" / "notes.txt", hub / "store" / "archive" / "planted")
    before = modes(foreign)
    StoreModes(folder=hub, group=_STRANGER).close(tell=lambda _: None)
    assert modes(foreign) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_no_hub_is_made_in_a_folder_that_another_account_made_for_it(tmp_path: Path) -> None:
    for make in (
        lambda folder: make_hub(folder, by=ANNA),
        lambda folder: demonstrate(folder, persons=30, seed=1, open_hub=open_hub, by=ANNA, progress=Silent()),
    ):
        folder = tmp_path / "theirs"
        folder.mkdir(exist_ok=True)
        (folder / ".being-made").touch()
        os.chown(folder, _STRANGER, -1)
        with pytest.raises(NotPermitted, match=f"uid {_STRANGER}'s, who could exchange what is put there"):
            make(folder)
        assert {path.name for path in folder.iterdir()} == {".being-made"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to another group")
def test_readers_may_not_write_what_the_group_of_before_could(hub: Path) -> None:
    (hub / "hub.toml").write_text("")
    for path in (hub, hub / "hub.toml", hub / "sources"):
        path.chmod(0o777)  # as umask 000 leaves them; 002 is the usual one of a shared machine
    StoreModes(folder=hub, group=_STRANGER).close(tell=lambda _: None)
    open_to_write = [name for name, (mode, _) in modes(hub).items() if mode & 0o022]
    assert open_to_write == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may be another account")
def test_folders_that_another_account_nests_in_the_store_are_passed_over(hub: Path) -> None:
    deep = hub / "store" / "query-audit"
    deep.mkdir()
    at = os.open(deep, os.O_RDONLY)
    for _ in range(1_500):
        os.mkdir("d", dir_fd=at)
        os.chown("d", _STRANGER, _STRANGER, dir_fd=at)
        inner = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)
    try:
        StoreModes(folder=hub, group=_STRANGER).close(tell=lambda _: None)
    finally:  # too deep for whoever clears away after tests
        subprocess.run(["rm", "-rf", str(deep)], check=True)
    assert stat.S_IMODE((hub / "store").stat().st_mode) == 0o750
