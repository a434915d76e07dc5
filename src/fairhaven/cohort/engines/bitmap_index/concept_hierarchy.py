"""What a concept set brings among the concepts that a release has: the vocabulary's relations, cut to those concepts.

A concept that nobody has adds no person to any set, so that of the vocabulary's millions of rows only those that lead to a
concept of the release are kept: three relations, each from a concept that may be asked for to concepts of the release.
"""

from collections.abc import Iterable, Mapping

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from fairhaven.cohort.concept_relations import concept_validity, descendant_pairs, mapping_pairs
from fairhaven.cohort.engines.bitmap_index.storage import Array, ArrayFile, Arrays
from fairhaven.cohort.model import ConceptSetItem
from fairhaven.engine import Engine

BELOW, MAPPED, MAPPED_BELOW = "below", "mapped", "mapped_below"
"""To the valid concepts below it; to those that map to it; to those that map to a valid concept below it."""


_MOST = (1 << 63) - 1
"""No vocabulary has a higher id, nor a column room for one."""


def write_concepts(file: ArrayFile, present: Array, tables: Mapping[str, ir.Table], engine: Engine) -> None:
    """Write the relations.

    Args:
        present: the concepts of the release, sorted, each once.
        tables: ``concept``, ``concept_ancestor``, ``concept_relationship``.
    """
    here = engine.arrow(pa.table({"present": pa.array(present, pa.int64())}))
    concepts, descendants = concept_validity(tables), descendant_pairs(tables)
    # A source concept of the release, and the concept that it maps to.
    leading = engine.keep(
        mapping_pairs(tables).rename(present="concept_id").rename(concept_id="target").semi_join(here, "present")
    )
    relations = {
        BELOW: descendants.semi_join(here, [("concept_id", "present")]).select("above", present="concept_id"),
        MAPPED: leading.semi_join(concepts, "concept_id").select(above="concept_id", present="present"),
        MAPPED_BELOW: descendants.join(leading, "concept_id").select("above", "present"),
    }
    file.add("present", present)
    is_known = engine.fetch(here.semi_join(concepts, [("present", "concept_id")]))["present"].to_numpy()
    file.add("known", np.isin(present, is_known))
    for name, relation in relations.items():
        rows = engine.fetch(relation.distinct())
        _write(file, name, rows["above"].to_numpy(), np.searchsorted(present, rows["present"].to_numpy()))
    engine.drop(leading)
    engine.drop(here)


def _write(file: ArrayFile, name: str, above: Array, places: Array) -> None:
    order = np.lexsort((places, above))
    from_concepts, first = np.unique(above[order], return_index=True)
    file.add(f"{name}_from", from_concepts.astype(np.int64))
    file.add(f"{name}_first", np.append(first, len(above)).astype(np.int64))
    file.add(f"{name}_to", places[order].astype(np.int32))


class ConceptHierarchy:
    """The concepts of a release and what leads to them. Sets of concepts are sorted arrays of places in `present`."""

    def __init__(self, arrays: Arrays) -> None:
        self.present: Array = arrays("concepts", "present")
        self._known: Array = arrays("concepts", "known")
        self._relations = {
            name: tuple(arrays("concepts", f"{name}_{part}") for part in ("from", "first", "to"))
            for name in (BELOW, MAPPED, MAPPED_BELOW)
        }

    def of_set(self, items: Iterable[ConceptSetItem]) -> Array:
        """The ids of the release's concepts in a concept set, sorted."""
        included = np.zeros(len(self.present), bool)
        excluded = included.copy()
        for item in items:
            (excluded if item.excluded else included)[self._of_item(item)] = True
        found: Array = self.present[included & ~excluded]
        return found

    def of_ids(self, ids: Iterable[int]) -> Array:
        """The ids among those given that the release has, sorted, whatever the vocabulary says of them."""
        found: Array = self.present[
            self._places(np.unique(np.array([each for each in ids if abs(each) <= _MOST], np.int64)))
        ]
        return found

    def below(self, concept: int) -> Array:
        """Places of the valid concepts below one, sorted."""
        return self._related(BELOW, concept)

    def _of_item(self, item: ConceptSetItem) -> Array:
        if abs(item.concept_id) > _MOST:
            return np.empty(0, np.int64)
        own = self._places(np.array([item.concept_id], np.int64))
        parts = [own[self._known[own]]]
        if item.descendants:
            parts.append(self._related(BELOW, item.concept_id))
        if item.mapped:
            parts.append(self._related(MAPPED, item.concept_id))
        if item.mapped and item.descendants:
            parts.append(self._related(MAPPED_BELOW, item.concept_id))
        return np.concatenate(parts)

    def _places(self, ids: Array) -> Array:
        places = np.searchsorted(self.present, ids)
        is_here = places < len(self.present)
        is_here[is_here] = self.present[places[is_here]] == ids[is_here]
        found: Array = places[is_here]
        return found

    def _related(self, name: str, concept: int) -> Array:
        above, first, to = self._relations[name]
        place = int(np.searchsorted(above, concept))
        if place == len(above) or above[place] != concept:
            return np.empty(0, np.int32)
        found: Array = to[int(first[place]) : int(first[place + 1])]
        return found
