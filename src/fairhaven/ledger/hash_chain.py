"""A hash chain of records in one file: one JSON object a line, each naming the hash of the one before.

An entry's hash is the SHA-256 of its canonical JSON without the hash itself, so that changing, dropping or moving an
entry shows at once. Cutting entries off the end shows only to someone who holds a later hash: publish the head.
"""

import datetime as dt
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from fairhaven.kernel.codec import from_json
from fairhaven.kernel.errors import Fault, Invalid, check_faults
from fairhaven.kernel.files import canonical_json, sync, write_atomically
from fairhaven.ledger.checkpoint import Checkpoint, Signer, read_checkpoint
from fairhaven.ledger.file_hashes import content_hashes
from fairhaven.ledger.model import Actor, Entry, EventKind

Files = Mapping[str, str | None]
NO_FILES: Files = {}

GENESIS = "0" * 64
"""What the first entry names as the one before it."""

_TAIL = 1 << 16
_NO_ENTRY = (ValueError, Invalid)
"""What `_entry` says of a line that is none: no JSON, or of another form."""


class Ledger:
    """The ledger in one file, made by its first entry.

    Args:
        path: the file.
        signer: signs the head after each entry, into ``checkpoint`` beside the file; None leaves it as it is.
        now: the clock, in UTC.
    """

    def __init__(
        self,
        path: Path,
        *,
        signer: Signer | None = None,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self.path = path
        self.checkpoint = path.with_name("checkpoint")
        self._signer = signer
        self._now = now

    def append(self, kind: EventKind, facts: Mapping[str, Any], *, by: Actor, files: Files = NO_FILES) -> Entry:
        """Write an entry; it is on the disk when this returns.

        Args:
            by: who decided what is recorded, which after an interruption need not be who carries it out.
            files: path in the store -> content hash of what the act wrote; None for what it removed.
        """
        with self._locked() as file:
            return self._append(file, kind, facts, by, files)

    def append_once(self, kind: EventKind, facts: Mapping[str, Any], *, by: Actor, files: Files = NO_FILES) -> Entry:
        """Write an entry unless there is one of this kind with these facts: work redone after a crash records once.

        The actor is not compared: an act is one act, whoever finishes it.
        """
        with self._locked() as file:
            same = (entry for entry in self.entries() if entry.kind == kind and _is_same(entry.facts, facts))
            return self._recorded(file, next(same, None)) or self._append(file, kind, facts, by, files)

    def append_change(self, kind: EventKind, facts: Mapping[str, Any], *, by: Actor, files: Files = NO_FILES) -> Entry:
        """Write an entry unless the last of this kind has these facts: what is in use is recorded when it changes."""
        with self._locked() as file:
            last = next((entry for entry in reversed([*self.entries()]) if entry.kind == kind), None)
            same = last if last and _is_same(last.facts, facts) else None
            return self._recorded(file, same) or self._append(file, kind, facts, by, files)

    def append_changed(
        self, kind: EventKind, facts: Mapping[str, Any], places: Iterable[Path], *, by: Actor
    ) -> Entry | None:
        """Write an entry with the content hashes of the files that are other than the ledger says, if any is.

        Args:
            places: files and folders of the store that the act may have written or removed.
        """
        changed = self.changed(places)
        return self.append(kind, facts, by=by, files=changed) if changed else None

    def changed(self, places: Iterable[Path]) -> Files:
        """Content hashes of the files that are other than the ledger says; None for those that are gone."""
        kept = self.files()
        found = content_hashes(self.store, places, kept)
        return {path: digest for path, digest in found.items() if kept.get(path) != digest}

    def files(self) -> dict[str, str]:
        """What the store must hold beside the files that manifests name: path -> content hash."""
        kept: dict[str, str | None] = {}
        for entry in self.entries():
            kept |= entry.files
        return {path: digest for path, digest in kept.items() if digest is not None}

    @property
    def store(self) -> Path:
        """The folder whose files the entries are about: the one that the ledger is in."""
        return self.path.parent

    def length(self) -> int:
        """How many entries there are."""
        return sum(1 for _ in self._lines())

    def entries(self) -> Iterator[Entry]:
        """Every entry in order; a last line that a power cut tore was never acknowledged and is passed over.

        Raises:
            Invalid: a line is no entry.
        """
        for line, text in self._lines():
            try:
                yield _entry(text)
            except _NO_ENTRY:
                raise Invalid(self._fault(line, "not an entry of a ledger")) from None

    def verify(self) -> list[Fault]:
        """What is wrong with the chain: nothing where every hash and link holds."""
        faults = []
        previous = GENESIS
        for line, text in self._lines():
            try:
                entry = _entry(text)
            except _NO_ENTRY:
                faults.append(self._fault(line, "not an entry of a ledger"))
                previous = ""
                continue
            is_wrong = {
                "the entry was altered: its hash is not that of its content": _hash(entry) != entry.hash,
                "the entry does not follow the one before it: one was altered, moved or dropped": (
                    previous and entry.previous != previous
                ),
                f"the entry says it is number {entry.number}, and it is number {line}": entry.number != line,
            }
            faults += [self._fault(line, message) for message, is_so in is_wrong.items() if is_so]
            previous = entry.hash
        return faults

    def head(self) -> Checkpoint | None:
        """How many entries there are, and the hash of the last; None where there is none."""
        entries = list(self.entries())
        return _head(entries[0], entries[-1]) if entries else None

    def head_faults(self, public: bytes, path: Path | None = None) -> list[Fault]:
        """What of the ledger a signed checkpoint does not agree with: nothing where it holds.

        Args:
            public: half of the key that signs.
            path: a checkpoint that was kept elsewhere; None for the one beside the ledger.

        Raises:
            Invalid: a line is no entry.
        """
        entries = list(self.entries())
        kept = path or self.checkpoint
        if not kept.exists():
            # In a hub of before no head was signed; in any, not before the first entry.
            is_lost = path is not None or (len(entries) > 1 and "keys" in entries[0].facts)
            return [Fault(path=kept.name, message=f"is missing. {_RESTORE}")] if is_lost else []
        try:
            known = read_checkpoint(kept, public)
        except Invalid as error:
            return list(error.faults)
        if known.size > len(entries):
            message = f"says that there were {known.size:,} entries, and the ledger has {len(entries):,}: it was cut. {_RESTORE}"
            return [Fault(path=kept.name, message=message)]
        if _head(entries[0], entries[known.size - 1]) != known:
            message = f"holds another hash of entry {known.size:,} than the ledger: that was written anew. {_RESTORE}"
            return [Fault(path=kept.name, message=message)]
        return []

    def _sign(self, last: Entry) -> None:
        if self._signer:
            first = next(self.entries())
            write_atomically(self.checkpoint, _head(first, last).signed(self._signer))

    def _says(self, last: Entry) -> bool:
        """Whether the checkpoint names an entry's number as the size."""
        return self.checkpoint.exists() and self.checkpoint.read_bytes().split(b"\n")[1:2] == [b"%d" % last.number]

    def _check_head(self) -> None:
        if self._signer:
            check_faults(self.head_faults(self._signer.public))

    def _append(self, file: BinaryIO, kind: EventKind, facts: Mapping[str, Any], by: Actor, files: Files) -> Entry:
        last = self._mend(file)
        self._check_head()
        entry = Entry(
            number=last.number + 1 if last else 1,
            at=self._now().isoformat(timespec="seconds"),
            kind=kind.value,
            facts=facts,
            files=files,
            actor=by,
            previous=last.hash if last else GENESIS,
            hash="",
        )
        entry = replace(entry, hash=_hash(entry))
        file.write(canonical_json({**entry.content(), "hash": entry.hash}).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
        self._sign(entry)
        return entry

    def _recorded(self, file: BinaryIO, entry: Entry | None) -> Entry | None:
        """An entry that is there already; who wrote it may have been killed before the head was signed."""
        # What it says is compared, not its signature: that needs the key, and where nothing is written none is asked for.
        if entry and self._signer and (last := self._mend(file)) and not self._says(last):
            self._check_head()
            self._sign(last)
        return entry

    def _mend(self, file: BinaryIO) -> Entry | None:
        """Cut off a torn last line, go to the end, and give the last entry."""
        size = file.seek(0, os.SEEK_END)
        tail, start = b"", size
        while start > 0 and tail.count(b"\n") < 2:
            start = max(0, start - _TAIL)
            file.seek(start)
            tail = file.read(size - start)
        whole = tail.rpartition(b"\n")[0]
        file.truncate(start + len(whole) + 1 if whole else 0)
        file.seek(0, os.SEEK_END)
        if not whole:
            return None
        try:
            return _entry(whole.rpartition(b"\n")[2])
        except _NO_ENTRY:
            raise Invalid(Fault(message="the last line is not an entry of a ledger", path=self.path.name)) from None

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.endswith(b"\n"):
                    yield number, line

    @contextmanager
    def _locked(self) -> Iterator[BinaryIO]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not self.path.exists()
        with os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if is_new:
                sync(self.path.parent)
            yield file

    def _fault(self, line: int, message: str) -> Fault:
        return Fault(message=message, path=self.path.name, line=line)


_RESTORE = "Restore the ledger and its checkpoint from one backup of the hub."


def _head(first: Entry, last: Entry) -> Checkpoint:
    return Checkpoint(origin=f"fairhaven/{first.hash[:32]}", size=last.number, hash=last.hash)


def _entry(line: bytes) -> Entry:
    return from_json(Entry, json.loads(line))


def _is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return canonical_json(one) == canonical_json(other)


def _hash(entry: Entry) -> str:
    return hashlib.sha256(canonical_json(entry.content()).encode()).hexdigest()
