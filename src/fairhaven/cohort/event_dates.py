"""How a row of a table becomes an event: the days it starts and ends on, whoever reads it.

Dates are whole days since 1 January 1970, so that windows are integer arithmetic, the same on every engine.
"""

import datetime as dt

import ibis
import ibis.expr.types as ir

from fairhaven.cohort.domains import DOMAINS
from fairhaven.cohort.model import Dates, Domain, Numbers

_EPOCH = dt.date(1970, 1, 1)
FAR = 1 << 29
"""Beyond every calendar date, to either side: the end of a window that is open."""


def day_number(day: dt.date) -> int:
    """Days since 1970-01-01."""
    return (day - _EPOCH).days


_DAYS_BEFORE_1970 = day_number(_EPOCH) - day_number(dt.date(1, 1, 1))
FIRST_DAY, LAST_DAY = day_number(dt.date.min), day_number(dt.date.max)
"""The calendar, for what counts as observed at all times: these days can be written as dates."""


def ends_of_range(test: Numbers | Dates) -> tuple[float, float | None]:
    """What a test compares with, dates as day numbers; the second is None where it compares with one value."""
    if isinstance(test, Dates):
        return day_number(test.value), None if test.to is None else day_number(test.to)
    return test.value, test.to


def day_numbers(column: ir.Value) -> ir.IntegerValue:
    """A date or timestamp column as day numbers."""
    return column.cast("date").epoch_days().cast("int64")


def date_of_day(number: ir.IntegerValue) -> ir.DateValue:
    """A column of day numbers as dates."""
    # Through a timestamp: DuckDB makes one of a date and an interval, and Ibis believes that it is still a date.
    return (ibis.date("1970-01-01") + number.as_interval("D")).cast("timestamp").cast("date")


def year_of_day(number: ir.IntegerValue) -> ir.IntegerValue:
    """The calendar year of a column of day numbers."""
    return (ibis.date("1970-01-01") + number.as_interval("D")).year()


def first_of_year(year_number: ir.Value) -> ir.IntegerValue:
    """Day number of 1 January of a column of years, by the Gregorian calendar's leap years."""
    before = year_number.cast("int64") - 1
    leaps = before // 4 - before // 100 + before // 400
    return before * 365 + leaps - _DAYS_BEFORE_1970


def date_columns(domain: Domain) -> frozenset[str]:
    """The columns of a table that its events' dates come from."""
    facts = DOMAINS[domain]
    return frozenset(name for name in (facts.start, facts.end, facts.end_after) if isinstance(name, str))


def start_day(domain: Domain, table: ir.Table) -> ir.IntegerValue:
    """The day an event starts on, as a number."""
    column = table[DOMAINS[domain].start]
    return first_of_year(column) if domain is Domain.PERSON else day_numbers(column)


def end_day(domain: Domain, table: ir.Table) -> ir.IntegerValue:
    """The day an event ends on, as a number; what stands for an end that is missing is in `DomainFacts.end_after`."""
    facts = DOMAINS[domain]
    start = start_day(domain, table)
    if domain is Domain.PERSON:
        return start
    known = [day_numbers(table[facts.end])] if facts.end else []
    if isinstance(facts.end_after, str):
        known.append(start + table[facts.end_after].cast("int64"))
    if facts.end_after is not None:
        known.append(start + 1)
    return ibis.coalesce(*known)


def ends_on_next_day(domain: Domain) -> bool:
    """Whether every event of a table ends on the day after it starts."""
    return DOMAINS[domain].end is None and DOMAINS[domain].end_after == 1
