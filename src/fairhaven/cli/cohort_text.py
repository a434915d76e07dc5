"""Cohorts in words: what `fairhaven cohort` shows people and machines."""

import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # rooms are loaded only when a command runs
    import pyarrow as pa

    from fairhaven.disclosure import Policy, Protected
    from fairhaven.journeys.cohorts.attrition import Reported
    from fairhaven.journeys.cohorts.count import Counted, Named
    from fairhaven.query_audit import Budget, Decision

_BAR = 28
_NAME = 60
"""Columns that the bar and the name of a step have on a screen."""


def counted_json(found: "Sequence[Counted]", policy: "Policy | None") -> dict[str, Any]:
    """Counts for a machine; a hidden count is null."""
    return {"policy": policy.name if policy else None, "cohorts": [_counted(each) for each in found]}


def reported_json(found: "Sequence[Reported]", policy: "Policy | None") -> dict[str, Any]:
    """Steps for a machine; a hidden count is null."""
    return {
        "policy": policy.name if policy else None,
        "cohorts": [
            _counted(each.counted)
            | {
                "sentence": _sentence(each.counted.named),
                "steps": [
                    {"step": step.words, "persons": step.persons.value, "events": step.events.value}
                    for step in each.steps
                ],
                "rules_alone": [persons.value for persons in each.alone],
            }
            for each in found
        ],
    }


def _counted(found: "Counted") -> dict[str, Any]:
    from fairhaven.cohort import definition_hash

    named = found.named
    return {
        "id": named.number,
        "name": named.name,
        "file": str(named.file),
        "hash": definition_hash(named.definition),
        "persons": found.persons.value,
        "rows": found.rows.value,
    }


def counts(found: "Sequence[Counted]") -> list[tuple[str, str, str, str]]:
    """Rows of the table of counts."""
    return [(str(each.named.number), each.named.name, each.persons.text, each.rows.text) for each in found]


def report(found: "Sequence[Reported]") -> Iterator[str]:
    """Each definition's steps as bars."""
    for each in found:
        yield f"{each.counted.named.number}  {each.counted.named.name}"
        yield from textwrap.wrap(_sentence(each.counted.named), 88, initial_indent="   ", subsequent_indent="   ")
        yield ""
        names = [textwrap.shorten(step.words, _NAME, placeholder=" ...") for step in each.steps]
        widest = max(len(name) for name in (*names, "Cohort"))
        largest = max([step.persons.value or 0 for step in each.steps] + [1])
        for name, step in zip(names, each.steps, strict=True):
            yield f"   {name:<{widest}}  {step.persons.text:>10} persons {_bar(step.persons, largest)}".rstrip()
        yield f"   {'Cohort':<{widest}}  {each.counted.persons.text:>10} persons, {each.counted.rows.text} rows"
        yield ""


def _bar(persons: "Protected", largest: int) -> str:
    return "█" * round(_BAR * persons.value / largest) if persons.value else ""


def asked_json(
    decisions: "Sequence[tuple[Named, Decision]]", budget: "Budget", policy: "Policy | None"
) -> dict[str, Any]:
    """Answers to a project for a machine; what is not told is null."""
    return {
        "policy": policy.name if policy else None,
        "budget": budget_json(budget),
        "cohorts": [
            {
                "id": named.number,
                "name": named.name,
                "file": str(named.file),
                "outcome": told.outcome.value,
                "persons": told.count.value if told.count else None,
                "text": told.text,
            }
            for named, told in decisions
        ],
    }


def budget_json(budget: "Budget") -> dict[str, int]:
    """A budget for a machine."""
    return {"allowed": budget.allowed, "spent": budget.spent, "refused": budget.refused, "left": budget.left}


def budget_words(project: str, budget: "Budget") -> str:
    """A budget in a sentence."""
    return (
        f"{project} has asked {budget.spent:,} of {budget.allowed:,} questions ({budget.refused:,} not answered); "
        f"{budget.left:,} are left."
    )


def collect(rows: list[dict[str, Any]]) -> "Callable[[pa.Table], None]":
    """A writer that keeps the rows of tables."""
    return lambda table: rows.extend(table.to_pylist())


def how_many(named: "Sequence[Named]", noun: str) -> str:
    """For example ``1 cohort is`` or ``12 cohorts are``."""
    return f"1 {noun} is" if len(named) == 1 else f"{len(named):,} {noun}s are"


def policy_words(policy: "Policy | None") -> Iterator[str]:
    """By which rule counts are shown."""
    if policy is not None:
        yield ""
        yield f"{policy.title}: {policy.words}"


def _sentence(named: "Named") -> str:
    from fairhaven.cohort import sentence

    return sentence(named.definition)


def explained(named: "Sequence[Named]") -> list[dict[str, Any]]:
    """Definitions in words: a sentence, the whole as text and as Markdown."""
    from fairhaven.cohort import definition_hash, explain, sentence

    found = []
    for each in named:
        words = explain(each.definition)
        found.append(
            {
                "id": each.number,
                "name": each.name,
                "file": str(each.file),
                "hash": definition_hash(each.definition),
                "sentence": sentence(each.definition),
                "text": words.as_text(),
                "markdown": words.as_markdown(),
            }
        )
    return found
