"""Small sets that were told of: of each group it is told in the company of one other only whether both reach the threshold."""

import itertools
import random
import time

import pytest
from pyroaring import BitMap

from fairhaven.query_audit.small_sets import SmallSets


def groups(*sizes: int) -> list[BitMap]:
    """Groups of so many persons that share none."""
    starts = itertools.accumulate(sizes, initial=0)
    return [BitMap(range(start, start + size)) for start, size in zip(starts, sizes, strict=False)]


def met(*sets: BitMap) -> SmallSets:
    found = SmallSets(10)
    for each in sets:
        found.add(each)
    return found


@pytest.mark.parametrize(("size", "other"), [(3, 2), (3, 9), (9, 9)])
def test_a_second_companion_tells_nothing_whether_it_would_reach_the_threshold_or_not(size: int, other: int) -> None:
    few, one, second = groups(size, 4, other)
    kept = met(few | one)
    assert kept.splits(few | second)
    assert not kept.splits(second) and not kept.splits(few), "a group by itself is told of"
    assert not kept.splits(few | one | second), "and so is what holds the two that were told together"


@pytest.mark.parametrize("size", range(10, 20))
def test_a_companion_of_known_size_is_no_ruler(size: int) -> None:
    """Nothing changes at twice the threshold: who knows the companion's number would read the group's from it."""
    few, one, large = groups(5, 4, size)
    assert not met(few | one).splits(few | large)


@pytest.mark.parametrize("size", range(1, 10))
def test_in_disguise_it_is_told_once_too(size: int) -> None:
    """Two questions of which the second has the group and a companion beside what both share ask whether these two reach the threshold."""
    few, shared, beside, *others = groups(size, 9, 5, *range(1, 10))
    kept = met(shared | beside)
    first, *later = (few | other | shared for other in others[4:] + others[:4])
    assert kept.splits(first) == (size + 5 < 10)
    kept.add_parts(first)
    assert all(kept.splits(each) for each in later)


def test_persons_known_one_by_one_are_no_ruler_in_disguise() -> None:
    few, shared, beside, known = groups(5, 9, 5, 12)
    kept = met(shared | beside)
    first = few | shared | known[:1]
    assert kept.splits(first)
    kept.add_parts(first)
    assert all(kept.splits(few | shared | known[:number]) for number in range(2, 10))


def test_large_sets_are_neither_split_nor_kept() -> None:
    few, large, other = groups(3, 60, 5)
    kept = met(few | large)
    assert not kept.splits(few | other)
    assert not met(few | other).splits(few | large)


class PlainSmallSets:
    """The rule as it reads, without an index: every set that was kept is looked at for each part."""

    def __init__(self, threshold: int) -> None:
        self.few = threshold
        self.kept: dict[bytes, tuple[BitMap, bool]] = {}

    def splits(self, persons: BitMap) -> bool:
        return any(all(parts) and all(map(self.is_untold, parts)) for parts in self.split(persons))

    def is_untold(self, part: BitMap) -> bool:
        return len(part) < self.few or any(all(len(each) < self.few for each in parts) for parts in self.split(part))

    def add(self, persons: BitMap) -> None:
        self.add_parts(persons)
        self.keep(persons, is_met=True)

    def add_parts(self, persons: BitMap) -> None:
        for parts in self.split(persons, met_only=True):
            for place, part in enumerate(parts):
                if all(len(other) < self.few for beside, other in enumerate(parts) if beside != place):
                    self.keep(part, is_met=False)

    def keep(self, persons: BitMap, *, is_met: bool) -> None:
        if 0 < len(persons) < 2 * self.few:
            self.kept.setdefault(persons.serialize(), (persons, is_met))

    def split(self, persons: BitMap, *, met_only: bool = False) -> list[tuple[BitMap, BitMap, BitMap]]:
        if len(persons) >= 4 * self.few:
            return []
        others = [each for each, is_met in self.kept.values() if persons & each and (is_met or not met_only)]
        return [(persons & each, persons - each, each - persons) for each in others]


@pytest.mark.parametrize("seed", range(40))
def test_what_is_looked_up_is_what_the_plain_rule_says(seed: int) -> None:
    draw = random.Random(seed)
    few = draw.choice((1, 2, 3, 5))
    persons, most = range(draw.randint(4, 8 * few + 4)), 4 * few + 1
    kept, plain = SmallSets(few), PlainSmallSets(few)
    for _ in range(60):
        some = BitMap(draw.sample(persons, draw.randint(0, min(most, len(persons)))))
        assert kept.splits(some) == plain.splits(some)
        if draw.random() < 0.8:
            act = draw.choice(("add", "add", "add_parts"))
            getattr(kept, act)(some)
            getattr(plain, act)(some)


def test_a_question_after_many_costs_little() -> None:
    """Much less than is allowed here; where each part is looked for again with each set, it grows with their square, to seconds."""
    draw = random.Random(1)
    kept = SmallSets(10)
    for size in draw.choices((3, 8, 12, 18), k=200):
        kept.add(BitMap(draw.sample(range(80), size)))
    asked = [BitMap(draw.sample(range(80), 36)) for _ in range(5)]
    began = time.process_time()
    for each in asked:
        kept.splits(each)
    assert time.process_time() - began < 0.25
