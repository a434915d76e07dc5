"""The answered sets of one coalition of askers, and what a new set adds to them.

The mathematics. Person *p* is a coordinate, a set of persons an indicator vector *x* of zeros and ones, and the answers
given so far are the rows of a matrix *X* with one row for each set. A given count is *x* . 1 plus the error of rounding,
of variance *v* (`Coalition` works it out). What all answers together say of one person is that person's *statistical
leverage*, the diagonal of the hat matrix of the regression (Hoaglin and Welsch 1978)

    H = X' (X X' + v I)^-1 X,          0 <= H[p, p] < 1.

*X X'* is the Gram matrix: entry (i, j) is how many persons sets i and j share, so it is counted from the bitmaps and
nothing of the size of the population is ever inverted. A new set *x* is regressed on the rows of *X*:

    shared = X x                        persons it shares with each earlier set
    factors = (X X' + v I)^-1 shared    the combination of earlier sets that comes nearest to it
    residual = x - X' factors           what that combination does not explain, a number for each person
    size = x . x - shared . factors + v (the Schur complement: the residual's squared length, and the error)

and with it H[p, p] rises by residual[p]^2 / size (block inversion).

Leverage alone would tell how large a group is, by how soon it reaches a limit: *s* persons in each of *K* sets that share nobody else,
of *n* persons besides, have

    H[p, p] = K / (n + v + K s),        which is 1 / t after (n + v) / (t - s) sets,

so one person reaches it nine times as soon as a group of nine (t = 10). Hence *exposure*, which is never less: a residual counts as
whole, also in the size by which it is divided, where a group under t could have it. Then E = K / (n + s + v): what anybody can work out who was
told the counts. It leaves at least nearly the residual 1 / (1 + E s), so that is from 1 / (1 + (t - 1) E) on. `exposure_gain` says by how much it rises.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from fairhaven.query_audit.set_sketches import BUCKETS, numbers_of

COMPLETE = 256
"""Up to so many answers a new set is regressed on all of them together; beyond, on the nearest ones."""
NEAREST = 48
_RIDGE = 1e-3
"""Least variance of the error: without it sets that are sums of others would leave the Gram matrix without an inverse."""
_NONE = -1
_SET = np.dtype(
    [("key", np.int64), ("size", np.int64), ("shown", np.int64), ("length", np.float32)],
    # Each question looks at every size; of numbers that straddle words it would take seven times as long.
    align=True,
)
"""What is kept of a set beside its sketch; `length` is that of the sketch, squared."""
_STEPS = 40
"""Steps of the descent at most; each shortens the rest."""
_LEAST_FACTOR = 0.01
"""Sets with a smaller factor are left out of the residual: each would move it by less than a hundredth of a person."""
_NEARLY = 0.8
"""Of the least residual that a group under the threshold could have: sets that share some others leave it less."""
_ALIKE = 1.1
"""Up to so much larger than it is, a set's residual may be taken where all of it counts as whole: else one person's would be a little less than nine's."""
_REACH = 2_000_000
"""Persons touched at most while a residual is worked out; keeps a decision on a million persons in milliseconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NearbySet:
    """An earlier set and how many persons the new one does not share with it.

    Args:
        shown: the count that was given; None for one that was suppressed.
    """

    key: int
    distance: int
    shown: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SetCombination:
    """A sum and difference of earlier sets that is hardly anything but the new set.

    Args:
        terms: of how many sets.
        shown: the same sum and difference of the counts that were given.
        factors: of each set by its key, whole numbers.
    """

    terms: int
    shown: int
    factors: Mapping[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class _LeastSquares:
    """A new set regressed on *n* earlier ones.

    Args:
        keys: of the earlier sets.
        gram: persons that each two of them share, shape (n, n).
        shared: persons that the new set shares with each, shape (n,).
        factors: ``(gram + v I)^-1 shared``, shape (n,).
    """

    keys: Sequence[int]
    gram: NDArray[np.float64]
    shared: NDArray[np.float64]
    factors: NDArray[np.floating]


class AnsweredSets:
    """Sets of persons whose counts were given, found again by likeness.

    Args:
        load: gives the set of a key; called for the few that matter to a question.
        noise: variance of a count's error by rounding, in persons squared: *v* of the module's formulas.
    """

    def __init__(self, load: Callable[[int], BitMap], *, noise: float) -> None:
        self._noise = max(noise, _RIDGE)
        self._load = load
        self._count = 0
        self._sets = np.empty(64, _SET)
        self._sketches = np.empty((64, BUCKETS), np.float32)
        self._complete: list[int] = []
        self._shown_counts: dict[int, int] = {}
        self._gram = np.zeros((COMPLETE, COMPLETE))
        self._inverse = np.zeros((COMPLETE, COMPLETE))

    def add(self, key: int, size: int, sketch: NDArray[np.float32], *, shown: int | None) -> None:
        """Keep a set that has a count of its own. One that was suppressed is found again but is no part of a combination."""
        if self._count == self._sets.size:
            self._sets = np.resize(self._sets, 2 * self._count)
            self._sketches = np.resize(self._sketches, (2 * self._count, BUCKETS))
        length = float(sketch @ sketch)
        self._sets[self._count] = (key, size, _NONE if shown is None else shown, length)
        self._sketches[self._count] = sketch
        self._count += 1
        if shown is None:
            return
        self._shown_counts[key] = shown
        if len(self._complete) < COMPLETE:
            self._extend_inverse(self._intersections(self._load(key), self._complete), size)
            self._complete.append(key)

    def near(self, persons: BitMap, sketch: NDArray[np.float32], *, within: int) -> list[NearbySet]:
        """The earlier sets that differ by fewer than *within* persons: the nearest first, of equals the oldest. All."""
        candidates = np.flatnonzero(np.abs(self._sets["size"][: self._count] - len(persons)) < within)
        # A sketch's distance, summed over any buckets, is never more than that of the sets (`set_sketches`): whatever
        # a few buckets rule out is out for certain, and few candidates are left for the buckets that follow.
        for part in range(BUCKETS // 16):
            if not candidates.size:
                return []
            buckets = slice(0, 16 * (part + 1))
            distances = np.abs(self._sketches[candidates, buckets] - sketch[buckets]).sum(axis=1)
            candidates = candidates[distances < within]
        found = []
        for key, _, shown, _ in self._sets[candidates].tolist():
            distance = persons.symmetric_difference_cardinality(self._load(key))
            if distance < within:
                found.append(NearbySet(key=key, distance=distance, shown=None if shown == _NONE else shown))
        return sorted(found, key=lambda near: near.distance)

    def combination(self, persons: BitMap, fit: _LeastSquares, *, within: int) -> SetCombination | None:
        """The sum and difference of two or more counted sets that comes nearest, where it comes nearer than *within*.

        To find the nearest whole-number combination is the closest vector problem of a lattice, which is hard. The
        factors of least squares are rounded (Babai 1986), then changed one by one as long as that brings the
        combination nearer. A nearer one may be missed; `exposure_gain` bounds what many answers reveal, with or without
        whole factors.
        """
        factors = np.rint(fit.factors)
        # X (x - X' factors): how the rest lies to each earlier set. Kept up to date by a column of the Gram matrix.
        slope = fit.shared - fit.gram @ factors
        lengths = np.diagonal(fit.gram)
        for _ in range(_STEPS):
            # |r - t x_i|^2 = |r|^2 - 2 t slope_i + t^2 |x_i|^2: a step t = sign(slope_i) shortens the rest by this much.
            gain = 2 * np.abs(slope) - lengths
            if not gain.size or gain[best := int(np.argmax(gain))] <= 0:
                break
            step = np.sign(slope[best])
            factors[best] += step
            slope -= step * fit.gram[:, best]
        # |x - X' f|^2 = x.x - f.(X x) - f.(X x - X X' f), of which the bracket is `slope`.
        distance = round(len(persons) - float(factors @ (fit.shared + slope)))
        used = np.flatnonzero(factors)
        if distance >= within or used.size < 2:
            return None
        by_key = {fit.keys[int(place)]: int(factors[place]) for place in used}
        shown = sum(factor * self._shown_counts[key] for key, factor in by_key.items())
        terms = sum(abs(factor) for factor in by_key.values())
        return SetCombination(terms=terms, shown=shown, factors=by_key)

    def exposure_gain(
        self, persons: BitMap, fit: _LeastSquares, *, exposure: NDArray[np.float32], threshold: int
    ) -> NDArray[np.float32]:
        """By how much a count of *persons* would expose each person more: ``residual ** 2 / size``, or ``1 / size``.

        Args:
            exposure: of each person by now, shape (population,); what is returned has the same.
            threshold: of a group under it the size is not to matter.

        An approximation where the residual leaves sets out: those with small factors, or all after the largest ones
        have used up `_REACH`.
        """
        # Rounding of floats can take the Schur complement a little below 0; the error's variance keeps it above.
        size = max(len(persons) - float(fit.shared @ fit.factors), 0.0) + self._noise
        residual = np.zeros(exposure.size, np.float32)
        residual[numbers_of(persons)] = 1
        reach = 0
        for place in np.argsort(-np.abs(fit.factors)):
            if abs(fit.factors[place]) < _LEAST_FACTOR or reach > _REACH:
                break
            others = numbers_of(self._load(fit.keys[place]))
            residual[others] -= np.float32(fit.factors[place])
            reach += others.size
        np.abs(residual, out=residual)
        is_whole = residual * (1 + np.float32(threshold - 1) * exposure) >= _NEARLY
        residual *= residual
        # As large as the set would leave if they were unexplained: what it leaves hangs on how many they are.
        # Multiplied, where numpy would take ten times as long to gather them.
        whole = float((residual * is_whole).sum())
        rest = max(float(residual.sum()) - whole, 0.0)
        whole_size = rest + max(whole, float(np.count_nonzero(is_whole))) + self._noise
        # What everybody is known to be leaves one person a residual of more than 1, and two or nine less: no more than whole is counted.
        np.minimum(residual, 1, out=residual, where=is_whole)
        alike, alone = np.float32(min(whole_size, _ALIKE * size)), np.float32(size)
        residual /= np.where(is_whole, alike, alone)
        np.maximum(residual, np.float32(1 / whole_size), out=residual, where=is_whole)
        return residual

    def least_squares(self, persons: BitMap, sketch: NDArray[np.float32]) -> _LeastSquares:
        """A set regressed on the earlier ones: on all of them while they are few, on the nearest ones later."""
        earlier = self._sets[: self._count]
        if len(self._shown_counts) <= COMPLETE:
            size = len(self._complete)
            shared = self._intersections(persons, self._complete)
            return _LeastSquares(
                keys=self._complete,
                gram=self._gram[:size, :size],
                shared=shared,
                factors=self._inverse[:size, :size] @ shared,
            )
        # |a - b|^2 = |a|^2 - 2 a.b + |b|^2, without |b|^2, which is the same for all. Of sketches, so nearly of sets.
        distances = earlier["length"] - 2 * (self._sketches[: self._count] @ sketch)
        distances[earlier["shown"] == _NONE] = np.inf
        keys = earlier["key"][np.argpartition(distances, NEAREST)[:NEAREST]].tolist()
        gram = np.zeros((NEAREST, NEAREST))
        for row, key in enumerate(keys):
            gram[row, : row + 1] = gram[: row + 1, row] = self._intersections(self._load(key), keys[: row + 1])
        shared = self._intersections(persons, keys)
        factors = np.linalg.solve(gram + np.diag(np.full(NEAREST, self._noise)), shared)
        return _LeastSquares(keys=keys, gram=gram, shared=shared, factors=factors)

    def _extend_inverse(self, shared: NDArray[np.float64], size: int) -> None:
        """Enlarge ``A = (X X' + v I)^-1`` by one set: the bordering method, or block inversion by the Schur complement.

        With f = A shared and s = size - shared . f + v, the enlarged inverse is

            [ A + f f' / s    -f / s ]
            [   -f' / s        1 / s ]

        in n^2 operations; inverting anew for each answer would take n^3. Invariant: ``_inverse[:n, :n]`` is the inverse
        of ``_gram[:n, :n] + v I`` for the n sets of `_complete`, in their order.
        """
        count = shared.size
        self._gram[:count, count] = self._gram[count, :count] = shared
        self._gram[count, count] = size
        inverse = self._inverse[:count, :count]
        factors = inverse @ shared
        complement = max(size - float(shared @ factors), 0.0) + self._noise
        inverse += np.outer(factors, factors) / complement
        self._inverse[:count, count] = self._inverse[count, :count] = -factors / complement
        self._inverse[count, count] = 1 / complement

    def _intersections(self, persons: BitMap, keys: Sequence[int]) -> NDArray[np.float64]:
        return np.array([persons.intersection_cardinality(self._load(key)) for key in keys], np.float64)
