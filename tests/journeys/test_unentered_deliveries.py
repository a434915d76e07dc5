"""A delivery is the hub's when the ledger has it: what a killed receive left, or somebody else put there, is not taken for one."""

import datetime as dt
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from fairhaven.cli.store_text import verification
from fairhaven.hub import make_hub, open_hub
from fairhaven.intake import Delivery, Format
from fairhaven.intake.delivery_records import DeliveryRecords
from fairhaven.journeys.deliveries.receive import recover_deliveries
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.store_verification import verify_store
from fairhaven.kernel.errors import Invalid
from fairhaven.kernel.progress import Silent
from fairhaven.ledger import EventKind, content_hash
from fairhaven.linkage.model import INDEX_SCHEMA
from tests.support.actors import ANNA

_RECORD = "deliveries/000001.json"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    hub = tmp_path_factory.mktemp("made") / "hub"
    make_hub(hub, by=ANNA)
    return hub


@pytest.fixture
def rooms(made: Path, tmp_path: Path) -> Rooms:
    shutil.copytree(made, tmp_path / "hub")
    return open_hub(tmp_path / "hub")


def _delivery() -> Delivery:
    return Delivery(number=1, source="gp", format=Format.DELIMITED, received_on=dt.date(2026, 1, 31), extracts=())


def _commit_killed(rooms: Rooms, *, is_entered: bool) -> Path:
    """The record of a delivery whose receive is killed before the ledger's entry, or after it and before the record has its name."""

    def enter(ready: Path) -> None:
        if is_entered:
            facts = {"delivery": 1, "source": "gp", "files": []}
            rooms.ledger.append(EventKind.DELIVERY, facts, by=ANNA, files={_RECORD: content_hash(ready)})
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        DeliveryRecords(rooms.store).commit(_delivery(), enter=enter)
    [ready] = (rooms.store / "deliveries").iterdir()
    return ready


def test_the_record_of_a_delivery_that_the_ledger_does_not_have_is_refused_and_never_entered(rooms: Rooms) -> None:
    DeliveryRecords(rooms.store).commit(_delivery(), enter=lambda _: None)
    length = rooms.ledger.length()
    with pytest.raises(Invalid, match=rf"{_RECORD}: says that a delivery was received, and the ledger has none"):
        recover_deliveries(rooms, by=ANNA)
    assert rooms.ledger.length() == length


def test_a_delivery_that_was_not_entered_is_cleared_away(rooms: Rooms) -> None:
    ready = _commit_killed(rooms, is_entered=False)
    recover_deliveries(rooms, by=ANNA)
    assert not ready.exists() and not rooms.intake.deliveries()


def test_a_delivery_that_was_entered_gets_the_record_that_was_entered(rooms: Rooms) -> None:
    ready = _commit_killed(rooms, is_entered=True)
    recover_deliveries(rooms, by=ANNA)
    assert not ready.exists() and rooms.intake.deliveries() == [_delivery()]


def test_another_record_in_the_place_of_the_one_that_was_entered_is_not_taken_for_it(rooms: Rooms) -> None:
    ready = _commit_killed(rooms, is_entered=True)
    ready.write_bytes(ready.read_bytes().replace(b'"gp"', b'"mh"'))
    length = rooms.ledger.length()
    with pytest.raises(Invalid, match=rf"{_RECORD}: is missing, and the ledger has it"):
        recover_deliveries(rooms, by=ANNA)
    assert (rooms.ledger.length(), rooms.intake.deliveries()) == (length, [])


def test_a_scrub_calls_a_record_pending_that_was_entered_and_has_not_its_name_yet(rooms: Rooms) -> None:
    _commit_killed(rooms, is_entered=True)
    found = verify_store(open_hub(rooms.folder), after="", progress=Silent())
    assert (found.problems, found.pending) == ((), (_RECORD, f"{_RECORD}.new"))
    assert not found.is_good
    said = "\n".join(verification(found))
    assert "run the next command (for instance `fairhaven build DIR`), which finishes it" in said
    recover_deliveries(rooms, by=ANNA)
    assert verify_store(open_hub(rooms.folder), after="", progress=Silent()).is_good


def test_a_record_that_waits_and_is_not_the_one_that_was_entered_is_a_fault(rooms: Rooms) -> None:
    ready = _commit_killed(rooms, is_entered=True)
    ready.write_bytes(ready.read_bytes().replace(b'"gp"', b'"mh"'))
    found = verify_store(open_hub(rooms.folder), after="", progress=Silent())
    assert ([each.path for each in found.problems], found.pending) == ([_RECORD, f"{_RECORD}.new"], ())


def test_a_scrub_calls_an_index_of_persons_pending_whose_release_was_entered(rooms: Rooms) -> None:
    rooms.vault.keep_index(INDEX_SCHEMA.empty_table())
    rooms.vault.propose_index(pa.table({name: ["1"] for name in INDEX_SCHEMA.names}), release=1)
    files = {"vault/index.sealed": content_hash(rooms.vault.index_file(proposed=1))}
    rooms.ledger.append(EventKind.STOCK_TAKEN, {"of": "releases"}, by=ANNA, files=files)
    found = verify_store(open_hub(rooms.folder), after="", progress=Silent())
    assert (found.problems, found.pending) == ((), ("vault/index-0001.sealed", "vault/index.sealed"))
    rooms.vault.accept_index(published=1)
    assert verify_store(open_hub(rooms.folder), after="", progress=Silent()).is_good


def test_the_refusal_of_a_record_that_was_removed_says_which_delivery_it_is_and_what_helps(rooms: Rooms) -> None:
    _commit_killed(rooms, is_entered=True).unlink()
    with pytest.raises(Invalid, match=r"record of delivery 1.*To receive the same files again does not help"):
        recover_deliveries(rooms, by=ANNA)
