"""The page: one file, no script, nothing fetched, nothing that a strict content security policy would stop."""

import base64
import hashlib
from importlib.resources import files

from fairhaven.catalogue.report.changes import changes_section, deliveries_section
from fairhaven.catalogue.report.facts import ReportFacts
from fairhaven.catalogue.report.flow import flow_section
from fairhaven.catalogue.report.html import Html, join, tag
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
    style = files("fairhaven.catalogue.report").joinpath("style.css").read_text(encoding="utf-8")
    contents = [tag("li", tag("a", section.short, href=f"#{section.id}")) for section in sections]
    body = tag(
        "body",
        tag("a", "Skip to the report", href="#report", class_="skip"),
        tag(
            "div",
            opening(facts),
            tag("nav", tag("ul", contents), aria_label="Contents"),
            tag("main", [section.html() for section in sections], id="report"),
            tag("footer", tag("p", f"{facts.hub} · release {facts.release} · made by Fairhaven")),
            class_="page",
        ),
    )
    return f"<!doctype html>\n{tag('html', _head(facts, style), body, lang='en-GB')}\n"


def _head(facts: ReportFacts, style: str) -> Html:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"{facts.hub}: release {facts.release}"),
        # The policy names the hash of exactly these characters.
        tag("style", join(Html(style))),
    )
