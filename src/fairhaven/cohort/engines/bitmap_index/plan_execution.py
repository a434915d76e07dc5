"""From a plan to the persons: sets first, then, for as few persons as they leave, the rows of events."""

from functools import reduce
from operator import and_

import numpy as np
from pyroaring import BitMap

from fairhaven.cohort.comparison_semantics import needs_an_event
from fairhaven.cohort.engines.bitmap_index.bitmaps import bitmap_of_flags, bitmap_of_ordinals, flags_of_bitmap
from fairhaven.cohort.engines.bitmap_index.column_encoding import first_days_of_years
from fairhaven.cohort.engines.bitmap_index.event_selection import (
    EventSelector,
    IndexEvents,
    meets_match,
    meets_occurrence,
)
from fairhaven.cohort.engines.bitmap_index.period_lookup import keyed
from fairhaven.cohort.engines.bitmap_index.person_sets import PersonSets
from fairhaven.cohort.engines.bitmap_index.plan import (
    Complement,
    CorrelatedEvents,
    HasConcept,
    HasEntryEvent,
    Persons,
    PlanGroup,
)
from fairhaven.cohort.engines.bitmap_index.storage import Array
from fairhaven.cohort.event_dates import FAR
from fairhaven.cohort.model import DateField, Filter, Limit, Match, OccurrenceType


class PlanExecutor:
    """Answers plans.

    Args:
        birth_years: by ordinal.
    """

    def __init__(self, sets: PersonSets, selecting: EventSelector, birth_years: Array) -> None:
        self._sets = sets
        self._selecting = selecting
        self._birth_years = birth_years

    def persons(self, asked: Persons, within: BitMap | None = None) -> BitMap:
        """The persons of a plan.

        Args:
            within: whether others belong to it does not matter.
        """
        match asked:
            case HasConcept():
                return self._sets.having(asked)
            case Filter():
                return self._sets.being(asked)
            case Complement(persons=persons):
                return self._sets.everybody - self.persons(persons, within)
            case PlanGroup():
                return self._grouped(asked, within)
            case CorrelatedEvents():
                return self._times(asked, within)
            case HasEntryEvent():
                return self._entered(asked)

    def _grouped(self, asked: PlanGroup[Persons], within: BitMap | None) -> BitMap:
        match asked:
            case PlanGroup(match=Match.ALL, members=members):
                # Sets before rows: what they leave is all that rows are read for.
                for member in sorted(members, key=_reads_rows):
                    persons = self.persons(member, within)
                    within = persons if within is None else within & persons
                return self._sets.everybody if within is None else within
            case PlanGroup(match=Match.ANY) if asked.members:
                return self._any(asked, within)
            case PlanGroup(match=Match.AT_MOST) if asked.members and not asked.count:
                return self._sets.everybody - self._any(asked, within)
        counts = np.zeros(len(self._birth_years), np.int16)
        for member in asked.members:
            counts += flags_of_bitmap(self.persons(member, within), len(self._birth_years))
        return bitmap_of_flags(meets_match(counts, asked))

    def _any(self, asked: PlanGroup[Persons], within: BitMap | None) -> BitMap:
        return BitMap.union(BitMap(), *(self.persons(member, within) for member in asked.members))

    def _times(self, asked: CorrelatedEvents, within: BitMap | None) -> BitMap:
        """Persons by how many rows they have."""
        if needs_an_event(asked.occurrence):
            possible = self._selecting.persons_of(asked.rows)
            within = possible if within is None else within & possible
        rows = self._selecting.rows(asked.rows, self._selecting.flags(within))
        if asked.since or asked.until:
            if asked.of is DateField.END:
                rows.keep(rows.has_end())
            lived = rows.days(asked.of) - first_days_of_years(self._birth_years)[rows.ordinals]
            since = max((bound.at for bound in asked.since if isinstance(bound.at, int)), default=-FAR)
            until = min((bound.at for bound in asked.until if isinstance(bound.at, int)), default=FAR)
            rows.keep((lived >= since) & (lived <= until))
        ordinals = rows.ordinals
        if asked.occurrence.times is OccurrenceType.AT_LEAST and asked.occurrence.count == 1:
            return bitmap_of_ordinals(ordinals)
        if asked.rows.first or asked.occurrence.distinct is not None:
            ordinals = np.unique(keyed(ordinals, rows.days(DateField.START))) >> 32
        counts = np.bincount(ordinals, minlength=len(self._birth_years))
        return bitmap_of_flags(meets_occurrence(counts, asked.occurrence))

    def _entered(self, asked: HasEntryEvent) -> BitMap:
        selecting = self._selecting
        conditions = [each for each in (asked.qualifying, *asked.rules.members) if each is not None]
        possible = [each for each in map(selecting.possible, conditions) if each is not None]
        within = selecting.flags(reduce(and_, possible) if possible else None)
        indexes = [selecting.index(selecting.rows(part, within))[0] for part in asked.parts]
        index = IndexEvents(
            **{name: np.concatenate([getattr(each, name) for each in indexes]) for name in IndexEvents.__slots__}
        )
        index = index.take(
            np.flatnonzero(
                (index.period_start + asked.prior_days <= index.start)
                & (index.start + asked.post_days <= index.period_end)
            )
        )
        index = _limited(index, asked.limit)
        if asked.qualifying is not None:
            index = index.take(np.flatnonzero(selecting.holds(index, asked.qualifying)))
            index = _limited(index, asked.qualified_limit)
        return bitmap_of_ordinals(index.ordinals[selecting.holds(index, asked.rules)])


def _limited(index: IndexEvents, limit: Limit) -> IndexEvents:
    """Each person's first or last index event; which of several on one day makes no difference to what is asked then."""
    if limit is Limit.ALL:
        return index
    order = np.argsort(keyed(index.ordinals, index.start), kind="stable")
    ordinals = index.ordinals[order]
    differs = ordinals[1:] != ordinals[:-1]
    chosen = np.append(True, differs) if limit is Limit.FIRST else np.append(differs, True)
    return index.take(order[chosen[: len(order)]])


def _reads_rows(asked: Persons) -> int:
    """Sets first, groups of sets next, rows last."""
    match asked:
        case CorrelatedEvents() | HasEntryEvent():
            return 2
        case PlanGroup(members=members):
            return max(map(_reads_rows, members), default=0)
        case Complement(persons=persons):
            return _reads_rows(persons)
    return 0
