"""What is received costs what it is, and not what was received before; what came before is looked at where it is reached."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairhaven.hub import open_hub
from fairhaven.journeys.deliveries.receive import receive_delivery
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.persons.erase import erase_person, person_with_nhs_number, plan_erasure
from fairhaven.journeys.persons.recovery import ErasureUnderWay, carry_out
from fairhaven.journeys.store_verification import verify_store
from fairhaven.kernel.errors import Invalid, NotFound
from fairhaven.kernel.progress import Silent
from fairhaven.ledger import EventKind
from fairhaven.linkage.model import INDEX_SCHEMA
from tests.support.actors import ANNA
from tests.support.intake_hub import DAY, HEADER
from tests.support.received_hub import received, received_hub
from tests.support.work_done import opened_below

_TABLE = "landing/000001/events.parquet"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub of which the first of two patients was erased."""
    folder = received_hub(tmp_path_factory.mktemp("made") / "hub")
    rooms = open_hub(folder)
    refs = pq.read_table(rooms.store / _TABLE).sort_by("event_id")["patient_ref"].to_pylist()
    decided = ErasureUnderWay(person=7, patients={"gp": refs[:1]}, by=ANNA, after=rooms.ledger.length())
    carry_out(rooms, decided, progress=Silent())
    return folder


@pytest.fixture
def rooms(made: Path, tmp_path: Path) -> Rooms:
    shutil.copytree(made, tmp_path / "hub")
    return open_hub(tmp_path / "hub")


def _altered(rooms: Rooms) -> None:
    path = rooms.store / _TABLE
    pq.write_table(pq.read_table(path).slice(0, 0), path)


def test_nothing_of_earlier_extracts_is_read_where_nobody_in_what_comes_was_erased(rooms: Rooms) -> None:
    _altered(rooms)  # the next build names it
    before = {path.relative_to(rooms.store).as_posix() for path in rooms.store.rglob("*.*") if path.is_file()}
    with opened_below(rooms.store) as opened:
        assert received(rooms, "3,p3,2020-01-03,3,c\n").delivery == 2
    # Of the vault only who is known is read: what comes is searched for their names (ADR 32).
    read = opened.keys() & {path for path in before if path.startswith(("landing/", "received/"))}
    assert read == set()


def test_earlier_extracts_are_compared_before_rows_of_somebody_erased_reach_them(rooms: Rooms) -> None:
    rows = "3,p1,no day,3,c\n"  # it goes to quarantine, where it is looked for
    _altered(rooms)
    length = rooms.ledger.length()
    with pytest.raises(Invalid, match=rf"{_TABLE}: was altered"):
        received(rooms, rows)
    assert rooms.ledger.length() == length
    assert [path.name for path in (rooms.store / "landing").iterdir()] == ["000001"]


def test_each_further_delivery_costs_the_next_one_its_record_its_identities_and_a_look_into_its_folder(
    rooms: Rooms,
) -> None:
    opened = []
    for number in range(3, 9):
        with opened_below(rooms.store) as files:
            received(open_hub(rooms.folder), f"{number},p{number},2020-01-03,3,c\n")
        opened.append(sum(files.values()))
    # Whether its tokens are those of its identities is looked at beside: four more.
    assert opened[-1] - opened[0] <= 8 * (len(opened) - 1)
    assert verify_store(open_hub(rooms.folder), after="", progress=Silent()).is_good


def test_somebody_of_whom_all_is_in_quarantine_is_erased_by_nhs_number_and_by_nothing_else(
    made: Path, tmp_path: Path
) -> None:
    shutil.copytree(made, tmp_path / "hub")
    rooms = open_hub(tmp_path / "hub")
    [left] = pq.read_table(rooms.store / _TABLE)["patient_ref"].to_pylist()
    index = [{"source": "gp", "patient_ref": left, "person_id": 5, "step": "alone", "weight": 0.0}]
    rooms.vault.keep_index(pa.Table.from_pylist(index, schema=INDEX_SCHEMA))
    (file := tmp_path / "events.csv").write_text(
        HEADER.strip() + ",nhs_number\n4,q7,no day,4,d,9990000018\n5,q8,no day,5,e,9990000026\n"
    )
    receive_delivery(rooms, source="gp", files=[file], received_on=DAY, today=DAY, by=ANNA, progress=Silent())
    rooms.ledger.append_changed(EventKind.STOCK_TAKEN, {"of": "releases"}, [rooms.vault.index_file()], by=ANNA)
    key, number = person_with_nhs_number(rooms, "999 000 0018\n")
    assert plan_erasure(rooms, person_key=key, nhs_number=number).patients == {"gp": 1}
    erased = erase_person(rooms, person_key=key, nhs_number=number, by=ANNA, progress=Silent())
    assert erased.deliveries.quarantined == {"gp": {"events": 1}}
    sealed = rooms.store / "received" / f"{rooms.intake.extracts()[1].sealed_as}.sealed"
    content = rooms.keyring.deliveries.open_bytes(sealed)
    assert b"q7" not in content and b"q8" in content
    assert person_with_nhs_number(rooms, number) == (key, number)
    assert erase_person(rooms, person_key=key, nhs_number=number, by=ANNA, progress=Silent()).was_done
    with pytest.raises(NotFound, match="nobody here has this NHS number"):
        person_with_nhs_number(rooms, "9990000034")
    assert verify_store(open_hub(rooms.folder), after="", progress=Silent()).is_good
