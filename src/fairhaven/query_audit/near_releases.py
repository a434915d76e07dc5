"""Releases that few persons tell apart are asked as one: by which digests the sets are looked for that are met alike."""

from itertools import combinations
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from fairhaven.query_audit.set_digests import KeyedSums, digest_of

MOST_APART = 10
"""Two releases that so many persons tell apart, or fewer, are asked as one; for each such pair a set has at most 1,023 others that are looked for."""


class KnownReleases(Protocol):
    """What is asked of the record."""

    def release_numbers(self) -> list[int]:
        """The keys of all releases, the oldest first."""

    def persons(self, question: int) -> BitMap:
        """The persons of a release, by minus its key."""


class NearReleases:
    """For each release the others that few persons tell apart from it.

    All sets that differ from one by such persons are looked for, whichever is found: how long it takes must not tell whether such
    persons are in the set.
    """

    def __init__(self, record: KnownReleases, sums: KeyedSums) -> None:
        self._record = record
        self._sums = sums
        self._seen: list[int] = []
        self._apart_of: dict[int, list[tuple[BitMap, NDArray[np.uint64]]]] = {}

    def sums_apart(self, persons: BitMap, keyed_sum: bytes, release: int) -> list[bytes]:
        """The keyed sums of the sets that are met as this one, of which *keyed_sum* is."""
        return [
            each
            for between, subsets in self._apart(release)
            for each in self._sums.apart(keyed_sum, persons, subsets, between)
        ]

    def digests_apart(self, persons: BitMap, release: int) -> list[bytes]:
        """The other digests of the same sets; each is made from the whole set, which takes twenty times as long."""
        return [
            digest_of(common | BitMap(some))
            for between, _ in self._apart(release)
            for common in [persons - between]
            for length in range(len(between) + 1)
            for some in combinations(between, length)
        ]

    def _apart(self, release: int) -> list[tuple[BitMap, NDArray[np.uint64]]]:
        """Persons by whom a release differs from each other one that few persons tell apart from it, with the sums of all that they can make up."""
        known = self._record.release_numbers()
        if known != self._seen:
            self._seen, self._apart_of = known, {}
        if release not in self._apart_of:
            mine = self._record.persons(-release)
            apart = [mine ^ self._record.persons(-other) for other in known]
            few = [each for each in apart if 0 < len(each) <= MOST_APART]
            # What is within another one is looked for with it.
            self._apart_of[release] = [
                (each, self._sums.of_subsets(each))
                for place, each in enumerate(few)
                if not any(each < other for other in few) and each not in few[:place]
            ]
        return self._apart_of[release]
