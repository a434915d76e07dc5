"""A hub's keys: what the ledger knows of them."""

from collections.abc import Mapping

from fairhaven.ledger import EventKind, Ledger

_KINDS = frozenset({EventKind.HUB_MADE})


def recorded_checks(ledger: Ledger) -> Mapping[str, str]:
    """The check values of the hub's keys as the ledger last recorded them, by purpose; none in a hub of before."""
    found: Mapping[str, str] = {}
    for entry in ledger.entries():
        if entry.kind in _KINDS:
            found = entry.facts.get("keys", found)
    return found
