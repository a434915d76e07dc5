"""Attacks that give back what plain suppression and rounding hides get nothing through the audit."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pyroaring import BitMap

from fairhaven.disclosure import protect
from fairhaven.hub.disclosure_policies import policy_named
from fairhaven.query_audit import (
    Asker,
    AuditRules,
    CoalitionScope,
    Decision,
    QueryAudit,
    coalition,
    near_releases,
    rules_named,
)
from tests.support.audit_attacks import SUBTLE_ATTACKS, claimed, edge_of_near_sets, edge_of_nearness
from tests.support.count_attacks import (
    EVERY_ATTACK,
    Ask,
    Claim,
    World,
    averaging_complements,
    averaging_unions,
    random_world,
)
from tests.support.research_sessions import published
from tests.support.shared_data import shared

POLICY = policy_named("hdr-uk")
Attack = Callable[[Ask, World], Claim]


def plain(persons: BitMap) -> int | None:
    """Suppress below 10, round to 10: each answer by itself is as the policy says."""
    return protect(len(persons), POLICY).value


def seeded(persons: BitMap) -> int | None:
    """The same after noise that is fixed for each set, so that asking twice does not help."""
    seed = int.from_bytes(hashlib.blake2b(persons.serialize(), digest_size=4).digest(), "little")
    return protect(max(len(persons) + seed % 7 - 3, 0) if len(persons) >= 10 else 0, POLICY).value


def opened(folder: Path, rules: AuditRules | None = None) -> QueryAudit:
    """An audit that may be asked often."""
    standard = rules_named("standard")
    many = AuditRules(
        name="many", title="Many", budget=5_000, coalitions=frozenset(CoalitionScope), since=standard.since, source="-"
    )
    return QueryAudit(folder / "audit.sqlite", POLICY, rules or many)


def given(decision: Decision) -> int | None:
    return decision.count.value if decision.count else None


def audited(folder: Path, world: World, *askers: Asker, rules: AuditRules | None = None) -> Ask:
    """The audit as an oracle; several askers take turns."""
    audit = opened(folder, rules)
    audit.add_release("r1", np.arange(len(world.everybody), dtype=np.int64))
    turns = 0

    def ask(persons: BitMap) -> int | None:
        nonlocal turns
        turns += 1
        return given(
            audit.ask(persons, asker=(askers or (Asker(project="curious"),))[turns % max(len(askers), 1)], release="r1")
        )

    return ask


FEELING = (edge_of_near_sets, edge_of_nearness)
"""Attacks on edges that only an audit has: what they are worth is shown on an audit without blur and tallies."""
AVERAGING = [attack for attack in SUBTLE_ATTACKS if attack not in FEELING]
EVERY = [*EVERY_ATTACK, *SUBTLE_ATTACKS]


def share(oracle: Ask, sizes: range = range(1, 10)) -> float:
    """Of all attacks on hidden groups of all sizes, how many recover the group's size."""
    claims = [
        attack(oracle, random_world(100 * turn + size, size=size)).recovers(size)
        for turn, attack in enumerate([*EVERY_ATTACK, *AVERAGING])
        for size in sizes
    ]
    return sum(claims) / len(claims)


def test_the_attacks_work_on_plain_suppression_and_rounding() -> None:
    assert share(plain, range(2, 9, 6)) >= 0.9


def test_the_attacks_work_on_noise_that_is_fixed_for_each_set() -> None:
    """Not those that feel for an edge, which the noise moves; all that average."""
    found = [averaging_unions(seeded, random_world(size, size=size)).recovers(size) for size in range(1, 10)]
    assert sum(found) >= 8


def test_without_blur_and_tallies_edges_can_be_felt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"BLUR": 1, "MAX_HINTS": 255, "MAX_DIFFERENCES": 255}.items():
        monkeypatch.setattr(coalition, name, value)
    recovered = 0
    for size in (6, 8, 9):
        world = random_world(1_000 + size, size=size)
        recovered += edge_of_near_sets(audited(tmp_path / str(size), world), world).recovers(size)
    assert recovered >= 2


@pytest.mark.parametrize("attack", EVERY[::3], ids=lambda attack: attack.__name__)
def test_an_attack_recovers_nothing_through_the_audit(tmp_path: Path, attack: Attack) -> None:
    size = 1 + sum(attack.__name__.encode()) % 9
    world = random_world(size, size=size)
    assert not attack(audited(tmp_path, world), world).recovers(size)


@pytest.mark.parametrize(
    "askers",
    [
        [Asker(project=f"p{n}", organisation="one") for n in range(5)],
        [Asker(project=name, organisation="one") for name in ("bases", "unions")],
        [Asker(project=f"p{n}", organisation=f"o{n}", is_federated=True) for n in range(2)],
    ],
    ids=["five projects of one organisation", "one project asks with, one without", "two federated callers"],
)
def test_several_accounts_together_recover_nothing(tmp_path: Path, askers: list[Asker]) -> None:
    world = random_world(4, size=4)
    assert averaging_unions(plain, world).recovers(4)
    assert not averaging_unions(audited(tmp_path, world, *askers), world).recovers(4)


def releases_compared(ask: Callable[[BitMap, str], int | None], world: World) -> Claim:
    """The same cohorts in two releases; between them the hidden group opted out and others came."""
    found = []
    for carrier in world.carriers:
        before, after = ask(carrier | world.hidden, "r1"), ask(carrier, "r2")
        if before is not None and after is not None:
            found.append(before - after)
    return claimed(found)


def test_two_releases_compared_recover_nothing(tmp_path: Path) -> None:
    world = random_world(6, size=6)
    assert releases_compared(lambda persons, _: plain(persons), world).recovers(6)
    everybody = np.arange(len(world.everybody), dtype=np.int64)
    remaining = np.setdiff1d(everybody, np.array(world.hidden))
    number = {int(person): place for place, person in enumerate(remaining)}
    with opened(tmp_path) as audit:
        audit.add_release("r1", everybody)
        audit.add_release("r2", np.concatenate([remaining, [50_001, 50_002]]))

        def ask(persons: BitMap, release: str) -> int | None:
            asked = persons if release == "r1" else BitMap(number[person] for person in persons)
            return given(audit.ask(asked, asker=Asker(project="curious"), release=release))

        assert not releases_compared(ask, world).recovers(6)


def test_tables_mixed_with_questions_recover_nothing(tmp_path: Path) -> None:
    """Carriers as cells of tables, and with the hidden group as questions."""
    world = random_world(7, size=7)
    with opened(tmp_path) as audit:
        audit.add_release("r1", np.arange(len(world.everybody), dtype=np.int64))
        by = Asker(project="curious")
        cells: dict[str, int | None] = {}
        asked: dict[str, int | None] = {}
        for start in range(0, 600, 20):
            table = {str(place): world.carriers[place] for place in range(start, start + 20)}
            cells |= {
                name: given(decision) for name, decision in audit.ask_together(table, asker=by, release="r1").items()
            }
            for name, carrier in table.items():
                asked[name] = given(audit.ask(carrier | world.hidden, asker=by, release="r1"))
    pairs = ((asked[name], cell) for name, cell in cells.items())
    found = [question - cell for question, cell in pairs if question is not None and cell is not None]
    assert not claimed(found).recovers(7)


@pytest.mark.slow
@pytest.mark.parametrize("size", range(1, 10))
@pytest.mark.parametrize("attack", EVERY, ids=lambda attack: attack.__name__)
def test_every_attack_on_every_size(tmp_path: Path, attack: Attack, size: int) -> None:
    world = random_world(1_000 + size, size=size)
    assert not attack(audited(tmp_path, world), world).recovers(size)


@pytest.mark.slow
@pytest.mark.parametrize("attack", [averaging_unions, averaging_complements], ids=lambda attack: attack.__name__)
def test_attacks_on_the_concepts_of_a_published_cdm(tmp_path: Path, attack: Attack) -> None:
    library = published(
        shared("data", "cohorts", "phenotypelibrary_3.37.0_json.tar.gz"), shared("data", "omop_gibleed_5.3")
    )
    draw = np.random.default_rng(1)
    small = [persons for persons in library.having.values() if 1 <= len(persons) <= 9]
    large = [persons for persons in library.having.values() if len(persons) >= 100]
    assert len(small) >= 5 and len(large) >= 20
    recovered = {"plain": 0, "audit": 0}
    for turn, hidden in enumerate(small[:6]):
        pairs = [large[one] | large[other] for one, other in draw.integers(0, len(large), (600, 2))]
        blocks, rest = [], BitMap(range(library.persons)) - hidden
        for block in large:
            if len(block & rest) >= 60:
                blocks.append(block & rest)
                rest -= block
        world = World(
            everybody=BitMap(range(library.persons)),
            hidden=hidden,
            carriers=[pair - hidden for pair in pairs],
            blocks=blocks,
            rare=[one - hidden for one in small[6:30]],
            acquaintances=[],
        )
        recovered["plain"] += attack(plain, world).recovers(len(hidden))
        recovered["audit"] += attack(audited(tmp_path / str(turn), world), world).recovers(len(hidden))
    assert recovered["audit"] == 0
    assert recovered["plain"] >= 3


def _described_region(turn: int) -> tuple[int, list[BitMap], BitMap]:
    """Persons, groups that a release describes with their exact numbers (the first two as two values of a variable), and a hidden group of 1 to 9."""
    draw = np.random.default_rng(turn)
    persons, size = 3_000, 1 + turn % 9
    groups = [BitMap(draw.choice(persons, int(draw.integers(40, 400)), replace=False)) for _ in range(60)]
    groups[1] -= groups[0]
    outside = sorted(BitMap(range(persons)) - groups[0] - groups[1])
    return persons, groups, BitMap(draw.choice(outside, size, replace=False))


def _by_five_questions(ask: Ask, told: list[tuple[BitMap, int]], persons: int, hidden: BitMap) -> int | None:
    """The size of a hidden group, from what is told of others and five questions that put the two together; None where nothing says."""
    (one, first), (other, second), *_ = told
    asked = [
        (hidden | one, first),
        (hidden | one | other, first + second),
        (hidden | other, second),
        (BitMap(range(persons)) - hidden - one, persons - first),
        (BitMap(range(persons)) - hidden, persons),
    ]
    found = [abs(count - known) for sets, known in asked if (count := ask(sets)) is not None]
    sizes = [size for size in found if 0 < size < 10]
    return sizes[0] if sizes else None


@pytest.mark.parametrize("is_told", [False, True])
def test_what_a_release_tells_of_itself_with_five_questions_gives_no_hidden_count(
    tmp_path: Path, is_told: bool
) -> None:
    found = []
    for turn in range(30):
        persons, groups, hidden = _described_region(turn)
        told = [(group, len(group)) for group in groups]
        with QueryAudit(tmp_path / str(turn) / "a.sqlite", policy_named("ons"), rules_named("standard")) as audit:
            audit.add_release("r1", np.arange(persons, dtype=np.int64))
            if is_told:
                audit.tell("r1", "ons", told)

            def ask(asked: BitMap, audit: QueryAudit = audit) -> int | None:
                return given(audit.ask(asked, asker=Asker(project="curious"), release="r1"))

            found.append(_by_five_questions(ask, told, persons, hidden) == len(hidden))
    assert sum(found) == (0 if is_told else 30)


def test_a_set_that_the_release_tells_of_gets_what_it_tells_and_another_is_answered(tmp_path: Path) -> None:
    persons, groups, _ = _described_region(1)
    others = _described_region(2)[1]
    with QueryAudit(tmp_path / "a.sqlite", policy_named("ons"), rules_named("standard")) as audit:
        audit.add_release("r1", np.arange(persons, dtype=np.int64))
        audit.tell("r1", "ons", [(group, len(group)) for group in groups])
        assert audit.was_told("r1", "ons") and not audit.was_told("r1", "hes")
        by = Asker(project="curious")
        assert [given(audit.ask(group, asker=by, release="r1")) for group in groups] == [len(g) for g in groups]
        answered = [given(audit.ask(other, asker=by, release="r1")) for other in others]
    with QueryAudit(tmp_path / "a.sqlite", policy_named("ons"), rules_named("standard")) as audit:
        assert [given(audit.ask(other, asker=by, release="r1")) for other in others] == answered
    assert sum(count is not None for count in answered) >= 10


def _is_told_by_two_releases(audit: QueryAudit, asked: BitMap, between: BitMap, persons: int) -> bool | None:
    """Whether the persons between two releases have a concept, by asking for it in the old and then in the new one; None: nothing says."""
    remaining = np.setdiff1d(np.arange(persons), np.array(between))
    number = {int(person): place for place, person in enumerate(remaining)}
    by = Asker(project="curious")
    before = audit.ask(asked, asker=by, release="old")
    after = audit.ask(BitMap(number[person] for person in asked - between), asker=by, release="new")
    return None if given(before) is None and given(after) is None else given(before) != given(after)


@pytest.mark.parametrize("policy", ["ons", "hdr-uk"])
@pytest.mark.parametrize("few", [1, 2, 5])
def test_two_releases_with_few_persons_between_them_do_not_tell_what_these_have(
    tmp_path: Path, policy: str, few: int
) -> None:
    draw, persons = np.random.default_rng(few), 3_000
    between = BitMap(draw.choice(persons, few, replace=False))
    remaining = np.setdiff1d(np.arange(persons, dtype=np.int64), np.array(between))
    with QueryAudit(tmp_path / "a.sqlite", policy_named(policy), rules_named("standard")) as audit:
        audit.add_release("old", np.arange(persons, dtype=np.int64))
        audit.add_release("new", remaining)
        told = []
        for turn in range(26):
            asked = BitMap(draw.choice(remaining, 40 + 7 * turn, replace=False)) | (between if turn % 2 else BitMap())
            told.append(_is_told_by_two_releases(audit, asked, between, persons))
    assert True not in told, "as if nobody of them had it"
    assert told.count(False) >= 5
    assert abs(told[::2].count(None) - told[1::2].count(None)) <= 3, "refusals do not tell either"


@pytest.mark.parametrize("is_newest_first", [False, True])
@pytest.mark.parametrize("releases", [2, 8, 12])
def test_of_many_releases_each_with_one_person_more_no_two_tell_what_that_person_has(
    tmp_path: Path, releases: int, is_newest_first: bool
) -> None:
    asked, by = BitMap(np.random.default_rng(0).choice(600, 150, replace=False)), Asker(project="curious")
    with QueryAudit(tmp_path / "a.sqlite", policy_named("ons"), rules_named("standard")) as audit:
        for number in range(1, releases + 1):
            audit.add_release(f"r{number}", np.arange(600 + number, dtype=np.int64))
        newest = {f"r{releases - 1}": asked, f"r{releases}": asked | BitMap([599 + releases])}
        order = sorted(newest.items(), reverse=is_newest_first, key=lambda each: len(each[1]))
        answers = [given(audit.ask(persons, asker=by, release=release)) for release, persons in order]
    assert answers[0] in (150, 151)
    assert answers[1] == answers[0]


@pytest.mark.parametrize("few", [1, 2, 5])
def test_without_that_they_would(tmp_path: Path, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_releases, "MOST_APART", 0)
    with pytest.raises(AssertionError):
        test_two_releases_with_few_persons_between_them_do_not_tell_what_these_have(tmp_path, "ons", few)
