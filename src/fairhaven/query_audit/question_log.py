"""Every question, a line each, in a log for each account: lines are added, and nothing changes.

Analysts who count from accounts of their own may write nothing else of a hub. So a line says who asked what, and never what
came of it: whoever takes it over decides again, by the rules. Whose a log is, the operating system says: a log is named after
the number of an account, and is believed only where that account owns it. A line names the hash of the one before.

What hides something refuses everybody's next count: a log that was cut, written anew, taken away or closed. What can be read and
is wrong is left where it is, with all that comes after it in the same log, and stops its own account only.
"""

import base64
import errno
import hashlib
import json
import os
import re
import stat
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from fairhaven.kernel.accounts import account_name
from fairhaven.kernel.codec import from_json, to_json
from fairhaven.kernel.errors import Invalid, NotAllowedNow
from fairhaven.kernel.file_locks import is_taken
from fairhaven.kernel.files import canonical_json
from fairhaven.kernel.listing import listed
from fairhaven.query_audit.model import Asker

_PATIENCE, _LOOK = 30.0, 0.02  # seconds
_LINE = 64_000_000
"""Bytes that a line may have; no question needs more, and one account must not fill another's memory."""
_AT_ONCE = 128_000_000
"""Bytes that are read of one log at once."""
_NAME = re.compile(r"(0|[1-9][0-9]{0,9})\.log")
_AS_BITS = "bits:"
"""What base 64 and base 85 do not begin with."""
_ONLY_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # a named pipe must not hold up the reader


@dataclass(frozen=True, kw_only=True, slots=True)
class LogHead:
    """How far an account's log goes.

    Args:
        lines: how many lines.
        start, end: where the last of them begins and ends, in bytes.
        previous: the hash before the last line.
        hash: SHA-256 of that hash and the last line, hex; of no line: the record's own mark.
    """

    lines: int = 0
    start: int = 0
    end: int = 0
    previous: str = ""
    hash: str

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
class LoggedCell:
    """One set that was asked for.

    Args:
        persons: their numbers in the record, packed.
        definition, shown: with differential privacy only, where chance decided: what was asked, and the noisy count.
    """

    persons: str
    definition: str = ""
    shown: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedQuestion:
    """One line.

    Args:
        previous: the hash of the log's head before.
        place: how many lines all logs had; so lines of several logs are put in order.
        release: its name in the record.
        cells: more than one: a table.
    """

    previous: str
    place: int
    asker: Asker
    release: str
    cells: tuple[LoggedCell, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class LogFault:
    """A log from which nothing more is taken over.

    Args:
        path: the file.
        account: whose it is.
        line: the first line that no count wrote.
        start: where that line begins, in bytes.
    """

    path: Path
    account: int
    line: int
    start: int

    @property
    def text(self) -> str:
        """What is wrong, for whom, and what to do."""
        who = account_name(self.account)
        return (
            f"{self.path}: line {self.line:,} was not written by a count, so nothing from there on is believed, and {who} counts no more; "
            f"other accounts do. {who} may cut it to its first {self.start:,} bytes (`truncate -s {self.start} {self.path}`); ask what it was for. "
            "If it came from a backup, restore the whole record of questions, of one day."
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class NewLine:
    """A line that has not been taken over.

    Args:
        account: who wrote it, as the operating system says.
        head: the log's head with it.
        question: None for what a power cut tore.
    """

    account: int
    head: LogHead
    question: LoggedQuestion | None


class QuestionLogs:
    """The folder of all accounts' logs.

    Args:
        folder: made where it is missing, by who may.
        mark: what the first line of every log names in the place of a hash: of which record it is.
    """

    def __init__(self, folder: Path, *, mark: str) -> None:
        self.folder = folder
        self._mark = mark
        self._account = os.geteuid()

    def path(self, account: int) -> Path:
        """The log of an account."""
        return self.folder / f"{account}.log"

    def begin(self) -> LogHead:
        """The head of a log without lines."""
        return LogHead(hash=self._mark)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One writer at a time, of all accounts.

        Raises:
            NotAllowedNow: this account may not add to the logs; or another process has held them for half a minute.
            Invalid: what stands in the place of this account's log is not its own.
        """
        with ExitStack() as opened:
            try:
                self.folder.mkdir(mode=0o700, exist_ok=True)
                folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
                opened.callback(os.close, folder)
                # Looked at before anybody waits: who may not ask is to know at once.
                os.close(self._opened_own())
            except PermissionError:
                raise NotAllowedNow(
                    f"this account may not add to {self.folder}, and a count that is not recorded is not given. Ask the account that "
                    "runs the hub, or have it name a group of yours as `readers` in hub.toml and build or count once."
                ) from None
            until = time.monotonic() + _PATIENCE
            while not is_taken(folder):
                if time.monotonic() > until:
                    raise NotAllowedNow(f"{_holder(folder)}; nothing was recorded. Ask again.")
                time.sleep(_LOOK)
            yield  # closing the folder gives the lock back

    def check(self, heads: Mapping[int, LogHead]) -> None:
        """Refuse logs that do not hold what they once held.

        Raises:
            Invalid: one was cut off, written anew, taken away, or cannot be read.
        """
        for account, head in heads.items():
            if not self.holds(account, head):
                who = account_name(account)
                raise Invalid(
                    f"{self.path(account)}, the log of what {who} asked, was cut off or altered: it does not end its first {head.lines:,} "
                    "lines as it did, so nobody knows what was answered since. Restore it from the hub's backup, as a file of that "
                    f"account, and ask {who}. If it is lost, whoever answers for the hub can go on without it: "
                    f"`fairhaven cohort questions {self.folder.parent.parent} --set-aside {account}`."
                )

    def new_lines(self, heads: Mapping[int, LogHead]) -> tuple[list[NewLine], list[LogFault]]:
        """What was added after these heads, in the order in which it was asked, as far as can be said; and what ends a log.

        Reads a part only of what is very much: call again until nothing comes.

        Raises:
            Invalid: a log cannot be read.
        """
        found, faults = [], []
        for account in self.accounts():
            head = heads.get(account, self.begin())
            for each in self._after(account, head):
                if isinstance(each, LogFault):
                    faults.append(each)
                else:
                    found.append(each)
        # An account's own lines stay in their order, whatever they say: what was torn goes with the line before it.
        places: dict[int, int] = {}
        order = []
        for each in found:
            places[each.account] = max(each.question.place if each.question else 0, places.get(each.account, 0))
            order.append((places[each.account], each.account, each.head.lines))
        return [found[place] for place in sorted(range(len(found)), key=order.__getitem__)], faults

    def append(self, head: LogHead, question: LoggedQuestion) -> tuple[int, LogHead]:
        """Add a line to this account's own log; it is on the disk when this returns.

        Args:
            head: that of all lines of it that are there; the caller holds the lock.

        Returns:
            the account, and its log's new head.
        """
        file = self._opened_own()
        try:
            if os.fstat(file).st_size > head.end:  # a torn line is ended and stays: nothing is ever taken off
                torn = os.pread(file, _LINE, head.end) + b"\n"
                _write(file, b"\n")
                head = head.after(torn)
            written = to_json(question) | {"previous": head.hash}
            line = canonical_json(written).encode() + b"\n"
            _write(file, line)
            os.fsync(file)
        finally:
            os.close(file)
        return self._account, head.after(line)

    def fault_of_own(self, faults: list[LogFault]) -> LogFault | None:
        """What is wrong with this account's own log."""
        return next((fault for fault in faults if fault.account == self._account), None)

    def own(self, heads: Mapping[int, LogHead]) -> LogHead:
        """The head of this account's own log."""
        return heads.get(self._account, self.begin())

    @contextmanager
    def left(self, account: int) -> Iterator[BinaryIO | None]:
        """What there is of an account's log; None where there is none. Raises as `check`, where it cannot be read."""
        opened = self._opened(account)
        if opened is None:
            yield None
            return
        with os.fdopen(opened, "rb") as file:
            yield file

    def remove(self, account: int) -> None:
        """Take an account's log away, so that it begins another; only the folder's owner may."""
        self.path(account).unlink(missing_ok=True)

    def accounts(self) -> list[int]:
        """Accounts that have a log; what another account left under such a name is nobody's."""
        named = (_NAME.fullmatch(path.name) for path in listed(self.folder))
        return sorted(int(each[1]) for each in named if each and self._is_of(int(each[1])))

    def _is_of(self, account: int) -> bool:
        with suppress(FileNotFoundError):
            found = self.path(account).lstat()
            return stat.S_ISREG(found.st_mode) and found.st_uid == account
        return False

    def _opened_own(self) -> int:
        path = self.path(self._account)
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO) or (
                path.exists() and not self._is_of(self._account)
            ):
                raise self._not_own(path) from None
            raise
        found = os.fstat(file)
        if not (stat.S_ISREG(found.st_mode) and found.st_uid == self._account and found.st_nlink == 1):
            os.close(file)
            raise self._not_own(path)
        # Others of the group have to see what was asked; the folder hands its group down (setgid).
        mode = 0o640 if self.folder.stat().st_mode & stat.S_IRGRP else 0o600
        if stat.S_IMODE(found.st_mode) != mode:
            os.fchmod(file, mode)
        return file

    def _not_own(self, path: Path) -> Invalid:
        who = account_name(self.folder.stat().st_uid)
        return Invalid(
            f"{path} is to be the log of what this account asks, and is another account's, a link or no file. {who} is to look at it and take it away."
        )

    def _opened(self, account: int) -> int | None:
        """An account's log, to read; None where there is none that is its own."""
        path = self.path(account)
        try:
            file = os.open(path, _ONLY_READ)
        except PermissionError:
            who = account_name(account)
            raise Invalid(
                f"{path}, the log of what {who} asked, cannot be read, so nobody knows what was answered. {who} opens it again with "
                f"`chmod 640 {path}`."
            ) from None
        except OSError:
            return None
        found = os.fstat(file)
        if stat.S_ISREG(found.st_mode) and found.st_uid == account:
            return file
        os.close(file)
        return None

    def holds(self, account: int, head: LogHead) -> bool:
        """Whether an account's log still holds what it once held. Raises as `check`, where it cannot be read."""
        if not head.lines:
            return True
        file = self._opened(account)
        if file is None:
            return False
        try:
            line = os.pread(file, head.end - head.start, head.start)
        finally:
            os.close(file)
        return len(line) == head.end - head.start and _chained(head.previous, line) == head.hash

    def is_whole(self, account: int, head: LogHead) -> bool:
        """Whether every line that an account's log once held is as it was, and not the last alone: all of them are read. Raises as `check`,
        where it cannot be read."""
        opened = self._opened(account)
        if opened is None:
            return not head.lines
        found = self.begin()
        with os.fdopen(opened, "rb") as file:
            while found.end < head.end and (line := file.readline(_LINE)):
                found = found.after(line)
        return found.hash == (head.hash if head.lines else found.hash)

    def _after(self, account: int, head: LogHead) -> Iterator[NewLine | LogFault]:
        opened = self._opened(account)
        if opened is None:
            return
        until = head.end + _AT_ONCE
        with os.fdopen(opened, "rb") as file:
            file.seek(head.end)
            while head.end < until and (line := file.readline(_LINE)):
                if not line.endswith(b"\n") and len(line) < _LINE:
                    return  # torn, so far: its writer ends it with the next
                before, head = head, head.after(line)
                try:
                    question = _question(line)
                except Invalid:
                    question = None
                    is_wrong = True
                else:
                    is_wrong = question is not None and question.previous != before.hash
                if is_wrong or len(line) == _LINE:
                    yield LogFault(path=self.path(account), account=account, line=head.lines, start=before.end)
                    return
                yield NewLine(account=account, head=head, question=question)


def _question(line: bytes) -> LoggedQuestion | None:
    """None for what is no JSON: a power cut tore it."""
    try:
        written = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return from_json(LoggedQuestion, written)


def _holder(folder: int) -> str:
    """Who holds the lock, as far as the machine says: an account that never lets go is to be known."""
    place = f":{os.fstat(folder).st_ino}"
    with suppress(OSError, ValueError):
        for line in Path("/proc/locks").read_text().splitlines():
            _, kind, _, _, process, where, *_ = line.split()
            if kind == "FLOCK" and where.endswith(place):
                who = account_name(Path(f"/proc/{int(process)}").stat().st_uid)
                return f"process {process} of {who} has held the record of questions for {_PATIENCE:g} seconds"
    return "another question is being answered"


def _write(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def packed(numbers: NDArray[np.uint32]) -> str:
    """Rising numbers as text: many of them as bits, which zlib would take long over and hardly make smaller."""
    if numbers.size and numbers[-1] < 32 * numbers.size:
        flags = np.zeros(int(numbers[-1]) + 1, np.bool_)
        flags[numbers] = True
        return _AS_BITS + base64.b64encode(np.packbits(flags).tobytes()).decode()
    return base64.b64encode(zlib.compress(numbers.tobytes(), 1)).decode()


def unpacked(text: str, *, most: int) -> NDArray[np.uint32]:
    """The inverse of `packed`, of *most* numbers at most: what an account wrote to its log is not trusted.

    Raises:
        ValueError: these are no numbers, or more.
    """
    if text.startswith(_AS_BITS):
        bits = base64.b64decode(text.removeprefix(_AS_BITS), validate=True)
        if len(bits) > 4 * most:
            raise ValueError
        found = np.flatnonzero(np.unpackbits(np.frombuffer(bits, np.uint8)))
        if found.size > most:
            raise ValueError
        return found.astype(np.uint32)
    try:
        # Earlier versions wrote base 85, which Python does slowly; what zlib makes begins alike.
        plain = base64.b64decode(text, validate=True) if text.startswith("eA") else base64.b85decode(text)
        data = zlib.decompressobj().decompress(plain, 4 * most + 1)
    except zlib.error:
        raise ValueError from None
    if len(data) > 4 * most:
        raise ValueError
    return np.frombuffer(data, np.uint32)


def _chained(before: str, line: bytes) -> str:
    return hashlib.sha256(before.encode() + line).hexdigest()
