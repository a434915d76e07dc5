"""The reference page of terms, made from the descriptions of the models by which the files are read."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from importlib.resources import files
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from fairhaven.access.terms.data_use import NEEDS, DuoModifier, DuoPermission
from fairhaven.access.terms.model import DataController
from fairhaven.access.terms.request_class import RequestClass
from fairhaven.access.terms.term_fields import TermNoun
from fairhaven.access.terms.term_words import DecidedBy
from fairhaven.access.terms.tiers import Tiers


def page() -> str:
    """The page as Markdown."""
    lines = [
        "# Terms",
        "",
        (
            "Made from the models by which the files are read, by `make docs`; a test holds it to them. "
            "[What a controller wants](../how-to/terms-of-a-controller.md) goes through them by the headings of an agreement."
        ),
        "",
        (
            "What is not said is not allowed. A field without a default must be said; an empty list says none. A setting or a word that is "
            "not listed here is a fault, and never read as another. *Decided by*: a machine decides whether a request meets it, a "
            "person does, or it is told and nothing is decided by it."
        ),
    ]
    words: dict[str, type[StrEnum]] = {}
    for title, form, place in (
        ("controllers/NAME.toml", DataController, ""),
        ("tiers.toml", Tiers, ""),
        ("classes/NAME.toml", RequestClass, ""),
    ):
        lines += ["", f"## {title}"]
        for below, noun in _nouns(form, place):
            lines += ["", f"### {_heading(below, title)}", "", (noun.__doc__ or "").strip().replace("\n    ", " "), ""]
            lines += [
                "| field | what it is | form | default | decided by |",
                "|---|---|---|---|---|",
                *_rows(noun, words),
            ]
    lines += ["", "## Tiers that Fairhaven ships", "", "They hold where the hub has no file tiers.toml.", "", "```toml"]
    lines += [files("fairhaven.access.terms").joinpath("tiers.toml").read_text(encoding="utf-8").rstrip("\n"), "```"]
    lines += ["", "## Words"]
    for name, listed in sorted(words.items()):
        if listed in (DuoPermission, DuoModifier):
            continue
        lines += ["", f"### {name}", "", f"{(listed.__doc__ or '').strip()}", "", "| word | meaning |", "|---|---|"]
        lines += [f"| `{word.value}` | {word.meaning} |" for word in listed]  # type: ignore[attr-defined]
    return "\n".join([*lines, *_duo()]) + "\n"


def _duo() -> Iterator[str]:
    yield from (
        "",
        "## Data use",
        "",
        _DUO,
        "",
        "| code | meaning | identifier | said with | decided by |",
        "|---|---|---|---|---|",
    )
    for code in (*DuoPermission, *DuoModifier):
        said = ", ".join(f"`{field}`" for field in NEEDS.get(code, ())) or "-"
        by = code.decided_by if isinstance(code, DuoModifier) else DecidedBy.MACHINE
        duty = ", a duty with a day" if isinstance(code, DuoModifier) and code.is_duty else ""
        yield f"| `{code.value}` | {code.meaning} | {code.identifier} | {said} | {by}{duty} |"


_DUO = (
    "`data_use` says what may be done in the codes of GA4GH's Data Use Ontology (EBISPOT/DUO, CC BY 4.0): one permission and any modifiers. It limits "
    "what purposes, sectors and countries allow, and never widens it."
)


def _nouns(form: type[TermNoun], place: str) -> Iterator[tuple[str, type[TermNoun]]]:
    yield place, form
    for name, info in form.model_fields.items():
        below = f"{place}.{name}" if place else name
        inner, how = _noun_in(info.annotation)
        if inner is not None:
            yield from _nouns(inner, f"[{below}]" if how == "list" else f"{below}.NAME" if how == "names" else below)


def _noun_in(annotation: Any) -> tuple[type[TermNoun] | None, str]:
    origin, arguments = get_origin(annotation), [each for each in get_args(annotation) if each is not NoneType]
    if isinstance(annotation, type) and issubclass(annotation, TermNoun):
        return annotation, ""
    if origin in (Union, UnionType):
        return _noun_in(arguments[0])
    if origin is tuple:
        return _noun_in(arguments[0])[0], "list"
    if origin is Mapping:
        return _noun_in(arguments[1])[0], "names"
    return None, ""


def _heading(place: str, title: str) -> str:
    return f"`[{place}]`" if place else title


def _rows(noun: type[TermNoun], words: dict[str, type[StrEnum]]) -> Iterator[str]:
    for name, info in noun.model_fields.items():
        by = next((str(each) for each in info.metadata if isinstance(each, DecidedBy)), "")
        default = "" if info.is_required() else _default(info.default)
        yield f"| `{name}` | {info.description} | {_form(info.annotation, words)} | {default} | {by} |"


def _default(value: Any) -> str:
    match value:
        case None | () | "":
            return "none"
        case bool():
            return "true" if value else "false"
        case TermNoun():
            return "each of its own"
        case Mapping():
            return "none"
        case _:
            return f"`{value}`"


def _form(annotation: Any, words: dict[str, type[StrEnum]]) -> str:
    origin, arguments = get_origin(annotation), [each for each in get_args(annotation) if each is not NoneType]
    if origin in (Union, UnionType) or origin is Annotated:
        return _form(arguments[0], words)
    if origin is tuple:
        return f"list of {_form(arguments[0], words)}"
    if origin is Mapping:
        return "tables by name"
    if issubclass(annotation, StrEnum):
        words[annotation.__name__] = annotation
        anchor = "data-use" if annotation in (DuoPermission, DuoModifier) else annotation.__name__.lower()
        return f"[word](#{anchor})"
    if issubclass(annotation, TermNoun):
        return "table"
    return {str: "text", int: "whole number", float: "number", bool: "true or false"}.get(annotation, "day")
