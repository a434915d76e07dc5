"""An append-only record of what was done and by whom, whose entries hold each other by their hashes."""

from fairhaven.ledger.checkpoint import Checkpoint
from fairhaven.ledger.file_hashes import content_hash, content_hashes, hash_of_json, hashes_as_written
from fairhaven.ledger.hash_chain import Ledger
from fairhaven.ledger.journal import Journal, Note
from fairhaven.ledger.model import Actor, ActorKind, Entry, EventKind

__all__ = [
    "Actor",
    "ActorKind",
    "Checkpoint",
    "Entry",
    "EventKind",
    "Journal",
    "Ledger",
    "Note",
    "content_hash",
    "content_hashes",
    "hash_of_json",
    "hashes_as_written",
]
