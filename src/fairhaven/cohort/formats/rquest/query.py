"""A whole availability question: groups of rules about persons."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from fairhaven.cohort.formats.json_object import JsonFaults, JsonObject
from fairhaven.cohort.formats.rquest.rules import read_rule
from fairhaven.cohort.model import (
    CohortDefinition,
    Correlated,
    Demographic,
    Domain,
    EntryEvents,
    Events,
    Group,
    InclusionRule,
    Match,
)
from fairhaven.kernel.errors import Invalid, check_faults
from fairhaven.kernel.json_document import json_object

_OPERATORS = {"AND": Match.ALL, "OR": Match.ANY}


def read_rquest(value: Mapping[str, Any] | str | bytes, *, today: dt.date, path: str = "") -> CohortDefinition:
    """An availability question of Cohort Discovery: how many persons meet its groups of rules?

    Every person is asked about once, whether ever observed or not. Rules look at the one table that they name, and at the
    concept itself without its descendants, as hutch-bunny 1.9 does, whose counts are the reference. What it reads but would
    pass over is a fault here.

    Args:
        value: the task's JSON; of it only ``cohort`` is read.
        today: the day that ages and times are counted back from.
        path: how faults name the document.

    Raises:
        Invalid: with every fault at once, each with its place, for example ``cohort.groups[0].rules[1].time``.
    """
    reading = JsonFaults(path=path)
    task = JsonObject(reading, dict(json_object(value, path=path)))
    if "cohort" not in task.values and "analysis" in task.values:
        task.fault("analysis", "asks for a distribution of the whole collection, not for a cohort")
        raise Invalid(reading.faults)
    cohort = task.part("cohort", needed="the question, {groups, groups_oper}")
    rules = () if cohort is None else _rules(cohort, today)
    check_faults(reading.faults)
    return CohortDefinition(entry=EntryEvents(events=(Events(domain=Domain.PERSON),), observed=False), rules=rules)


def _rules(cohort: JsonObject, today: dt.date) -> tuple[InclusionRule, ...]:
    """One rule for each group that must hold; a single one where any of them will do."""
    groups = tuple(_group(part, today) for part in cohort.parts("groups"))
    match = _operator(cohort, "groups_oper")
    if not groups and not cohort.values.get("groups"):
        cohort.fault("groups", "is empty; give at least one group of rules")
    cohort.finish()
    if match is Match.ANY and len(groups) > 1:
        return (InclusionRule(name="Any group", group=Group(match=Match.ANY, members=groups)),)
    return tuple(InclusionRule(name=f"Group {number}", group=group) for number, group in enumerate(groups, start=1))


def _group(part: JsonObject, today: dt.date) -> Group:
    """A group's rules. What a rule excludes is excluded from the whole group, whatever its operator; so is the reference."""
    wanted: list[Correlated | Demographic | Group] = []
    unwanted: list[Correlated | Demographic | Group] = []
    for entry in part.parts("rules"):
        if (rule := read_rule(entry, today)) is not None:
            (unwanted if rule.excludes else wanted).append(rule.member)
    if part.values.get("rules") is None:
        part.fault("rules", "is missing; give a list of rules")
    match = _operator(part, "rules_oper")
    if match is Match.ANY and wanted and unwanted:
        wanted = [Group(match=Match.ANY, members=tuple(wanted))]
    if match is Match.ANY and not unwanted:
        return Group(match=Match.ANY, members=tuple(wanted))
    return Group(members=(*wanted, *unwanted))


def _operator(part: JsonObject, key: str) -> Match:
    operator = part.text(key)
    if operator not in _OPERATORS:
        part.fault(key, "must be AND or OR")
    return _OPERATORS.get(operator or "", Match.ALL)
