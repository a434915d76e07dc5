"""What every noun of the terms is made of: frozen, strict, closed to unknown fields, each field described.

The first sentence of a field's description is what plain English and differences call it; all of it stands in
docs/reference/terms.md. Beside it stands who decides by the field.
"""

import datetime as dt
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo
from pydantic_core import PydanticCustomError

from fairhaven.people.countries import COUNTRIES


class TermNoun(BaseModel):
    """A noun of the terms: what cannot be valid cannot be made."""

    # Defaults are checked, too: that a field is missing can depend on what another says.
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", validate_default=True, defer_build=True)


def refuse(message: str) -> PydanticCustomError:
    """The error by which a field says what is wrong with it, in words.

    What depends on two fields is looked at by the later of them, so that it is told beside every other fault; a check of a
    whole noun would wait until all of its fields are sound.
    """
    return PydanticCustomError("term", "{message}", {"message": message})


def _country(code: str) -> str:
    if code not in COUNTRIES:
        raise refuse(f"{code} is no country of ISO 3166; the United Kingdom is GB, England GB-ENG")
    return code


def _distinct(items: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(items)) < len(items):
        raise refuse("says the same thing twice")
    return items


def _readable(text: str) -> str:
    if (
        any(not letter.isprintable() and letter not in "\n\t" and not letter.isspace() for letter in text)
        or "\r" in text
    ):
        raise refuse("holds a character that is none to be read")
    return text


def _words(text: str) -> str:
    if not text.strip():
        raise refuse("is empty")
    return text


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]*$", max_length=100)]
"""What names a file, a dataset, a project or a set of terms: letters, digits, _ and -."""
Dataset = Annotated[str, StringConstraints(pattern=r"^(\*|[A-Za-z0-9_][A-Za-z0-9_-]*)$", max_length=100)]
"""The name of a source, or ``*`` for every dataset of a controller that no other of its terms names."""
Text = Annotated[str, StringConstraints(max_length=10_000), AfterValidator(_readable)]
"""What people read; it may be empty."""
Words = Annotated[Text, AfterValidator(_words)]
"""What people read."""
Column = Annotated[str, StringConstraints(pattern=r"^(\*|[a-z_0-9]+\.(\*|[a-z_0-9]+))$", max_length=200)]
"""A column of a release as ``table.column``, a whole table as ``table.*``, or everything as ``*``."""
Country = Annotated[str, AfterValidator(_country)]
"""A country of ISO 3166, or GB-ENG, GB-NIR, GB-SCT, GB-WLS."""
Distinct = AfterValidator(_distinct)
"""Marks a list in which nothing may stand twice."""
Months = Annotated[int, Field(ge=1, le=1200)]
Pounds = Annotated[int, Field(ge=0, le=10_000_000_000)]


def not_before(field: str, what: str, day: dt.date | None, info: ValidationInfo) -> dt.date | None:
    """A day that does not come before that of an earlier field, where both are there."""
    first = info.data.get(field)
    if day is not None and first is not None and day < first:
        raise refuse(f"is before {what}")
    return day
