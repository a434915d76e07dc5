"""How much each source holds of each year: a row of upright bars for each source, drawn to its own highest year."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from fairhaven.disclosure import Protected
from fairhaven.journeys.releases.release_report import ReleaseReport
from fairhaven.pages.kit.charts import columns
from fairhaven.pages.kit.figures import whole
from fairhaven.pages.release.labels import kind_class, kind_order, split_title, telling_years


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceYears:
    """A source's row: its name, what it is and its peak in words, and the drawing."""

    title: str
    name: str
    words: str
    drawing: Markup


@dataclass(frozen=True, kw_only=True, slots=True)
class YearPicture:
    """The picture, and its figures.

    Args:
        span: the years drawn; earlier: rows before them; marks: years under the picture.
        figures: year -> rows of each source, in words.
    """

    sources: Sequence[SourceYears]
    span: range
    earlier: int
    marks: Sequence[int]
    figures: Sequence[tuple[int, Sequence[str]]]

    @property
    def columns(self) -> list[tuple[str, str]]:
        """Columns of the table of figures: title, style."""
        return [("Year", ""), *((source.title, "n") for source in self.sources)]


def year_rows(report: ReleaseReport) -> YearPicture | None:
    """The picture; None where no year is known."""
    known = {source.name: source for source in report.sources}
    kinds = {name: known[name].kind if name in known else "" for name in report.years}
    listed = [name for name in dict.fromkeys([*known, *report.years]) if name in report.years]
    shown = {name: report.years[name] for name in sorted(listed, key=lambda name: kind_order(kinds[name]))}
    span = telling_years([{year: rows.value or 0 for year, rows in years.items()} for years in shown.values()])
    if not span:
        return None
    return YearPicture(
        sources=[
            _source(known[name].title if name in known else name, kind_class(kinds[name]), span, years)
            for name, years in shown.items()
        ],
        span=span,
        earlier=sum(rows.value or 0 for years in shown.values() for year, rows in years.items() if year < span[0]),
        marks=[span[0], span[len(span) // 2], span[-1]] if len(span) > 4 else [span[0], span[-1]],
        figures=[
            (year, [years[year].text if year in years else "0" for years in shown.values()])
            for year in sorted({year for years in shown.values() for year in years})
        ],
    )


def _source(title: str, style: str, span: range, years: Mapping[int, Protected]) -> SourceYears:
    peak = max((year for year in span if year in years), key=lambda year: years[year].value or 0, default=None)
    name, what = split_title(title)
    said = f"peak {whole(years[peak].value or 0)} in {peak}" if peak is not None else ""
    return SourceYears(
        title=title,
        name=name,
        words=" · ".join(part for part in (what, said) if part),
        drawing=columns(
            [years[year].value if year in years else 0 for year in span],
            style,
            titles=[f"{year}: {years[year].text if year in years else '0'}" for year in span],
            css="columns tall",
        ),
    )
