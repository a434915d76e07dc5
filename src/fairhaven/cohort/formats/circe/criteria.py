"""Criteria: events of one table, or eras built from events."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from fairhaven.cohort.formats.circe.attribute_values import Property, user_period
from fairhaven.cohort.formats.circe.criteria_properties import ERA_COUNTS, ERA_PROPERTIES, KINDS, CriterionKind
from fairhaven.cohort.formats.json_object import JsonObject
from fairhaven.cohort.model import Criterion, DateAdjustment, DateField, Eras, Events, Filter, Group

ReadGroup: TypeAlias = Callable[[JsonObject], Group]
"""Reads a criteria group; given from outside, because groups hold criteria and criteria hold groups."""

_DATES = ("START_DATE", "END_DATE")
_ANY_KIND = {"START_DATE": "start_date", "END_DATE": "end_date"}
_NO_REGION = (
    "asks where a person lived at the time (LOCATION_HISTORY), a table that OMOP 5.4 does not have; leave it out"
)


def read_criterion(wrapper: JsonObject, read_group: ReadGroup) -> Criterion | None:
    """A criterion in its wrapper, ``{"ConditionOccurrence": {...}}``; None where it has a fault."""
    name, body = wrapper.only()
    if body is None:
        return None
    match name:
        case "CustomEra":
            return _eras(body, read_group)
        case "LocationRegion":
            wrapper.fault(name, _NO_REGION)
            return None
        case _ if name in KINDS:
            return _events(body, KINDS[name], read_group)
    wrapper.fault(name, f"is no kind of criterion (known: {', '.join(sorted([*KINDS, 'CustomEra']))})")
    return None


def countable(kind: str) -> Mapping[str, str]:
    """What `Occurrence.CountColumn` offers for a kind of criterion: its name there, and ours."""
    return {**_ANY_KIND, **(KINDS[kind].counts if kind in KINDS else ERA_COUNTS)}


def filters(part: JsonObject, properties: Mapping[str, Property]) -> tuple[Filter, ...]:
    """The filters that an object's properties stand for, always in the same order, whatever the file's."""
    part.know(properties)
    tests = ((asked.field, asked.read(part, key)) for key, asked in properties.items() if key in part.values)
    return tuple(Filter(field=field, test=test) for field, test in tests if test is not None)


def _events(body: JsonObject, kind: CriterionKind, read_group: ReadGroup) -> Events:
    return Events(
        domain=kind.domain,
        concepts=body.concept_set("CodesetId") if kind.concepts else None,
        source_concepts=body.concept_set(kind.source) if kind.source else None,
        first=bool(kind.first and body.flag("First")),
        dates=_dates(body, kind),
        period=user_period(body, "UserDefinedPeriod") if kind.period else None,
        filters=filters(body, kind.properties),
        nested=_nested(body, read_group),
    )


def _eras(body: JsonObject, read_group: ReadGroup) -> Eras:
    of = tuple(read_criterion(wrapper, read_group) for wrapper in body.parts("CriteriaList"))
    if body.lacks("CriteriaList"):
        body.fault("CriteriaList", "is empty; give at least one criterion that the eras are built from")
    if _nested(body, read_group) is not None:
        body.fault(
            "CorrelatedCriteria",
            "has no effect on a CustomEra in the reference; put it on the criteria inside, or on the criterion around",
        )
    # Checked and passed over: the reference pads the ends after it has decided which events follow each other, and takes the
    # padding off again, so that only events that touch or overlap become one era.
    body.days("GapDays")
    return Eras(
        of=tuple(criterion for criterion in of if criterion is not None),
        first=bool(body.flag("First")),
        dates=_dates(body),
        filters=filters(body, ERA_PROPERTIES),
    )


def _nested(body: JsonObject, read_group: ReadGroup) -> Group | None:
    """An empty group asks nothing: not even that the event lies in an observation period."""
    given = body.part("CorrelatedCriteria")
    group = None if given is None else read_group(given)
    return group if group is not None and group.members else None


def _dates(body: JsonObject, kind: CriterionKind | None = None) -> DateAdjustment | None:
    given = body.part("DateAdjustment")
    if given is None:
        return None
    start = given.choice("StartWith", _DATES, default="START_DATE")
    end = given.choice("EndWith", _DATES, default="END_DATE")
    if kind is not None and not kind.dates_chosen:
        start, end = _DATES
    adjustment = DateAdjustment(
        # An explicit null is the end date: the reference asks only whether it is the start date.
        start=DateField.START if start == "START_DATE" else DateField.END,
        start_days=given.days("StartOffset", negative=True) or 0,
        end=DateField.START if end == "START_DATE" else DateField.END,
        end_days=given.days("EndOffset", negative=True) or 0,
    )
    return adjustment if kind is None or kind.dates_adjusted else None
