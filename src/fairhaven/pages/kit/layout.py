"""The pieces that every section of the page is made of: a heading with a lead, a table, a folded part."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fairhaven.pages.kit.html import Child, Html, join, tag


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A section of the page. ``short`` is its name in the list of contents."""

    id: str
    title: str
    short: str
    lead: Child
    body: Html

    def html(self) -> Html:
        """The section as an element."""
        return tag(
            "section",
            tag("header", tag("h2", self.title, id=f"{self.id}-h"), tag("p", self.lead, class_="lead")),
            self.body,
            id=self.id,
            aria_labelledby=f"{self.id}-h",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column of a table. ``style``: ``n`` for figures, ``w`` for a drawing that takes what room there is."""

    title: str
    style: str = ""


def table(
    caption: str,
    columns: Sequence[Column],
    rows: Iterable[Sequence[Child]],
    *,
    class_: str = "",
    is_caption_shown: bool = False,
    foot: Sequence[Child] | None = None,
) -> Html:
    """A table whose first cell of each row names the row. Narrow screens show each row as a card."""
    return tag(
        "table",
        tag("caption", caption, class_=None if is_caption_shown else "unseen"),
        tag("thead", tag("tr", [tag("th", c.title, scope="col", class_=c.style or None) for c in columns])),
        tag("tbody", [_row(columns, row) for row in rows]),
        tag("tfoot", _row(columns, foot)) if foot else None,
        class_=class_ or None,
    )


def named(name: str) -> Html:
    """A table's or a field's name, which may break after an underscore or a dot where room is short."""
    parts = [part for part in re.split(r"(?<=[_.])", name) if part]
    return tag("code", [join(tag("wbr") if place else None, part) for place, part in enumerate(parts)])


def folded(summary: Child, *body: Child, class_: str = "", is_open: bool = False) -> Html:
    """A part that opens when asked; ``is_open``: it starts open and can be closed."""
    return tag("details", tag("summary", summary), *body, class_=class_ or None, open=is_open)


def key(entries: Iterable[tuple[str, str]]) -> Html:
    """What the colours mean: (style class, words)."""
    return tag(
        "ul", [tag("li", tag("span", class_=f"swatch {style}"), words) for style, words in entries], class_="key"
    )


def figures(entries: Iterable[tuple[str, str]], *, class_: str = "figures") -> Html:
    """Large figures, each with what it counts: (figure, words)."""
    return tag("dl", [tag("div", tag("dt", words), tag("dd", figure)) for figure, words in entries], class_=class_)


def _row(columns: Sequence[Column], cells: Sequence[Child]) -> Html:
    first, *others = cells
    return tag(
        "tr",
        tag("th", first, scope="row", class_=columns[0].style or None),
        [
            tag("td", cell, class_=column.style or None, data_label=column.title or None)
            for column, cell in zip(columns[1:], others, strict=True)
        ],
    )
