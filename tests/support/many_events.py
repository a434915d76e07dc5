"""A ledger of very many events, written at once: as a hub has it after years, in seconds."""

import hashlib
from collections.abc import Iterator
from itertools import islice

from fairhaven.kernel.files import canonical_json
from fairhaven.ledger import Entry, EventKind, Ledger
from fairhaven.ledger.chain_reader import Chain, read_on, with_hash
from fairhaven.ledger.event_table import add_entries, write_note
from fairhaven.ledger.merkle import leaf_hash
from fairhaven.ledger.signed_head import head_of
from fairhaven.records import Database
from tests.support.actors import ANNA
from tests.support.ledgers import SIGNER

_AT_ONCE = 20_000


def write_events(ledger: Ledger, database: Database, number: int) -> None:
    """Add so many events to a ledger that was begun, and sign the head; nothing is published."""
    [first] = ledger.entries()
    chain = Chain()
    with database.writing() as connection:
        chain = read_on([with_hash(canonical_json(first.content()), first.hash)], chain)
        rows = _rows(first, number)
        while part := list(islice(rows, _AT_ONCE)):
            add_entries(connection, part)
            chain = Chain(
                entries=chain.entries,
                tree=chain.tree.with_leaves(leaf_hash(content.encode()) for _, content in part),
                size=chain.size + len(part),
            )
        write_note(connection, head_of(chain).signed(SIGNER))


def _rows(first: Entry, number: int) -> Iterator[tuple[Entry, str]]:
    previous = first.hash
    for each in range(first.number + 1, first.number + number + 1):
        entry = Entry(
            number=each,
            at="2026-11-30T12:00:00+00:00",
            kind=EventKind.DELIVERY,
            facts={"delivery": each, "source": "gp_riverside"},
            actor=ANNA,
            about=f"delivery-{each}",
            previous=previous,
            hash="",
        )
        content = canonical_json(entry.content())
        previous = hashlib.sha256(content.encode()).hexdigest()
        yield (
            Entry(**{name: getattr(entry, name) for name in Entry.__slots__ if name != "hash"}, hash=previous),
            content,
        )
