"""Modes are given to a hub's own files: no link leads them to somebody else's."""

import os
import stat
from pathlib import Path

import pytest

from fairhaven.hub.store_modes import StoreModes
from fairhaven.kernel.errors import Invalid

_STRANGER = 54_321


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A tree of somebody else's, as open as they left it."""
    place = tmp_path / "foreign"
    (place / "deep").mkdir(parents=True)
    (place / "deep" / "notes.txt").write_text("theirs")
    (place / "ledger.jsonl").write_text("")
    for path in (place, place / "deep"):
        path.chmod(0o755)
    (place / "deep" / "notes.txt").chmod(0o604)
    return place


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    place = tmp_path / "hub"
    for folder in ("store/keys", "store/vault", "sources", "mappings"):
        (place / folder).mkdir(parents=True)
    (place / "store" / "ledger.jsonl").write_text("")
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
    (foreign / "ledger.jsonl").unlink()
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
