"""Discovery: how many persons of a release are in a cohort, so that many answers say no more than each alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from fairhaven.archive import Release
from fairhaven.cohort import CohortDefinition, Cohorts, DiscoveryIndex, check_definition, definition_hash
from fairhaven.cohort.model import Domain
from fairhaven.journeys.cohorts.count import Named, note_unknown
from fairhaven.journeys.descriptions.describe import make_counts_known
from fairhaven.journeys.descriptions.discovery_index import kept_index, make_index, record_description
from fairhaven.journeys.hub_audit import open_audit, record_questions
from fairhaven.journeys.hub_locks import Locked, holding
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.open_release import open_release
from fairhaven.kernel.progress import Progress
from fairhaven.ledger import Actor, hashes_as_written
from fairhaven.query_audit import Asker, Budget, Decision

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

    def ask(self, definition: CohortDefinition, *, asker: Asker) -> Decision:
        """Decide a question and record it; see `QueryAudit.ask`."""
        return self.ask_of_set(self.persons_of({0: definition})[0], definition, asker=asker)

    def ask_of_set(self, persons: BitMap, definition: CohortDefinition, *, asker: Asker) -> Decision:
        """Decide the question that a definition is, of which `persons_of` gave the persons."""
        question = definition_hash(definition)
        return self._asked({question: persons}, asker)[question]

    def ask_of_persons(self, person_keys: NDArray[np.int64], *, asker: Asker) -> Decision:
        """Decide how many persons there are, given who they are."""
        return self._asked({"": self._numbered(person_keys)}, asker)[""]

    def ask_everybody(self, *, asker: Asker) -> Decision:
        """How many persons the release has."""
        return self._asked({_EVERYBODY: self.index.universe}, asker)[_EVERYBODY]

    def by_concept(self, table: str, column: str, *, asker: Asker) -> dict[int, Decision]:
        """How many persons have each concept of a column, each decided like a question of its own.

        Args:
            table, column: a table of events and its concept, or PERSON and one of its concepts.
        """
        sets = self.index.by_value(column) if table == Domain.PERSON else self.index.by_concept(Domain(table))
        decided = self._asked({f"{table} {column} {concept}": persons for concept, persons in sets}, asker)
        return {int(cell.rsplit(" ", 1)[1]): decision for cell, decision in decided.items()}

    def names(self, concepts: Iterable[int]) -> dict[int, str]:
        """The names of concepts in the release's vocabulary; one that it does not know is left out."""
        with open_release(self.rooms, self.release.name) as opened:
            concept = opened.tables["concept"]
            wanted = concept.filter(concept.concept_id.isin(sorted(concepts))).select("concept_id", "concept_name")
            rows = opened.engine.fetch(wanted).to_pylist()
        return {row["concept_id"]: row["concept_name"] for row in rows}

    def _asked(self, cells: Mapping[str, BitMap], asker: Asker) -> dict[str, Decision]:
        with open_audit(self.rooms) as audit:
            make_counts_known(self.rooms, audit, self.release, self.index)
            return audit.ask_together(cells, asker=asker, release=self.release.content)

    def _by_program(self, definitions: Mapping[int, CohortDefinition]) -> dict[int, BitMap]:
        found: dict[int, BitMap] = {number: BitMap() for number in definitions}
        with open_release(self.rooms, self.release.name) as opened:
            for batch in Cohorts(opened.engine, opened.tables).run(definitions):
                rows = opened.engine.fetch(batch.rows.select("cohort_definition_id", "subject_id").distinct())
                numbers, persons = (rows[name].to_numpy() for name in ("cohort_definition_id", "subject_id"))
                found |= {number: self._numbered(persons[numbers == number]) for number in batch.definitions}
        return found

    def _numbered(self, person_keys: NDArray[np.int64]) -> BitMap:
        """Persons as the index numbers them."""
        keys = self.index.person_keys(self.index.universe)
        return BitMap(np.searchsorted(keys, np.sort(person_keys)).astype(np.uint32))


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
    decisions = tuple(
        (each, discovery.ask_of_set(persons[each.number], each.definition, asker=asker)) for each in named
    )
    record_questions(rooms, by=by, progress=progress)
    return ProjectAnswers(decisions=decisions, budget=budget_of(rooms, asker.project))


def discover(rooms: Rooms, name: str | None, *, by: Actor, progress: Progress) -> Discovery:
    """Open a release for questions; its index is made first where it is not there, which takes the lock of the releases."""
    release = rooms.archive.release(name)
    index = kept_index(rooms, release)
    if index is None:
        with holding(rooms, Locked.RELEASES, act="indexing of a release", by=by, progress=progress):
            with hashes_as_written(rooms.store) as written:
                index = make_index(rooms, release, progress=progress)
            record_description(rooms, release, written, by=by)
    return Discovery(rooms=rooms, release=release, index=index)
