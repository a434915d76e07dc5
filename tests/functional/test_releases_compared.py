"""Three releases with few persons between them tell of none of these whether they have a concept: not by answers, refusals, or what deciding takes."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from pyroaring import BitMap

from fairhaven.hub.disclosure_policies import policy_named
from fairhaven.query_audit import Asker, QueryAudit, near_releases, rules_named
from fairhaven.query_audit.coalition import Coalition
from fairhaven.query_audit.model import VerdictKind

_PERSONS = 1_500


def _answers(folder: Path, policy: str, leave: tuple[int, int], order: tuple[int, ...]) -> dict[bool, set[str]]:
    """What comes of asking for concepts in releases that few persons leave, one after the other, by whether any of these has the concept."""
    draw = np.random.default_rng(sum(leave))
    gone = np.split(draw.choice(_PERSONS, sum(leave), replace=False), [leave[0]])
    releases = [np.arange(_PERSONS, dtype=np.int64)]
    for each in gone:
        releases.append(np.setdiff1d(releases[-1], each))
    told: dict[bool, set[str]] = {False: set(), True: set()}
    with QueryAudit(folder / "a.sqlite", policy_named(policy), rules_named("standard")) as audit:
        for number, persons in enumerate(releases):
            audit.add_release(f"r{number}", persons)
        for turn in range(12):
            having = draw.choice(releases[-1], 40 + 9 * turn, replace=False)
            if has := turn % 2 == 1:
                having = np.union1d(having, draw.permutation(np.concatenate(gone))[: 1 + turn % sum(leave)])
            counts = []
            for number in order:
                asked = BitMap(np.flatnonzero(np.isin(releases[number], having)).astype(np.uint32))
                decision = audit.ask(asked, asker=Asker(project=f"curious {turn}"), release=f"r{number}")
                counts.append(decision.count.value if decision.count else None)
            told[has].add(" ".join("refused" if each is None else str(each == counts[0]) for each in counts))
    return told


@pytest.mark.parametrize("policy", ["ons", "hdr-uk"])
@pytest.mark.parametrize("leave", [(1, 1), (2, 2), (5, 5)])
@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (2, 0, 1)])
def test_three_releases_with_few_persons_between_them_tell_of_none_of_these(
    tmp_path: Path, policy: str, leave: tuple[int, int], order: tuple[int, ...]
) -> None:
    assert _answers(tmp_path, policy, leave, order) == {has: {"True True True"} for has in (False, True)}


def test_releases_that_more_persons_tell_apart_are_not_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the attack can succeed: under `ons` a refusal, or another number, then says that some of these persons have the concept."""
    monkeypatch.setattr(near_releases, "MOST_APART", 6)
    told = _answers(tmp_path, "ons", (5, 5), (0, 2, 1))
    assert told[False] == {"True True True"}
    assert "True refused True" in told[True]


def test_how_many_sets_are_looked_for_does_not_depend_on_what_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work is counted and not timed, as a machine's load is no constant."""
    looked_for = []
    met_before = Coalition._met_before

    def counted(self: Coalition, digest: bytes, others: Sequence[bytes]) -> list[tuple[VerdictKind, int | None]]:
        looked_for.append(len(set(others)))
        return met_before(self, digest, others)

    monkeypatch.setattr(Coalition, "_met_before", counted)
    by, asked = Asker(project="curious"), BitMap(range(100, 300))
    with QueryAudit(tmp_path / "a.sqlite", policy_named("ons"), rules_named("standard")) as audit:
        audit.add_release("r0", np.arange(1_000, dtype=np.int64))
        audit.add_release("r1", np.arange(5, 1_000, dtype=np.int64))
        for few in (BitMap(), BitMap([1, 3])):
            audit.ask(asked | few, asker=by, release="r0")
        work = []
        for few in (BitMap(), BitMap([0, 1, 2]), BitMap([1, 3]), BitMap([4])):
            looked_for.clear()
            audit.ask(asked | few, asker=by, release="r0")
            work.append(tuple(looked_for))
    assert set(work) == {(32,)}


def test_what_was_asked_before_sets_had_a_second_digest_still_binds_their_neighbours(tmp_path: Path) -> None:
    """An answered set has its persons kept and gets the digest; of a refused one only the first is known."""
    by, path = Asker(project="curious"), tmp_path / "a.sqlite"
    sets = {"answered": BitMap(range(100, 300)), "refused": BitMap(range(100, 304))}

    def asked(audit: QueryAudit, more: BitMap, release: str, shift: int) -> list[int | None]:
        counts = (
            audit.ask(BitMap(n - shift for n in each | more), asker=by, release=release) for each in sets.values()
        )
        return [each.count.value if each.count else None for each in counts]

    with QueryAudit(path, policy_named("ons"), rules_named("standard")) as audit:
        audit.add_release("r0", np.arange(1_000, dtype=np.int64))
        audit.add_release("r1", np.arange(5, 1_000, dtype=np.int64))
        assert asked(audit, BitMap([1, 3]), "r0", 0) == [202, None]
    with closing(sqlite3.connect(path)) as earlier:
        earlier.executescript(
            "DROP INDEX question_without_sum; ALTER TABLE question DROP COLUMN keyed_sum; PRAGMA user_version = 4"
        )
    for _ in range(2):
        with QueryAudit(path, policy_named("ons"), rules_named("standard")) as audit:
            assert asked(audit, BitMap(), "r1", 5) == [202, None]
            assert asked(audit, BitMap([2, 3, 4]), "r0", 0) == [202, None]
