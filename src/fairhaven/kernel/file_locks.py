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
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from fairhaven.kernel.errors import NotAllowedNow
from fairhaven.kernel.plain_files import open_plain
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
    with os.fdopen(open_plain(path, os.O_RDWR | os.O_CREAT), "r+", encoding="utf-8") as file:
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


def is_held(descriptor: int, path: Path) -> bool:
    """Lock what was just made, until its opening ends, so that others see that its maker lives; whether it still has its name.

    Until it is locked it looks like something that was left behind (`left_behind`), and another process may have removed it.
    """
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with suppress(FileNotFoundError):
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    return False


@contextmanager
def left_behind(path: Path) -> Iterator[int | None]:
    """A file or folder of this account whose maker no longer holds it, opened and locked; None for any other, and for a link."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    try:
        yield descriptor if os.fstat(descriptor).st_uid == os.geteuid() and is_taken(descriptor) else None
    finally:
        os.close(descriptor)


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
