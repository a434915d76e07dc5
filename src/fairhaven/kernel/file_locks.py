"""Locks between processes: who must wait for another says for whom, and does not wait for ever.

A lock is an advisory lock (flock) on a file, which the operating system drops when its holder dies, kill -9 included. The
file itself stays and says who took the lock last, for those who wait.
"""

import datetime as dt
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from fairhaven.kernel.errors import NotAllowedNow
from fairhaven.kernel.progress import Progress

_LOOK = 0.2  # seconds between two looks at a lock that another holds


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """Who holds a lock, in words for those who wait for it.

    Args:
        act: what is being done, a noun: ``build``.
        by: who does it; empty where nobody in particular does.
        since: when the lock was taken, ISO 8601 with the zone.
    """

    act: str
    by: str
    since: str

    def __str__(self) -> str:
        began = dt.datetime.fromisoformat(self.since)
        is_today = began.date() == dt.datetime.now(began.tzinfo).date()
        when = f"at {began:%H:%M}" if is_today else f"on {began:%Y-%m-%d at %H:%M}"
        return f"the {self.act} that started {when}" + (f" by {self.by}" if self.by else "")


@contextmanager
def locked(path: Path, *, act: str, by: str, patience: float, progress: Progress) -> Iterator[None]:
    """Hold a lock for the length of the block.

    Args:
        path: the lock's file; made where there is none.
        act, by: see `Holder`.
        patience: seconds to wait for another holder; 0 where waiting makes no sense.

    Raises:
        NotAllowedNow: another process still held the lock after that time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8") as file:
        if not is_taken(file):
            _wait(file, patience, progress)
        holder = Holder(act=act, by=by, since=dt.datetime.now().astimezone().isoformat(timespec="seconds"))
        file.seek(0)
        file.truncate()
        json.dump(asdict(holder), file)
        file.flush()
        yield


def is_taken(file: TextIO | int) -> bool:
    """Take the lock of an opened file or folder, unless another process holds it; whether this one now does."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(file: TextIO, patience: float, progress: Progress) -> None:
    until = time.monotonic() + patience
    other = _holder(file)
    if patience > 0:
        progress.note(f"waiting for {other}")
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(_LOOK, left))
        if is_taken(file):
            return
    waited = f"waited {_in_words(patience)} for {other}; " if patience > 0 else f"{other} is under way; "
    raise NotAllowedNow(f"{waited}nothing was done. Try again when it has ended.")


def _in_words(seconds: float) -> str:
    """A length of time in whole minutes, or in whole seconds where it is shorter than one."""
    number, unit = (round(seconds / 60), "minute") if seconds >= 60 else (max(round(seconds), 1), "second")
    return f"{number} {unit}" + ("s" if number != 1 else "")


def _holder(file: TextIO) -> Holder | str:
    """Who holds the lock; it may have been taken a moment ago and not yet say by whom."""
    file.seek(0)
    try:
        return Holder(**json.loads(file.read()))
    except (ValueError, TypeError, RecursionError):
        return "another command"
