"""TOML documents read with every fault at once, each with its line.

`tomllib` gives values without places, so the lines of keys are found by a scan of the text; a document is read
through a `Section`, which checks types, remembers which keys were asked for, and reports the ones nobody asked for.
"""

import datetime as dt
import math
import re
import tomllib
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from fairhaven.kernel.accounts import why_refused
from fairhaven.kernel.errors import Fault
from fairhaven.kernel.foreign_files import kind_fault

# Possessive, because a text of several lines may hold anything: what does not match is not tried again in every other way.
_HEADER = re.compile(r"^\s*+(\[\[?)([^\]]++)\]\]?")
_KEY = re.compile(r"""^\s*((?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+))*)\s*=""")
_TOKEN = re.compile(r"""#|"(?:[^"\\]|\\.)*+"?|'[^']*+'?|[\[\]{},]|[^\s\[\]{},"'#]+""")
_QUOTED = re.compile(
    r"""#[^\n]*+"""
    r'''|"""(?:[^"\\]++|\\(?s:.)|"(?!""))*+(?:"{3,5})?'''
    r"""|'''(?:[^']++|'(?!''))*+(?:'{3,5})?"""
    r"""|"(?:[^"\\\n]++|\\.)*+"?|'[^'\n]*+'?"""
)
"""A comment or a string, also one that is not closed."""
_DOTTED = re.compile(r"""(?:^|[\[{,])[ \t]*+(?:(?:""|[A-Za-z0-9_-]++)[ \t]*+\.[ \t]*+){8}""", re.MULTILINE)
"""A key of more names than any setting has, where a key can stand, in a text whose strings are blank. Python's reader keeps tables
for every name of every key, so that a megabyte of dots becomes gigabytes; it is not asked then."""
_LARGEST = 1 << 20
"""Bytes of a file; a mapping with ten thousand codes has half a megabyte."""
_LEAST = -(1 << 63)
_MISSING: Any = object()

_T = TypeVar("_T")
_EnumT = TypeVar("_EnumT", bound=StrEnum)


class Document:
    """A TOML file: its values, and the line of each key. Syntax errors become faults, never exceptions.

    Args:
        path: the file.
        shown: how the file is named in faults, for example ``sources/gp_a.toml``.
        data: values that were parsed elsewhere, from JSON for example: the same checks, without lines.
    """

    def __init__(self, path: Path, shown: str = "", *, data: dict[str, Any] | None = None) -> None:
        self.path = path
        self.shown = shown or str(path)
        self.faults: list[Fault] = []
        self.data = data or {}
        self._lines: dict[str, int] = {}
        self._is_read = True
        if data is None:
            try:
                text = _text_of(path)
                self.data = tomllib.loads(text)
                self._lines = dict(_key_lines(text))
                self._check_numbers()
            except _TooMuchError as error:
                self._is_read = False
                self.faults.append(Fault(message=str(error), path=self.shown, line=error.line))
            except (OSError, ValueError, RecursionError) as error:
                self._is_read = False
                self.faults.append(_unreadable(error, path, self.shown))

    def _check_numbers(self) -> None:
        """Refuse numbers that TOML does not have (whole ones of more than 64 bits) and no setting means (infinity, none)."""
        left: list[tuple[str, Any]] = [("", self.data)]
        while left:
            field, value = left.pop()
            match value:
                case dict():
                    left += [(f"{field}.{key}" if field else key, each) for key, each in value.items()]
                case list():
                    left += [(f"{field}[{place}]", each) for place, each in enumerate(value)]
                case float() if not math.isfinite(value):
                    self.fault(field, "is no number with an end")
                case int() if not _LEAST <= value <= -_LEAST - 1:
                    self.fault(field, "is a number too long to be read")

    @property
    def root(self) -> "Section":
        """The whole document as a section."""
        return Section(self, "", self.data)

    def line_of(self, field: str) -> int | None:
        """Line of a dotted key or of an item of its list, or of the nearest one around it.

        A table that has no line of its own, for only tables in it are written, begins with the first of them.
        """
        while field:
            if field in self._lines:
                return self._lines[field]
            if below := [line for key, line in self._lines.items() if key.startswith(f"{field}.")]:
                return below[0]
            field = field.rpartition("[" if field.endswith("]") else ".")[0]
        return None

    def fault(self, field: str, message: str) -> None:
        """Remember a fault at a dotted key; not of a file that could not be read, in which nothing is known to be missing."""
        if self._is_read:
            self.faults.append(Fault(message=message, path=self.shown, line=self.line_of(field), field=field))


class Section:
    """A table of a document, read key by key. A getter never raises: a fault is remembered and a default given back."""

    def __init__(self, document: Document, field: str, values: dict[str, Any]) -> None:
        self.document = document
        self.field = field
        self.values = values
        self._asked: set[str] = set()
        self._below: list[Section] = []

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def fault(self, key: str, message: str) -> None:
        """Remember a fault at one of this section's keys."""
        self.document.fault(self._place(key), message)

    def raw(self, key: str, default: Any = None) -> Any:
        """A value of any type."""
        self._asked.add(key)
        return self.values.get(key, default)

    def text(self, key: str, default: Any = _MISSING, *, choices: Sequence[str] = ()) -> str:
        """A string, one of *choices* where given."""
        value = self._typed(key, (str,), "a text", default, "")
        if choices and isinstance(self.values.get(key), str) and value not in choices:
            self.fault(key, f"is not one of {', '.join(choices)}")
            return choices[0]
        return value

    def number(self, key: str, default: Any = _MISSING) -> float:
        """A number."""
        return self._typed(key, (int, float), "a number", default, 0)

    def choice(self, key: str, default: _EnumT) -> _EnumT:
        """One of the words of the default's enumeration."""
        words = type(default)
        return words(self.text(key, default.value, choices=[word.value for word in words]))

    def whole(self, key: str, default: Any = _MISSING, *, at_least: int | None = None) -> int:
        """A whole number, which must not be below *at_least* where that is given."""
        value = self._typed(key, (int,), "a whole number", default, 0)
        if at_least is not None and isinstance(self.values.get(key), int) and value < at_least:
            self.fault(key, f"must be {at_least} or more")
        return value

    def yes(self, key: str, default: Any = _MISSING) -> bool:
        """true or false."""
        return self._typed(key, (bool,), "true or false", default, False)

    def day(self, key: str, default: Any = _MISSING) -> dt.date:
        """A date, written bare or as text in ISO form."""
        value: dt.date | str = self._typed(key, (dt.date, str), "a date like 2026-01-31", default, dt.date.min)
        try:
            return dt.date.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            self.fault(key, "is not a date like 2026-01-31")
            return dt.date.min

    def texts(self, key: str, default: Any = _MISSING) -> tuple[str, ...]:
        """A list of strings; a single string counts as a list of one."""
        value: str | Sequence[Any] = self._typed(key, (str, list), "a list of texts", default, ())
        if isinstance(value, str):
            return (value,)
        if not all(isinstance(item, str) for item in value):
            self.fault(key, "must be a list of texts")
            return ()
        return tuple(value)

    def section(self, key: str) -> "Section":
        """A table below this one; empty where it is absent."""
        return self._section(key, self._typed(key, (dict,), "a table", {}, {}))

    def sections(self, key: str) -> list["Section"]:
        """An array of tables below this one (``[[key]]``); empty where it is absent."""
        value: list[Any] = self._typed(key, (list,), "an array of tables", [], [])
        if not all(isinstance(item, dict) for item in value):
            self.fault(key, f"must be tables written as [[{key}]]")
            return []
        return [self._section(f"{key}[{index}]", item) for index, item in enumerate(value)]

    def named(self) -> list[tuple[str, "Section"]]:
        """Every key of this section as the table that it must be: (name, section)."""
        return [(key, self.section(key)) for key in self.values]

    def pass_over(self) -> None:
        """Report none of this section's keys: one fault has been noted for all of them."""
        self._asked.update(self.values)

    def finish(self) -> None:
        """Report the keys that nothing asked for, here and in what was read below, each once.

        A misspelt setting must not be passed over in silence.
        """
        for key in self.values:
            if key not in self._asked:
                known = ", ".join(sorted(self._asked)) or "none"
                self.fault(key, f"is not a setting here (known: {known})")
        self.pass_over()
        for below in self._below:
            if below._asked:
                below.finish()

    def _section(self, name: str, values: dict[str, Any]) -> "Section":
        below = Section(self.document, self._place(name), values)
        self._below.append(below)
        return below

    def _place(self, key: str) -> str:
        return f"{self.field}.{key}" if self.field else key

    def _typed(self, key: str, types: tuple[type, ...], words: str, default: Any, blank: _T) -> _T:
        """A value of one of the types; without it *default*, or *blank* where there is none and the key must be there."""
        self._asked.add(key)
        without: _T = blank if default is _MISSING else default
        if key not in self.values:
            if default is _MISSING:
                self.fault(key, f"is missing; give {words}")
            return without
        value: _T = self.values[key]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            self.fault(key, f"must be {words}")
            return without
        return value


class _TooMuchError(Exception):
    """Why a file is not parsed at all, and in which line."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def _text_of(path: Path) -> str:
    """A file's text, without the mark that editors of Windows put before it."""
    if (message := kind_fault(path.stat().st_mode)) or path.is_dir():
        raise _TooMuchError(message or "is a folder; a file of settings is meant")
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise _TooMuchError(f"is larger than {_LARGEST >> 20} MB, so it is no file of settings")
    text = content.decode("utf-8-sig")
    # Strings and comments may hold as many dots as they like: an OID (2.16.840.1.113883.2.1.4.1) is no key.
    bare = _QUOTED.sub(_blank, text)
    if found := _DOTTED.search(bare):
        raise _TooMuchError("has a key of more than 8 names", bare.count("\n", 0, found.start()) + 1)
    return text.replace("\r\n", "\n")


def _blank(quoted: re.Match[str]) -> str:
    """What stands for a comment or a string where only keys are looked for: its lines, so that theirs can be counted."""
    return "" if quoted[0].startswith("#") else '""' + "\n" * quoted[0].count("\n")


def _unreadable(error: OSError | ValueError | RecursionError, path: Path, shown: str) -> Fault:
    """Why a file has no values."""
    match error:
        case FileNotFoundError():
            return Fault(message="the file does not exist", path=shown)
        case PermissionError():
            return Fault(message=why_refused(path), path=shown)
        case OSError() | UnicodeDecodeError():
            return Fault(message=f"the file cannot be read as UTF-8 text ({type(error).__name__})", path=shown)
        case RecursionError():
            return Fault(message="is nested too deeply to be read", path=shown)
        case tomllib.TOMLDecodeError():
            what, _, place = str(error).partition(" (at ")
            line = re.search(r"line (\d+)", place)
            return Fault(message=f"not valid TOML: {what}", path=shown, line=int(line[1]) if line else None)
        case _:  # Python's own limit of digits
            return Fault(message="not valid TOML: holds a number too long to be read", path=shown)


def _key_lines(text: str) -> Iterator[tuple[str, int]]:
    """(dotted key, line) for headers and keys; array tables are numbered ``name[0]``, ``name[1]``."""
    counts: dict[str, int] = {}
    around: list[str] = []
    lines = enumerate(text.splitlines(), start=1)
    for number, line in lines:
        if header := _HEADER.match(line):
            name = _with_indexes(_parts(header[2]), counts)
            if header[1] == "[[":
                counts[name] = counts.get(name, -1) + 1
                name = f"{name}[{counts[name]}]"
            around = [name]
            yield name, number
        elif key := _KEY.match(line):
            name = ".".join(around + _parts(key[1]))
            yield name, number
            if line[key.end() :].lstrip().startswith("["):
                for item, item_line in enumerate(_item_lines(line[key.end() :], number, lines)):
                    yield f"{name}[{item}]", item_line


def _item_lines(rest: str, number: int, lines: Iterator[tuple[int, str]]) -> Iterator[int]:
    """The line on which each item of a list begins; *rest* is what follows the equals sign, *lines* the lines below it."""
    depth = 0
    is_between = False
    for place, line in chain([(number, rest)], lines):
        for token in _TOKEN.findall(line):
            if token.startswith("#"):
                break
            if depth == 1 and is_between and token not in ",]":
                yield place
                is_between = False
            depth += (token in "[{") - (token in "]}")
            if depth == 1 and token in "[,":
                is_between = True
            if depth == 0:
                return


def _parts(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in re.findall(r"\"[^\"]*\"|'[^']*'|[^.\s]+", dotted)]


def _with_indexes(parts: Sequence[str], counts: dict[str, int]) -> str:
    """``map.code`` after the second ``[[map]]`` means ``map[1].code``."""
    if not parts:
        return ""
    *around, last = parts
    place = ""
    for part in around:
        place += part
        if place in counts:
            place += f"[{counts[place]}]"
        place += "."
    return place + last
