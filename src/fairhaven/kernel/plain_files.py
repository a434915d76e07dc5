"""Files of a hub, opened as such: a pipe or a device that something put in the place of one is refused, and never waited for."""

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

from fairhaven.kernel.errors import Fault, Invalid


def open_plain(path: Path, flags: int = os.O_RDONLY) -> int:
    """A descriptor of a plain file; one that is made is its owner's alone (mode 0600).

    Args:
        flags: of `os.open`.

    Raises:
        Invalid: something else than a file is there.
        OSError: as of `os.open`; IsADirectoryError for a folder.
    """
    try:
        # A pipe without a writer would be waited for without end; of files nothing is different.
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket, or a pipe that nobody reads
            raise no_file(path) from None
        raise
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise no_file(path)


def plain_file(path: Path) -> BufferedReader:
    """A plain file, opened for reading. Raises as `open_plain`."""
    return os.fdopen(open_plain(path), "rb")


def read_plain(path: Path) -> bytes:
    """All of a plain file. Raises as `open_plain`."""
    with plain_file(path) as file:
        return file.read()


def no_file(path: Path) -> Invalid:
    """What is said of what stands in the place of a file and is none."""
    message = (
        "is a pipe, a socket or a device, and a file belongs there: something other than Fairhaven put it there. Nothing was "
        "changed. Remove it; what the next command misses then, restore from the hub's backup."
    )
    return Invalid(Fault(path=str(path), message=message))
