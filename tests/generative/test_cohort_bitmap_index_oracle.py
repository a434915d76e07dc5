"""The discovery index finds whom plain Python finds: questions made of sets by sets, all others by the oracle."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairhaven.cohort.domains import DOMAINS
from fairhaven.cohort.engines.bitmap_index import DiscoveryIndex
from fairhaven.cohort.model import (
    CohortDefinition,
    Compare,
    ConceptSet,
    ConceptSetItem,
    Correlated,
    Demographic,
    Domain,
    DrugEraExit,
    EntryEvents,
    Eras,
    Events,
    Filter,
    Group,
    InclusionRule,
    Match,
    Numbers,
    Occurrence,
    OccurrenceType,
    OneOf,
)
from fairhaven.engine import Engine
from tests.support.cohort_oracle import Oracle
from tests.support.cohort_parts import NONE
from tests.support.cohort_results import on
from tests.support.cohort_strategies import CONCEPTS, FEMALE, MALE, UNKNOWN, cdm, definitions
from tests.support.examples import examples

Tables = Mapping[str, list[dict[str, Any]]]
ASKED = (Domain.CONDITION_OCCURRENCE, Domain.DRUG_EXPOSURE, Domain.MEASUREMENT, Domain.DEATH, Domain.VISIT_OCCURRENCE)


@dataclass(frozen=True)
class Made:
    """Rows and the index of them."""

    tables: Tables
    index: DiscoveryIndex

    def found(self, definition: CohortDefinition) -> set[int]:
        return set(self.index.person_keys(self.index.persons_of(definition)).tolist())


@pytest.fixture(scope="module")
def made(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> list[Made]:
    found = []
    for seed, persons in ((1, 60), (2, 60), (3, 5)):
        tables = cdm(Random(seed), persons=persons)
        found.append(Made(tables, index_of(tables, engine, tmp_path_factory.mktemp("indexes") / "index")))
    return found


def index_of(tables: Tables, engine: Engine, folder: Path) -> DiscoveryIndex:
    on_engine = on(engine, tables)
    index = DiscoveryIndex.build(on_engine, engine, folder)
    for table in on_engine.values():
        engine.drop(table)
    return index


# -- questions made of sets

ids = st.sampled_from([*CONCEPTS, 0, UNKNOWN, 12345])
flag = st.booleans()
items = st.builds(
    ConceptSetItem, concept_id=ids, descendants=flag, mapped=flag, excluded=st.sampled_from([False, False, True])
)
concept_sets = st.tuples(
    *(st.builds(ConceptSet, id=st.just(name), items=st.lists(items, max_size=6).map(tuple)) for name in "abc")
)


@st.composite
def ever(draw: st.DrawFn) -> Correlated:
    """Events at any time: at least one, or none."""
    domain = draw(st.sampled_from(ASKED))
    facts = DOMAINS[domain]
    filters: tuple[Filter, ...] = ()
    if facts.concept in facts.fields and draw(st.integers(0, 4)) == 0:
        assert facts.concept is not None
        filters = (Filter(field=facts.concept, test=OneOf(concepts=tuple(draw(st.lists(ids, max_size=3))))),)
    by_source = not filters and draw(st.integers(0, 4)) == 0
    named = draw(st.sampled_from([None, "a", "b", "c"]))
    return Correlated(
        events=Events(
            domain=domain,
            concepts=None if by_source else named,
            source_concepts=named if by_source else None,
            filters=filters,
        ),
        occurrence=draw(
            st.sampled_from(
                [
                    Occurrence(),
                    Occurrence(),
                    NONE,
                    Occurrence(times=OccurrenceType.AT_MOST, count=0),
                ]
            )
        ),
        within_observation=draw(flag),
    )


being = st.one_of(
    st.builds(
        lambda field, concepts, excluded: Filter(field=field, test=OneOf(concepts=concepts, excluded=excluded)),
        st.sampled_from(["gender_concept_id", "race_concept_id", "ethnicity_concept_id"]),
        st.lists(st.sampled_from([MALE, FEMALE, 0, 1, 2, 3]), min_size=1, max_size=3).map(tuple),
        flag,
    ),
    st.builds(
        lambda compare, low, high: Filter(
            field="year_of_birth", test=Numbers(compare=compare, value=min(low, high), to=max(low, high))
        ),
        st.sampled_from(list(Compare)),
        st.sampled_from([1930, 1950, 1960, 1999]),
        st.sampled_from([1950, 1975, 2015]),
    ),
)
people = st.builds(lambda filters: Demographic(filters=tuple(filters)), st.lists(being, min_size=1, max_size=2))
groups = st.recursive(
    st.one_of(ever(), ever(), people),
    lambda members: st.builds(
        Group,
        match=st.sampled_from(list(Match)),
        count=st.integers(0, 3),
        members=st.lists(members, max_size=4).map(tuple),
    ),
    max_leaves=10,
).map(lambda member: member if isinstance(member, Group) else Group(members=(member,)))


@st.composite
def questions(draw: st.DrawFn) -> CohortDefinition:
    """Boolean questions about persons as such."""
    rules = [InclusionRule(name="", group=group) for group in draw(st.lists(groups, max_size=3))]
    filters = tuple(draw(st.lists(being, max_size=1)))
    return CohortDefinition(
        concept_sets=draw(concept_sets),
        entry=EntryEvents(events=(Events(domain=Domain.PERSON, filters=filters),), observed=False),
        qualifying=draw(st.none() | groups),
        rules=tuple(rules),
    )


class Sets:
    """The same questions answered with Python's sets."""

    def __init__(self, tables: Tables, definition: CohortDefinition) -> None:
        self._tables = tables
        self._everybody = {row["person_id"] for row in tables["person"]}
        self._known = {row["concept_id"] for row in tables["concept"]}
        self._valid = {row["concept_id"] for row in tables["concept"] if row["invalid_reason"] is None}
        self._sets = {each.id: self._concepts(each) for each in definition.concept_sets}
        self._definition = definition

    def answer(self) -> set[int]:
        asked = self._definition
        found = self._being(asked.entry.events[0].filters)
        for group in (asked.qualifying, *(rule.group for rule in asked.rules)):
            found = found & self._group(group) if group else found
        return found

    def _concepts(self, asked: ConceptSet) -> set[int]:
        included, excluded = set[int](), set[int]()
        for item in asked.items:
            brought = {item.concept_id} & self._known
            if item.descendants:
                for row in self._tables["concept_ancestor"]:
                    if row["ancestor_concept_id"] == item.concept_id and row["descendant_concept_id"] in self._valid:
                        brought = brought | {row["descendant_concept_id"]}
            if item.mapped:
                for row in self._tables["concept_relationship"]:
                    if (
                        row["relationship_id"] == "Maps to"
                        and row["invalid_reason"] is None
                        and row["concept_id_2"] in brought
                    ):
                        (excluded if item.excluded else included).add(row["concept_id_1"])
            (excluded if item.excluded else included).update(brought)
        return included - excluded

    def _group(self, group: Group) -> set[int]:
        members = [self._member(each) for each in group.members]
        needed: Callable[[int], bool] = {
            Match.ALL: lambda holding: holding == len(members),
            Match.ANY: lambda holding: holding > 0,
            Match.AT_LEAST: lambda holding: holding >= (group.count or 0),
            Match.AT_MOST: lambda holding: holding <= (group.count or 0),
        }[group.match]
        if not members:
            return self._everybody
        return {person for person in self._everybody if needed(sum(person in each for each in members))}

    def _member(self, member: Group | Correlated | Demographic) -> set[int]:
        if isinstance(member, Group):
            return self._group(member)
        if isinstance(member, Demographic):
            return self._being(member.filters)
        events = member.events
        assert isinstance(events, Events)
        facts = DOMAINS[events.domain]
        concept, source_concept = facts.concept or "", facts.source_concept or ""
        having = {
            row["person_id"]
            for row in self._tables[events.domain]
            if (events.concepts is None or row[concept] in self._sets[events.concepts])
            and (events.source_concepts is None or row[source_concept] in self._sets[events.source_concepts])
            and all(row[each.field] in each.test.concepts for each in events.filters)  # type: ignore[union-attr]
        }
        return having & self._everybody if member.occurrence == Occurrence() else self._everybody - having

    def _being(self, filters: tuple[Filter, ...]) -> set[int]:
        return {
            row["person_id"] for row in self._tables["person"] if all(passes(row[each.field], each) for each in filters)
        }


def passes(value: int, asked: Filter) -> bool:
    test = asked.test
    if isinstance(test, OneOf):
        return (value in test.concepts) is not test.excluded
    assert isinstance(test, Numbers) and test.to is not None
    return {
        Compare.LESS: value < test.value,
        Compare.AT_MOST: value <= test.value,
        Compare.EQUAL: value == test.value,
        Compare.NOT_EQUAL: value != test.value,
        Compare.AT_LEAST: value >= test.value,
        Compare.MORE: value > test.value,
        Compare.BETWEEN: test.value <= value <= test.to,
        Compare.OUTSIDE: value < test.value or value > test.to,
    }[test.compare]


@examples(120)
@given(questions())
def test_questions_made_of_sets_are_answered_as_by_sets(made: list[Made], question: CohortDefinition) -> None:
    for each in made:
        assert each.index.can_answer(question)
        assert each.found(question) == Sets(each.tables, question).answer()
        assert each.index.count(question) == len(each.found(question))


# -- everything else that an index can answer


def within_reach(part: object) -> bool:
    """What is surely beyond an index is not drawn, so that much of what is drawn can be answered."""
    match part:
        case Eras():
            return False
        case Events():
            return part.dates is None and part.period is None
        case Correlated():
            return not part.same_visit
        case CohortDefinition():
            return part.window is None and not isinstance(part.exit, DrugEraExit)
    return True


def about_persons(definition: CohortDefinition) -> CohortDefinition:
    entry = EntryEvents(events=(Events(domain=Domain.PERSON),), observed=False)
    return replace(definition, entry=entry)


@pytest.mark.parametrize("seeds", [range(100, 103), pytest.param(range(1000, 1200), marks=pytest.mark.slow)])
def test_what_an_index_answers_is_what_the_oracle_says(engine: Engine, tmp_path: Path, seeds: range) -> None:
    asked = answered = somebody = 0
    for seed in seeds:
        tables = cdm(Random(seed))
        made = Made(tables, index_of(tables, engine, tmp_path / str(seed)))
        oracle = Oracle(tables)
        for number, drawn in enumerate(definitions(Random(seed), 60, says=within_reach)):
            definition = drawn if number % 3 else about_persons(drawn)
            asked += 1
            if made.index.can_answer(definition):
                answered += 1
                expected = {stay[0] for stay in oracle.stays(definition)}
                somebody += bool(expected)
                assert made.found(definition) == expected, (seed, number, definition)
    # The test would prove nothing if next to nothing were answered, or nobody ever found.
    assert answered > 0.3 * asked and somebody > 0.6 * answered
