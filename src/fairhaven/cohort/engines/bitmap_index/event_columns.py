"""The events of a table, in the order of concept, person and day: stretches of rows, and what is known of each row."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fairhaven.cohort.comparison_semantics import COMPARES
from fairhaven.cohort.domains import DOMAINS
from fairhaven.cohort.engines.bitmap_index.column_encoding import DayEncoding, DictionaryEncoding, years_of_days
from fairhaven.cohort.engines.bitmap_index.event_source import END, ORDINAL, START
from fairhaven.cohort.engines.bitmap_index.plan import IndexCannotAnswer, RowTest
from fairhaven.cohort.engines.bitmap_index.storage import Array, Arrays
from fairhaven.cohort.event_dates import day_number, ends_on_next_day
from fairhaven.cohort.model import Compare, DateField, Dates, Domain, Known, Numbers, OneOf, Test


class EventTable:
    """A table of events as the index keeps it."""

    def __init__(self, arrays: Arrays, domain: Domain) -> None:
        facts: Mapping[str, Any] = arrays.facts["tables"][domain.value]
        self.domain = domain
        self.length: int = facts["rows"]
        self.days = DayEncoding(before=facts.get("before", 0), last=0)
        self.same: Mapping[str, float | int | None] = facts["same"]
        self.ends_on_next_day = ends_on_next_day(domain)
        self._arrays = arrays
        self._columns: dict[str, Array] = {}
        self._codings: dict[str, DictionaryEncoding] = {}
        self._concepts = self._read("concepts") if self.length else np.empty(0, np.int64)
        self._first = self._read("first") if self.length else np.zeros(1, np.int64)

    def column(self, name: str) -> Array:
        """A column as it is stored, mapped and not read."""
        if name not in self._columns:
            self._columns[name] = self._read(name)
        return self._columns[name]

    def has_column(self, name: str) -> bool:
        """Whether the index keeps a column."""
        return self._arrays.has(self.domain.value, name)

    def coding(self, name: str) -> DictionaryEncoding | None:
        """What the numbers of a column stand for; None where they stand for themselves."""
        if not self._arrays.has(self.domain.value, f"{name} values"):
            return None
        if name not in self._codings:
            self._codings[name] = DictionaryEncoding(values=self._read(f"{name} values"))
        return self._codings[name]

    def stretches(self, concepts: Array | None) -> list[tuple[int, int]]:
        """Where the rows of some concepts are, neighbours joined; all rows for None.

        Args:
            concepts: ids, sorted.
        """
        if concepts is None:
            return [(0, self.length)] if self.length else []
        places = np.searchsorted(self._concepts, concepts)
        places = places[places < len(self._concepts)] if len(self._concepts) else places[:0]
        places = places[np.isin(self._concepts[places], concepts)]
        joined: list[tuple[int, int]] = []
        for place in np.unique(places):
            begin, end = int(self._first[place]), int(self._first[place + 1])
            if joined and joined[-1][1] == begin:
                joined[-1] = (joined[-1][0], end)
            else:
                joined.append((begin, end))
        return joined

    def _read(self, name: str) -> Array:
        return self._arrays(self.domain.value, name)


class SelectedRows:
    """Rows of a table, narrowed step by step; a column is read when it is asked for, for the rows that are left."""

    def __init__(self, table: EventTable, stretches: list[tuple[int, int]]) -> None:
        self._table = table
        self._stretches = stretches
        self._kept: Array | None = None
        self._ordinals: Array | None = None

    def __len__(self) -> int:
        return len(self.ordinals)

    @property
    def ordinals(self) -> Array:
        """Whose row it is."""
        if self._ordinals is None:
            self._ordinals = self._column(ORDINAL)
        return self._ordinals

    def keep(self, flags: Array) -> None:
        """Leave out the rows without a flag."""
        self.take(np.flatnonzero(flags))

    def take(self, chosen: Array) -> None:
        """Leave out all rows but those at these places."""
        self._ordinals = self.ordinals[chosen]
        self._kept = chosen if self._kept is None else self._kept[chosen]

    def days(self, of: DateField) -> Array:
        """Start or end of each row, days since 1970; a missing end is a day before all others."""
        if of is DateField.END and self._table.ends_on_next_day:
            return self.days(DateField.START) + np.int32(1)
        return self._table.days.days(self._column(START if of is DateField.START else END))

    def has_end(self) -> Array:
        """Whether the row's end is known."""
        if self._table.ends_on_next_day:
            return np.ones(len(self), bool)
        flags: Array = self._column(END) > 0
        return flags

    def pass_test(self, asked: RowTest, of_persons: Callable[[RowTest], Array], birth_years: Array) -> Array:
        """Which rows pass a test.

        Args:
            of_persons: which ordinals pass a test of PERSON.
            birth_years: by ordinal.
        """
        name, test = asked.field, asked.test
        match name:
            case "start_date":
                return passes_test(self.days(DateField.START), test)
            case "age":
                return passes_test(years_of_days(self.days(DateField.START)) - birth_years[self.ordinals], test)
            case "end_date":
                return self._if_ended(passes_test(self.days(DateField.END), test), asked)
            case "age_at_end":
                ages = years_of_days(self.days(DateField.END)) - birth_years[self.ordinals]
                return self._if_ended(passes_test(ages, test), asked)
            case "days":
                length = self.days(DateField.END) - self.days(DateField.START)
                return self._if_ended(passes_test(length, test), asked)
        if not len(self):
            return np.zeros(0, bool)
        if name in self._table.same:
            return np.full(len(self), self._pass_same(self._table.same[name], test))
        if self._table.has_column(name):
            return self._pass_stored(name, asked)
        flags: Array = of_persons(asked)[self.ordinals]
        return flags

    def _pass_stored(self, name: str, asked: RowTest) -> Array:
        wants_missing = isinstance(asked.test, Known) and not asked.test.yes
        stored = self._column(name)
        if (coding := self._table.coding(name)) is None:
            missing = np.isnan(stored)
            return (missing & wants_missing) | (~missing & passes_test(stored, asked.test))
        by_code = np.append(wants_missing, passes_test(coding.values, asked.test))
        flags: Array = by_code[stored]
        return flags

    def _pass_same(self, value: float | int | None, test: Test) -> bool:
        if value is None:
            return isinstance(test, Known) and not test.yes
        return bool(passes_test(np.array([value]), test)[0])

    def _if_ended(self, passed: Array, asked: RowTest) -> Array:
        ended = self.has_end()
        if isinstance(asked.test, Known):
            return ended if asked.test.yes else ~ended
        return passed & ended

    def _column(self, name: str) -> Array:
        if not self._stretches:
            return np.empty(0, np.int64)
        column = self._table.column(name)
        parts = [column[begin:end] for begin, end in self._stretches]
        whole = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return whole if self._kept is None else whole[self._kept]


def source_test(domain: Domain, concepts: Array) -> RowTest:
    """Rows whose source concept is one of some."""
    name = DOMAINS[domain].source_concept or ""
    return RowTest(field=name, test=OneOf(concepts=tuple(int(each) for each in concepts)))


def passes_test(values: Array, test: Test) -> Array:
    """Which of some known values pass a test.

    Args:
        values: numbers; days since 1970 where the test is of dates.
    """
    passed: Array
    match test:
        case Known(yes=yes):
            passed = np.full(len(values), yes)
        case OneOf(concepts=ids, excluded=excluded):
            passed = np.isin(values, np.array(ids, np.int64), invert=excluded)
        case Numbers(compare=compare, value=value, to=to):
            passed = _compared(values, compare, value, to)
        case Dates(compare=compare, value=first, to=last):
            passed = _compared(values, compare, day_number(first), None if last is None else day_number(last))
        case _:
            raise IndexCannotAnswer(f"a test of this kind: {type(test).__name__}")
    return passed


def _compared(values: Array, compare: Compare, value: float, to: float | None) -> Array:
    passed: Array
    match compare:
        case Compare.BETWEEN:
            passed = (values >= value) & (values <= (value if to is None else to))
        case Compare.OUTSIDE:
            passed = (values < value) | (values > (value if to is None else to))
        case _:
            passed = COMPARES[compare](values, value)
    return passed
