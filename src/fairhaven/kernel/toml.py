"""TOML documents read with every fault at once, each with its line.

`tomllib` gives values without places, so the lines of keys are found by a scan of the text; a document is read
through a `Section`, which checks types, remembers which keys were asked for, and reports the ones nobody asked for.
"""

import datetime as dt
import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fairhaven.kernel.errors import Fault

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?")
_KEY = re.compile(r"""^\s*((?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+))*)\s*=""")
_TOKEN = re.compile(r"""#|"(?:[^"\\]|\\.)*"|'[^']*'|[\[\]{},]|[^\s\[\]{},"'#]+""")
_MISSING: Any = object()


class Document:
    """A TOML file: its values, and the line of each key. Syntax errors become faults, never exceptions.

    Args:
        path: the file.
        shown: how the file is named in faults, for example ``sources/gp_a.toml``.
    """

    def __init__(self, path: Path, shown: str = "") -> None:
        self.path = path
        self.shown = shown or str(path)
        self.faults: list[Fault] = []
        self.data: dict[str, Any] = {}
        self._lines: dict[str, int] = {}
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            self.faults.append(Fault(message="the file does not exist", path=self.shown))
            return
        except (UnicodeDecodeError, OSError) as error:
            self.faults.append(
                Fault(message=f"the file cannot be read as UTF-8 text ({type(error).__name__})", path=self.shown)
            )
            return
        try:
            self.data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            place = re.search(r"at line (\d+)", str(error))
            what = re.sub(r"\s*\(at .*\)$", "", str(error))
            self.faults.append(
                Fault(message=f"not valid TOML: {what}", path=self.shown, line=int(place[1]) if place else None)
            )
            return
        except ValueError:
            # Python's own limit of digits.
            self.faults.append(Fault(message="not valid TOML: holds a number too long to be read", path=self.shown))
            return
        self._lines = dict(_key_lines(text))

    @classmethod
    def of(cls, data: dict[str, Any], shown: str) -> "Document":
        """Values that were parsed elsewhere, from JSON for example: the same checks, without lines."""
        document = cls.__new__(cls)
        document.path, document.shown = Path(shown), shown
        document.faults, document.data, document._lines = [], data, {}
        return document

    @property
    def root(self) -> "Section":
        """The whole document as a section."""
        return Section(self, "", self.data)

    def line_of(self, field: str) -> int | None:
        """Line of a dotted key or of an item of its list, or of the nearest one around it."""
        while field:
            if field in self._lines:
                return self._lines[field]
            field = field.rpartition("[" if field.endswith("]") else ".")[0]
        return None

    def fault(self, field: str, message: str) -> None:
        """Remember a fault at a dotted key."""
        self.faults.append(Fault(message=message, path=self.shown, line=self.line_of(field), field=field))


class Section:
    """A table of a document, read key by key. A getter never raises: a fault is remembered and a default given back."""

    def __init__(self, document: Document, field: str, values: dict[str, Any]) -> None:
        self.document = document
        self.field = field
        self.values = values
        self._asked: set[str] = set()

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
        value = self._typed(key, (str,), "a text", default)
        if choices and isinstance(value, str) and key in self.values and value not in choices:
            self.fault(key, f"is not one of {', '.join(choices)}")
            return choices[0]
        return "" if value is _MISSING else value

    def number(self, key: str, default: Any = _MISSING) -> float:
        """A number."""
        value = self._typed(key, (int, float), "a number", default)
        return 0 if value is _MISSING else value

    def whole(self, key: str, default: Any = _MISSING) -> int:
        """A whole number."""
        value = self._typed(key, (int,), "a whole number", default)
        return 0 if value is _MISSING else value

    def yes(self, key: str, default: Any = _MISSING) -> bool:
        """true or false."""
        value = self._typed(key, (bool,), "true or false", default)
        return False if value is _MISSING else value

    def day(self, key: str, default: Any = _MISSING) -> dt.date:
        """A date, written bare or as text in ISO form."""
        value = self._typed(key, (dt.date, str), "a date like 2026-01-31", default)
        if isinstance(value, str):
            try:
                return dt.date.fromisoformat(value)
            except ValueError:
                self.fault(key, "is not a date like 2026-01-31")
                return dt.date.min
        return dt.date.min if value is _MISSING else value

    def texts(self, key: str, default: Any = _MISSING) -> tuple[str, ...]:
        """A list of strings; a single string counts as a list of one."""
        value = self._typed(key, (str, list), "a list of texts", default)
        if value is _MISSING:
            return ()
        if isinstance(value, str):
            return (value,)
        if isinstance(value, list) and not all(isinstance(item, str) for item in value):
            self.fault(key, "must be a list of texts")
            return ()
        return tuple(value)

    def section(self, key: str) -> "Section":
        """A table below this one; empty where it is absent."""
        value = self._typed(key, (dict,), "a table", {})
        return Section(self.document, self._place(key), value)

    def sections(self, key: str) -> list["Section"]:
        """An array of tables below this one (``[[key]]``); empty where it is absent."""
        value = self._typed(key, (list,), "an array of tables", [])
        if not all(isinstance(item, dict) for item in value):
            self.fault(key, f"must be tables written as [[{key}]]")
            return []
        return [Section(self.document, f"{self._place(key)}[{index}]", item) for index, item in enumerate(value)]

    def named(self) -> Iterator[tuple[str, "Section"]]:
        """Every key of this section that is a table, as (name, section)."""
        for key in self.values:
            yield key, self.section(key)

    def finish(self) -> None:
        """Report the keys that nothing asked for: a misspelt setting must not be passed over in silence."""
        for key in self.values:
            if key not in self._asked:
                known = ", ".join(sorted(self._asked)) or "none"
                self.fault(key, f"is not a setting here (known: {known})")

    def _place(self, key: str) -> str:
        return f"{self.field}.{key}" if self.field else key

    def _typed(self, key: str, types: tuple[type, ...], words: str, default: Any) -> Any:
        self._asked.add(key)
        if key not in self.values:
            if default is _MISSING:
                self.document.fault(self._place(key), f"is missing; give {words}")
            return default
        value = self.values[key]
        is_right = isinstance(value, types) and not (isinstance(value, bool) and bool not in types)
        if not is_right:
            self.fault(key, f"must be {words}")
            return default
        return value


def _key_lines(text: str) -> Iterator[tuple[str, int]]:
    """(dotted key, line) for headers and keys; array tables are numbered ``name[0]``, ``name[1]``."""
    counts: dict[str, int] = {}
    prefix = ""
    lines = enumerate(text.splitlines(), start=1)
    for number, line in lines:
        if header := _HEADER.match(line):
            name = ".".join(_parts(header[2]))
            name = _with_indexes(name, counts)
            if header[1] == "[[":
                counts[name] = counts.get(name, -1) + 1
                name = f"{name}[{counts[name]}]"
            prefix = name
            yield prefix, number
        elif key := _KEY.match(line):
            name = ".".join(([prefix] if prefix else []) + _parts(key[1]))
            yield name, number
            if line[key.end() :].lstrip().startswith("["):
                for item, item_line in enumerate(_item_lines(line[key.end() :], number, lines)):
                    yield f"{name}[{item}]", item_line


def _item_lines(rest: str, number: int, lines: Iterator[tuple[int, str]]) -> Iterator[int]:
    """The line on which each item of a list begins; *rest* is what follows the equals sign, *lines* the lines below it."""
    depth = 0
    is_between = False
    while True:
        for token in _TOKEN.findall(rest):
            if token.startswith("#"):
                break
            if depth == 1 and is_between and token not in ",]":
                yield number
                is_between = False
            depth += (token in "[{") - (token in "]}")
            if depth == 1 and token in "[,":
                is_between = True
            if depth == 0:
                return
        try:
            number, rest = next(lines)
        except StopIteration:
            return


def _parts(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in re.findall(r"\"[^\"]*\"|'[^']*'|[^.\s]+", dotted)]


def _with_indexes(name: str, counts: dict[str, int]) -> str:
    """``map.code`` after the second ``[[map]]`` means ``map[1].code``."""
    parts = name.split(".")
    for length in range(1, len(parts)):
        head = ".".join(parts[:length])
        if head in counts:
            parts[:length] = [f"{head}[{counts[head]}]"]
            return _with_indexes(".".join(parts), counts) if len(parts) > 1 else parts[0]
    return name
