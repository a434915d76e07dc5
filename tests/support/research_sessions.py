"""Honest sessions: a researcher refines a cohort, one change at a time, with the concept sets of published phenotypes.

A library is what can be asked for: a population, the persons of each concept, and definitions as lists of concept sets.
Steps are those of cohort builders: add a concept or a set's worth, drop one, broaden to descendants, narrow by age or
sex, require or exclude another concept set. A session starts from a cohort that is worth refining, and a step that
changes nobody is not asked.
"""

import json
import random
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from pyroaring import BitMap

Concept = tuple[int, ...]
"""A concept as a criterion names it: the concept ids that count for it."""

_EVENTS = (
    ("condition_occurrence", "condition_concept_id"),
    ("drug_exposure", "drug_concept_id"),
    ("measurement", "measurement_concept_id"),
    ("procedure_occurrence", "procedure_concept_id"),
    ("observation", "observation_concept_id"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Library:
    """What can be asked for."""

    persons: int
    having: Mapping[int, BitMap]
    descendants: Mapping[int, Concept]
    definitions: Sequence[Sequence[Sequence[Concept]]]
    sexes: Sequence[BitMap]
    bands: Sequence[BitMap]


def published(archive: Path, cdm: Path) -> Library:
    """The phenotype library's concept sets over the persons of a CDM in Parquet."""
    connection = duckdb.connect()

    def rows(statement: str) -> list[tuple[int, ...]]:
        found: list[tuple[int, ...]] = connection.execute(statement).fetchall()
        return found

    people = rows(f"SELECT person_id, gender_concept_id, year_of_birth FROM '{cdm}/person.parquet' ORDER BY 1")
    number = {person: place for place, (person, _, _) in enumerate(people)}
    having: dict[int, BitMap] = {}
    for table, column in _EVENTS:
        for concept, persons in rows(
            f"SELECT {column}, list(DISTINCT person_id) FROM '{cdm}/{table}.parquet' GROUP BY 1"
        ):
            having[concept] = having.get(concept, BitMap()) | BitMap(number[person] for person in persons)  # type: ignore[attr-defined]
    below: dict[int, list[int]] = {}
    for ancestor, descendant in rows(
        f"SELECT ancestor_concept_id, descendant_concept_id FROM '{cdm}/concept_ancestor.parquet'"
    ):
        below.setdefault(ancestor, []).append(descendant)
    descendants = {ancestor: tuple(found) for ancestor, found in below.items()}
    return Library(
        persons=len(people),
        having=having,
        descendants=descendants,
        definitions=_definitions(archive, descendants),
        sexes=[
            BitMap(n for n, one in enumerate(people) if one[1] == sex) for sex in sorted({one[1] for one in people})
        ],
        bands=_bands(np.array([year for _, _, year in people])),
    )


def invented(archive: Path, *, persons: int, seed: int = 1, every: int = 1) -> Library:
    """The phenotype library's concept sets over a population in which concepts are as unequally frequent as in life:
    the commonest in a tenth of all persons, the n-th by Zipf's law, persons by frailty. Of the definitions, one in *every*."""
    draw = np.random.default_rng(seed)
    definitions = _definitions(archive, {}, every=every)
    concepts = sorted({concept for sets in definitions for one in sets for ids in one for concept in ids})
    frailty = np.cumsum(draw.gamma(2.0, 0.5, persons))
    ranks = draw.permutation(len(concepts))
    having = {}
    for concept, rank in zip(concepts, ranks, strict=True):
        count = int(persons * 0.12 / (1 + rank) ** 0.75) + 1
        having[concept] = BitMap(np.searchsorted(frailty, draw.random(count) * frailty[-1]).astype(np.uint32))
    is_woman = draw.random(persons) < 0.5
    return Library(
        persons=persons,
        having=having,
        descendants={one: tuple(concepts[at : at + 4]) for at, one in enumerate(concepts) if at % 5 == 0},
        definitions=definitions,
        sexes=[BitMap(np.flatnonzero(is_woman == sex).astype(np.uint32)) for sex in (False, True)],
        bands=_bands(draw.integers(1930, 2010, persons)),
    )


class Session:
    """One researcher's questions, in order. `questions` yields the person sets; *least* is a cohort worth refining."""

    def __init__(self, library: Library, draw: random.Random, *, least: int) -> None:
        self._library, self._draw = library, draw
        while True:
            definition = draw.choice(library.definitions)
            self._wanted = list(draw.choice(definition))
            self._required: list[Concept] = []
            self._excluded: list[Concept] = []
            self._sex: BitMap | None = None
            self._band: BitMap | None = None
            if len(self._having(self._wanted)) >= least:
                break
        self._sets = [*definition, *draw.choice(library.definitions)]

    def questions(self) -> Iterator[BitMap]:
        """From 5 to 30 person sets, each unlike the one before."""
        before = None
        for _ in range(self._draw.randint(5, 30)):
            persons = self._persons()
            for _ in range(20):
                if persons != before:
                    break
                self._step()
                persons = self._persons()
            yield persons
            before = persons
            self._step()

    def _step(self) -> None:
        draw = self._draw
        other = draw.choice(self._sets)
        match draw.choice(("add", "add", "drop", "broaden", "sex", "age", "require", "exclude")):
            case "add":
                self._wanted.append(draw.choice(other))
            case "drop" if len(self._wanted) > 1:
                self._wanted.pop(draw.randrange(len(self._wanted)))
            case "broaden":
                at = draw.randrange(len(self._wanted))
                ids = self._wanted[at]
                self._wanted[at] = tuple({*ids, *self._library.descendants.get(ids[0], ())})
            case "sex":
                self._sex = draw.choice((None, *self._library.sexes))
            case "age":
                self._band = draw.choice((None, *self._library.bands))
            case "require":
                self._required = draw.choice(([], list(other)))
            case "exclude":
                self._excluded = draw.choice(([], list(other)))

    def _persons(self) -> BitMap:
        persons = self._having(self._wanted)
        if self._required:
            persons &= self._having(self._required)
        persons -= self._having(self._excluded)
        for part in (self._sex, self._band):
            if part is not None:
                persons &= part
        return persons

    def _having(self, concepts: Sequence[Concept]) -> BitMap:
        having = self._library.having
        return BitMap().union(*(having[one] for ids in concepts for one in ids if one in having))


def _definitions(archive: Path, descendants: Mapping[int, Concept], *, every: int = 1) -> list[list[list[Concept]]]:
    found = []
    with tarfile.open(archive) as tar:
        for member in sorted(tar.getmembers(), key=lambda member: member.name)[::every]:
            if not member.name.endswith(".json") or (file := tar.extractfile(member)) is None:
                continue
            sets = [
                _concepts(one["expression"]["items"], descendants) for one in json.load(file).get("ConceptSets", ())
            ]
            if sets := [concepts for concepts in sets if concepts]:
                found.append(sets)
    return found


def _concepts(items: Sequence[Mapping[str, object]], descendants: Mapping[int, Concept]) -> list[Concept]:
    found = []
    for item in items:
        concept = item["concept"]["CONCEPT_ID"]  # type: ignore[index]
        if not item.get("isExcluded"):
            found.append((concept, *descendants.get(concept, ())) if item.get("includeDescendants") else (concept,))
    return found


def _bands(years: np.ndarray) -> list[BitMap]:
    return [
        BitMap(np.flatnonzero((years <= 2025 - low) & (years > 2025 - high)).astype(np.uint32))
        for low, high in ((0, 18), (18, 40), (18, 65), (40, 65), (65, 120), (18, 120))
    ]
