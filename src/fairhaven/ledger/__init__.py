"""An append-only record of what was done and by whom, whose entries hold each other by their hashes."""

from fairhaven.ledger.checkpoint import Checkpoint
from fairhaven.ledger.earlier_ledger import LEDGER, EarlierLedger, read_earlier
from fairhaven.ledger.file_hashes import content_hash, content_hashes, hash_of_json, hashes_as_written
from fairhaven.ledger.hash_chain import Ledger, RecordedChange
from fairhaven.ledger.journal import Journal, Note
from fairhaven.ledger.model import Actor, ActorKind, Entry, EventKind
from fairhaven.ledger.proof import EntryProof
from fairhaven.ledger.signed_head import SignedHead

__all__ = [
    "LEDGER",
    "Actor",
    "ActorKind",
    "Checkpoint",
    "EarlierLedger",
    "Entry",
    "EntryProof",
    "EventKind",
    "Journal",
    "Ledger",
    "Note",
    "RecordedChange",
    "SignedHead",
    "content_hash",
    "content_hashes",
    "hash_of_json",
    "hashes_as_written",
    "read_earlier",
]
