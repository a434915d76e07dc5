"""What one circle of askers has been told, and what it may be told next. Pure: nothing is read or written here."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from fairhaven.disclosure.policy import Policy, Small
from fairhaven.query_audit.answered_sets import AnsweredSets, NearbySet, SetCombination
from fairhaven.query_audit.model import Verdict, VerdictKind
from fairhaven.query_audit.set_sketches import Sketcher, numbers_of

HINTS = 10
"""So often may a person be among few of whom an answer, or its refusal, tells something, and no more."""
MOVES = 6
"""So often may a person be among those, not many, by whom a set that gets a count of its own differs from another."""
AROUND = 4
"""Not many: fewer than so many thresholds."""
BLUR = 3
"""Every edge that could be felt has so many places, one person apart; which is the hub's secret."""
TABLE_SHARE = 0.5
"""The part of all that is limited for each person that tables may use up; the rest is kept for questions."""
_SLACK = 1.0001
_TOLD = 0.3


class Coalition:
    """The memory of one circle of askers: a project, an organisation's projects, or all federated callers.

    The rules, in this order:

    1. A set that was asked before gets what it got.
    2. A set that differs from answered ones by fewer persons than the threshold, or hardly more, gets the answer of the
       oldest of them that is within the rounding of its own count, or hardly less; otherwise none.
    3. A set of nearly ``threshold`` persons, some of whom were told of before as few, gets none. Otherwise the edge of
       suppression could be felt out with helpers of known size.
    4. A set under the threshold is suppressed.
    5. A set that differs as little from the sum or difference of two answered ones gets the sum or difference of their
       answers, by the same measure as in 2; one that differs as little from a longer combination that of the
       combination, where rule 6 lets it have one.
    6. A set that differs by few thresholds of persons from an answered one or a combination gets none where any of
       these persons made up such a difference `MOVES` times; nor one whose count would raise any person's exposure
       above ``1 / threshold``.
    7. Any other gets its count, rounded.

    A person's exposure is the statistical leverage of that person in all counts told so far, with the rounding as
    their error. Had a combination of the counts, however long, the number of a group of *s* persons as its result,
    free of error, each of them would have a leverage of ``1 / s``; so none has for a group under the threshold.

    "Hardly" is a secret that depends on the persons by whom the sets differ. What rules 2 to 5 tell of few persons,
    also by refusing, they tell of each person `HINTS` times at most.

    Args:
        policy: threshold and rounding.
        load: gives the set of an earlier question by its key.
    """

    def __init__(self, policy: Policy, sketcher: Sketcher, load: Callable[[int], BitMap]) -> None:
        self._policy = policy
        self._sketcher = sketcher
        self._load = load
        noise = (policy.round_to**2 - 1) / 12
        self._limit = 1 / policy.threshold
        self._answers = AnsweredSets(load, noise=noise)
        self._met: dict[bytes, tuple[VerdictKind, int | None]] = {}
        self._small: dict[int, list[BitMap]] = {}
        self.exposure = np.zeros(0, np.float32)
        self._hints = np.zeros(0, np.uint8)
        self._moves = np.zeros(0, np.uint8)

    @property
    def bytes_held(self) -> int:
        """Memory that grows with the questions and the population."""
        return self._answers.bytes_held + self.exposure.nbytes + 2 * self._hints.nbytes + 200 * len(self._met)

    def start(self, kept: bytes) -> None:
        """Begin with what `state` gave."""
        count = len(kept) // 6
        self.exposure = np.frombuffer(kept, np.float32, count).copy()
        self._hints = np.frombuffer(kept, np.uint8, count, offset=4 * count).copy()
        self._moves = np.frombuffer(kept, np.uint8, count, offset=5 * count).copy()

    def state(self) -> bytes:
        """What would be slow to work out again from the questions: exposures and tallies, 6 bytes a person."""
        return self.exposure.tobytes() + self._hints.tobytes() + self._moves.tobytes()

    def reach(self, population: int) -> None:
        """Make room for persons 0 to population - 1."""
        if population > self.exposure.size:
            more = population - self.exposure.size
            self.exposure = np.concatenate([self.exposure, np.zeros(more, np.float32)])
            self._hints = np.concatenate([self._hints, np.zeros(more, np.uint8)])
            self._moves = np.concatenate([self._moves, np.zeros(more, np.uint8)])

    def consider(self, persons: BitMap, digest: bytes, *, in_table: bool = False) -> Verdict:
        """How a question is to be met; changes nothing.

        Args:
            in_table: True for a cell of a table, which may use up `TABLE_SHARE` of what a question may.
        """
        kind, value = self._met.get(digest, (None, None))
        if kind is not None and (kind is not VerdictKind.WITHHELD or in_table):
            return Verdict(
                kind=kind if kind in (VerdictKind.REFUSED, VerdictKind.WITHHELD) else VerdictKind.EARLIER,
                value=value,
                why="met",
            )
        size, threshold = len(persons), self._policy.threshold
        fresh = Verdict(kind=VerdictKind.FRESH, value=self._policy.rounded(size))
        if threshold == 1:
            return fresh
        if size < threshold and self._is_known_small(persons):
            return Verdict(kind=VerdictKind.SMALL, value=self._suppressed)
        image = self._sketcher.image(persons)
        within = max(threshold + BLUR, min(AROUND * threshold, size))  # up to its size, or all that is small would be
        around = self._answers.near(persons, image, within=within)
        if near := [one for one in around if self._is_near(one, persons)]:
            return self._as_earlier(persons, near)
        if self._is_at_the_edge(persons):
            return Verdict(kind=VerdictKind.REFUSED, why="edge")
        if size < threshold:
            return self._hinted(Verdict(kind=VerdictKind.SMALL, value=self._suppressed, apart=persons))
        compared = self._answers.compare(persons, image)
        combined = None
        found = self._answers.combination(persons, compared, within=AROUND * threshold)
        if found:
            combined = self._as_combined(persons, found)
            if combined is not None and (found.terms == 2 or combined.is_refused):
                return combined
        apart = self._moved(persons, around, found)
        if self._is_worn(apart, MOVES, self._moves):
            return Verdict(kind=VerdictKind.REFUSED, why="moves")
        weights = self._answers.news(persons, compared, population=self.exposure.size).weights
        highest = float((self.exposure + weights).max())
        if highest > self._limit * _SLACK:
            return Verdict(kind=VerdictKind.REFUSED, why="leverage")
        if in_table and highest > TABLE_SHARE * self._limit:
            return Verdict(kind=VerdictKind.WITHHELD, why="table")
        if combined:
            return replace(combined, kind=VerdictKind.COMBINED, weights=weights)
        return replace(fresh, weights=weights, apart=apart)

    def learn(self, key: int, persons: BitMap, digest: bytes, opinion: Verdict) -> None:
        """Remember a question and how it was met."""
        if self.has_settled(digest):
            return
        image = None if opinion.is_refused else self._sketcher.image(persons)
        self._remember(key, digest, opinion.kind, opinion.value, len(persons), image, lambda: persons)
        if opinion.weights is not None:
            self.exposure += opinion.weights
        self._tally(opinion.kind, opinion.apart)

    def recall(
        self, key: int, digest: bytes, kind: VerdictKind, value: int | None, *, apart: BitMap | None, size: int,
        image: NDArray[np.float32] | None, is_weighed: bool,
    ) -> None:  # fmt: skip
        """Remember, from the record, what another process or an earlier one met.

        Args:
            is_weighed: True where the exposures that the circle started from have it already.
        """
        if self.has_settled(digest):
            return
        has_weights = kind in (VerdictKind.FRESH, VerdictKind.COMBINED) and self._policy.threshold > 1
        if not is_weighed and has_weights and image is not None:
            persons = self._load(key)
            compared = self._answers.compare(persons, image)
            self.exposure += self._answers.news(persons, compared, population=self.exposure.size).weights
        if not is_weighed:
            self._tally(kind, apart)
        self._remember(key, digest, kind, value, size, image, lambda: self._load(key))

    def has_settled(self, digest: bytes) -> bool:
        """True where the circle asked for the same set before, and how it was met will not change."""
        return self._met.get(digest, (VerdictKind.WITHHELD, None))[0] is not VerdictKind.WITHHELD

    def has_met(self, digest: bytes) -> bool:
        """True where the circle asked for the same set before."""
        return digest in self._met

    @property
    def _suppressed(self) -> int | None:
        return 0 if self._policy.small is Small.ZERO else None

    def _remember(
        self, key: int, digest: bytes, kind: VerdictKind, value: int | None, size: int, image: NDArray[np.float32] | None,
        persons: Callable[[], BitMap],
    ) -> None:  # fmt: skip
        self._met[digest] = (kind, value)
        if image is None:
            return
        if kind is VerdictKind.SMALL and not self._is_known_small(small := persons()):
            for person in small:
                self._small.setdefault(person, []).append(small)
        shown = None if kind is VerdictKind.SMALL else value
        self._answers.add(key, size, image, shown=shown, is_counted=kind is VerdictKind.FRESH)

    def _is_near(self, near: NearbySet, persons: BitMap) -> bool:
        beyond = near.distance - self._policy.threshold
        return beyond < 0 or beyond < self._blur(persons ^ self._load(near.key))

    def _as_earlier(self, persons: BitMap, near: Sequence[NearbySet]) -> Verdict:
        """The answer of the oldest near set that will do.

        Not of the nearest: which of two is nearer would tell how many persons are in between.
        """
        apart, size = BitMap(), len(persons)
        for one in sorted(near, key=lambda one: one.key):
            differing = persons ^ self._load(one.key)
            apart |= differing
            if one.shown is None:
                if size < self._policy.threshold - self._withdrawn(persons):
                    return self._hinted(Verdict(kind=VerdictKind.SMALL, value=self._suppressed, apart=apart))
            elif self._is_close(one.shown, size, differing):
                return self._hinted(Verdict(kind=VerdictKind.EARLIER, value=one.shown, apart=apart))
        return self._hinted(Verdict(kind=VerdictKind.REFUSED, apart=apart, why="near"))

    def _as_combined(self, persons: BitMap, found: SetCombination) -> Verdict | None:
        """The sum and difference of answers; None where the set needs a count of its own."""
        apart, threshold, size = self._rest(persons, found), self._policy.threshold, len(persons)
        if len(apart) >= threshold + self._blur(apart):
            return None
        if found.terms > 2 and not apart and self._policy.round_to > 1:
            return None  # the sum of many roundings is further off than one
        told = persons if size < 2 * threshold else apart
        if found.shown >= threshold and self._is_close(found.shown, size, apart):
            return self._hinted(Verdict(kind=VerdictKind.EARLIER, value=found.shown, apart=told))
        return self._hinted(Verdict(kind=VerdictKind.REFUSED, apart=told, why="combined"))

    def _is_close(self, shown: int, size: int, apart: BitMap) -> bool:
        """True where an answer is within the rounding."""
        if self._policy.round_to == 1:
            return shown == size and not apart
        return abs(shown - size) <= self._policy.round_to - self._withdrawn(apart)

    def _is_at_the_edge(self, persons: BitMap) -> bool:
        """True for two sizes, one after the other, at the threshold, where some of the persons were told of."""
        threshold = self._policy.threshold
        if len(persons) >= 2 * threshold or not self._told_of(persons):
            return False
        first = threshold - self._withdrawn(persons)
        return first <= len(persons) < first + BLUR - 1

    def _blur(self, persons: BitMap) -> int:
        """Where an edge is among `BLUR` places.

        It belongs to those of the persons who were told of before, so that helpers who are new each time do not move
        it, and is the same for every kind of edge, so that two kinds do not tell more than one. Of persons of whom
        nothing was told, 0: one answer at an edge tells little.
        """
        told = self._told_of(persons)
        return int(self._sketcher.order(numbers_of(told)).min() >> np.uint64(5)) % BLUR if told else 0

    def _withdrawn(self, persons: BitMap) -> int:
        """By how many persons an edge is nearer than it would be; 0 where nothing was told of any of them."""
        return BLUR - 1 - self._blur(persons) if self._told_of(persons) else 0

    def _told_of(self, persons: BitMap) -> BitMap:
        """Those who have been among few of whom something was told."""
        numbers = numbers_of(persons)
        return BitMap(numbers[(self.exposure[numbers] >= _TOLD * self._limit) | (self._hints[numbers] > 0)])

    def _hinted(self, opinion: Verdict) -> Verdict:
        """That a group is small is news too: each person may be in few groups of which it is told."""
        apart = opinion.apart
        return Verdict(kind=VerdictKind.REFUSED, why="hints") if self._is_worn(apart, HINTS, self._hints) else opinion

    def _moved(self, persons: BitMap, around: Sequence[NearbySet], found: SetCombination | None) -> BitMap:
        """By whom a set differs from answered ones, or a combination, where that are not many."""
        moved = BitMap().union(*(persons ^ self._load(one.key) for one in around))
        return moved | self._rest(persons, found) if found else moved

    def _rest(self, persons: BitMap, found: SetCombination) -> BitMap:
        """The persons whom a set and a combination do not share."""
        left = np.zeros(self.exposure.size, np.int16)
        left[numbers_of(persons)] = 1
        for key, factor in found.factors.items():
            left[numbers_of(self._load(key))] -= factor
        return BitMap(np.flatnonzero(left).astype(np.uint32))

    def _is_worn(self, apart: BitMap | None, most: int, tally: NDArray[np.uint8]) -> bool:
        return apart is not None and bool(apart) and int(tally[numbers_of(apart)].max()) >= most

    def _tally(self, kind: VerdictKind, apart: BitMap | None) -> None:
        if apart:
            tally = self._moves if kind is VerdictKind.FRESH else self._hints
            tally[numbers_of(apart)] += 1

    def _is_known_small(self, persons: BitMap) -> bool:
        return not persons or any(persons.issubset(known) for known in self._small.get(persons.min(), ()))
