"""The opening of the page, its list of contents, and how to read it."""

from collections.abc import Sequence

from fairhaven.pages.cohort.cohort_report import CohortFacts, CohortReport
from fairhaven.pages.cohort.funnel import largest_of, persons_bar
from fairhaven.pages.cohort.sections import anchor, sizes
from fairhaven.pages.kit.figures import counted, day, whole
from fairhaven.pages.kit.html import Child, Html, join, tag
from fairhaven.pages.kit.layout import Column, Section, figures, table

_EXACT = "Counts are exact, the small ones too. This page is for those who may see the data itself; do not publish it."
_NESTED = (
    "Steps lie in each other: whoever sees two of them computes how many persons one step took away. Where the rule "
    "does not round, a step that takes away only a few persons is therefore not shown, and neither is what each of "
    "several rules leaves alone."
)
_HATCHED = "Every hidden count is drawn and written in the same way, whatever it is."
_PERSONS = "A person is in a cohort once or more: each stay from an entry event to an exit is a row."


def opening(report: CohortReport) -> Html:
    """What it is, where it comes from, and by which rule counts are shown."""
    only = report.cohorts[0] if len(report.cohorts) == 1 else None
    return tag(
        "header",
        tag("p", f"Cohort {only.number}" if only and only.title == only.name else "Cohort report", class_="eyebrow"),
        tag("h1", only.title if only else report.place),
        tag("p", only.explanation.sentence, class_="lead") if only else None,
        tag("p", _whence(report, is_named=only is not None), class_="which"),
        tag("p", rule(report), class_="aside"),
        sizes(only) if only else figures(_figures(report.cohorts)),
        class_="opening",
    )


def rule(report: CohortReport) -> str:
    """By which rule counts are shown."""
    return report.policy.words if report.policy is not None else _EXACT


def contents_section(report: CohortReport) -> Section:
    """A few cohorts, one below the other, with bars to compare them by."""
    largest = largest_of(report.cohorts)
    return Section(
        id="cohorts",
        title=counted(len(report.cohorts), "cohort"),
        short="All",
        lead="Side by side, by the persons in them.",
        body=table(
            "Persons and rows of each cohort",
            [
                Column(title="Cohort"),
                Column(title="", style="w"),
                Column(title="Persons", style="n"),
                Column(title="Rows", style="n"),
            ],
            [
                [
                    tag("a", each.title, href=f"#{anchor(each)}"),
                    persons_bar(each.persons, largest),
                    each.persons.text,
                    each.rows.text,
                ]
                for each in report.cohorts
            ],
            class_="bars contents",
        ),
    )


def reading_section(report: CohortReport) -> Section:
    """How to read the page, and where it comes from."""
    policy = report.policy
    small = f"{policy.words} The rule: {policy.title}, since {day(policy.since)}." if policy is not None else _EXACT
    entries = [("Small numbers", small), ("Persons and rows", _PERSONS)]
    entries += [("Steps", _NESTED), ("Hidden counts", _HATCHED)] if policy is not None else []
    made = [("Release", report.release)] if report.release else []
    made += [("From", report.place)]
    made += [("As of", day(report.as_of))] if report.as_of else []
    made += [("Vocabulary", report.vocabulary)] if report.vocabulary else []
    made += [("Made with", report.code_version)] if report.code_version else []
    return Section(
        id="reading",
        title="How to read this",
        short="How to read this",
        lead="What the figures mean, and where they come from.",
        body=join(
            tag("dl", [tag("div", tag("dt", word), tag("dd", said)) for word, said in entries], class_="reading"),
            tag("dl", [tag("div", tag("dt", word), tag("dd", said)) for word, said in made], class_="made"),
        ),
    )


def _whence(report: CohortReport, *, is_named: bool) -> Child:
    told: list[Child] = ["Release ", tag("b", report.release)] if report.release else ["OMOP CDM"]
    if is_named:
        told += [" of " if report.release else " ", tag("b", report.place)]
    if report.as_of:
        told += [", as of ", tag("time", day(report.as_of), datetime=report.as_of.isoformat())]
    return [*told, f"; vocabulary {report.vocabulary}" if report.vocabulary else ""]


def _figures(cohorts: Sequence[CohortFacts]) -> list[tuple[str, str]]:
    empty = sum(each.persons.value == 0 for each in cohorts)
    hidden = sum(each.persons.is_hidden for each in cohorts)
    found = [
        (whole(len(cohorts)), "cohorts"),
        (whole(largest_of(cohorts)), "persons in the largest"),
        (whole(sum(step.rule is not None for each in cohorts for step in each.steps)), "rules"),
    ]
    found += [(whole(empty), "with nobody in them")] if empty else []
    return [*found, (whole(hidden), "whose size is not shown")] if hidden else found
