"""What attackers get out of the query audit: the figures of docs/explanation/query-audit.md, other than those of honest use.

    python -m bench.query_attacks [--sizes 1 2 3 4 5 6 7 8 9] [--worlds 400] [--practised 800] [--only attacks|counting|practised]

Thirty-seven attacks on a hidden group of each size, through the audit and on suppression and rounding alone (six CPU-minutes; the slow
tests run the same ones); those who ask for a group together with others and count what they are told, in so many worlds (four minutes); those of the
table of 27 questions and their kin (two minutes). The last two have practised in worlds of their own.
"""

import argparse
import math
from collections.abc import Callable, Sequence

import numpy as np
from pyroaring import BitMap

from fairhaven.disclosure import protect
from fairhaven.hub.disclosure_policies import policy_named
from tests.support.audit_attacks import SUBTLE_ATTACKS, edge_of_near_sets, edge_of_nearness
from tests.support.count_attacks import EVERY_ATTACK, Ask, Claim, World, random_world
from tests.support.counting_attack import WAYS, counted
from tests.support.practised_attack import (
    Score,
    adaptive,
    adaptive_by_twos,
    in_disguise,
    met_by,
    practised,
    score,
    tabled,
)

_POLICY = policy_named("hdr-uk")
_EVERY = (*EVERY_ATTACK, *SUBTLE_ATTACKS)
_FEELING = (edge_of_near_sets, edge_of_nearness)
"""They feel for edges that only an audit has."""


def _audited(world: World, size: int) -> Ask:
    met = met_by(_POLICY, np.random.default_rng(size).bytes(16), world.everybody)
    return lambda persons: met(persons).value


def _alone(persons: BitMap) -> int | None:
    return protect(len(persons), _POLICY).value


def attacks(sizes: Sequence[int]) -> None:
    """Print how many hidden counts are recovered, and how many best guesses are right."""
    ways: dict[str, tuple[Sequence[Callable[[Ask, World], Claim]], Callable[[World, int], Ask]]] = {
        "suppression and rounding alone": ([each for each in _EVERY if each not in _FEELING], lambda *_: _alone),
        "the audit": (_EVERY, _audited),
    }
    for title, (tried, oracle) in ways.items():
        recovered, right = 0, 0
        for size in sizes:
            for attack in tried:
                world = random_world(1_000 + size, size=size)
                claim = attack(oracle(world, size), world)
                recovered += claim.recovers(size)
                right += math.floor(claim.estimate + 0.5) == size
        of = len(tried) * len(sizes)
        print(f"{title:<32} recovered {recovered} of {of}, best guess right {right} of {of}", flush=True)


def _row(title: str, policy: str, found: Score) -> None:
    print(
        f"{title:<46} {policy:<7} exact {found.exact:6.1%}  within one {found.within_one:6.1%}"
        f"  sure {found.sure}, of them right {found.right}, of {found.tried}",
        flush=True,
    )


def counting(worlds: int) -> None:
    """Print what is got by asking for a group together with others; at last on suppression and rounding alone."""
    for title, way in WAYS.items():
        for policy in ("hdr-uk", "ons"):
            _row(title, policy, counted(way, policy_named(policy), worlds=worlds))
    last, way = list(WAYS.items())[-1]
    _row(f"(no audit) {last}"[:46], "hdr-uk", counted(way, _POLICY, worlds=worlds, is_audited=False))


def practising(worlds: int) -> None:
    """Print what is got by the table of 27 questions and its kin; at last on suppression and rounding alone."""
    for way in (tabled, adaptive, adaptive_by_twos, in_disguise):
        for policy in ("hdr-uk", "ons"):
            rule = policy_named(policy)
            _row(
                way.__name__,
                policy,
                score(way, rule, practised(way, rule, worlds=worlds, seed=1), worlds=worlds, seed=2),
            )
    bare = practised(tabled, _POLICY, worlds=worlds, seed=1, is_audited=False)
    _row("(no audit) tabled", "hdr-uk", score(tabled, _POLICY, bare, worlds=worlds, seed=2, is_audited=False))


def main() -> None:
    """All of it, or one part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=list(range(1, 10)))
    parser.add_argument("--worlds", type=int, default=400)
    parser.add_argument("--practised", type=int, default=800)
    parser.add_argument("--only", choices=("attacks", "counting", "practised"))
    wanted = parser.parse_args()
    if wanted.only in (None, "attacks"):
        attacks(wanted.sizes)
    if wanted.only in (None, "counting"):
        counting(wanted.worlds)
    if wanted.only in (None, "practised"):
        practising(wanted.practised)


if __name__ == "__main__":
    main()
