"""The page: its sections in their order."""

from fairhaven.catalogue.pages.document import document
from fairhaven.catalogue.pages.html import tag
from fairhaven.catalogue.report.changes import changes_section, deliveries_section
from fairhaven.catalogue.report.facts import ReportFacts
from fairhaven.catalogue.report.flow import flow_section
from fairhaven.catalogue.report.leftout import left_out_section, unmapped_section
from fairhaven.catalogue.report.people import people_section
from fairhaven.catalogue.report.reading import opening, reading_section
from fairhaven.catalogue.report.scores import scores_section
from fairhaven.catalogue.report.tables import tables_section
from fairhaven.catalogue.report.years import years_section

_SECTIONS = (
    flow_section,
    people_section,
    years_section,
    scores_section,
    tables_section,
    unmapped_section,
    changes_section,
    left_out_section,
    deliveries_section,
    reading_section,
)


def render(facts: ReportFacts) -> str:
    """The report as one HTML document.

    Counts of persons and of values are protected by ``facts.policy``; sections without facts are left out.
    """
    sections = [section for make in _SECTIONS if (section := make(facts)) is not None]
    contents = [tag("li", tag("a", section.short, href=f"#{section.id}")) for section in sections]
    return document(
        opening(facts),
        tag("nav", tag("ul", contents), aria_label="Contents"),
        tag("main", [section.html() for section in sections], id="report"),
        tag("footer", tag("p", f"{facts.hub} · release {facts.release} · made by Fairhaven")),
        title=f"{facts.hub}: release {facts.release}",
        skip_to=("Skip to the report", "report"),
        styles=["fairhaven.catalogue.report"],
    )
