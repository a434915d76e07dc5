"""The discovery index of a release, as other rooms see it."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import ibis.expr.types as ir
import numpy as np
from pyroaring import BitMap

from fairhaven.cohort.engines.bitmap_index import bitmap_keys
from fairhaven.cohort.engines.bitmap_index.bitmaps import Bitmaps
from fairhaven.cohort.engines.bitmap_index.concept_hierarchy import ConceptHierarchy
from fairhaven.cohort.engines.bitmap_index.event_selection import EventSelector
from fairhaven.cohort.engines.bitmap_index.index_builder import build
from fairhaven.cohort.engines.bitmap_index.period_lookup import Periods
from fairhaven.cohort.engines.bitmap_index.person_sets import PersonSets
from fairhaven.cohort.engines.bitmap_index.plan import IndexCannotAnswer, Persons
from fairhaven.cohort.engines.bitmap_index.plan_execution import PlanExecutor
from fairhaven.cohort.engines.bitmap_index.planner import plan
from fairhaven.cohort.engines.bitmap_index.storage import Array, Arrays, new_index_folder
from fairhaven.cohort.model import CohortDefinition, Domain
from fairhaven.engine import Engine
from fairhaven.kernel.progress import Progress, Silent


class DiscoveryIndex:
    """Counts persons by cohort definitions that are questions about sets, or about few events, in milliseconds.

    A person's ordinal is their place in the order of ``person_id``, from 0; ordinals mean nothing in another release.
    Several threads may ask one index.
    """

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays

    @classmethod
    def build(
        cls,
        tables: Mapping[str, ir.Table],
        engine: Engine,
        folder: Path,
        *,
        release: str = "",
        progress: Progress | None = None,
    ) -> "DiscoveryIndex":
        """Make the index of a release and open it.

        Args:
            tables: OMOP tables by name, with the vocabulary's ``concept``, ``concept_ancestor``, ``concept_relationship``;
                tables of events that are absent are not in the index, and definitions that ask for them not answered.
            folder: where the index will be; it appears whole, in place of one that is there. Removing the folder removes
                all that the index knows.
            release: the release's name, for the manifest.

        Raises:
            Invalid: a table or column that every index needs is missing, or a person is there twice.
        """
        with new_index_folder(folder) as work:
            build(tables, engine, work, release=release, progress=progress or Silent())
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> "DiscoveryIndex":
        """Open an index; nothing but its manifest is read until it is asked.

        Raises:
            NotFound: there is none.
            Invalid: it is of another version, was half written, or is damaged; with what to do.
        """
        return cls(Arrays(folder))

    @property
    def release(self) -> str:
        """Name of the release that the index is of."""
        return str(self._arrays.facts["release"])

    @property
    def persons(self) -> int:
        """How many persons the release has."""
        return int(self._arrays.facts["persons"])

    @property
    def universe(self) -> BitMap:
        """The ordinals of all persons."""
        return self._sets.everybody.copy()

    def can_answer(self, definition: CohortDefinition) -> bool:
        """Whether the index knows enough for this definition."""
        return self.obstacle(definition) is None

    def obstacle(self, definition: CohortDefinition) -> str | None:
        """What in a definition the index cannot answer, in words; None where it can."""
        try:
            self._plan(definition)
        except IndexCannotAnswer as beyond:
            return str(beyond)
        return None

    def persons_of(self, definition: CohortDefinition) -> BitMap:
        """The ordinals of the persons in a cohort.

        Args:
            definition: a checked definition.

        Raises:
            Refused: the index cannot answer this definition (`can_answer`).
            NotFound: the index was removed meanwhile.
            Invalid: the index is damaged.
        """
        return self._answering.persons(self._plan(definition)).copy()

    def count(self, definition: CohortDefinition) -> int:
        """How many persons are in a cohort; see `persons_of`."""
        return len(self._answering.persons(self._plan(definition)))

    def by_concept(self, domain: Domain) -> Iterator[tuple[int, BitMap]]:
        """The persons with each concept of a table that anybody has: the concept itself, not those below it."""
        return self._sets.each(bitmap_keys.has_concept(domain))

    def by_value(self, column: str) -> Iterator[tuple[int, BitMap]]:
        """The persons with each value of a column of PERSON, for example ``gender_concept_id``."""
        return self._sets.each(bitmap_keys.has_attribute(column))

    def person_keys(self, ordinals: BitMap) -> Array:
        """The ``person_id`` (int64) of each ordinal, in order."""
        return self._arrays("persons", "person_id")[np.asarray(ordinals.to_array(), np.int64)]

    def forget(self) -> None:
        """Give back the memory that earlier answers are kept in."""
        self._sets.forget()

    @cached_property
    def _birth_years(self) -> Array:
        return self._arrays("persons", "year_of_birth").astype(np.int64)

    @cached_property
    def _concepts(self) -> ConceptHierarchy:
        return ConceptHierarchy(self._arrays)

    @cached_property
    def _sets(self) -> PersonSets:
        return PersonSets(Bitmaps(self._arrays), self._concepts)

    def _plan(self, definition: CohortDefinition) -> Persons:
        return plan(definition, self._concepts, self._arrays.facts)

    @cached_property
    def _answering(self) -> PlanExecutor:
        selecting = EventSelector(self._arrays, self._sets, Periods(self._arrays, self.persons), self._birth_years)
        return PlanExecutor(self._sets, selecting, self._birth_years)
