"""Terms as the text of a file: what is read of it is what was written."""

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from typing import Any

from fairhaven.access.terms.term_fields import TermNoun


def written(noun: TermNoun) -> str:
    """A noun as TOML, without what is the default."""
    return "\n".join(_table(noun, "")).lstrip("\n") + "\n"


def _table(noun: TermNoun, place: str) -> Iterator[str]:
    said = _said(noun)
    below = {name: value for name, value in said.items() if isinstance(value, (TermNoun, Mapping))}
    if place:
        yield from ("", f"[{place}]")
    for name, value in said.items():
        if name not in below:
            yield f"{name} = {_value(value)}"
    for name, value in below.items():
        if isinstance(value, TermNoun):
            yield from _table(value, f"{place}.{name}".lstrip("."))
        else:
            for key, each in value.items():
                yield from _table(each, f"{place}.{name}.{key}".lstrip("."))


def _said(noun: TermNoun) -> dict[str, Any]:
    fields = type(noun).model_fields
    values = {name: getattr(noun, name) for name in fields}
    return {
        name: value for name, value in values.items() if fields[name].is_required() or value != fields[name].default
    }


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            # A text of JSON is one of TOML, but for the one character that only JSON takes bare.
            return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
        case dt.date():
            return value.isoformat()
        case TermNoun():
            return "{ " + ", ".join(f"{name} = {_value(each)}" for name, each in _said(value).items()) + " }"
        case tuple():
            return "[" + ", ".join(map(_value, value)) + "]"
        case _:
            return repr(value)
