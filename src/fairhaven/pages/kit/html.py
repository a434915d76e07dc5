"""HTML and SVG as text that cannot be built wrong: what is not `Html` is escaped, always."""

from collections.abc import Iterable
from html import escape
from typing import TypeAlias

_VOID = frozenset({"br", "hr", "img", "link", "meta", "wbr"})


class Html(str):
    """Text that is markup already. Only this module and literals of the catalogue make it."""

    __slots__ = ()


Child: TypeAlias = "str | int | float | Iterable[Child] | None"


def tag(name: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Html:
    """An element.

    Args:
        children: text (escaped), markup (kept), numbers, lists of these; None is passed over.
        attributes: ``class_`` is ``class``, other underscores become hyphens; None and False are left out.
    """
    opening = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    if name in _VOID:
        return Html(opening)
    return Html(f"{opening}{join(*children)}</{name}>")


def join(*children: Child) -> Html:
    """Children one after the other, without an element around them."""
    return Html("".join(_text(child) for child in children))


def figure_of(value: float) -> str:
    """A coordinate in as few characters as do: two decimals, no trailing zeros."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _attribute(key: str, value: str | int | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    return f' {name}="{escape(figure_of(value) if isinstance(value, float) else str(value))}"'


def _text(child: Child) -> str:
    match child:
        case None:
            return ""
        case Html():
            return child
        case str():
            return escape(child, quote=False)
        case int() | float():
            return figure_of(child)
        case _:
            return "".join(_text(part) for part in child)
