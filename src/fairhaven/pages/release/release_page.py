"""The page on a release: its sections in their order, each a template with what it needs beside the report."""

from collections.abc import Callable, Mapping
from typing import Any

from markupsafe import Markup

from fairhaven.journeys.releases.release_report import ReleaseReport
from fairhaven.pages.kit.templates import rendered
from fairhaven.pages.release import labels
from fairhaven.pages.release.kind_combinations import kind_combinations
from fairhaven.pages.release.quality_tiles import expected, quality_tiles
from fairhaven.pages.release.sankey import sankey
from fairhaven.pages.release.sankey_layout import drawn_tables
from fairhaven.pages.release.table_descriptions import histogram, table_descriptions
from fairhaven.pages.release.year_rows import year_rows

_Needs = Mapping[str, Any]


def render(report: ReleaseReport) -> str:
    """The report as one HTML document; sections without facts are left out.

    Counts are shown as they come; nothing of a hidden one is on the page, in words or in shapes.
    """
    shared = {"report": report, "titles": _titles(report), "labels": labels}
    needs = {name: needs_of(report) for name, (_, needs_of) in _SECTIONS.items()}
    found = {name: facts for name, facts in needs.items() if facts is not None}
    return rendered(
        "release/report.html.j2",
        report=report,
        contents=[(name, _SECTIONS[name][0]) for name in found],
        sections=[Markup(rendered(f"release/{name}.html.j2", **shared, **facts)) for name, facts in found.items()],
    )


def _titles(report: ReleaseReport) -> Mapping[str, str]:
    """Titles of sources by name, of those too that only the flow of rows names."""
    flows = report.rows.sources if report.rows else ()
    return {source.name: source.title for source in (*report.sources, *(flow.source for flow in flows))}


def _flow(report: ReleaseReport) -> _Needs | None:
    if report.rows is None:
        return None
    flows = sorted(report.rows.sources, key=lambda flow: labels.kind_order(flow.source.kind))
    sources = [flow.source for flow in flows]
    titles, rank = _titles(report), {source.name: place for place, source in enumerate(sources)}
    return {
        "sankey": sankey,
        "sources": flows,
        "tables": drawn_tables(report.rows.tables, flows),
        "by_table": sorted(report.rows.by_table, key=lambda flow: (rank[flow.source], flow.table)),
        "written": sorted(report.rows.written, key=lambda row: (row.table, titles.get(row.source, row.source))),
        "kinds": [(labels.kind_class(kind), labels.kind_name(kind)) for kind in dict.fromkeys(s.kind for s in sources)],
    }


def _people(report: ReleaseReport) -> _Needs | None:
    if report.linkage is None and not report.kinds:
        return None
    steps = report.linkage.steps if report.linkage else {}
    return {
        "steps": [(name, steps[name]) for name in sorted(steps, key=labels.step_order)],
        "combinations": kind_combinations(report.kinds),
    }


def _years(report: ReleaseReport) -> _Needs | None:
    years = year_rows(report)
    return {"years": years} if years else None


def _quality(report: ReleaseReport) -> _Needs | None:
    return {"tiles": quality_tiles(report.quality.scores), "expected": expected} if report.quality else None


def _variables(report: ReleaseReport) -> _Needs | None:
    described = report.description
    return {"variables": table_descriptions(described), "histogram": histogram} if described else None


def _changes(report: ReleaseReport) -> _Needs | None:
    if report.changes is None:
        return None
    sums = (sum(count.value or 0 for count in (c.added, c.changed, c.gone)) for c in report.changes.moved)
    return {"most": max(sums, default=1)}


def _left_out(report: ReleaseReport) -> _Needs | None:
    if not (report.opt_outs or report.quarantine or report.set_aside or report.notes):
        return None
    flows = report.rows.sources if report.rows else ()
    return {"received_of": {flow.source.name: flow.received.value or 0 for flow in flows}}


_SECTIONS: Mapping[str, tuple[str, Callable[[ReleaseReport], _Needs | None]]] = {
    "flow": ("Flow", _flow),
    "people": ("Linkage", _people),
    "years": ("Years", _years),
    "quality": ("Quality", _quality),
    "variables": ("Variables", _variables),
    "unmapped": ("Unmapped", lambda report: {} if report.codes else None),
    "changes": ("Changes", _changes),
    "left-out": ("Left out", _left_out),
    "deliveries": ("Deliveries", lambda report: {} if report.extracts else None),
    "reading": ("How to read this", lambda _: {}),
}
"""Section by id, which is also the name of its template -> its words in the list of contents, and what it needs."""
