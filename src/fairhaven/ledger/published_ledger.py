"""The ledger as it is published: a file with an entry a line, and the signed head beside it.

Accounts that only read a hub know the ledger by these two and by nothing else: its database holds what is not theirs to read. They are
written after every change from what the database holds. One that was altered is told by its hashes and the head, and written anew.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fairhaven.kernel.files import canonical_json, write_atomically
from fairhaven.kernel.listing import listed
from fairhaven.kernel.plain_files import open_plain, read_plain
from fairhaven.ledger.appended_lines import AppendedLines
from fairhaven.ledger.chain_reader import Chain, content_in, read_on
from fairhaven.ledger.model import Entry

PUBLISHED = "published-ledger.jsonl"


class PublishedLedger:
    """The two files of a store.

    Args:
        store: the hub's store.
    """

    def __init__(self, store: Path) -> None:
        self.path = store / PUBLISHED
        self.checkpoint = store / "checkpoint"
        self._lock = store / "locks" / "ledger"
        self._lines = AppendedLines(self.path)
        self._uncounted: list[bytes] = []
        self._written = 0

    def read(self, known: Chain, *, counted: int | None) -> Chain:
        """The chain as far as the signed head counts it.

        Args:
            known: what was read before.
            counted: how many entries the head counts; None for all that are there.
        """
        new = self._lines.new()
        if new.is_anew:
            known, self._uncounted = Chain(), []
        lines = self._uncounted + list(new.lines)
        end = len(lines) if counted is None else max(counted - known.size, 0)
        self._uncounted = lines[end:]
        return read_on(lines[:end], known)

    def note(self) -> bytes | None:
        """The signed head; None where there is none."""
        try:
            return read_plain(self.checkpoint)
        except (FileNotFoundError, IsADirectoryError):
            return None

    def catch_up(self, chain: Chain, note: bytes, *, is_newer: Callable[[bytes | None], bool]) -> None:
        """Publish the entries that are not yet, and then their signed head.

        Args:
            is_newer: whether a head that is published is a true one of more entries: somebody else has published them.
        """
        with self._locked() as file:
            if is_newer(self.note()):
                return
            self._write_missing(file, chain)
            for torn in listed(self.checkpoint.parent, f".{self.checkpoint.name}.*.part"):
                torn.unlink(missing_ok=True)
            write_atomically(self.checkpoint, note)

    def _write_missing(self, file: BinaryIO, chain: Chain) -> None:
        new = self._lines.new()
        known = 0 if new.is_anew else self._written
        self._written = known + len(new.lines)
        end = self._lines.end
        if not (self._written <= chain.size and all(map(_is_of, new.lines, chain.entries[known:]))):
            self._lines.forget()
            self._written = end = 0
        file.truncate(end)
        file.seek(end)
        file.writelines(map(_line, chain.entries[self._written :]))
        file.flush()
        os.fsync(file.fileno())

    @contextmanager
    def _locked(self) -> Iterator[BinaryIO]:
        # Not the file itself: whoever may read a file can hold a lock on it, and that for ever.
        self._lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (
            os.fdopen(open_plain(self._lock, os.O_RDWR | os.O_CREAT), "r+b") as lock,
            os.fdopen(open_plain(self.path, os.O_RDWR | os.O_CREAT), "r+b") as file,
        ):
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield file


def _is_of(line: bytes, entry: Entry) -> bool:
    """Whether a line is an entry as it is published."""
    return content_in(line, entry.hash) is not None


def _line(entry: Entry) -> bytes:
    return canonical_json({**entry.content(), "hash": entry.hash}).encode() + b"\n"
