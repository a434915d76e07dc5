"""Counts for people who may put their answers together: each question is checked against all earlier answers."""

from fairhaven.query_audit.audit_rules import (
    AuditRules,
    CoalitionScope,
    Mode,
    read_rules,
    rules_in,
    rules_named,
    shipped_rules,
)
from fairhaven.query_audit.model import THE_HUB, Asker, Budget, Decision, Outcome, folded, why_mistaken
from fairhaven.query_audit.question_log import LogHead, QuestionLogs
from fairhaven.query_audit.service import TOLD, QueryAudit
from fairhaven.query_audit.sqlite import mark_in

__all__ = [
    "THE_HUB",
    "TOLD",
    "Asker",
    "AuditRules",
    "Budget",
    "CoalitionScope",
    "Decision",
    "LogHead",
    "Mode",
    "Outcome",
    "QueryAudit",
    "QuestionLogs",
    "folded",
    "mark_in",
    "read_rules",
    "rules_in",
    "rules_named",
    "shipped_rules",
    "why_mistaken",
]
