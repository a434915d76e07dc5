"""Whoever cannot see a picture finds every figure of it in a table of the same section."""

import re
from collections import defaultdict
from html.parser import HTMLParser

import pytest

from fairhaven.pages.cohort import render as render_cohorts
from fairhaven.pages.release import render as render_release
from tests.support.cohort_attrition import attrition_page
from tests.support.release_counts import description, report

_FIGURE = re.compile(r"[−+]?\d[\d,]*(?:\.\d+)?%?")


class _Figures(HTMLParser):
    """Figures that drawings say (in text, titles and descriptions) and those that tables say, by section."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self._open: list[str] = []
        self._section = ""
        self.drawn: dict[str, set[str]] = defaultdict(set)
        self.told: dict[str, set[str]] = defaultdict(set)
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "section":
            self._section = dict(attrs)["id"] or ""
        if tag not in {"meta", "wbr"}:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "svg" in self._open:
            self.drawn[self._section] |= set(_FIGURE.findall(data))
        elif "table" in self._open:
            self.told[self._section] |= set(_FIGURE.findall(data))


def _only_drawn(html: str) -> dict[str, set[str]]:
    found = _Figures(html)
    return {
        section: drawn - found.told[section] for section, drawn in found.drawn.items() if drawn - found.told[section]
    }


def test_every_figure_of_a_drawing_is_in_a_table_of_its_section_on_the_page_of_a_release() -> None:
    html = render_release(report(described=description()))
    assert len(_Figures(html).drawn) == 3, "the flow of rows, the years, the variables"
    assert _only_drawn(html) == {}


@pytest.mark.parametrize("count", [1, 3])
def test_every_figure_of_a_drawing_is_in_a_table_of_its_section_on_the_page_of_cohorts(count: int) -> None:
    html = render_cohorts(attrition_page(count))
    assert any("−180" in drawn for drawn in _Figures(html).drawn.values())
    assert _only_drawn(html) == {}


def test_a_figure_that_is_only_drawn_is_found() -> None:
    html = '<section id="a"><svg><text>1,234</text></svg><table><tr><td>1,23</td></tr></table></section>'
    assert _only_drawn(html) == {"a": {"1,234"}}
