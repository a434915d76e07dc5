"""More attacks on counts, for those who know how the audit works. Form and terms are those of `count_attacks`."""

import math
import random
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from pyroaring import BitMap

from tests.support.count_attacks import Ask, Claim, World


def claimed(found: Sequence[float]) -> Claim:
    """The mean. A few answers that agree are no proof, since they are rounded: two more, five persons off, are imagined."""
    if not found:
        return Claim(estimate=0, error=math.inf)
    spread = float(np.sum(np.square(np.array(found) - np.mean(found)))) + 2 * 25
    return Claim(estimate=float(np.mean(found)), error=math.sqrt(spread) / len(found))


def _minus(ask: Ask, one: BitMap, other: BitMap) -> int | None:
    first, second = ask(one), ask(other)
    return None if first is None or second is None else first - second


def _helpers(world: World, few: int, turns: int) -> Iterator[BitMap]:
    """Known persons, others each time as long as there are any, then drawn again."""
    draw, known = random.Random(few), list(world.acquaintances)
    for turn in range(turns):
        fresh = known[few * turn : few * turn + few]
        yield BitMap(fresh if len(fresh) == few else draw.sample(known, few))


# Averages of sets that are as near, or as far, as the audit lets them be.


def averaging_near_sets(ask: Ask, world: World) -> Claim:
    """All that is near a carrier, with B and without: known persons are added and others left out."""
    found, helpers = [], _helpers(world, 5, 10_000)
    for carrier in world.carriers[:200]:
        base = carrier | next(helpers)
        ask(base)
        for _ in range(3):
            few, other = BitMap(list(next(helpers))[:3]), BitMap(list(next(helpers))[:3])
            difference = _minus(ask, (base | few | world.hidden), (base | other))
            if difference is not None:
                found.append(difference)
    return claimed(found)


def _beyond(more: int) -> Callable[[Ask, World], Claim]:
    def attack(ask: Ask, world: World) -> Claim:
        """A, and A or B or as many known persons as make the sets differ by the threshold and more."""
        found = []
        for carrier, helpers in zip(world.carriers, _helpers(world, 10 + more, 600), strict=True):
            difference = _minus(ask, carrier | world.hidden | helpers, carrier)
            if difference is not None:
                found.append(difference - len(helpers))
        return claimed(found)

    attack.__name__ = f"averaging_{more}_beyond_the_threshold"
    return attack


def averaging_at_the_threshold(ask: Ask, world: World) -> Claim:
    """A, and A or B or so many known persons that the two may just differ by the threshold; how many, is tried."""
    found = []
    for turn, carrier in enumerate(world.carriers):
        helpers = next(_helpers(world, 1 + turn % 9, 1))
        difference = _minus(ask, carrier | world.hidden | helpers, carrier)
        if difference:
            found.append(difference - len(helpers))
        elif difference == 0:
            found.append(-len(helpers))
    return claimed(found)


def chains_up_and_down(ask: Ask, world: World) -> Claim:
    """Up from A by a dozen known persons at a time with B in one step, and down again on another way."""
    found, helpers = [], _helpers(world, 12, 10_000)
    for carrier in world.carriers[:400]:
        low = BitMap(carrier)
        steps = [low, low | next(helpers)]
        steps.append(steps[-1] | next(helpers) | world.hidden)
        up = [ask(step) for step in steps]
        down = ask(steps[-1] - (steps[1] - low))
        for start, end, known in ((up[0], up[2], 24), (up[1], up[2], 12), (up[0], down, 12)):
            if start is not None and end is not None:
                found.append(end - start - known)
    return claimed(found)


def hidden_in_halves(ask: Ask, world: World) -> Claim:
    """B falls into two parts by sex; each is added to carriers, and both."""
    members = list(world.hidden)
    halves = [BitMap(members[: len(members) // 2]), BitMap(members[len(members) // 2 :])]
    found = []
    for carrier in world.carriers:
        base, *parts = [ask(carrier), *(ask(carrier | half) for half in halves)]
        if base is not None and None not in parts:
            found.append(sum(parts) - 2 * base)  # type: ignore[arg-type]
    return claimed(found)


def complements_in_subpopulations(ask: Ask, world: World) -> Claim:
    """Among the women, the old, those with another concept: not A, and neither A nor B."""
    found, draw = [], random.Random(23)
    for carrier in world.carriers:
        stratum = BitMap().union(*draw.sample(list(world.blocks), 8)) | world.hidden
        difference = _minus(ask, stratum - carrier, stratum - carrier - world.hidden)
        if difference is not None:
            found.append(difference)
    return claimed(found)


def unions_of_answered_sets(ask: Ask, world: World) -> Claim:
    """A, X, and both with B: the sum of two answers is compared with a third."""
    found, draw = [], random.Random(41)
    for carrier in world.carriers:
        block = BitMap(list(draw.choice(world.blocks) - carrier)[draw.randrange(20) :])
        answers = [ask(carrier), ask(block), ask(carrier | block | world.hidden)]
        if None not in answers:
            found.append(answers[2] - answers[1] - answers[0])  # type: ignore[operator]
    return claimed(found)


def halves_of_combinations(ask: Ask, world: World) -> Claim:
    """A or B, X or B, A or X, all disjoint: B is half of the first and second less the third, so no whole combination."""
    found, draw = [], random.Random(29)
    for carrier in world.carriers:
        one, other = draw.sample(list(world.blocks), 2)
        one, other = one - carrier, other - carrier
        answers = [ask(one | world.hidden), ask(other | carrier | world.hidden), ask(one | other | carrier)]
        if None not in answers:
            found.append((answers[0] + answers[1] - answers[2]) / 2)  # type: ignore[operator]
    return claimed(found)


def nearly_determined_by_three(ask: Ask, world: World) -> Claim:
    """Three disjoint sets are asked; then all three with B."""
    found, draw = [], random.Random(31)
    for _ in range(300):
        parts = [BitMap(list(block)[draw.randrange(20) :]) for block in draw.sample(list(world.blocks), 3)]
        answers = [ask(part) for part in parts]
        whole = ask(parts[0] | parts[1] | parts[2] | world.hidden)
        if whole is not None and None not in answers:
            found.append(whole - sum(answers))  # type: ignore[arg-type]
    return claimed(found)


# Reconstruction: random unions of many groups of about five (Dinur and Nissim 2003).


def _reconstruction(questions: int, atoms: int, *, bounded: bool) -> Callable[[Ask, World], Claim]:
    def attack(ask: Ask, world: World) -> Claim:
        """Least squares, also such that each group has 1 to 9 persons."""
        draw = np.random.default_rng(questions)
        parts = [world.hidden, *world.rare[: atoms - 1]]
        rows, answers = [], []
        for _ in range(questions):
            row = draw.random(len(parts)) < 0.5
            answer = ask(BitMap().union(*(part for part, is_in in zip(parts, row, strict=True) if is_in)))
            if answer:
                rows.append(row)
                answers.append(answer)
        if len(rows) <= len(parts):
            return Claim(estimate=0, error=math.inf)
        design, given = np.array(rows, float), np.array(answers, float)
        return _boxed(design, given) if bounded else _fitted(design, given)

    attack.__name__ = f"{'bounded_reconstruction' if bounded else 'reconstruction'}_of_{atoms}_atoms_by_{questions}"
    return attack


def _fitted(design: np.ndarray, given: np.ndarray) -> Claim:
    if np.linalg.matrix_rank(design) < design.shape[1]:
        return Claim(estimate=0, error=math.inf)
    solution, *_ = np.linalg.lstsq(design, given, rcond=None)
    left = given - design @ solution
    spread = max(float(left @ left) / max(len(given) - design.shape[1], 1), 1 / 12)
    return Claim(estimate=float(solution[0]), error=math.sqrt(spread * np.linalg.inv(design.T @ design)[0, 0]))


def _boxed(design: np.ndarray, given: np.ndarray) -> Claim:
    """Least squares where each group has 1 to 9 persons; the error by leaving out a tenth of the answers at a time."""

    def solved(design: np.ndarray, given: np.ndarray) -> float:
        groups, step = np.full(design.shape[1], 5.0), 1 / np.linalg.norm(design, 2) ** 2
        for _ in range(400):
            groups = np.clip(groups - step * (design.T @ (design @ groups - given)), 1, 9)
        return float(groups[0])

    tenth = np.arange(len(given)) % 10
    without = np.array([solved(design[tenth != part], given[tenth != part]) for part in range(10)])
    return Claim(estimate=solved(design, given), error=math.sqrt(0.9 * float(np.sum((without - without.mean()) ** 2))))


# Feeling for edges with known persons, calibrated on groups of known persons.


def _calibrated(ask: Ask, world: World, search: Callable[[Ask, BitMap, Iterator[int]], float | None]) -> Claim:
    known, off = iter(world.acquaintances), []
    for size in range(2, 10):
        found = search(ask, BitMap([next(known) for _ in range(size)]), known)
        off.append(math.inf if found is None else found - size)
    found = search(ask, world.hidden, known)
    if found is None or math.inf in off:
        return Claim(estimate=found or 0, error=math.inf)
    return Claim(estimate=found - float(np.mean(off)), error=float(np.std(off, ddof=1)))


def edge_of_near_sets(ask: Ask, world: World) -> Claim:
    """How many known persons a carrier bears until its answer changes or fails; with B in it, so many fewer."""
    carriers = iter(world.carriers)

    def borne(ask: Ask, base: BitMap, first: int | None, helpers: Sequence[int]) -> int:
        return next((few for few in range(16) if ask(base | BitMap(helpers[:few])) != first), 16)

    def search(ask: Ask, group: BitMap, known: Iterator[int]) -> float | None:
        found = []
        for _ in range(2):
            carrier, helpers = next(carriers), [next(known) for _ in range(15)]
            first = ask(carrier)
            found.append(borne(ask, carrier, first, helpers) - borne(ask, carrier | group, first, helpers))
        return float(np.median(found))

    return _calibrated(ask, world, search)


def edge_of_nearness(ask: Ask, world: World) -> Claim:
    """From which number of known persons on, a carrier with them and B gets another answer than the carrier."""
    carriers = iter(world.carriers)

    def search(ask: Ask, group: BitMap, known: Iterator[int]) -> float | None:
        low, high = 0, 11
        while high - low > 1:
            middle = (low + high) // 2
            votes = 0
            for _ in range(3):
                carrier = next(carriers)
                first, second = ask(carrier), ask(carrier | group | BitMap([next(known) for _ in range(middle)]))
                votes += first is not None and second is not None and second != first
            low, high = (low, middle) if votes >= 2 else (middle, high)
        return 10 - low

    try:
        return _calibrated(ask, world, search)
    except RuntimeError:  # there are no more known persons
        return Claim(estimate=0, error=math.inf)


def votes_over_refusals(ask: Ask, world: World) -> Claim:
    """The share of carriers whose answer with B is another or none, against that with 1 to 9 known persons."""
    carriers, known = iter(world.carriers), world.acquaintances

    def share(groups: Sequence[BitMap]) -> float:
        heard = []
        for group in groups:
            carrier = next(carriers)
            first = ask(carrier)
            if first is not None:
                heard.append(ask(carrier | group) != first)
        return float(np.mean(heard)) if heard else math.nan

    draw = random.Random(37)
    sizes = list(range(1, 10))
    shares = [share([BitMap(draw.sample(list(known), size)) for _ in range(40)]) for size in sizes]
    slope, start = np.polyfit(sizes, shares, 1)
    found = share([world.hidden] * 240)
    if math.isnan(found) or slope < 0.02:
        return Claim(estimate=0, error=math.inf)
    estimate = (found - start) / slope
    off = np.array(shares) - (start + slope * np.array(sizes))
    spread = math.sqrt(float(off @ off) / 7 / 9 + max(found * (1 - found), 0.05) / 240) / slope
    return Claim(estimate=float(estimate), error=spread)


def suppression_of_parts_and_wholes(ask: Ask, world: World) -> Claim:
    """B with known persons, first few and then many, never with the same: where counts begin to be shown."""

    def search(ask: Ask, group: BitMap, known: Iterator[int]) -> float | None:
        heard = {few: ask(group | BitMap([next(known) for _ in range(few)])) for few in (9, 1, 8, 2, 7, 3, 6, 4, 5)}
        small = [few for few, answer in heard.items() if answer == 0]
        large = [few for few, answer in heard.items() if answer]
        if not small or not large:
            return None
        return 10 - (max(small) + 1 + min(large)) / 2

    return _calibrated(ask, world, search)


SUBTLE_ATTACKS: Sequence[Callable[[Ask, World], Claim]] = (
    averaging_near_sets,
    averaging_at_the_threshold,
    _beyond(0),
    _beyond(1),
    _beyond(2),
    _beyond(3),
    chains_up_and_down,
    hidden_in_halves,
    complements_in_subpopulations,
    unions_of_answered_sets,
    halves_of_combinations,
    nearly_determined_by_three,
    _reconstruction(300, 40, bounded=False),
    _reconstruction(1_000, 40, bounded=False),
    _reconstruction(1_000, 100, bounded=False),
    _reconstruction(600, 40, bounded=True),
    edge_of_near_sets,
    edge_of_nearness,
    votes_over_refusals,
    suppression_of_parts_and_wholes,
)
