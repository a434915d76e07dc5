"""The small notations of the language's own form: each a text that reads aloud, and the noun that it stands for.

=============  ==================================================  =============================
noun           written                                             written again
=============  ==================================================  =============================
Filter         ``age >= 18``                                       ``unit_concept_id in set mmol``
Window         ``-90 days to 0 days``                              ``end_date 0 days to any time from index end_date``
Occurrence     ``at least 2``                                      ``at least 2 different start_date``
match          ``all``                                             ``at least 2``
DateAdjust...  ``start_date - 7 days``                             ``end_date``
UserPeriod     ``2010-01-01 to any time``                          ``any time to 2019-12-31``
ConceptSet...  ``201826 descendants | Type 2 diabetes mellitus``   ``exclude 201254``
=============  ==================================================  =============================

`write_...` and `read_...` are each other's inverse. A `read_...` raises ValueError in words that end a sentence which the
place of the text begins.
"""

import datetime as dt
import json
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from fairhaven.cohort.model import (
    Abnormal,
    Compare,
    ConceptSetItem,
    DateField,
    Dates,
    Edge,
    Filter,
    InSet,
    Known,
    Match,
    Numbers,
    Occurrence,
    OccurrenceType,
    OneOf,
    Test,
    Text,
    UserPeriod,
    Window,
)

_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_DAY = r"\d{4}-\d{2}-\d{2}"
_VALUE = rf"{_DAY}|{_NUMBER}"
_COUNT = r"\d{1,15}"
_CONCEPT = r"\d{1,19}"
_BOUND = rf"{'|'.join(Edge)}|[-+]?{_COUNT}(?:\s*days?)?"
_DATE_FIELD = "|".join(DateField)
_PLAIN_ID = re.compile(r"[\w.:-]+")
_WHOLE_WITHOUT_LOSS: Final = 10**15

_Reader = Callable[[re.Match[str]], Test]


def _matched(pattern: str, text: str, otherwise: str) -> re.Match[str]:
    """What a pattern finds in the whole of a text whose runs of blanks are one.

    Raises:
        ValueError: it is not that; *otherwise* says what it must be.
    """
    if found := re.fullmatch(pattern, " ".join(text.split())):
        return found
    raise ValueError(otherwise)


def days(count: int) -> str:
    """``1 day``, ``-30 days``."""
    return f"{count} day" if abs(count) == 1 else f"{count} days"


def write_number(value: float) -> str:
    """The shortest text that reads back as the same number."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _WHOLE_WITHOUT_LOSS:
        return str(int(value))
    return str(value)


def _read_value(text: str) -> float | dt.date:
    try:
        if re.fullmatch(_DAY, text):
            return dt.date.fromisoformat(text)
        return int(text) if re.fullmatch(r"[-+]?\d+", text) else float(text)
    except ValueError:
        raise ValueError("holds a date that is not in the calendar, or a number of too many digits") from None


def _comparison(compare: Compare, value: str, to: str | None = None) -> Numbers | Dates:
    low, high = _read_value(value), None if to is None else _read_value(to)
    if isinstance(low, dt.date):
        if high is None or isinstance(high, dt.date):
            return Dates(compare=compare, value=low, to=high)
    elif not isinstance(high, dt.date):
        return Numbers(compare=compare, value=low, to=high)
    raise ValueError("compares with a date and a number; give two of a kind")


def _read_id(text: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, str):
        raise ValueError("has a name in quotes that does not end")
    return value


def _whole_numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",")) if text.strip() else ()


_TESTS: tuple[tuple[str, _Reader], ...] = (
    (rf"(<=|>=|!=|<|>|=)\s*({_VALUE})", lambda m: _comparison(Compare(m[1]), m[2])),
    (rf"between\s+({_VALUE})\s+and\s+({_VALUE})", lambda m: _comparison(Compare.BETWEEN, m[1], m[2])),
    (rf"not\s+between\s+({_VALUE})\s+and\s+({_VALUE})", lambda m: _comparison(Compare.OUTSIDE, m[1], m[2])),
    (r"(not\s+)?in\s+set\s+(\".*\"|\S+)", lambda m: InSet(concept_set=_read_id(m[2]), excluded=m[1] is not None)),
    (
        rf"(not\s+)?in(?:\s+((?:{_CONCEPT}\s*,\s*)*{_CONCEPT}))?",
        lambda m: OneOf(concepts=_whole_numbers(m[2] or ""), excluded=m[1] is not None),
    ),
    (r"is\s+known", lambda _: Known()),
    (r"is\s+missing", lambda _: Known(yes=False)),
    (r"is\s+abnormal", lambda _: Abnormal()),
    (r"(not\s+)?like\s+(\".*\")", lambda m: Text(pattern=_read_id(m[2]), negated=m[1] is not None)),
)


def read_filter(text: str) -> Filter:
    """``FIELD TEST``; the nine tests are in docs/reference/cohort-language.md."""
    place = re.fullmatch(r"([A-Za-z_]\w*)\s+(.*)", text.strip(), re.DOTALL)
    for pattern, test in _TESTS:
        if place and (found := re.fullmatch(pattern, place[2], re.DOTALL)):
            return Filter(field=place[1], test=test(found))
    raise ValueError(
        'is not a test of a field; write for example "age >= 18", "start_date between 2010-01-01 and 2019-12-31", '
        '"gender_concept_id in 8532", "unit_concept_id in set NAME", "value_as_number is known" or \'stop_reason like "%x%"\''
    )


def write_filter(item: Filter) -> str:
    """The text that `read_filter` reads."""
    return f"{item.field} {_write_test(item.test)}"


def _write_test(test: Test) -> str:
    match test:
        case Numbers() | Dates():
            low = _write_value(test.value)
            if test.to is None:
                return f"{test.compare} {low}"
            word = {Compare.BETWEEN: "between", Compare.OUTSIDE: "not between"}.get(test.compare, str(test.compare))
            return f"{word} {low} and {_write_value(test.to)}"
        case OneOf():
            return f"{_no(test.excluded)}in {', '.join(str(concept) for concept in test.concepts)}".rstrip()
        case InSet():
            plain = _PLAIN_ID.fullmatch(test.concept_set)
            return f"{_no(test.excluded)}in set {test.concept_set if plain else _quoted(test.concept_set)}"
        case Known():
            return "is known" if test.yes else "is missing"
        case Text():
            return f"{_no(test.negated)}like {_quoted(test.pattern)}"
        case Abnormal():
            return "is abnormal"


def _write_value(value: float | dt.date) -> str:
    return value.isoformat() if isinstance(value, dt.date) else write_number(value)


def _no(negated: bool) -> str:
    return "not " if negated else ""


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def write_bound(bound: int | Edge) -> str:
    """An end of a window."""
    return str(bound) if isinstance(bound, Edge) else days(bound)


def _read_bound(text: str) -> int | Edge:
    return Edge(text) if text in set(Edge) else int(text.removesuffix("s").removesuffix("day"))


def write_window(window: Window) -> str:
    """``[end_date] SINCE to UNTIL [from index end_date]``."""
    of = f"{window.of} " if window.of != DateField.START else ""
    index = f" from index {window.index}" if window.index != DateField.START else ""
    return f"{of}{write_bound(window.since)} to {write_bound(window.until)}{index}"


def read_window(text: str) -> Window:
    """The window that `write_window` writes; ``days`` may be left out of a number, and ``start_date`` may be written."""
    found = _matched(
        rf"(?:({_DATE_FIELD})\s+)?({_BOUND})\s+to\s+({_BOUND})(?:\s+from\s+index\s+({_DATE_FIELD}))?",
        text,
        'is not a time window; write for example "-90 days to 0 days", "any time to -1 day", '
        '"observation start to 0 days" or "end_date 0 days to 30 days from index end_date"',
    )
    return Window(
        since=_read_bound(found[2]),
        until=_read_bound(found[3]),
        of=DateField(found[1] or DateField.START),
        index=DateField(found[4] or DateField.START),
    )


def write_occurrence(occurrence: Occurrence) -> str:
    """``at least 2``, ``exactly 0``, ``at least 2 different start_date``."""
    distinct = f" different {occurrence.distinct}" if occurrence.distinct is not None else ""
    return f"{occurrence.times} {occurrence.count}{distinct}"


def read_occurrence(text: str) -> Occurrence:
    """The number of events that `write_occurrence` writes."""
    found = _matched(
        rf"({'|'.join(OccurrenceType)}) ({_COUNT})(?: different (\w+))?",
        text,
        'is not a number of events; write for example "at least 1", "exactly 0", "at most 2" or '
        '"at least 2 different start_date"',
    )
    return Occurrence(times=OccurrenceType(found[1]), count=int(found[2]), distinct=found[3])


def write_match(match: Match, count: int | None) -> str:
    """``all``, ``any``, ``at least 2``, ``at most 0``."""
    return f"{match} {count}" if match in (Match.AT_LEAST, Match.AT_MOST) else str(match)


def read_match(text: str) -> tuple[Match, int | None]:
    """How many members of a group must hold, as `write_match` writes it."""
    words = 'is not "all", "any", "at least N" or "at most N"'
    found = _matched(rf"(all|any)|(at least|at most) ({_COUNT})", text, words)
    return (Match(found[1]), None) if found[1] else (Match(found[2]), int(found[3]))


def write_moment(date: DateField, count: int) -> str:
    """``start_date``, ``end_date + 30 days``, ``start_date - 1 day``."""
    return f"{date} {'+' if count > 0 else '-'} {days(abs(count))}" if count else str(date)


def read_moment(text: str) -> tuple[DateField, int]:
    """A date of an event and days added to it, as `write_moment` writes it."""
    found = _matched(
        rf"({_DATE_FIELD})(?: ([-+]) ({_COUNT}) days?)?",
        text,
        'is not a date of the event; write for example "start_date", "end_date + 30 days"',
    )
    return DateField(found[1]), int(f"{found[2]}{found[3]}") if found[2] else 0


def write_period(period: UserPeriod) -> str:
    """``2010-01-01 to 2019-12-31``; ``any time`` for an end that is not given."""
    return " to ".join(day.isoformat() if day else Edge.OPEN for day in (period.start, period.end))


def read_period(text: str) -> UserPeriod:
    """Calendar dates, as `write_period` writes them."""
    found = re.fullmatch(rf"({_DAY}|{Edge.OPEN}) to ({_DAY}|{Edge.OPEN})", " ".join(text.split()))
    with suppress(ValueError):
        if found:
            start, end = (None if part == Edge.OPEN else dt.date.fromisoformat(part) for part in found.groups())
            return UserPeriod(start=start, end=end)
    raise ValueError('is not a period; write for example "2010-01-01 to 2019-12-31" or "2010-01-01 to any time"')


def write_item(item: ConceptSetItem) -> str:
    """``[exclude] ID [descendants] [mapped] [| NAME]``."""
    words = ("exclude" * item.excluded, str(item.concept_id), "descendants" * item.descendants, "mapped" * item.mapped)
    return " ".join(word for word in words if word) + (f" | {item.name}" if item.name else "")


def read_item(text: str) -> ConceptSetItem:
    """A line of a concept set, as `write_item` writes it."""
    found = re.fullmatch(
        rf"\s*(exclude\s+)?({_CONCEPT})(\s+descendants)?(\s+mapped)?\s*(?:\| ?(.*))?", text, re.DOTALL | re.IGNORECASE
    )
    if not found:
        raise ValueError(
            'is not a line of a concept set; write for example "201826 descendants | Type 2 diabetes mellitus" or '
            '"exclude 201254 descendants mapped"'
        )
    return ConceptSetItem(
        concept_id=int(found[2]),
        descendants=found[3] is not None,
        mapped=found[4] is not None,
        excluded=found[1] is not None,
        name=found[5] or "",
    )
