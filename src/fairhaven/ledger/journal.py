"""The notes of an act under way: what it has decided, and the content hash of each file before that takes its place.

Whoever finishes after a kill does so by what the notes say, and what is entered in the ledger is what they say, never what
lies on the disk: whoever may write to the store and has no key could otherwise have the hub record and sign it.

A file of lines (JSON), each signed with the key of the ledger's head over itself and the hash of the line before. A line
says how long the ledger was and which head it had, so that notes of another time are known: what it says of a file
counts while no later entry carries the file. The last line is written before what it says is done, so one that a power
cut tore was not acted upon, and what it says of files may not have come about (`Journal.settle`).
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fairhaven.kernel.codec import from_json, to_json
from fairhaven.kernel.errors import Fault, Invalid, NotAllowedNow
from fairhaven.kernel.files import Announced, announcing, canonical_json, sync, write_atomically
from fairhaven.kernel.plain_files import open_plain, read_plain
from fairhaven.ledger.appended_lines import AppendedLines
from fairhaven.ledger.chain_reader import GENESIS
from fairhaven.ledger.checkpoint import Signer, is_signature
from fairhaven.ledger.file_hashes import content_hash, hashes_of_ready
from fairhaven.ledger.model import Actor, Entry, EventKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """A line of a journal.

    Args:
        facts: what was decided or done.
        files: path in the store -> content hash of what takes this place next, all at once; None where it goes.
        entries: how many entries the ledger had.
        head: hash of the last of them; empty where there was none.
        actor: who decided; None where that follows from the line before.
        previous: SHA-256 of the line before.
        signature: of the line without it, hex.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str | None] = field(default_factory=dict)
    entries: int
    head: str
    actor: Actor | None = None
    previous: str
    signature: str = ""


class Journal:
    """The notes of one act, in one file of the store, which is there as long as the act goes on.

    Only whoever holds the locks of what the act changes writes to it.

    Args:
        path: the file.
        store: the folder whose files are meant.
        entries: gives the ledger's entries, in order.
        signer: gives what signs.
        public: gives the public half of the key that must have signed.
    """

    def __init__(
        self,
        path: Path,
        *,
        store: Path,
        entries: Callable[[], Sequence[Entry]],
        signer: Callable[[], Signer],
        public: Callable[[], bytes],
    ) -> None:
        self.path = path
        self._store = store
        self._entries = entries
        self._signer = signer
        self._public = public
        self._lines = AppendedLines(path)
        self._found: list[Note] = []
        self._head = GENESIS

    def is_open(self) -> bool:
        """Whether the act was begun and has not ended."""
        return os.path.lexists(self.path)

    def notes(self) -> Sequence[Note]:
        """What was noted, in order; nothing where the act is not begun.

        Raises:
            Invalid: a line was altered, is of another act, hub or ledger, or was written by something else.
        """
        return tuple(self._read())

    def has_notes(self) -> bool:
        """Whether the act goes on, and has such notes. Raises as `notes`."""
        return self.is_open() and self.before() is None and bool(self._read())

    def before(self) -> Any | None:
        """What a version without journals left here, as JSON has it: what the hub's upgrade found and entered, and nothing else.

        Whoever may write to the store and has no key could otherwise have the hub do what no entry and no signature says.
        """
        if not self.is_open():
            return None
        try:
            written = read_plain(self.path)
        except FileNotFoundError:
            return None
        upgrades = [entry for entry in self._entries() if entry.kind == EventKind.UPGRADED]
        if hashlib.sha256(written).hexdigest() not in {entry.facts["notes"].get(self._name) for entry in upgrades}:
            return None
        return json.loads(written)

    def begin(self, facts: Mapping[str, Any], *, by: Actor, files: Mapping[str, str | None] | None = None) -> None:
        """Begin the act, in the place of whatever stands there; it is on the disk when this returns."""
        write_atomically(self.path, self._line(facts, files or {}, by, GENESIS))
        self._lines.forget()

    def note(
        self,
        facts: Mapping[str, Any] | None = None,
        *,
        files: Mapping[str, str | None] | None = None,
        by: Actor | None = None,
    ) -> None:
        """Add a line to a journal that was begun; it is on the disk when this returns. Raises as `notes`."""
        self._read()
        with os.fdopen(open_plain(self.path, os.O_RDWR), "r+b") as file:
            file.truncate(self._lines.end)
            file.seek(0, os.SEEK_END)
            file.write(self._line(facts or {}, files or {}, by, self._head))
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def writing(self, facts: Mapping[str, Any], *, by: Actor, is_mine: Callable[[str], bool]) -> Iterator[None]:
        """Note each file that is given its place meanwhile; the act is begun with the first of them.

        Args:
            is_mine: whether a path in the store is one that the act's entry is to carry.

        Raises:
            NotAllowedNow: notes of an earlier act are there: one entry would speak of both.
        """
        if self.is_open():
            raise NotAllowedNow(
                f"{self._name} has notes of an act that was cut short, and nothing is added to them. Run the command again: it "
                "ends that act first."
            )

        def noted(files: Mapping[str, str | None]) -> None:
            if self.is_open():
                self.note(files=files)
            else:
                self.begin(facts, by=by, files=files)

        with self._told(noted, is_mine):
            yield

    @contextmanager
    def noting(self, *, is_mine: Callable[[str], bool]) -> Iterator[None]:
        """The same for an act that was begun."""
        with self._told(lambda files: self.note(files=files), is_mine):
            yield

    @contextmanager
    def _told(
        self, note: Callable[[Mapping[str, str | None]], object], is_mine: Callable[[str], bool]
    ) -> Iterator[None]:
        def told(files: Announced) -> None:
            if mine := hashes_of_ready(self._store, files, is_wanted=is_mine):
                note(mine)

        with announcing(told):
            yield

    def files(self) -> dict[str, str | None]:
        """Path -> content hash, of what the notes say and no later entry of the ledger: what is there, once they are settled."""
        return self._fold(self.notes())

    def applied_to(self, kept: Mapping[str, str]) -> dict[str, str]:
        """Path -> content hash of all that is there, once they are settled.

        Args:
            kept: as for `settle`.
        """
        return {path: digest for path, digest in {**kept, **self.files()}.items() if digest is not None}

    def unsettled(self, kept: Mapping[str, str]) -> dict[str, frozenset[str | None]]:
        """Path -> content hashes that a file may have until they are settled: what the last line says may not be done yet.

        Args:
            kept: as for `settle`.
        """
        notes = self.notes()
        before = {**kept, **self._fold(notes[:-1])}
        last = self._fold(notes[-1:])
        return {
            path: frozenset({digest, before.get(path)} if path in last else {digest})
            for path, digest in self._fold(notes).items()
        }

    def settle(self, kept: Mapping[str, str]) -> None:
        """Take back what the last line says of files, where a kill came before any of it was done.

        Args:
            kept: path -> content hash of what was there before this act.
        """
        notes = self.notes()
        last = self._fold(notes[-1:])
        before = {**kept, **self._fold(notes[:-1])}
        as_before = {path: before.get(path) for path in last}
        found = {path: content_hash(self._store / path) for path in last}
        if found == as_before != last:
            self.note(files=as_before)

    def end(self) -> None:
        """The act has ended; the journal goes."""
        self.path.unlink()
        self._lines.forget()
        sync(self.path.parent)

    def _fold(self, notes: Sequence[Note]) -> dict[str, str | None]:
        # Entries of before the first of them are of no account, and a ledger may be long.
        since = min((note.entries for note in notes), default=0)
        later = {path: entry.number for entry in self._entries()[since:] for path in entry.files}
        found: dict[str, str | None] = {}
        for note in notes:
            found |= {path: digest for path, digest in note.files.items() if later.get(path, 0) <= note.entries}
        return found

    def _line(
        self, facts: Mapping[str, Any], files: Mapping[str, str | None], by: Actor | None, previous: str
    ) -> bytes:
        entries = self._entries()
        note = Note(
            facts=facts,
            files=files,
            entries=len(entries),
            head=entries[-1].hash if entries else "",
            actor=by,
            previous=previous,
        )
        signature = self._signer().sign(self._signed(note)).hex()
        return canonical_json(to_json(replace(note, signature=signature))).encode() + b"\n"

    def _signed(self, note: Note) -> bytes:
        """What is signed: begins as no checkpoint does, and names the file, so that no line counts elsewhere."""
        plain = to_json(replace(note, signature=""))
        return f"journal {self._name}\n{canonical_json(plain)}".encode()

    @property
    def _name(self) -> str:
        return self.path.relative_to(self._store).as_posix()

    def _read(self) -> list[Note]:
        """Every line; those that were read are not looked at again."""
        new = self._lines.new()
        if new.is_anew:
            self._found, self._head = [], GENESIS
        for line in new.lines:
            try:
                note = from_json(Note, json.loads(line))
                is_ours = note.previous == self._head and self._is_ours(note)
            except (ValueError, Invalid, RecursionError):
                is_ours = False
            if not is_ours:
                self._lines.forget()
                raise self._foreign()
            self._found.append(note)
            self._head = hashlib.sha256(line).hexdigest()
        if not self._found and self.is_open():
            raise self._foreign()
        return self._found

    def _is_ours(self, note: Note) -> bool:
        entries = self._entries()
        if not 0 <= note.entries <= len(entries) or note.head != (
            entries[note.entries - 1].hash if note.entries else ""
        ):
            return False
        return is_signature(bytes.fromhex(note.signature), self._signed(note), self._public())

    def _foreign(self) -> Invalid:
        message = (
            "is damaged, or was not written by this hub: it is not signed as the notes of an act under way are. Nothing was "
            "changed. Restore the store from one backup of the hub, or remove this file: what a command that was killed "
            "had changed is then named file by file, and an erasure that was cut short is to be run again."
        )
        return Invalid(Fault(path=self._name, message=message))
