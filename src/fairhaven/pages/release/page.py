"""The page: its sections in their order."""

from fairhaven.pages.kit.html import tag
from fairhaven.pages.kit.html_document import document
from fairhaven.pages.release.changes_section import changes_section, deliveries_section
from fairhaven.pages.release.coverage_section import years_section
from fairhaven.pages.release.facts import ReportFacts
from fairhaven.pages.release.linkage_section import people_section
from fairhaven.pages.release.not_in_release import left_out_section, unmapped_section
from fairhaven.pages.release.opening import opening, reading_section
from fairhaven.pages.release.quality_section import scores_section
from fairhaven.pages.release.row_flow_section import flow_section
from fairhaven.pages.release.variables_section import tables_section

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
        styles=["fairhaven.pages.release"],
    )
