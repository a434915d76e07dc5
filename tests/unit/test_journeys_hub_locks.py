"""What of a hub is locked: how long a command waits for all of it together."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from fairhaven.hub import open_hub
from fairhaven.hub.new_hub import make_hub
from fairhaven.journeys.hub_locks import Locked, holding
from fairhaven.journeys.model import Rooms
from fairhaven.kernel.errors import NotAllowedNow
from fairhaven.kernel.file_locks import locked
from fairhaven.kernel.progress import Silent
from tests.support.actors import ANNA


def at_once(rooms: Rooms) -> AbstractContextManager[None]:
    """As an erasure locks."""
    return holding(rooms, Locked.RELEASES, Locked.DELIVERIES, act="erasure", by=ANNA, progress=Silent())


@contextmanager
def one_in_the_other(rooms: Rooms) -> Iterator[None]:
    """As a build locks."""
    with (
        holding(rooms, Locked.RELEASES, act="build", by=ANNA, progress=Silent()),
        holding(rooms, Locked.DELIVERIES, act="build", by=ANNA, progress=Silent()),
    ):
        yield


@contextmanager
def one_after_the_other(rooms: Rooms) -> Iterator[None]:
    """As a build locks what it lets go again."""
    with holding(rooms, Locked.RELEASES, act="build", by=ANNA, progress=Silent()):
        with holding(rooms, Locked.DELIVERIES, act="build", by=ANNA, progress=Silent()):
            pass
        with holding(rooms, Locked.VOCABULARY, act="build", by=ANNA, progress=Silent()):
            yield


@pytest.mark.parametrize(
    ("lock", "first", "second"),
    [
        (at_once, Locked.RELEASES, Locked.DELIVERIES),
        (one_in_the_other, Locked.RELEASES, Locked.DELIVERIES),
        (one_after_the_other, Locked.DELIVERIES, Locked.VOCABULARY),
    ],
)
def test_the_limit_of_waiting_is_for_all_that_a_command_locks(
    tmp_path: Path, lock: Callable[[Rooms], AbstractContextManager[None]], first: Locked, second: Locked
) -> None:
    make_hub(tmp_path / "hub", by=ANNA)
    rooms = open_hub(tmp_path / "hub")
    three_seconds = 3 / 60  # hub.toml has whole minutes
    rooms = replace(rooms, settings=replace(rooms.settings, wait_minutes=three_seconds))  # type: ignore[arg-type]
    with ExitStack() as soon, ExitStack() as late:
        for stack, thing in ((soon, first), (late, second)):
            path = rooms.store / "locks" / thing
            stack.enter_context(locked(path, act="delivery", by="ben", patience=0, progress=Silent()))
        threading.Timer(2, soon.close).start()
        # Of three seconds two went on the first lock; on a busy machine all three.
        with pytest.raises(NotAllowedNow, match=r"^waited 1 second for|is under way"), lock(rooms):
            pass
