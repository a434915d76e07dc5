"""Sets of persons that bitmaps alone give: who has a concept, and who a person is."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from pyroaring import BitMap

from fairhaven.cohort.engines.bitmap_index import bitmap_keys
from fairhaven.cohort.engines.bitmap_index.bitmaps import Bitmaps
from fairhaven.cohort.engines.bitmap_index.column_encoding import first_days_of_years
from fairhaven.cohort.engines.bitmap_index.concept_hierarchy import ConceptHierarchy
from fairhaven.cohort.engines.bitmap_index.event_columns import passes_test
from fairhaven.cohort.engines.bitmap_index.plan import HasConcept
from fairhaven.cohort.model import Domain, Filter, Known

_FEW = 16
"""Bitmaps that are put together faster than it takes to look for their union ready made."""

_KEPT = 128
"""Answers to parts of questions that are kept: who refines a cohort asks most of it again."""


class PersonSets:
    """The sets of an index. What is handed out is shared: never change it."""

    def __init__(self, bitmaps: Bitmaps, concepts: ConceptHierarchy) -> None:
        self._bitmaps = bitmaps
        self._concepts = concepts
        self.everybody = self._of(bitmap_keys.EVERYBODY, 0)
        self._kept_union = lru_cache(_KEPT)(self._union)
        self._kept_having_any = lru_cache(_KEPT)(self._having_any)

    def having(self, asked: HasConcept) -> BitMap:
        """Persons with any of some concepts in a table."""
        if asked.concepts is None:
            return self._of(bitmap_keys.has_event(asked.domain), 0)
        concepts = asked.concepts.tobytes()
        if asked.of_source:
            return self._kept_union(bitmap_keys.has_source(asked.domain), concepts)
        return self._kept_having_any(asked.domain, concepts, asked.tops)

    def being(self, asked: Filter) -> BitMap:
        """Persons whose column of PERSON passes a test."""
        if asked.field == "age":
            # At the first day of the year of birth everybody's age is 0.
            return self.everybody if passes_test(np.zeros(1), asked.test)[0] else BitMap()
        is_date = asked.field in ("start_date", "end_date")
        kind = bitmap_keys.has_attribute("year_of_birth" if is_date else asked.field)
        values = self._bitmaps.concepts(kind)
        if asked.test == Known(yes=False):
            return self.everybody - self._bitmaps.union(kind, values)
        passed = passes_test(first_days_of_years(values) if is_date else values, asked.test)
        return self._kept_union(kind, values[passed].tobytes())

    def forget(self) -> None:
        """Give back the memory that earlier answers are kept in."""
        self._kept_union.cache_clear()
        self._kept_having_any.cache_clear()
        self._bitmaps.forget()

    def each(self, kind: str) -> Iterator[tuple[int, BitMap]]:
        """The persons of each value of a kind, one by one."""
        for value in self._bitmaps.concepts(kind).tolist():
            yield value, self._of(kind, value)

    def _union(self, kind: str, concepts: bytes) -> BitMap:
        return self._bitmaps.union(kind, np.frombuffer(concepts, np.int64))

    def _having_any(self, domain: Domain, asked: bytes, tops: tuple[int, ...]) -> BitMap:
        """Persons with any of some concepts in a table; see `HasConcept`."""
        kind = bitmap_keys.has_concept(domain)
        held = self._bitmaps.concepts(kind)
        concepts = np.intersect1d(np.frombuffer(asked, np.int64), held, assume_unique=True)
        if len(concepts) <= _FEW:
            return self._bitmaps.union(kind, concepts)
        present = self._concepts.present
        left = np.zeros(len(present), bool)
        left[np.searchsorted(present, concepts)] = True
        is_held = np.zeros(len(present), bool)
        is_held[np.searchsorted(present, held)] = True
        # The union over all descendants of a concept serves where these lie wholly within what is asked for.
        united = bitmap_keys.has_descendant(domain)
        wanted = left.copy()
        found = []
        for top in (*tops, *np.intersect1d(concepts, self._bitmaps.concepts(united)).tolist()):
            below = self._concepts.below.of(top)
            below = below[is_held[below]]
            if np.count_nonzero(left[below]) > 1 and wanted[below].all() and (ready := self._bitmaps.get(united, top)):
                found.append(ready)
                left[below] = False
        return BitMap.union(BitMap(), self._bitmaps.union(kind, present[left]), *found)

    def _of(self, kind: str, concept: int) -> BitMap:
        return self._bitmaps.get(kind, concept) or BitMap()
