"""Three releases with few persons between them tell of none of these whether they have a concept: not by answers, refusals, or what deciding takes."""

from pathlib import Path

import numpy as np
import pytest
from pyroaring import BitMap

from fairhaven.hub.disclosure_policies import policy_named
from fairhaven.query_audit import Asker, QueryAudit, coalition, rules_named, service

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
    monkeypatch.setattr(service, "MOST_APART", 6)
    told = _answers(tmp_path, "ons", (5, 5), (0, 2, 1))
    assert told[False] == {"True True True"}
    assert "True refused True" in told[True]


def test_how_many_sets_are_looked_for_does_not_depend_on_what_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work is counted and not timed, as a machine's load is no constant."""
    looked_for = []
    digest_of = coalition.digest_of

    def counted(persons: BitMap) -> bytes:
        looked_for.append(len(persons))
        return digest_of(persons)

    monkeypatch.setattr(coalition, "digest_of", counted)
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
            work.append(len(looked_for))
    assert len(set(work)) == 1 and work[0] >= 32
