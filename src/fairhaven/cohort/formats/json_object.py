"""An object of somebody else's JSON, read property by property, with every fault and its place.

Values are as lenient as in OHDSI's Circe, whose Java reads ``"30"`` as 30, 30.7 as 30, ``1`` as true and an enum by its
name or its ordinal. Nothing else is: a property that nobody asked for is a fault, because passing over it would count
other persons than its author meant.
"""

import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fairhaven.cohort.definition_checks import MAX_DAYS
from fairhaven.kernel.errors import Fault

Number = int | float
Parsed = TypeVar("Parsed")

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


@dataclass(frozen=True, kw_only=True)
class JsonFaults:
    """What is gathered while a definition is read.

    Args:
        path: how faults name the file.
        concept_sets: ids of the concept sets read so far.
    """

    path: str
    faults: list[Fault] = field(default_factory=list)
    concept_sets: set[str] = field(default_factory=set)


class JsonObject:
    """One object. A getter never raises: a fault is remembered and None given back, as for what is absent or null.

    Args:
        place: where it stands in the document, such as ``InclusionRules[2].expression``.
        depth: how many objects it lies in.
        beside: properties without a meaning that may stand here.
    """

    def __init__(
        self,
        reading: JsonFaults,
        values: dict[str, Any],
        *,
        place: str = "",
        depth: int = 0,
        beside: Collection[str] = (),
    ) -> None:
        self.reading = reading
        self.values = values
        self._place = place
        self._depth = depth
        self._beside = beside
        self._asked: set[str] = set()
        self._below: list[JsonObject] = []

    def fault(self, key: str, message: str) -> None:
        """Remember a fault at a property of this object, or at the object itself (``""``)."""
        self.reading.faults.append(Fault(message=message, path=self.reading.path, field=self._place_of(key)))

    def has(self, key: str) -> bool:
        """Whether a property is given, be it null."""
        self._asked.add(key)
        return key in self.values

    def know(self, keys: Iterable[str]) -> None:
        """Properties that have a meaning here, whether they are asked for or not."""
        self._asked.update(keys)

    def lacks(self, key: str) -> bool:
        """Whether a property is absent, null or empty: another value that cannot be read has its own fault already."""
        return self.values.get(key) in (None, "", [])

    def whole(self, key: str, *, bits: int = 31) -> int | None:
        """A whole number; a fraction is cut off, as the reference does."""
        number = self.number(key)
        if number is None or -(2**bits) <= number < 2**bits:
            return None if number is None else int(number)
        self.fault(key, f"must lie between {-(2**bits)} and {2**bits - 1}")
        return None

    def days(self, key: str, *, negative: bool = False) -> int | None:
        """A number of days, no more than the calendar has."""
        days = self.whole(key)
        if days is not None and days < 0 and not negative:
            self.fault(key, "must be 0 days or more")
        elif days is not None and abs(days) > MAX_DAYS:
            self.fault(key, f"is more days than the calendar has ({MAX_DAYS:,})")
        else:
            return days
        return None

    def number(self, key: str) -> Number | None:
        """A number, or a text that holds one."""
        value = self._value(key)
        if value in (None, ""):
            return None
        if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
            value = int(value) if _WHOLE.fullmatch(value.strip()) else float(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fault(key, "must be a number")
        elif isinstance(value, float) and not math.isfinite(value):
            self.fault(key, "is no finite number")
        else:
            return value
        return None

    def flag(self, key: str) -> bool | None:
        """true or false, also as 0, 1 or a text."""
        value = self._value(key)
        if value in (None, ""):
            return None
        if isinstance(value, int):
            return value != 0
        if value not in ("true", "True", "TRUE", "false", "False", "FALSE"):
            self.fault(key, "must be true or false")
            return None
        return value in ("true", "True", "TRUE")

    def text(self, key: str) -> str | None:
        """A text; a number is taken as its digits."""
        value = self._value(key)
        if isinstance(value, bool) or not isinstance(value, str | int | float | None):
            self.fault(key, "must be a text")
        elif isinstance(value, str) and not value.isascii() and _SURROGATE.search(value):
            self.fault(key, "holds half a character (a lone surrogate), which no file can be written with")
        elif value is not None:
            return str(value)
        return None

    def parsed(self, key: str, parse: Callable[[str], Parsed | None]) -> Parsed | None:
        """What *parse* makes of a text, of an empty one where it is absent; a ValueError that it raises is the fault."""
        try:
            return parse(self.text(key) or "")
        except ValueError as error:
            self.fault(key, str(error))
            return None

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

    def part(self, key: str, *, needed: str = "", beside: Collection[str] = ()) -> "JsonObject | None":
        """An object below this one.

        Args:
            needed: what is missing where there is none; without, it may be absent.
            beside: properties without a meaning that may stand in it.
        """
        value = self._value(key)
        if value is not None:
            return self.below(value, key, beside)
        if needed:
            self.fault(key, f"is missing; give {needed}")
        return None

    def parts(self, key: str, *, beside: Collection[str] = ()) -> "Iterator[JsonObject]":
        """The objects of a list below this one."""
        value = self._value(key)
        if not isinstance(value, list | None):
            self.fault(key, "must be a list")
            return
        for index, entry in enumerate(value or ()):
            if (below := self.below(entry, f"{key}[{index}]", beside)) is not None:
                yield below

    def only(self) -> "tuple[str, JsonObject | None]":
        """The one property of an object that says what kind of thing it holds, with what is in it."""
        if len(self.values) != 1:
            given = f"{len(self.values)} are here" if self.values else "there is none here"
            self.fault("", f'must have one property, the kind, as in {{"ConditionOccurrence": {{...}}}}; {given}')
            return "", None
        name = next(iter(self.values))
        return name, self.part(name, needed="an object")

    def finish(self) -> None:
        """Report the properties that nothing asked for, here and below; of an object that was not read, none."""
        for key, value in self.values.items():
            if key not in self._asked and key not in self._beside and value not in _NOTHING:
                self.fault(
                    key,
                    "is not known here, and passing over it could count other persons than are meant; "
                    f"remove it or mend its name (known: {', '.join(sorted(self._asked))})",
                )
        for below in self._below:
            if below._asked:
                below.finish()

    def below(self, value: Any, name: str, beside: Collection[str] = ()) -> "JsonObject | None":
        """The object that a value of this one is, under the name that faults give it."""
        if not isinstance(value, dict):
            self.fault(name, "must be an object, written {...}")
        elif self._depth >= _DEPTH:
            self.fault(name, f"is nested more than {_DEPTH} deep; write the definition flatter")
        else:
            below = JsonObject(self.reading, value, place=self._place_of(name), depth=self._depth + 1, beside=beside)
            self._below.append(below)
            return below
        return None

    def _place_of(self, key: str) -> str:
        return ".".join(filter(None, (self._place, key)))

    def _value(self, key: str, default: Any = None) -> Any:
        self._asked.add(key)
        return self.values.get(key, default)
