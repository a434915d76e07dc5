"""The page on cohorts: one, a few below each other, or very many as lines that open."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from fairhaven.cohort import definition_hash, explain
from fairhaven.cohort.english import ExplanationLine, ExplanationPart
from fairhaven.journeys.cohorts.attrition import AttritionReport, AttritionStep, Reported
from fairhaven.pages.cohort.funnel import flow, persons_bar
from fairhaven.pages.cohort.timeline import timeline
from fairhaven.pages.kit.charts import hatch
from fairhaven.pages.kit.figures import short
from fairhaven.pages.kit.templates import rendered

_FEW = 8
"""Cohorts that stand open below each other; more are folded."""

_FEW_WHOLE, _CONCEPT_LINES = 12, 12
"""Cohorts of a page that still shows every line of their concept sets; lines of each set on a page of more."""

_CONCEPT_SETS = "Concept sets"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Cohort:
    """One cohort and what the page says of it.

    Args:
        title: its name; where that is but its number, that with a word before it.
        parts: the definition in words without its concept sets; sets: these.
    """

    of: Reported
    title: str
    is_named: bool
    hash: str
    sentence: str
    parts: Sequence[ExplanationPart]
    sets: Sequence[ExplanationLine]

    @property
    def persons(self) -> list[int | None]:
        """Persons after each step and in the cohort, as far as they may be seen."""
        return [*(step.persons.value for step in self.of.steps), self.of.counted.persons.value]

    @property
    def largest(self) -> int:
        """Persons of the largest step that may be seen."""
        return max([count or 0 for count in self.persons] + [1])

    @property
    def is_falling(self) -> bool:
        """True where a step is seen to take somebody away."""
        return any(a is not None and b is not None and a > b for a, b in pairwise(self.persons))

    @property
    def anchor(self) -> str:
        """The id of its part of the page."""
        return f"cohort-{self.of.counted.named.number}"

    def alone(self, step: AttritionStep) -> object:
        """Persons that a step's rule leaves on its own; None for what is no rule."""
        return None if step.rule is None else self.of.alone[step.rule - 1]


def render(report: AttritionReport) -> str:
    """The report as one HTML document, for one cohort or more than a thousand.

    Counts are shown as they come; nothing of a hidden one is on the page, in words or in shapes.
    """
    concept_lines = None if len(report.cohorts) <= _FEW_WHOLE else _CONCEPT_LINES
    cohorts = [_cohort(each, concept_lines) for each in report.cohorts]
    return rendered(
        "cohort/cohorts.html.j2",
        report=report,
        cohorts=cohorts,
        contents=_contents(cohorts),
        is_few=len(cohorts) <= _FEW,
        largest=max((each.counted.persons.value or 0 for each in report.cohorts), default=0),
        flow=flow,
        hatch=hatch("hatch", size=6, line=1.5, style="veil"),
        persons_bar=persons_bar,
        timeline=timeline,
    )


def _cohort(found: Reported, concept_lines: int | None) -> _Cohort:
    named = found.counted.named
    words = explain(named.definition, concept_lines=concept_lines)
    is_named = named.name != str(named.number)
    return _Cohort(
        of=found,
        title=named.name if is_named else f"Cohort {named.number}",
        is_named=is_named,
        hash=definition_hash(named.definition),
        sentence=words.sentence,
        parts=[part for part in words.parts if part.title != _CONCEPT_SETS],
        sets=[line for part in words.parts if part.title == _CONCEPT_SETS for line in part.lines],
    )


def _contents(cohorts: Sequence[_Cohort]) -> list[tuple[str, str]]:
    """Links of the contents: id, words."""
    reading = ("reading", "How to read this")
    if len(cohorts) == 1:
        return [("steps", "Steps"), ("time", "Time"), ("definition", "Definition"), reading]
    if len(cohorts) <= _FEW:
        return [("cohorts", "All"), *((each.anchor, short(each.title, 28)) for each in cohorts), reading]
    return [("cohorts", "Cohorts"), reading]
