"""Rows on their way, drawn: sources, what became of their rows, the tables of the release.

One thickness scale holds from left to right, so that a row is equally thick everywhere. A source's middle node widens
or narrows where its rows became more or fewer rows of the release: one admission carries up to twenty diagnoses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fairhaven.disclosure import Policy, protect
from fairhaven.pages.kit.charts import drawing, rect
from fairhaven.pages.kit.figures import share, short, whole
from fairhaven.pages.kit.html import Html, figure_of, tag
from fairhaven.pages.release.labels import split_title
from fairhaven.pages.release.row_flow import LOSSES, Layout, Stream, few_tables

_HEAD = 34


@dataclass(slots=True)
class _Node:
    y: float
    height: float
    left: float = 0.0
    right: float = 0.0


def sankey(streams: Sequence[Stream], unmapped: Mapping[str, int], *, policy: Policy, layout: Layout) -> Html:
    """The picture.

    Args:
        unmapped: table -> rows of it with concept 0; tables with too few to tell are left out.
        policy: decides which counts are told.
    """
    tables, streams, unmapped = few_tables(streams, unmapped)
    lost = {reason: sum(stream.lost.get(reason, 0) for stream in streams) for reason in LOSSES}
    lost = {reason: rows for reason, rows in lost.items() if rows}
    made = sum(tables.values())
    fullest = max(sum(s.received for s in streams), made, sum(_thickness(s) for s in streams) + sum(lost.values()), 1)
    scale = layout.tall / fullest
    left = _placed([stream.received * scale for stream in streams], layout.pitch)
    middle = _placed([_thickness(stream) * scale for stream in streams], 14)
    right = _placed([rows * scale for rows in tables.values()], layout.pitch)
    above = [*middle, *right] if layout.inside else middle
    foot = max((node.y + node.height for node in above), default=_HEAD) + 34
    drains = _placed([rows * scale for rows in lost.values()], 34, top=foot)
    columns = ([*left], [*middle, *drains], [*right])
    height = max((node.y + max(node.height, layout.pitch) for nodes in columns for node in nodes), default=_HEAD) + 10
    drain_of = dict(zip(lost, drains, strict=True))
    table_of = dict(zip(tables, right, strict=True))
    bands: list[Html] = []
    for stream, source, centre in zip(streams, left, middle, strict=True):
        bands += _into(stream, source, centre, drain_of, scale, layout)
        bands += _onwards(stream, centre, table_of, scale, layout)
    return drawing(
        _hatch(layout.name),
        tag("g", bands, class_="bands"),
        _middle_nodes(streams, middle, scale, layout),
        [_drain(reason, lost[reason], node, policy, layout) for reason, node in drain_of.items()],
        [_source(stream, node, layout) for stream, node in zip(streams, left, strict=True)],
        [
            _table(name, tables[name], unmapped.get(name, 0), node, scale, policy, layout)
            for name, node in table_of.items()
        ],
        _headings(sum(stream.received for stream in streams), sum(stream.kept for stream in streams), made, layout),
        width=layout.width,
        height=height,
        title="Rows on their way from each source to each table of the release",
        description=_described(streams, lost, tables, unmapped, policy),
        name=f"flow-{layout.name}",
        class_=f"sankey {layout.name}",
    )


def _thickness(stream: Stream) -> int:
    return max(stream.kept, sum(stream.written.values()))


def _placed(heights: Sequence[float], pitch: float, *, top: float = _HEAD) -> list[_Node]:
    nodes, y = [], float(top)
    for height in heights:
        tall = max(height, 1.5)
        nodes.append(_Node(y=y, height=tall))
        y += max(tall + 10, pitch)
    return nodes


def _into(
    stream: Stream, source: _Node, centre: _Node, drains: Mapping[str, _Node], scale: float, layout: Layout
) -> list[Html]:
    x0, x1 = layout.columns[0] + layout.bar, layout.columns[1]
    rows = stream.kept * scale
    title = f"{stream.title}: rows in use"
    bands = [_band(x0, source.y, x1, centre.y + (centre.height - rows) / 2, rows, stream.style, title)]
    source.right = rows
    for reason, drain in drains.items():
        if count := stream.lost.get(reason, 0):
            thick = max(count * scale, 0.8)
            title = f"{stream.title}: {stream.told.get(reason, '')} rows {LOSSES[reason].lower()}"
            bands.append(_band(x0, source.y + source.right, x1, drain.y + drain.left, thick, f"loss {reason}", title))
            source.right += count * scale
            drain.left += count * scale
    return bands


def _onwards(stream: Stream, centre: _Node, tables: Mapping[str, _Node], scale: float, layout: Layout) -> list[Html]:
    x1, x2 = layout.columns[1] + layout.middle, layout.columns[2]
    bands = []
    centre.right = (centre.height - sum(stream.written.values()) * scale) / 2
    for name, table in tables.items():
        if rows := stream.written.get(name, 0):
            thick = max(rows * scale, 0.6)
            title = f"{stream.title} to {name}: {stream.told.get(name, '')} rows"
            top, end = centre.y + centre.right, table.y + table.left
            bands.append(_band(x1, top, x2, end, thick, stream.style, title))
            centre.right += rows * scale
            table.left += rows * scale
    return bands


def _band(x0: float, y0: float, x1: float, y1: float, thick: float, style: str, title: str) -> Html:
    bend = (x0 + x1) / 2
    n = figure_of
    path = (
        f"M{n(x0)} {n(y0)}C{n(bend)} {n(y0)} {n(bend)} {n(y1)} {n(x1)} {n(y1)}V{n(y1 + thick)}"
        f"C{n(bend)} {n(y1 + thick)} {n(bend)} {n(y0 + thick)} {n(x0)} {n(y0 + thick)}Z"
    )
    return tag("path", tag("title", title), d=path, class_=f"band {style}")


def _middle_nodes(streams: Sequence[Stream], nodes: Sequence[_Node], scale: float, layout: Layout) -> Html:
    drawn = []
    x0, x1 = layout.columns[1], layout.columns[1] + layout.middle
    for stream, node in zip(streams, nodes, strict=True):
        out = sum(stream.written.values())
        first, last = max(stream.kept * scale, 0.8), max(out * scale, 0.8)
        upper, lower = node.y + (node.height - first) / 2, node.y + (node.height - last) / 2
        bend, n = (x0 + x1) / 2, figure_of
        path = (
            f"M{n(float(x0))} {n(upper)}C{n(bend)} {n(upper)} {n(bend)} {n(lower)} {n(float(x1))} {n(lower)}"
            f"v{n(last)}C{n(bend)} {n(lower + last)} {n(bend)} {n(upper + first)} {n(float(x0))} {n(upper + first)}Z"
        )
        title = f"{stream.title}: what its rows became"
        drawn.append(tag("path", tag("title", title), d=path, class_=f"node {stream.style}"))
    return tag("g", drawn)


def _source(stream: Stream, node: _Node, layout: Layout) -> Html:
    x = layout.columns[0]
    at, anchor = (x + layout.bar + 8, "start") if layout.inside else (x - 12, "end")
    name, what = split_title(stream.title)
    second = " · ".join(part for part in (what, whole(stream.received)) if part)
    return tag(
        "g",
        rect(x, node.y, layout.bar, node.height, f"node {stream.style}"),
        _label(short(name, layout.letters), second, at, node, anchor),
    )


def _table(name: str, rows: int, unmapped: int, node: _Node, scale: float, policy: Policy, layout: Layout) -> Html:
    x = layout.columns[2]
    at, anchor = (x - 8, "end") if layout.inside else (x + layout.bar + 12, "start")
    part = unmapped * scale
    second = protect(rows, policy).text + (f" · {share(unmapped, rows)} unmapped" if unmapped else "")
    return tag(
        "g",
        rect(x, node.y, layout.bar, node.height, "node table"),
        tag(
            "rect",
            tag("title", f"{name}: rows without a standard concept"),
            x=float(x),
            y=node.y + node.height - max(part, 1.5),
            width=layout.bar,
            height=max(part, 1.5),
            fill=f"url(#hatch-{layout.name})",
        )
        if unmapped
        else None,
        _label(name, second, at, node, anchor),
    )


def _drain(reason: str, rows: int, node: _Node, policy: Policy, layout: Layout) -> Html:
    x = layout.columns[1]
    return tag(
        "g",
        rect(x, node.y, layout.middle / 2, node.height, f"node loss {reason}"),
        _label(LOSSES[reason], protect(rows, policy).text, x + layout.middle / 2 + 8, node, "start"),
    )


def _label(first: str, second: str, x: float, node: _Node, anchor: str) -> Html:
    middle = node.y + min(node.height / 2, 60)
    y = max(middle - 3, node.y + 5)
    return tag(
        "text",
        tag("tspan", first, x=float(x), y=float(y), class_="name"),
        tag("tspan", second, x=float(x), y=float(y) + 15, class_="count"),
        text_anchor=anchor,
    )


def _headings(received: int, kept: int, made: int, layout: Layout) -> Html:
    first, second, third = layout.columns
    places = (
        ((first, "start", "Received", received), (second + layout.middle / 2, "middle", "In use", kept))
        if layout.inside
        else ((first - 12, "end", "Received", received), (second + layout.middle / 2, "middle", "In use", kept))
    )
    last = (third + layout.bar, "end") if layout.inside else (third + layout.bar + 12, "start")
    return tag(
        "g",
        [
            tag(
                "text",
                tag("tspan", f"{word} ", class_="head"),
                None if layout.inside else tag("tspan", f"{whole(rows)} rows", class_="count"),
                x=float(x),
                y=12,
                text_anchor=anchor,
            )
            for x, anchor, word, rows in (*places, (*last, "In the release", made))
        ],
    )


def _hatch(name: str) -> Html:
    return tag(
        "defs",
        tag(
            "pattern",
            tag("rect", width=5, height=5, class_="hatch-ground"),
            tag("rect", width=2, height=5, class_="hatch-line"),
            id=f"hatch-{name}",
            width=5,
            height=5,
            patternUnits="userSpaceOnUse",
            patternTransform="rotate(45)",
        ),
    )


def _described(
    streams: Sequence[Stream],
    lost: Mapping[str, int],
    tables: Mapping[str, int],
    unmapped: Mapping[str, int],
    policy: Policy,
) -> str:
    sources = "; ".join(f"{stream.title} {whole(stream.received)}" for stream in streams)
    kept_back = (
        "; ".join(f"{LOSSES[reason].lower()} {protect(rows, policy).text}" for reason, rows in lost.items()) or "none"
    )
    made = "; ".join(
        f"{name} {protect(rows, policy).text}"
        + (f" of which {whole(unmapped[name])} unmapped" if unmapped.get(name) else "")
        for name, rows in tables.items()
    )
    return f"Rows received: {sources}. Kept back: {kept_back}. Rows written: {made}. The table below has every figure."
