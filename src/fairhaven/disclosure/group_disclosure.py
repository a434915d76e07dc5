"""Groups of which all persons are alike: every one of a row is in one and the same cell.

Such a table says of each of them what the column says, however many they are. A cell that cannot be anything but zero
(a structural zero: pregnant men) gives nothing away and is left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from fairhaven.disclosure.known_totals import Floats, Mask, Place, places_of


@dataclass(frozen=True, kw_only=True, slots=True)
class FullCell:
    """A cell that holds all persons of its line.

    Args:
        place: the cell.
        dimension: along which it is alone; the other indices say who the group is.
        zeros: the empty cells of the line that might have held somebody; the likeliest to have done so first.
    """

    place: Place
    dimension: int
    zeros: tuple[Place, ...]


def full_cells(values: Floats, structural: Mask) -> Iterator[FullCell]:
    """The full cells along every dimension of a table without its totals."""
    for dimension in range(values.ndim):
        filled = values > 0
        alone = filled & (filled.sum(axis=dimension, keepdims=True) == 1)
        # An empty cell where many are in the other lines is the one that hides the group best.
        elsewhere = values.sum(axis=tuple(axis for axis in range(values.ndim) if axis != dimension))
        for place in places_of(alone):
            line = [(*place[:dimension], index, *place[dimension + 1 :]) for index in range(values.shape[dimension])]
            zeros = [end for end in line if not values[end] and not structural[end]]
            if zeros:
                ranked = sorted(zeros, key=lambda end: -elsewhere[end[dimension]])
                yield FullCell(place=place, dimension=dimension, zeros=tuple(ranked))
