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
from fairhaven.query_audit.coalition import Coalition
from fairhaven.query_audit.model import Verdict, VerdictKind
from fairhaven.query_audit.set_digests import digest_of
from fairhaven.query_audit.set_sketches import Sketcher

SIZES = np.arange(1, 10)
TOTALS = 28
"""Three groups have fewer persons together."""
_REFUSED, _SMALL = 0, 1
_OUTCOMES = 2 + TOTALS
"""Refused, suppressed, or the number that was shown."""
_TIMES = 12
"""How often one of two groups was asked of before; more often is the same."""

Table = NDArray[np.float64]
"""How likely each outcome is: times asked before, persons of both groups together, outcome."""
Ask = Callable[[BitMap], int]


def met_by(policy: Policy, secret: bytes, everybody: BitMap) -> Callable[[BitMap], Verdict]:
    """The rules of the audit for one coalition, in memory."""
    sets: dict[int, BitMap] = {-1: everybody}
    coalition = Coalition(policy, Sketcher(secret), sets.__getitem__)
    coalition.grow_to(len(everybody))
    whole = Verdict(kind=VerdictKind.FRESH, value=policy.rounded(len(everybody)))
    coalition.learn(-1, everybody, (digest_of(everybody),), whole)

    def ask(persons: BitMap) -> Verdict:
        digest, key = digest_of(persons), len(sets)
        verdict = coalition.consider(persons, digest)
        if not coalition.has_final_verdict(digest):
            sets[key] = persons
            coalition.learn(key, persons, (digest,), verdict)
        return verdict

    return ask


def asked_of(policy: Policy, secret: bytes, everybody: BitMap) -> Ask:
    """The same; without a policy's number an outcome is one of two marks."""
    met = met_by(policy, secret, everybody)

    def ask(persons: BitMap) -> int:
        if (verdict := met(persons)).is_refused:
            return _REFUSED
        return 2 + min(verdict.value, TOTALS - 1) if verdict.value else _SMALL

    return ask


def plain(policy: Policy) -> Ask:
    """Suppression and rounding alone."""
    return lambda persons: (
        2 + min(policy.rounded(len(persons)), TOTALS - 1) if len(persons) >= policy.threshold else _SMALL
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Heard:
    """One question: the groups that were put together, and how likely what came of it is, by the persons of all of them."""

    groups: tuple[int, ...]
    likely: NDArray[np.float64]
    told: dict[int, NDArray[np.float64]] = field(default_factory=dict)


@dataclass(kw_only=True)
class Attack:
    """One attacker in one world: groups by number, of which number 0 is the one that is looked for.

    Args:
        groups: the persons of each; of their sizes nothing is read here but by `ask`.
        table: what practice has told.
        practised: times asked before, persons, outcome of each question, for practice.
    """

    groups: Sequence[BitMap]
    ask: Ask
    table: Table
    practised: list[tuple[int, int, int]] = field(default_factory=list)
    _heard: list[_Heard] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._times = np.zeros(len(self.groups), int)

    def put(self, *groups: int) -> None:
        """Ask for groups together."""
        persons = BitMap().union(*(self.groups[group] for group in groups))
        outcome, before = self.ask(persons), self._before(groups)
        self.practised.append((before, len(persons), outcome))
        self._heard.append(_Heard(groups=groups, likely=self.table[before, :, outcome]))
        self._times[list(groups)] += 1
        self._hear(self._heard[-1])

    def belief(self, group: int, *, without: _Heard | None = None) -> NDArray[np.float64]:
        """How likely each size of a group is, by all questions but one."""
        found = np.ones(9)
        for heard in self._heard:
            if heard is not without and group in heard.told:
                found = _scaled(found * heard.told[group])
        return _scaled(found)

    def hear_all(self, sweeps: int = 3) -> None:
        """Let what each question told run through all others (loopy belief propagation)."""
        for _ in range(sweeps):
            for heard in self._heard:
                self._hear(heard)

    def most_telling(self, group: int, others: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
        """With which other groups a question is expected to tell most of a group: mutual information."""
        mine = self.belief(group)

        def told(with_these: tuple[int, ...]) -> float:
            rest = self._together([self.belief(other) for other in with_these])
            totals = SIZES[:, None] + np.arange(rest.size)[None, :]
            likely = self.table[self._before((group, *with_these))][totals]
            given = np.einsum("xyo,y->xo", likely, rest)
            joint = mine[:, None] * given
            return float(np.sum(joint * np.log(given / joint.sum(axis=0))))

        return max(others, key=told)

    def _before(self, groups: Sequence[int]) -> int:
        return int(min(self._times[list(groups)].max(), _TIMES - 1))

    def _hear(self, heard: _Heard) -> None:
        for group in heard.groups:
            rest = self._together([self.belief(other, without=heard) for other in heard.groups if other != group])
            heard.told[group] = _scaled(heard.likely[SIZES[:, None] + np.arange(rest.size)[None, :]] @ rest)

    @staticmethod
    def _together(beliefs: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """How likely it is that groups have 0, 1, 2 ... persons together."""
        total = np.ones(1)
        for belief in beliefs:
            total = np.convolve(total, np.concatenate([[0.0], belief]))
        return total


def tabled(attack: Attack) -> None:
    """The twenty-seven questions of a table: "B or R" for fourteen groups R, and "R or the next R"."""
    for other in range(1, 15):
        attack.put(0, other)
    for other in range(1, 14):
        attack.put(other, other + 1)
    attack.hear_all()


def adaptive(attack: Attack, *, each: int = 4, questions: int = 16, together: int = 1) -> None:
    """Learn the sizes of the other groups from each other, then ask for B with whichever of them tell most.

    Args:
        each: how often each other group is asked with one or more of the rest.
        together: how many others are asked with a group.
    """
    others = list(range(1, len(attack.groups)))
    for step in range(each):
        for place, other in enumerate(others):
            attack.put(other, *(others[(place + 1 + step + 3 * more) % len(others)] for more in range(together)))
    attack.hear_all()
    asked: set[tuple[int, ...]] = set()
    for turn in range(questions):
        draw = np.random.default_rng(turn)
        choice = (
            [(other,) for other in others]
            if together == 1
            else [tuple(sorted(draw.choice(others, together, replace=False).tolist())) for _ in range(24)]
        )
        chosen = attack.most_telling(0, [each for each in choice if each not in asked])
        asked.add(chosen)
        attack.put(0, *chosen)
    attack.hear_all()


def adaptive_by_twos(attack: Attack) -> None:
    """The same with two other groups in each question."""
    adaptive(attack, together=2)


def in_disguise(attack: Attack) -> None:
    """ "B or R or E" for many groups R, after "E or D": whether an answer comes may tell whether B and R reach the threshold together."""
    attack.put(1, 2)
    for other in range(3, len(attack.groups)):
        attack.put(0, other, 1)
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
    scaled: NDArray[np.float64] = told / told.sum()
    return scaled
