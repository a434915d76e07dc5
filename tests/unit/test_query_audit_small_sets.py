"""Small sets that were told of: of each group it is told in the company of one other only whether both reach the threshold."""

import itertools

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
