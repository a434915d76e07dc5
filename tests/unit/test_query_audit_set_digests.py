"""Digests of the sets that differ from one by few persons, without these sets being made."""

import itertools

import numpy as np
import pytest
from pyroaring import BitMap

from fairhaven.query_audit.set_digests import KeyedSums


@pytest.mark.parametrize("few", [1, 4, 10])
def test_the_sums_of_a_sets_neighbours_are_those_that_the_neighbours_have(few: int) -> None:
    draw, sums = np.random.default_rng(few), KeyedSums(b"of the hub alone")
    persons = BitMap(draw.choice(5_000, 700, replace=False).astype(np.uint32))
    between = BitMap(draw.choice(5_000, few, replace=False).astype(np.uint32))
    found = sums.apart(sums.of(persons), persons, sums.of_subsets(between), between)
    made = (
        (persons - between) | BitMap(some)
        for length in range(few + 1)
        for some in itertools.combinations(between, length)
    )
    assert len(found) == 2**few and set(found) == {sums.of(each) for each in made}


def test_a_sum_does_not_hang_on_what_was_summed_before_and_another_secret_gives_others() -> None:
    sets = [BitMap(), BitMap([0]), BitMap([3]), BitMap([0, 3]), BitMap(range(900)), BitMap([70_000])]
    one, same, other = KeyedSums(b"of the hub alone"), KeyedSums(b"of the hub alone"), KeyedSums(b"of another  hub")
    found = [one.of(each) for each in sets]
    assert found == [same.of(each) for each in sets[::-1]][::-1]
    assert len(set(found)) == len(sets)
    assert not set(found[1:]) & {other.of(each) for each in sets}
