"""What concepts and concept sets are called."""

from collections.abc import Mapping
from types import MappingProxyType

from fairhaven.cohort.english.phrases import joined, quoted
from fairhaven.cohort.model import CohortDefinition, ConceptSet
from fairhaven.kernel.foreign_names import shown
from fairhaven.omop.concepts import CONDITION_STATUS, OPERATOR, ROUTE, TYPE, UNIT, VISIT

_MOST = 8
"""Names given of a list of concepts; then the rest is counted."""

_OWN = {
    8507: "male",
    8532: "female",
    8515: "Asian",
    8516: "Black or African American",
    8527: "White",
    38003574: "Asian Indian",
    38003575: "Bangladeshi",
    38003579: "Chinese",
    38003589: "Pakistani",
    38003598: "Black",
    38003600: "African",
    38003563: "Hispanic or Latino",
    38003564: "not Hispanic or Latino",
    9189: "negative",
    9190: "not detected",
    9191: "positive",
    9192: "trace",
    4121395: "g/dL",
    4121396: "mg/dL",
    4126681: "detected",
    4132135: "absent",
    4181412: "present",
    8784: "cells/uL",
    8785: "/mm3",
    8816: "million/mL",
    8950: "g/dL (calculated)",
    8961: "thousand/mm3",
    9028: "mg/dL (calculated)",
    9254: "/L",
    44777588: "billion cells/L",
    45877985: "detected",
    45878583: "negative",
    45879438: "present",
    45880296: "not detected",
    45884084: "positive",
    45884086: "absent",
}

KNOWN: Mapping[int, str] = MappingProxyType(
    {
        concept: word
        for words in (OPERATOR, TYPE, VISIT, UNIT, ROUTE, CONDITION_STATUS)
        for word, concept in reversed(list(words.items()))
    }
    | _OWN
)
"""Names of concepts that tests of fields often hold, for definitions that are explained without a vocabulary."""


class ConceptNames:
    """The names in one definition.

    Args:
        names: names of concepts from a vocabulary; they win over those in the definition, but for sex and the like, which
            have the words of a sentence.
    """

    def __init__(self, definition: CohortDefinition, names: Mapping[int, str]) -> None:
        self._sets = {item.id: item for item in definition.concept_sets}
        lines = (line for item in definition.concept_sets for line in item.items if line.name)
        self._names = {**KNOWN, **{line.concept_id: line.name for line in lines}, **names, **_OWN}

    def concept(self, concept: int) -> str:
        """A concept's name, or its id where nobody gave one."""
        return shown(self._names.get(concept, f"concept {concept}"))

    def concepts(self, concepts: tuple[int, ...], word: str = "or") -> str:
        """Names of concepts, each once."""
        names = list(dict.fromkeys(map(self.concept, concepts)))
        if len(names) > _MOST:
            names = [*names[: _MOST - 1], f"{len(names) - _MOST + 1} others"]
        return joined(names, word)

    def set(self, name: str) -> str:
        """A set's name in quotes; where it has none, the names of its first concepts."""
        concept_set = self._sets.get(name, ConceptSet(id=name))
        if concept_set.name.strip():
            return quoted(concept_set.name)
        included = [self.concept(item.concept_id) for item in concept_set.items if not item.excluded]
        if len(included) > 3:
            return quoted(f"{', '.join(included[:2])} and {len(included) - 2} other concepts")
        return quoted(joined(included, "or") or name)
