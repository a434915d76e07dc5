"""Results about cohorts."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from fairhaven.cohort import definition_hash, explain, sentence
from fairhaven.disclosure import Policy
from fairhaven.journeys.cohorts.attrition import AttritionReport, Reported
from fairhaven.journeys.cohorts.count import Counted, Named
from fairhaven.journeys.cohorts.discover import ProjectAnswers
from fairhaven.journeys.hub_audit import AccountLog
from fairhaven.query_audit import Budget, Decision, Outcome


@dataclass(frozen=True, kw_only=True)
class DefinitionFile:
    """A cohort definition and where it is from.

    Args:
        id: cohort definition id: the file's name where that is a number, else the next one that is free.
        name: what people call it.
        file: the file that it was read from.
    """

    id: int
    name: str
    file: Path


@dataclass(frozen=True, kw_only=True)
class ExplainedCohort(DefinitionFile):
    """A cohort definition in words.

    Args:
        hash: digest of the definition.
        sentence: the definition in one sentence.
        text, markdown: the whole of it.
    """

    hash: str
    sentence: str
    text: str
    markdown: str

    @classmethod
    def of(cls, named: Named) -> Self:
        """A definition in words."""
        words = explain(named.definition)
        return cls(
            id=named.number,
            name=named.name,
            file=named.file,
            hash=definition_hash(named.definition),
            sentence=sentence(named.definition),
            text=words.as_text(),
            markdown=words.as_markdown(),
        )


@dataclass(frozen=True, kw_only=True)
class CountedCohort(DefinitionFile):
    """A cohort's size: exact for a CDM, as the hub's disclosure policy shows it for a release.

    Args:
        hash: digest of the definition.
        persons: null where the count is not shown.
        rows: null where the count is not shown.
    """

    hash: str
    persons: int | None
    rows: int | None

    @classmethod
    def of(cls, found: Counted) -> Self:
        """A cohort's size."""
        named = found.named
        return cls(
            id=named.number,
            name=named.name,
            file=named.file,
            hash=definition_hash(named.definition),
            persons=found.persons.value,
            rows=found.rows.value,
        )


@dataclass(frozen=True, kw_only=True)
class CohortCounts:
    """Sizes of cohorts.

    Args:
        policy: the disclosure policy by which they are shown; null for a CDM, whose counts are exact.
        cohorts: in the order of the definitions.
    """

    policy: str | None
    cohorts: tuple[CountedCohort, ...]

    @classmethod
    def of(cls, found: Sequence[Counted], policy: Policy | None) -> Self:
        """Sizes of cohorts."""
        return cls(policy=policy.name if policy else None, cohorts=tuple(map(CountedCohort.of, found)))


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownStep:
    """What one step of a definition leaves of what the one before left.

    Args:
        step: the step in words.
        persons: null where the count is not shown.
        events: null where the count is not shown.
    """

    step: str
    persons: int | None
    events: int | None


@dataclass(frozen=True, kw_only=True)
class CohortAttrition(CountedCohort):
    """What each step of a definition leaves.

    Args:
        sentence: the definition in one sentence.
        steps: in their order.
        rules_alone: persons that each rule would leave on its own; empty where that would say too much.
    """

    sentence: str
    steps: tuple[ShownStep, ...]
    rules_alone: tuple[int | None, ...]

    @classmethod
    def of_steps(cls, found: Reported) -> Self:
        """What each step leaves."""
        counted, named = found.counted, found.counted.named
        return cls(
            id=named.number,
            name=named.name,
            file=named.file,
            hash=definition_hash(named.definition),
            persons=counted.persons.value,
            rows=counted.rows.value,
            sentence=sentence(named.definition),
            steps=tuple(
                ShownStep(step=step.words, persons=step.persons.value, events=step.events.value) for step in found.steps
            ),
            rules_alone=tuple(persons.value for persons in found.alone),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class CohortAttritions:
    """What each step of cohorts leaves.

    Args:
        policy: the disclosure policy by which counts are shown; null for a CDM, whose counts are exact.
        cohorts: in the order of the definitions.
    """

    policy: str | None
    cohorts: tuple[CohortAttrition, ...]

    @classmethod
    def of(cls, found: AttritionReport) -> Self:
        """What each step leaves."""
        policy = found.policy.name if found.policy else None
        return cls(policy=policy, cohorts=tuple(map(CohortAttrition.of_steps, found.cohorts)))


@dataclass(frozen=True, kw_only=True, slots=True)
class CohortRow:
    """A row of the OMOP table COHORT.

    Args:
        cohort_definition_id: `id` of the cohort.
        subject_id: the person.
        cohort_start_date, cohort_end_date: first and last day in the cohort.
    """

    cohort_definition_id: int
    subject_id: int
    cohort_start_date: dt.date
    cohort_end_date: dt.date


@dataclass(frozen=True, kw_only=True)
class GeneratedRows(CohortCounts):
    """Who is in which cohort and when.

    Args:
        rows: of all cohorts, exactly.
    """

    rows: tuple[CohortRow, ...]


@dataclass(frozen=True, kw_only=True)
class GeneratedFile(CohortCounts):
    """Who is in which cohort and when, in a file.

    Args:
        out: the file.
    """

    out: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class QuestionBudget:
    """What a project has asked and may still ask.

    Args:
        allowed: questions that the hub's rules allow.
        spent: questions put so far.
        refused: those of them that were not answered.
        left: questions that may still be put.
    """

    allowed: int
    spent: int
    refused: int
    left: int

    @classmethod
    def of(cls, budget: Budget) -> Self:
        """A budget with what is left of it."""
        return cls(allowed=budget.allowed, spent=budget.spent, refused=budget.refused, left=budget.left)


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountLogs:
    """The logs of questions.

    Args:
        logs: of every account that asked.
        entry: number of the ledger's entry by which one was set aside; null where none was.
    """

    logs: tuple[AccountLog, ...]
    entry: int | None


@dataclass(frozen=True, kw_only=True)
class AnsweredQuestion(DefinitionFile):
    """A cohort's size as the query audit lets a project know it.

    Args:
        outcome: whether there is an answer.
        persons: null where there is no answer, or it is not shown.
        text: the answer as a reader sees it.
    """

    outcome: Outcome
    persons: int | None
    text: str

    @classmethod
    def of(cls, named: Named, decision: Decision) -> Self:
        """A decision of the query audit."""
        return cls(
            id=named.number,
            name=named.name,
            file=named.file,
            outcome=decision.outcome,
            persons=decision.count.value if decision.count else None,
            text=decision.text,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class AnsweredQuestions:
    """Sizes of cohorts of a release, asked for on behalf of a project or of the hub itself.

    Args:
        policy: the disclosure policy by which they are shown.
        project: as it was given; null: they are the hub's own and not for handing out.
        budget: the project's, after these questions; null for the hub, which has none.
        cohorts: in the order of the definitions.
    """

    policy: str | None
    project: str | None
    budget: QuestionBudget | None
    cohorts: tuple[AnsweredQuestion, ...]

    @classmethod
    def of(cls, found: ProjectAnswers, policy: Policy | None, project: str | None) -> Self:
        """Decisions of the query audit, and what is left to ask."""
        return cls(
            policy=policy.name if policy else None,
            project=project,
            budget=QuestionBudget.of(found.budget) if project is not None else None,
            cohorts=tuple(AnsweredQuestion.of(named, decision) for named, decision in found.decisions),
        )
