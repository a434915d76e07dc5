"""One cohort on the page: alone, as one of a few, or as one of very many."""

from fairhaven.disclosure import Policy
from fairhaven.pages.cohort.cohort_report import CohortFacts, Step
from fairhaven.pages.cohort.definition_text import concept_sets, told
from fairhaven.pages.cohort.funnel import funnel, persons_bar
from fairhaven.pages.cohort.timeline import timeline
from fairhaven.pages.kit.figures import counted, short
from fairhaven.pages.kit.html import Html, join, tag
from fairhaven.pages.kit.layout import Section, figures, folded

_STEPS = "Each bar is as long as the number of persons whom that step leaves, the steps before it included."
_ALONE = " “Rule alone” is what the rule would leave on its own."
_TIME = "Where in time the definition looks, seen from the entry event. Near days are drawn apart, far ones closer together."
_BRIEF = 180
"""Letters of the sentence that stand in a folded line."""


def sections(cohort: CohortFacts, policy: Policy | None) -> list[Section]:
    """A page's only cohort."""
    return [
        Section(
            id="steps",
            title="Who is left after each step",
            short="Steps",
            lead=_steps_lead(cohort.steps),
            body=funnel(cohort, policy),
        ),
        Section(id="time", title="When it looks", short="Time", lead=_TIME, body=timeline(cohort.definition)),
        Section(
            id="definition",
            title="What it says",
            short="Definition",
            lead="The whole definition in words, and the concepts that it is made of.",
            body=join(told(cohort.explanation, level=3, is_open=True), concept_sets(cohort.explanation), _hash(cohort)),
        ),
    ]


def section(cohort: CohortFacts, policy: Policy | None) -> Html:
    """One of a few cohorts."""
    name = anchor(cohort)
    return tag(
        "section",
        tag(
            "header",
            tag("p", f"Cohort {cohort.number}", class_="eyebrow") if cohort.title == cohort.name else None,
            tag("h2", cohort.title, id=f"{name}-h"),
            tag("p", cohort.explanation.sentence, class_="lead"),
            sizes(cohort),
        ),
        _parts(cohort, policy),
        id=name,
        aria_labelledby=f"{name}-h",
        class_="cohort",
    )


def folded_section(cohort: CohortFacts, policy: Policy | None, *, largest: int) -> Html:
    """One of very many cohorts: a line that opens."""
    number = f"{cohort.number} · " if cohort.title == cohort.name else None
    sentence = cohort.explanation.sentence
    brief = short(sentence, _BRIEF)
    return folded(
        join(
            tag(
                "span",
                tag("h3", cohort.title),
                tag("span", number, brief, class_="aside"),
                class_="what",
            ),
            tag(
                "span",
                tag(
                    "span",
                    tag("b", cohort.persons.text),
                    " person" if cohort.persons.value == 1 else " persons",
                    class_="size",
                ),
                persons_bar(cohort.persons, largest),
                class_="measure",
            ),
        ),
        # A link to what lies within opens a folded part; a link to the part itself does not.
        tag(
            "div",
            tag("p", sentence, class_="lead") if brief != sentence else None,
            sizes(cohort),
            _parts(cohort, policy, level=4),
            id=anchor(cohort),
            class_="cohort",
        ),
        class_="table many",
    )


def anchor(cohort: CohortFacts) -> str:
    """The id of a cohort's part of the page."""
    return f"cohort-{cohort.number}"


def sizes(cohort: CohortFacts) -> Html:
    """Persons and rows in large."""
    persons = "person" if cohort.persons.value == 1 else "persons"
    rows = "row, a stay" if cohort.rows.value == 1 else "rows, one for each stay"
    return figures([(cohort.persons.text, persons), (cohort.rows.text, rows)])


def _parts(cohort: CohortFacts, policy: Policy | None, level: int = 3) -> Html:
    heading = f"h{level}"
    return join(
        tag(heading, "Who is left after each step"),
        funnel(cohort, policy),
        tag(heading, "When it looks"),
        timeline(cohort.definition),
        told(cohort.explanation, level=level + 1, is_open=False),
        concept_sets(cohort.explanation),
        _hash(cohort),
    )


def _hash(cohort: CohortFacts) -> Html:
    return tag("p", "Hash of the definition: ", tag("code", cohort.hash, class_="hash"), class_="aside")


def _steps_lead(steps: tuple[Step, ...]) -> str:
    rules = sum(step.rule is not None for step in steps)
    alone = _ALONE if any(step.alone is not None for step in steps) else ""
    return f"{counted(rules, 'rule') if rules else 'No rules'} after the entry events. {_STEPS}{alone}"
