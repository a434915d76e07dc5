"""Groups in a graph, without loops over its nodes: connected components, and mutual-best merging.

A node may **bear** something of which a group holds one at most (a person, one NHS number). `NOTHING` is borne by whoever may
join any group. A group knows what it bears by one number, so that to keep two groups apart costs the same whatever their size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

NOTHING = -1

CERTAIN = 1e9
"""What bars two groups by more than this is a fact, and no slip."""


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


def compatible(one: Ints, other: Ints) -> Bools:
    """Where what two groups bear lets them be one."""
    fits: Bools = (one == other) | (one == NOTHING) | (other == NOTHING)
    return fits


def borne_together(label: Ints, bearing: Ints) -> Ints:
    """For each node what its group bears; of a group that holds two, something that no other bears: nothing more may join it.

    Args:
        label: for each node its group, named by one of its nodes.
    """
    highest, lowest = np.full(label.size, NOTHING), np.full(label.size, np.iinfo(np.int64).max)
    bears = bearing != NOTHING
    np.maximum.at(highest, label, bearing)
    np.minimum.at(lowest, label[bears], bearing[bears])
    own = int(bearing.max(initial=NOTHING)) + 1 + np.arange(label.size)
    return np.where((highest == NOTHING) | (highest == lowest), highest, own)[label]


def join_where_one_fits(label: Ints, bearing: Ints, left: Ints, right: Ints) -> tuple[Ints, Bools]:
    """Join groups along edges so that none holds two things borne.

    Groups that bear nothing are joined first. What so hangs together goes to those that bear something if all of them bear the
    same: what fits two goes to neither, whatever the order of the edges.

    Args:
        label: for each node its group, named by its smallest node.
        bearing: for each node what its group bears.
        left, right: nodes at the ends of the edges.

    Returns:
        for each node its group; for each edge whether it holds.
    """
    ends = label[left], label[right]
    borne = bearing[ends[0]], bearing[ends[1]]
    is_free = (borne[0] == NOTHING) & (borne[1] == NOTHING)
    free = components(label.size, ends[0][is_free], ends[1][is_free])
    # An edge between what bears something and what does not: the smaller of both is NOTHING.
    is_between = np.minimum(*borne) != np.maximum(*borne)
    is_between &= compatible(*borne)
    joining = free[np.where(borne[0] == NOTHING, *ends)]
    offered = np.maximum(*borne)
    only = _only_thing_offered(label.size, joining[is_between], offered[is_between])
    holds = np.where(is_between, only[joining] == offered, borne[0] == borne[1])
    return components(label.size, ends[0][holds], ends[1][holds])[label], holds


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
    *,
    size: Ints,
    bearing: Ints,
    left: Ints,
    right: Ints,
    total: Floats,
    full: Floats,
    pairs: Floats,
    bars: Floats,
    unseen: float,
    link: float,
    margin: float,
) -> MergeResult:
    """Average-linkage clustering by rounds: two groups that are each other's best partner become one.

    The weight of two groups is the mean over all pairs of their members; pairs that were never compared count as
    *unseen*. So a chain of chance likenesses does not join persons, as connected components would.
    Merging mutual nearest neighbours gives the same tree as merging the best pair each time (average linkage is
    reducible: Bruynooghe 1977), in a few rounds instead of one round a merge.

    Args:
        size: members of each node.
        bearing: what each node bears, `NOTHING` or of which a group holds one.
        left, right: nodes of the compared pairs of nodes, left < right, each pair once.
        total, pairs: sum of the weights of the compared member pairs, and their number.
        full: sum of the same weights before the high ones were cut.
        bars: sum of what speaks against their groups being one; above 0 they never are. What fits two whom more than `CERTAIN` bars
            from being one joins neither, unless it fits one better by *margin*.
        link: mean weight from which groups merge.
        margin: how much better, by mean full weight, a group that bears nothing must fit one that bears something than it fits
            one that bears something else; it joins neither otherwise.
    """
    nodes = size.size
    label = np.arange(nodes, dtype=np.int64)
    weight = np.full(nodes, np.nan)
    size, bearing = size.astype(np.int64).copy(), bearing.copy()
    while True:
        fits = np.flatnonzero(compatible(bearing[left], bearing[right]))
        left, right, (total, full, pairs, bars) = (
            left[fits],
            right[fits],
            (each[fits] for each in (total, full, pairs, bars)),
        )
        possible = size[left].astype(np.float64) * size[right]
        not_seen, over = np.maximum(possible - pairs, 0) * unseen, np.maximum(possible, pairs)
        mean = np.round((total + not_seen) / over, 6)
        mean[bars > 0] = -np.inf
        possibles = np.flatnonzero(mean >= link)
        full_mean = (full + not_seen) / over
        possibles = possibles[_fits_best(bearing, left[possibles], right[possibles], full_mean[possibles], margin)]
        are_two = bars > CERTAIN
        possibles = possibles[
            _fits_one(left[possibles], right[possibles], full_mean[possibles], left[are_two], right[are_two], margin)
        ]
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
        bearing[left[chosen]] = np.maximum(bearing[left[chosen]], bearing[right[chosen]])
        label = target[label]
        left, right, (total, full, pairs, bars) = _contract(target, left, right, (total, full, pairs, bars))


def _fits_best(bearing: Ints, left: Ints, right: Ints, weight: Floats, margin: float) -> Bools:
    """Which of the pairs that could merge may: a group that bears nothing goes to what fits it best, and nowhere if that is two."""
    borne = np.maximum(bearing[left], bearing[right])
    may: Bools = (np.minimum(bearing[left], bearing[right]) != NOTHING) | (borne == NOTHING)
    offers = np.flatnonzero(~may)
    free, borne, weight = np.where(bearing[left] == NOTHING, left, right)[offers], borne[offers], weight[offers]
    best = np.full(bearing.size, -np.inf)
    np.maximum.at(best, free, weight)
    is_near = weight >= best[free] - margin
    may[offers] = _only_thing_offered(bearing.size, free[is_near], borne[is_near])[free] == borne
    return may


def _fits_one(left: Ints, right: Ints, weight: Floats, one: Ints, other: Ints, margin: float) -> Bools:
    """Which of the pairs that could merge may: what fits two that are plainly two about equally well joins neither.

    Args:
        left, right, weight: pairs that could merge, each once.
        one, other: pairs of groups that are plainly two.
    """
    may = np.ones(left.size, bool)
    ends, partners = np.concatenate([left, right]), np.concatenate([right, left])
    order = np.lexsort((partners, ends))
    ends, partners, pair = ends[order], partners[order], np.tile(np.arange(left.size), 2)[order]
    # For each of two, who could merge with the one; then whether they could merge with the other as well.
    begin, end = np.searchsorted(ends, one), np.searchsorted(ends, one, side="right")
    of = np.repeat(np.arange(one.size), end - begin)
    first = (
        np.arange(of.size)
        - np.repeat(np.cumsum(end - begin) - (end - begin), end - begin)
        + np.repeat(begin, end - begin)
    )
    nodes = int(max(ends.max(initial=0), other.max(initial=0))) + 1
    wanted, keys = other[of] * nodes + partners[first], ends * nodes + partners
    second = np.minimum(np.searchsorted(keys, wanted), max(keys.size - 1, 0))
    found = np.flatnonzero(keys[second] == wanted) if keys.size else np.empty(0, np.int64)
    one_pair, other_pair = pair[first[found]], pair[second[found]]
    ahead = weight[one_pair] - weight[other_pair]
    may[one_pair[ahead <= margin]] = False
    may[other_pair[ahead >= -margin]] = False
    return may


def _only_thing_offered(nodes: int, to: Ints, offered: Ints) -> Ints:
    """For each node what it is offered, `NOTHING` where that is several things or none."""
    most, least = np.full(nodes, NOTHING), np.full(nodes, np.iinfo(np.int64).max)
    np.maximum.at(most, to, offered)
    np.minimum.at(least, to, offered)
    return np.where(most == least, most, NOTHING)


def _jitter(left: Ints, right: Ints) -> Floats:
    """A fixed number below 1e-6 for each pair, so that no two pairs are equally good and row order decides nothing."""
    mixed = (left.astype(np.uint64) << np.uint64(32)) ^ right.astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):  # splitmix64
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed.astype(np.float64) * (1e-6 / 2**64)


def _first_of_each(ordered: Ints) -> Bools:
    first = np.ones(ordered.size, bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return first


def _contract(target: Ints, left: Ints, right: Ints, sums: Sequence[Floats]) -> tuple[Ints, Ints, tuple[Floats, ...]]:
    """The pairs of groups after a round, each once, and what is summed over them."""
    ends = target[left], target[right]
    left, right = np.minimum(*ends), np.maximum(*ends)
    kept = np.flatnonzero(left != right)
    order = kept[np.lexsort((right[kept], left[kept]))]
    left, right = left[order], right[order]
    starts = np.flatnonzero(_first_of_each(left) | _first_of_each(right))
    return left[starts], right[starts], tuple(np.add.reduceat(each[order], starts) for each in sums)
