"""Ranges and bounds as RQuest writes them: ``1.0|3.0``, ``50|:AGE:Y`` (50 years or older), ``|1:TIME:M`` (in the last month)."""

import calendar
import datetime as dt
import re
from dataclasses import dataclass

from fairhaven.cohort.model import Compare, Dates, Filter, Numbers

_BOUND = re.compile(r"([0-9]*+)(\|)?([0-9]*+):(AGE|TIME):([A-Z])")
_NUMBER = r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_RANGE = re.compile(rf"({_NUMBER})?\|({_NUMBER})?")
_DOTTED = re.compile(r"([0-9]+|[0-9]*\.[0-9]+)\.\.(-?[0-9]*\.[0-9]+)")
_UNITS = {"AGE": "Y", "TIME": "M"}
_LONGEST = {"AGE": 1_000, "TIME": 12_000}
_LARGEST = 1e15


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleBound:
    """An age or a date that events must lie on one side of.

    Args:
        field: ``age`` or ``start_date``.
        value: years, or the date that lies so many months back.
        compare: on which side; the bound itself belongs to it.
    """

    field: str
    value: int | dt.date
    compare: Compare

    def at_event(self) -> Filter:
        """The bound asked of an event."""
        match self.value:
            case dt.date() as day:
                return Filter(field=self.field, test=Dates(compare=self.compare, value=day))
            case years:
                return Filter(field=self.field, test=Numbers(compare=self.compare, value=years))

    def at_birth(self, today: dt.date) -> Filter:
        """An age asked of a person: the age that is reached in this calendar year."""
        assert isinstance(self.value, int)
        compare = Compare.AT_MOST if self.compare is Compare.AT_LEAST else Compare.AT_LEAST
        return Filter(field="year_of_birth", test=Numbers(compare=compare, value=today.year - self.value))


def read_bound(text: str, *, today: dt.date) -> RuleBound | None:
    """The bound that a rule's ``time`` gives; None where it is empty.

    Raises:
        ValueError: in words that end a sentence which the place of the text begins.
    """
    if not text:
        return None
    found = _BOUND.fullmatch(text)
    if found is None or not (found[1] or found[3]):
        raise ValueError("must be written like 50|:AGE:Y (50 years or older) or |6:TIME:M (in the last 6 months)")
    least, most, category, unit = found[1], found[3], found[4], found[5]
    if least and most:
        raise ValueError("has two bounds, of which the reference passes over one; write two rules")
    if unit != _UNITS[category]:
        raise ValueError(
            f"{category} is counted in {_UNITS[category]}, whatever the unit says; write {_UNITS[category]}"
        )
    amount = int((least or most)[:12])
    if amount > _LONGEST[category]:
        raise ValueError("lies further back than anybody's record")
    if category == "AGE":
        return RuleBound(field="age", value=amount, compare=Compare.AT_LEAST if least else Compare.AT_MOST)
    # Longer ago than so many months is on or before that day; events within them are on or after it.
    compare = Compare.AT_MOST if least else Compare.AT_LEAST
    return RuleBound(field="start_date", value=months_before(today, amount), compare=compare)


def read_range(text: str) -> tuple[float, float]:
    """Both ends of a range, which belong to it; whole numbers as such.

    Raises:
        ValueError: in words that end a sentence which the place of the text begins.
    """
    found = _RANGE.fullmatch(text) or _DOTTED.fullmatch(text)
    if found is None:
        raise ValueError("must be a range written like 1.0|3.0")
    if found[1] is None or found[2] is None:
        raise ValueError("gives one end of the range, which the reference passes over as a whole; give both")
    low, high = (int(end) if end.is_integer() else end for end in map(float, found.groups()))
    if max(abs(low), abs(high)) > _LARGEST:
        raise ValueError("is too large to be compared exactly; give at most 1e15")
    if low > high:
        raise ValueError("ends before it starts; give the smaller number first")
    return low, high


def months_before(day: dt.date, months: int) -> dt.date:
    """The same day of an earlier month, or that month's last day where it is shorter; the calendar's first at most."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    if year < dt.MINYEAR:
        return dt.date.min
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
