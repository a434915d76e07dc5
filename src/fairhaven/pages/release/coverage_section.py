"""Section: how much each source holds of each year."""

from fairhaven.disclosure import Cell, Protected, protect_table
from fairhaven.pages.kit.charts import columns
from fairhaven.pages.kit.figures import counted, whole
from fairhaven.pages.kit.html import Html, join, tag
from fairhaven.pages.kit.layout import Column, Section, folded, table
from fairhaven.pages.release.facts import ReportFacts, YearRows
from fairhaven.pages.release.labels import kind_class, kind_order, split_title, telling_years


def years_section(facts: ReportFacts) -> Section | None:
    """Completeness by year and source; None where no year is known."""
    sources = {source.name: source for source in facts.sources}
    listed = dict.fromkeys([*sources, *(entry.source for entry in facts.completeness)])
    names = sorted(
        [name for name in listed if any(entry.source == name for entry in facts.completeness)],
        key=lambda name: kind_order(sources[name].kind if name in sources else ""),
    )
    shown = {name: _protected([e for e in facts.completeness if e.source == name], facts) for name in names}
    span = telling_years([{year: cell.value or 0 for year, cell in cells.items()} for cells in shown.values()])
    if not span:
        return None
    earlier = sum(cell.value or 0 for cells in shown.values() for year, cell in cells.items() if year < span[0])
    body = [
        _row(
            sources[name].title if name in sources else name,
            kind_class(sources[name].kind if name in sources else ""),
            span,
            cells,
        )
        for name, cells in shown.items()
    ]
    return Section(
        id="years",
        title="How far back, and how full",
        short="Years",
        lead=(
            f"Events of each source by year, {span[0]} to {span[-1]}. Each row is drawn to its own highest year, so "
            "that gaps show: a year that dips has probably not been delivered whole. A pale stub is a year with too "
            "few persons to show."
            + (f" The years before {span[0]} hold {counted(earlier, 'row')} in all." if earlier else "")
        ),
        body=join(
            tag("div", body, _axis(span), class_="years"),
            folded("The figures of this picture", _figures(names, shown, facts)),
        ),
    )


def _protected(entries: list[YearRows], facts: ReportFacts) -> dict[int, Protected]:
    cells = {e.year: Cell(rows=e.rows, persons=e.persons) for e in sorted(entries, key=lambda e: e.year)}
    return dict(protect_table(cells, facts.policy).cells)


def _row(title: str, style: str, span: range, cells: dict[int, Protected]) -> Html:
    heights = [cells[year].value if year in cells else 0 for year in span]
    titles = [f"{year}: {cells[year].text if year in cells else '0'}" for year in span]
    peak = max((year for year in span if year in cells), key=lambda year: cells[year].value or 0, default=span[0])
    name, what = split_title(title)
    said = (what, f"peak {whole(cells[peak].value or 0)} in {peak}")
    return tag(
        "div",
        tag("div", tag("b", name), tag("span", " · ".join(part for part in said if part)), class_="what"),
        columns(heights, style, titles=titles, css="columns tall"),
        class_="year-row",
    )


def _axis(span: range) -> Html:
    middle = span[len(span) // 2]
    marks = [span[0], middle, span[-1]] if len(span) > 4 else [span[0], span[-1]]
    return tag(
        "div",
        tag("div", class_="what"),
        tag("div", [tag("span", year) for year in marks], class_="marks"),
        class_="year-row axis",
        aria_hidden="true",
    )


def _figures(names: list[str], shown: dict[str, dict[int, Protected]], facts: ReportFacts) -> Html:
    titles = {source.name: source.title for source in facts.sources}
    years = sorted({year for cells in shown.values() for year in cells})
    return table(
        "Event rows by year and source",
        [Column(title="Year"), *(Column(title=titles.get(name, name), style="n") for name in names)],
        [[str(year), *(shown[name][year].text if year in shown[name] else "0" for name in names)] for year in years],
        class_="cards",
    )
