"""An object of somebody else's JSON, read property by property, with every fault and its place.

Values are as lenient as in OHDSI's Circe, whose Java reads ``"30"`` as 30, 30.7 as 30, ``1`` as true and an enum by its
name or its ordinal. Nothing else is: a property that nobody asked for is a fault, because passing over it would count
other persons than its author meant.
"""

import math
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from fairhaven.cohort.definition_checks import MAX_DAYS
from fairhaven.kernel.errors import Fault

Number = int | float

_INT = 2**31
_LONG = 2**63
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_DECIMAL = re.compile(r"[+-]?([0-9]{1,40}(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_DEPTH = 60
"""Objects inside objects. A group in a group is one deeper, a nested criterion four; published definitions go 12 deep."""

_NOTHING: tuple[object, ...] = (None, "", [], {})

HARMLESS = frozenset(
    [
        "id",
        "name",
        "description",
        "hash",
        "hashCode",
        "tags",
        "createdBy",
        "createdDate",
        "createdAt",
        "modifiedBy",
        "modifiedDate",
        "modifiedAt",
        "hasWriteAccess",
        "hasReadAccess",
        "expressionType",
    ]
)
"""What WebAPI and ATLAS write beside a definition, about the file and not about the cohort."""


class JsonFaults:
    """What is gathered while a definition is read.

    Args:
        path: how faults name the file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.faults: list[Fault] = []
        self.concept_sets: set[str] = set()

    def fault(self, place: str, message: str) -> None:
        """Remember a fault at a place such as ``InclusionRules[2].expression.Type``."""
        self.faults.append(Fault(message=message, path=self.path, field=place))


class JsonObject:
    """One object. A getter never raises: a fault is remembered and None given back, as for what is absent or null."""

    __slots__ = ("_above", "_asked", "_depth", "_name", "reading", "values")

    def __init__(
        self, reading: JsonFaults, values: dict[str, Any], above: "JsonObject | None" = None, name: str = ""
    ) -> None:
        self.reading = reading
        self.values = values
        self._above = above
        self._name = name
        self._depth: int = above._depth + 1 if above is not None else 0
        self._asked: set[str] = set()

    def place(self, key: str = "") -> str:
        """Where this object, or one of its properties, stands in the document."""
        names = [key] if key else []
        part: JsonObject | None = self
        while part is not None:
            if part._name:
                names.append(part._name)
            part = part._above
        return ".".join(reversed(names))

    def fault(self, key: str, message: str) -> None:
        """Remember a fault at a property of this object, or at the object itself (``""``)."""
        self.reading.fault(self.place(key), message)

    def has(self, key: str) -> bool:
        """Whether a property is given, be it null."""
        self._asked.add(key)
        return key in self.values

    def lacks(self, key: str) -> bool:
        """Whether a property is absent, null or empty: another value that cannot be read has its own fault already."""
        return self.values.get(key) in (None, "", [])

    def whole(self, key: str, *, limit: int = _INT) -> int | None:
        """A whole number; a fraction is cut off, as the reference does."""
        number = self.number(key)
        if number is None:
            return None
        if not -limit <= number < limit:
            self.fault(key, f"must be a whole number of at most {limit.bit_length() - 1} bits")
            return None
        return int(number)

    def long(self, key: str) -> int | None:
        """A whole number of 63 bits, such as a concept's id."""
        return self.whole(key, limit=_LONG)

    def days(self, key: str, *, negative: bool = False) -> int | None:
        """A number of days, no more than the calendar has."""
        days = self.whole(key)
        if days is not None and days < 0 and not negative:
            self.fault(key, "must be 0 days or more")
            return None
        if days is not None and abs(days) > MAX_DAYS:
            self.fault(key, f"is more days than the calendar has ({MAX_DAYS:,})")
            return None
        return days

    def number(self, key: str) -> Number | None:
        """A number, or a text that holds one."""
        value = self._value(key)
        match value:
            case None | "":
                return None
            case str() if _WHOLE.fullmatch(value.strip()):
                return int(value)
            case str() if _DECIMAL.fullmatch(value.strip()):
                value = float(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fault(key, "must be a number")
            return None
        if isinstance(value, float) and not math.isfinite(value):
            self.fault(key, "is no finite number")
            return None
        return value

    def flag(self, key: str) -> bool | None:
        """true or false, also as 0, 1 or a text."""
        given = self._value(key)
        if given is None or isinstance(given, bool):
            return given
        match given:
            case "":
                return None
            case int(value):
                return value != 0
            case "true" | "True" | "TRUE":
                return True
            case "false" | "False" | "FALSE":
                return False
            case _:
                self.fault(key, "must be true or false")
                return None

    def text(self, key: str) -> str | None:
        """A text; a number is taken as its digits."""
        value = self._value(key)
        if isinstance(value, bool) or not isinstance(value, str | int | float | None):
            self.fault(key, "must be a text")
            return None
        if isinstance(value, str) and not value.isascii() and _SURROGATE.search(value):
            self.fault(key, "holds half a character (a lone surrogate), which no file can be written with")
            return None
        return value if value is None else str(value)

    def choice(self, key: str, choices: Sequence[str], *, default: str | None = None) -> str | None:
        """One of *choices*, by its name or by its place among them; *default* where it is absent, None where it is null."""
        value = self._value(key, default)
        if value is None or (isinstance(value, str) and value in choices):
            return value
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(choices):
            return choices[value]
        self.fault(key, f"must be one of {', '.join(choices)}")
        return None

    def concept_set(self, key: str) -> str | None:
        """The id of a concept set of this definition."""
        number = self.whole(key)
        if number is None:
            return None
        if str(number) not in self.reading.concept_sets:
            self.fault(key, f"names the concept set {number}, which is not among ConceptSets; add it, or mend the id")
            return None
        return str(number)

    def part(self, key: str, *, needed: str = "") -> "JsonObject | None":
        """An object below this one.

        Args:
            needed: what is missing where there is none; without, it may be absent.
        """
        value = self._value(key)
        if value is None:
            if needed:
                self.fault(key, f"is missing; give {needed}")
            return None
        return self._below(value, key)

    def parts(self, key: str) -> "Iterator[JsonObject]":
        """The objects of a list below this one."""
        value = self._value(key)
        if value is None:
            return
        if not isinstance(value, list):
            self.fault(key, "must be a list")
            return
        for index, entry in enumerate(value):
            if (below := self._below(entry, f"{key}[{index}]")) is not None:
                yield below

    def only(self) -> "tuple[str, JsonObject | None]":
        """The one property of an object that tells what kind of thing it holds, with what is in it."""
        if len(self.values) != 1:
            given = f"{len(self.values)} are here" if self.values else "there is none here"
            self.fault("", f'must have one property, the kind, as in {{"ConditionOccurrence": {{...}}}}; {given}')
            return "", None
        name = next(iter(self.values))
        return name, self.part(name, needed="an object")

    def finish(self, *, known: Collection[str] = (), beside: Collection[str] = ()) -> None:
        """Report the properties that nothing asked for.

        Args:
            known: properties that have a meaning here and were not asked for.
            beside: properties without a meaning that may stand here.
        """
        asked = self._asked
        for key, value in self.values.items():
            if key in asked or key in known or key in beside or value in _NOTHING:
                continue
            names = ", ".join(sorted({*asked, *known}))
            self.fault(
                key,
                "is not known here, and passing over it could count other persons than are meant; "
                f"remove it or mend its name (known: {names})",
            )

    def _value(self, key: str, default: Any = None) -> Any:
        self._asked.add(key)
        return self.values.get(key, default)

    def _below(self, value: Any, name: str) -> "JsonObject | None":
        if not isinstance(value, dict):
            self.fault(name, "must be an object, written {...}")
            return None
        if self._depth >= _DEPTH:
            self.fault(name, f"is nested more than {_DEPTH} deep; write the definition flatter")
            return None
        return JsonObject(self.reading, value, self, name)
