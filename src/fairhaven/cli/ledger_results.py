"""Results about the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from fairhaven.kernel.errors import Fault, Invalid, NotFound
from fairhaven.ledger import Checkpoint, Entry, EntryProof, Ledger

__all__ = ["EntryProof", "LedgerEntries", "SignedCheckpoint", "VerifiedLedger"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerEntries:
    """Entries of a ledger.

    Args:
        entries: those that were asked for, the newest last.
        of: how many there are of what was asked for, shown or not.
    """

    entries: tuple[Entry, ...]
    of: int

    @classmethod
    def of_kind(cls, entries: Sequence[Entry], *, kind: str | None, last: int) -> Self:
        """The newest entries, or the newest of a kind.

        Raises:
            Invalid: there is none of this kind; it says which kinds there are.
        """
        found = [entry for entry in entries if kind in (None, entry.kind)]
        if kind is not None and not found:
            kinds = ", ".join(sorted({entry.kind for entry in entries}))
            raise Invalid(f"the ledger has no entry of the kind {kind!r}; its kinds are: {kinds}")
        return cls(entries=tuple(found[-last:]), of=len(found))


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiedLedger:
    """A ledger whose hashes were computed again.

    Args:
        head: how many entries it has and the root of their tree; null where something is wrong.
        problems: what is wrong; with any, the exit code is 1.
    """

    head: Checkpoint | None
    problems: tuple[Fault, ...]

    @classmethod
    def of(cls, ledger: Ledger, kept: Path | None) -> Self:
        """Of a ledger, compared with its own head and one that was kept elsewhere.

        Raises:
            NotFound: there is no such file.
        """
        if kept and not kept.is_file():
            raise NotFound(f"there is no file {kept}")
        faults = ledger.verify() or ledger.head_faults() + (ledger.head_faults(kept) if kept else [])
        return cls(head=None if faults else ledger.head(), problems=tuple(faults))


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedCheckpoint:
    """The signed head of a ledger.

    Args:
        checkpoint: the signed note (C2SP tlog-checkpoint).
        public: the public half of the key that signed it, Ed25519, hex.
    """

    checkpoint: str
    public: str

    @classmethod
    def of(cls, ledger: Ledger) -> Self:
        """Of a ledger that holds. Raises as `Ledger.entries`."""
        note, public = ledger.signed_head()
        return cls(checkpoint=note, public=public.hex())
