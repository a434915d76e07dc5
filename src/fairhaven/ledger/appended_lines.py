"""The lines of a file that is only added to: each is read once, however often somebody asks what is there."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fairhaven.kernel.plain_files import plain_file


@dataclass(frozen=True, kw_only=True, slots=True)
class NewLines:
    """What a file has that it had not when it was read last.

    Args:
        lines: whole ones, each with its line feed. A last line that a power cut tore is none.
        is_anew: the file is another, or is gone: these are all of its lines, and those of before count no more.
    """

    lines: tuple[bytes, ...] = ()
    is_anew: bool = False


class AppendedLines:
    """Reads on in a file of lines; others may append to it meanwhile.

    Args:
        path: the file, there or not.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.forget()

    def forget(self) -> None:
        """Give all that is there the next time."""
        self._seen: tuple[int, ...] = ()
        self._last = b""
        self.end = 0
        """Bytes up to the end of the last line that was read."""

    def new(self) -> NewLines:
        """What is there since the last time: nothing as long as the file is the same."""
        try:
            file = plain_file(self._path)
        except FileNotFoundError:
            self.forget()
            return NewLines(is_anew=True)
        with file:
            stat = os.fstat(file.fileno())
            seen = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
            if seen == self._seen:
                return NewLines()
            is_anew = not (seen[:2] == self._seen[:2] and self._begins_with_known(file, stat.st_size))
            if is_anew:
                self.forget()
            file.seek(self.end)
            lines = tuple(line for line in file if line.endswith(b"\n"))
            self._seen, self._last = seen, lines[-1] if lines else self._last
            self.end += sum(map(len, lines))
            return NewLines(lines=lines, is_anew=is_anew)

    def _begins_with_known(self, file: BinaryIO, size: int) -> bool:
        """Whether a file that is the same one by its inode was only appended to; a look at the last line that is known tells."""
        if not self.end < size:
            return False
        file.seek(self.end - len(self._last))
        return file.read(len(self._last)) == self._last
