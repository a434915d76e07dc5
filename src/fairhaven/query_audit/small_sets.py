"""Small sets that a coalition was told of, and whether a question would tell more of what they are made of. Pure."""

from array import array

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap


class SmallSets:
    """The small sets of which it was told whether they reach the threshold.

    Whether a small group reaches the threshold together with another tells of its size: of both sizes, where neither is known, a little;
    with many others, to somebody who has practised on worlds of their own making, nearly all. So of each group it is told together with
    one other only.

    Two sets that share persons, neither within the other, *split* one another into three parts: what they share, and what each has alone.
    Where each part is under the threshold, a question for one after the other was met would tell of one part in the company of a second
    one. Every part's being small is what a question for that part alone tells, so no size that anybody does not know moves this edge.
    Only the two questions put together would ask for that part in disguise: of two parts under the threshold and a third, it is told
    whether the third is. So a third part is kept like a set that was asked for, and counts as under the threshold itself where it would
    not be told: where it and one that was kept have no part that reaches the threshold.

    Args:
        threshold: the least number of persons that is shown.
    """

    def __init__(self, threshold: int) -> None:
        self._threshold = threshold
        self._kept: set[bytes] = set()
        # The sets that were kept, by number: how large each is, whether it was met or is a part, and the numbers of those that have a person.
        # In arrays, as a coalition keeps thousands, and each question is compared with every one that shares a person with it.
        self._sets: list[BitMap] = []
        self._sizes = array("i")
        self._is_met = array("b")
        self._having: dict[int, array[int]] = {}

    @property
    def reach(self) -> int:
        """Sets of so many persons or more are neither split nor kept."""
        return 4 * self._threshold

    def splits(self, persons: BitMap) -> bool:
        """True where a set that was kept and this one split one another into three parts under the threshold."""
        few = self._threshold
        numbers, sizes = self._split(persons)
        # Sizes first: what is in two small parts, of which no more is told, has fewer than twice the threshold.
        is_possible = ((sizes > 0) & (sizes < 2 * few - 1)).all(axis=1)
        numbers, sizes = numbers[is_possible], sizes[is_possible]
        if (sizes < few).all(axis=1).any():
            return True
        untold: dict[bytes, bool] = {}
        for number, lengths in zip(numbers.tolist(), sizes.tolist(), strict=True):
            large = [part for part, size in zip(self._parts(persons, number), lengths, strict=True) if size >= few]
            if all(self._is_untold(part, untold) for part in large):
                return True
        return False

    def add(self, persons: BitMap) -> None:
        """Keep a set that got an answer, and what that told of its parts."""
        self.add_parts(persons)
        self._keep(persons, is_met=True)

    def add_parts(self, persons: BitMap) -> None:
        """Keep of which parts of a set its answer, or its refusal, told whether they are small."""
        numbers, sizes = self._split(persons)
        is_small = sizes < self._threshold
        is_told = is_small.sum(axis=1, keepdims=True) - is_small == 2
        is_told &= np.frombuffer(self._is_met, np.int8)[numbers, np.newaxis] > 0
        for place in np.flatnonzero(is_told.any(axis=1)).tolist():
            for part, is_kept in zip(self._parts(persons, int(numbers[place])), is_told[place], strict=True):
                if is_kept:
                    self._keep(part, is_met=False)

    def _split(self, persons: BitMap) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The numbers of the sets that share persons with one, and the sizes of the three parts of each, a row each."""
        having = [each for person in persons if (each := self._having.get(person))] if len(persons) < self.reach else []
        if not having:
            return np.zeros(0, np.int64), np.zeros((0, 3), np.int64)
        shared = np.bincount(np.concatenate([np.frombuffer(each, np.intc) for each in having]))
        numbers = np.flatnonzero(shared)
        shared = shared[numbers]
        alone = np.frombuffer(self._sizes, np.intc)[numbers] - shared
        return numbers, np.column_stack((shared, len(persons) - shared, alone))

    def _parts(self, persons: BitMap, number: int) -> tuple[BitMap, BitMap, BitMap]:
        """What a set and one that was kept share, and what each has alone."""
        other = self._sets[number]
        return persons & other, persons - other, other - persons

    def _is_untold(self, part: BitMap, known: dict[bytes, bool]) -> bool:
        """True for a part, not under the threshold, of which nothing more is to be told; each is looked for once (*known*)."""
        if (key := part.serialize()) not in known:
            known[key] = bool((self._split(part)[1] < self._threshold).all(axis=1).any())
        return known[key]

    def _keep(self, persons: BitMap, *, is_met: bool) -> None:
        if 0 < len(persons) < 2 * self._threshold and (known := persons.serialize()) not in self._kept:
            self._kept.add(known)
            for person in persons:
                self._having.setdefault(person, array("i")).append(len(self._sets))
            self._sets.append(persons)
            self._sizes.append(len(persons))
            self._is_met.append(is_met)
