"""The one codec between values of the code and JSON: records of the store, and results that commands and services give.

Values are dataclasses; their annotations are the form. pydantic does the work and is imported on first use, because a
command that only says its help should not pay for it.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import GenericAlias
from typing import TYPE_CHECKING, Any, TypeVar, cast

from fairhaven.kernel.errors import Fault, Invalid
from fairhaven.kernel.files import damaged, read_json

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic_core import ErrorDetails

T = TypeVar("T")


def to_json(value: object, *, is_strict: bool = False) -> Any:
    """The value as what JSON has: dataclasses become objects, sequences and sets arrays, dates their ISO text.

    Args:
        is_strict: a number that JSON does not have (NaN, infinity) becomes null. Python's own JSON, in which records of
            the store are kept, has them.
    """
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(value, inf_nan_mode="null" if is_strict else "constants")


def from_json(form: type[T], value: Any, *, path: str = "") -> T:
    """The inverse of `to_json`.

    Args:
        form: the dataclass to be made.
        value: what `to_json` gave, or a JSON document that was read.
        path: the file that it was read from, for the faults.

    Raises:
        Invalid: the value has not this form; every fault with its place, none with what stands there. A field that the
            form does not know is a fault, because a record that is read and written again must lose nothing.
    """
    return from_json_text(form, _text_of(value, path), path=path)


def from_json_text(form: type[T], text: bytes, *, path: str = "") -> T:
    """The same for the text of a JSON document. Raises as `from_json`, also where the text is no JSON."""
    from pydantic import ValidationError

    try:
        return _read(form, text)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=True, include_input=False)
        raise Invalid([_fault(detail, path) for detail in details]) from None


def read_record(path: Path, form: type[T], *, upgrade: Callable[[Any], Any] = lambda written: written) -> T:
    """A record of the store: a file that holds what `to_json` gave.

    Args:
        upgrade: brings what an earlier Fairhaven wrote into the form of today; what it cannot take is damaged.

    Raises:
        Invalid: the file is damaged.
        FileNotFoundError: there is none.
    """
    return record_of(read_json(path), form, path=path, upgrade=upgrade)


def record_of(written: Any, form: type[T], *, path: Path, upgrade: Callable[[Any], Any] = lambda written: written) -> T:
    """The same for a record inside a file that was read.

    Raises:
        Invalid: the file is damaged.
    """
    from pydantic import ValidationError

    try:
        return _read(form, _text_of(upgrade(written), ""))
    # Not by way of `Invalid`: a record of another version may have tens of thousands of faults, and nobody is told of one.
    except (ValidationError, Invalid, KeyError, TypeError, AttributeError):
        raise damaged(path) from None


def schema_of(form: Any) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of what `to_json` gives for a value of this type: all of its fields, and no others."""
    from pydantic import ConfigDict, TypeAdapter

    config = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True)
    schema = TypeAdapter(_held(form), config=config).json_schema(mode="serialization")
    return {**schema["prefixItems"][0], "$defs": schema.get("$defs", {})}


def _read(form: type[T], text: bytes) -> T:
    """The value of a text; raises what pydantic raises."""
    made: tuple[T] = _reader(cast("Any", form)).validate_json(b"[%b]" % text, strict=True)
    return made[0]


def _text_of(value: Any, path: str) -> bytes:
    """What was read of a document as a text again: what is strict about JSON (a date is its text, an array is a tuple) holds for text only."""
    from pydantic_core import PydanticSerializationError
    from pydantic_core import to_json as text_of

    try:
        return text_of(value)
    except PydanticSerializationError:
        message = "holds half a character (a lone surrogate), or is nested too deeply to be read"
        raise Invalid(Fault(message=message, path=path)) from None


@cache
def _reader(form: Any) -> "TypeAdapter[Any]":
    from pydantic import ConfigDict, TypeAdapter

    return TypeAdapter(_held(form), config=ConfigDict(extra="forbid"))


def _held(form: Any) -> Any:
    """pydantic takes no configuration for a dataclass of the standard library itself, but hands down that of a container."""
    return GenericAlias(tuple, (form,))


def _fault(detail: "ErrorDetails", path: str) -> Fault:
    place = ".".join(str(part) for part in detail["loc"][1:])
    return Fault(message=_MESSAGES.get(detail["type"], detail["msg"]), path=path, field=place)


_MESSAGES = {
    "missing": "is missing",
    "unexpected_keyword_argument": "is not known here",
    # pydantic's own words repeat the value.
    "union_tag_invalid": "is of no known kind",
}
