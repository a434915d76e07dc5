"""An append-only record of what was done and by whom, whose entries hold each other by their hashes."""

from fairhaven.ledger.checkpoint import Checkpoint
from fairhaven.ledger.file_hashes import content_hash, content_hashes
from fairhaven.ledger.hash_chain import Ledger
from fairhaven.ledger.model import Actor, ActorKind, Entry, EventKind

__all__ = ["Actor", "ActorKind", "Checkpoint", "Entry", "EventKind", "Ledger", "content_hash", "content_hashes"]
