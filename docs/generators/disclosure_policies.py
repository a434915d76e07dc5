"""The table of policies in docs/explanation/disclosure.md, made from the policy files."""

import re
from collections.abc import Iterator
from pathlib import Path

from fairhaven.disclosure import Groups, Policy, Small, Zeros
from fairhaven.hub.disclosure_policies import published_policies

PAGE = Path(__file__).resolve().parents[1] / "explanation" / "disclosure.md"
_TABLE = re.compile(r"(<!-- policies -->\n).*?(<!-- end of policies -->)", re.DOTALL)

_COLUMNS = (
    "name",
    "since",
    "small counts",
    "others",
    "half-way",
    "zero",
    "all of a group in one cell",
    "further cells hidden",
    "sums and means hidden",
)


def page() -> str:
    """The page with its table as the policy files have it."""
    return _TABLE.sub(lambda found: found[1] + "\n".join((*_lines(), "")) + found[2], PAGE.read_text(encoding="utf-8"))


def _lines() -> Iterator[str]:
    yield f"| {' | '.join(_COLUMNS)} |"
    yield "|---" * len(_COLUMNS) + "|"
    for policy in published_policies().values():
        yield f"| {' | '.join(_row(policy))} |"


def _row(policy: Policy) -> list[str]:
    shown = policy.mark or policy.under
    rule = policy.dominance
    return [
        f"`{policy.name}`",
        policy.since.isoformat(),
        f"1 to {policy.threshold - 1} {'as' if policy.small is Small.ZERO else 'hidden:'} `{shown}`",
        f"then to the nearest {policy.round_to}" if policy.round_to > 1 else "as they are",
        (f"to the {policy.ties} multiple" if policy.ties == "even" else "up") if policy.round_to % 2 == 0 else "never",
        "shown" if policy.zeros is Zeros.SHOW else "hidden",
        "hidden" if policy.groups is Groups.HIDE else "told to the checker",
        "yes" if policy.secondary else "no: rounding",
        f"{rule.n} make up {rule.k:.0%} or more; or the rest under {rule.p:.0%} of the largest",
    ]
