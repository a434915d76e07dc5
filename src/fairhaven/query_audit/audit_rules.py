"""How questions are audited, as dated data: the shipped ways in `audit_rules.toml`, or a hub's own."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

from fairhaven.kernel.errors import Invalid, check_faults
from fairhaven.kernel.published_rules import own_rules, published, read_one
from fairhaven.kernel.toml import Document, Section


class Mode(StrEnum):
    """What keeps a count from pointing at few persons: the audit of all answers, or noise."""

    AUDIT = "audit"
    PRIVACY = "differential-privacy"


class CoalitionScope(StrEnum):
    """Who is taken to share answers with whom, beside the people of one project, who always are."""

    ORGANISATION = "organisation"
    FEDERATED = "federated"


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditRules:
    """One way of auditing questions.

    Args:
        budget: questions that a project may put, whatever comes of them.
        coalitions: who is taken to share answers.
        mode: by audit, or by differential privacy.
        epsilon: privacy loss of one answer; 0 in audit mode.
        epsilon_total: privacy loss that all answers to one project may add up to; 0 in audit mode.
        since: the day from which the way applies; source: who decided it, where.
    """

    name: str
    title: str
    budget: int
    coalitions: frozenset[CoalitionScope] = frozenset(CoalitionScope)
    mode: Mode = Mode.AUDIT
    epsilon: float = 0.0
    epsilon_total: float = 0.0
    since: dt.date
    source: str

    def __post_init__(self) -> None:
        if self.budget < 1:
            raise Invalid(f"audit rules {self.name}: budget is a whole number from 1")
        if self.mode is Mode.PRIVACY and not 0 < self.epsilon <= self.epsilon_total:
            raise Invalid(f"audit rules {self.name}: epsilon is over 0 and at most epsilon_total")

    @property
    def words(self) -> str:
        """The way in a sentence for readers."""
        who = {
            frozenset(): "the people of one project",
            frozenset({CoalitionScope.ORGANISATION}): "all projects of one organisation",
            frozenset({CoalitionScope.FEDERATED}): "the people of one project, and all callers from other hubs,",
            frozenset(CoalitionScope): "all projects of one organisation, and all callers from other hubs,",
        }[self.coalitions]
        by = (
            "checked against all earlier answers"
            if self.mode is Mode.AUDIT
            else f"given with noise of {self.epsilon:g}"
        )
        return f"A project may ask {self.budget:,} questions; each answer is {by}; {who} are taken to share answers."


@cache
def shipped_rules() -> Mapping[str, AuditRules]:
    """The ways of auditing that Fairhaven ships, by name."""
    with as_file(files("fairhaven.query_audit").joinpath("audit_rules.toml")) as path:
        document = Document(path, "query_audit/audit_rules.toml")
        found = [_rules(name, section) for name, section in document.root.named()]
    check_faults(document.faults)
    return {rules.name: rules for rules in found if rules is not None}


def rules_named(name: str) -> AuditRules:
    """A shipped way. Raises NotFound with the names that there are."""
    return published(shipped_rules(), name, missing="there are no audit rules")


def rules_in(folder: Path, setting: str) -> AuditRules:
    """The way that a hub names: a shipped one, or a file of its own in its folder (``audit.toml``).

    Raises:
        NotFound: no shipped way has that name.
        Invalid: every fault of the file, or a file that is not in the hub's folder or takes a shipped way's name.
    """
    if not setting.endswith(".toml"):
        return rules_named(setting)
    why = "is the name of a shipped way of auditing; a hub's own needs another"
    return own_rules(folder, setting, read=read_rules, taken=shipped_rules(), why=why)


def read_rules(path: Path, shown: str = "") -> AuditRules:
    """A hub's own way from a TOML file with one table in the form of `audit_rules.toml`.

    Raises:
        Invalid: every fault of the file, with its line.
    """
    return read_one(Document(path, shown or path.name), _rules, what="way of auditing")


def _rules(name: str, section: Section) -> AuditRules | None:
    budget = section.whole("budget", at_least=1)
    coalitions = section.texts("coalitions", tuple(CoalitionScope))
    if strange := set(coalitions) - set(CoalitionScope):
        section.fault("coalitions", f"knows {', '.join(CoalitionScope)}; not {', '.join(sorted(strange))}")
    mode = section.choice("mode", Mode.AUDIT)
    epsilon, total = section.number("epsilon", 0.0), section.number("epsilon_total", 0.0)
    if mode is Mode.PRIVACY and not 0 < epsilon <= total:
        section.fault("epsilon", "must be over 0 and at most epsilon_total")
    title, source, since = section.text("title"), section.text("source"), section.day("since")
    section.finish()
    if section.document.faults:
        return None
    return AuditRules(
        name=name,
        title=title,
        budget=budget,
        coalitions=frozenset(CoalitionScope(name) for name in coalitions),
        mode=mode,
        epsilon=float(epsilon),
        epsilon_total=float(total),
        since=since,
        source=source,
    )
