"""What one circle of askers has been told, and what it may be told next. Pure: nothing is read or written here."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from fairhaven.disclosure.audit.answers import Answers, Near
from fairhaven.disclosure.audit.sketch import Sketcher, numbers_of
from fairhaven.disclosure.policy import Policy

HINTS = 6
"""So often may a person be in a group of which an answer tells that it is small, and no more."""
MARGIN = 2
"""The edge of suppression may be wider by up to so many persons, on either side; how many is the hub's secret."""
REACH = 2
"""Sets are near to each other that differ by fewer persons than the threshold and up to so many; how many is secret."""
_SLACK = 1.0001


class Kind(StrEnum):
    """How a question is met."""

    FRESH = "fresh"
    SMALL = "small"
    EARLIER = "earlier"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class Opinion:
    """What a circle has to say to a question.

    Args:
        kind: how the question is to be met.
        earlier: the key of the question whose answer is given again.
        apart: the persons of whom the answer tells that they are few.
        weights: what each person's exposure rises by.
    """

    kind: Kind
    earlier: int | None = None
    apart: BitMap | None = None
    weights: NDArray[np.float32] | None = field(default=None, repr=False)


_REFUSED = Opinion(kind=Kind.REFUSED)


class Circle:
    """The memory of one circle of askers: a project, an organisation's projects, or all federated callers.

    The rules, in this order:

    1. A set that was asked before gets what it got.
    2. A set of nearly ``threshold`` persons, some of whom are in earlier small answers, gets none; how nearly, only
       the hub knows. Otherwise the edge of suppression could be felt out with helpers of known size.
    3. A set under the threshold is suppressed.
    4. A set that differs from an earlier one by fewer persons than the threshold, or hardly more, gets the earlier
       answer where that is within the rounding of its own count, and otherwise none.
    5. A set whose count would raise any person's exposure above ``1 / threshold`` gets none.
    6. Any other gets its count, rounded.

    A person's exposure is the statistical leverage of that person in all counts told so far, with the rounding as
    their error. Had a combination of the counts, however long, the number of a group of *s* persons as its result,
    free of error, each of them would have a leverage of ``1 / s``; so none has for a group under the threshold.

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
        self._answers = Answers(load, noise=noise)
        self._met: dict[bytes, tuple[int, Kind]] = {}
        self._small: dict[int, list[BitMap]] = {}
        self._in_small = BitMap()
        self.exposure = np.zeros(0, np.float32)
        self._hints = np.zeros(0, np.uint8)

    @property
    def bytes_held(self) -> int:
        """Memory that grows with the questions and the population."""
        return self._answers.bytes_held + self.exposure.nbytes + self._hints.nbytes + 200 * len(self._met)

    def start(self, kept: bytes) -> None:
        """Begin with what `state` gave."""
        count = len(kept) // 5
        self.exposure = np.frombuffer(kept, np.float32, count).copy()
        self._hints = np.frombuffer(kept, np.uint8, count, offset=4 * count).copy()

    def state(self) -> bytes:
        """What would be slow to work out again from the questions: exposures and hints, 5 bytes a person."""
        return self.exposure.tobytes() + self._hints.tobytes()

    def reach(self, population: int) -> None:
        """Make room for persons 0 to population - 1."""
        if population > self.exposure.size:
            self.exposure = np.concatenate([self.exposure, np.zeros(population - self.exposure.size, np.float32)])
            self._hints = np.concatenate([self._hints, np.zeros(population - self._hints.size, np.uint8)])

    def consider(self, persons: BitMap, digest: bytes) -> Opinion:
        """How a question is to be met; changes nothing."""
        if met := self._met.get(digest):
            key, kind = met
            return _REFUSED if kind is Kind.REFUSED else Opinion(kind=Kind.EARLIER, earlier=key)
        threshold = self._policy.threshold
        if threshold == 1:
            return Opinion(kind=Kind.FRESH)
        if len(persons) < threshold and self._is_known_small(persons):
            return Opinion(kind=Kind.SMALL)
        image = self._sketcher.image(persons)
        near = self._near(persons, image)
        if self._is_at_the_edge(persons, is_near=near is not None):
            return _REFUSED
        if len(persons) < threshold:
            return self._hinted(Opinion(kind=Kind.SMALL, apart=persons))
        if near:
            earlier = self._load(near.key)
            error = abs(self._policy.rounded(len(earlier)) - len(persons))
            if len(earlier) < threshold or error > self._policy.round_to or self._policy.round_to == 1:
                return _REFUSED
            return self._hinted(Opinion(kind=Kind.EARLIER, earlier=near.key, apart=persons ^ earlier))
        news = self._answers.news(persons, image, population=self.exposure.size)
        if float((self.exposure + news.weights).max()) > self._limit * _SLACK:
            return _REFUSED
        return Opinion(kind=Kind.FRESH, weights=news.weights)

    def learn(self, key: int, persons: BitMap, digest: bytes, opinion: Opinion) -> None:
        """Remember a question and how it was met."""
        if digest in self._met:
            return
        self._remember(key, digest, opinion.kind, len(persons), self._sketcher.image(persons), lambda: persons)
        if opinion.weights is not None:
            self.exposure += opinion.weights
        elif opinion.apart is not None and opinion.kind is not Kind.REFUSED:
            self._expose(opinion.apart)

    def recall(
        self, key: int, digest: bytes, kind: Kind, earlier: int | None, *, size: int, image: NDArray[np.float32] | None,
        is_weighed: bool,
    ) -> None:  # fmt: skip
        """Remember, from the record, what another process or an earlier one met.

        Args:
            is_weighed: True where the exposures that the circle started from have it already.
        """
        if digest in self._met:
            return
        if not is_weighed and kind is Kind.FRESH and image is not None:
            self.exposure += self._answers.news(self._load(key), image, population=self.exposure.size).weights
        elif not is_weighed and kind is Kind.SMALL and not self._is_known_small(self._load(key)):
            self._expose(self._load(key))
        elif not is_weighed and kind is Kind.EARLIER and earlier is not None:
            self._expose(self._load(key) ^ self._load(earlier))
        self._remember(key, digest, kind, size, image, lambda: self._load(key))

    def _remember(
        self, key: int, digest: bytes, kind: Kind, size: int, image: NDArray[np.float32] | None,
        persons: Callable[[], BitMap],
    ) -> None:  # fmt: skip
        self._met[digest] = (key, kind)
        if image is None:
            return
        if kind is Kind.SMALL and not self._is_known_small(small := persons()):
            self._in_small |= small
            for person in small:
                self._small.setdefault(person, []).append(small)
        if kind is Kind.FRESH or kind is Kind.SMALL:
            self._answers.add(key, size, image, is_counted=kind is Kind.FRESH)

    def has_met(self, digest: bytes) -> bool:
        """True where the circle asked for the same set before."""
        return digest in self._met

    def _near(self, persons: BitMap, image: NDArray[np.float32]) -> Near | None:
        """The nearest earlier set, where it is nearer than the threshold or not much further.

        How much, is a secret of the persons apart: else helpers of known size would tell how many the others are.
        """
        near = self._answers.nearest(persons, image, within=self._policy.threshold + REACH + 1)
        if near is None or near.distance < self._policy.threshold:
            return near
        apart = numbers_of(persons ^ self._load(near.key))
        reach = int(self._sketcher.order(apart).min() >> np.uint64(5)) % REACH + 1
        return near if near.distance < self._policy.threshold + reach else None

    def _is_at_the_edge(self, persons: BitMap, *, is_near: bool) -> bool:
        threshold = self._policy.threshold
        if not persons or len(persons) >= 2 * threshold:
            return False
        numbers = numbers_of(persons)
        exposed = numbers[self.exposure[numbers] >= 0.4 * self._limit]
        exposed = np.union1d(exposed, numbers_of(persons & self._in_small))
        if not exposed.size and not is_near:
            return False
        secret = int(self._sketcher.order(exposed if exposed.size else numbers).min()) >> 3
        below, above = 1 + secret % MARGIN, secret // MARGIN % MARGIN
        return threshold - below <= len(persons) <= threshold + above

    def _hinted(self, opinion: Opinion) -> Opinion:
        """That a group is small is news too: each person may be in few groups of which it is told."""
        apart = opinion.apart
        if apart and int(self._hints[numbers_of(apart)].max()) >= HINTS:
            return _REFUSED
        return opinion

    def _expose(self, apart: BitMap) -> None:
        self._hints[numbers_of(apart)] += 1

    def _is_known_small(self, persons: BitMap) -> bool:
        return not persons or any(persons.issubset(known) for known in self._small.get(persons.min(), ()))
