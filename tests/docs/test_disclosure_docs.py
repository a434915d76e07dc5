"""What the documents say of disclosure control is what the policy files say."""

import re
from pathlib import Path

import pytest

from docs.generators.disclosure_policies import PAGE
from fairhaven.hub.disclosure_policies import policy_in, published_policies

HOW_TO = PAGE.parents[1] / "how-to" / "disclosure-policy.md"


def test_every_policy_is_in_the_table_of_policies() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in text for name in published_policies())


def test_the_example_of_the_how_to_is_a_policy(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(\[.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)
    assert example
    (tmp_path / "disclosure.toml").write_text(example[1], encoding="utf-8")
    policy = policy_in(tmp_path, "disclosure.toml")
    assert (policy.threshold, policy.round_to, policy.dominance.n) == (10, 5, 2)


@pytest.mark.parametrize("key", ["order", "small", "mark", "round_to", "ties", "zeros", "groups", "secondary", "read"])
def test_the_how_to_explains_every_key(key: str) -> None:
    assert f"`{key}`" in HOW_TO.read_text(encoding="utf-8")
