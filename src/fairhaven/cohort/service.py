"""Definitions in, persons and dates out: the one way to run cohort definitions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import ibis.expr.types as ir
import pyarrow as pa

from fairhaven.cohort.attrition_counts import Attrition, Persons, StepCount, attrition, step_persons, tallies
from fairhaven.cohort.domains import DOMAINS
from fairhaven.cohort.engines.relational import Program, number_parts
from fairhaven.cohort.engines.relational.cohort_run import BatchOutcome, CohortRun
from fairhaven.cohort.engines.relational.temporary_tables import TemporaryTables
from fairhaven.cohort.model import CohortDefinition
from fairhaven.engine import Engine
from fairhaven.kernel.progress import Progress, Silent

_WORK = 300_000_000
"""Events of the CDM times definitions of a batch: what runs within the engine's memory without spilling much."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Definitions that ran together.

    Args:
        definitions: by cohort definition id.
        rows: ``cohort_definition_id``, ``subject_id`` (int64), ``cohort_start_date``, ``cohort_end_date``; there as long as
            the batch is the latest.
    """

    definitions: Mapping[int, CohortDefinition]
    rows: ir.Table
    _program: Program
    _outcome: BatchOutcome
    _temporary: TemporaryTables

    def tallies(self) -> dict[int, StepCount]:
        """Persons and rows of each cohort."""
        found = tallies(self.rows, self._temporary)
        return {number: found.get(number, StepCount()) for number in self.definitions}

    def attrition(self) -> dict[int, Attrition[StepCount]]:
        """What each step of each definition leaves."""
        return attrition(self._program.cohorts, self._outcome, self._temporary)

    def step_persons(self) -> dict[int, Attrition[Persons]]:
        """Whom each step of each definition leaves."""
        return step_persons(self._program.cohorts, self._outcome, self._temporary)

    def fetch(self) -> pa.Table:
        """The rows, in the order of definition, person and date."""
        order = ["cohort_definition_id", "subject_id", "cohort_start_date"]
        return self._temporary.engine.fetch(self.rows.order_by(order))


class Cohorts:
    """The cohorts of one CDM.

    Args:
        engine: runs the program; `tables` are on it.
        tables: OMOP tables by name, with the vocabulary's CONCEPT, CONCEPT_ANCESTOR and CONCEPT_RELATIONSHIP.
    """

    def __init__(self, engine: Engine, tables: Mapping[str, ir.Table]) -> None:
        self._engine = engine
        self._tables = tables

    def run(self, definitions: Mapping[int, CohortDefinition], *, progress: Progress | None = None) -> Iterator[Batch]:
        """Run definitions, as many together as memory allows.

        Args:
            definitions: checked definitions by cohort definition id.

        Yields:
            batches, which together hold every definition once; a batch's rows are gone when the next is asked for.

        Raises:
            Refused: the CDM lacks what a definition needs.
        """
        progress = progress or Silent()
        numbers = list(definitions)
        events = sum(self._engine.count(self._tables[name]) for name in DOMAINS if name in self._tables)
        size = max(1, _WORK // max(1, events))
        for start in range(0, len(numbers), size):
            chosen = {each: definitions[each] for each in numbers[start : start + size]}
            program = number_parts(chosen)
            with TemporaryTables(self._engine) as temporary:
                outcome = CohortRun(program, self._tables, temporary).outcome()
                yield Batch(
                    definitions=chosen, rows=outcome.rows, _program=program, _outcome=outcome, _temporary=temporary
                )
            progress.advance(min(start + size, len(numbers)), len(numbers), "definitions")

    def unknown_concepts(self, definitions: Mapping[int, CohortDefinition]) -> dict[int, tuple[int, ...]]:
        """The concepts that each definition's sets name and the vocabulary does not know; they bring nothing.

        A definition that names none of these is left out.
        """
        named = {
            number: {item.concept_id for each in definition.concept_sets for item in each.items}
            for number, definition in definitions.items()
        }
        every = sorted(set().union(*named.values()))
        if not every or "concept" not in self._tables:
            return {}
        with TemporaryTables(self._engine) as temporary:
            asked = temporary.parameters([{"concept_id": concept} for concept in every], {"concept_id": "whole"})
            concept = self._tables["concept"]
            known = concept.select(concept_id=concept.concept_id.cast("int64"))
            missing = set(self._engine.fetch(asked.anti_join(known, "concept_id"))["concept_id"].to_pylist())
        return {number: tuple(sorted(concepts & missing)) for number, concepts in named.items() if concepts & missing}
