"""The proof that an entry is in a ledger, for somebody who has nothing but a signed head and the key's public half.

A file of JSON. Whoever reads it needs no Fairhaven: docs/explanation/the-record.md has a script of thirty lines.
"""

from dataclasses import dataclass

from fairhaven.kernel.errors import Invalid, NotFound
from fairhaven.kernel.files import canonical_json
from fairhaven.ledger.chain_reader import Chain
from fairhaven.ledger.checkpoint import Checkpoint
from fairhaven.ledger.merkle import consistency_path, inclusion_path


@dataclass(frozen=True, kw_only=True, slots=True)
class Continuation:
    """That a ledger goes on from an earlier head.

    Args:
        size: how many entries the earlier head counts.
        path: the hashes by which its root and the later one are computed (RFC 9162, 2.1.4), hex.
    """

    size: int
    path: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryProof:
    """That an entry is in a ledger.

    Args:
        number: of the entry, from 1.
        content: its text: the leaf is the SHA-256 of a zero byte and this, in UTF-8.
        path: the hashes by which the root is computed from the leaf, upwards (RFC 9162, 2.1.3), hex.
        checkpoint: the signed head that has this root.
        since: that the ledger goes on from an earlier head; None where none was asked about.
    """

    number: int
    content: str
    path: tuple[str, ...]
    checkpoint: str
    since: Continuation | None


def proof_of(chain: Chain, number: int, note: str, *, since: Checkpoint | None) -> EntryProof:
    """The proof of an entry.

    Args:
        chain: the whole ledger.
        note: its signed head.
        since: an earlier head of it, which it agrees with.

    Raises:
        NotFound: there is no such entry.
        Invalid: the earlier head is of a version before there was a tree.
    """
    if not 1 <= number <= chain.size:
        raise NotFound(f"there is no entry {number:,}: the ledger has {chain.size:,}, from 1 on")
    if since is not None and not since.origin.endswith("/tree"):
        raise Invalid(
            "this checkpoint was signed before the ledger had a tree, so only `fairhaven ledger verify --checkpoint` can compare it"
        )
    return EntryProof(
        number=number,
        content=canonical_json(chain.entries[number - 1].content()),
        path=_hex(inclusion_path(chain.leaves, number - 1)),
        checkpoint=note,
        since=Continuation(size=since.size, path=_hex(consistency_path(chain.leaves, since.size))) if since else None,
    )


def _hex(hashes: list[bytes]) -> tuple[str, ...]:
    return tuple(each.hex() for each in hashes)
