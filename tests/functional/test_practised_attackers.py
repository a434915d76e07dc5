"""Attackers who practise on worlds of their own guess hidden counts of 1 to 9 exactly at most twice as often as chance."""

from collections.abc import Callable

import numpy as np
import pytest
from pyroaring import BitMap

from fairhaven.hub.disclosure_policies import policy_named
from tests.support.practised_attack import (
    Attack,
    Score,
    adaptive,
    adaptive_by_twos,
    asked_of,
    in_disguise,
    practised,
    score,
    tabled,
)

_TWICE_CHANCE = 2 / 9
Way = Callable[[Attack], None]


def _tried(way: Way, policy: str, *, worlds: int, is_audited: bool = True) -> Score:
    rule = policy_named(policy)
    table = practised(way, rule, worlds=worlds, seed=1, is_audited=is_audited)
    return score(way, rule, table, worlds=worlds, seed=2, is_audited=is_audited)


def test_without_the_audit_practice_pays() -> None:
    assert _tried(tabled, "ons", worlds=40, is_audited=False).exact > 0.9


@pytest.mark.parametrize("policy", ["ons", "hdr-uk"])
def test_whoever_has_practised_guesses_little_better_than_chance(policy: str) -> None:
    found = _tried(tabled, policy, worlds=40)
    assert found.exact <= _TWICE_CHANCE and not found.sure


def _given(policy: str, size: int, others: int) -> int:
    """Of sixty sets of a group and others who share nobody else, how many get a number."""
    rule, draw = policy_named(policy), np.random.default_rng(size)
    ask = asked_of(rule, draw.bytes(16), BitMap(range(20_000)))
    group = BitMap(range(size))
    starts = range(100, 100 + 60 * others, others)
    return sum(ask(group | BitMap(range(start, start + others - size))) > 1 for start in starts)


@pytest.mark.parametrize("policy", ["ons", "hdr-uk"])
@pytest.mark.parametrize("others", [64, 207])
def test_how_soon_no_more_is_answered_does_not_tell_how_large_a_small_group_is(policy: str, others: int) -> None:
    """By leverage alone a group of nine is answered nine times as often as one person: whoever counted that knew the size, and was sure."""
    assert len({_given(policy, size, others) for size in (1, 4, 9)}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["ons", "hdr-uk"])
@pytest.mark.parametrize(
    "way", [tabled, adaptive, adaptive_by_twos, in_disguise], ids=["tabled", "adaptive", "by twos", "in disguise"]
)
def test_whoever_has_practised_on_eight_hundred_worlds_guesses_little_better_than_chance(way: Way, policy: str) -> None:
    """One question of two groups tells 17 of 81 pairs' sizes at best: 21 %. Under `ons` 18 is nine and nine, one pair of 81, and sure."""
    found = _tried(way, policy, worlds=800)
    assert found.exact <= _TWICE_CHANCE + 0.03
    assert found.sure <= (24 if policy == "ons" else 4)
