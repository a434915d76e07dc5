"""A folder that an account may not look into is not an empty one, for whatever reads a hub."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fairhaven.archive.release_store import ReleaseStore
from fairhaven.hub.hub_files import read_text
from fairhaven.intake.delivery_records import DeliveryRecords
from fairhaven.kernel.envelope import Envelope
from fairhaven.kernel.errors import Invalid, NotPermitted
from fairhaven.kernel.files import check_empty
from fairhaven.kernel.keyring import Keyring
from fairhaven.kernel.listing import listed, listed_below
from fairhaven.ledger import Ledger, content_hashes
from fairhaven.linkage import Vault
from fairhaven.omop.vocabulary import loaded
from tests.support.other_accounts import folder_for_all, without_leave

READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a folder": ("folder", lambda top: listed(top / "folder")),
    "what is below a folder": ("folder/inner", lambda top: listed_below(top / "folder")),
    "deliveries": ("deliveries", lambda top: DeliveryRecords(top).deliveries()),
    "what no delivery names": ("landing", lambda top: DeliveryRecords(top).clear_uncommitted({})),
    "identities": ("vault/identity", lambda top: Vault(top / "vault", Envelope(bytes)).records()),
    "releases": ("archive/releases", lambda top: ReleaseStore(top, ledger=Ledger(top)).as_found()),
    "vocabularies": ("vocabulary", lambda top: loaded(top / "vocabulary")),
    "hashes of files": ("erased", lambda top: content_hashes(top, [top / "erased"])),
    "whether there are keys": ("keys", lambda top: Keyring.create(top / "keys")),
    "sources": ("hub/sources", lambda top: read_text(top / "hub")),
    "whether a folder is free": ("free", lambda top: check_empty(top / "free")),
}


@pytest.mark.parametrize("of", READERS)
def test_what_may_not_be_looked_into_is_refused_and_not_taken_for_empty(of: str) -> None:
    place, read = READERS[of]
    with folder_for_all() as top:
        closed = top / place
        closed.mkdir(parents=True)
        (top / "hub").mkdir(exist_ok=True)
        (top / "hub" / "hub.toml").write_text('name = "A hub"\n')
        with without_leave(closed), pytest.raises(NotPermitted, match=f"may not look into .*{place}"):
            read(top)


def test_where_there_is_no_folder_there_is_nothing_in_it(tmp_path: Path) -> None:
    assert listed(tmp_path / "none") == listed_below(tmp_path / "none") == []


def test_a_file_in_the_place_of_a_folder_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "deliveries").write_text("")
    with pytest.raises(Invalid, match="is to be a folder, and is none"):
        DeliveryRecords(tmp_path).deliveries()


def test_everything_below_is_listed_in_order_without_following_links(tmp_path: Path) -> None:
    for place in ("b/2.json", "a/x/1.json", "a.json", ".hidden/3.json", "left/4.json"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    (tmp_path / "b" / "round").symlink_to(tmp_path)
    found = listed_below(tmp_path, "*.json", is_left_out=lambda path: path.name == "left")
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        ".hidden/3.json",
        "a/x/1.json",
        "a.json",
        "b/2.json",
    ]
