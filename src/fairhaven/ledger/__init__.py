"""An append-only record of what was done, whose entries hold each other by their hashes."""

from fairhaven.ledger.hash_chain import Entry, Ledger

__all__ = ["Entry", "Ledger"]
