"""A hash chain of records in one file: one JSON object a line, each naming the hash of the one before.

Whoever asks what the entries say is told after every hash and link, and the signed head, were looked at. What the file
holds without that is `Ledger.as_read`: for whoever looks for faults, or for the key that the head is known by.
"""

import datetime as dt
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from fairhaven.kernel.errors import FairhavenError, Fault, Invalid, check_faults
from fairhaven.kernel.files import canonical_json, sync, write_atomically
from fairhaven.kernel.listing import listed
from fairhaven.ledger.chain_reader import Chain, ChainReader
from fairhaven.ledger.checkpoint import Checkpoint, Signer, checkpoint_of
from fairhaven.ledger.file_hashes import content_hashes
from fairhaven.ledger.journal import Journal
from fairhaven.ledger.model import Actor, Entry, EventKind

Files = Mapping[str, str | None]
NO_FILES: Files = {}


class Ledger:
    """The ledger in one file.

    Args:
        path: the file.
        signer: signs the head after each entry, into ``checkpoint`` beside the file; None leaves it as it is.
        public: gives the public half of the key by which the head is known, or None in a hub of before, which has no
            head until it is begun; None for the signer's own.
        now: the clock, in UTC.
    """

    def __init__(
        self,
        path: Path,
        *,
        signer: Signer | None = None,
        public: Callable[[], bytes | None] | None = None,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self.path = path
        self.checkpoint = path.with_name("checkpoint")
        self._signer = signer
        self._public = public or (lambda: signer.public if signer else None)
        self._now = now
        self._reader = ChainReader(path)
        self._checked: tuple[Chain, bytes | None] | None = None
        self._journals: dict[str, Journal] = {}

    def begin(self, facts: Mapping[str, Any], *, by: Actor) -> Entry:
        """The first entry, "hub made", and the first head, whichever is not there yet; killed, it is called again.

        A hub of before gets its first head so. In any other a head that is missing is a fault, and stays one.
        """
        with self._locked() as file:
            chain, note = self._reader.read(), self._note()
            check_faults(_faults(chain))
            if not chain.entries:
                check_faults(self._disagreements(chain, note) if note is not None else [])
                return self._append(file, chain, self._signer, EventKind.HUB_MADE, facts, by, NO_FILES)
            first, *others = chain.entries
            is_torn = not others and first.kind == EventKind.HUB_MADE and _is_same(first.facts, facts)
            if note is None and self._signer and (is_torn or self._head_key(chain, note) is None):
                self._sign(self._signer, first, chain.entries[-1])
            return first

    def append(self, kind: EventKind, facts: Mapping[str, Any], *, by: Actor, files: Files = NO_FILES) -> Entry:
        """Write an entry; it is on the disk when this returns.

        Args:
            by: who decided what is recorded, which after an interruption need not be who carries it out.
            files: path in the store -> content hash of what the act wrote; None for what it removed.

        Raises:
            Invalid: as `entries`; nothing was written.
        """
        with self._locked() as file:
            return self._append_checked(file, kind, facts, by, files)

    def append_once(self, kind: EventKind, facts: Mapping[str, Any], *, by: Actor, files: Files = NO_FILES) -> Entry:
        """Write an entry unless there is one of this kind with these facts: work redone after a crash records once.

        The actor is not compared: an act is one act, whoever finishes it.
        """
        with self._locked() as file:
            same = (entry for entry in self.entries_of(kind) if _is_same(entry.facts, facts))
            return self._recorded(next(same, None)) or self._append_checked(file, kind, facts, by, files)

    def append_change(self, kind: EventKind, facts: Mapping[str, Any], *, by: Actor, files: Files = NO_FILES) -> Entry:
        """Write an entry unless the last of this kind has these facts: what is in use is recorded when it changes."""
        with self._locked() as file:
            same = (entry for entry in self.entries_of(kind)[-1:] if _is_same(entry.facts, facts))
            return self._recorded(next(same, None)) or self._append_checked(file, kind, facts, by, files)

    def append_changed(
        self, kind: EventKind, facts: Mapping[str, Any], places: Iterable[Path], *, by: Actor
    ) -> Entry | None:
        """Write an entry with the content hashes of the files that are other than the ledger says, if any is.

        Args:
            places: files and folders of the store that the act may have written or removed.
        """
        changed = self.changed(places)
        return self.append(kind, facts, by=by, files=changed) if changed else None

    def not_entered(self, files: Files) -> dict[str, str | None]:
        """Those of some content hashes by path in the store that the entries do not say, for the next one. Raises as `entries`."""
        kept = self.files()
        return {path: digest for path, digest in files.items() if kept.get(path) != digest}

    def changed(self, places: Iterable[Path]) -> Files:
        """Content hashes of the files that are other than the ledger says; None for those that are gone."""
        return self.not_entered(content_hashes(self.store, places, self.files()))

    def entries(self) -> Sequence[Entry]:
        """Every entry in order; a last line that a power cut tore was never acknowledged and is passed over.

        Raises:
            Invalid: a line is no entry, a hash or a link does not hold, or the signed head does not agree.
        """
        return self._known().entries

    def entries_of(self, *kinds: EventKind) -> Sequence[Entry]:
        """The entries of some kinds, in order. Raises as `entries`."""
        return self._known().of(*kinds)

    def files(self) -> Mapping[str, str]:
        """What the store must hold beside the files that manifests name: path -> content hash. Raises as `entries`."""
        return self._known().files

    def length(self) -> int:
        """How many entries there are. Raises as `entries`."""
        return len(self.entries())

    def journal(self, path: str) -> Journal:
        """The notes of an act under way, which are to be entered here.

        Args:
            path: in the store.
        """
        if path not in self._journals:
            self._journals[path] = Journal(
                self.store / path,
                store=self.store,
                entries=self.entries,
                signer=self._signer,
                public=self._public,
                is_signed=self.is_signed,
            )
        return self._journals[path]

    def as_read(self) -> Chain:
        """What the file holds, whatever it is worth; nothing is decided by it."""
        return self._reader.read()

    @property
    def store(self) -> Path:
        """The folder whose files the entries are about: the one that the ledger is in."""
        return self.path.parent

    def verify(self) -> list[Fault]:
        """What is wrong with the chain, read anew: nothing where every hash and link holds."""
        return list(ChainReader(self.path).read().faults)

    def head(self) -> Checkpoint | None:
        """How many entries there are, and the hash of the last; None where there is none. Raises as `entries`."""
        entries = self.entries()
        return _head(entries[0], entries[-1]) if entries else None

    def head_faults(self, path: Path | None = None) -> list[Fault]:
        """What of the ledger a signed checkpoint does not agree with: nothing where it holds, or is not begun yet.

        Args:
            path: a checkpoint that was kept elsewhere; None for the one beside the ledger.
        """
        note = self._note(path)
        chain = ChainReader(self.path).read()
        try:
            return self._disagreements(chain, note, path)
        except FairhavenError as error:
            return [Fault(path=(path or self.checkpoint).name, message=str(error))]

    def is_signed(self) -> bool:
        """Whether there must be a signed head: in a hub of before, not until it is begun. Raises as `entries`."""
        return self._head_key(self._reader.read(), self._note()) is not None

    def _known(self) -> Chain:
        # The note first: whoever appends meanwhile writes the entry before its head.
        note = self._note()
        chain = self._reader.read()
        if self._checked != (chain, note):
            check_faults(_faults(chain) or [*self._disagreements(chain, note)])
            self._checked = chain, note
        return chain

    def _note(self, path: Path | None = None) -> bytes | None:
        try:
            return (path or self.checkpoint).read_bytes()
        except FileNotFoundError:
            return None

    def _head_key(self, chain: Chain, note: bytes | None) -> bytes | None:
        """The public half that must have signed the head; None where there need be no head."""
        public = self._public()
        if public is None and self._signer and (note is not None or any(map(_tells_keys, chain.of(*_WITH_KEYS)))):
            return self._signer.public
        return public

    def _disagreements(self, chain: Chain, note: bytes | None, elsewhere: Path | None = None) -> list[Fault]:
        name, entries = (elsewhere or self.checkpoint).name, chain.entries
        public = self._head_key(chain, note)
        if public is None:
            return []
        if note is None:
            return [Fault(path=name, message=f"is missing. {_RESTORE}")]
        try:
            known = checkpoint_of(note, public, path=name)
        except Invalid as error:
            return list(error.faults)
        if known.size > len(entries):
            message = f"says that there were {known.size:,} entries, and the ledger has {len(entries):,}: it was cut. {_RESTORE}"
            return [Fault(path=name, message=message)]
        if _head(entries[0], entries[known.size - 1]) != known:
            message = f"holds another hash of entry {known.size:,} than the ledger: that was written anew. {_RESTORE}"
            return [Fault(path=name, message=message)]
        return []

    def _recorded(self, entry: Entry | None) -> Entry | None:
        """An entry that is there already; who wrote it may have been killed before the head was signed."""
        chain, note = self._known(), self._note()
        public = self._head_key(chain, note)
        # Where nothing is written the key that signs is not asked for.
        if entry and self._signer and note is not None and public is not None:
            is_behind = checkpoint_of(note, public, path=self.checkpoint.name).size < len(chain.entries)
            if is_behind:
                self._sign(self._signer, chain.entries[0], chain.entries[-1])
        return entry

    def _append_checked(
        self, file: BinaryIO, kind: EventKind, facts: Mapping[str, Any], by: Actor, files: Files
    ) -> Entry:
        chain = self._known()
        signer = self._signer if self._head_key(chain, self._note()) is not None else None
        return self._append(file, chain, signer, kind, facts, by, files)

    def _append(
        self,
        file: BinaryIO,
        chain: Chain,
        signer: Signer | None,
        kind: EventKind,
        facts: Mapping[str, Any],
        by: Actor,
        files: Files,
    ) -> Entry:
        if signer:
            signer.public  # noqa: B018 - before anything is written it shows whether this account may sign
        entry = Entry(
            number=len(chain.entries) + 1,
            at=self._now().isoformat(timespec="seconds"),
            kind=kind.value,
            facts=facts,
            files=files,
            actor=by,
            previous=chain.previous,
            hash="",
        )
        content = canonical_json(entry.content())
        entry = replace(entry, hash=hashlib.sha256(content.encode()).hexdigest())
        # A torn line that the head counted would have been a fault; this one was never acknowledged.
        file.truncate(chain.end)
        file.seek(chain.end)
        file.write(canonical_json({**entry.content(), "hash": entry.hash}).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
        if signer:
            self._sign(signer, chain.entries[0] if chain.entries else entry, entry)
        return entry

    def _sign(self, signer: Signer, first: Entry, last: Entry) -> None:
        # Under the ledger's lock: whoever was writing a head was killed.
        for torn in listed(self.checkpoint.parent, f".{self.checkpoint.name}.*.part"):
            torn.unlink(missing_ok=True)
        write_atomically(self.checkpoint, _head(first, last).signed(signer))

    @contextmanager
    def _locked(self) -> Iterator[BinaryIO]:
        # Not the ledger itself: whoever may read a file can hold a lock on it, and that for ever.
        locks = self.path.parent / "locks"
        locks.mkdir(parents=True, exist_ok=True, mode=0o700)
        is_new = not self.path.exists()
        with (
            os.fdopen(os.open(locks / self.path.stem, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as lock,
            os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file,
        ):
            fcntl.flock(lock, fcntl.LOCK_EX)
            if is_new:
                sync(self.path.parent)
            yield file


_RESTORE = "Restore the ledger and its checkpoint from one backup of the hub."
_WITH_KEYS = (EventKind.HUB_MADE, EventKind.KEYS_ROTATED)


def _faults(chain: Chain) -> list[Fault]:
    """Of the chain, with what to do."""
    return [replace(fault, message=f"{fault.message}. {_RESTORE}") for fault in chain.faults]


def _tells_keys(entry: Entry) -> bool:
    """Whether an entry is one that only hubs with a key for each purpose have."""
    return entry.kind in _WITH_KEYS and "keys" in entry.facts


def _head(first: Entry, last: Entry) -> Checkpoint:
    return Checkpoint(origin=f"fairhaven/{first.hash[:32]}", size=last.number, hash=last.hash)


def _is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return canonical_json(one) == canonical_json(other)
