"""How the flow picture is laid out, and which tables it draws."""

from collections.abc import Sequence
from dataclasses import dataclass

from fairhaven.disclosure import Protected
from fairhaven.journeys.releases.release_report import SourceFlow, WrittenTable
from fairhaven.pages.kit.figures import whole


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Places, in units of the drawing.

    Args:
        columns: left edges of the three columns of nodes.
        bar: thickness of the outer nodes; middle: of the middle ones.
        tall: height that the fullest column's rows take, without gaps.
        pitch: least distance between two nodes, so that their labels do not collide.
        inside: labels lie over the streams, for narrow screens.
        letters: how many letters of a label fit.
    """

    name: str
    width: int
    columns: tuple[int, int, int]
    bar: int
    middle: int
    tall: int
    pitch: int
    inside: bool
    letters: int


_WIDE = Layout(
    name="wide",
    width=1080,
    columns=(212, 500, 856),
    bar=10,
    middle=34,
    tall=430,
    pitch=40,
    inside=False,
    letters=30,
)
_NARROW = Layout(
    name="narrow",
    width=372,
    columns=(0, 168, 364),
    bar=8,
    middle=20,
    tall=460,
    pitch=38,
    inside=True,
    letters=19,
)
LAYOUTS = {layout.name: layout for layout in (_WIDE, _NARROW)}

LOSSES = {"quarantined": "Quarantined", "opted-out": "Opted out", "replaced": "Withdrawn or replaced"}
"""What keeps rows back, by style class."""

_MOST_TABLES = 14


@dataclass(frozen=True, kw_only=True, slots=True)
class DrawnRows:
    """Rows as they are drawn and said; a hidden number has no size and empty words, so that all hidden ones look alike."""

    size: int
    words: str

    def said(self, what: str = "") -> str:
        """``5,204 rows opted out``; where the number is hidden, that it is."""
        rows = f"{self.words} rows" if self.words else "rows"
        return f"{rows} {what}".rstrip() + ("" if self.words else ", how many is not shown")


def drawn_rows(rows: Protected) -> DrawnRows | None:
    """Nothing is drawn of a zero that may be seen."""
    if rows.value is None:
        return DrawnRows(size=0, words="")
    return DrawnRows(size=rows.value, words=rows.text) if rows.value else None


@dataclass(frozen=True, kw_only=True, slots=True)
class DrawnTable:
    """A table of the release in the picture, or its small tables as one.

    Args:
        rows, unmapped: as words; size: rows as they are drawn; part: share of them that is unmapped.
        by_source: rows from each source, in the order of the sources; None from those that have none in it.
    """

    name: str
    size: int
    rows: str
    unmapped: str
    part: float
    by_source: Sequence[DrawnRows | None]


def drawn_tables(tables: Sequence[WrittenTable], sources: Sequence[SourceFlow]) -> list[DrawnTable]:
    """Tables in drawing order, near the sources that they come from; the small ones become one."""
    ranked = sorted((table for table in tables if table.rows.value != 0), key=_rank)
    shown = ranked if len(ranked) <= _MOST_TABLES else ranked[: _MOST_TABLES - 1]
    drawn = [
        DrawnTable(
            name=table.table,
            size=table.rows.value or 0,
            rows=table.rows.text,
            unmapped=table.unmapped.count.text if table.unmapped.count.value else "",
            part=table.unmapped.share or 0.0,
            by_source=[_written(source, table) for source in sources],
        )
        for table in shown
    ]
    drawn.sort(key=lambda table: (_centre(table), -table.size))
    return drawn + ([_together(ranked[len(shown) :], sources)] if len(shown) < len(ranked) else [])


def _written(source: SourceFlow, table: WrittenTable) -> DrawnRows | None:
    return drawn_rows(source.written[table.table]) if table.table in source.written else None


def _rank(table: WrittenTable) -> tuple[int, str]:
    return -(table.rows.value or 0), table.table


def _centre(table: DrawnTable) -> float:
    """Where on average its rows come from, as a place among the sources."""
    rows = [count.size if count else 0 for count in table.by_source]
    return round(sum(place * count for place, count in enumerate(rows)) / sum(rows), 1) if any(rows) else 0.0


def _together(tables: Sequence[WrittenTable], sources: Sequence[SourceFlow]) -> DrawnTable:
    """Sums of what may be shown of each, and of nothing else."""
    size = sum(table.rows.value or 0 for table in tables)
    unmapped = sum(table.unmapped.count.value or 0 for table in tables)
    from_each = [sum(rows.size for table in tables if (rows := _written(source, table))) for source in sources]
    return DrawnTable(
        name=f"{len(tables)} smaller tables",
        size=size,
        rows=whole(size),
        unmapped=whole(unmapped) if unmapped else "",
        part=unmapped / size if size else 0.0,
        by_source=[DrawnRows(size=rows, words=whole(rows)) if rows else None for rows in from_each],
    )
