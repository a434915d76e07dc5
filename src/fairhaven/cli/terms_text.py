"""What data controllers want, in words."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # rooms are loaded only when a command runs
    from fairhaven.access.terms.terms_english import TermLine
    from fairhaven.cli.terms_results import ComparedTerms, ShownTerms

_LEGEND = "[machine] a machine decides, [person] a person decides, [told] nothing is decided by it"


def shown_terms(found: "ShownTerms") -> Iterator[str]:
    """Each controller, and each of its sets of terms."""
    yield _LEGEND
    for controller in found.controllers:
        yield from ("", f"{controller.name}")
        yield from _lines(controller.lines)
        if not controller.terms:
            yield "  No terms are said: the hub may read this controller's data for itself, and nobody else may."
        for terms in controller.terms:
            yield from ("", f"{controller.name}, terms {terms.name}")
            yield from _lines(terms.lines)
        for answers in controller.sensitivity:
            yield from ("", f"{controller.name}, sensitivity of {answers.name}")
            yield from _lines(answers.lines)


def compared_terms(found: "ComparedTerms") -> Iterator[str]:
    """What is otherwise, controller by controller."""
    if not found.controllers:
        yield "Nothing is otherwise."
        return
    yield _LEGEND
    for controller in found.controllers:
        yield from ("", controller.name)
        if controller.is_new:
            yield "  is new"
        elif controller.is_gone:
            yield "  is gone"
        for change in controller.changes:
            yield f"  [{change.decided_by}] {change.field}: {change.words}"


def _lines(lines: "Sequence[TermLine]") -> Iterator[str]:
    """Lines under their headings."""
    for heading, group in groupby(lines, key=lambda line: line.heading):
        if heading:
            yield f"  {heading}"
        for line in group:
            yield f"  {'  ' if heading else ''}[{line.decided_by}] {line.words}"
