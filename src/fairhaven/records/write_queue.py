"""Who writes next: threads of a process in the order in which they came, processes in turn.

SQLite's own waiting is a look now and then, ever more seldom: whoever has just written is mostly the next to write, and another waits for
as long as there is something to write (docs/adr/0051 has the figures). Here a thread waits for its turn in its process, then takes the lock
of a file that says who is next, then the one that says who writes; whoever has just written comes after whoever is next.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fairhaven.kernel.errors import NotAllowedNow
from fairhaven.kernel.file_locks import is_taken
from fairhaven.kernel.plain_files import open_plain

WRITES, KEYS_LATER = "fairhaven_writes", "fairhaven_keys_later"
"""Options of a connection: that it writes, and that keys to other rows are looked at when all is done."""
_LOOK = 0.001
"""Seconds between two looks of whoever is next, and, times `_LATER`, of those behind."""
_LATER = 5


class ThreadQueue:
    """Lets one thread at a time through, in the order in which they came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.waiting: deque[threading.Lock] = deque()
        """Those who wait, each by a lock that is released when its turn comes."""
        self._is_taken = False

    def enter(self, patience: float) -> bool:
        """Wait for one's turn, so many seconds at most; whether it came."""
        with self._lock:
            if not self._is_taken:
                self._is_taken = True
                return True
            turn = threading.Lock()
            turn.acquire()
            self.waiting.append(turn)
        try:
            if turn.acquire(timeout=max(patience, 0)):
                return True
        except BaseException:  # Ctrl-C ends the waiting, and whoever waits behind is not to wait for this one
            if not self._gone(turn):
                self.leave()
            raise
        return not self._gone(turn)

    def _gone(self, turn: threading.Lock) -> bool:
        """Wait no longer; False where the turn came in that very moment."""
        with self._lock:
            if turn not in self.waiting:
                return False
            self.waiting.remove(turn)
            return True

    @contextmanager
    def turn(self, patience: float) -> Iterator[None]:
        """Be the one that is let through for the length of the block.

        Args:
            patience: seconds to wait for others.

        Raises:
            NotAllowedNow: the turn did not come in that time.
        """
        if not self.enter(patience):
            raise waited_too_long(patience)
        try:
            yield
        finally:
            self.leave()

    def leave(self) -> None:
        """Let the next one through."""
        with self._lock:
            if self.waiting:
                self.waiting.popleft().release()
            else:
                self._is_taken = False


class WriteQueue:
    """The queue of those who write one SQLite file.

    Args:
        folder: where its locks are; made where it is missing.
        name: what the locks are called.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._next = folder / f"{name}.next"
        self._writing = folder / f"{name}.writing"
        self._threads = ThreadQueue()

    @contextmanager
    def turn(self, patience: float) -> Iterator[None]:
        """Hold the right to write for the length of the block.

        Args:
            patience: seconds to wait for others.

        Raises:
            NotAllowedNow: the turn did not come in that time.
        """
        until = time.monotonic() + patience
        with self._threads.turn(patience), ExitStack() as held:
            with ExitStack() as first:
                self._take(first, self._next, _LATER * _LOOK, until, patience)
                self._take(held, self._writing, _LOOK, until, patience)
            yield

    def _take(self, held: ExitStack, path: Path, look: float, until: float, patience: float) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Opened anew each time: a child that was forked would hold its parent's lock with it.
        descriptor = open_plain(path, os.O_RDWR | os.O_CREAT)
        held.callback(os.close, descriptor)
        while not is_taken(descriptor):
            if time.monotonic() > until:
                raise waited_too_long(patience)
            time.sleep(look)


def waited_too_long(patience: float) -> NotAllowedNow:
    """What is said to whoever waited in vain to write."""
    return NotAllowedNow(
        f"others have been writing the hub's records for {patience:.0f} seconds, and nothing was done. Try again in a moment; "
        "if it goes on, a command on this hub hangs: look for it and end it."
    )
