"""Dates as whole days since 1 January 1970: windows become integer arithmetic, the same on every engine."""

import datetime as dt

import ibis
import ibis.expr.types as ir

_EPOCH = dt.date(1970, 1, 1)
FAR = 1 << 29
"""Beyond every calendar date, to either side: the end of a window that is open."""


def day_number(day: dt.date) -> int:
    """Days since 1970-01-01."""
    return (day - _EPOCH).days


FIRST_DAY, LAST_DAY = day_number(dt.date.min), day_number(dt.date.max)
"""The calendar, for what counts as observed at all times: these days can be written as dates."""


def days(column: ir.Value) -> ir.IntegerValue:
    """A date or timestamp column as day numbers."""
    return column.cast("date").epoch_days().cast("int64")


def date(number: ir.IntegerValue) -> ir.DateValue:
    """A column of day numbers as dates."""
    # Through a timestamp: DuckDB makes one of a date and an interval, and Ibis believes that it is still a date.
    return (ibis.date("1970-01-01") + number.as_interval("D")).cast("timestamp").cast("date")


def year(number: ir.IntegerValue) -> ir.IntegerValue:
    """The calendar year of a column of day numbers."""
    return (ibis.date("1970-01-01") + number.as_interval("D")).year()


def first_of_year(year_number: ir.Value) -> ir.IntegerValue:
    """Day number of 1 January of a column of years, by the Gregorian calendar's leap years."""
    before = year_number.cast("int64") - 1
    leaps = before // 4 - before // 100 + before // 400
    return before * 365 + leaps - _DAYS_BEFORE_1970


_DAYS_BEFORE_1970 = day_number(_EPOCH) - day_number(dt.date(1, 1, 1))
