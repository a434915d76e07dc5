"""A definition in words, as lists that fold."""

from collections.abc import Iterable

from fairhaven.cohort.english import Explanation, ExplanationLine, ExplanationPart
from fairhaven.pages.kit.figures import counted
from fairhaven.pages.kit.html import Html, tag
from fairhaven.pages.kit.layout import folded

_CONCEPT_SETS = "Concept sets"


def told(explanation: Explanation, *, level: int, is_open: bool) -> Html:
    """Every statement of the definition but its concept sets.

    Args:
        level: of the headings.
        is_open: starts open.
    """
    parts = [part for part in explanation.parts if part.title != _CONCEPT_SETS]
    body = [tag("div", tag(f"h{level}", part.title), _statements(part)) for part in parts]
    return folded("The definition in words", tag("div", body, class_="told"), is_open=is_open)


def concept_sets(explanation: Explanation) -> Html | None:
    """The concept sets, each with its lines; None where there are none."""
    lines = [line for part in explanation.parts if part.title == _CONCEPT_SETS for line in part.lines]
    if not lines:
        return None
    return folded(counted(len(lines), "concept set"), tag("ul", [_line(line) for line in lines], class_="sets"))


def _statements(part: ExplanationPart) -> Html:
    return _list(part.lines, "ol" if part.is_numbered else "ul")


def _list(lines: Iterable[ExplanationLine], name: str = "ul") -> Html:
    return tag(name, [_line(line) for line in lines])


def _line(line: ExplanationLine) -> Html:
    return tag("li", line.text, _list(line.below) if line.below else None)
