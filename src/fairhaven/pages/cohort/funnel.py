"""What each step leaves, as bars that narrow. Only counts that may be seen have a length; the others all look alike."""

from collections.abc import Sequence
from itertools import pairwise

from fairhaven.disclosure import Policy, Protected
from fairhaven.pages.cohort.cohort_report import CohortFacts, Step
from fairhaven.pages.kit.charts import bar, canvas, ornament, rect
from fairhaven.pages.kit.figures import share, whole
from fairhaven.pages.kit.html import Child, Html, figure_of, join, tag
from fairhaven.pages.kit.layout import Column, key, table

_TOP, _TALL = 15.0, 25.0
"""A row's drawing: the flow from the row above, then the bar; 40 together."""


def funnel(cohort: CohortFacts, policy: Policy | None) -> Html:
    """The steps as a table with its picture, the cohort itself at the foot."""
    has_alone = any(step.alone is not None for step in cohort.steps)
    largest = max([step.persons.value or 0 for step in cohort.steps] + [cohort.persons.value or 0, 1])
    before = [None, *(step.persons for step in cohort.steps)]
    rows = [
        [_name(step), _flow(last, step.persons, largest), step.persons.text, _gone(last, step.persons, policy)]
        + ([_alone(step, largest)] if has_alone else [])
        + [step.events.text]
        for last, step in zip(before, cohort.steps, strict=False)
    ]
    columns = [
        Column(title="Step"),
        Column(title="", style="w"),
        Column(title="Persons", style="n"),
        Column(title="Taken away", style="n"),
        *([Column(title="Rule alone", style="n alone")] if has_alone else []),
        Column(title="Events", style="n"),
    ]
    last = [tag("b", "Cohort"), _flow(before[-1], cohort.persons, largest, "whole"), cohort.persons.text, ""]
    last += [""] if has_alone else []
    shown = [persons.value for persons in (*(step.persons for step in cohort.steps), cohort.persons)]
    has_gone = any(a is not None and b is not None and a > b for a, b in pairwise(shown))
    entries = [("flow-bar", "persons left")] + ([("flow-gone", "taken away by the step")] if has_gone else [])
    return join(
        table(
            f"Persons and events after each step of {cohort.title}",
            columns,
            rows,
            class_="funnel",
            foot=[*last, f"{cohort.rows.text} rows"],
        ),
        key([*entries, ("hidden", "not shown: as long for any number")] if None in shown else entries),
    )


def persons_bar(persons: Protected, largest: int) -> Html:
    """A cohort's size beside others; a hidden one is hatched from end to end."""
    if persons.value is None:
        return canvas(tag("rect", width="100%", height="100%", fill="url(#hatch)"), class_="bar")
    return bar(persons.value / largest if largest else 0.0, "tone-1")


def hatch() -> Html:
    """The pattern of hidden counts, once for the page."""
    return tag(
        "svg",
        tag(
            "defs",
            tag(
                "pattern",
                tag("rect", width=6, height=6, class_="hatch-ground"),
                tag("rect", width=1.5, height=6, class_="hatch-line"),
                id="hatch",
                width=6,
                height=6,
                patternUnits="userSpaceOnUse",
                patternTransform="rotate(45)",
            ),
        ),
        width=0,
        height=0,
        aria_hidden="true",
        focusable="false",
        class_="patterns",
    )


def _name(step: Step) -> Child:
    if step.rule is None:
        return step.words
    return tag("span", tag("span", step.rule, class_="rule"), tag("span", step.words), class_="numbered")


def _flow(last: Protected | None, now: Protected, largest: int, style: str = "flow-bar") -> Html:
    if now.value is None:
        band = tag("rect", y="37.5%", width="100%", height="62.5%", fill="url(#hatch)")
        return canvas(band, class_="flow")
    here = _length(now.value, largest)
    drawn: list[Html] = []
    if last is not None and last.value is not None:
        there = _length(last.value, largest)
        drawn.append(_band(there, here))
        if there > here:
            drawn.append(rect(here, _TOP, there - here, _TALL, "flow-gone"))
    drawn.append(rect(0, _TOP, here, _TALL, style))
    return ornament(*drawn, width=100, height=40, class_="flow", stretch=True)


def _band(there: float, here: float) -> Html:
    """From the bar above to this one."""
    bend, n = _TOP / 2, figure_of
    path = f"M0 0H{n(there)}C{n(there)} {n(bend)} {n(here)} {n(bend)} {n(here)} {n(_TOP)}H0Z"
    return tag("path", d=path, class_="flow-band")


def _length(count: int, largest: int) -> float:
    """Of 100; a sliver is left visible where it is not 0."""
    return max(0.4, 100.0 * count / largest) if count else 0.0


def _gone(last: Protected | None, now: Protected, policy: Policy | None) -> Child:
    """How many fewer, computed from what is shown and from nothing else."""
    if last is None:
        return ""
    if last.value is None or now.value is None:
        return tag("small", "not shown")
    gone = last.value - now.value
    about = "≈ " if policy is not None and policy.round_to > 1 else ""
    if gone == 0:
        return tag("small", f"{about}0")
    told = f"{about}−{whole(gone)}" if gone > 0 else f"{about}+{whole(-gone)}"
    return join(told, tag("small", share(gone, last.value))) if gone > 0 else told


def _alone(step: Step, largest: int) -> Child:
    if step.alone is None:
        return ""
    return join(step.alone.text, persons_bar(step.alone, largest))


def largest_of(cohorts: Sequence[CohortFacts]) -> int:
    """Persons of the largest cohort that may be seen."""
    return max((cohort.persons.value or 0 for cohort in cohorts), default=0)
