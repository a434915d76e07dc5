"""Counts for people who may put their answers together: each question is checked against all earlier answers."""

from fairhaven.disclosure.audit.audit import QueryAudit
from fairhaven.disclosure.audit.question import Asker, Budget, Decision, Outcome
from fairhaven.disclosure.audit.rules import (
    AuditRules,
    Coalition,
    Mode,
    read_rules,
    rules_in,
    rules_named,
    shipped_rules,
)

__all__ = [
    "Asker",
    "AuditRules",
    "Budget",
    "Coalition",
    "Decision",
    "Mode",
    "Outcome",
    "QueryAudit",
    "read_rules",
    "rules_in",
    "rules_named",
    "shipped_rules",
]
