"""Attackers who practise on worlds of their own guess hidden counts of 1 to 9 exactly at most twice as often as chance."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from pyroaring import BitMap

from fairhaven.hub.disclosure_policies import policy_named
from tests.support.counting_attack import WAYS, counted
from tests.support.practised_attack import (
    Attack,
    Score,
    adaptive,
    adaptive_by_twos,
    asked_of,
    in_disguise,
    met_by,
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


def _given(policy: str, size: int, others: int, persons: int) -> int:
    """Of thirty to sixty sets of a group and others who share nobody else, how many get a number."""
    rule, draw = policy_named(policy), np.random.default_rng(size)
    ask = asked_of(rule, draw.bytes(16), BitMap(range(persons)))
    group = BitMap(range(size))
    starts = range(100, min(100 + 60 * others, persons - others), others)
    return sum(ask(group | BitMap(range(start, start + others - size))) > 1 for start in starts)


@pytest.mark.parametrize("policy", ["ons", "hdr-uk"])
@pytest.mark.parametrize(("others", "persons"), [(64, 20_000), (207, 20_000), (134, 6_000), (64, 3_000), (28, 2_000)])
def test_how_soon_no_more_is_answered_does_not_tell_how_large_a_small_group_is(
    policy: str, others: int, persons: int
) -> None:
    """By leverage alone a group of nine is answered nine times as often as one person: whoever counted that knew the size, and was sure."""
    assert len({_given(policy, size, others, persons) for size in (1, 2, 4, 9)}) == 1


def _heard(policy: str, size: int, parts: int) -> list[int | None]:
    """Of twenty times: other groups, and then all of them with a group of so many persons."""
    draw, group, heard = np.random.default_rng(0), BitMap(range(size)), []
    met = met_by(policy_named(policy), draw.bytes(16), BitMap(range(20_000)))
    for start in range(100, 100 + 20 * 600, 600):
        ends = [start, *(start + np.cumsum(draw.integers(40, 200, parts))).tolist()]
        others = [BitMap(range(low, high)) for low, high in pairwise(ends)]
        heard += [met(each).value for each in (*others, group.union(*others))]
    return heard


@pytest.mark.parametrize("policy", ["ons", "hdr-uk"])
@pytest.mark.parametrize("parts", [1, 2, 3])
def test_what_is_said_of_answered_sets_with_few_more_persons_does_not_tell_how_many_these_are(
    policy: str, parts: int
) -> None:
    """An answer as long as it is within the rounding and a refusal beyond told how many, by how often."""
    first, *others = [_heard(policy, size, parts) for size in range(1, 10)]
    assert all(other == first for other in others)
    assert len(set(first)) > 5


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


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, way in WAYS.items() if way.is_first])
def test_whoever_asks_for_the_others_first_guesses_by_chance_what_they_have_with_few_more(name: str) -> None:
    """28 % were right where the answer was withheld as soon as it was further off than the rounding."""
    found = counted(WAYS[name], policy_named("hdr-uk"), worlds=200)
    assert found.exact <= 0.18 and not found.sure
    assert counted(WAYS[name], policy_named("hdr-uk"), worlds=40, is_audited=False).exact > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, way in WAYS.items() if not way.is_first])
def test_whoever_counts_the_answers_guesses_three_in_ten_and_is_sure_of_none(name: str) -> None:
    """What is left is that some answers are given, by somebody who knows between which sizes the others are."""
    found = counted(WAYS[name], policy_named("hdr-uk"), worlds=200)
    assert found.exact <= 0.33 and not found.sure
