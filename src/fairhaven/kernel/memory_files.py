"""Files that are only in memory: what is opened of a sealed or packed file, under a path that any reader can be given.

The path is a link, in a folder for work in progress, to a file without a name (``memfd_create``, Linux). It ends with the
process, however that ends: a kill leaves a link to nothing. Nothing of it reaches a disk but by swapping.
"""

import errno
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from fairhaven.kernel.errors import NotAllowedNow
from fairhaven.kernel.listing import listed_below
from fairhaven.kernel.open_files import allow_open_files

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

_NAME = "fairhaven"
_DESCRIPTORS = Path("/proc/self/fd")
_STEP = 64 << 20
_KEPT_FREE = 1 << 30
"""Bytes left for DuckDB and this process beside what is opened."""


def memory_writer(path: Path) -> io.BufferedWriter:
    """Write a file in memory, that can be read at *path* until its folder goes (`files.scratch`); one that is there gives way.

    Raises:
        NotAllowedNow: while it is written: it would leave this machine without memory.
    """
    place_in_memory(path)
    return io.BufferedWriter(_Measured(path, "wb"), io.DEFAULT_BUFFER_SIZE)


def place_in_memory(path: Path) -> None:
    """An empty file in memory at *path*, for a writer that does not put another in its place."""
    discard(path)
    path.symlink_to(_DESCRIPTORS / str(_descriptor()))


def discard(path: Path) -> None:
    """Give back what a file in memory holds; any other path is left alone."""
    if (descriptor := _held(path)) is not None:
        path.unlink()
        os.close(descriptor)


def discard_below(folder: Path) -> None:
    """Give back what files in memory hold in a folder and below."""
    for path in listed_below(folder):
        discard(path)


class _Measured(io.FileIO):
    """A file that looks, now and then, whether there is memory left."""

    _unlooked = 0

    def write(self, data: "Buffer", /) -> int:
        written = super().write(data)
        self._unlooked += written
        if self._unlooked >= _STEP:
            self._unlooked = 0
            check_memory()
        return written


def check_memory(wanted: int = 0) -> None:
    """Refuse to take so many bytes more into memory than is left.

    Raises:
        NotAllowedNow: it says what to do.
    """
    left = _available() - _KEPT_FREE
    if left < wanted:
        raise NotAllowedNow(
            "what was sealed or packed is opened in memory and nowhere else, and does not fit in what this machine has left "
            f"({max(left, 0) / 10**9:,.1f} GB), so nothing was changed. End other work, or use a machine with more memory; a "
            "delivery can also be given unpacked, as UTF-8, or in several files."
        )


def _descriptor() -> int:
    try:
        return os.memfd_create(_NAME)
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
    allow_open_files()  # a zip may hold thousands
    return os.memfd_create(_NAME)


def _held(path: Path) -> int | None:
    """The descriptor behind the path of a file in memory."""
    try:
        target = path.readlink()
        if target.parent == _DESCRIPTORS and str(target.readlink()).startswith(f"/memfd:{_NAME} "):
            return int(target.name)
    except OSError:
        pass
    return None


def _available() -> int:
    """Bytes of memory that can be had without swapping: of the machine, or of the container that this is in."""
    with Path("/proc/meminfo").open(encoding="ascii") as lines:
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    try:
        group = Path("/sys/fs/cgroup")
        counted = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        # What is remembered of files on the disk is given up when it is needed.
        used = int((group / "memory.current").read_text()) - int(counted["inactive_file"]) - int(counted["active_file"])
        return min(free, int((group / "memory.max").read_text()) - used)
    except (OSError, ValueError, KeyError):
        return free
