"""How a definition's parts are numbered."""

import pytest

from fairhaven.cohort.engines.relational import number_parts
from fairhaven.cohort.engines.relational.parts import Scan
from fairhaven.cohort.model import (
    CohortDefinition,
    ConceptSet,
    ConceptSetItem,
    Domain,
    EntryEvents,
    Events,
    Filter,
    InSet,
    OneOf,
    Test,
)

_SET = ConceptSet(id="asthma", items=(ConceptSetItem(concept_id=317009),))


def scan_of(events: Events) -> Scan:
    program = number_parts({1: CohortDefinition(concept_sets=(_SET,), entry=EntryEvents(events=(events,)))})
    (scan,) = program.criteria.parts
    assert isinstance(scan, Scan)
    return scan


@pytest.mark.parametrize("test", [OneOf(concepts=(317009,)), InSet(concept_set="asthma")])
def test_concepts_asked_of_the_own_concept_are_joined_and_not_filtered(test: Test) -> None:
    filters = (Filter(field="condition_concept_id", test=test),)
    scan = scan_of(Events(domain=Domain.CONDITION_OCCURRENCE, filters=filters))
    assert (scan.concepts, scan.filters) == (0, ())


@pytest.mark.parametrize("test", [OneOf(concepts=(317009,)), InSet(concept_set="asthma")])
def test_the_first_event_is_taken_before_its_concept_is_asked(test: Test) -> None:
    filters = (Filter(field="condition_concept_id", test=test),)
    scan = scan_of(Events(domain=Domain.CONDITION_OCCURRENCE, first=True, filters=filters))
    assert scan.concepts is None and len(scan.filters) == 1
