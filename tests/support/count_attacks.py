"""Attacks on counts, written against any oracle ``ask(persons) -> count, or None``.

An attacker knows how sets are made (which concept, which age, which sex), so also which are disjoint, but learns sizes
from the oracle only. Each attack returns what it claims about the hidden group. A claim counts only where the attacker
would stand by it: its standard error is under one half. A claim that is right is a recovery; a lucky guess is none,
because whoever guesses has no such error to show.
"""

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from pyroaring import BitMap

Ask = Callable[[BitMap], int | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """What an attacker makes of the answers: an estimate of a hidden count and its standard error."""

    estimate: float
    error: float

    @property
    def is_certain(self) -> bool:
        """True where the attacker would stand by the rounded estimate."""
        return self.error < 0.5

    def recovers(self, truth: int) -> bool:
        """True where the claim is certain and right."""
        return self.is_certain and math.floor(self.estimate + 0.5) == truth


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """A population with a hidden group and sets to hide it in.

    Args:
        everybody: all persons.
        hidden: the group that is too small to be shown.
        carriers: large sets that overlap each other and not the hidden group.
        blocks: large sets that are disjoint from each other and from the hidden group.
        rare: further small groups, disjoint from each other and from the hidden one.
        acquaintances: persons whom the attacker knows, one by one, and knows not to be in the hidden group.
    """

    everybody: BitMap
    hidden: BitMap
    carriers: Sequence[BitMap]
    blocks: Sequence[BitMap]
    rare: Sequence[BitMap]
    acquaintances: Sequence[int]


def random_world(seed: int, *, size: int, population: int = 20_000, carriers: int = 600) -> World:
    """A world whose hidden group has *size* persons."""
    draw = np.random.default_rng(seed)
    order = draw.permutation(population).astype(np.uint32)
    hidden, friends, rest = order[:size], order[size : size + 1_200], order[size + 1_200 :]
    rare, at = [], 0
    for few in draw.integers(1, 10, 150):
        rare.append(BitMap(rest[at : at + few]))
        at += int(few)
    common = rest[at:]
    sizes = np.exp(draw.uniform(math.log(60), math.log(3_000), carriers)).astype(int)
    return World(
        everybody=BitMap(range(population)),
        hidden=BitMap(hidden),
        carriers=[BitMap(draw.choice(common, few, replace=False)) for few in sizes],
        blocks=[
            BitMap(part)
            for part in np.split(common[:8_000], np.sort(draw.choice(np.arange(100, 7_900, 67), 23, replace=False)))
        ],
        rare=rare,
        acquaintances=[int(person) for person in friends],
    )


# Averaging: the hidden group is the difference of two sets, and rounding errors of many such pairs cancel.


def averaging_unions(ask: Ask, world: World) -> Claim:
    """A, and A or B."""
    return _mean_difference(ask, ((carrier | world.hidden, carrier) for carrier in world.carriers))


def averaging_negations(ask: Ask, world: World) -> Claim:
    """A or B, and that but not B: the larger set is asked first."""
    return _mean_difference(ask, ((carrier | world.hidden, carrier) for carrier in world.carriers), larger_first=True)


def averaging_complements(ask: Ask, world: World) -> Claim:
    """Not A, and neither A nor B."""
    return _mean_difference(
        ask,
        (((world.everybody - carrier), world.everybody - (carrier | world.hidden)) for carrier in world.carriers),
    )


def averaging_intersections(ask: Ask, world: World) -> Claim:
    """C holds B and a part of A: the part of A in C, and the part of (A or B) in C."""
    pairs = []
    for one, other in zip(world.carriers, reversed(world.carriers), strict=True):
        both = one | other
        pairs.append(((one | world.hidden) & (both | world.hidden), (one | world.hidden) & both))
    return _mean_difference(ask, pairs)


def averaging_symmetric(ask: Ask, world: World) -> Claim:
    """One of each pair swaps B for a block, so that no two sets asked differ by few: A or B or X, and A or X."""
    draw = random.Random(7)
    pairs = []
    for carrier in world.carriers:
        block = draw.choice(world.blocks)
        pairs.append((carrier | world.hidden | block, carrier | block))
    return _mean_difference(ask, pairs)


def inclusion_exclusion(ask: Ask, world: World) -> Claim:
    """A or B as one set, X another that shares exactly B with it: |B| = |A or B| + |X or B| - |A or X or B| ..."""
    draw = random.Random(11)
    found = []
    for carrier in world.carriers:
        first, second = (BitMap(block) for block in draw.sample(list(world.blocks), 2))
        one = (carrier - second) | world.hidden
        other = second | first - one | world.hidden
        answers = [ask(one), ask(other), ask(one | other)]
        overlap = len(one & other - world.hidden)
        if overlap == 0 and None not in answers:
            found.append(answers[0] + answers[1] - answers[2])  # type: ignore[operator]
    return _claim(found)


# Linear systems: many unions of a few parts, solved for the parts.


def linear_system(ask: Ask, world: World, *, parts: int = 12, questions: int = 500) -> Claim:
    """Unions of random halves of large blocks, with and without B, least squares for B."""
    return _solve(ask, [world.hidden, *world.blocks[:parts]], questions, seed=3)


def linear_system_of_small_parts(ask: Ask, world: World, *, parts: int = 60, questions: int = 500) -> Claim:
    """Unions of random halves of many small groups: no two questions differ by few, each has a few hundred persons."""
    return _solve(ask, [world.hidden, *world.rare[:parts]], questions, seed=5)


def linear_system_over_carriers(ask: Ask, world: World, *, parts: int = 12, questions: int = 500) -> Claim:
    """The same small groups, each question with a large block around it."""
    return _solve(ask, [world.hidden, *world.blocks[:4], *world.rare[:parts]], questions, seed=6)


# Adaptive: each question depends on the answers before. The attacker knows some persons one by one, and tries the
# method on groups of those first: how far it is off there is its standard error.

Search = Callable[[Ask, BitMap, Sequence[int]], float | None]
"""Finds a group's size with the help of known persons; None where nothing was found."""


def _calibrated(ask: Ask, world: World, search: Search) -> Claim:
    draw, off = random.Random(17), []
    known = list(world.acquaintances)
    for size in (2, 4, 6, 8):
        group, helpers, known = known[:size], known[size : size + 40], known[size + 40 :]
        found = search(ask, BitMap(group), helpers)
        off.append(math.inf if found is None else found - size)
    draw.shuffle(known)
    found = search(ask, world.hidden, known)
    if found is None or math.inf in off:
        return Claim(estimate=0 if found is None else found, error=math.inf)
    return Claim(estimate=found, error=math.sqrt(float(np.mean(np.square(off)))))


def boundary_search(ask: Ask, world: World, *, none_is_high: bool = False) -> Claim:
    """Known persons are added to the group until it is no longer suppressed (binary search)."""

    def search(ask: Ask, group: BitMap, helpers: Sequence[int]) -> float:
        low, high = 0, 10
        while high - low > 1:
            middle = (low + high) // 2
            answer = ask(group | BitMap(helpers[:middle]))
            is_high = none_is_high if answer is None else answer > 0
            low, high = (low, middle) if is_high else (middle, high)
        return 10 - high

    return _calibrated(ask, world, search)


def boundary_search_with_refusals(ask: Ask, world: World) -> Claim:
    """The same, taking a refusal for a sign that the group would have been shown."""
    return boundary_search(ask, world, none_is_high=True)


def boundary_scan(ask: Ask, world: World) -> Claim:
    """Known persons are added one by one until the shown count first rises."""

    def search(ask: Ask, group: BitMap, helpers: Sequence[int]) -> float | None:
        return next((10 - n for n in range(1, 11) if (ask(group | BitMap(helpers[:n])) or 0) > 0), None)

    return _calibrated(ask, world, search)


def boundary_from_above(ask: Ask, world: World) -> Claim:
    """Known persons are taken away until the count is suppressed."""

    def search(ask: Ask, group: BitMap, helpers: Sequence[int]) -> float | None:
        return next((9 - n for n in range(10, -1, -1) if ask(group | BitMap(helpers[:n])) == 0), None)

    return _calibrated(ask, world, search)


def boundary_in_fresh_company(ask: Ask, world: World) -> Claim:
    """Binary search with other helpers at each step, so that no two questions are alike."""

    def search(ask: Ask, group: BitMap, helpers: Sequence[int]) -> float | None:
        low, high, used = 0, 10, 0
        while high - low > 1:
            middle = (low + high) // 2
            answer = ask(group | BitMap(helpers[used : used + middle]))
            if answer is None:
                return None
            used += middle
            low, high = (low, middle) if answer > 0 else (middle, high)
        return 10 - high

    return _calibrated(ask, world, search)


def boundary_of_rounding(ask: Ask, world: World) -> Claim:
    """Without and with the group, known persons are added to a block until its count rises; the shift is the group."""

    def rise(ask: Ask, base: BitMap, helpers: Sequence[int]) -> int | None:
        start = ask(base)
        for count in range(1, 15):
            answer = ask(base | BitMap(helpers[:count]))
            if None not in (start, answer) and answer != start:
                return count
        return None

    blocks = iter(world.blocks)

    def search(ask: Ask, group: BitMap, helpers: Sequence[int]) -> float | None:
        shifts = []
        for _, block in zip(range(4), blocks, strict=False):
            steps = [rise(ask, base, helpers) for base in (block, block | group)]
            if steps[0] is not None and steps[1] is not None:
                shifts.append((steps[0] - steps[1]) % 10)
        return float(np.mean(shifts)) if shifts else None

    return _calibrated(ask, world, search)


def share_of_refusals(ask: Ask, world: World) -> Claim:
    """A rule that refuses where the earlier answer would be too far off refuses the more often, the larger the group."""
    carriers = iter(world.carriers)

    def search(ask: Ask, group: BitMap, helpers: Sequence[int]) -> float | None:
        heard = []
        for _, carrier in zip(range(120), carriers, strict=False):
            first, second = ask(carrier), ask(carrier | group)
            if first is not None:
                heard.append(second is None or second != first)
        return 10 * sum(heard) / len(heard) if len(heard) > 30 else None

    return _calibrated(ask, world, search)


def drift_chain(ask: Ask, world: World) -> Claim:
    """From carriers to carriers with some rare groups and B, in steps that are each too small to be told."""
    found = []
    for carrier in world.carriers:
        grown = BitMap(carrier)
        ask(grown)
        for group in world.rare[:4]:
            grown = grown | group
            before = ask(grown)
        after = ask(grown | world.hidden)
        if before is not None and after is not None:
            found.append(after - before)
    return _claim(found)


EVERY_ATTACK: Sequence[Callable[[Ask, World], Claim]] = (
    averaging_unions,
    averaging_negations,
    averaging_complements,
    averaging_intersections,
    averaging_symmetric,
    inclusion_exclusion,
    linear_system,
    linear_system_of_small_parts,
    linear_system_over_carriers,
    boundary_search,
    boundary_search_with_refusals,
    boundary_scan,
    boundary_from_above,
    boundary_of_rounding,
    boundary_in_fresh_company,
    share_of_refusals,
    drift_chain,
)


def _mean_difference(ask: Ask, pairs: Iterable[tuple[BitMap, BitMap]], *, larger_first: bool = True) -> Claim:
    found = []
    for one, other in pairs:
        first, second = (ask(one), ask(other)) if larger_first else reversed((ask(other), ask(one)))
        if first is not None and second is not None:
            found.append(first - second)
    return _claim(found)


def _claim(found: Sequence[float]) -> Claim:
    if len(found) < 5:
        return Claim(estimate=0, error=math.inf)
    return Claim(estimate=float(np.mean(found)), error=float(np.std(found, ddof=1)) / math.sqrt(len(found)))


def _solve(ask: Ask, parts: Sequence[BitMap], questions: int, *, seed: int) -> Claim:
    draw = np.random.default_rng(seed)
    rows, answers = [], []
    for _ in range(questions):
        row = draw.random(len(parts)) < 0.5
        answer = ask(BitMap().union(*(part for part, is_in in zip(parts, row, strict=True) if is_in)))
        if answer is not None:
            rows.append(row)
            answers.append(answer)
    if len(rows) <= len(parts):
        return Claim(estimate=0, error=math.inf)
    design = np.array(rows, float)
    if np.linalg.matrix_rank(design) < len(parts):
        return Claim(estimate=0, error=math.inf)
    solution, *_ = np.linalg.lstsq(design, np.array(answers, float), rcond=None)
    left = np.array(answers) - design @ solution
    spread = max(float(left @ left) / (len(rows) - len(parts)), 1 / 12)
    return Claim(estimate=float(solution[0]), error=math.sqrt(spread * np.linalg.inv(design.T @ design)[0, 0]))
