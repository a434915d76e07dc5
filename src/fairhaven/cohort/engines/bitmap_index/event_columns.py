"""The events of a table, in the order of concept, person and day: stretches of rows, and what is known of each row."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from fairhaven.cohort.comparison_semantics import COMPARES
from fairhaven.cohort.domains import DOMAINS
from fairhaven.cohort.engines.bitmap_index.column_encoding import DayEncoding, DictionaryEncoding, years_of_days
from fairhaven.cohort.engines.bitmap_index.concept_hierarchy import places_in
from fairhaven.cohort.engines.bitmap_index.event_source import END, ORDINAL, START
from fairhaven.cohort.engines.bitmap_index.plan import IndexCannotAnswer
from fairhaven.cohort.engines.bitmap_index.storage import Array, Arrays
from fairhaven.cohort.event_dates import ends_of_range, ends_on_next_day
from fairhaven.cohort.model import Compare, DateField, Dates, Domain, Filter, Known, Numbers, OneOf, Test


class EventTable:
    """A table of events as the index keeps it."""

    def __init__(self, arrays: Arrays, domain: Domain) -> None:
        facts: Mapping[str, Any] = arrays.facts["tables"][domain.value]
        self.length: int = facts["rows"]
        self.days = DayEncoding(before=facts.get("before", 0), last=0)
        self.same: Mapping[str, float | int | None] = facts["same"]
        self.ends_on_next_day = ends_on_next_day(domain)
        self._arrays = arrays
        self._file = domain.value
        self._concepts = self.column("concepts") if self.length else np.empty(0, np.int64)
        self._first = self.column("first") if self.length else np.zeros(1, np.int64)

    def column(self, name: str) -> Array:
        """A column as it is stored."""
        return self._arrays(self._file, name)

    def rows(self, name: str, begin: int, end: int) -> Array:
        """Some rows of a column as it is stored."""
        return self._arrays.rows(self._file, name, begin, end)

    def has_column(self, name: str) -> bool:
        """Whether the index keeps a column."""
        return self._arrays.has(self._file, name)

    def coding(self, name: str) -> DictionaryEncoding | None:
        """What the numbers of a column stand for; None where they stand for themselves."""
        values = f"{name} values"
        return DictionaryEncoding(values=self.column(values)) if self.has_column(values) else None

    def stretches(self, concepts: Array | None) -> list[tuple[int, int]]:
        """Where the rows of some concepts are, neighbours joined; all rows for None.

        Args:
            concepts: ids, sorted.
        """
        if concepts is None:
            return [(0, self.length)] if self.length else []
        places = places_in(self._concepts, concepts)
        if not len(places):
            return []
        begins, ends = self._first[places], self._first[places + 1]
        are_apart = ends[:-1] != begins[1:]
        return list(
            zip(begins[np.append(True, are_apart)].tolist(), ends[np.append(are_apart, True)].tolist(), strict=True)
        )


class SelectedRows:
    """Rows of a table, narrowed step by step; a column is read when it is asked for, for the rows that are left."""

    def __init__(self, table: EventTable, stretches: list[tuple[int, int]]) -> None:
        self._table = table
        self._stretches = stretches
        self._kept: Array | None = None

    def __len__(self) -> int:
        return len(self.ordinals)

    @cached_property
    def ordinals(self) -> Array:
        """Whose row it is."""
        return self._column(ORDINAL)

    def keep(self, flags: Array) -> None:
        """Leave out the rows without a flag."""
        self.take(np.flatnonzero(flags))

    def take(self, chosen: Array) -> None:
        """Leave out all rows but those at these places."""
        self.ordinals = self.ordinals[chosen]
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
        return self._column(END) > 0

    def pass_test(self, asked: Filter, of_persons: Callable[[Filter], Array], birth_years: Array) -> Array:
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
                return passes_test(self.days(DateField.END), test, self.has_end())
            case "age_at_end":
                ages = years_of_days(self.days(DateField.END)) - birth_years[self.ordinals]
                return passes_test(ages, test, self.has_end())
            case "days":
                return passes_test(self.days(DateField.END) - self.days(DateField.START), test, self.has_end())
        if not len(self):
            return np.zeros(0, bool)
        if name in self._table.same:
            value = self._table.same[name]
            passed = passes_test(np.array([value or 0]), test, np.array([value is not None]))
            return np.repeat(passed, len(self))
        if not self._table.has_column(name):
            return of_persons(asked)[self.ordinals]
        stored = self._column(name)
        if (coding := self._table.coding(name)) is None:
            return passes_test(stored, test, ~np.isnan(stored))
        values = np.append(0, coding.values)
        return passes_test(values, test, np.arange(len(values)) > 0)[stored]

    def _column(self, name: str) -> Array:
        if not self._stretches:
            return np.empty(0, np.int64)
        parts = [self._table.rows(name, begin, end) for begin, end in self._stretches]
        whole = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return whole if self._kept is None else whole[self._kept]


def source_test(domain: Domain, concepts: Array) -> Filter:
    """Rows whose source concept is one of some."""
    return Filter(field=DOMAINS[domain].source_concept or "", test=OneOf(concepts=tuple(concepts.tolist())))


def passes_test(values: Array, test: Test, is_known: Array | None = None) -> Array:
    """Which of some values pass a test.

    Args:
        values: numbers; days since 1970 where the test is of dates.
        is_known: False where a value is missing; None where none is.
    """
    known = np.ones(len(values), bool) if is_known is None else is_known
    match test:
        case Known(yes=yes):
            return known if yes else ~known
        case OneOf(concepts=ids, excluded=excluded):
            return known & np.isin(values, np.array(ids, np.int64), invert=excluded)
        case Numbers() | Dates():
            return known & _compared(values, test)
    raise IndexCannotAnswer(f"a test of this kind: {type(test).__name__}")


def _compared(values: Array, test: Numbers | Dates) -> Array:
    value, to = ends_of_range(test)
    passed: Array
    match test.compare:
        case Compare.BETWEEN:
            passed = (values >= value) & (values <= to)
        case Compare.OUTSIDE:
            passed = (values < value) | (values > to)
        case compare:
            passed = COMPARES[compare](values, value)
    return passed
