"""Locks between processes: waiting, saying for whom, giving up, and holders that die."""

import multiprocessing as mp
import os
import signal
import threading
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from fairhaven.kernel.errors import NotAllowedNow
from fairhaven.kernel.file_locks import locked
from fairhaven.kernel.progress import Silent


class Told(Silent):
    """Progress that keeps its notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        """Keep it."""
        self.notes.append(message)


def hold(path: Path, has_begun: Event, may_end: Event) -> None:
    with locked(path, act="build", by="anna", patience=0, progress=Silent()):
        has_begun.set()
        may_end.wait(60)


class Other:
    """Another process that holds a lock."""

    def __init__(self, path: Path) -> None:
        context = mp.get_context("spawn")
        self.may_end = context.Event()
        has_begun = context.Event()
        self.process = context.Process(target=hold, args=(path, has_begun, self.may_end))
        self.process.start()
        assert has_begun.wait(60)

    def end(self) -> None:
        """Have it end."""
        self.may_end.set()
        self.process.join()


def test_who_must_wait_is_told_for_whom_and_then_has_the_lock(tmp_path: Path) -> None:
    other, told = Other(tmp_path / "lock"), Told()
    threading.Timer(0.3, other.end).start()
    with locked(tmp_path / "lock", act="erasure", by="ben", patience=60, progress=told):
        assert other.may_end.is_set()
    [note] = told.notes
    assert note.startswith("waiting for the build that started at ")
    assert note.endswith(" by anna")


def test_waiting_has_a_limit_and_where_it_makes_no_sense_nobody_waits(tmp_path: Path) -> None:
    other = Other(tmp_path / "lock")
    with (
        pytest.raises(NotAllowedNow, match=r"^waited 1 second for the build .* by anna; nothing was done"),
        locked(tmp_path / "lock", act="erasure", by="ben", patience=0.3, progress=Silent()),
    ):
        pass
    began = time.monotonic()
    with (
        pytest.raises(NotAllowedNow, match=r"^the build .* by anna is under way; nothing was done"),
        locked(tmp_path / "lock", act="erasure", by="ben", patience=0, progress=Silent()),
    ):
        pass
    assert time.monotonic() - began < 5
    other.end()


def test_a_holder_that_is_killed_has_let_go(tmp_path: Path) -> None:
    other, told = Other(tmp_path / "lock"), Told()
    assert other.process.pid is not None
    os.kill(other.process.pid, signal.SIGKILL)
    other.process.join()
    with locked(tmp_path / "lock", act="erasure", by="ben", patience=0, progress=told):
        assert told.notes == []
