"""A page: one file, no script, nothing fetched, nothing that a strict content security policy would stop."""

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files

from fairhaven.pages.kit.html import Child, Html, join, tag


def document(*content: Child, title: str, skip_to: tuple[str, str], styles: Sequence[str]) -> str:
    """A whole HTML document.

    Args:
        content: opening, contents, main and footer.
        skip_to: words and id of the link that the keyboard reaches first.
        styles: packages whose ``style.css`` follows the one that all pages share.
    """
    sheets = [_sheet(package) for package in ("fairhaven.pages.kit", *styles)]
    words, target = skip_to
    body = tag("body", tag("a", words, href=f"#{target}", class_="skip"), tag("div", *content, class_="page"))
    return f"<!doctype html>\n{tag('html', _head(title, ''.join(sheets)), body, lang='en-GB')}\n"


def _sheet(package: str) -> str:
    return files(package).joinpath("style.css").read_text(encoding="utf-8")


def _head(title: str, style: str) -> Html:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        # The policy names the hash of exactly these characters.
        tag("style", join(Html(style))),
    )
