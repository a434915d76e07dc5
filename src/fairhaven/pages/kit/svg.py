"""Elements of drawings as markup that cannot be built wrong: what is not markup already is escaped, always."""

from collections.abc import Iterable
from typing import TypeAlias

from markupsafe import Markup, escape

Child: TypeAlias = "str | int | float | Iterable[Child] | None"


def element(name: str, /, *children: Child, **attributes: str | float | None) -> Markup:
    """An element of a drawing, styled by class alone: a strict content security policy stops ``style``.

    Args:
        children: text (escaped), markup (kept), numbers, lists of these; None is passed over.
        attributes: ``class_`` is ``class``, other underscores become hyphens; None is left out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(coordinate(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>{_joined(children)}</{name}>")


def coordinate(value: str | float) -> str:
    """A coordinate in as few characters as do: two decimals, no trailing zeros; other values as they are."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _joined(children: Iterable[Child]) -> str:
    return "".join(
        ""
        if child is None
        else escape(coordinate(child))
        if isinstance(child, str | int | float) and not isinstance(child, Markup)
        else child
        if isinstance(child, Markup)
        else _joined(child)
        for child in children
    )
