"""Random definitions: the plain evaluation of the cohort language finds whom the reference's SQL finds."""

from dataclasses import fields, is_dataclass
from random import Random
from typing import Any

import pytest

from fairhaven.cohort.formats.circe import read_circe
from fairhaven.cohort.model import CohortDefinition, InSet
from tests.support.circe_writer import says, write
from tests.support.cohort_oracle import Oracle, Stay
from tests.support.cohort_reference import Reference
from tests.support.cohort_strategies import cdm, definitions

TURNS = 4
"""How many events tie at most in the data here, so that each can be the one the reference happens to take."""


def by_person(stays: list[Stay]) -> dict[int, list[Stay]]:
    return {person: [stay for stay in stays if stay[0] == person] for person in {stay[0] for stay in stays}}


def agrees(found: list[Stay], oracles: list[Oracle], definition: CohortDefinition) -> bool:
    """Whether each person's stays are those that the oracle gives for some choice of tied events."""
    if found == oracles[0].stays(definition):
        return True
    possible = [by_person(oracle.stays(definition)) for oracle in oracles]
    persons = by_person(found)
    everybody = persons.keys() | possible[0].keys()
    return all(any(persons.get(person) == each.get(person) for each in possible) for person in everybody)


def left_out(part: Any) -> set[str]:
    """The concept sets that a part of a definition takes out of what it asks for."""
    if isinstance(part, InSet):
        return {part.concept_set} if part.excluded else set()
    if isinstance(part, tuple):
        return set().union(*map(left_out, part))
    if is_dataclass(part):
        return set().union(*(left_out(getattr(part, each.name)) for each in fields(part)))
    return set()


def is_comparable(definition: CohortDefinition, oracle: Oracle) -> bool:
    """Not where an empty set is left out: SQL's NOT IN then holds even for a missing value, the language's does not."""
    return all(oracle.concepts(definition, name) for name in left_out(definition))


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 20))])
def test_the_oracle_finds_whom_the_reference_finds(seed: int) -> None:
    tables = cdm(Random(seed), unique_ids=True)
    oracles = [Oracle(tables, turn=turn) for turn in range(TURNS)]
    reference = Reference(tables)
    compared = somebody = 0
    for definition in definitions(Random(seed + 1000), 30, says=says):
        if not is_comparable(definition, oracles[0]):
            continue
        found = reference.stays(write(definition))
        assert agrees(found, oracles, definition), definition
        compared += 1
        somebody += bool(found)
    reference.close()
    assert compared >= 20 and somebody >= compared / 3


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 20))])
def test_what_is_written_as_circe_is_read_with_the_same_meaning(seed: int) -> None:
    oracle = Oracle(cdm(Random(seed)))
    for definition in definitions(Random(seed + 2000), 40, says=says):
        again = read_circe(write(definition))
        assert oracle.stays(again) == oracle.stays(definition), definition
        assert read_circe(write(again)) == again
