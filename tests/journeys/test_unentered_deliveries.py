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
from fairhaven.journeys.persons.recovery import recover
from fairhaven.journeys.store_files import check_kept
from fairhaven.journeys.store_verification import verify_store
from fairhaven.kernel.errors import Invalid
from fairhaven.kernel.progress import Silent
from fairhaven.ledger import EventKind, content_hash, hash_of_json
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


def _commit_killed(rooms: Rooms, *, is_entered: bool) -> None:
    """A receive that is killed before the ledger's entry of a delivery, or after it and before its record is written."""

    def enter(record: object) -> None:
        if is_entered:
            facts = {"delivery": 1, "source": "gp", "files": [], "record": record}
            rooms.ledger.append(EventKind.DELIVERY, facts, by=ANNA, files={_RECORD: hash_of_json(record)})
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        DeliveryRecords(rooms.store).commit(_delivery(), enter=enter)


def test_the_record_of_a_delivery_that_the_ledger_does_not_have_is_refused_and_never_entered(rooms: Rooms) -> None:
    DeliveryRecords(rooms.store).commit(_delivery(), enter=lambda _: None)
    length = rooms.ledger.length()
    with pytest.raises(Invalid, match=rf"{_RECORD}: says that a delivery was received, and the ledger has none"):
        recover_deliveries(rooms, by=ANNA)
    assert rooms.ledger.length() == length


def test_a_delivery_that_was_not_entered_leaves_no_record(rooms: Rooms) -> None:
    _commit_killed(rooms, is_entered=False)
    recover_deliveries(rooms, by=ANNA)
    assert not rooms.intake.deliveries() and verify_store(rooms, after="", progress=Silent()).is_good


def test_a_delivery_that_was_entered_gets_the_record_that_was_entered(rooms: Rooms) -> None:
    _commit_killed(rooms, is_entered=True)
    recover_deliveries(rooms, by=ANNA)
    assert rooms.intake.deliveries() == [_delivery()]


def test_a_record_that_somebody_removes_is_written_again_from_the_ledger(rooms: Rooms) -> None:
    _commit_killed(rooms, is_entered=True)
    recover_deliveries(rooms, by=ANNA)
    (rooms.store / _RECORD).unlink()
    recover_deliveries(rooms, by=ANNA)
    assert rooms.intake.deliveries() == [_delivery()]
    assert verify_store(open_hub(rooms.folder), after="", progress=Silent()).is_good


def test_another_record_in_the_place_of_the_one_that_was_entered_is_a_fault_and_stays_until_somebody_removes_it(
    rooms: Rooms,
) -> None:
    _commit_killed(rooms, is_entered=True)
    recover_deliveries(rooms, by=ANNA)
    record = rooms.store / _RECORD
    record.write_bytes(altered := record.read_bytes().replace(b'"gp"', b'"mh"'))
    recover_deliveries(rooms, by=ANNA)
    with pytest.raises(Invalid, match=rf"{_RECORD}: was altered.*Remove it, and the next receive or build writes it"):
        check_kept(rooms, [record])
    assert record.read_bytes() == altered
    [problem] = verify_store(open_hub(rooms.folder), after="", progress=Silent()).problems
    assert problem.path == _RECORD


def test_a_scrub_calls_a_record_pending_that_was_entered_and_is_not_written_yet(rooms: Rooms) -> None:
    _commit_killed(rooms, is_entered=True)
    found = verify_store(open_hub(rooms.folder), after="", progress=Silent())
    assert (found.problems, found.pending) == ((), (_RECORD,))
    assert not found.is_good
    said = "\n".join(verification(found))
    assert "run the next command (for instance `fairhaven build DIR`), which finishes it" in said
    recover_deliveries(rooms, by=ANNA)
    assert verify_store(open_hub(rooms.folder), after="", progress=Silent()).is_good


def test_a_scrub_calls_an_index_of_persons_pending_whose_release_was_entered(rooms: Rooms) -> None:
    rooms.vault.keep_index(INDEX_SCHEMA.empty_table())
    rooms.vault.propose_index(pa.table({name: ["1"] for name in INDEX_SCHEMA.names}), release=1)
    files = {"vault/index.sealed": content_hash(rooms.vault.index_file(proposed=1))}
    rooms.ledger.append(EventKind.STOCK_TAKEN, {"of": "releases"}, by=ANNA, files=files)
    found = verify_store(open_hub(rooms.folder), after="", progress=Silent())
    assert (found.problems, found.pending) == ((), ("vault/index-0001.sealed", "vault/index.sealed"))
    rooms.vault.accept_index(published=1)
    assert verify_store(open_hub(rooms.folder), after="", progress=Silent()).is_good


def test_an_index_of_persons_that_somebody_put_beside_the_one_in_use_does_not_take_its_place(rooms: Rooms) -> None:
    rooms.vault.keep_index(INDEX_SCHEMA.empty_table())
    index = rooms.vault.index_file()
    rooms.ledger.append(
        EventKind.STOCK_TAKEN, {"of": "releases"}, by=ANNA, files={"vault/index.sealed": content_hash(index)}
    )
    in_use = index.read_bytes()
    rooms.vault.propose_index(pa.table({name: ["1"] for name in INDEX_SCHEMA.names}), release=0)
    with pytest.raises(Invalid, match=r"vault/index-0000\.sealed: is not the index of persons that was entered"):
        recover(rooms, by=ANNA, progress=Silent())
    assert index.read_bytes() == in_use


def test_the_refusal_of_a_record_that_an_earlier_version_received_and_somebody_removed_says_what_helps(
    rooms: Rooms,
) -> None:
    facts = {"delivery": 1, "source": "gp", "files": []}
    rooms.ledger.append(EventKind.DELIVERY, facts, by=ANNA, files={_RECORD: "0" * 64})
    with pytest.raises(Invalid, match=r"record of delivery 1.*To receive the same files again does not help"):
        recover_deliveries(rooms, by=ANNA)


def test_what_an_extract_was_is_not_cleared_away_where_neither_it_nor_what_comes_after_is_there(
    rooms: Rooms,
) -> None:
    """A kill in the middle of a swap, and somebody takes away what was ready."""
    before = rooms.store / "landing/000001.old"
    before.mkdir(parents=True)
    rooms.ledger.append(EventKind.LANDED_AGAIN, {}, by=ANNA, files={"landing/000001/extract.json": "0" * 64})
    with pytest.raises(Invalid, match=r"landing/000001/extract\.json: is missing"):
        recover_deliveries(rooms, by=ANNA)
    assert before.exists()
