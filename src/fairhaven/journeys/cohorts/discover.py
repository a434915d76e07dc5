"""Discovery: how many persons of a release are in a cohort, so that many answers say no more than each alone."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from fairhaven.archive import Release
from fairhaven.cohort import CohortDefinition, Cohorts, DiscoveryIndex, check_definition, definition_hash
from fairhaven.cohort.model import Domain
from fairhaven.journeys.cohorts.count import Named, note_unknown
from fairhaven.journeys.descriptions.describe import describe_for_reading, is_described
from fairhaven.journeys.descriptions.described_counts import make_counts_known, tells_as_written
from fairhaven.journeys.descriptions.discovery_index import index_manifest, kept_index
from fairhaven.journeys.hub_audit import open_audit, record_questions
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.open_release import open_release
from fairhaven.kernel.errors import NotAllowedNow
from fairhaven.kernel.files import damaged, stamp_of
from fairhaven.kernel.listing import listed
from fairhaven.kernel.progress import Progress
from fairhaven.ledger import Actor
from fairhaven.query_audit import Asker, Budget, Decision, QueryAudit

_EVERYBODY = "everybody"


@dataclass(frozen=True, kw_only=True)
class Discovery:
    """A release that can be asked.

    Args:
        index: who has what in it.
    """

    rooms: Rooms
    release: Release
    index: DiscoveryIndex

    def persons_of(self, definitions: Mapping[int, CohortDefinition]) -> dict[int, BitMap]:
        """The persons in each cohort, as the index numbers them; what is beyond the index is run over the release's tables, together."""
        for definition in definitions.values():
            check_definition(definition)
        beyond = {number: each for number, each in definitions.items() if not self.index.can_answer(each)}
        found = {number: self.index.persons_of(each) for number, each in definitions.items() if number not in beyond}
        return found | (self._by_program(beyond) if beyond else {})

    @contextmanager
    def questions(self) -> Iterator["Questions"]:
        """Open the record of questions, in which each one that is put meanwhile is decided and entered."""
        with open_audit(self.rooms) as audit:
            yield Questions(discovery=self, audit=audit)

    def names(self, concepts: Iterable[int]) -> dict[int, str]:
        """The names of concepts in the release's vocabulary; one that it does not know is left out."""
        with open_release(self.rooms, self.release.name) as opened:
            concept = opened.tables["concept"]
            wanted = concept.filter(concept.concept_id.isin(sorted(concepts))).select("concept_id", "concept_name")
            rows = opened.engine.fetch(wanted).to_pylist()
        return {row["concept_id"]: row["concept_name"] for row in rows}

    def _by_program(self, definitions: Mapping[int, CohortDefinition]) -> dict[int, BitMap]:
        found: dict[int, BitMap] = {number: BitMap() for number in definitions}
        with open_release(self.rooms, self.release.name) as opened:
            for batch in Cohorts(opened.engine, opened.tables).run(definitions):
                rows = opened.engine.fetch(batch.rows.select("cohort_definition_id", "subject_id").distinct())
                numbers, persons = (rows[name].to_numpy() for name in ("cohort_definition_id", "subject_id"))
                found |= {number: self.numbered(persons[numbers == number]) for number in batch.definitions}
        return found

    def numbered(self, person_keys: NDArray[np.int64]) -> BitMap:
        """Persons as the index numbers them."""
        keys = self.index.person_keys(self.index.universe)
        return BitMap(np.searchsorted(keys, np.sort(person_keys)).astype(np.uint32))


@dataclass(frozen=True, kw_only=True)
class Questions:
    """Questions that are put to a release one after the other; what was answered before them all is read once."""

    discovery: Discovery
    audit: QueryAudit

    def ask(self, definition: CohortDefinition, *, asker: Asker) -> Decision:
        """Decide a question and record it; see `QueryAudit.ask`."""
        return self.ask_of_set(self.discovery.persons_of({0: definition})[0], definition, asker=asker)

    def ask_of_set(self, persons: BitMap, definition: CohortDefinition, *, asker: Asker) -> Decision:
        """Decide the question that a definition is, of which `Discovery.persons_of` gave the persons."""
        question = definition_hash(definition)
        return self._asked({question: persons}, asker)[question]

    def ask_of_persons(self, person_keys: NDArray[np.int64], *, asker: Asker) -> Decision:
        """Decide how many persons there are, given who they are."""
        return self._asked({"": self.discovery.numbered(person_keys)}, asker)[""]

    def ask_everybody(self, *, asker: Asker) -> Decision:
        """How many persons the release has."""
        return self._asked({_EVERYBODY: self.discovery.index.universe}, asker)[_EVERYBODY]

    def by_concept(self, table: str, column: str, *, asker: Asker) -> dict[int, Decision]:
        """How many persons have each concept of a column, each decided like a question of its own.

        Args:
            table, column: a table of events and its concept, or PERSON and one of its concepts.
        """
        index = self.discovery.index
        sets = index.by_value(column) if table == Domain.PERSON else index.by_concept(Domain(table))
        decided = self._asked({f"{table} {column} {concept}": persons for concept, persons in sets}, asker)
        return {int(cell.rsplit(" ", 1)[1]): decision for cell, decision in decided.items()}

    def _asked(self, cells: Mapping[str, BitMap], asker: Asker) -> dict[str, Decision]:
        return self.audit.ask_together(cells, asker=asker, release=self.discovery.release.content)


def budget_of(rooms: Rooms, project: str) -> Budget:
    """What a project has asked and may still ask."""
    with open_audit(rooms) as audit:
        return audit.budget(project)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectAnswers:
    """What a project was answered about cohorts, and what it may still ask."""

    decisions: tuple[tuple[Named, Decision], ...]
    budget: Budget


def ask(
    rooms: Rooms, release: str | None, named: Sequence[Named], *, asker: Asker, by: Actor, progress: Progress
) -> ProjectAnswers:
    """Count cohorts on behalf of a project, each a question of its own.

    Args:
        asker: whose question it is and whose budget it spends: so the audit's record has it.
        by: who puts it on the asker's behalf; the ledger has it with how far the log of questions went.
    """
    discovery = discover(rooms, release, by=by, progress=progress)
    definitions = {each.number: each.definition for each in named}
    with open_release(rooms, discovery.release.name) as opened:
        note_unknown(named, Cohorts(opened.engine, opened.tables).unknown_concepts(definitions), progress)
    progress.stage("Running cohort definitions")
    persons = discovery.persons_of(definitions)
    progress.stage("Asking the query audit")
    with discovery.questions() as questions:
        decisions = tuple(
            (each, questions.ask_of_set(persons[each.number], each.definition, asker=asker)) for each in named
        )
        budget = questions.audit.budget(asker.project)
    record_questions(rooms, by=by, progress=progress)
    return ProjectAnswers(decisions=decisions, budget=budget)


def discover(rooms: Rooms, name: str | None, *, by: Actor, progress: Progress) -> Discovery:
    """Open a release for questions, of which everybody knows first what descriptions of releases tell.

    One that is not described by the rule now in force is described first, and each other one that has no description as it was written,
    which takes the lock of the releases.

    Raises:
        NotAllowedNow: that is to be done and this account may only ask.
    """
    release = rooms.archive.release(name)
    tell_first(rooms, release, by=by, progress=progress)
    if (index := kept_index(rooms, release)) is None:
        raise damaged(rooms.archive.description(release.number))
    return Discovery(rooms=rooms, release=release, index=index)


def what_tells(rooms: Rooms, asked: Release) -> object:
    """Equal as long as `tell_first` would find what it found: the ledger, the releases, and the files beside them, by their stamps."""
    beside = [
        path for each in rooms.archive.releases() for path in listed(rooms.archive.description(each.number), "*.json*")
    ]
    index = index_manifest(rooms, asked)
    files = {path: stamp_of(path) for path in (*beside, index) if path.exists()}
    return rooms.ledger.length(), asked.content, files


def tell_first(rooms: Rooms, asked: Release, *, by: Actor, progress: Progress) -> None:
    """Have the audit know what each release tells of itself, before anybody asks of one; raises as `discover`."""
    releases = rooms.archive.releases()
    lacking = [each for each in releases if each.number != asked.number and not tells_as_written(rooms, each)]
    if kept_index(rooms, asked) is None or not is_described(rooms, asked):
        lacking.append(asked)
    if lacking and not os.access(rooms.store, os.W_OK):
        raise NotAllowedNow(
            f"{lacking[-1].name} is not described as it is now, and what a release tells of itself is known before anybody asks. "
            "Ask the account that runs the hub to build, or to count in it once; then this account may count."
        )
    if lacking:
        describe_for_reading(rooms, lacking, by=by, progress=progress)
    with open_audit(rooms) as audit:
        make_counts_known(rooms, audit, releases)
