"""The entries of a ledger as they are read: each hash and link is looked at once, and after an append only what is new.

An entry's hash is the SHA-256 of its canonical JSON without the hash itself, so that changing, dropping or moving an
entry shows at once. Whether entries were cut off the end, or all of them written anew, only a signed head tells.
"""

import gc
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from types import MappingProxyType

from fairhaven.kernel.codec import from_json, from_json_text
from fairhaven.kernel.errors import Fault, Invalid
from fairhaven.kernel.files import canonical_json
from fairhaven.ledger.merkle import EMPTY, TreeHead, leaf_hash
from fairhaven.ledger.model import Entry, EventKind

GENESIS = "0" * 64
"""What the first entry names as the one before it."""
NAME = "ledger"
"""What faults call it; their lines are numbers of entries."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Chain:
    """What was read of a ledger.

    Args:
        entries: in order, without the texts that are none.
        by_kind: the same by their kind.
        files: path in the store -> content hash of what the entries wrote and did not remove.
        faults: of texts that are no entries, and of hashes and links that do not hold.
        previous: what the next entry must name as the one before it; empty after a text that is none.
        leaves: the hash of each as a leaf of the Merkle tree (`merkle.leaf_hash`); tree: that tree.
        size: how many texts there are.
    """

    entries: tuple[Entry, ...] = ()
    by_kind: Mapping[str, Sequence[Entry]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    previous: str = GENESIS
    leaves: tuple[bytes, ...] = ()
    tree: TreeHead = EMPTY
    size: int = 0

    def of(self, *kinds: EventKind) -> Sequence[Entry]:
        """The entries of some kinds, in order."""
        found = [self.by_kind.get(kind, ()) for kind in kinds]
        return found[0] if len(found) == 1 else sorted(chain(*found), key=lambda entry: entry.number)


def read_on(texts: Iterable[bytes], known: Chain) -> Chain:
    """The chain after these texts, each the JSON of an entry with its hash; the same object where there are none."""
    with _without_collection():
        return _read_on(texts, known)


def _read_on(texts: Iterable[bytes], known: Chain) -> Chain:
    entries, faults, files = list(known.entries), list(known.faults), dict(known.files)
    by_kind = defaultdict[str, list[Entry]](list, {kind: list(same) for kind, same in known.by_kind.items()})
    previous, number, leaves = known.previous, known.size, []
    for text in texts:
        number += 1
        try:
            entry, content = entry_in(text)
        except (ValueError, RecursionError, Invalid):  # no JSON, or of another form
            faults.append(Fault(message="is no entry of a ledger", path=NAME, line=number))
            previous = ""
            continue
        leaves.append(leaf_hash(content))
        digest = hashlib.sha256(content).hexdigest()
        if (digest, entry.previous, entry.number) != (entry.hash, previous, number):
            faults += [
                Fault(message=message, path=NAME, line=number) for message in _wrong(entry, digest, previous, number)
            ]
        entries.append(entry)
        by_kind[entry.kind].append(entry)
        previous = entry.hash
        for path, held in entry.files.items():
            if held is None:
                files.pop(path, None)
            else:
                files[path] = held
    if number == known.size:
        return known
    return Chain(
        entries=tuple(entries),
        by_kind=MappingProxyType(dict(by_kind)),
        files=MappingProxyType(files),
        faults=tuple(faults),
        previous=previous,
        leaves=(*known.leaves, *leaves),
        tree=known.tree.with_leaves(leaves),
        size=number,
    )


def _wrong(entry: Entry, digest: str, previous: str, number: int) -> Iterator[str]:
    if digest != entry.hash:
        yield "the entry was altered: its hash is not that of its content"
    if previous and entry.previous != previous:
        yield "the entry does not follow the one before it: one was altered, moved or dropped"
    if entry.number != number:
        yield f"the entry says it is number {entry.number}, and it is number {number}"


def entry_in(text: bytes) -> tuple[Entry, bytes]:
    """An entry, and what is hashed of it.

    Raises:
        ValueError, RecursionError, Invalid: the text is none.
    """
    entry = from_json_text(Entry, text)
    if (content := content_in(text, entry.hash)) is not None:
        return entry, content
    # In another notation; a name that is there twice is read in one way alone.
    written = json.loads(text)
    entry = from_json(Entry, written)
    del written["hash"]
    return entry, canonical_json(written).encode()


def content_in(text: bytes, digest: str) -> bytes | None:
    """What is hashed of an entry, by its text as entries are written; None where the text is another, or the hash is not its own.

    The text without the hash is then the very text whose hash it is: that is ten times as fast as to parse it and write it again.
    """
    before, mark, after = text.rpartition(_HASH % digest.encode())
    content = before + after.removesuffix(b"\n")
    return content if mark and hashlib.sha256(content).hexdigest() == digest else None


def with_hash(content: str, digest: str) -> bytes:
    """The text of an entry by what is hashed of it, and the hash."""
    return b'%b,"hash":"%b"}' % (content[:-1].encode(), digest.encode())


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
