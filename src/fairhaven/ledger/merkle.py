"""The Merkle tree over the ledger's entries: one hash that stands for all of them, and short proofs that an entry is among
them, or that a later tree goes on from an earlier one.

Source: RFC 9162, section 2.1 (Merkle trees of Certificate Transparency 2.0). Leaves and nodes are hashed with different
first bytes, so that nobody can pass a node off as an entry.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_LEAF, _NODE = b"\x00", b"\x01"


def leaf_hash(content: bytes) -> bytes:
    """The hash of a leaf, 32 bytes: SHA-256 of a zero byte and the content (RFC 9162, 2.1.1)."""
    return hashlib.sha256(_LEAF + content).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_NODE + left + right).digest()


@dataclass(frozen=True, kw_only=True, slots=True)
class TreeHead:
    """A tree that is only added to, by what is needed to go on with it.

    Args:
        size: how many leaves it has.
        peaks: the roots of its whole subtrees, the largest first: one for each bit of ``size`` that is set.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def with_leaves(self, leaves: Iterable[bytes]) -> "TreeHead":
        """The tree after these leaf hashes; costs two hashes a leaf."""
        size, peaks = self.size, list(self.peaks)
        for leaf in leaves:
            peaks.append(leaf)
            # Two subtrees of one size are one of twice the size, as a binary counter carries.
            carried = size
            while carried & 1:
                right = peaks.pop()
                peaks[-1] = _node(peaks[-1], right)
                carried >>= 1
            size += 1
        return TreeHead(size=size, peaks=tuple(peaks))

    @property
    def root(self) -> bytes:
        """The hash of all leaves, 32 bytes; of no leaf the SHA-256 of nothing."""
        if not self.peaks:
            return hashlib.sha256().digest()
        *others, root = self.peaks
        for left in reversed(others):
            root = _node(left, root)
        return root


EMPTY = TreeHead()
"""The tree of no leaf."""


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root of a tree of these leaf hashes."""
    return EMPTY.with_leaves(leaves).root


def inclusion_path(leaves: Sequence[bytes], place: int) -> list[bytes]:
    """The hashes by which whoever holds a leaf computes the root, from the leaf up (RFC 9162, 2.1.3.1).

    Args:
        leaves: hashes of all leaves.
        place: of the leaf, from 0.
    """
    if not 0 <= place < len(leaves):
        raise ValueError(f"{place} is no place in a tree of {len(leaves)} leaves")
    path: list[bytes] = []
    while len(leaves) > 1:
        half = _largest_power_below(len(leaves))
        is_left = place < half
        path.append(root_of(leaves[half:] if is_left else leaves[:half]))
        leaves, place = (leaves[:half], place) if is_left else (leaves[half:], place - half)
    return path[::-1]


def root_by_inclusion(leaf: bytes, path: Sequence[bytes], *, place: int, size: int) -> bytes | None:
    """The root that a path gives for a leaf at a place; None where a path of this length cannot be (RFC 9162, 2.1.3.2)."""
    node, last = place, size - 1
    if not 0 <= node <= last:
        return None
    root = leaf
    for sibling in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            root = _node(sibling, root)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            root = _node(root, sibling)
        node, last = node >> 1, last >> 1
    return root if last == 0 else None


def consistency_path(leaves: Sequence[bytes], earlier: int) -> list[bytes]:
    """The hashes that show that a tree goes on from the one of its first leaves (RFC 9162, 2.1.4.1).

    Args:
        leaves: hashes of all leaves.
        earlier: how many of them the earlier tree had; at least one.
    """
    if not 0 < earlier <= len(leaves):
        raise ValueError(f"no tree of {earlier} leaves is the beginning of one of {len(leaves)}")
    path: list[bytes] = []
    is_known = True  # whoever asks holds the root of the earlier tree
    while earlier != len(leaves):
        half = _largest_power_below(len(leaves))
        if earlier <= half:
            path.append(root_of(leaves[half:]))
            leaves = leaves[:half]
        else:
            path.append(root_of(leaves[:half]))
            leaves, earlier, is_known = leaves[half:], earlier - half, False
    return ([] if is_known else [root_of(leaves)]) + path[::-1]


def is_consistent(path: Sequence[bytes], *, earlier: int, root_then: bytes, size: int, root: bytes) -> bool:
    """Whether a path shows that the tree of a size and root goes on from the earlier one (RFC 9162, 2.1.4.2)."""
    if not 0 < earlier <= size:
        return False
    if earlier == size:
        return not path and root_then == root
    hashes = list(path) if earlier & (earlier - 1) else [root_then, *path]
    if not hashes:
        return False
    node, last = earlier - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    before = after = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            before, after = _node(sibling, before), _node(sibling, after)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            after = _node(after, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and (before, after) == (root_then, root)


def _largest_power_below(number: int) -> int:
    """The largest power of two that is less than a number of at least two."""
    return 1 << ((number - 1).bit_length() - 1)
