"""The figures of a made page: its tables by caption, and every other word that is seen, pointed at or read aloud."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

SPOKEN = ("aria-label", "title", "alt", "data-value", "data-count")
"""Attributes that say something to a reader or a program; `data-label` repeats the title of a column."""


@dataclass(kw_only=True)
class PageTable:
    """A table as it is read: its caption, the titles of its columns, its rows and those of its foot."""

    caption: str = ""
    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    foot: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Words:
    """Words outside of tables: the element in which they stand (``title``, ``desc``, ``p``), and the section's id."""

    element: str
    section: str
    text: str


class PageTables(HTMLParser):
    """Tables and words of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: list[PageTable] = []
        self.words: list[Words] = []
        self._open: list[str] = []
        self._section = ""
        self._cell: list[str] | None = None
        self._title: list[str] | None = None
        self.feed(html)
        self.close()

    def table(self, caption: str) -> list[list[str]]:
        """Rows of the table with that caption, none where there is no such table."""
        return [row for table in self.tables if table.caption == caption for row in table.rows]

    def foot(self, caption: str) -> list[str]:
        """The foot of the table with that caption."""
        return next((row for table in self.tables if table.caption == caption for row in table.foot), [])

    def said(self, pattern: str, *, element: str = "") -> list[re.Match[str]]:
        """Where the words of an element are as the pattern has it."""
        found = (re.fullmatch(pattern, words.text) for words in self.words if element in ("", words.element))
        return [match for match in found if match]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("br", "hr", "img", "link", "meta", "wbr"):
            return
        self._open.append(tag)
        if tag == "section":
            self._section = given.get("id") or ""
        for name in SPOKEN:
            if given.get(name):
                self.words.append(Words(element=name, section=self._section, text=str(given[name])))
        if tag == "table":
            self.tables.append(PageTable())
        elif tag == "tr" and "tbody" in self._open:
            self.tables[-1].rows.append([])
        elif tag == "tr" and "tfoot" in self._open:
            self.tables[-1].foot.append([])
        elif tag in ("th", "td", "caption"):
            self._cell = []
        elif tag in ("title", "desc"):
            self._title = []

    def handle_endtag(self, tag: str) -> None:
        if tag in ("th", "td", "caption") and self._cell is not None:
            self._end_cell(tag, _joined(self._cell))
        elif tag in ("title", "desc") and self._title is not None:
            self.words.append(Words(element=tag, section=self._section, text=_joined(self._title)))
            self._title = None
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def _end_cell(self, tag: str, text: str) -> None:
        table = self.tables[-1]
        if tag == "caption":
            table.caption = text
        elif "thead" in self._open:
            table.columns.append(text)
        else:
            (table.foot if "tfoot" in self._open else table.rows)[-1].append(text)
        self._cell = None

    def handle_data(self, data: str) -> None:
        if self._title is not None:
            self._title.append(data)
        elif self._cell is not None:
            self._cell.append(data)
        elif data.strip() and "style" not in self._open and self._open:
            self.words.append(Words(element=self._open[-1], section=self._section, text=" ".join(data.split())))


def _joined(parts: list[str]) -> str:
    """A cell's words; what elements within it say is set apart by a bar."""
    return " | ".join(word for part in parts if (word := " ".join(part.split())))
