"""The own form spelt as TOML for people: short tables on one line, longer ones under headings that are indented by depth."""

import json
import re
from collections.abc import Iterator
from typing import Any

from fairhaven.cohort.formats.fairhaven.definition_writer import Table

_WIDTH = 120
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def spell(table: Table) -> str:
    """TOML text of a table of texts, numbers, true and false, lists of texts, lists of tables, and tables."""
    return "\n".join(_table((), table)).strip("\n") + "\n"


def _table(path: tuple[str, ...], table: Table) -> Iterator[str]:
    margin = "  " * _depth(path)
    below: list[tuple[str, Any]] = []
    for key, value in table.items():
        name = f"{margin}{_key(key)} ="
        is_wide = (
            isinstance(value, dict | list) and value and (_is_long(value) or len(f"{name} {_inline(value)}") > _WIDTH)
        )
        is_list_of_short = _is_tables(value) and len(value) > 1 and all(_fits(margin, part) for part in value)
        if not path and (_is_tables(value) or (isinstance(value, dict) and key != "exit")):
            below.append((key, value))
        elif is_list_of_short or (is_wide and isinstance(value, list) and not _is_tables(value)):
            yield f"{name} ["
            yield from (f"{margin}  {_inline(part)}," for part in value)
            yield f"{margin}]"
        elif is_wide:
            below.append((key, value))
        else:
            has_lines = isinstance(value, str) and "\n" in value
            yield f"{name} {_lines(value) if has_lines else _inline(value)}"
    for key, value in below:
        yield from _headed((*path, key), value)


def _headed(path: tuple[str, ...], value: Table | list[Table]) -> Iterator[str]:
    name = ".".join(_key(part) for part in path)
    margin = "  " * _depth(path)
    if isinstance(value, dict) and path == ("concept_sets",):
        for key, part in value.items():
            yield from _headed((*path, key), part)
    else:
        heading, parts = (f"[{name}]", [value]) if isinstance(value, dict) else (f"[[{name}]]", value)
        for part in parts:
            yield from ("", f"{margin}{heading}")
            yield from _table(path, part)


def _depth(path: tuple[str, ...]) -> int:
    """Headings below the first are indented; a concept set's is a first one."""
    return 0 if path[:1] == ("concept_sets",) else max(0, len(path) - 1)


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _is_long(value: Table | list[Any]) -> bool:
    """A list of several texts is read line by line; a text of several lines fits in no line."""
    texts = isinstance(value, list) and not _is_tables(value)
    return (texts and len(value) > 1 and sum(len(text) for text in value) > _WIDTH // 2) or (
        not texts and "\\n" in _inline(value)
    )


def _fits(margin: str, part: Table) -> bool:
    text = _inline(part)
    return len(margin) + len(text) + 3 <= _WIDTH and "\\n" not in text


def _inline(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return _text(value)
        case list():
            return f"[{', '.join(_inline(part) for part in value)}]"
        case _:
            return f"{{ {', '.join(f'{_key(key)} = {_inline(part)}' for key, part in value.items())} }}"


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _basic(key)


def _text(text: str) -> str:
    if '"' in text and "'" not in text and "\n" not in text and "\t" not in text and not _CONTROL.search(text):
        return f"'{text}'"
    return _basic(text)


def _basic(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def _lines(text: str) -> str:
    """A text of several lines as TOML's text of several lines; what is no plain character is escaped."""
    escaped = text.replace("\\", "\\\\")
    escaped = re.sub(r'"(?="|\Z)', r'\\"', escaped)
    escaped = _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04X}", escaped)
    return f'"""\n{escaped}"""'
