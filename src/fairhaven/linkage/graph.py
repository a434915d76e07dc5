"""Groups in a graph, without loops over its nodes: connected components, and mutual-best merging."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def components(size: int, left: Ints, right: Ints) -> Ints:
    """For each of *size* nodes the smallest node that a path of edges leads to.

    Args:
        left, right: ends of the edges, 0 <= node < size.
    """
    label = np.arange(size, dtype=np.int64)
    while left.size:
        ends = np.minimum(label[left], label[right])
        before = label.copy()
        # Hang the roots of both ends below the smaller, then shorten every path: O(log n) rounds.
        np.minimum.at(label, before[left], ends)
        np.minimum.at(label, before[right], ends)
        while not np.array_equal(label, shorter := label[label]):
            label = shorter
        is_open = label[left] != label[right]
        left, right = left[is_open], right[is_open]
    return label


@dataclass(frozen=True, kw_only=True, slots=True)
class MergeResult:
    """Outcome of `merge_mutual_best`.

    Args:
        label: for each node the smallest node of its group.
        weight: for each node the mean weight of the first merge it took part in; NaN where none.
        left, right, apart: pairs of groups (by their smallest node) left apart, with their mean weight.
    """

    label: Ints
    weight: Floats
    left: Ints
    right: Ints
    apart: Floats


def unmerged(nodes: int) -> MergeResult:
    """Every node a group of its own, and no pair left apart."""
    nothing = np.empty(0, np.int64)
    return MergeResult(
        label=np.arange(nodes), weight=np.full(nodes, np.nan), left=nothing, right=nothing, apart=np.empty(0)
    )


def merge_mutual_best(
    *, size: Ints, left: Ints, right: Ints, total: Floats, pairs: Floats, unseen: float, link: float
) -> MergeResult:
    """Average-linkage clustering by rounds: two groups that are each other's best partner become one.

    The weight of two groups is the mean over all pairs of their members; pairs that were never compared count as
    *unseen*. So a chain of chance likenesses does not join persons, as connected components would.
    Merging mutual nearest neighbours gives the same tree as merging the best pair each time (average linkage is
    reducible: Bruynooghe 1977), in a few rounds instead of one round a merge.

    Args:
        size: members of each node.
        left, right: nodes of the compared pairs of nodes, left < right, each pair once.
        total, pairs: sum of the weights of the compared member pairs, and their number.
        link: mean weight from which groups merge.
    """
    nodes = size.size
    label = np.arange(nodes, dtype=np.int64)
    weight = np.full(nodes, np.nan)
    size = size.astype(np.int64).copy()
    while True:
        possible = size[left].astype(np.float64) * size[right]
        mean = np.round((total + np.maximum(possible - pairs, 0) * unseen) / np.maximum(possible, pairs), 6)
        possibles = np.flatnonzero(mean >= link)
        if not possibles.size:
            return MergeResult(label=label, weight=weight, left=left, right=right, apart=mean)
        one, other, worth = left[possibles], right[possibles], mean[possibles] + _jitter(left, right)[possibles]
        best = np.full(nodes, -np.inf)
        np.maximum.at(best, one, worth)
        np.maximum.at(best, other, worth)
        chosen = possibles[(worth == best[one]) & (worth == best[other])]
        target = np.arange(nodes, dtype=np.int64)
        target[right[chosen]] = left[chosen]
        merged_mean = np.full(nodes, np.nan)
        merged_mean[left[chosen]] = merged_mean[right[chosen]] = mean[chosen]
        weight = np.where(np.isnan(weight), merged_mean[label], weight)
        size[left[chosen]] += size[right[chosen]]
        label = target[label]
        left, right, total, pairs = _contract(target, left, right, total, pairs)


def _jitter(left: Ints, right: Ints) -> Floats:
    """A fixed number below 1e-6 for each pair, so that no two pairs are equally good and row order decides nothing."""
    mixed = (left.astype(np.uint64) << np.uint64(32)) ^ right.astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):  # splitmix64
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed.astype(np.float64) * (1e-6 / 2**64)


def _first_of_each(ordered: Ints) -> npt.NDArray[np.bool_]:
    first = np.ones(ordered.size, bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return first


def _contract(target: Ints, left: Ints, right: Ints, total: Floats, pairs: Floats) -> tuple[Ints, Ints, Floats, Floats]:
    """The pairs of groups after a round, each once."""
    ends = target[left], target[right]
    left, right = np.minimum(*ends), np.maximum(*ends)
    kept = np.flatnonzero(left != right)
    order = kept[np.lexsort((right[kept], left[kept]))]
    left, right = left[order], right[order]
    starts = np.flatnonzero(_first_of_each(left) | _first_of_each(right))
    totals, counts = np.add.reduceat(total[order], starts), np.add.reduceat(pairs[order], starts)
    return left[starts], right[starts], totals, counts
