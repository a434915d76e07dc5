"""Sets of persons that bitmaps alone give: who has a concept, and who a person is."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from pyroaring import BitMap

from fairhaven.cohort.engines.bitmap_index import bitmap_keys
from fairhaven.cohort.engines.bitmap_index.bitmaps import Bitmaps
from fairhaven.cohort.engines.bitmap_index.column_encoding import first_days_of_years
from fairhaven.cohort.engines.bitmap_index.concept_hierarchy import ConceptHierarchy
from fairhaven.cohort.engines.bitmap_index.event_columns import passes_test
from fairhaven.cohort.engines.bitmap_index.plan import HasAttribute, HasConcept
from fairhaven.cohort.engines.bitmap_index.storage import Array
from fairhaven.cohort.model import Known

_FEW = 16
"""Bitmaps that are put together faster than it takes to look for their union ready made."""

_KEPT = 128
"""Answers to parts of questions that are kept: who refines a cohort asks most of it again."""


class PersonSets:
    """The sets of an index. What is handed out is shared: never change it.

    Args:
        numbers: of each kind of bitmap.
    """

    def __init__(self, bitmaps: Bitmaps, concepts: ConceptHierarchy, numbers: Mapping[str, int]) -> None:
        self._bitmaps = bitmaps
        self._concepts = concepts
        self._numbers = numbers
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[object, ...], BitMap] = OrderedDict()
        self.everybody = self._of(bitmap_keys.EVERYBODY, 0)
        self.observed = self._of(bitmap_keys.OBSERVED, 0)

    def having(self, asked: HasConcept) -> BitMap:
        """Persons with any of some concepts in a table."""
        if asked.concepts is None:
            return self._of(bitmap_keys.has_event(asked.domain), 0)
        concepts = asked.concepts
        return self._remembered(
            (asked.domain, asked.of_source, concepts.tobytes()), lambda: self._union(asked, concepts)
        )

    def being(self, asked: HasAttribute) -> BitMap:
        """Persons whose column of PERSON passes a test."""
        if asked.field == "age":
            # At the first day of the year of birth everybody's age is nought.
            return self.everybody if passes_test(np.zeros(1), asked.test)[0] else BitMap()
        is_date = asked.field in ("start_date", "end_date")
        kind = self._numbers[bitmap_keys.has_attribute("year_of_birth" if is_date else asked.field)]
        values = self._bitmaps.concepts(kind)
        if asked.test == Known(yes=False):
            return self.everybody - self._bitmaps.union(kind, values)
        passed = passes_test(first_days_of_years(values) if is_date else values, asked.test)
        return self._remembered((kind, passed.tobytes()), lambda: self._bitmaps.union(kind, values[passed]))

    def forget(self) -> None:
        """Give back the memory that earlier answers are kept in."""
        with self._lock:
            self._kept.clear()
        self._bitmaps.forget()

    def each(self, kind: str) -> Iterator[tuple[int, BitMap]]:
        """The persons of each value of a kind, one by one."""
        number = self._numbers[kind]
        for value in self._bitmaps.concepts(number):
            yield int(value), self._bitmaps.get(number, int(value)) or BitMap()

    def _union(self, asked: HasConcept, concepts: Array) -> BitMap:
        if asked.of_source:
            return self._bitmaps.union(self._numbers[bitmap_keys.has_source(asked.domain)], concepts)
        kind = self._numbers[bitmap_keys.has_concept(asked.domain)]
        concepts = np.intersect1d(concepts, self._bitmaps.concepts(kind), assume_unique=True)
        if len(concepts) <= _FEW:
            return self._bitmaps.union(kind, concepts)
        present = self._concepts.present
        left = np.zeros(len(present), bool)
        left[np.searchsorted(present, concepts)] = True
        ready = self._ready_made(asked, concepts, left)
        return BitMap.union(BitMap(), self._bitmaps.union(kind, present[left]), *ready)

    def _ready_made(self, asked: HasConcept, concepts: Array, left: Array) -> list[BitMap]:
        """Sets over all descendants of a concept that lie wholly within those asked for; takes what they cover off *left*."""
        kind = self._numbers[bitmap_keys.has_descendant(asked.domain)]
        stored = self._bitmaps.concepts(kind)
        here = np.zeros(len(left), bool)
        here[
            np.searchsorted(
                self._concepts.present, self._bitmaps.concepts(self._numbers[bitmap_keys.has_concept(asked.domain)])
            )
        ] = True
        wanted = left.copy()
        found = []
        for top in (*asked.tops, *np.intersect1d(concepts, stored)):
            below = self._concepts.below(int(top))
            below = below[here[below]]
            gained = int(left[below].sum())
            if gained > 1 and wanted[below].all() and (ready := self._bitmaps.get(kind, int(top))) is not None:
                found.append(ready)
                left[below] = False
        return found

    def _remembered(self, key: tuple[object, ...], make: Callable[[], BitMap]) -> BitMap:
        with self._lock:
            if (kept := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return kept
        made = make()
        with self._lock:
            self._kept[key] = made
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return made

    def _of(self, kind: str, concept: int) -> BitMap:
        return self._bitmaps.get(self._numbers[kind], concept) or BitMap()
