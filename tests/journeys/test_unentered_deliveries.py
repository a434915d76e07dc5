"""A delivery is the hub's when the ledger has it: what a killed receive left, or somebody else put there, is not taken for one."""

import datetime as dt
import shutil
from pathlib import Path

import pytest

from fairhaven.hub import make_hub, open_hub
from fairhaven.intake import Delivery, Format
from fairhaven.intake.delivery_records import DeliveryRecords
from fairhaven.journeys.deliveries.receive import recover_deliveries
from fairhaven.journeys.model import Rooms
from fairhaven.kernel.errors import Invalid
from fairhaven.ledger import EventKind, content_hash
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
