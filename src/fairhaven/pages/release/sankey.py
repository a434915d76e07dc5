"""Rows on their way, drawn: sources, what became of their rows, the tables of the release.

One thickness scale holds from left to right, so that a row is equally thick everywhere. A source's middle node widens
or narrows where its rows became more or fewer rows of the release: one admission carries up to twenty diagnoses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from fairhaven.disclosure import Protected
from fairhaven.journeys.releases.release_report import RowsShown, SourceFlow
from fairhaven.pages.kit.charts import drawing, hatch, rect
from fairhaven.pages.kit.figures import share, short, whole
from fairhaven.pages.kit.svg import coordinate, element
from fairhaven.pages.release.labels import kind_class, kind_order, split_title
from fairhaven.pages.release.sankey_layout import (
    LAYOUTS,
    LOSSES,
    DrawnRows,
    DrawnTable,
    Layout,
    drawn_rows,
    drawn_tables,
)

_HEAD = 34


@dataclass(slots=True)
class _Node:
    y: float
    height: float
    left: float = 0.0
    right: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stream:
    """One source as it is drawn: rows received and in words, rows in use, those kept back by reason, and those written to each table."""

    title: str
    style: str
    received: int
    said: str
    lost: Mapping[str, DrawnRows | None]
    written: Sequence[DrawnRows | None]

    @property
    def kept(self) -> int:
        """Rows in use, as far as those kept back may be seen."""
        return max(self.received - sum(rows.size for rows in self.lost.values() if rows), 0)

    @property
    def made(self) -> int:
        """Rows written, as far as they may be seen."""
        return sum(rows.size for rows in self.written if rows)

    @property
    def thickness(self) -> int:
        """Of its middle node at its thicker end."""
        return max(self.kept, self.made)


def sankey(rows: RowsShown, name: str) -> Markup:
    """The picture, for ``wide`` or ``narrow`` screens; a hidden number is a thread, whatever it is."""
    layout = LAYOUTS[name]
    sources = sorted(rows.sources, key=lambda flow: kind_order(flow.source.kind))
    tables = drawn_tables(rows.tables, sources)
    streams = [_stream(flow, [table.by_source[place] for table in tables]) for place, flow in enumerate(sources)]
    lost = {reason: rows.lost[reason] for reason in LOSSES if reason in rows.lost}
    sizes = [table.size for table in tables]
    losses = [count.value or 0 for count in lost.values()]
    fullest = max(sum(s.received for s in streams), sum(sizes), sum(s.thickness for s in streams) + sum(losses), 1)
    scale = layout.tall / fullest
    left = _placed([stream.received * scale for stream in streams], layout.pitch)
    middle = _placed([stream.thickness * scale for stream in streams], 14)
    right = _placed([size * scale for size in sizes], layout.pitch)
    above = [*middle, *right] if layout.inside else middle
    foot = max((node.y + node.height for node in above), default=_HEAD) + 34
    drains = _placed([size * scale for size in losses], 34, top=foot)
    columns = ([*left], [*middle, *drains], [*right])
    height = max((node.y + max(node.height, layout.pitch) for nodes in columns for node in nodes), default=_HEAD) + 10
    drain_of = dict(zip(lost, drains, strict=True))
    bands: list[Markup] = []
    for stream, source, centre in zip(streams, left, middle, strict=True):
        bands += _into(stream, source, centre, drain_of, scale, layout)
        bands += _onwards(stream, centre, tables, right, scale, layout)
    return drawing(
        hatch(f"hatch-{layout.name}", size=5, line=2, style="hatch"),
        element("g", bands, class_="bands"),
        _middle_nodes(streams, middle, scale, layout),
        [_drain(reason, lost[reason], node, layout) for reason, node in drain_of.items()],
        [_source(stream, node, layout) for stream, node in zip(streams, left, strict=True)],
        [_table(table, node, scale, layout) for table, node in zip(tables, right, strict=True)],
        _headings(rows, layout),
        width=layout.width,
        height=height,
        title="Rows on their way from each source to each table of the release",
        description=_described(streams, lost, tables),
        name=f"flow-{layout.name}",
        class_=f"sankey {layout.name}",
    )


def _stream(flow: SourceFlow, written: Sequence[DrawnRows | None]) -> _Stream:
    return _Stream(
        title=flow.source.title,
        style=kind_class(flow.source.kind),
        received=flow.received.value or 0,
        said=flow.received.text,
        lost={reason: drawn_rows(rows) for reason, rows in flow.lost.items()},
        written=written,
    )


def _placed(heights: Sequence[float], pitch: float, *, top: float = _HEAD) -> list[_Node]:
    nodes, y = [], float(top)
    for height in heights:
        tall = max(height, 1.5)
        nodes.append(_Node(y=y, height=tall))
        y += max(tall + 10, pitch)
    return nodes


def _into(
    stream: _Stream, source: _Node, centre: _Node, drains: Mapping[str, _Node], scale: float, layout: Layout
) -> list[Markup]:
    x0, x1 = layout.columns[0] + layout.bar, layout.columns[1]
    rows = stream.kept * scale
    title = f"{stream.title}: rows in use"
    bands = [_band(x0, source.y, x1, centre.y + (centre.height - rows) / 2, rows, stream.style, title)]
    source.right = rows
    for reason, drain in drains.items():
        count = stream.lost[reason]
        if count is not None:
            size = count.size * scale
            title = f"{stream.title}: {count.said(LOSSES[reason].lower())}"
            y0, y1 = source.y + source.right, drain.y + drain.left
            bands.append(_band(x0, y0, x1, y1, max(size, 0.8), f"loss {reason}", title))
            source.right += size
            drain.left += size
    return bands


def _onwards(
    stream: _Stream, centre: _Node, tables: Sequence[DrawnTable], nodes: Sequence[_Node], scale: float, layout: Layout
) -> list[Markup]:
    x1, x2 = layout.columns[1] + layout.middle, layout.columns[2]
    bands = []
    centre.right = (centre.height - stream.made * scale) / 2
    for count, table, node in zip(stream.written, tables, nodes, strict=True):
        if count is not None:
            size = count.size * scale
            title = f"{stream.title} to {table.name}: {count.said()}"
            top, end = centre.y + centre.right, node.y + node.left
            bands.append(_band(x1, top, x2, end, max(size, 0.6), stream.style, title))
            centre.right += size
            node.left += size
    return bands


def _band(x0: float, y0: float, x1: float, y1: float, thick: float, style: str, title: str) -> Markup:
    bend = (x0 + x1) / 2
    n = coordinate
    path = (
        f"M{n(x0)} {n(y0)}C{n(bend)} {n(y0)} {n(bend)} {n(y1)} {n(x1)} {n(y1)}V{n(y1 + thick)}"
        f"C{n(bend)} {n(y1 + thick)} {n(bend)} {n(y0 + thick)} {n(x0)} {n(y0 + thick)}Z"
    )
    return element("path", element("title", title), d=path, class_=f"band {style}")


def _middle_nodes(streams: Sequence[_Stream], nodes: Sequence[_Node], scale: float, layout: Layout) -> Markup:
    drawn = []
    x0, x1 = layout.columns[1], layout.columns[1] + layout.middle
    for stream, node in zip(streams, nodes, strict=True):
        first, last = max(stream.kept * scale, 0.8), max(stream.made * scale, 0.8)
        upper, lower = node.y + (node.height - first) / 2, node.y + (node.height - last) / 2
        bend, n = (x0 + x1) / 2, coordinate
        path = (
            f"M{n(float(x0))} {n(upper)}C{n(bend)} {n(upper)} {n(bend)} {n(lower)} {n(float(x1))} {n(lower)}"
            f"v{n(last)}C{n(bend)} {n(lower + last)} {n(bend)} {n(upper + first)} {n(float(x0))} {n(upper + first)}Z"
        )
        title = f"{stream.title}: what its rows became"
        drawn.append(element("path", element("title", title), d=path, class_=f"node {stream.style}"))
    return element("g", drawn)


def _source(stream: _Stream, node: _Node, layout: Layout) -> Markup:
    x = layout.columns[0]
    at, anchor = (x + layout.bar + 8, "start") if layout.inside else (x - 12, "end")
    name, what = split_title(stream.title)
    second = " · ".join(part for part in (what, stream.said) if part)
    return element(
        "g",
        rect(x, node.y, layout.bar, node.height, f"node {stream.style}"),
        _label(short(name, layout.letters), second, at, node, anchor),
    )


def _table(table: DrawnTable, node: _Node, scale: float, layout: Layout) -> Markup:
    x = layout.columns[2]
    at, anchor = (x - 8, "end") if layout.inside else (x + layout.bar + 12, "start")
    second = table.rows + (f" · {share(table.part, 1)} unmapped" if table.unmapped else "")
    return element(
        "g",
        rect(x, node.y, layout.bar, node.height, "node table"),
        _hatched(table, node, scale, layout) if table.unmapped else None,
        _label(table.name, second, at, node, anchor),
    )


def _hatched(table: DrawnTable, node: _Node, scale: float, layout: Layout) -> Markup:
    tall = max(table.part * table.size * scale, 1.5)
    return element(
        "rect",
        element("title", f"{table.name}: rows without a standard concept"),
        x=float(layout.columns[2]),
        y=node.y + node.height - tall,
        width=layout.bar,
        height=tall,
        fill=f"url(#hatch-{layout.name})",
    )


def _drain(reason: str, rows: Protected, node: _Node, layout: Layout) -> Markup:
    x = layout.columns[1]
    return element(
        "g",
        rect(x, node.y, layout.middle / 2, node.height, f"node loss {reason}"),
        _label(LOSSES[reason], rows.text, x + layout.middle / 2 + 8, node, "start"),
    )


def _label(first: str, second: str, x: float, node: _Node, anchor: str) -> Markup:
    middle = node.y + min(node.height / 2, 60)
    y = max(middle - 3, node.y + 5)
    return element(
        "text",
        element("tspan", first, x=float(x), y=float(y), class_="name"),
        element("tspan", second, x=float(x), y=float(y) + 15, class_="count"),
        text_anchor=anchor,
    )


def _headings(rows: RowsShown, layout: Layout) -> Markup:
    first, second, third = layout.columns
    start, end = (
        ((first, "start"), (third + layout.bar, "end"))
        if layout.inside
        else ((first - 12, "end"), (third + layout.bar + 12, "start"))
    )
    places = (
        (*start, "Received", rows.total.received.text + ("" if rows.total.received.is_hidden else " rows")),
        (second + layout.middle / 2, "middle", "In use", rows.in_use.text + ("" if rows.in_use.is_hidden else " rows")),
        (*end, "In the release", f"{whole(rows.made)} rows"),
    )
    return element(
        "g",
        [
            element(
                "text",
                element("tspan", f"{word} ", class_="head"),
                None if layout.inside else element("tspan", count, class_="count"),
                x=float(x),
                y=12,
                text_anchor=anchor,
            )
            for x, anchor, word, count in places
        ],
    )


def _described(streams: Sequence[_Stream], lost: Mapping[str, Protected], tables: Sequence[DrawnTable]) -> str:
    sources = "; ".join(f"{stream.title} {stream.said}" for stream in streams)
    kept_back = "; ".join(f"{LOSSES[reason].lower()} {rows.text}" for reason, rows in lost.items()) or "none"
    made = "; ".join(
        f"{table.name} {table.rows}" + (f" of which {table.unmapped} unmapped" if table.unmapped else "")
        for table in tables
    )
    return f"Rows received: {sources}. Kept back: {kept_back}. Rows written: {made}. The table below has every figure."
