"""Cohorts in words: what `fairhaven cohort` shows people."""

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from fairhaven.cli.screen import table

if TYPE_CHECKING:  # rooms are loaded only when a command runs
    from fairhaven.cli import cohort_results as results
    from fairhaven.disclosure import Policy, Protected
    from fairhaven.journeys.cohorts.attrition import AttritionReport
    from fairhaven.journeys.cohorts.count import Counted, Named

OWN = (
    "These counts are the hub's own: recorded, and not for handing out. Count for others with --project, so that all that they are told is "
    "compared."
)
_BAR = 28
_NAME = 60
"""Columns that the bar and the name of a step have on a screen."""


def explained(found: "Sequence[results.ExplainedCohort]", out: Path | None) -> Iterator[str]:
    """Definitions in words, or where they were written."""
    if out is not None:
        yield f"{how_many(found, 'definition')} explained in {out}."
        return
    for each in found:
        yield from (*each.text.splitlines(), "")


def counts(found: "Sequence[Counted]", policy: "Policy | None") -> Iterator[str | Table]:
    """Sizes of cohorts."""
    rows = [(str(each.named.number), each.named.name, each.persons.text, each.rows.text) for each in found]
    yield table("", ["id", "cohort", "persons", "rows"], rows)
    yield from _policy(policy)


def answers(found: "results.AnsweredQuestions", project: str | None, policy: "Policy | None") -> Iterator[str | Table]:
    """Answers to a project, and what it may still ask; or to the hub itself."""
    yield table("", ["id", "cohort", "persons"], [(str(each.id), each.name, each.text) for each in found.cohorts])
    yield from _policy(policy)
    yield OWN if project is None or found.budget is None else budget(project, found.budget)


def budget(project: str, found: "results.QuestionBudget") -> str:
    """A budget in a sentence."""
    return (
        f"{project} has asked {found.spent:,} of {found.allowed:,} questions ({found.refused:,} not answered); "
        f"{found.left:,} are left."
    )


def question_logs(found: "results.AccountLogs") -> Iterator[str]:
    """Each account's log, whether it is whole, and what became of one that is not."""
    if not found.logs:
        yield "Nobody has asked a question on behalf of a project yet."
    for each in found.logs:
        how = "whole" if each.is_whole else "cut off, altered or taken away"
        lines = "1 line" if each.lines == 1 else f"{each.lines:,} lines"
        yield f"{each.account}  {each.name}  {lines} seen, {how}"
    if found.entry is not None:
        yield f"The log was set aside, as entry {found.entry} of the ledger says. What was asked since the hub last saw it is not known."


def report(found: "AttritionReport", out: Path | None) -> Iterator[str]:
    """Each definition's steps as bars, or where they were written."""
    if out is not None:
        yield f"The report on {len(found.cohorts):,} cohort{'' if len(found.cohorts) == 1 else 's'} is in {out}."
        return
    for each in found.cohorts:
        yield f"{each.counted.named.number}  {each.counted.named.name}"
        yield from textwrap.wrap(_sentence(each.counted.named), 88, initial_indent="   ", subsequent_indent="   ")
        yield ""
        names = [textwrap.shorten(step.words, _NAME, placeholder=" ...") for step in each.steps]
        widest = max(len(name) for name in (*names, "Cohort"))
        largest = max([step.persons.value or 0 for step in each.steps] + [1])
        for name, step in zip(names, each.steps, strict=True):
            yield f"   {name:<{widest}}  {step.persons.text:>10} persons {_bar(step.persons, largest)}".rstrip()
        rows = "" if found.release else f", {each.counted.rows.text} rows"
        yield f"   {'Cohort':<{widest}}  {each.counted.persons.text:>10} persons{rows}"
        yield ""
    yield from _policy(found.policy)
    if found.release:
        yield OWN


def _bar(persons: "Protected", largest: int) -> str:
    return "█" * round(_BAR * persons.value / largest) if persons.value else ""


def how_many(named: Sequence[object], noun: str) -> str:
    """For example ``1 cohort is`` or ``12 cohorts are``."""
    return f"1 {noun} is" if len(named) == 1 else f"{len(named):,} {noun}s are"


def _policy(policy: "Policy | None") -> Iterator[str]:
    """By which rule counts are shown."""
    if policy is not None:
        yield ""
        yield f"{policy.title}: {policy.words}"


def _sentence(named: "Named") -> str:
    from fairhaven.cohort import sentence

    return sentence(named.definition)
