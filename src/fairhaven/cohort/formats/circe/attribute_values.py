"""Properties of a criterion that become filters: ranges of numbers and dates, lists and sets of concepts, texts.

Each function here makes a `Property`: something that reads one property of a criterion and gives the filter it stands
for, or None where it asks nothing or has a fault.
"""

import datetime as dt
import re
from collections.abc import Callable
from contextlib import suppress
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeAlias

from fairhaven.cohort.formats.json_object import JsonObject, Number
from fairhaven.cohort.model import (
    Abnormal,
    Compare,
    Dates,
    Filter,
    InSet,
    Known,
    Numbers,
    OneOf,
    Text,
    UserPeriod,
)

Property: TypeAlias = Callable[[JsonObject, str], Filter | None]

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


def whole(field: str) -> Property:
    """A range whose numbers the reference cuts to whole ones: ages, days, counts, refills, a device's quantity."""
    return _range(field, JsonObject.whole, Numbers)


def decimal(field: str) -> Property:
    """A range whose numbers the reference writes with four decimal places: values, limits, ratios, a drug's quantity."""
    return _range(field, _four_places, Numbers)


def date(field: str) -> Property:
    """A range of dates."""
    return _range(field, day, Dates)


def concepts(field: str, *, exclude: str = "") -> Property:
    """A list of concepts; an empty one asks nothing.

    Args:
        exclude: the property that turns the list around.
    """

    def read(part: JsonObject, key: str) -> Filter | None:
        excluded = bool(exclude and part.flag(exclude))
        ids = [concept_id(concept) for concept in part.parts(key)]
        known = tuple(sorted({number for number in ids if number is not None}))
        return Filter(field=field, test=OneOf(concepts=known, excluded=excluded)) if known else None

    return read


def selection(field: str, *, joined: str = "") -> Property:
    """A concept set, or its absence; without a set it asks whether the concept is known at all.

    Args:
        joined: the table that the concept stands in, where that is neither the event's own nor the person's.
    """

    def read(part: JsonObject, key: str) -> Filter | None:
        given = part.part(key)
        if given is None:
            return None
        concept_set = given.concept_set("CodesetId")
        named = not given.lacks("CodesetId")
        excluded = bool(given.flag("IsExclusion"))
        if concept_set is not None:
            return Filter(field=field, test=InSet(concept_set=concept_set, excluded=excluded))
        if excluded and joined and not named:
            part.fault(
                key,
                f"asks for an unknown concept of the {joined}, which cannot be told from there being no {joined}; "
                "name a concept set in CodesetId instead",
            )
        return None if named else Filter(field=field, test=Known(yes=not excluded))

    return read


def in_set(field: str) -> Property:
    """The id of a concept set, written bare."""

    def read(part: JsonObject, key: str) -> Filter | None:
        concept_set = part.concept_set(key)
        return None if concept_set is None else Filter(field=field, test=InSet(concept_set=concept_set))

    return read


def text(field: str) -> Property:
    """A text that starts with, ends with or contains another, in which ``%`` and ``_`` keep their meaning of SQL."""

    def read(part: JsonObject, key: str) -> Filter | None:
        given = part.part(key)
        if given is None:
            return None
        wanted = given.text("Text")
        operator = given.text("Op") or ""
        around = _TEXT_OPERATORS.get(operator.removeprefix("!"))
        if around is None:
            known = ", ".join(_TEXT_OPERATORS)
            given.fault("Op", f"must be one of {known}, or one of them with ! before it")
        if given.values.get("Text") is None:
            given.fault("Text", "is missing; give the text to look for")
        if around is None or wanted is None:
            return None
        # The reference drops backslashes that stand before a quote.
        pattern = around[0] + re.sub(r"\\+'", "'", wanted) + around[1]
        return Filter(field=field, test=Text(pattern=pattern, negated=operator.startswith("!")))

    return read


def abnormal(part: JsonObject, key: str) -> Filter | None:
    """Whether a measurement lies outside its limits; false asks nothing."""
    return Filter(field="abnormal", test=Abnormal()) if part.flag(key) else None


def negation_flag(part: JsonObject, key: str) -> Filter | None:
    """A property that turns another around, which reads it as well; here it is only checked."""
    part.flag(key)
    return None


def unsupported(reason: str) -> Property:
    """A property of Circe that nothing here can answer: a fault where it asks something."""

    def read(part: JsonObject, key: str) -> Filter | None:
        if part.has(key) and part.values[key] not in (None, []):
            part.fault(key, reason)
        return None

    return read


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


def _range(field: str, end: Callable[[JsonObject, str], Any], test: Callable[..., Dates | Numbers]) -> Property:
    """A range whose ends *end* reads; one that is not used may hold anything, as in the reference."""

    def read(part: JsonObject, key: str) -> Filter | None:
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
        return Filter(field=field, test=test(compare=compare, value=value, to=to))

    return read


def _four_places(given: JsonObject, key: str) -> Number | None:
    number = given.number(key)
    if number is not None and abs(number) > _LARGEST:
        given.fault(key, "is too large to be compared exactly; give at most 1e15")
    elif isinstance(number, float):
        rounded = float(Decimal(repr(number)).quantize(_FOUR_PLACES, rounding=ROUND_HALF_UP))
        return int(rounded) if rounded.is_integer() else rounded
    return number
