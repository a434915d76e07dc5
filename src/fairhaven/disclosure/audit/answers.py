"""The answered sets of one circle of askers, and what a new set adds to them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from fairhaven.disclosure.audit.sketch import BUCKETS, numbers_of

COMPLETE = 256
"""Up to so many answers a new set is compared with all of them together; beyond, with the nearest ones."""
NEAREST = 48
_RIDGE = 1e-3
_REACH = 2_000_000
"""Persons touched at most while a set is compared; keeps a decision on a million persons in milliseconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Near:
    """An earlier set and how many persons the new one does not share with it."""

    key: int
    distance: int


@dataclass(frozen=True, kw_only=True, slots=True)
class News:
    """What a new count would add to the earlier ones.

    Args:
        size: squared length of the part of the set that no combination of earlier sets gives, in persons.
        weights: for each person, how far the new count singles that person out: the rise of the statistical leverage.
    """

    size: float
    weights: NDArray[np.float32]


class Answers:
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
        self._counted = np.empty(64, np.bool_)
        self._images = np.empty((64, BUCKETS), np.float32)
        self._lengths = np.empty(64, np.float32)
        self._first: list[int] = []
        self._inverse = np.zeros((COMPLETE, COMPLETE))

    def __len__(self) -> int:
        return self._count

    @property
    def bytes_held(self) -> int:
        """Memory of the images and of what goes with them."""
        arrays = (self._keys, self._sizes, self._counted, self._images, self._lengths, self._inverse)
        return sum(array.nbytes for array in arrays)

    def add(self, key: int, size: int, image: NDArray[np.float32], *, is_counted: bool) -> None:
        """Keep a set. A suppressed one is found again, but its count is no part of any combination."""
        if self._count == self._keys.size:
            self._grow()
        place = self._count
        self._keys[place], self._sizes[place], self._counted[place] = key, size, is_counted
        self._images[place], self._lengths[place] = image, float(image @ image)
        self._count += 1
        if is_counted and len(self._first) < COMPLETE:
            self._border(self._shared(self._load(key), self._first), size)
            self._first.append(key)

    def nearest(self, persons: BitMap, image: NDArray[np.float32], *, within: int) -> Near | None:
        """The nearest earlier set that differs by fewer than *within* persons, the oldest of equals. None is missed."""
        sizes = self._sizes[: self._count]
        likely = np.flatnonzero(np.abs(sizes - len(persons)) < within)
        for part in range(BUCKETS // 16):  # a few buckets rule most of them out
            if not likely.size:
                return None
            buckets = slice(0, 16 * (part + 1))
            apart = np.abs(self._images[likely, buckets] - image[buckets]).sum(axis=1)
            likely = likely[apart < within]
        best: Near | None = None
        for place in likely:
            key = int(self._keys[place])
            distance = persons.symmetric_difference_cardinality(self._load(key))
            if distance < (within if best is None else best.distance):
                best = Near(key=key, distance=distance)
        return best

    def news(self, persons: BitMap, image: NDArray[np.float32], *, population: int) -> News:
        """What a count of *persons* would tell beyond the earlier ones.

        The set is written as the combination of earlier sets that comes nearest to it (least squares). What is left
        over, squared and divided by its sum, is the leverage that each person gains.
        """
        keys, inverse = self._compared(image)
        shared = self._shared(persons, keys)
        factors = inverse @ shared
        size = max(len(persons) - float(shared @ factors), 0.0) + self._noise
        left = np.zeros(population, np.float32)
        left[numbers_of(persons)] = 1
        reach = 0
        for place in np.argsort(-np.abs(factors)):
            if abs(factors[place]) < 0.01 or reach > _REACH:
                break
            others = numbers_of(self._load(keys[place]))
            left[others] -= np.float32(factors[place])
            reach += others.size
        return News(size=size, weights=left * left / np.float32(size))

    def _compared(self, image: NDArray[np.float32]) -> tuple[list[int], NDArray[np.float64]]:
        """The sets to compare with, and the inverse of what they share with each other plus the noise of each."""
        counted = self._counted[: self._count]
        if np.count_nonzero(counted) <= COMPLETE:
            size = len(self._first)
            return self._first, self._inverse[:size, :size]
        apart = self._lengths[: self._count] - 2 * (self._images[: self._count] @ image)
        apart[~counted] = np.inf
        keys = [int(self._keys[place]) for place in np.argpartition(apart, NEAREST)[:NEAREST]]
        sets = [self._load(key) for key in keys]
        gram = np.diag(np.full(NEAREST, self._noise))
        for row, one in enumerate(sets):
            for column in range(row + 1):
                gram[row, column] += one.intersection_cardinality(sets[column])
                gram[column, row] = gram[row, column]
        return keys, np.linalg.inv(gram)

    def _border(self, shared: NDArray[np.float64], size: int) -> None:
        """Enlarge the inverse by one set. Solving anew each time would cost the cube of the number of sets."""
        count = shared.size
        inverse = self._inverse[:count, :count]
        factors = inverse @ shared
        news = max(size - float(shared @ factors), 0.0) + self._noise
        inverse += np.outer(factors, factors) / news
        self._inverse[:count, count] = self._inverse[count, :count] = -factors / news
        self._inverse[count, count] = 1 / news

    def _shared(self, persons: BitMap, keys: Sequence[int]) -> NDArray[np.float64]:
        return np.array([persons.intersection_cardinality(self._load(key)) for key in keys], np.float64)

    def _grow(self) -> None:
        for name in ("_keys", "_sizes", "_counted", "_images", "_lengths"):
            old = getattr(self, name)
            new = np.empty((2 * old.shape[0], *old.shape[1:]), old.dtype)
            new[: old.shape[0]] = old
            setattr(self, name, new)
