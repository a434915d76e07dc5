"""The reference page of what commands give with `--json`, made from the types of their results and their docstrings.

The examples are what the commands of a demonstration hub gave, shortened; a test holds them to the types.
"""

import datetime as dt
import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from docs.generators.commands import commands
from fairhaven.cli.refusals import RefusalResult
from fairhaven.kernel.errors import ErrorCode

_PLAIN: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
    dt.date: "day, as `2026-01-31`",
    NoneType: "null",
    Any: "any JSON",
}
_EXIT_CODES = {ErrorCode.USAGE: 2}
EXAMPLES = Path(__file__).parent / "json_examples.json"
"""Command -> for each form that it can give, an example."""


def result_type(command: Callable[..., None]) -> Any:
    """The type of what a command gives: its function is in ``NOUN_commands``, its results are in ``NOUN_results``."""
    act = inspect.unwrap(command)
    results = import_module(act.__module__.replace("_commands", "_results"))
    return get_args(get_type_hints(act, localns={"results": results})["screen"])[0]


def forms_of(form: Any) -> tuple[Any, ...]:
    """The forms that a result can have."""
    return get_args(form) if get_origin(form) in (Union, UnionType) else (form,)


def page() -> str:
    """The page as Markdown."""
    named: dict[str, Any] = {}
    lines = [
        "# JSON that commands give",
        "",
        (
            "Made from the types of the code by `make docs`; a test runs every command and holds what it writes to this page. "
            "With `--json` a command writes one document on stdout, whether it is done or refused; words and progress are on stderr."
        ),
        "",
        "Each field is always there. A count that the hub's disclosure policy does not show is `null`.",
        "",
        "## When a command is not done",
        "",
        *_table(RefusalResult, named),
        "",
        *_example({"error": {"code": "not_found", "message": "there is no release r0099; releases here: r0001, r0002",
                             "faults": [{"message": "there is no release r0099; releases here: r0001, r0002",
                                         "path": "", "line": None, "field": ""}]}}),
        "",
        "| code | meaning | exit code |",
        "|---|---|---|",
        *(f"| `{code}` | {code.meaning} | {_EXIT_CODES.get(code, 1)} |" for code in ErrorCode),
        "",
        (
            "A command whose checks failed has done its work: it gives its result with the exit code 1 "
            "(`quality --fail-on`, `release verify`, `keys check`, `build --plan`, `answer`)."
        ),
    ]  # fmt: skip
    examples = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    for path, command in commands():
        words = " ".join(path)
        lines += ["", f"## fairhaven {words}"]
        assert command.callback is not None
        for number, (form, example) in enumerate(
            zip(forms_of(result_type(command.callback)), examples[words], strict=True)
        ):
            lines += [*(["", "Or, by its options:"] if number else []), "", *_form(form, named), "", *_example(example)]
    lines += ["", "## Parts"]
    told: set[str] = set()
    while rest := sorted(named.keys() - told):
        for name in rest:
            told.add(name)
            lines += ["", f"### {name}", "", *_form(named[name], named)]
    return "\n".join(lines) + "\n"


def _form(form: Any, named: dict[str, Any]) -> Iterator[str]:
    """A form in words, and its fields."""
    if get_origin(form) is list:
        (form,) = get_args(form)
        yield f"A list. {_summary(form)}"
    else:
        yield _summary(form)
    yield ""
    yield from _table(form, named)


def _table(form: Any, named: dict[str, Any]) -> Iterator[str]:
    """The fields of a dataclass; the dataclasses among their types are added to *named*."""
    hints, meanings = get_type_hints(form), _meanings(form)
    yield "| field | type | meaning |"
    yield "|---|---|---|"
    for field in fields(form):
        yield f"| `{field.name}` | {_type(hints[field.name], named)} | {meanings.get(field.name, '')} |"


def _type(hint: Any, named: dict[str, Any]) -> str:
    """A type in words."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(_type(part, named) for part in parts)
    if origin in (tuple, list, Sequence):
        return f"list of: {_type(parts[0], named)}"
    if origin in (dict, Mapping):
        return f"object of: {_type(parts[1], named)}"
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return "one of " + ", ".join(f"`{value}`" for value in hint)
    if is_dataclass(hint):
        name = hint.__name__  # type: ignore[union-attr]
        named[name] = hint
        return f"[{name}](#{name.lower()})"
    return _PLAIN[hint]


def _summary(form: Any) -> str:
    """The first paragraph of a docstring."""
    return _marked(inspect.cleandoc(form.__doc__).partition("\n\n")[0])


def _meanings(form: Any) -> dict[str, str]:
    """Field -> what the docstring says of it, or that of a class it extends."""
    found: dict[str, str] = {}
    for owner in reversed(form.__mro__):
        if not is_dataclass(owner):
            continue
        arguments = inspect.cleandoc(owner.__doc__ or "").partition("Args:\n")[2].partition("\n\n")[0]
        for names, meaning in re.findall(r"^    ([\w, ]+): (.+(?:\n     +.+)*)", arguments, re.MULTILINE):
            found |= dict.fromkeys(names.split(", "), _marked(meaning))
    return found


def _marked(text: str) -> str:
    """Docstring text as Markdown in one line."""
    return " ".join(re.sub(r"\bNone\b", "null", text.replace("``", "`")).split()).replace("|", "\\|")


def _example(document: Any) -> Iterator[str]:
    yield "```json"
    yield json.dumps(document, indent=1, ensure_ascii=False)
    yield "```"
