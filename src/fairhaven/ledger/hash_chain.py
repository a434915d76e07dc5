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

from fairhaven.kernel.errors import FairhavenError, Fault, check_faults
from fairhaven.kernel.files import canonical_json, sync
from fairhaven.kernel.plain_files import no_file, open_plain
from fairhaven.ledger.chain_reader import Chain, ChainReader
from fairhaven.ledger.checkpoint import Checkpoint, Signer
from fairhaven.ledger.file_hashes import NO_FILE, content_hashes
from fairhaven.ledger.journal import Journal
from fairhaven.ledger.model import Actor, Entry, EventKind
from fairhaven.ledger.signed_head import RESTORE, SignedHead, head_of

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
        self._head = SignedHead(path.with_name("checkpoint"), signer=signer, public=public)
        self._now = now
        self._reader = ChainReader(path)
        self._checked: tuple[Chain, bytes | None] | None = None
        self._journals: dict[str, Journal] = {}

    def begin(self, facts: Mapping[str, Any], *, by: Actor) -> Entry:
        """The first entry, "hub made", and the first head, whichever is not there yet; killed, it is called again.

        A hub of before gets its first head so. In any other a head that is missing is a fault, and stays one.
        """
        with self._locked() as file:
            chain, note, signer = self._reader.read(), self._head.note(), self._head.signer
            check_faults(_faults(chain))
            if not chain.entries:
                check_faults(self._head.disagreements(chain, note) if note is not None else [])
                return self._append(file, chain, signer, EventKind.HUB_MADE, facts, by, NO_FILES)
            first, *others = chain.entries
            is_torn = not others and first.kind == EventKind.HUB_MADE and _is_same(first.facts, facts)
            if note is None and signer and (is_torn or self._head.key(chain, note) is None):
                self._head.sign(signer, first, chain.entries[-1])
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
            wanted = canonical_json(facts)
            same = (entry for entry in self.entries_of(kind) if canonical_json(entry.facts) == wanted)
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
        check_faults([no_file(self.store / path).faults[0] for path, digest in changed.items() if digest == NO_FILE])
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
                signer=self._head.signer,
                public=self._head.public,
                is_signed=self.is_signed,
            )
        return self._journals[path]

    def as_read(self) -> Chain:
        """What the file holds, whatever it is worth; nothing is decided by it."""
        return self._reader.read()

    @property
    def checkpoint(self) -> Path:
        """The file of the signed head."""
        return self._head.path

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
        return head_of(entries[0], entries[-1]) if entries else None

    def head_faults(self, path: Path | None = None) -> list[Fault]:
        """What of the ledger a signed checkpoint does not agree with: nothing where it holds, or is not begun yet.

        Args:
            path: a checkpoint that was kept elsewhere; None for the one beside the ledger.
        """
        note = self._head.note(path)
        chain = ChainReader(self.path).read()
        try:
            return self._head.disagreements(chain, note, path)
        except FairhavenError as error:
            return [Fault(path=(path or self.checkpoint).name, message=str(error))]

    def is_signed(self) -> bool:
        """Whether there must be a signed head: in a hub of before, not until it is begun. Raises as `entries`."""
        return self._head.key(self._reader.read(), self._head.note()) is not None

    def _known(self) -> Chain:
        # The note first: whoever appends meanwhile writes the entry before its head.
        note = self._head.note()
        chain = self._reader.read()
        if self._checked != (chain, note):
            check_faults(_faults(chain) or self._head.disagreements(chain, note))
            self._checked = chain, note
        return chain

    def _recorded(self, entry: Entry | None) -> Entry | None:
        """An entry that is there already; who wrote it may have been killed before the head was signed."""
        if entry:
            self._head.catch_up(self._known())
        return entry

    def _append_checked(
        self, file: BinaryIO, kind: EventKind, facts: Mapping[str, Any], by: Actor, files: Files
    ) -> Entry:
        chain = self._known()
        return self._append(file, chain, self._head.signer_of(chain), kind, facts, by, files)

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
            self._head.sign(signer, chain.entries[0] if chain.entries else entry, entry)
        return entry

    @contextmanager
    def _locked(self) -> Iterator[BinaryIO]:
        # Not the ledger itself: whoever may read a file can hold a lock on it, and that for ever.
        locks = self.path.parent / "locks"
        locks.mkdir(parents=True, exist_ok=True, mode=0o700)
        is_new = not self.path.exists()
        with (
            os.fdopen(open_plain(locks / self.path.stem, os.O_RDWR | os.O_CREAT), "r+b") as lock,
            os.fdopen(open_plain(self.path, os.O_RDWR | os.O_CREAT), "r+b") as file,
        ):
            fcntl.flock(lock, fcntl.LOCK_EX)
            if is_new:
                sync(self.path.parent)
            yield file


def _faults(chain: Chain) -> list[Fault]:
    """Of the chain, with what to do."""
    return [replace(fault, message=f"{fault.message}. {RESTORE}") for fault in chain.faults]


def _is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return canonical_json(one) == canonical_json(other)
