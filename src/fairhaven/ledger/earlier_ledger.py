"""The ledger of an earlier version, a file with an entry a line, taken over into the hub's database by an upgrade.

Each of its entries becomes a leaf of the tree as it was written, so that what was published of it before can still be compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fairhaven.kernel.errors import Fault, Invalid, check_faults
from fairhaven.kernel.plain_files import read_plain
from fairhaven.ledger.appended_lines import AppendedLines
from fairhaven.ledger.chain_reader import Chain, entry_in, read_on
from fairhaven.ledger.model import Entry, EventKind
from fairhaven.ledger.signed_head import SignedHead

LEDGER = "ledger.jsonl"
FOREIGN = "is not the ledger that this hub had before its upgrade: something other than Fairhaven put it there. Nothing was changed. Remove it."
_RESTORE = (
    "Nothing was changed. Restore it, and the checkpoint beside it, from one backup of the hub, and upgrade that."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlierLedger:
    """What the file held, every hash, link and its signed head compared.

    Args:
        entries: each with what is hashed of it.
        head: its signed head; empty where, in the oldest hubs, none was signed.
    """

    entries: Sequence[tuple[Entry, str]]
    head: str


def read_earlier(store: Path, head: SignedHead, *, may_lack_head: bool) -> EarlierLedger:
    """Read the ledger of a store that is to be upgraded. A last line that a power cut tore was never acknowledged.

    Args:
        head: what its signed head must be.
        may_lack_head: the hub is so old that none was signed.

    Raises:
        Invalid: a hash or a link does not hold, or the signed head is missing or does not agree.
    """
    lines = AppendedLines(store / LEDGER).new().lines
    chain = read_on(lines, Chain())
    signed = store / "checkpoint"
    has_head = signed.exists()
    # A ledger that has a tree was taken over before: no file of an earlier version stands beside it.
    if any(entry.kind == EventKind.UPGRADED for entry in chain.entries) or (has_head and _has_tree(signed)):
        raise Invalid(Fault(path=LEDGER, message=FOREIGN))
    faults = [Fault(path=LEDGER, line=fault.line, message=f"{fault.message}. {_RESTORE}") for fault in chain.faults]
    if not faults and not chain.size:
        faults = [Fault(path=LEDGER, message=f"has no entry, and a hub has one from its first moment. {_RESTORE}")]
    if not faults and (has_head or not may_lack_head):
        faults = head.disagreements_elsewhere(chain, signed)
    check_faults(faults)
    return EarlierLedger(entries=tuple(map(_as_hashed, lines)), head=read_plain(signed).decode() if has_head else "")


def _has_tree(signed: Path) -> bool:
    return read_plain(signed).partition(b"\n")[0].endswith(b"/tree")


def _as_hashed(line: bytes) -> tuple[Entry, str]:
    entry, content = entry_in(line)
    return entry, content.decode()
