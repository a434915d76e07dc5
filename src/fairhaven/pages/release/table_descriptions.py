"""The tables of a release with their variables, and the small drawings of how values spread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from fairhaven.pages.kit.charts import columns
from fairhaven.pages.kit.figures import whole
from fairhaven.pages.release.labels import telling_years
from fairhaven.release.description import Description, TableDescription, Variable


@dataclass(frozen=True, kw_only=True, slots=True)
class DescribedTable:
    """A table.

    Args:
        spark: its rows by year as a small drawing.
        drawn: variables whose values are drawn as upright bars.
        never: names of variables that are never filled.
    """

    of: TableDescription
    spark: Markup | str
    drawn: Sequence[Variable]
    never: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class TableDescriptions:
    """Tables that have rows, names of those that have none, and the years that the small drawings span."""

    tables: Sequence[DescribedTable]
    empty: Sequence[str]
    span: range
    count: int


def table_descriptions(description: Description) -> TableDescriptions:
    """Every table, those without rows by name only."""
    tables = [table for table in description.tables if table.rows is None or table.rows > 0]
    years = {table.name: _years(table) if table.first_year is not None else {} for table in tables}
    span = telling_years([{year: rows or 0 for year, rows in counts.items()} for counts in years.values()])
    return TableDescriptions(
        tables=[
            DescribedTable(
                of=table,
                spark=_spark(years[table.name], span),
                drawn=[each for each in table.variables if each.kind in ("number", "date") and each.bars],
                never=[each.name for each in table.variables if each.missing and each.missing == table.rows],
            )
            for table in tables
        ],
        empty=[table.name for table in description.tables if table.rows == 0],
        span=span,
        count=sum(len(table.variables) for table in tables),
    )


def histogram(variable: Variable) -> Markup:
    """Classes of a number, or years of a date, as upright bars."""
    titles = [f"{bar.label}: {'not shown' if bar.rows is None else whole(bar.rows)}" for bar in variable.bars]
    style = "tone-2" if variable.kind == "date" else "tone-1"
    return columns([bar.rows for bar in variable.bars], style, titles=titles, css="columns mid")


def _years(table: TableDescription) -> Mapping[int, int | None]:
    """Rows by year of the table's first date that has a distribution; None for a hidden year."""
    dates = next((variable for variable in table.variables if variable.kind == "date" and variable.bars), None)
    return {int(bar.label): bar.rows for bar in dates.bars} if dates else {}


def _spark(years: Mapping[int, int | None], span: range) -> Markup | str:
    return columns([years.get(year, 0) for year in span], "tone-1", css="columns spark") if years else ""
