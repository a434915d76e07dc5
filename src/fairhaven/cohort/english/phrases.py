"""The smallest pieces of English: lists, numbers, dates, comparisons."""

import datetime as dt
import re
from collections.abc import Sequence

from fairhaven.cohort.formats.fairhaven.notation import write_number
from fairhaven.cohort.model import Compare, Dates, Numbers, UserPeriod


def joined(parts: Sequence[str], word: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``; parts that hold commas themselves are set apart more strongly."""
    if len(parts) < 2:
        return "".join(parts)
    if any(", " in re.sub("“[^”]*”", "", part) for part in parts):
        mark = "; " if len(parts) > 2 else ", "
        return f"{mark.join(parts[:-1])}{mark}{word} {parts[-1]}"
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}"


def many(count: int, singular: str, plural: str | None = None) -> str:
    """``1 day``, ``30 days``, ``3,650 days``."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def with_article(phrase: str) -> str:
    """``a diagnosis``, ``an exposure``."""
    return f"{'an' if phrase[:1].lower() in 'aeio' else 'a'} {phrase}"


def day(date: dt.date) -> str:
    """``1 January 2010``."""
    return f"{date.day} {_MONTHS[date.month - 1]} {date.year}"


def quoted(text: str) -> str:
    """In typographic quotes, on one line."""
    return f"“{' '.join(text.split())}”"


def of_number(test: Numbers, unit: str = "") -> str:
    """``of 5 or more``, ``above 5``, ``from 3 to 5``."""
    value, to = f"{write_number(test.value)}{unit}", f"{write_number(test.to or 0)}{unit}"
    match test.compare:
        case Compare.LESS:
            return f"below {value}"
        case Compare.AT_MOST:
            return f"of {value} or less"
        case Compare.EQUAL:
            return f"of {value}"
        case Compare.NOT_EQUAL:
            return f"other than {value}"
        case Compare.AT_LEAST:
            return f"of {value} or more"
        case Compare.MORE:
            return f"above {value}"
        case Compare.BETWEEN:
            return f"from {write_number(test.value)} to {to}"
        case Compare.OUTSIDE:
            return f"below {value} or above {to}"


def in_years(test: Numbers) -> str:
    """Of an age, after "aged" or "at age": ``18 or over``, ``under 65``."""
    value, to = write_number(test.value), write_number(test.to or 0)
    match test.compare:
        case Compare.LESS:
            return f"under {value}"
        case Compare.AT_MOST:
            return f"{value} or under"
        case Compare.EQUAL:
            return value
        case Compare.NOT_EQUAL:
            return f"other than {value}"
        case Compare.AT_LEAST:
            return f"{value} or over"
        case Compare.MORE:
            return f"over {value}"
        case Compare.BETWEEN:
            return f"{value} to {to}"
        case Compare.OUTSIDE:
            return f"under {value} or over {to}"


def lasting(test: Numbers) -> str:
    """Of a length, after "lasting": ``30 days or more``."""
    value, to = write_number(test.value), write_number(test.to or 0)
    unit = "day" if test.value == 1 else "days"
    match test.compare:
        case Compare.LESS:
            return f"less than {value} {unit}"
        case Compare.AT_MOST:
            return f"{value} {unit} or less"
        case Compare.EQUAL:
            return f"{value} {unit}"
        case Compare.NOT_EQUAL:
            return f"any time but {value} {unit}"
        case Compare.AT_LEAST:
            return f"{value} {unit} or more"
        case Compare.MORE:
            return f"more than {value} {unit}"
        case Compare.BETWEEN:
            return f"{value} to {to} days"
        case Compare.OUTSIDE:
            return f"less than {value} or more than {to} days"


def on_dates(test: Dates) -> str:
    """``on or after 1 January 2010``, ``from 1 January 2010 to 31 December 2012``."""
    value, to = day(test.value), day(test.to or test.value)
    match test.compare:
        case Compare.LESS:
            return f"before {value}"
        case Compare.AT_MOST:
            return f"on or before {value}"
        case Compare.EQUAL:
            return f"on {value}"
        case Compare.NOT_EQUAL:
            return f"on any day but {value}"
        case Compare.AT_LEAST:
            return f"on or after {value}"
        case Compare.MORE:
            return f"after {value}"
        case Compare.BETWEEN:
            return f"from {value} to {to}"
        case Compare.OUTSIDE:
            return f"before {value} or after {to}"


def born(test: Numbers) -> str:
    """Of a year of birth, after "born": ``in 1950 or later``."""
    value, to = write_number(test.value), write_number(test.to or 0)
    match test.compare:
        case Compare.LESS:
            return f"before {value}"
        case Compare.AT_MOST:
            return f"in {value} or earlier"
        case Compare.EQUAL:
            return f"in {value}"
        case Compare.NOT_EQUAL:
            return f"in any year but {value}"
        case Compare.AT_LEAST:
            return f"in {value} or later"
        case Compare.MORE:
            return f"after {value}"
        case Compare.BETWEEN:
            return f"from {value} to {to}"
        case Compare.OUTSIDE:
            return f"before {value} or after {to}"


def within(window: UserPeriod) -> str:
    """``from 1 January 2010 on``, ``up to 31 December 2019``."""
    match window.start, window.end:
        case start, None if start:
            return f"from {day(start)} on"
        case None, end if end:
            return f"up to {day(end)}"
        case start, end:
            assert start is not None
            assert end is not None
            return f"from {day(start)} to {day(end)}"


_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
