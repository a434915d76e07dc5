"""The databases of a store, and the logs of questions: of which bytes a change is noticed, and of which it is said that it is not."""

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from pyroaring import BitMap

from fairhaven.hub import open_hub
from fairhaven.journeys.hub_audit import open_audit, record_questions
from fairhaven.journeys.hub_places import STORE, place_of
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.store_verification import verify_store
from fairhaven.kernel.errors import FairhavenError
from fairhaven.kernel.progress import Silent
from fairhaven.network.server.queue import TaskQueue
from fairhaven.network.task_record import TaskRecord
from fairhaven.query_audit import Asker, QueryAudit
from tests.support.actors import ANNA
from tests.support.received_hub import received_hub

_AUDIT, _QUEUE, _TASKS = "query-audit.sqlite", "network.sqlite", "discovery/c/record.sqlite"
_OPENED: dict[str, Callable[[Rooms], object]] = {
    _QUEUE: lambda rooms: TaskQueue(rooms.store / _QUEUE, by=ANNA).close(),
    _TASKS: lambda rooms: TaskRecord(rooms.store / _TASKS).close(),
    _AUDIT: lambda rooms: record_questions(rooms, by=ANNA, progress=Silent()),
}
"""What opens one as the next command does."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub with something in each of its databases."""
    folder = received_hub(tmp_path_factory.mktemp("made") / "hub")
    rooms = open_hub(folder)
    with open_audit(rooms) as audit:
        audit.add_release("r1", np.arange(200, dtype=np.int64))
        for size in (40, 60, 90):
            audit.ask(BitMap(range(size)), asker=Asker(project="p", organisation="o"), release="r1")
    record_questions(rooms, by=ANNA, progress=Silent())
    (rooms.store / "discovery/c").mkdir(parents=True)
    with closing(TaskRecord(rooms.store / _TASKS)) as record:
        record.answer(record.take("u", "availability", b"{}"), '{"count": 10}')
    with closing(TaskQueue(rooms.store / _QUEUE, by=ANNA)) as queue:
        queue.members.add("c")
        queue.submit({"analysis": "DISTRIBUTION", "code": "DEMOGRAPHICS"}, ["c"])
    return folder


@pytest.fixture
def rooms(made: Path, tmp_path: Path) -> Rooms:
    shutil.copytree(made, tmp_path / "hub")
    return open_hub(tmp_path / "hub")


def _flips(path: Path, *, times: int) -> Iterator[None]:
    """The file with another byte each time."""
    whole, choose = path.read_bytes(), random.Random(7)
    for _ in range(times):
        data = bytearray(whole)
        data[choose.randrange(len(data))] ^= 1
        path.write_bytes(data)
        yield
    path.write_bytes(whole)


def _is_noticed(rooms: Rooms, name: str) -> bool:
    try:
        if not verify_store(open_hub(rooms.folder), after="", progress=Silent()).is_good:
            return True
        _OPENED[name](open_hub(rooms.folder))
    except FairhavenError:
        return True
    return False


def test_where_another_byte_is_not_noticed_the_table_of_the_store_says_what_it_may_change(rooms: Rooms) -> None:
    unnoticed = {name for name in _OPENED for _ in _flips(rooms.store / name, times=12) if not _is_noticed(rooms, name)}
    said = {place.path for place in STORE if place.unnoticed}
    # The copy of the record for other accounts is a database like it.
    assert {place.path for place in map(place_of, unnoticed) if place} == said - {"query-audit/record.sqlite"}


def _log(rooms: Rooms) -> Path:
    [log] = (rooms.store / "query-audit").glob("*.log")
    return log


def test_a_scrub_notices_another_byte_in_any_line_of_a_log_of_questions(rooms: Rooms) -> None:
    log = _log(rooms)
    for _ in _flips(log, times=6):
        [problem] = verify_store(open_hub(rooms.folder), after="", progress=Silent()).problems
        assert problem.path == f"query-audit/{log.name}"
    assert verify_store(open_hub(rooms.folder), after="", progress=Silent()).is_good


@pytest.mark.parametrize("harm", ["cut", "gone", "the first line away"])
def test_a_scrub_names_a_log_of_questions_that_lost_something(rooms: Rooms, harm: str) -> None:
    log = _log(rooms)
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[1:] if harm == "the first line away" else lines)[:-1])
    if harm == "gone":
        log.unlink()
    [problem] = verify_store(open_hub(rooms.folder), after="", progress=Silent()).problems
    assert (problem.path, problem.message[:21]) == (f"query-audit/{log.name}", "was cut off or altere")


@pytest.mark.parametrize("harm", ["cut", "gone", "begun anew"])
def test_a_scrub_names_a_record_of_questions_that_is_not_the_one_the_ledger_has_seen(rooms: Rooms, harm: str) -> None:
    record = rooms.store / _AUDIT
    if harm == "cut":
        record.write_bytes(record.read_bytes()[:-1])
    else:
        record.unlink()
    if harm == "begun anew":
        other = rooms.folder / "other.sqlite"
        QueryAudit(other, rooms.settings.disclosure, rooms.settings.audit).close()
        other.rename(record)
    [problem] = verify_store(open_hub(rooms.folder), after="", progress=Silent()).problems
    assert problem.path == _AUDIT
