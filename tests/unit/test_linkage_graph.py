"""Groups in a graph."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from fairhaven.linkage.graph import NOTHING, components, join_where_one_fits, merge_mutual_best


def merged(
    size: int,
    pairs: Sequence[tuple[int, int, float]],
    *,
    bearing: Sequence[int] = (),
    bars: Sequence[float] = (),
) -> Any:
    left, right, weight = zip(*pairs, strict=True)
    return merge_mutual_best(
        size=np.ones(size, np.int64),
        bearing=np.array(bearing or [NOTHING] * size),
        left=np.array(left),
        right=np.array(right),
        total=np.array(weight, float),
        full=np.array(weight, float),
        pairs=np.ones(len(pairs)),
        bars=np.array(bars or [0.0] * len(pairs)),
        unseen=-2.0,
        link=0.0,
        margin=3.0,
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
        bearing=np.full(3, NOTHING),
        left=nothing,
        right=nothing,
        total=np.empty(0),
        full=np.empty(0),
        pairs=np.empty(0),
        bars=np.empty(0),
        unseen=-2.0,
        link=0.0,
        margin=3.0,
    )
    assert outcome.label.tolist() == [0, 1, 2]


def test_what_bears_nothing_and_leads_to_two_goes_to_neither() -> None:
    label, holds = join_where_one_fits(
        np.arange(6),
        np.array([7, NOTHING, NOTHING, 8, NOTHING, 7]),
        np.array([0, 1, 2, 3, 0]),
        np.array([1, 2, 3, 4, 5]),
    )
    assert label.tolist() == [0, 1, 1, 3, 3, 0]
    assert holds.tolist() == [False, True, False, True, True]


@pytest.mark.parametrize("seed", range(5))
def test_no_group_holds_two_things_borne_whatever_the_edges_and_their_order(seed: int) -> None:
    draw = np.random.default_rng(seed)
    left, right = draw.integers(0, 300, (2, 400))
    bearing = np.where(draw.random(300) < 0.5, NOTHING, draw.integers(0, 40, 300))
    label, holds = join_where_one_fits(np.arange(300), bearing, left, right)
    borne = {(group, held) for group, held in zip(label.tolist(), bearing.tolist(), strict=True) if held != NOTHING}
    assert len(borne) == len({group for group, _ in borne})
    assert (label[left[holds]] == label[right[holds]]).all()
    order = draw.permutation(400)
    assert join_where_one_fits(np.arange(300), bearing, right[order], left[order])[0].tolist() == label.tolist()


def test_groups_that_bear_two_things_never_merge_also_not_through_a_third() -> None:
    outcome = merged(3, [(0, 1, 12.0), (0, 2, 16.0), (1, 2, 8.0)], bearing=[7, NOTHING, 8])
    assert outcome.label.tolist() == [0, 0, 2]


def test_what_fits_two_about_equally_well_joins_neither_and_is_for_a_human() -> None:
    outcome = merged(3, [(0, 1, 12.0), (1, 2, 10.0)], bearing=[7, NOTHING, 8])
    assert outcome.label.tolist() == [0, 1, 2]
    assert outcome.apart.tolist() == [12.0, 10.0]


def test_what_fits_two_that_are_plainly_two_joins_neither_whether_or_not_these_hold_a_number() -> None:
    pairs = [(0, 1, 12.0), (1, 2, 10.0), (0, 2, 3.0), (1, 3, 1.0)]
    assert merged(4, pairs, bars=[0, 0, 1e12, 0]).label.tolist() == [0, 1, 2, 1]
    assert merged(4, pairs, bars=[0, 0, 1.0, 0]).label.tolist() == [0, 0, 2, 3]
    clearer = [(0, 1, 12.0), (1, 2, 8.0), (0, 2, 3.0)]
    assert merged(3, clearer, bars=[0, 0, 1e12]).label.tolist() == [0, 0, 2]


def test_one_pair_that_bars_keeps_its_groups_apart_whatever_the_others_weigh() -> None:
    pairs = [(0, 1, 12.0), (1, 2, 16.0), (0, 2, -8.0)]
    assert merged(3, pairs, bars=[0, 0, 1]).label.tolist() == [0, 1, 1]
    assert merged(3, pairs, bars=[-5, 0, 1]).label.tolist() == [0, 0, 0]
