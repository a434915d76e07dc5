"""A whole Circe definition: concept sets, entry events, rules, exit, eras."""

from collections.abc import Mapping
from typing import Any

from fairhaven.cohort.formats.circe.attribute_values import concept_id, user_period
from fairhaven.cohort.formats.circe.criteria import read_criterion
from fairhaven.cohort.formats.circe.groups import read_group
from fairhaven.cohort.formats.json_object import HARMLESS, JsonFaults, JsonObject
from fairhaven.cohort.model import (
    CohortDefinition,
    ConceptSet,
    ConceptSetItem,
    Criterion,
    DateField,
    DateOffset,
    DrugEraExit,
    EndOfObservation,
    EntryEvents,
    Exit,
    Group,
    InclusionRule,
    Limit,
)
from fairhaven.kernel.errors import Fault, Invalid, check_faults
from fairhaven.kernel.json_document import json_object

_LIMITS = {"ALL": Limit.ALL, "LAST": Limit.LAST}
_ENDS = ("StartDate", "EndDate")


def read_circe(value: Mapping[str, Any] | str | bytes, *, path: str = "") -> CohortDefinition:
    """An OHDSI cohort definition, as ATLAS exports it, WebAPI serves it, or the Phenotype Library publishes it.

    Args:
        value: the JSON document; either the expression itself (with ``PrimaryCriteria``) or an object around it whose
            ``expression`` holds it, as an object or as text.
        path: how faults name the document.

    Returns:
        The definition, with the meaning that Circe 1.11.3 gives it.

    Raises:
        Invalid: with every fault of the document at once, each with its place, for example
            ``InclusionRules[2].expression.CriteriaList[0].Criteria.DrugExposure.Age``. What the reference reads but would
            pass over, or could not run, is a fault.
    """
    document = json_object(value, path=path)
    reading = JsonFaults(path=path)
    around = JsonObject(reading, dict(document), beside=HARMLESS)
    is_wrapped = "PrimaryCriteria" not in document and "expression" in document
    expression = _unwrapped(around, path) if is_wrapped else around
    definition = _definition(expression, around)
    expression.finish()
    check_faults(reading.faults)
    return definition


def _unwrapped(around: JsonObject, path: str) -> JsonObject:
    inner = around.values["expression"]
    if isinstance(inner, str):
        try:
            inner = dict(json_object(inner, path=path))
        except Invalid as invalid:
            raise Invalid(
                [Fault(message=fault.message, path=path, field="expression") for fault in invalid.faults]
            ) from None
    return (around.below(inner, "expression", HARMLESS) if isinstance(inner, dict) else None) or around


def _definition(part: JsonObject, around: JsonObject) -> CohortDefinition:
    part.know(["cdmVersionRange"])
    # The concept sets first: criteria refer to them.
    concept_sets = tuple(filter(None, map(_concept_set, part.parts("ConceptSets", beside=HARMLESS))))
    primary = part.part("PrimaryCriteria", needed="the events that let a person in")
    qualifying = part.part("AdditionalCriteria")
    qualified_limit = _limit(part, "QualifiedLimit")
    rules = part.parts("InclusionRules", beside=HARMLESS)
    title = part.text("Title")
    return CohortDefinition(
        name=around.text("name") or title or "",
        description=around.text("description") or "",
        concept_sets=concept_sets,
        entry=EntryEvents(events=()) if primary is None else _entry(primary),
        qualifying=None if qualifying is None else read_group(qualifying),
        qualified_limit=Limit.ALL if qualifying is None else qualified_limit,
        rules=tuple(_rule(rule, number) for number, rule in enumerate(rules, start=1)),
        limit=_limit(part, "ExpressionLimit"),
        exit=_exit(part),
        censoring=_criteria(part, "CensoringCriteria"),
        gap_days=_gap_days(part),
        window=user_period(part, "CensorWindow"),
    )


def _concept_set(part: JsonObject) -> ConceptSet | None:
    number = part.whole("id")
    name = part.text("name") or ""
    expression = part.part("expression", needed="the concepts of the set, {items: [...]}", beside=HARMLESS)
    items = () if expression is None else tuple(filter(None, map(_item, expression.parts("items"))))
    if expression is not None and expression.values.get("items") is None:
        expression.fault("items", "is missing; give a list of concepts, which may be empty")
    if part.lacks("id"):
        part.fault("id", "is missing; give the number that criteria refer to the set by")
    if number is None:
        return None
    if str(number) in part.reading.concept_sets:
        part.fault("id", f"is the second concept set {number}; give each a number of its own")
    part.reading.concept_sets.add(str(number))
    return ConceptSet(id=str(number), name=name, items=items)


def _item(part: JsonObject) -> ConceptSetItem | None:
    concept = part.part("concept", needed="a concept")
    number = None if concept is None else concept_id(concept)
    flags = [bool(part.flag(key)) for key in ("includeDescendants", "includeMapped", "isExcluded")]
    if concept is None or number is None:
        return None
    name = concept.text("CONCEPT_NAME") or ""
    return ConceptSetItem(concept_id=number, descendants=flags[0], mapped=flags[1], excluded=flags[2], name=name)


def _entry(part: JsonObject) -> EntryEvents:
    if part.lacks("CriteriaList"):
        part.fault("CriteriaList", "is empty; give at least one criterion that lets a person in")
    observed = part.part("ObservationWindow", needed="the days of observation, {PriorDays, PostDays}")
    return EntryEvents(
        events=_criteria(part, "CriteriaList"),
        prior_days=(observed and observed.days("PriorDays")) or 0,
        post_days=(observed and observed.days("PostDays")) or 0,
        limit=_limit(part, "PrimaryCriteriaLimit", typed=True),
    )


def _criteria(part: JsonObject, key: str) -> tuple[Criterion, ...]:
    return tuple(filter(None, (read_criterion(wrapper, read_group) for wrapper in part.parts(key))))


def _limit(part: JsonObject, key: str, *, typed: bool = False) -> Limit:
    """Which events go on: the first, unless it says ``All`` or ``Last``, in any case.

    Args:
        typed: whether the reference breaks on a type of null, which elsewhere means all.
    """
    given = part.part(key, needed='which events go on, {"Type": "All"}, "First" or "Last"') if part.has(key) else None
    if given is None:
        return Limit.FIRST
    kind = given.text("Type")
    if not given.has("Type") or given.values["Type"] is not None:
        return _LIMITS.get((kind or "").upper(), Limit.FIRST)
    if typed:
        given.fault("Type", "must be All, First or Last")
    return Limit.ALL


def _rule(part: JsonObject, number: int) -> InclusionRule:
    expression = part.part("expression", needed="the group that the rule is")
    return InclusionRule(
        name=part.text("name") or f"Rule {number}",
        group=Group() if expression is None else read_group(expression),
        description=part.text("description") or "",
    )


def _exit(part: JsonObject) -> Exit:
    wrapper = part.part("EndStrategy")
    kind, body = ("", None) if wrapper is None else wrapper.only()
    if wrapper is None or body is None:
        return EndOfObservation()
    match kind:
        case "DateOffset":
            date = body.choice("DateField", _ENDS, default="StartDate")
            if date is None and body.values["DateField"] is None:
                body.fault("DateField", f"must be one of {', '.join(_ENDS)}")
            days = body.days("Offset", negative=True) or 0
            return DateOffset(date=DateField.END if date == "EndDate" else DateField.START, days=days)
        case "CustomEra":
            if body.lacks("DrugCodesetId"):
                body.fault("DrugCodesetId", "is missing; name the concept set of the drugs")
            return DrugEraExit(
                concepts=body.concept_set("DrugCodesetId") or "",
                gap_days=body.days("GapDays") or 0,
                offset=body.days("Offset", negative=True) or 0,
                days_supply=body.days("DaysSupplyOverride"),
            )
    wrapper.fault(kind, "is no kind of exit (known: CustomEra, DateOffset)")
    return EndOfObservation()


def _gap_days(part: JsonObject) -> int:
    needed = "how stays become eras, {CollapseType, EraPad}"
    given = part.part("CollapseSettings", needed=needed) if part.has("CollapseSettings") else None
    if given is None:
        return 0
    given.choice("CollapseType", ("ERA",))
    return given.days("EraPad") or 0
