"""Tables by key, one category for each dimension, as arrays; and back again."""

from collections.abc import Collection, Hashable, Iterable, Iterator
from enum import Enum
from itertools import product

import numpy as np

from fairhaven.disclosure.known_totals import Mask, Place
from fairhaven.disclosure.policy import Policy


class Total(Enum):
    """Stands in a key for all categories of a dimension."""

    ALL = "all"


ALL = Total.ALL
Key = tuple[Hashable, ...]
"""One category for each dimension; `ALL` in the keys of totals."""


class Dimensions:
    """The categories of each dimension, in the order in which they come, and every combination of them.

    Args:
        keys: the combinations that have something; structural: those that cannot have anything, as everybody knows.

    Raises:
        ValueError: keys of different lengths, or none at all.
    """

    def __init__(self, keys: Collection[Key], structural: Collection[Key] = ()) -> None:
        named = (*keys, *structural)
        lengths = {len(key) for key in named}
        if len(lengths) != 1 or lengths == {0}:
            raise ValueError("every key has one category for each dimension, and there is at least one key")
        self._categories = [list(dict.fromkeys(key[dim] for key in named)) for dim in range(lengths.pop())]
        self.shape = tuple(len(categories) for categories in self._categories)
        self.inner = (slice(0, -1),) * len(self.shape)
        self.structural_keys = frozenset(structural)
        self.keys: tuple[Key, ...] = tuple(product(*self._categories))
        self.structural = self.mask(key in self.structural_keys for key in self.keys)

    def mask(self, flags: Iterable[bool]) -> Mask:
        """One flag for each combination, in the table's shape."""
        return np.array(list(flags), dtype=bool).reshape(self.shape)

    def key(self, place: Iterable[int]) -> Key:
        """The key of a cell or total."""
        named = zip(self._categories, place, strict=True)
        return tuple(categories[index] if index < len(categories) else ALL for categories, index in named)

    def totals(self) -> Iterator[Place]:
        """Every total, in order."""
        return filter(self.is_total, self.places())

    def is_total(self, place: Iterable[int]) -> bool:
        """True for the place of a total."""
        return any(index == size for index, size in zip(place, self.shape, strict=True))

    def places(self) -> Iterator[Place]:
        """Every cell and every total, in order."""
        return iter(np.ndindex(*(size + 1 for size in self.shape)))


def guarded_totals(table: Dimensions, hidden: Mask, policy: Policy) -> frozenset[Key]:
    """The totals whose true value a reader may know without learning a hidden cell.

    Args:
        hidden: of the table with its totals: cells that are hidden, totals that readers are taken not to know.
    """
    is_guarded = policy.secondary or not hidden[table.inner].any()
    return frozenset(table.key(place) for place in table.totals() if is_guarded and not hidden[place])


def totals_over(key: Key) -> Iterator[Key]:
    """The totals to which a cell belongs."""
    for left_out in product((False, True), repeat=len(key)):
        if any(left_out):
            yield tuple(ALL if left else part for part, left in zip(key, left_out, strict=True))
