"""The answered sets of one circle of askers, and what a new set adds to them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from fairhaven.query_audit.set_sketches import BUCKETS, numbers_of

COMPLETE = 256
"""Up to so many answers a new set is compared with all of them together; beyond, with the nearest ones."""
NEAREST = 48
_RIDGE = 1e-3
_NONE = -1
_STEPS = 40
_REACH = 2_000_000
"""Persons touched at most while a set is compared; keeps a decision on a million persons in milliseconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NearbySet:
    """An earlier set and how many persons the new one does not share with it.

    Args:
        shown: the count that was told; None for one that was suppressed.
    """

    key: int
    distance: int
    shown: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class LeverageGain:
    """What a new count would add to the earlier ones.

    Args:
        size: squared length of the part of the set that no combination of earlier sets gives, in persons.
        weights: for each person, how far the new count singles that person out: the rise of the statistical leverage.
    """

    size: float
    weights: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class SetCombination:
    """A sum and difference of earlier sets that is hardly anything but the new set.

    Args:
        terms: of how many sets.
        distance: squared length of what the set and the combination do not share: the number of persons, as a rule.
        shown: the same sum and difference of the counts that were told.
        factors: of each set by its key, whole numbers.
    """

    terms: int
    distance: int
    shown: int
    factors: Mapping[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class _LeastSquares:
    """Earlier sets, what they share with each other, the inverse of that plus noise, and what the new one shares."""

    keys: Sequence[int]
    gram: NDArray[np.float64]
    shared: NDArray[np.float64]
    factors: NDArray[np.floating]


class AnsweredSets:
    """Sets of persons whose counts were told, found again by likeness.

    Args:
        load: gives the set of a key; called for the few that matter to a question.
        noise: variance of a count's error by rounding.
    """

    def __init__(self, load: Callable[[int], BitMap], *, noise: float) -> None:
        self._noise = max(noise, _RIDGE)
        self._load = load
        self._count = 0
        self._keys = np.empty(64, np.int64)
        self._sizes = np.empty(64, np.int64)
        self._shown = np.empty(64, np.int64)
        self._counted = np.empty(64, np.bool_)
        self._images = np.empty((64, BUCKETS), np.float32)
        self._lengths = np.empty(64, np.float32)
        self._first: list[int] = []
        self._told: dict[int, int] = {}
        self._gram = np.zeros((COMPLETE, COMPLETE))
        self._inverse = np.zeros((COMPLETE, COMPLETE))

    def __len__(self) -> int:
        return self._count

    @property
    def bytes_held(self) -> int:
        """Memory of the images and of what goes with them."""
        arrays = (
            self._keys, self._sizes, self._shown, self._counted, self._images, self._lengths, self._gram, self._inverse,
        )  # fmt: skip
        return sum(array.nbytes for array in arrays) + 100 * len(self._told)

    def add(self, key: int, size: int, image: NDArray[np.float32], *, shown: int | None, is_counted: bool) -> None:
        """Keep a set. One that was suppressed, or told another's count, is found again but is no part of a combination."""
        if self._count == self._keys.size:
            self._grow()
        place = self._count
        self._keys[place], self._sizes[place], self._counted[place] = key, size, is_counted
        self._shown[place] = _NONE if shown is None else shown
        self._images[place], self._lengths[place] = image, float(image @ image)
        self._count += 1
        if is_counted and shown is not None:
            self._told[key] = shown
        if is_counted and len(self._first) < COMPLETE:
            self._border(self._shared(self._load(key), self._first), size)
            self._first.append(key)

    def near(self, persons: BitMap, image: NDArray[np.float32], *, within: int) -> list[NearbySet]:
        """The earlier sets that differ by fewer than *within* persons: the nearest first, of equals the oldest. All."""
        sizes = self._sizes[: self._count]
        likely = np.flatnonzero(np.abs(sizes - len(persons)) < within)
        for part in range(BUCKETS // 16):  # a few buckets rule most of them out
            if not likely.size:
                return []
            buckets = slice(0, 16 * (part + 1))
            apart = np.abs(self._images[likely, buckets] - image[buckets]).sum(axis=1)
            likely = likely[apart < within]
        found = []
        for place in likely:
            key, shown = int(self._keys[place]), int(self._shown[place])
            distance = persons.symmetric_difference_cardinality(self._load(key))
            if distance < within:
                found.append(NearbySet(key=key, distance=distance, shown=None if shown == _NONE else shown))
        return sorted(found, key=lambda near: near.distance)

    def combination(self, persons: BitMap, compared: _LeastSquares, *, within: int) -> SetCombination | None:
        """The sum and difference of two or more counted sets that comes nearest, where it comes nearer than *within*.

        The factors of least squares are rounded, then changed one by one as long as that brings the combination
        nearer. A nearer one may be missed; `news` bounds what many answers tell, with or without whole factors.
        """
        factors = np.rint(compared.factors)
        left = compared.shared - compared.gram @ factors
        lengths = np.diagonal(compared.gram)
        for _ in range(_STEPS):
            gain = 2 * np.abs(left) - lengths  # of a step of one in the direction that shortens the rest
            if not gain.size or gain[best := int(np.argmax(gain))] <= 0:
                break
            step = np.sign(left[best])
            factors[best] += step
            left -= step * compared.gram[:, best]
        distance = round(len(persons) - float(factors @ (compared.shared + left)))
        used = np.flatnonzero(factors)
        if distance >= within or used.size < 2:
            return None
        by_key = {compared.keys[int(place)]: int(factors[place]) for place in used}
        shown = sum(factor * self._told[key] for key, factor in by_key.items())
        terms = sum(abs(factor) for factor in by_key.values())
        return SetCombination(terms=terms, distance=max(distance, 0), shown=shown, factors=by_key)

    def news(self, persons: BitMap, compared: _LeastSquares, *, population: int) -> LeverageGain:
        """What a count of *persons* would tell beyond the earlier ones.

        The set is written as the combination of earlier sets that comes nearest to it (least squares). What is left
        over, squared and divided by its sum, is the leverage that each person gains.
        """
        factors = compared.factors
        size = max(len(persons) - float(compared.shared @ factors), 0.0) + self._noise
        left = np.zeros(population, np.float32)
        left[numbers_of(persons)] = 1
        reach = 0
        for place in np.argsort(-np.abs(factors)):
            if abs(factors[place]) < 0.01 or reach > _REACH:
                break
            others = numbers_of(self._load(compared.keys[place]))
            left[others] -= np.float32(factors[place])
            reach += others.size
        return LeverageGain(size=size, weights=left * left / np.float32(size))

    def compare(self, persons: BitMap, image: NDArray[np.float32]) -> _LeastSquares:
        """A set beside the earlier ones: all of them while they are few, the nearest ones later."""
        counted = self._counted[: self._count]
        if np.count_nonzero(counted) <= COMPLETE:
            size = len(self._first)
            shared = self._shared(persons, self._first)
            return _LeastSquares(
                keys=self._first,
                gram=self._gram[:size, :size],
                shared=shared,
                factors=self._inverse[:size, :size] @ shared,
            )
        apart = self._lengths[: self._count] - 2 * (self._images[: self._count] @ image)
        apart[~counted] = np.inf
        keys = [int(self._keys[place]) for place in np.argpartition(apart, NEAREST)[:NEAREST]]
        sets = [self._load(key) for key in keys]
        gram = np.zeros((NEAREST, NEAREST))
        for row, one in enumerate(sets):
            for column in range(row + 1):
                gram[row, column] = gram[column, row] = one.intersection_cardinality(sets[column])
        shared = self._shared(persons, keys)
        factors = np.linalg.solve(gram + np.diag(np.full(NEAREST, self._noise)), shared)
        return _LeastSquares(keys=keys, gram=gram, shared=shared, factors=factors)

    def _border(self, shared: NDArray[np.float64], size: int) -> None:
        """Enlarge the inverse by one set. Solving anew each time would cost the cube of the number of sets."""
        count = shared.size
        self._gram[:count, count] = self._gram[count, :count] = shared
        self._gram[count, count] = size
        inverse = self._inverse[:count, :count]
        factors = inverse @ shared
        news = max(size - float(shared @ factors), 0.0) + self._noise
        inverse += np.outer(factors, factors) / news
        self._inverse[:count, count] = self._inverse[count, :count] = -factors / news
        self._inverse[count, count] = 1 / news

    def _shared(self, persons: BitMap, keys: Sequence[int]) -> NDArray[np.float64]:
        return np.array([persons.intersection_cardinality(self._load(key)) for key in keys], np.float64)

    def _grow(self) -> None:
        for name in ("_keys", "_sizes", "_shown", "_counted", "_images", "_lengths"):
            old = getattr(self, name)
            new = np.empty((2 * old.shape[0], *old.shape[1:]), old.dtype)
            new[: old.shape[0]] = old
            setattr(self, name, new)
