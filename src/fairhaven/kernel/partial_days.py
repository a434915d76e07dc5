"""Dates of which only the month or the year is known: what a form says of a day, and the column with the last day that it can be.

A date lands as the first day that it can be. What ends with it (a life, above all) is known to have ended by the last, which lands beside it: of a
death of 2026-11 a release would otherwise have the first of the month, and everything after it would be after the death (Themis 104).
"""

import re

LAST_DAY = "_last_day"
"""Behind the name of a column: the column with its last day."""

LENGTH = "_length"
"""Behind the name of a date of birth: the column with how much of it is known, as ISO 8601 would write it: 4 characters, 7 or 10.

Of a birth the last day tells nothing that the first does not, and beside one of which all is known it would be finer than a hub may allow.
"""

WHOLE_YEAR, WHOLE_MONTH, WHOLE_DAY = len("1950"), len("1950-03"), len("1950-03-15")

_DIRECTIVE = re.compile("%(-?.)")
_DAYS, _MONTHS, _WEEKDAYS = frozenset({"d", "-d", "j", "-j"}), frozenset({"m", "-m", "b", "B"}), frozenset("aAuw")
_WEEKS = frozenset("UVW")


def known_part(form: str) -> str:
    """The finest part of a date that a strptime form says: ``day``, ``month`` or ``year``."""
    said = set(_DIRECTIVE.findall(form))
    if said & _DAYS or (said & _WEEKS and said & _WEEKDAYS):
        return "day"
    return "month" if said & _MONTHS else "year"


def says_week_alone(form: str) -> bool:
    """Whether a strptime form says a week without its day. What is known of such a date is neither a month nor a year."""
    return known_part(form) != "day" and not _WEEKS.isdisjoint(_DIRECTIVE.findall(form))
