"""Attackers who have the program and practise on worlds of their own: what answers and refusals over small groups tell of their sizes.

Nobody is known one by one. Some groups of one to nine persons, of which the attacker knows no size, can be named (by a rare concept
each) and put together: "B or R". Whether the two together are shown, suppressed or refused tells of both, and an attacker who has tried
that on many made-up worlds knows how much. `tabled` asks the twenty-seven questions of a fixed table; `adaptive` learns the sizes of
a pool of groups first, from each other, and then chooses for each question the group that tells most.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from fairhaven.disclosure.policy import Policy
from fairhaven.query_audit.coalition import Coalition, digest_of
from fairhaven.query_audit.model import Verdict, VerdictKind
from fairhaven.query_audit.set_sketches import Sketcher

SIZES = np.arange(1, 10)
TOTALS = 19
"""Two groups have fewer persons together."""
_REFUSED, _SMALL = 0, 1
_OUTCOMES = 2 + TOTALS
"""Refused, suppressed, or the number that was shown."""
_TIMES = 12
"""How often one of two groups was asked of before; more often is the same."""

Table = NDArray[np.float64]
"""How likely each outcome is: times asked before, persons of both groups together, outcome."""
Ask = Callable[[BitMap], int]


def asked_of(policy: Policy, secret: bytes, everybody: BitMap) -> Ask:
    """The rules of the audit for one coalition, in memory; without a policy's number an outcome is one of two marks."""
    sets: dict[int, BitMap] = {-1: everybody}
    coalition = Coalition(policy, Sketcher(secret), sets.__getitem__)
    coalition.grow_to(len(everybody))
    whole = Verdict(kind=VerdictKind.FRESH, value=policy.rounded(len(everybody)))
    coalition.learn(-1, everybody, digest_of(everybody), whole)

    def ask(persons: BitMap) -> int:
        digest, key = digest_of(persons), len(sets)
        verdict = coalition.consider(persons, digest)
        if not coalition.has_final_verdict(digest):
            sets[key] = persons
            coalition.learn(key, persons, digest, verdict)
        if verdict.is_refused:
            return _REFUSED
        return 2 + min(verdict.value, TOTALS - 1) if verdict.value else _SMALL

    return ask


def plain(policy: Policy) -> Ask:
    """Suppression and rounding alone."""
    return lambda persons: (
        2 + min(policy.rounded(len(persons)), TOTALS - 1) if len(persons) >= policy.threshold else _SMALL
    )


@dataclass(kw_only=True)
class Attack:
    """One attacker in one world: groups by number, of which number 0 is the one that is looked for.

    Args:
        groups: the persons of each; of their sizes nothing is read here but by `ask`.
        table: what practice has told.
    """

    groups: Sequence[BitMap]
    ask: Ask
    table: Table
    _asked: list[tuple[int, int, NDArray[np.float64]]] = field(default_factory=list)
    _told: dict[tuple[int, int], NDArray[np.float64]] = field(default_factory=dict)
    practised: list[tuple[int, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._times = np.zeros(len(self.groups), int)

    def put(self, one: int, other: int) -> None:
        """Ask for two groups together."""
        outcome = self.ask(self.groups[one] | self.groups[other])
        before = self._before(one, other)
        self.practised.append((before, len(self.groups[one]) + len(self.groups[other]), outcome))
        self._asked.append((one, other, self.table[before][SIZES[:, None] + SIZES[None, :], outcome]))
        self._times[[one, other]] += 1
        self._hear(len(self._asked) - 1)

    def belief(self, group: int, *, without: int = -1) -> NDArray[np.float64]:
        """How likely each size of a group is, by all questions but one."""
        found = np.ones(9)
        for number, (one, other, _) in enumerate(self._asked):
            if number != without and group in (one, other):
                found = found * self._told.get((number, group), 1.0)
                found /= found.sum()
        return found / found.sum()

    def hear_all(self, sweeps: int = 3) -> None:
        """Let what each question told run through all others (loopy belief propagation)."""
        for _ in range(sweeps):
            for number in range(len(self._asked)):
                self._hear(number)

    def most_telling(self, group: int, others: Sequence[int]) -> int:
        """With which other group a question is expected to tell most of a group: mutual information."""
        mine = self.belief(group)

        def told(other: int) -> float:
            likely = self.table[self._before(group, other)][SIZES[:, None] + SIZES[None, :]]
            given = np.einsum("xyo,y->xo", likely, self.belief(other))
            joint = mine[:, None] * given
            return float(np.sum(joint * np.log(given / joint.sum(axis=0))))

        return max(others, key=told)

    def _before(self, one: int, other: int) -> int:
        return int(min(max(self._times[one], self._times[other]), _TIMES - 1))

    def _hear(self, number: int) -> None:
        one, other, likely = self._asked[number]
        self._told[number, one] = _scaled(likely @ self.belief(other, without=number))
        self._told[number, other] = _scaled(self.belief(one, without=number) @ likely)


def tabled(attack: Attack) -> None:
    """The twenty-seven questions of a table: "B or R" for fourteen groups R, and "R or the next R"."""
    for other in range(1, 15):
        attack.put(0, other)
    for other in range(1, 14):
        attack.put(other, other + 1)
    attack.hear_all()


def adaptive(attack: Attack, *, each: int = 4, questions: int = 16) -> None:
    """Learn the sizes of the other groups from each other, then ask for B with whichever of them tells most."""
    others = list(range(1, len(attack.groups)))
    for step in range(1, each + 1):
        for place, other in enumerate(others):
            attack.put(other, others[(place + step) % len(others)])
    attack.hear_all()
    for _ in range(questions):
        chosen = attack.most_telling(0, others)
        others.remove(chosen)
        attack.put(0, chosen)
    attack.hear_all()


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """How good an attack's guesses of hidden counts of 1 to 9 were, as shares; chance gives 1/9 exactly.

    Args:
        sure: of how many the attacker was sure above .8; right: and right.
    """

    tried: int
    exact: float
    within_one: float
    sure: int
    right: int


def practised(
    way: Callable[[Attack], None], policy: Policy, *, worlds: int, seed: int, is_audited: bool = True
) -> Table:
    """What an attacker learns in made-up worlds: first by questions as they come, then by those that practice would choose."""
    table = np.full((_TIMES, TOTALS, _OUTCOMES), 1.0 / _OUTCOMES)
    for turn in range(2):
        counted = np.full(table.shape, 0.02)
        for world in range(worlds):
            attack = _attack(policy, table, seed=(seed, turn, world), is_audited=is_audited)
            way(attack)
            for before, total, outcome in attack.practised:
                counted[before, total, outcome] += 1
        table = counted / counted.sum(axis=2, keepdims=True)
    return table


def score(
    way: Callable[[Attack], None], policy: Policy, table: Table, *, worlds: int, seed: int, is_audited: bool = True
) -> Score:
    """How an attacker who has practised does in other worlds."""
    truth, guess, sure = [], [], []
    for world in range(worlds):
        attack = _attack(policy, table, seed=(seed, 2, world), is_audited=is_audited)
        way(attack)
        belief = attack.belief(0)
        truth.append(len(attack.groups[0]))
        guess.append(int(SIZES[np.argmax(belief)]))
        sure.append(bool(belief.max() > 0.8))
    off = np.abs(np.array(truth) - np.array(guess))
    return Score(
        tried=worlds,
        exact=float(np.mean(off == 0)),
        within_one=float(np.mean(off <= 1)),
        sure=sum(sure),
        right=int(np.sum((off == 0) & np.array(sure))),
    )


def _attack(policy: Policy, table: Table, *, seed: tuple[int, ...], is_audited: bool, groups: int = 25) -> Attack:
    draw = np.random.default_rng(seed)
    order = draw.permutation(2_000).astype(np.uint32)
    ends = np.cumsum(draw.integers(1, 10, groups))
    parts = [BitMap(part) for part in np.split(order[: ends[-1]], ends[:-1])]
    ask = asked_of(policy, draw.bytes(16), BitMap(range(2_000))) if is_audited else plain(policy)
    return Attack(groups=parts, ask=ask, table=table)


def _scaled(told: NDArray[np.float64]) -> NDArray[np.float64]:
    return told / told.sum()
