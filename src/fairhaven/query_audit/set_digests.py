"""By what a set of persons is known again, without keeping it."""

import hashlib

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from fairhaven.query_audit.set_sketches import numbers_of

WIDTH = 16
"""Bytes of a digest of either kind."""


def digest_of(persons: BitMap) -> bytes:
    """By what a set is known again; nobody can make two sets with the same, whatever they know."""
    return hashlib.blake2b(persons.serialize(), digest_size=WIDTH).digest()


class KeyedSums:
    """A second digest, from which those of the set's neighbours follow without their being made.

    Every person has a secret value of 128 bits, and a set's sum is the exclusive or of the values of its persons: what a person changes
    is the same in every set (Bellare and Micciancio 1997; Clarke, Devadas, van Dijk, Gassend and Suh 2003, MSet-XOR-Hash).

    For whoever has not the secret, two sets have the same sum with a chance of 2 to the minus 128, however they were chosen: sums are
    shown to nobody, and what is met alike tells of two sums only whether they are equal. Whoever has it can make two sets with one sum
    by linear algebra. That is the hub's account, and analysts' accounts, which read all of a release anyway; they would get for one set
    what was said of the other, which is nothing about it. So a set is first looked for by `digest_of`.

    Args:
        secret: 16 bytes or more.
    """

    def __init__(self, secret: bytes) -> None:
        self._stream = hashlib.shake_128(b"a secret value for each person" + secret)
        # An array of its own for each half: of rows of two, numpy would gather and fold each number by itself.
        self._halves = np.empty((2, 0), np.uint64)

    def of(self, persons: BitMap) -> bytes:
        """The sum of a set."""
        return self._sum(persons).tobytes()

    def apart(self, keyed_sum: bytes, persons: BitMap, subsets: NDArray[np.uint64], between: BitMap) -> list[bytes]:
        """The sums of all sets that differ from one by persons of a few.

        Args:
            keyed_sum: of the set *persons*.
            subsets: of those few (`of_subsets`).
            between: the few.
        """
        rest = np.frombuffer(keyed_sum, np.uint64) ^ self._sum(persons & between)
        sums = (subsets ^ rest).tobytes()
        return [sums[start : start + WIDTH] for start in range(0, len(sums), WIDTH)]

    def of_subsets(self, few: BitMap) -> NDArray[np.uint64]:
        """The sums of all sets that can be made of a few persons, shape (2 ** persons, 2)."""
        sums = np.zeros((1, 2), np.uint64)
        for person in few:
            sums = np.concatenate([sums, sums ^ self._sum(BitMap([person]))])
        return sums

    def _sum(self, persons: BitMap) -> NDArray[np.uint64]:
        numbers = numbers_of(persons)
        if numbers.size:
            self._grow_to(int(numbers[-1]) + 1)
        return np.array([np.bitwise_xor.reduce(half[numbers]) for half in self._halves], np.uint64)

    def _grow_to(self, count: int) -> None:
        known = self._halves.shape[1]
        if count > known:
            values = np.frombuffer(self._stream.digest(WIDTH * max(count, 2 * known)), np.uint64)
            self._halves = np.ascontiguousarray(values.reshape(-1, 2).T)
