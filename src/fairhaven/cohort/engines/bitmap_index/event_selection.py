"""Rows of events that a plan asks for, and conditions on index events.

A row's person and day are one number (`period_lookup.keyed`),

    key = person * 2 ** 32 + (day + FAR),        0 <= day + FAR < 2 ** 32,

so that keys sort by person, then day, and no window reaches into the next person's keys. Of sorted keys the events of
person *p* from day *a* to day *b* are a stretch, and their number is two binary searches:

    count(p, a, b) = right(key(p, b)) - left(key(p, a))

for all index events at once: O((n + m) log n) for *n* rows and *m* index events, and no join.

Invariant of everything that narrows rows by bitmaps first (`possible`, `persons_of`, *within*): the set is that of the
answer or larger, never smaller. It saves reading rows and decides nothing.
"""

from dataclasses import dataclass
from functools import reduce

import numpy as np
from pyroaring import BitMap

from fairhaven.cohort.comparison_semantics import TIMES, member_bounds, needs_an_event
from fairhaven.cohort.engines.bitmap_index.bitmaps import flags_of_bitmap
from fairhaven.cohort.engines.bitmap_index.column_encoding import years_of_days
from fairhaven.cohort.engines.bitmap_index.event_columns import EventTable, SelectedRows, passes_test, source_test
from fairhaven.cohort.engines.bitmap_index.period_lookup import Periods, keyed
from fairhaven.cohort.engines.bitmap_index.person_sets import PersonSets
from fairhaven.cohort.engines.bitmap_index.plan import (
    Condition,
    CorrelatedEvents,
    EventRows,
    HasConcept,
    IntervalBound,
    PlanGroup,
)
from fairhaven.cohort.engines.bitmap_index.storage import Array, Arrays
from fairhaven.cohort.event_dates import FAR
from fairhaven.cohort.model import DateField, Demographic, Domain, Edge, Filter, Match, Occurrence


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexEvents:
    """Index events: whose, when (days since 1970), and the observation period they start in.

    Args:
        has_end: whether the end is known.
    """

    ordinals: Array
    start: Array
    end: Array
    has_end: Array
    period_start: Array
    period_end: Array

    def __len__(self) -> int:
        return len(self.ordinals)

    def take(self, places: Array) -> "IndexEvents":
        """Some of the events, in order."""
        if len(places) == len(self):
            return self
        return IndexEvents(**{name: getattr(self, name)[places] for name in IndexEvents.__slots__})


class EventSelector:
    """Reads rows of an index.

    Args:
        birth_years: by ordinal.
    """

    def __init__(self, arrays: Arrays, sets: PersonSets, periods: Periods, birth_years: Array) -> None:
        self._arrays = arrays
        self._sets = sets
        self._periods = periods
        self._birth_years = birth_years
        self._tables: dict[Domain, EventTable] = {}

    def flags(self, persons: BitMap | None) -> Array | None:
        """Persons as flags, or None for more than half of all: then testing rows costs more than it spares."""
        count = len(self._birth_years)
        return None if persons is None or 2 * len(persons) > count else flags_of_bitmap(persons, count)

    def rows(self, asked: EventRows, within: Array | None = None) -> SelectedRows:
        """The rows.

        Of the earliest rows of each person all that share the day are given: whoever counts must count them once.

        Args:
            within: flags of persons; rows of others may be left out.
        """
        if asked.domain not in self._tables:
            self._tables[asked.domain] = EventTable(self._arrays, asked.domain)
        table = self._tables[asked.domain]
        found = SelectedRows(table, table.stretches(asked.concepts))
        if within is not None:
            found.keep(within[found.ordinals])
        if asked.nested is not None and (possible := self.flags(self.possible(asked.nested))) is not None:
            found.keep(possible[found.ordinals])
        if asked.source_concepts is not None:
            found.keep(self._passing(found, source_test(asked.domain, asked.source_concepts)))
        if asked.first:
            found.keep(self._earliest(found))
        for test in asked.tests:
            found.keep(self._passing(found, test))
        if asked.nested is not None:
            index, places = self.index(found)
            found.take(places[self.holds(index, asked.nested)])
        return found

    def index(self, rows: SelectedRows) -> tuple[IndexEvents, Array]:
        """The rows that start in an observation period, as index events; and which rows they are."""
        start = rows.days(DateField.START)
        observed, first, last = self._periods.containing(rows.ordinals, start)
        places = np.flatnonzero(observed)
        index = IndexEvents(
            ordinals=rows.ordinals[places],
            start=start[places],
            end=rows.days(DateField.END)[places],
            has_end=rows.has_end()[places],
            period_start=first[places],
            period_end=last[places],
        )
        return index, places

    def holds(self, index: IndexEvents, condition: Condition) -> Array:
        """Of which index events a condition holds."""
        match condition:
            case CorrelatedEvents():
                return meets_occurrence(self._counts_around(index, condition), condition.occurrence)
            case Demographic(filters=tests):
                return reduce(
                    np.logical_and, (self._at_index(index, test) for test in tests), np.ones(len(index), bool)
                )
            case PlanGroup(match=Match.ALL, members=members):
                # The cheap ones first, and each asked only of those events that met all before it.
                remaining = np.arange(len(index))
                for member in sorted(members, key=lambda each: not isinstance(each, Demographic)):
                    remaining = remaining[self.holds(index.take(remaining), member)]
                flags = np.zeros(len(index), bool)
                flags[remaining] = True
                return flags
            case PlanGroup(members=members):
                counts = sum((self.holds(index, each) for each in members), np.zeros(len(index), np.int64))
                return meets_match(counts, condition)

    def possible(self, condition: Condition) -> BitMap | None:
        """Persons outside whom a condition holds of nobody, by bitmaps alone; None where they do not say.

        Of all that must hold one that is known narrows; of any that may hold one that is not known could be met by
        anybody. A condition that no event meets as well (at most so many, exactly none) narrows nothing.
        """
        match condition:
            case CorrelatedEvents(rows=rows, occurrence=occurrence) if needs_an_event(occurrence):
                return self.persons_of(rows)
            case PlanGroup(match=Match.ALL, members=members):
                known = [each for each in map(self.possible, members) if each is not None]
                return reduce(lambda one, other: one & other, known) if known else None
            case PlanGroup(match=Match.ANY, members=members) if members:
                found = [self.possible(each) for each in members]
                known = [each for each in found if each is not None]
                return BitMap.union(BitMap(), *known) if len(known) == len(found) else None
        return None

    def persons_of(self, rows: EventRows) -> BitMap:
        """Everybody who might have such rows: by concept, whatever else is asked."""
        having = self._sets.having(HasConcept(domain=rows.domain, concepts=rows.concepts, tops=rows.tops))
        if rows.source_concepts is not None:
            having = having & self._sets.having(
                HasConcept(domain=rows.domain, concepts=rows.source_concepts, of_source=True)
            )
        possible = None if rows.nested is None else self.possible(rows.nested)
        return having if possible is None else having & possible

    def _counts_around(self, index: IndexEvents, asked: CorrelatedEvents) -> Array:
        """How many rows lie around each index event."""
        rows = self.rows(asked.rows, self._persons_in(index))
        if asked.of is DateField.END:
            rows.keep(rows.has_end())
        keys = keyed(rows.ordinals, rows.days(asked.of))
        keys.sort()
        if asked.rows.first or asked.occurrence.distinct is not None:
            # Different days are asked for, or a first event, of which there is one whatever else is on its day.
            keys = keys[np.append(True, keys[1:] != keys[:-1])] if len(keys) else keys
        begin, is_begin_known = self._window_end(index, asked.since, -FAR, np.maximum)
        end, is_end_known = self._window_end(index, asked.until, FAR, np.minimum)
        before = np.searchsorted(keys, keyed(index.ordinals, begin), "left")
        up_to = np.searchsorted(keys, keyed(index.ordinals, end), "right")
        # A window whose begin is after its end holds nothing; the searches would say fewer than nothing.
        return np.where(is_begin_known & is_end_known, np.maximum(up_to - before, 0), 0)

    def _persons_in(self, index: IndexEvents) -> Array | None:
        """The persons of index events, where that spares rows."""
        if 2 * len(index) > len(self._birth_years):
            return None
        flags = np.zeros(len(self._birth_years), bool)
        flags[index.ordinals] = True
        return flags

    def _window_end(
        self, index: IndexEvents, bounds: tuple[IntervalBound, ...], open_end: int, narrow: np.ufunc
    ) -> tuple[Array, Array]:
        """One end of the stretch of days for each index event, and whether it is known."""
        limit = np.full(len(index), open_end, np.int32)
        is_known = np.ones(len(index), bool)
        for bound in bounds:
            match bound:
                case IntervalBound(at=Edge.PERIOD_START):
                    day = index.period_start
                case IntervalBound(at=Edge()):
                    day = index.period_end
                case IntervalBound(at=days, index=DateField.START):
                    day = index.start + days
                case IntervalBound(at=days):
                    day = index.end + days
                    is_known &= index.has_end
            limit = narrow(limit, day)
        return np.clip(limit, -FAR, FAR), is_known

    def _passing(self, rows: SelectedRows, test: Filter) -> Array:
        return rows.pass_test(test, self._flags, self._birth_years)

    def _flags(self, test: Filter) -> Array:
        return flags_of_bitmap(self._sets.being(test), len(self._birth_years))

    def _earliest(self, rows: SelectedRows) -> Array:
        start = rows.days(DateField.START)
        earliest = np.full(len(self._birth_years), FAR, np.int32)
        np.minimum.at(earliest, rows.ordinals, start)
        is_earliest: Array = start == earliest[rows.ordinals]
        return is_earliest

    def _at_index(self, index: IndexEvents, asked: Filter) -> Array:
        match asked.field:
            case "age":
                return passes_test(years_of_days(index.start) - self._birth_years[index.ordinals], asked.test)
            case "start_date":
                return passes_test(index.start, asked.test)
            case "end_date":
                return passes_test(index.end, asked.test, index.has_end)
        return self._flags(asked)[index.ordinals]


def meets_occurrence(counts: Array, occurrence: Occurrence) -> Array:
    """Which numbers of events an occurrence asks for."""
    flags: Array = TIMES[occurrence.times](counts, occurrence.count)
    return flags


def meets_match(counts: Array, group: PlanGroup[object]) -> Array:
    """Which numbers of members that hold are enough for a group."""
    least, most = member_bounds(group.match, group.count, len(group.members))
    return (counts >= least) & (counts <= most)
