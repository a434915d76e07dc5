"""How a table can change while every total that is known stays what it is.

A table is held with its totals: each dimension has one index more than it has categories, the last one for the total
over them. A *move* adds or takes the same amount at some cells so that all cells still add up. Two kinds are enough:

- a **box**: two indices in every dimension (one of them may be the total) give 2^d corners; neighbours along a dimension
  change in opposite ways, or in the same way where one is the other's total;
- a **transfer**: one cell gains what another, different in every dimension, loses, and the totals of each follow.

A move that touches only hidden cells leads to another table that looks the same from outside, so what can be reached
by moves is what a reader cannot rule out. The reverse is not promised: there may be ways that are not found, and then
more is hidden than needed, never less.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import chain, combinations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Place = tuple[int, ...]


def with_totals(values: npt.ArrayLike) -> Floats:
    """A table with the totals over each dimension, and over several of them, at the last indices."""
    table = np.asarray(values, dtype=float)
    for axis in range(table.ndim):
        table = np.concatenate([table, table.sum(axis=axis, keepdims=True)], axis=axis)
    return table


def places_of(mask: Mask) -> list[Place]:
    """The places where a mask is true, in order."""
    return [tuple(int(index) for index in place) for place in np.argwhere(mask)]


@dataclass(frozen=True, slots=True)
class Move:
    """Cells that change together when the first one grows by one: (place, +1 or -1)."""

    steps: tuple[tuple[Place, int], ...]

    @property
    def places(self) -> frozenset[Place]:
        """The cells that change."""
        return frozenset(place for place, _ in self.steps)


@dataclass(frozen=True, slots=True)
class Fold:
    """How the cells of a move become one number, and which number is best."""

    combine: np.ufunc
    empty: float
    worst: float
    best: Callable[[Floats], np.intp]


NARROWEST = Fold(np.minimum, np.inf, -np.inf, np.argmax)
"""A move has as much room as its narrowest cell; the most is best."""
SUM = Fold(np.add, 0.0, np.inf, np.argmin)
"""A move costs what its cells cost together; the least is best."""


class Moves:
    """All moves through one cell of a table with totals.

    Args:
        shape: of the table with its totals.
        place: the cell.
    """

    def __init__(self, shape: tuple[int, ...], place: Place) -> None:
        self.shape = shape
        self.place = place
        self._dims = range(len(shape))
        self._last = tuple(size - 1 for size in shape)
        # Along one dimension an end changes in the opposite way, unless exactly one of the two is the other's total.
        self._is_alike = [
            (np.arange(size) == size - 1) != (index == size - 1) for size, index in zip(shape, place, strict=True)
        ]
        # What a transfer takes the total over; the last is the grand total, which gains and loses the same.
        self._totalled = [(), *_subsets(self._dims)][:-1]

    def best(self, gaining: Floats, losing: Floats, fold: Fold) -> tuple[Move, float]:
        """The best move by what counts for each cell that gains, and for each that loses, when this one gains."""
        kinds: list[tuple[Floats, Callable[[Place], Move]]] = [(self._boxes(gaining, losing, fold), self._box)]
        if all(index < last for index, last in zip(self.place, self._last, strict=True)):
            kinds.append((self._transfers(gaining, losing, fold), self._transfer))
        ends = [int(fold.best(values)) for values, _ in kinds]
        bests = np.array([values.flat[end] for (values, _), end in zip(kinds, ends, strict=True)])
        chosen = int(fold.best(bests))
        values, make = kinds[chosen]
        end = tuple(int(index) for index in np.unravel_index(ends[chosen], values.shape))
        return make(end), float(bests[chosen])

    def _boxes(self, gaining: Floats, losing: Floats, fold: Fold) -> Floats:
        """Each box as one number, by the corner opposite to the cell."""
        folded = np.full(self.shape, fold.empty)
        for varied in _subsets(self._dims):
            corners = tuple(slice(None) if dim in varied else slice(at, at + 1) for dim, at in enumerate(self.place))
            alike = [self._is_alike[dim] if dim in varied else np.ones(1, dtype=bool) for dim in self._dims]
            # A corner gains where an even number of dimensions turns it around.
            gains = reduce(np.equal.outer, alike)
            folded = fold.combine(folded, np.where(gains, gaining[corners], losing[corners]))
        return self._apart(folded, fold)

    def _transfers(self, gaining: Floats, losing: Floats, fold: Fold) -> Floats:
        """Each transfer as one number, by the cell that loses."""
        folded = np.full(self._last, fold.empty)
        for totalled in self._totalled:
            losers = tuple(slice(-1, None) if dim in totalled else slice(None, -1) for dim in self._dims)
            folded = fold.combine(folded, losing[losers])
            if totalled:
                folded = fold.combine(folded, gaining[self._total(self.place, totalled)])
        return self._apart(folded, fold)

    def _apart(self, folded: Floats, fold: Fold) -> Floats:
        """Rules out the ends that share an index with the cell."""
        for dim in self._dims:
            folded[(slice(None),) * dim + (self.place[dim],)] = fold.worst
        return folded

    def _box(self, opposite: Place) -> Move:
        steps = [(self.place, 1)]
        for varied in _subsets(self._dims):
            corner = tuple(opposite[dim] if dim in varied else self.place[dim] for dim in self._dims)
            turns = sum(not self._is_alike[dim][opposite[dim]] for dim in varied)
            steps.append((corner, -1 if turns % 2 else 1))
        return Move(tuple(steps))

    def _transfer(self, loser: Place) -> Move:
        ends = ((self.place, 1), (loser, -1))
        return Move(tuple((self._total(place, totalled), sign) for totalled in self._totalled for place, sign in ends))

    def _total(self, place: Place, totalled: tuple[int, ...]) -> Place:
        """The total over some dimensions to which a cell belongs."""
        return tuple(self._last[dim] if dim in totalled else place[dim] for dim in self._dims)


def _subsets(dims: range) -> Iterator[tuple[int, ...]]:
    return chain.from_iterable(combinations(dims, length) for length in range(1, len(dims) + 1))
