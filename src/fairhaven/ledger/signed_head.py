"""The signed head of a ledger in its file beside it: by which key it must be signed, what of the ledger it does not agree with.

A hub of an earlier version has none until it is begun; in any other a head that is missing is a fault, and stays one.
"""

from collections.abc import Callable
from pathlib import Path

from fairhaven.kernel.errors import Fault, Invalid
from fairhaven.kernel.files import write_atomically
from fairhaven.kernel.listing import listed
from fairhaven.kernel.plain_files import read_plain
from fairhaven.ledger.chain_reader import Chain
from fairhaven.ledger.checkpoint import Checkpoint, Signer, checkpoint_of
from fairhaven.ledger.model import Entry, EventKind

RESTORE = "Restore the ledger and its checkpoint from one backup of the hub."
_WITH_KEYS = (EventKind.HUB_MADE, EventKind.KEYS_ROTATED)


class SignedHead:
    """The head in one file.

    Args:
        path: the file.
        signer: signs; None leaves the file as it is.
        public: gives the public half of the key by which the head is known, or None in a hub of before; None for the signer's own.
    """

    def __init__(self, path: Path, *, signer: Signer | None, public: Callable[[], bytes | None] | None) -> None:
        self.path = path
        self.signer = signer
        self.public = public or (lambda: signer.public if signer else None)

    def note(self, path: Path | None = None) -> bytes | None:
        """The signed note; None where there is none.

        Args:
            path: of one that was kept elsewhere.
        """
        try:
            return read_plain(path or self.path)
        except FileNotFoundError:
            return None

    def key(self, chain: Chain, note: bytes | None) -> bytes | None:
        """The public half that must have signed the head; None where there need be no head."""
        public = self.public()
        if public is None and self.signer and (note is not None or any(map(_tells_keys, chain.of(*_WITH_KEYS)))):
            return self.signer.public
        return public

    def signer_of(self, chain: Chain) -> Signer | None:
        """Who signs the next head of a ledger; None where none is signed, or not here."""
        return self.signer if self.key(chain, self.note()) is not None else None

    def disagreements(self, chain: Chain, note: bytes | None, elsewhere: Path | None = None) -> list[Fault]:
        """What of a ledger a note does not agree with: nothing where it holds, or need not be there."""
        name, entries = (elsewhere or self.path).name, chain.entries
        public = self.key(chain, note)
        if public is None:
            return []
        if note is None:
            return [Fault(path=name, message=f"is missing. {RESTORE}")]
        try:
            known = checkpoint_of(note, public, path=name)
        except Invalid as error:
            return list(error.faults)
        if known.size > len(entries):
            message = f"says that there were {known.size:,} entries, and the ledger has {len(entries):,}: it was cut. {RESTORE}"
            return [Fault(path=name, message=message)]
        if head_of(entries[0], entries[known.size - 1]) != known:
            message = f"holds another hash of entry {known.size:,} than the ledger: that was written anew. {RESTORE}"
            return [Fault(path=name, message=message)]
        return []

    def catch_up(self, chain: Chain) -> None:
        """Sign the head of a ledger whose last entries a kill left without one. Where nothing is written the key is not asked for."""
        note = self.note()
        public = self.key(chain, note)
        if self.signer and note is not None and public is not None:
            is_behind = checkpoint_of(note, public, path=self.path.name).size < len(chain.entries)
            if is_behind:
                self.sign(self.signer, chain.entries[0], chain.entries[-1])

    def sign(self, signer: Signer, first: Entry, last: Entry) -> None:
        """Write the head anew; the caller holds the ledger's lock, so that whoever else was writing one was killed."""
        for torn in listed(self.path.parent, f".{self.path.name}.*.part"):
            torn.unlink(missing_ok=True)
        write_atomically(self.path, head_of(first, last).signed(signer))


def head_of(first: Entry, last: Entry) -> Checkpoint:
    """The head of a ledger, by its first entry and its last."""
    return Checkpoint(origin=f"fairhaven/{first.hash[:32]}", size=last.number, hash=last.hash)


def _tells_keys(entry: Entry) -> bool:
    """Whether an entry is one that only hubs with a key for each purpose have."""
    return entry.kind in _WITH_KEYS and "keys" in entry.facts
