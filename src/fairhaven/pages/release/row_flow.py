"""What the flow picture is made of: streams of rows from sources to tables, and how they are laid out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """One source: its rows, what was kept back of them by reason, and the rows written to each table.

    Args:
        told: what may be said of the rows kept back for a reason and of those written to a table, by reason or table.
    """

    title: str
    style: str
    received: int
    lost: Mapping[str, int]
    written: Mapping[str, int]
    told: Mapping[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> int:
        """Rows that the release is made of."""
        return self.received - sum(self.lost.values())


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


WIDE = Layout(
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
NARROW = Layout(
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
LOSSES = {"quarantined": "Quarantined", "opted-out": "Opted out", "replaced": "Withdrawn or replaced"}
"""What keeps rows back, by style class."""

_MOST_TABLES = 14


def few_tables(
    streams: Sequence[Stream], unmapped: Mapping[str, int]
) -> tuple[dict[str, int], list[Stream], dict[str, int]]:
    """Tables in drawing order with their rows; the small ones become one."""
    rows: dict[str, int] = {}
    centre: dict[str, float] = {}
    for place, stream in enumerate(streams):
        for table, count in stream.written.items():
            rows[table] = rows.get(table, 0) + count
            centre[table] = centre.get(table, 0.0) + place * count
    largest = sorted((table for table in rows if rows[table]), key=lambda table: (-rows[table], table))
    shown = largest if len(largest) <= _MOST_TABLES else largest[: _MOST_TABLES - 1]
    shown = sorted(shown, key=lambda table: (round(centre[table] / rows[table], 1), -rows[table]))
    rest = [table for table in largest if table not in shown]
    other = f"{len(rest)} smaller tables"
    found = {table: rows[table] for table in shown}
    if not rest:
        return found, list(streams), dict(unmapped)
    found[other] = sum(rows[table] for table in rest)
    merged = []
    for stream in streams:
        written = {table: n for table, n in stream.written.items() if table in shown}
        written[other] = sum(n for table, n in stream.written.items() if table in rest)
        merged.append(replace(stream, written=written))
    return found, merged, {**unmapped, other: sum(unmapped.get(table, 0) for table in rest)}
