"""What every noun of the terms is made of: frozen, strict, closed to unknown fields, each field described.

The first sentence of a field's description is what plain English and differences call it; all of it stands in
docs/reference/terms.md. Beside it stands who decides by the field.
"""

import datetime as dt
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from fairhaven.access.terms.countries import COUNTRIES


class TermNoun(BaseModel):
    """A noun of the terms: what cannot be valid cannot be made."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)


def refuse(message: str, *, field: str = "") -> PydanticCustomError:
    """The error by which a noun says what is wrong with it, in words; of its *field*, where one is to be mended."""
    return PydanticCustomError("term", "{message}", {"message": message, "field": field})


def _country(code: str) -> str:
    if code not in COUNTRIES:
        raise refuse(f"{code} is no country of ISO 3166; the United Kingdom is GB, England GB-ENG")
    return code


def _distinct(items: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(items)) < len(items):
        raise refuse("says the same thing twice")
    return items


def _words(text: str) -> str:
    if not text.strip():
        raise refuse("is empty")
    if any(ord(letter) < 32 and letter not in "\n\t" for letter in text):
        raise refuse("holds a character that is none to be read")
    return text


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]*$", max_length=100)]
"""What names a file, a dataset, a project or a set of terms: letters, digits, _ and -."""
Dataset = Annotated[str, StringConstraints(pattern=r"^(\*|[A-Za-z0-9_][A-Za-z0-9_-]*)$", max_length=100)]
"""The name of a source, or ``*`` for every dataset of a controller that no other of its terms names."""
Words = Annotated[str, StringConstraints(max_length=10_000), AfterValidator(_words)]
"""What people read."""
Column = Annotated[str, StringConstraints(pattern=r"^(\*|[a-z_0-9]+\.(\*|[a-z_0-9]+))$", max_length=200)]
"""A column of a release as ``table.column``, a whole table as ``table.*``, or everything as ``*``."""
Country = Annotated[str, AfterValidator(_country)]
"""A country of ISO 3166, or GB-ENG, GB-NIR, GB-SCT, GB-WLS."""
Distinct = AfterValidator(_distinct)
"""Marks a list in which nothing may stand twice."""
Months = Annotated[int, Field(ge=1, le=1200)]
Pounds = Annotated[int, Field(ge=0, le=10_000_000_000)]


def months_after(day: dt.date, months: int) -> dt.date:
    """The same day so many months later, or the last of that month where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return dt.date(year, month + 1, min(day.day, last))
        except ValueError:
            continue
    raise AssertionError("every month has 28 days")
