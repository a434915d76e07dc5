"""Pages show what is protected already, and nothing in them needs a weaker content security policy than the strictest."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.source_tree import SOURCE, Module, modules

_PAGES = SOURCE / "pages"
_MAY_SEE = {"Policy", "Protected"}
"""What of `fairhaven.disclosure` a page uses: a count as it may be shown, and the words of the rule."""

_EXACT = {
    "fairhaven.journeys.descriptions.describe",
    "fairhaven.journeys.releases.protected_counts",
    "fairhaven.release.facts",
    "fairhaven.release.row_counts",
}
_WITHOUT_COUNTS_OF_PERSONS = {"fairhaven.release.facts.SourceFacts"}


def _forbidden(module: Module) -> list[str]:
    """What a page must not do: import what protects, what is exact or a use case; say itself that a count is protected."""
    found = []
    for name in sorted(module.imports):
        place, _, last = name.rpartition(".")
        is_protecting = name.startswith("fairhaven.disclosure") and last not in _MAY_SEE
        is_use_case = name.startswith("fairhaven.journeys") and not last[:1].isupper()
        if is_protecting or is_use_case or (place in _EXACT and name not in _WITHOUT_COUNTS_OF_PERSONS):
            found.append(name)
    return found + [module.line(call) for called, call in module.calls() if called == "Protected"]


@pytest.mark.parametrize("module", [each for each in modules() if each.room == "pages"], ids=lambda each: each.name)
def test_a_page_protects_nothing_because_it_is_given_what_may_be_shown(module: Module) -> None:
    assert _forbidden(module) == []


@pytest.mark.parametrize(
    "planted",
    [
        "from fairhaven.disclosure import Policy, protect",
        "from fairhaven.disclosure.primary_suppression import protect_table",
        "def drawn():\n    import fairhaven.disclosure",
        "from fairhaven.journeys.descriptions.describe import DescribedRelease",
        "from fairhaven.journeys.releases.report_facts import report_on_release",
        "from fairhaven.release.facts import LinkageSummary",
        "shown = Protected(value=3, text='3')",
    ],
)
def test_a_page_that_protects_is_found(planted: str) -> None:
    module = Module(name="fairhaven.pages.planted", path=_PAGES / "planted.py", tree=ast.parse(planted))
    assert len(_forbidden(module)) == 1


def _weakening(source: str) -> list[str]:
    """What of a template or a drawing a strict content security policy would stop, or autoescape would not see."""
    return re.findall(
        r"\sstyle=|\bstyle=f?\"|\son\w+=[\"']|<script|<style(?!>\{\{ look\.sheet \}\}</style>)|\|\s*safe\b|autoescape false",
        source,
    )


@pytest.mark.parametrize("path", sorted(_PAGES.rglob("*.j2")), ids=lambda path: path.name)
def test_a_template_has_no_style_and_no_script_of_its_own(path: Path) -> None:
    assert _weakening(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "planted",
    ['<p style="color: red">', "<p onclick='x()'>", "<script>x</script>", "<style>p {}</style>", "{{ words | safe }}"],
)
def test_a_template_with_style_or_script_is_found(planted: str) -> None:
    assert _weakening(planted)
