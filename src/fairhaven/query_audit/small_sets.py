"""Small sets that a coalition was told of, and whether a question would tell more of what they are made of. Pure."""

from collections.abc import Iterator

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
        self._met: dict[int, list[BitMap]] = {}
        self._parts: dict[int, list[BitMap]] = {}
        self._kept: set[bytes] = set()

    @property
    def reach(self) -> int:
        """Sets of so many persons or more are neither split nor kept."""
        return 4 * self._threshold

    def splits(self, persons: BitMap) -> bool:
        """True where a set that was kept and this one split one another into three parts under the threshold."""
        return any(all(parts) and all(map(self._is_untold, parts)) for parts in self._split(persons))

    def add(self, persons: BitMap) -> None:
        """Keep a set that got an answer, and what that told of its parts."""
        self.add_parts(persons)
        self._keep(persons, self._met)

    def add_parts(self, persons: BitMap) -> None:
        """Keep of which parts of a set its answer, or its refusal, told whether they are small."""
        for parts in list(self._split(persons, self._met)):
            small = [len(part) < self._threshold for part in parts]
            for part, is_small in zip(parts, small, strict=True):
                if sum(small) - is_small == 2:
                    self._keep(part, self._parts)

    def _split(self, persons: BitMap, *kept: dict[int, list[BitMap]]) -> Iterator[tuple[BitMap, BitMap, BitMap]]:
        """What a set and each that was kept share, and what each has alone."""
        if len(persons) < self.reach:
            having = [
                sets for each in kept or (self._met, self._parts) for person in persons if (sets := each.get(person))
            ]
            for each in {id(each): each for sets in having for each in sets}.values():
                yield persons & each, persons - each, each - persons

    def _is_untold(self, part: BitMap) -> bool:
        """True for a part under the threshold, and for one of which nothing more is to be told."""
        few = self._threshold
        return len(part) < few or any(all(len(each) < few for each in parts) for parts in self._split(part))

    def _keep(self, persons: BitMap, kept: dict[int, list[BitMap]]) -> None:
        if 0 < len(persons) < 2 * self._threshold and (known := persons.serialize()) not in self._kept:
            self._kept.add(known)
            for person in persons:
                kept.setdefault(person, []).append(persons)
