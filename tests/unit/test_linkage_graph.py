"""Groups in a graph."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from fairhaven.linkage.graph import components, merge_mutual_best


def merged(size: int, pairs: Sequence[tuple[int, int, float]], *, unseen: float = -2.0, link: float = 0.0) -> Any:
    left, right, weight = zip(*pairs, strict=True)
    return merge_mutual_best(
        size=np.ones(size, np.int64),
        left=np.array(left),
        right=np.array(right),
        total=np.array(weight, float),
        pairs=np.ones(len(pairs)),
        unseen=unseen,
        link=link,
    )


def test_components_are_named_by_their_smallest_node() -> None:
    labels = components(7, np.array([5, 3, 1]), np.array([3, 2, 6]))
    assert labels.tolist() == [0, 1, 2, 2, 4, 2, 1]


@pytest.mark.parametrize("seed", range(5))
def test_components_do_not_depend_on_the_order_of_edges(seed: int) -> None:
    draw = np.random.default_rng(seed)
    left, right = draw.integers(0, 300, (2, 260))
    order = draw.permutation(260)
    assert components(300, left, right).tolist() == components(300, right[order], left[order]).tolist()


def test_the_best_pair_merges_and_a_weak_bridge_does_not_join_two_groups() -> None:
    outcome = merged(4, [(0, 1, 12.0), (2, 3, 12.0), (1, 2, 3.0)])
    assert outcome.label.tolist() == [0, 0, 2, 2]
    assert (outcome.left.tolist(), outcome.right.tolist()) == ([0], [2])
    assert outcome.apart.tolist() == [pytest.approx((3 - 3 * 2) / 4)]


def test_what_all_pairs_support_is_one_group() -> None:
    outcome = merged(3, [(0, 1, 9.0), (0, 2, 8.0), (1, 2, 7.0)])
    assert outcome.label.tolist() == [0, 0, 0]
    assert outcome.weight.tolist() == [9.0, 9.0, 7.5]


def test_a_hundred_equal_ties_end_in_one_group() -> None:
    pairs = [(a, b, 16.0) for a in range(100) for b in range(a + 1, 100)]
    assert set(merged(100, pairs).label.tolist()) == {0}


def test_nothing_to_compare_leaves_everyone_alone() -> None:
    nothing = np.empty(0, np.int64)
    outcome = merge_mutual_best(
        size=np.ones(3, np.int64),
        left=nothing,
        right=nothing,
        total=np.empty(0),
        pairs=np.empty(0),
        unseen=-2.0,
        link=0.0,
    )
    assert outcome.label.tolist() == [0, 1, 2]
