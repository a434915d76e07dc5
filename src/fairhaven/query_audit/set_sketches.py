"""Short sketches of large sets of persons, in which sets that are nearly the same are found without loading them.

Every person falls, by the hub's secret, into one of a few buckets with the sign plus or minus; a set's sketch is the
sum of signs in each bucket (a count sketch: Charikar, Chen, Farach-Colton 2002). Two facts are used. Sketches add and
subtract like the sets, so the sketch's squared length is that of the set of differences, nearly. And each person that
two sets do not share moves one bucket by one, so the sketches are never further apart, bucket by bucket summed, than
the sets: a near set is never missed.
"""

from array import array

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

BUCKETS = 128
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Sketcher:
    """Sketches of sets of persons, each person's bucket and sign fixed by a secret of the hub.

    Args:
        secret: 8 bytes or more; who does not have it cannot build two sets with the same sketch.
    """

    def __init__(self, secret: bytes) -> None:
        self._seed = np.uint64(int.from_bytes(secret[:8], "little"))
        self._place = np.empty(0, np.uint8)  # of each person: the bucket, and so many more where the sign is minus

    def sketch(self, persons: BitMap) -> NDArray[np.float32]:
        """The sketch of a set: float32 of length BUCKETS, whole numbers."""
        numbers = numbers_of(persons)
        if numbers.size:
            self._grow_to(int(numbers[-1]) + 1)
        counted = np.bincount(self._place[numbers], minlength=2 * BUCKETS)
        return (counted[:BUCKETS] - counted[BUCKETS:]).astype(np.float32)

    def order(self, numbers: NDArray[np.uint32]) -> NDArray[np.uint64]:
        """A secret number for each person, always the same."""
        return _mixed(numbers.astype(np.uint64), self._seed ^ _GOLDEN)

    def _grow_to(self, count: int) -> None:
        if count <= self._place.size:
            return
        mixed = _mixed(np.arange(count, dtype=np.uint64), self._seed)
        is_plus = mixed >> np.uint64(63)
        self._place = (mixed % np.uint64(BUCKETS) + np.uint64(BUCKETS) * (1 - is_plus)).astype(np.uint8)


def numbers_of(persons: BitMap) -> NDArray[np.uint32]:
    """The persons of a set in rising order."""
    return np.frombuffer(persons.to_array(), dtype=np.uint32)


def set_of(numbers: NDArray[np.uint32]) -> BitMap:
    """The set of these numbers. (pyroaring takes an array of numpy's one number at a time.)"""
    return BitMap(array("I", numbers.tobytes()))


def _mixed(numbers: NDArray[np.uint64], seed: np.uint64) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014), keyed: every bit of the result depends on every bit of number and seed."""
    with np.errstate(over="ignore"):
        z = (numbers ^ seed) * _GOLDEN
        z = (z ^ (z >> np.uint64(30)) ^ seed) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
