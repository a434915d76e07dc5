"""Every question and how it was met, a line each, in a file to which lines are added and in which nothing changes.

Analysts who count from accounts of their own may write to this file and to no other of the hub, so it alone says what they
asked; the account that runs the hub takes it over into its own tables. Each line names the hash of the one before. What
has been taken over, and what the ledger has seen, must still be there: a file that was cut or written anew is refused.
What was added since can be cut off unseen, unless the file system forbids it (``chattr +a``), under which all of this works.
"""

import base64
import fcntl
import hashlib
import json
import os
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairhaven.kernel.codec import from_json, to_json
from fairhaven.kernel.errors import Invalid, NotAllowedNow
from fairhaven.kernel.files import canonical_json
from fairhaven.query_audit.model import Asker, VerdictKind

_PATIENCE, _LOOK = 30.0, 0.02  # seconds
_GENESIS = "0" * 64


@dataclass(frozen=True, kw_only=True, slots=True)
class LogHead:
    """How far a log goes.

    Args:
        lines: how many lines.
        start, end: where the last of them begins and ends, in bytes.
        previous: the hash before the last line.
        hash: SHA-256 of that hash and the last line, hex.
    """

    lines: int = 0
    start: int = 0
    end: int = 0
    previous: str = _GENESIS
    hash: str = _GENESIS

    def after(self, line: bytes) -> "LogHead":
        """The head when one more line has come."""
        return LogHead(
            lines=self.lines + 1,
            start=self.end,
            end=self.end + len(line),
            previous=self.hash,
            hash=_chained(self.hash, line),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedQuestion:
    """A question with what was shown; see `AuditRecord.add_question`. Sets and sketches are packed numbers."""

    id: int
    asker: Asker
    release: int
    digest: str
    is_refused: bool
    shown: int | None
    persons: str | None
    sketch: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedVerdict:
    """How a coalition was met; see `AuditRecord.add_verdict`."""

    coalition: str
    question: int
    kind: VerdictKind
    differing: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedSpending:
    """What a project used up."""

    project: str
    is_refused: bool
    micro_epsilon: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedNoise:
    """The noisy answer that a project got to a definition."""

    project: str
    release: int
    definition: str
    shown: int


LoggedAct = LoggedQuestion | LoggedVerdict | LoggedSpending | LoggedNoise


@dataclass(frozen=True, kw_only=True, slots=True)
class LogEntry:
    """One line: what one transaction added.

    Args:
        previous: the hash of the head before.
        account: number of the operating system's user who asked.
        acts: in order.
    """

    previous: str
    account: int
    acts: tuple[LoggedAct, ...]


class QuestionLog:
    """The file; made empty where there is none.

    Raises:
        NotAllowedNow: this account may not write to it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        except PermissionError:
            raise NotAllowedNow(
                f"this account may not add to {path}, and a count that is not recorded is not given. Ask the account that "
                "runs the hub, or have it name a group of yours as `readers` in hub.toml and build or count once."
            ) from None

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One writer at a time, of all accounts.

        Raises:
            NotAllowedNow: another process has been writing for half a minute.
        """
        until = time.monotonic() + _PATIENCE
        while not self._is_taken():
            if time.monotonic() > until:
                raise NotAllowedNow("another question is being answered; nothing was recorded. Ask again.")
            time.sleep(_LOOK)
        try:
            self._end_torn_line()
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def check(self, head: LogHead) -> None:
        """Refuse a file that does not hold what it once held.

        Raises:
            Invalid: it was cut off, or written anew.
        """
        line = os.pread(self._file, head.end - head.start, head.start)
        if head.lines and (len(line) != head.end - head.start or _chained(head.previous, line) != head.hash):
            raise Invalid(
                f"{self._path} was cut off or altered: it does not end its first {head.lines:,} lines as it did, so nobody knows "
                "what was answered. Restore it from the hub's backup, or ask no more of these releases."
            )

    def after(self, head: LogHead) -> Iterator[tuple[LogEntry | None, LogHead]]:
        """What was added after a head, each line with the head that it makes; None for a line that a power cut tore.

        Raises:
            Invalid: a line has not the form of an entry, or does not follow the one before it.
        """
        with os.fdopen(os.dup(self._file), "rb") as file:
            file.seek(head.end)
            for line in file:
                before, head = head, head.after(line)
                entry = self._entry(line, head.lines)
                if entry is not None and entry.previous != before.hash:
                    raise self._fault(head.lines)
                yield entry, head

    def append(self, head: LogHead, acts: Sequence[LoggedAct]) -> LogHead:
        """Add a line; it is on the disk when this returns.

        Args:
            head: that of all lines that are there; the caller holds the lock.
        """
        entry = LogEntry(previous=head.hash, account=os.getuid(), acts=tuple(acts))
        line = canonical_json(to_json(entry)).encode() + b"\n"
        self._write(line)
        os.fsync(self._file)
        return head.after(line)

    def _is_taken(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _end_torn_line(self) -> None:
        """A torn line is ended and stays: nothing is ever taken off, so that the file system may forbid it."""
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            self._write(b"\n")

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._file, data) :]

    def _entry(self, line: bytes, number: int) -> LogEntry | None:
        try:
            written = json.loads(line)
        except (ValueError, RecursionError):
            return None
        try:
            return from_json(LogEntry, written)
        except Invalid:
            raise self._fault(number) from None

    def _fault(self, number: int) -> Invalid:
        return Invalid(
            f"{self._path}: line {number:,} was altered or is not of Fairhaven. Restore the file from the hub's backup, or ask "
            "no more of these releases."
        )


def packed(numbers: NDArray[np.uint32] | NDArray[np.int32]) -> str:
    """Numbers as text."""
    return base64.b85encode(zlib.compress(numbers.tobytes(), 1)).decode()


def unpacked(text: str, kind: type[np.uint32] | type[np.int32], *, most: int) -> NDArray[Any]:
    """The inverse of `packed`, of *most* numbers at most: what an account wrote to the log is not trusted.

    Raises:
        ValueError: these are no numbers, or more.
    """
    try:
        data = zlib.decompressobj().decompress(base64.b85decode(text), 4 * most + 1)
    except zlib.error:
        raise ValueError from None
    if len(data) > 4 * most:
        raise ValueError
    return np.frombuffer(data, kind)


def _chained(before: str, line: bytes) -> str:
    return hashlib.sha256(before.encode() + line).hexdigest()
