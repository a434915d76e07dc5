"""The entries in a ledger's file, read once: what was read is kept, and after an append only what is new is read.

An entry's hash is the SHA-256 of its canonical JSON without the hash itself, so that changing, dropping or moving an
entry shows at once. Whether entries were cut off the end, or all of them written anew, only a signed head tells.
"""

import gc
import hashlib
import json
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from types import MappingProxyType

from fairhaven.kernel.codec import from_json, from_json_text
from fairhaven.kernel.errors import Fault, Invalid
from fairhaven.kernel.files import canonical_json
from fairhaven.ledger.appended_lines import AppendedLines
from fairhaven.ledger.model import Entry, EventKind

GENESIS = "0" * 64
"""What the first entry names as the one before it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Chain:
    """What was read of a ledger's file. A last line that a power cut tore is not part of it.

    Args:
        entries: in order, without the lines that are none.
        by_kind: the same by their kind.
        files: path in the store -> content hash of what the entries wrote and did not remove.
        faults: of lines that are no entries, and of hashes and links that do not hold.
        previous: what the next entry must name as the one before it; empty after a line that is none.
        lines: how many there are.
        end: bytes up to the end of the last one.
    """

    entries: tuple[Entry, ...] = ()
    by_kind: Mapping[str, Sequence[Entry]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    previous: str = GENESIS
    lines: int = 0
    end: int = 0

    def of(self, *kinds: EventKind) -> Sequence[Entry]:
        """The entries of some kinds, in order."""
        found = [self.by_kind.get(kind, ()) for kind in kinds]
        return found[0] if len(found) == 1 else sorted(chain(*found), key=lambda entry: entry.number)


class ChainReader:
    """Reads a ledger's file; others may append to it meanwhile.

    Args:
        path: the file, there or not.
    """

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._lines = AppendedLines(path)
        self._lock = threading.Lock()
        self._chain = Chain()

    def read(self) -> Chain:
        """The file as it is now. The same object as long as the file is the same."""
        with self._lock:
            new = self._lines.new()
            if new.is_anew or new.lines:
                with _without_collection():
                    self._chain = _read_on(new.lines, self._name, Chain() if new.is_anew else self._chain)
            return self._chain


def _read_on(lines: Iterable[bytes], name: str, known: Chain) -> Chain:
    entries, faults, files = list(known.entries), list(known.faults), dict(known.files)
    by_kind = defaultdict[str, list[Entry]](list, {kind: list(same) for kind, same in known.by_kind.items()})
    previous, number, end = known.previous, known.lines, known.end
    for line in lines:
        number, end = number + 1, end + len(line)
        try:
            entry, digest = _entry(line)
        except (ValueError, RecursionError, Invalid):  # no JSON, or of another form
            faults.append(Fault(message="not an entry of a ledger", path=name, line=number))
            previous = ""
            continue
        if (digest, entry.previous, entry.number) != (entry.hash, previous, number):
            faults += [
                Fault(message=message, path=name, line=number) for message in _wrong(entry, digest, previous, number)
            ]
        entries.append(entry)
        by_kind[entry.kind].append(entry)
        previous = entry.hash
        for path, content in entry.files.items():
            if content is None:
                files.pop(path, None)
            else:
                files[path] = content
    return Chain(
        entries=tuple(entries),
        by_kind=MappingProxyType(dict(by_kind)),
        files=MappingProxyType(files),
        faults=tuple(faults),
        previous=previous,
        lines=number,
        end=end,
    )


def _wrong(entry: Entry, digest: str, previous: str, number: int) -> Iterator[str]:
    if digest != entry.hash:
        yield "the entry was altered: its hash is not that of its content"
    if previous and entry.previous != previous:
        yield "the entry does not follow the one before it: one was altered, moved or dropped"
    if entry.number != number:
        yield f"the entry says it is number {entry.number}, and it is number {number}"


def _entry(line: bytes) -> tuple[Entry, str]:
    """An entry, and the hash of what the line says."""
    entry = from_json_text(Entry, line)
    # As entries are written: the line without the hash is the very text whose hash it is. That is ten times as fast.
    before, mark, after = line.rpartition(_HASH % entry.hash.encode())
    digest = hashlib.sha256(before + after.removesuffix(b"\n")).hexdigest()
    if mark and digest == entry.hash:
        return entry, digest
    # In another notation; a name that is there twice is read in one way alone.
    written = json.loads(line)
    entry = from_json(Entry, written)
    del written["hash"]
    return entry, hashlib.sha256(canonical_json(written).encode()).hexdigest()


_HASH = b',"hash":"%b"'


@contextmanager
def _without_collection() -> Iterator[None]:
    """The collector of cycles looks at all that was read again and again, and finds none: that was half of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
