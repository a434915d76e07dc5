"""What one coalition of askers was answered, and what it may be answered next. Pure: nothing is read or written here."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from fairhaven.disclosure.policy import Policy, Small
from fairhaven.query_audit.answered_sets import AnsweredSets, NearbySet, SetCombination
from fairhaven.query_audit.model import RecordedVerdict, Verdict, VerdictKind
from fairhaven.query_audit.set_sketches import Sketcher, numbers_of
from fairhaven.query_audit.small_sets import SmallSets

MAX_HINTS = 10
"""So often may an answer, or its refusal, reveal something of few persons among whom a person is, and no more."""
MAX_DIFFERENCES = 6
"""So often may a person be among those, not many, by whom a set that gets a count of its own differs from another."""
NEIGHBOURHOOD = 4
"""Not many: fewer than so many thresholds."""
BLUR = 3
"""Every edge that could be felt out is at one of so many places, one person apart; at which is the hub's secret."""
TABLE_SHARE = 0.5
"""The part of all that is limited for each person that tables may use up; the rest is kept for questions."""
_COMPARED = (VerdictKind.FRESH, VerdictKind.TOLD, VerdictKind.SMALL)
"""Later sets are compared with what was met so. Of another set's answer everything is known from that one."""
_WEIGHING = 1
"""The first way (0) took leverage alone."""
_SLACK = 1.0001
"""Exposures are sums of float32: a person who bears exactly the limit must not be refused for the last digit."""
_EXPOSED = 0.3
"""From this part of the limit on a person counts as one of whom something was revealed."""


class Coalition:
    """The memory of one coalition of askers: a project, an organisation's projects, or all federated callers.

    The rules, in this order:

    1. A set that was asked before gets what it got. So does one that differs from it by persons alone who are in one and not in another of
       two releases that few persons tell apart: whether they are in the set must show neither in an answer nor in its refusal.
    2. A set gets none where it and one that was met split one another into parts of which each is under the threshold (`small_sets`).
    3. A set that differs by fewer persons than the threshold, or hardly more, from ones that have counts of their own gets the answer of the
       oldest of them, however far off its own count: a refusal where it is too far off would tell how many the persons are by whom
       they differ. Under a policy without rounding it gets none. One that got another's answer tells nothing of itself, so none is near to it.
    4. A set of nearly ``threshold`` persons, some of whom were among few before, gets none. Otherwise the edge of
       suppression could be felt out with helpers of known size. Any other under the threshold is suppressed.
    5. A set that differs as little from the sum or difference of two answered ones gets the sum or difference of their
       answers, in the same way; one that differs as little from a longer combination none, as many roundings are too far off. Under a
       policy without rounding it is only the combination itself that gets its count, a longer one where rule 6 lets it.
    6. A set that differs by few thresholds of persons from an answered one or a combination gets none where any of
       these persons made up such a difference `MAX_DIFFERENCES` times; nor one whose count would raise any person's exposure
       above ``1 / threshold``.
    7. Any other gets its count, rounded.

    A person's exposure is the statistical leverage of that person in all counts given so far, with the rounding as
    their error, or more: it is taken so that how soon it reaches the limit does not tell how many persons have it (`answered_sets` has the formulas). Why ``1 / threshold`` is the limit: had a combination of counts,
    however long, the number of persons of a group of *s* as its result, free of error, the group's indicator vector *u*
    would lie in the space that the answers span, on which the hat matrix H projects, so that for each member

        H[p, p] = |H e_p|^2 >= (e_p . u)^2 / |u|^2 = 1 / s.

    A limit of ``1 / threshold`` therefore bars every group under the threshold, by whatever arithmetic. With rounding
    the counts have an error and H[p, p] is less: the rule is then as strict as an attacker's least squares is good.

    "Hardly" is a secret that depends on the persons by whom the sets differ. What rules 2 to 5 reveal of few persons,
    also by refusing, they reveal of each person `MAX_HINTS` times at most.

    What a release tells of itself (`VerdictKind.TOLD`) is known like an answer: sets near it and combinations with it are met by rules 3,
    5 and 6, and a person's exposure is by how much answers raise the leverage beyond what was told. So is what the coalition had asked for
    before and was refused.

    Invariants: a verdict that was given is never taken back (but for `WITHHELD`, which is of tables only, and a refusal, or another set's answer,
    of what a release then tells everybody); `exposure`, hints and differences never fall; `consider` changes nothing, so that several coalitions can be asked before any
    of them learns.

    Args:
        policy: threshold and rounding.
        load: gives the set of an earlier question by its key.
    """

    def __init__(self, policy: Policy, sketcher: Sketcher, load: Callable[[int], BitMap]) -> None:
        self._policy = policy
        self._sketcher = sketcher
        self._load = load
        # Rounding to k makes an error that is one of k whole numbers, each as likely: its variance is (k^2 - 1) / 12.
        noise = (policy.round_to**2 - 1) / 12
        self._limit = 1 / policy.threshold
        self._answers = AnsweredSets(load, noise=noise)
        self._verdicts: dict[bytes, tuple[VerdictKind, int | None]] = {}
        """By the digests of a set, both of them."""
        self.has_unsummed = False
        """True where a set was refused before there were keyed sums; nobody knows whose it was."""
        self._suppressed_sets: dict[int, list[BitMap]] = {}
        self._small_sets = SmallSets(policy.threshold)
        self.exposure = np.zeros(0, np.float32)
        self._hints = np.zeros(0, np.uint8)
        self._differences = np.zeros(0, np.uint8)

    def restore(self, kept: bytes) -> bool:
        """Begin with what `state` gave; False, and with nothing, where another rounding or weighing made it: it says too little or too much."""
        rule, kept = kept[: len(kept) % 6], kept[len(kept) % 6 :]
        if kept and rule != self._rule:
            return False
        count = len(kept) // 6
        self.exposure = np.frombuffer(kept, np.float32, count).copy()
        self._hints = np.frombuffer(kept, np.uint8, count, offset=4 * count).copy()
        self._differences = np.frombuffer(kept, np.uint8, count, offset=5 * count).copy()
        return True

    def state(self) -> bytes:
        """What would be slow to work out again from the questions: exposures and tallies, 6 bytes a person, after by what rounding."""
        return self._rule + self.exposure.tobytes() + self._hints.tobytes() + self._differences.tobytes()

    @property
    def _rule(self) -> bytes:
        """Four bytes that tell apart how exposures are worked out: by what error of rounding, and in which of the ways that there have been."""
        return (_WEIGHING << 24 | self._policy.round_to).to_bytes(4, "little")

    def grow_to(self, population: int) -> None:
        """Make room for persons 0 to population - 1."""
        if population > self.exposure.size:
            for tally in (self.exposure, self._hints, self._differences):
                tally.resize(population, refcheck=False)

    def consider(
        self, persons: BitMap, digest: bytes, *, in_table: bool = False, others: Sequence[bytes] = ()
    ) -> Verdict:
        """How a question is to be met; changes nothing.

        Args:
            in_table: True for a cell of a table, which may use up `TABLE_SHARE` of what a question may.
            others: digests of the sets that are met as this one (`near_releases`).
        """
        # Rule 1. A table's cell that was withheld may still be asked as a question.
        for kind, value in self._met_before(digest, others):
            if kind is not VerdictKind.WITHHELD or in_table:
                is_refused = kind in (VerdictKind.REFUSED, VerdictKind.WITHHELD)
                return Verdict(kind=kind if is_refused else VerdictKind.EARLIER, value=value)
        size, threshold = len(persons), self._policy.threshold
        fresh = Verdict(kind=VerdictKind.FRESH, value=self._policy.rounded(size))
        if threshold == 1:
            return fresh
        if size < threshold and self._is_known_small(persons):
            return Verdict(kind=VerdictKind.SMALL, value=self._suppressed)
        if self._small_sets.splits(persons):  # rule 2
            return self._within_hint_limit(Verdict(kind=VerdictKind.REFUSED, differing=persons))
        sketch = self._sketcher.sketch(persons)
        # Rules 3 and 6 look this far. Not further than the set is large: every small set would be near every other.
        within = max(threshold + BLUR, min(NEIGHBOURHOOD * threshold, size))
        around = self._answers.near(persons, sketch, within=within)
        if near := [one for one in around if self._is_too_near(one, persons)]:
            return self._earlier_answer(persons, near)
        if self._is_at_threshold(persons):  # rule 4
            return Verdict(kind=VerdictKind.REFUSED)
        if size < threshold:
            return self._within_hint_limit(Verdict(kind=VerdictKind.SMALL, value=self._suppressed, differing=persons))
        # Rule 5. A sum or difference of two is at hand for anybody; a longer one has to pass rule 6 as well.
        fit = self._answers.least_squares(persons, sketch)
        found = self._answers.combination(persons, fit, within=NEIGHBOURHOOD * threshold)
        combined = self._combined_answer(persons, found) if found else None
        if found and combined and (found.terms == 2 or combined.is_refused):
            return combined
        # Rule 6.
        differing = self._differing_persons(persons, around, found)
        if self._is_used_up(differing, MAX_DIFFERENCES, self._differences):
            return Verdict(kind=VerdictKind.REFUSED)
        weights = self._answers.exposure_gain(persons, fit, exposure=self.exposure, threshold=self._policy.threshold)
        highest = float((self.exposure + weights).max())
        if highest > self._limit * _SLACK:
            return Verdict(kind=VerdictKind.REFUSED)
        if in_table and highest > TABLE_SHARE * self._limit:
            return Verdict(kind=VerdictKind.WITHHELD)
        if combined:
            return replace(combined, kind=VerdictKind.COMBINED, weights=weights)
        return replace(fresh, weights=weights, differing=differing)

    def _met_before(self, digest: bytes, others: Sequence[bytes]) -> list[tuple[VerdictKind, int | None]]:
        """How the set was met, and the others; all are looked for."""
        return [met for each in (digest, *others) if (met := self._verdicts.get(each)) is not None]

    def learn(self, key: int, persons: BitMap, digests: Sequence[bytes], verdict: Verdict) -> None:
        """Remember a question that was just recorded, and how it was met."""
        sketch = None if verdict.is_refused else self._sketcher.sketch(persons)
        self._keep(key, digests, verdict.kind, verdict.value, len(persons), sketch)
        if verdict.weights is not None:
            self.exposure += verdict.weights
        self._count_hint(verdict.kind, verdict.differing)
        self._keep_small(verdict.kind, verdict.differing if verdict.is_refused else persons)

    def replay(self, met: RecordedVerdict, *, is_weighed: bool) -> None:
        """Remember, from the record, what another process or an earlier one met.

        Args:
            is_weighed: True where the exposures that the coalition started from have it already.
        """
        has_weights = met.kind in (VerdictKind.FRESH, VerdictKind.COMBINED) and self._policy.threshold > 1
        if not is_weighed and has_weights and met.sketch is not None:
            persons = self._load(met.question)
            fit = self._answers.least_squares(persons, met.sketch)
            self.exposure += self._answers.exposure_gain(
                persons, fit, exposure=self.exposure, threshold=self._policy.threshold
            )
        if not is_weighed:
            self._count_hint(met.kind, met.differing)
        if met.kind in (VerdictKind.REFUSED, VerdictKind.WITHHELD):
            self._keep_small(met.kind, met.differing)
        elif met.size < self._small_sets.reach:
            self._keep_small(met.kind, self._load(met.question))
        if (kept := self._under_this_policy(met)) is not None:
            digests = (met.digest,) if met.keyed_sum is None else (met.digest, met.keyed_sum)
            self.has_unsummed |= met.keyed_sum is None
            self._keep(met.question, digests, met.kind, kept.value, met.size, met.sketch)

    def _under_this_policy(self, met: RecordedVerdict) -> Verdict | None:
        """What was met as it binds under the policy in force; None where another let it be shown and this one would not.

        A count of its own is what this policy makes of it, and all that it adds is weighed by this one's rounding (`restore`).
        """
        kept, policy = Verdict(kind=met.kind, value=met.shown), self._policy
        if kept.is_refused or not met.size:
            return kept
        if met.shown is None or met.kind is VerdictKind.SMALL:
            return replace(kept, value=self._suppressed) if met.size < policy.threshold else None
        is_own = met.kind in (VerdictKind.FRESH, VerdictKind.TOLD)
        is_rounded = met.shown == met.size if policy.round_to == 1 else met.shown % policy.round_to == 0
        # Another's answer may be as far off as its rounding, or two, and the persons by whom the sets differ.
        furthest = policy.round_to if is_own else policy.round_to + policy.threshold + BLUR
        if is_rounded and abs(met.shown - met.size) <= furthest:
            return kept
        return replace(kept, value=policy.rounded(met.size)) if is_own else None

    def has_final_verdict(self, digest: bytes) -> bool:
        """True where the coalition asked for the same set before, and how it was met will not change."""
        return self._verdicts.get(digest, (VerdictKind.WITHHELD, None))[0] is not VerdictKind.WITHHELD

    def has_answer(self, digest: bytes) -> bool:
        """True where the coalition has an answer to the same set that is its own, so that later sets are compared with it."""
        return self._verdicts.get(digest, (VerdictKind.REFUSED, None))[0] in _COMPARED

    @property
    def _suppressed(self) -> int | None:
        return 0 if self._policy.small is Small.ZERO else None

    def _keep(
        self,
        key: int,
        digests: Sequence[bytes],
        kind: VerdictKind,
        value: int | None,
        size: int,
        sketch: NDArray[np.float32] | None,
    ) -> None:
        self._verdicts |= dict.fromkeys(digests, (kind, value))
        if sketch is None or kind not in _COMPARED:
            return
        is_small = kind is VerdictKind.SMALL
        if is_small and not self._is_known_small(small := self._load(key)):
            for person in small:
                self._suppressed_sets.setdefault(person, []).append(small)
        self._answers.add(key, size, sketch, shown=None if is_small else value)

    def _keep_small(self, kind: VerdictKind, told: BitMap | None) -> None:
        """Keep of which small sets, and parts of them, something was told; what a release tells of itself is of no two of them together."""
        if kind in (VerdictKind.REFUSED, VerdictKind.WITHHELD):
            self._small_sets.add_parts(told or BitMap())
        elif told and kind is not VerdictKind.TOLD:
            self._small_sets.add(told)

    def _is_too_near(self, near: NearbySet, persons: BitMap) -> bool:
        beyond = near.distance - self._policy.threshold
        return beyond < 0 or beyond < self._blur(persons ^ self._load(near.key))

    def _earlier_answer(self, persons: BitMap, near: Sequence[NearbySet]) -> Verdict:
        """The answer of the oldest near set.

        Not of the nearest: which of two is nearer would reveal how many persons are in between. Nor of one whose answer is near enough:
        so would that.
        """
        hinted = BitMap()  # of all who decided, also where the set they belong to would not do
        for one in sorted(near, key=lambda one: one.key):
            hinted |= persons ^ self._load(one.key)
            if one.shown is not None and self._policy.round_to > 1:
                return self._within_hint_limit(Verdict(kind=VerdictKind.EARLIER, value=one.shown, differing=hinted))
            if one.shown is None and len(persons) < self._policy.threshold - self._edge_shift(persons):
                return self._within_hint_limit(
                    Verdict(kind=VerdictKind.SMALL, value=self._suppressed, differing=hinted)
                )
        return self._within_hint_limit(Verdict(kind=VerdictKind.REFUSED, differing=hinted))

    def _combined_answer(self, persons: BitMap, found: SetCombination) -> Verdict | None:
        """The sum and difference of answers; None where the set needs a count of its own."""
        differing, threshold, size = self._unshared_with(persons, found), self._policy.threshold, len(persons)
        if len(differing) >= threshold + self._blur(differing):
            return None
        is_exact = self._policy.round_to == 1
        if found.terms > 2 and not differing and not is_exact:
            return None  # the sum of many roundings is further off than one
        hinted = persons if size < 2 * threshold else differing
        is_given = found.shown == size and not differing if is_exact else found.terms == 2
        if is_given and found.shown >= threshold:
            return self._within_hint_limit(Verdict(kind=VerdictKind.EARLIER, value=found.shown, differing=hinted))
        return self._within_hint_limit(Verdict(kind=VerdictKind.REFUSED, differing=hinted))

    def _is_at_threshold(self, persons: BitMap) -> bool:
        """True for two sizes, one after the other, at the threshold, where some of the persons were exposed."""
        threshold = self._policy.threshold
        if len(persons) >= 2 * threshold or not self._already_exposed(persons):
            return False
        first = threshold - self._edge_shift(persons)
        return first <= len(persons) < first + BLUR - 1

    def _blur(self, persons: BitMap) -> int:
        """Where an edge is among `BLUR` places.

        It belongs to those of the persons who were exposed before, so that helpers who are new each time do not move
        it, and is the same for every kind of edge, so that two kinds do not reveal more than one. For persons who
        were not exposed, 0: one answer at an edge reveals little.
        """
        exposed = self._already_exposed(persons)
        return int(self._sketcher.order(numbers_of(exposed)).min() >> np.uint64(5)) % BLUR if exposed else 0

    def _edge_shift(self, persons: BitMap) -> int:
        """By how many persons an edge is nearer than it would be; 0 where none of them was exposed."""
        return BLUR - 1 - self._blur(persons) if self._already_exposed(persons) else 0

    def _already_exposed(self, persons: BitMap) -> BitMap:
        """Those who have been among few of whom something was revealed."""
        numbers = numbers_of(persons)
        return BitMap(numbers[(self.exposure[numbers] >= _EXPOSED * self._limit) | (self._hints[numbers] > 0)])

    def _within_hint_limit(self, verdict: Verdict) -> Verdict:
        """A verdict, or a refusal where it would reveal something of somebody too often: that a group is small is something as well."""
        is_too_often = self._is_used_up(verdict.differing, MAX_HINTS, self._hints)
        return Verdict(kind=VerdictKind.REFUSED) if is_too_often else verdict

    def _differing_persons(self, persons: BitMap, around: Sequence[NearbySet], found: SetCombination | None) -> BitMap:
        """By whom a set differs from answered ones, or a combination, where that are not many."""
        differing = BitMap().union(*(persons ^ self._load(one.key) for one in around))
        return differing | self._unshared_with(persons, found) if found else differing

    def _unshared_with(self, persons: BitMap, found: SetCombination) -> BitMap:
        """The persons whom a set and a combination do not share."""
        counted = np.zeros(self.exposure.size, np.int16)
        counted[numbers_of(persons)] = 1
        for key, factor in found.factors.items():
            counted[numbers_of(self._load(key))] -= factor
        return BitMap(np.flatnonzero(counted).astype(np.uint32))

    def _is_used_up(self, differing: BitMap | None, most: int, tally: NDArray[np.uint8]) -> bool:
        return bool(differing and tally[numbers_of(differing)].max() >= most)

    def _count_hint(self, kind: VerdictKind, differing: BitMap | None) -> None:
        if differing:
            tally = self._differences if kind is VerdictKind.FRESH else self._hints
            tally[numbers_of(differing)] += 1

    def _is_known_small(self, persons: BitMap) -> bool:
        return not persons or any(persons.issubset(known) for known in self._suppressed_sets.get(persons.min(), ()))
