"""A process that gives one reader of foreign files hostile bytes for so many seconds of CPU: ``python -m`` READER SECONDS FOLDER.

It may take only so much memory, and for each file only so much time, open nothing outside its folder, and start no process
and no connection. Anything but an error of Fairhaven ends it, with the bytes in ``FOLDER/last``.
"""

import contextlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.configuration import set_hypothesis_home_dir

from fairhaven.kernel.errors import FairhavenError
from tests.support.hostile_readers import READERS, Reader

ADDRESS_SPACE = 8 << 30
"""Bytes that the process may map; most of it is never used."""
RESIDENT = 1800 << 20
"""Bytes that it may hold: DuckDB's ceiling of 1 GB, the libraries, and a file or two."""
LONGEST = 10.0
"""Seconds of CPU for one file, all of which have a few kilobytes."""
CANARY = b"a-secret-of-the-hub"
_IN_MEMORY = "/memfd:fairhaven"
_A_STORE = 40
"""Files that are read in one place before it is replaced by a new one."""


class Enough(BaseException):
    """The time is up; no test of hypothesis takes this for a failure."""


class Watch:
    """What the process opens, held to a folder."""

    def __init__(self, folder: Path, *, connects: bool) -> None:
        root = Path(__file__).parents[2]
        self._inside = str(folder)
        self._connects = connects
        libraries = {sys.prefix, sys.base_prefix, str(root), *(each for each in sys.path if Path(each).is_absolute())}
        self._readable = (*libraries, "/proc/", "/sys/", "/usr/", "/lib", "/etc/localtime", "/dev/null", "/dev/urandom")
        self.found: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit hook: see the table of audit events in Python's documentation."""
        if event == "open":
            path, mode, flags = arguments
            writes = any(each in (mode or "") for each in "wax+") or (flags or 0) & (os.O_WRONLY | os.O_RDWR)
            self._check(event, path, () if writes else self._readable)
        elif event in ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"):
            # A link's target is not opened by making it; whoever opens the link is seen.
            for path in arguments[:1] if event != "os.symlink" else arguments[1:2]:
                self._check(event, path, ())
        elif event == "socket.connect":
            if not (self._connects and arguments[1][0] == "127.0.0.1"):
                self.found.append(event)
        elif event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.bind"):
            self.found.append(event)

    def _check(self, event: str, path: Any, readable: tuple[str, ...]) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return
        text = os.fsdecode(path)
        # Relative to an opening of a folder, as `foreign_files` opens them.
        if not Path(text).is_absolute():
            return
        if event != "open":
            # A link itself is meant, not where it leads.
            real = str(Path(os.path.realpath(Path(text).parent), Path(text).name))
        else:
            real = text if text.startswith("/proc/self/fd/") else os.path.realpath(text)
        if not real.startswith((self._inside, _IN_MEMORY, *readable)) and not text.startswith("/dev/null"):
            self.found.append(f"{event}: {real}")


def reading(reader: Reader, inside: Path) -> Iterator[Callable[[bytes], object]]:
    """Functions that read one file, each in a place of its own; the next is asked for when one has read enough."""
    number = 0
    while True:
        number += 1
        place = inside / str(number)
        place.mkdir()
        yield reader.opened(place)


def main(name: str, seconds: float, folder: Path) -> None:
    """Read hostile files until the time is up; prints how many were read and how many of them refused."""
    inside, last = folder / "inside", folder / "last"
    inside.mkdir()
    os.environ["TMPDIR"] = str(inside)
    sys.dont_write_bytecode = True
    set_hypothesis_home_dir(folder / "inside")
    reader = READERS[name]
    examples = reader.inputs(folder)
    # One place where there is only one server to speak with.
    readers = reading(reader, inside)
    counts = {"read": 0, "refused": 0}
    read = next(readers)
    read_before = 0

    @settings(
        max_examples=10_000,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(content=examples)
    def try_one(content: bytes) -> None:
        nonlocal read, read_before
        if time.process_time() > seconds:
            raise Enough
        if counts["read"] - read_before >= _A_STORE and not reader.connects:
            read, read_before = next(readers), counts["read"]
        last.write_bytes(content)
        counts["read"] += 1
        signal.setitimer(signal.ITIMER_PROF, LONGEST)
        try:
            read(content)
        except FairhavenError:
            counts["refused"] += 1
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        assert not watch.found, watch.found
        held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        assert held < RESIDENT, f"{held >> 20} MB"

    # What is imported on first use is imported before the watch.
    with contextlib.suppress(FairhavenError):
        read(b"")
    watch = Watch(folder, connects=reader.connects)
    sys.addaudithook(watch)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    signal.signal(signal.SIGPROF, _too_long)
    try:
        for number in range(1 << 30):
            seed(number)(try_one)()
    except Enough:
        sys.stdout.write(json.dumps(counts) + "\n")
        sys.stdout.flush()
        os._exit(0)  # threads of what was read may live on


def _too_long(*_: object) -> None:
    raise AssertionError(f"one file took more than {LONGEST:g} seconds of CPU")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]))
