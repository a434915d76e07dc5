"""Differential privacy: the accountant, and the noise against its own distribution."""

import datetime as dt
import math
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from pyroaring import BitMap

from fairhaven.hub.disclosure_policies import policy_named
from fairhaven.kernel.errors import Invalid, Refused
from fairhaven.query_audit import THE_HUB, Asker, AuditRules, Mode, Outcome, QueryAudit
from fairhaven.query_audit.differential_privacy import noisy_count

US = Asker(project="ours")


def private(epsilon: float, total: float, budget: int = 1_000) -> AuditRules:
    return AuditRules(
        name="private", title="Private", budget=budget, mode=Mode.PRIVACY, epsilon=epsilon, epsilon_total=total,
        since=dt.date(2026, 1, 1), source="-",
    )  # fmt: skip


def opened(folder: Path, way: AuditRules) -> QueryAudit:
    audit = QueryAudit(folder / "audit.sqlite", policy_named("hdr-uk"), way)
    audit.add_release("r1", np.arange(2_000, dtype=np.int64))
    return audit


def test_privacy_loss_adds_up_to_the_total_and_no_further(tmp_path: Path) -> None:
    pytest.importorskip("opendp")
    with opened(tmp_path, private(0.1, 0.3)) as audit:
        decisions = [audit.ask(BitMap(range(500)), asker=US, release="r1") for _ in range(5)]
        assert [decision.outcome for decision in decisions] == ["answered"] * 3 + ["spent"] * 2
        assert [decision.budget.left for decision in decisions] == [2, 1, 0, 0, 0]
        assert audit.ask(BitMap(range(9)), asker=Asker(project="others"), release="r1").outcome is Outcome.ANSWERED
    with opened(tmp_path, private(0.1, 0.3)) as audit:
        assert audit.budget("ours").left == 0


def test_what_the_hub_itself_may_be_answered_is_spent_too_and_is_not_called_a_projects(tmp_path: Path) -> None:
    pytest.importorskip("opendp")
    with opened(tmp_path, private(0.1, 0.2)) as audit:
        said = {
            who: [audit.ask(BitMap(range(500)), asker=asker, release="r1") for _ in range(3)][-1]
            for who, asker in (("hub", THE_HUB), ("project", US))
        }
    assert [decision.outcome for decision in said.values()] == ["spent", "spent"]
    assert "project" not in said["hub"].text
    assert "for good" in said["hub"].text
    assert said["project"].text == "not answered: the project's budget of questions is spent"


def test_the_same_definition_gets_the_same_answer_at_no_cost(tmp_path: Path) -> None:
    pytest.importorskip("opendp")
    with opened(tmp_path, private(0.01, 1.0)) as audit:
        given = [audit.ask(BitMap(range(500)), asker=US, release="r1", definition="asthma") for _ in range(20)]
        assert len({decision.count for decision in given}) == 1
        assert audit.budget("ours").spent == 1


def test_the_noise_has_the_distribution_of_the_two_sided_geometric() -> None:
    """Chi-square over -8..8 and the tails, 18 degrees of freedom: a right mechanism exceeds 65 once in 3 million runs."""
    pytest.importorskip("opendp")
    epsilon, draws = 0.5, 4_000
    seen = Counter(max(-9, min(9, noisy_count(1_000, epsilon=epsilon) - 1_000)) for _ in range(draws))
    ratio = math.exp(-epsilon)
    share = {n: (1 - ratio) / (1 + ratio) * ratio ** abs(n) for n in range(-8, 9)}
    share |= {end: (1 - sum(share.values())) / 2 for end in (-9, 9)}
    distance = sum((seen[n] - draws * expected) ** 2 / (draws * expected) for n, expected in share.items())
    assert distance < 65


def test_a_noisy_count_is_a_whole_number_and_not_negative() -> None:
    pytest.importorskip("opendp")
    drawn = [noisy_count(0, epsilon=0.1) for _ in range(200)]
    assert all(isinstance(count, int) and count >= 0 for count in drawn)
    assert max(drawn) > 0


def test_without_opendp_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opendp", None)
    monkeypatch.setitem(sys.modules, "opendp.prelude", None)
    with opened(tmp_path, private(0.1, 1.0)) as audit:
        with pytest.raises(Refused, match=r"pip install 'fairhaven\[privacy\]'"):
            audit.ask(BitMap(range(500)), asker=US, release="r1")
        assert audit.budget("ours").spent == 0


@pytest.mark.parametrize(("epsilon", "total"), [(0.0, 1.0), (-1.0, 1.0), (2.0, 1.0)])
def test_an_epsilon_that_makes_no_sense_is_refused(epsilon: float, total: float) -> None:
    with pytest.raises(Invalid, match="epsilon"):
        private(epsilon, total)
