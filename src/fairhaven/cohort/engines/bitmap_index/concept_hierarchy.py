"""What a concept set brings among the concepts that a release has: the vocabulary's relations, cut to those concepts.

A concept that nobody has adds no person to any set, so that of the vocabulary's millions of rows only those that lead to a
concept of the release are kept: three relations, each from a concept that may be asked for to concepts of the release.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from fairhaven.cohort.concept_relations import concept_validity, descendant_pairs, mapping_pairs
from fairhaven.cohort.engines.bitmap_index.storage import Array, ArrayFile, Arrays
from fairhaven.cohort.model import ConceptSetItem
from fairhaven.engine import Engine

BELOW, MAPPED, MAPPED_BELOW = "below", "mapped", "mapped_below"
"""From a concept to the valid concepts below it; to those that map to it; to those that map to a valid concept below it."""

_PARTS = {"above": "from", "first": "first", "to": "to"}
"""The parts of a relation, and what they are called in the file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConceptRelation:
    """What some concepts lead to: `above` sorted, of its n-th concept the places ``to[first[n] : first[n + 1]]`` in `present`."""

    above: Array
    first: Array
    to: Array

    def of(self, concept: int) -> Array:
        """Places of what a concept leads to, sorted."""
        place = int(np.searchsorted(self.above, concept))
        if place == len(self.above) or self.above[place] != concept:
            return self.to[:0]
        return self.to[int(self.first[place]) : int(self.first[place + 1])]


def write_concepts(
    file: ArrayFile, present: Array, tables: Mapping[str, ir.Table], engine: Engine
) -> dict[str, ConceptRelation]:
    """Write the relations.

    Args:
        present: the concepts of the release, sorted, each once.
        tables: ``concept``, ``concept_ancestor``, ``concept_relationship``.

    Returns:
        what was written, by name.
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
    written = {}
    for name, relation in relations.items():
        rows = engine.fetch(relation.distinct())
        written[name] = _relation(rows["above"].to_numpy(), np.searchsorted(present, rows["present"].to_numpy()))
        for part, stored in _PARTS.items():
            file.add(f"{name}_{stored}", getattr(written[name], part))
    engine.drop(leading)
    engine.drop(here)
    return written


def _relation(above: Array, places: Array) -> ConceptRelation:
    order = np.lexsort((places, above))
    concepts, first = np.unique(above[order], return_index=True)
    return ConceptRelation(
        above=concepts.astype(np.int64),
        first=np.append(first, len(above)).astype(np.int64),
        to=places[order].astype(np.int32),
    )


class ConceptHierarchy:
    """The concepts of a release and what leads to them. Sets of concepts are sorted arrays of places in `present`."""

    def __init__(self, arrays: Arrays) -> None:
        self.present: Array = arrays("concepts", "present")
        self._known: Array = arrays("concepts", "known")
        self._relations = {
            name: ConceptRelation(**{part: arrays("concepts", f"{name}_{stored}") for part, stored in _PARTS.items()})
            for name in (BELOW, MAPPED, MAPPED_BELOW)
        }
        self.below = self._relations[BELOW]

    def of_set(self, items: Iterable[ConceptSetItem]) -> Array:
        """The ids of the release's concepts in a concept set, sorted."""
        included = np.zeros(len(self.present), bool)
        excluded = included.copy()
        for item in items:
            (excluded if item.excluded else included)[self._of_item(item)] = True
        return self.present[included & ~excluded]

    def of_ids(self, ids: Iterable[int]) -> Array:
        """The ids among those given that the release has, sorted, whatever the vocabulary says of them."""
        return self.present[places_in(self.present, np.unique(np.array(list(ids), np.int64)))]

    def _of_item(self, item: ConceptSetItem) -> Array:
        own = places_in(self.present, np.array([item.concept_id], np.int64))
        wanted = {
            BELOW: item.descendants,
            MAPPED: item.mapped,
            MAPPED_BELOW: item.mapped and item.descendants,
        }
        related = [self._relations[name].of(item.concept_id) for name, is_wanted in wanted.items() if is_wanted]
        return np.concatenate([own[self._known[own]], *related])


def places_in(stored: Array, ids: Array) -> Array:
    """Where the ids that are among those stored are; both sorted, each id once."""
    places = np.searchsorted(stored, ids)
    is_here = places < len(stored)
    is_here[is_here] = stored[places[is_here]] == ids[is_here]
    return places[is_here]
