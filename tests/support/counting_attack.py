"""Attackers who ask for a rare group together with others, again and again, and have learnt in worlds of their own what comes of it.

Nobody is known one by one, and no group shares anybody with another. Of the others it is known between which sizes they are. What each answer
or refusal tells, and how many there were before it, is counted in made-up worlds (naive Bayes); how much of that to believe, so that somebody who is
sure above .8 is right in eight of ten cases, in further ones; and the guesses are made in a third lot.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from fairhaven.disclosure.policy import Policy
from tests.support.practised_attack import Score, met_by

_PERSONS = 6_000
_KNOWN = 12
"""More answers than so many before one are the same."""
Heard = Sequence[tuple[int, int | None]]
"""How many answers there were before, and what was said: a number, or how it differs from what the others alone had; 0 for few, none for a refusal."""
Count = Callable[[BitMap], int | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """How somebody asks.

    Args:
        sizes: the least and the most persons of another group.
        parts: how many others each question puts with the rare group.
        is_first: whether the others are asked for first, each alone.
    """

    sizes: tuple[int, int]
    parts: int = 1
    is_first: bool = False

    def ask(self, ask: Count, group: BitMap, others: Sequence[BitMap]) -> Heard:
        """All questions."""
        heard: list[tuple[int, int | None]] = []
        for start in range(0, len(others) - self.parts + 1, self.parts):
            taken = others[start : start + self.parts]
            alone = sum(ask(each) or 0 for each in taken) if self.is_first else 0
            said = ask(group.union(*taken))
            answers = sum(count is not None for _, count in heard)
            heard.append((min(answers, _KNOWN), said - alone if said else said))
        return heard


WAYS = {
    "one after the other, of 10 to 19": Way(sizes=(10, 19)),
    "one after the other, of 40 to 60": Way(sizes=(40, 60)),
    "one after the other, of 100 to 140": Way(sizes=(100, 140)),
    "each asked for first, of 10 to 19": Way(sizes=(10, 19), is_first=True),
    "each asked for first, of 40 to 60": Way(sizes=(40, 60), is_first=True),
    "two together, asked for first, of 40 to 80": Way(sizes=(40, 80), parts=2, is_first=True),
    "three together, asked for first, of 40 to 80": Way(sizes=(40, 80), parts=3, is_first=True),
}


def counted(
    way: Way, policy: Policy, *, worlds: int, others: int = 30, seed: int = 1, is_audited: bool = True
) -> Score:
    """How good the guesses are, of so many worlds, after practice in as many and half as many."""
    told: dict[tuple[int, int | None], NDArray[np.float64]] = defaultdict(lambda: np.full(9, 0.3))
    met: dict[int, NDArray[np.float64]] = defaultdict(lambda: np.full(9, 2.4))
    beliefs, truth = [], []
    for world in range(2 * worlds + worlds // 2):
        size, heard = _played(way, policy, np.random.default_rng((seed, world)), others, is_audited=is_audited)
        if world < worlds:
            for one in heard:
                told[one][size - 1] += 1
                met[one[0]][size - 1] += 1
        else:
            truth.append(size - 1)
            beliefs.append(sum((np.log(told[one] / met[one[0]]) for one in heard), np.zeros(9)))
    learnt, sizes, half = np.array(beliefs), np.array(truth), worlds // 2

    def believed(trust: float) -> NDArray[np.float64]:
        likely = np.exp(trust * (learnt - learnt.max(axis=1, keepdims=True)))
        scaled: NDArray[np.float64] = likely / likely.sum(axis=1, keepdims=True)
        return scaled

    def how_well(trust: float) -> float:
        return float(np.log(believed(trust)[np.arange(half), sizes[:half]]).mean())

    belief = believed(max(np.geomspace(0.05, 1, 12), key=how_well))[half:]
    off, sure = np.abs(belief.argmax(axis=1) - sizes[half:]), belief.max(axis=1) > 0.8
    return Score(
        tried=worlds,
        exact=float(np.mean(off == 0)),
        within_one=float(np.mean(off <= 1)),
        sure=int(sure.sum()),
        right=int((sure & (off == 0)).sum()),
    )


def _played(way: Way, policy: Policy, draw: np.random.Generator, others: int, *, is_audited: bool) -> tuple[int, Heard]:
    order, size = draw.permutation(_PERSONS).astype(np.uint32), int(draw.integers(1, 10))
    ends = np.cumsum([size, *draw.integers(way.sizes[0], way.sizes[1] + 1, others).tolist()])
    group, *parts = [BitMap(part) for part in np.split(order[: ends[-1]], ends[:-1])]
    if not is_audited:
        return size, way.ask(
            lambda asked: policy.rounded(len(asked)) if len(asked) >= policy.threshold else 0, group, parts
        )
    met = met_by(policy, draw.bytes(16), BitMap(range(_PERSONS)))

    def ask(persons: BitMap) -> int | None:
        verdict = met(persons)
        return None if verdict.is_refused else verdict.value or 0

    return size, way.ask(ask, group, parts)
