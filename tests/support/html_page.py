"""A page as tests read it, and what every page of the catalogue has to be."""

import base64
import hashlib
import re
from html.parser import HTMLParser

_VOID = {"br", "hr", "img", "link", "meta", "wbr"}


class Page(HTMLParser):
    """Every element with its attributes, and the text outside of the style; fails where tags do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.headings: list[int] = []
        self.feed(html)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        """All words of the page, blanks made one."""
        return " ".join(" ".join(self.words).split())


def check_nothing_fetched(html: str) -> None:
    """Without script, and without a request when it is opened."""
    page = Page(html)
    assert "<script" not in html
    for name, attributes in page.elements:
        assert name not in {"script", "link", "iframe", "img", "image", "use", "object", "embed"}
        for key, value in attributes.items():
            assert not key.startswith("on"), key
            assert key != "style", "an inline style needs a weaker content security policy"
            if key in {"href", "src", "xlink:href"}:
                assert (value or "").startswith("#"), value
            if "url(" in (value or ""):
                assert (value or "").startswith("url(#"), value
    style = html[html.index("<style>") : html.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def check_style_policy(html: str) -> None:
    """The content security policy names the hash of exactly this style."""
    page = Page(html)
    style = html[html.index("<style>") + len("<style>") : html.index("</style>")]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = [a["content"] for n, a in page.elements if n == "meta" and a.get("http-equiv")]
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def check_screen_reader(html: str) -> None:
    """Headings, ids, links, pictures and tables as a screen reader needs them."""
    page = Page(html)
    assert page.elements[0] == ("html", {"lang": "en-GB"})
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(page.headings, page.headings[1:], strict=False))
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids)), "an id names one element"
    targets = {a["href"] for n, a in page.elements if n == "a"}
    assert {str(target)[1:] for target in targets} <= set(ids)
    assert "#report" in targets, "the skip link"
    for name, attributes in page.elements:
        if name == "svg":
            told = set((attributes.get("aria-labelledby") or "").split())
            assert attributes.get("aria-hidden") == "true" or (attributes.get("role") == "img" and told <= set(ids))
        if name == "th":
            assert attributes.get("scope") in {"col", "row"}
