"""The signed head of a ledger: by which key it must be signed, and what of the ledger it does not agree with."""

from collections.abc import Callable
from pathlib import Path

from fairhaven.kernel.errors import FairhavenError, Fault, Invalid
from fairhaven.kernel.plain_files import read_plain
from fairhaven.ledger.chain_reader import Chain
from fairhaven.ledger.checkpoint import Checkpoint, checkpoint_of
from fairhaven.ledger.merkle import root_of
from fairhaven.ledger.model import Entry

RESTORE = "Restore the hub's database and its store from one backup of the hub."
_HEAD = "checkpoint"


class SignedHead:
    """What the head of one ledger must be.

    Args:
        public: gives the public half of the key that must have signed.
    """

    def __init__(self, public: Callable[[], bytes]) -> None:
        self.public = public

    def disagreements(self, chain: Chain, note: bytes | None) -> list[Fault]:
        """What of a ledger its own head does not agree with: it must be of all entries that there are."""
        if note is None:
            return [Fault(path=_HEAD, message=f"is missing. {RESTORE}")]
        found = self._disagreements(chain, note, _HEAD)
        if not found and checkpoint_of(note, self.public(), path=_HEAD).size < chain.size:
            message = f"is of fewer entries than the ledger has, {chain.size:,}: something other than Fairhaven added to it. {RESTORE}"
            found = [Fault(path=_HEAD, message=message)]
        return found

    def disagreements_elsewhere(self, chain: Chain, path: Path) -> list[Fault]:
        """What of a ledger a checkpoint that was kept elsewhere does not agree with: that may be of fewer entries, and of an earlier version."""
        try:
            return self._disagreements(chain, read_plain(path), path.name)
        except FileNotFoundError:
            return [Fault(path=path.name, message="is missing")]
        except FairhavenError as error:
            return [Fault(path=path.name, message=str(error))]

    def size_signed(self, note: bytes | None) -> int:
        """Of how many entries a note is, if this hub's key signed it; otherwise none."""
        try:
            return 0 if note is None else checkpoint_of(note, self.public(), path=_HEAD).size
        except Invalid:
            return 0

    def _disagreements(self, chain: Chain, note: bytes, name: str) -> list[Fault]:
        try:
            known = checkpoint_of(note, self.public(), path=name)
        except Invalid as error:
            return list(error.faults)
        if known.size > chain.size:
            message = (
                f"says that there were {known.size:,} entries, and the ledger has {chain.size:,}: it was cut. {RESTORE}"
            )
            return [Fault(path=name, message=message)]
        if known not in _heads(chain, known.size):
            message = f"says that the first {known.size:,} entries are other ones than the ledger has: it was written anew. {RESTORE}"
            return [Fault(path=name, message=message)]
        return []


def head_of(chain: Chain) -> Checkpoint:
    """The head of all entries of a chain that has some."""
    return Checkpoint(origin=origin_of(chain.entries[0]), size=chain.size, hash=chain.tree.root.hex())


def origin_of(first: Entry) -> str:
    """The name of a ledger, which follows from its first entry."""
    return f"{_origin_before(first)}/tree"


def _origin_before(first: Entry) -> str:
    return f"fairhaven/{first.hash[:32]}"


def _heads(chain: Chain, size: int) -> tuple[Checkpoint, ...]:
    """What a true checkpoint of the first entries says; before there was a tree it had the hash of the last of them."""
    first, last = chain.entries[0], chain.entries[size - 1]
    root = chain.tree.root if size == chain.size else root_of(chain.leaves[:size])
    return (
        Checkpoint(origin=origin_of(first), size=size, hash=root.hex()),
        Checkpoint(origin=_origin_before(first), size=size, hash=last.hash),
    )
