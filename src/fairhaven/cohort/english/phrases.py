"""The smallest pieces of English: lists, numbers, dates, comparisons."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence

from fairhaven.cohort.formats.fairhaven.notation import write_number
from fairhaven.cohort.model import Compare, Dates, Limit, Numbers, UserPeriod


def joined(parts: Sequence[str], word: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``; parts that hold commas themselves are set apart more strongly."""
    if len(parts) < 2:
        return "".join(parts)
    if any(", " in re.sub("“[^“”]*”", "", part) for part in parts):
        mark = "; " if len(parts) > 2 else ", "
        return f"{mark.join(parts[:-1])}{mark}{word} {parts[-1]}"
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}"


def many(count: int, singular: str, plural: str | None = None) -> str:
    """``1 day``, ``30 days``, ``3,650 days``."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def days_from(days: int, event: str) -> str:
    """``30 days after its start``, ``1 day before its end``, ``its start``."""
    return f"{many(abs(days), 'day')} {'after' if days > 0 else 'before'} {event}" if days else event


def with_article(phrase: str) -> str:
    """``a diagnosis``, ``an exposure``."""
    return f"{'an' if phrase[:1].lower() in 'aeio' else 'a'} {phrase}"


def day(date: dt.date) -> str:
    """``1 January 2010``."""
    return f"{date.day} {_MONTHS[date.month - 1]} {date.year}"


def quoted(text: str) -> str:
    """In typographic quotes, on one line."""
    return f"“{' '.join(text.split())}”"


LIMITS = {Limit.FIRST: "earliest", Limit.LAST: "latest"}

Wording = Mapping[Compare, str]

OF_NUMBER: Wording = {
    Compare.LESS: "below {value}",
    Compare.AT_MOST: "of {value} or less",
    Compare.EQUAL: "of {value}",
    Compare.NOT_EQUAL: "other than {value}",
    Compare.AT_LEAST: "of {value} or more",
    Compare.MORE: "above {value}",
    Compare.BETWEEN: "from {value} to {to}",
    Compare.OUTSIDE: "below {value} or above {to}",
}
"""``of 5 or more``, ``above 5``, ``from 3 to 5``."""
IN_YEARS: Wording = {
    Compare.LESS: "under {value}",
    Compare.AT_MOST: "{value} or under",
    Compare.EQUAL: "{value}",
    Compare.NOT_EQUAL: "other than {value}",
    Compare.AT_LEAST: "{value} or over",
    Compare.MORE: "over {value}",
    Compare.BETWEEN: "{value} to {to}",
    Compare.OUTSIDE: "under {value} or over {to}",
}
"""Of an age, after "aged" or "at age": ``18 or over``, ``under 65``."""
LASTING: Wording = {
    Compare.LESS: "less than {value} {unit}",
    Compare.AT_MOST: "{value} {unit} or less",
    Compare.EQUAL: "{value} {unit}",
    Compare.NOT_EQUAL: "any time but {value} {unit}",
    Compare.AT_LEAST: "{value} {unit} or more",
    Compare.MORE: "more than {value} {unit}",
    Compare.BETWEEN: "{value} to {to} days",
    Compare.OUTSIDE: "less than {value} or more than {to} days",
}
"""Of a length in days, after "lasting": ``30 days or more``."""
ON_DATES: Wording = {
    Compare.LESS: "before {value}",
    Compare.AT_MOST: "on or before {value}",
    Compare.EQUAL: "on {value}",
    Compare.NOT_EQUAL: "on any day but {value}",
    Compare.AT_LEAST: "on or after {value}",
    Compare.MORE: "after {value}",
    Compare.BETWEEN: "from {value} to {to}",
    Compare.OUTSIDE: "before {value} or after {to}",
}
"""``on or after 1 January 2010``, ``from 1 January 2010 to 31 December 2012``."""
BORN: Wording = {
    Compare.LESS: "before {value}",
    Compare.AT_MOST: "in {value} or earlier",
    Compare.EQUAL: "in {value}",
    Compare.NOT_EQUAL: "in any year but {value}",
    Compare.AT_LEAST: "in {value} or later",
    Compare.MORE: "after {value}",
    Compare.BETWEEN: "from {value} to {to}",
    Compare.OUTSIDE: "before {value} or after {to}",
}
"""Of a year of birth, after "born": ``in 1950 or later``."""


def compared(test: Numbers | Dates, wording: Wording) -> str:
    """What a value is compared with, in the words for its kind of value."""
    value, to = (
        day(end) if isinstance(end, dt.date) else write_number(end)
        for end in (test.value, test.value if test.to is None else test.to)
    )
    return wording[test.compare].format(value=value, to=to, unit="day" if test.value == 1 else "days")


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
