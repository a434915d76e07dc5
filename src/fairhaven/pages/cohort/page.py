"""The page: one cohort, a few below each other, or very many as lines that open."""

from fairhaven.pages.cohort.cohort_report import CohortReport
from fairhaven.pages.cohort.funnel import hatch, largest_of
from fairhaven.pages.cohort.opening import contents_section, opening, reading_section
from fairhaven.pages.cohort.sections import anchor, folded_section, section, sections
from fairhaven.pages.kit.figures import counted, short
from fairhaven.pages.kit.html import Html, tag
from fairhaven.pages.kit.html_document import document
from fairhaven.pages.kit.layout import Section

_FEW = 8
"""Cohorts that stand open below each other; more are folded."""


def render(report: CohortReport) -> str:
    """The report as one HTML document, for one cohort or more than a thousand.

    Counts are shown as they come; nothing of a hidden one is on the page, in words or in shapes.
    """
    links, body = _body(report)
    only = report.cohorts[0].title if len(report.cohorts) == 1 else counted(len(report.cohorts), "cohort")
    return document(
        hatch(),
        opening(report),
        tag(
            "nav",
            tag("ul", [tag("li", tag("a", words, href=f"#{target}")) for target, words in links]),
            aria_label="Contents",
        ),
        tag("main", body, id="report"),
        tag(
            "footer", tag("p", " · ".join(part for part in (report.place, report.release, "made by Fairhaven") if part))
        ),
        title=f"{only}: {report.place}{f', {report.release}' if report.release else ''}",
        skip_to=("Skip to the report", "report"),
        styles=["fairhaven.pages.cohort"],
    )


def _body(report: CohortReport) -> tuple[list[tuple[str, str]], list[Html]]:
    """Links of the contents (id, words), and the sections that they lead to."""
    cohorts, reading = report.cohorts, reading_section(report)
    if len(cohorts) == 1:
        listed = [*sections(cohorts[0], report.policy), reading]
        return [(each.id, each.short) for each in listed], [each.html() for each in listed]
    if len(cohorts) <= _FEW:
        front = contents_section(report)
        links = [(front.id, front.short), *((anchor(each), short(each.title, 28)) for each in cohorts)]
        body = [front.html(), *(section(each, report.policy) for each in cohorts), reading.html()]
        return [*links, (reading.id, reading.short)], body
    listed = [_many(report), reading]
    return [(each.id, each.short) for each in listed], [each.html() for each in listed]


def _many(report: CohortReport) -> Section:
    largest = largest_of(report.cohorts)
    return Section(
        id="cohorts",
        title=counted(len(report.cohorts), "cohort"),
        short="Cohorts",
        lead="Open a cohort to see what each of its rules leaves, when it looks, and what it says. "
        "A bar is as long as the cohort's persons beside those of the largest.",
        body=tag(
            "div",
            [
                folded_section(each, report.policy, largest=largest)
                for each in sorted(report.cohorts, key=lambda each: each.number)
            ],
            class_="tables",
        ),
    )
