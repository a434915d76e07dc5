"""The ledger in words."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fairhaven.kernel.files import canonical_json

if TYPE_CHECKING:
    from fairhaven.cli.ledger_results import EntryProof, LedgerEntries, SignedCheckpoint, VerifiedLedger

_LONGEST = 100


def entries(found: "LedgerEntries") -> Iterator[str]:
    """A line an entry: number, time, who, what."""
    for entry in found.entries:
        facts = canonical_json(entry.facts)
        cut = facts if len(facts) <= _LONGEST else f"{facts[: _LONGEST - 1]}…"
        yield f"{entry.number:>6,}  {entry.at[:16].replace('T', ' ')}  {entry.actor or '(not recorded)'!s:<12}  {entry.kind}  {cut}"
    if found.of > len(found.entries):
        yield f"The last {len(found.entries):,} of {found.of:,}; `--last N` shows more, `--json` all that each says."


def verified(found: "VerifiedLedger") -> Iterator[str]:
    """Whether every hash and the head agree."""
    if found.head is None:
        yield "The ledger is not as it was written:"
        yield from (f"  {problem}" for problem in found.problems)
        return
    yield f"Verified: {found.head.size:,} entries, every hash agrees, and the head is signed by this hub's key."
    yield f"Root of the tree: {found.head.hash}"
    yield "Keep a checkpoint elsewhere (`fairhaven ledger checkpoint DIR --out FILE`): only that shows that all of it was not written anew."


def checkpoint(found: "SignedCheckpoint", out: Path | None) -> Iterator[str]:
    """The note itself, or where it was written."""
    if out:
        yield f"Written: {out}. `fairhaven ledger verify DIR --checkpoint {out}` compares the ledger with it."
    else:
        yield from found.checkpoint.splitlines()
    yield f"Public half of the key that signed it (Ed25519): {found.public}"


def proof(found: "EntryProof", out: Path | None) -> Iterator[str]:
    """Where the proof is, and what checks it."""
    size = found.checkpoint.split("\n")[1]
    yield f"Entry {found.number:,} is in the ledger of {int(size):,} entries: {len(found.path)} hashes show it."
    if out:
        yield f"Written: {out}. docs/explanation/the-record.md has a script that checks it without Fairhaven."
    else:
        yield "`--out FILE` writes the proof, `--json` shows it."
