"""Properties of a criterion that become filters: ranges of numbers and dates, lists and sets of concepts, texts.

Most functions here read one property of a criterion and give the test it stands for, or None where it asks nothing or
has a fault.
"""

import datetime as dt
import re
from collections.abc import Callable
from contextlib import suppress
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

from fairhaven.cohort.formats.json_object import JsonObject, Number
from fairhaven.cohort.model import (
    Abnormal,
    Compare,
    Dates,
    InSet,
    Known,
    Numbers,
    OneOf,
    Test,
    Text,
    UserPeriod,
)


class Property(NamedTuple):
    """What a property of a criterion asks.

    Args:
        field: the field that it asks; empty for one that asks nothing by itself.
        read: gives the test from the criterion and the property's name.
    """

    field: str
    read: Callable[[JsonObject, str], Test | None]


_COMPARE = {
    "lt": Compare.LESS,
    "lte": Compare.AT_MOST,
    "eq": Compare.EQUAL,
    "!eq": Compare.NOT_EQUAL,
    "gt": Compare.MORE,
    "gte": Compare.AT_LEAST,
    "bt": Compare.BETWEEN,
    "!bt": Compare.OUTSIDE,
}
_TEXT_OPERATORS = {"startsWith": ("", "%"), "endsWith": ("%", ""), "contains": ("%", "%"), "eq": ("", "")}
_CONCEPT = frozenset(
    [
        "CONCEPT_ID",
        "CONCEPT_NAME",
        "STANDARD_CONCEPT",
        "STANDARD_CONCEPT_CAPTION",
        "INVALID_REASON",
        "INVALID_REASON_CAPTION",
        "CONCEPT_CODE",
        "DOMAIN_ID",
        "VOCABULARY_ID",
        "CONCEPT_CLASS_ID",
        "VALID_START_DATE",
        "VALID_END_DATE",
    ]
)
_DAY = re.compile(r"([0-9]{1,4})-([0-9]{1,2})-([0-9]{1,2})")
_FOUR_PLACES = Decimal("0.0001")
_LARGEST = 1e15
"""Beyond it a number with four decimal places is no longer held exactly."""


def whole(part: JsonObject, key: str) -> Test | None:
    """A range whose numbers the reference cuts to whole ones: ages, days, counts, refills, a device's quantity."""
    return _range(part, key, JsonObject.whole, Numbers)


def decimal(part: JsonObject, key: str) -> Test | None:
    """A range whose numbers the reference writes with four decimal places: values, limits, ratios, a drug's quantity."""
    return _range(part, key, _four_places, Numbers)


def date(part: JsonObject, key: str) -> Test | None:
    """A range of dates."""
    return _range(part, key, day, Dates)


def concepts(part: JsonObject, key: str, *, exclude: str = "") -> Test | None:
    """A list of concepts; an empty one asks nothing.

    Args:
        exclude: the property that turns the list around.
    """
    excluded = bool(exclude and part.flag(exclude))
    ids = {number for concept in part.parts(key) if (number := concept_id(concept)) is not None}
    return OneOf(concepts=tuple(sorted(ids)), excluded=excluded) if ids else None


def selection(part: JsonObject, key: str, *, joined: str = "") -> Test | None:
    """A concept set, or its absence; without a set it asks whether the concept is known at all.

    Args:
        joined: the table that the concept stands in, where that is neither the event's own nor the person's.
    """
    given = part.part(key)
    if given is None:
        return None
    concept_set = given.concept_set("CodesetId")
    excluded = bool(given.flag("IsExclusion"))
    if concept_set is not None:
        return InSet(concept_set=concept_set, excluded=excluded)
    if excluded and joined and given.lacks("CodesetId"):
        part.fault(
            key,
            f"asks for an unknown concept of the {joined}, which looks the same as there being no {joined}; "
            "name a concept set in CodesetId instead",
        )
    return Known(yes=not excluded)


def in_set(part: JsonObject, key: str) -> Test | None:
    """The id of a concept set, written bare."""
    concept_set = part.concept_set(key)
    return None if concept_set is None else InSet(concept_set=concept_set)


def text(part: JsonObject, key: str) -> Test | None:
    """A text that starts with, ends with or contains another, in which ``%`` and ``_`` keep their meaning of SQL."""
    given = part.part(key)
    if given is None:
        return None
    wanted = given.text("Text")
    operator = given.text("Op") or ""
    around = _TEXT_OPERATORS.get(operator.removeprefix("!"))
    if around is None:
        given.fault("Op", f"must be one of {', '.join(_TEXT_OPERATORS)}, or one of them with ! before it")
    if given.values.get("Text") is None:
        given.fault("Text", "is missing; give the text to look for")
    if around is None or wanted is None:
        return None
    # The reference drops backslashes that stand before a quote.
    pattern = around[0] + re.sub(r"(?<!\\)\\+'", "'", wanted) + around[1]
    return Text(pattern=pattern, negated=operator.startswith("!"))


def abnormal(part: JsonObject, key: str) -> Test | None:
    """Whether a measurement lies outside its limits; false asks nothing."""
    return Abnormal() if part.flag(key) else None


def negation_flag(part: JsonObject, key: str) -> None:
    """A property that turns another around, which reads it as well; here it is only checked."""
    part.flag(key)


def unsupported(reason: str) -> Property:
    """A property of Circe that nothing here can answer: a fault where it asks something."""

    def read(part: JsonObject, key: str) -> None:
        if part.values[key] not in (None, []):
            part.fault(key, reason)

    return Property("", read)


def concept_id(concept: JsonObject) -> int | None:
    """The id of a concept as ATLAS writes it, with its name and the rest."""
    concept.know(_CONCEPT)
    number = concept.whole("CONCEPT_ID", bits=63)
    if concept.lacks("CONCEPT_ID"):
        concept.fault("CONCEPT_ID", "is missing; give the concept's id")
    if number is not None and number < 0:
        concept.fault("CONCEPT_ID", "is no concept id, which are 0 or more")
    return number


def day(part: JsonObject, key: str) -> dt.date | None:
    """A date written like 2026-01-31."""
    value = part.text(key)
    if value is None:
        return None
    found = _DAY.fullmatch(value.strip())
    with suppress(ValueError):
        if found is not None:
            return dt.date(int(found[1]), int(found[2]), int(found[3]))
    part.fault(key, "must be a date like 2026-01-31")
    return None


def user_period(part: JsonObject, key: str) -> UserPeriod | None:
    """Two dates, either of which may be left out; None without any."""
    given = part.part(key)
    if given is None:
        return None
    start, end = day(given, "StartDate"), day(given, "EndDate")
    if start is not None and end is not None and end < start:
        given.fault("EndDate", "lies before StartDate")
    return None if start is None and end is None else UserPeriod(start=start, end=end)


def _range(
    part: JsonObject, key: str, end: Callable[[JsonObject, str], Any], test: Callable[..., Dates | Numbers]
) -> Test | None:
    """A range whose ends *end* reads; one that is not used may hold anything, as in the reference."""
    given = part.part(key)
    if given is None:
        return None
    given.know(["Extent"])
    compare = _COMPARE.get(given.text("Op") or "")
    if compare is None:
        given.fault("Op", f"must be one of {', '.join(_COMPARE)}")
    is_range = compare in (Compare.BETWEEN, Compare.OUTSIDE)
    value = end(given, "Value")
    to = end(given, "Extent") if is_range else None
    for name in ("Value", "Extent") if is_range else ("Value",):
        if given.lacks(name):
            given.fault(name, "is missing; give the end of the range" if is_range else "is missing")
    if compare is None or value is None or (is_range and to is None):
        return None
    if to is not None and to < value:
        given.fault("Extent", "lies before Value, so that nothing is between them; give the smaller one as Value")
    return test(compare=compare, value=value, to=to)


def _four_places(given: JsonObject, key: str) -> Number | None:
    number = given.number(key)
    if number is not None and abs(number) > _LARGEST:
        given.fault(key, "is too large to be compared exactly; give at most 1e15")
    elif isinstance(number, float):
        rounded = float(Decimal(repr(number)).quantize(_FOUR_PLACES, rounding=ROUND_HALF_UP))
        return int(rounded) if rounded.is_integer() else rounded
    return number
