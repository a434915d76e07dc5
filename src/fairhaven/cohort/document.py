"""A JSON document as it came: text, bytes or values already parsed, refused in words where it is no JSON object."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from fairhaven.kernel.errors import Fault, Invalid


def json_object(value: Mapping[str, Any] | str | bytes, *, path: str = "") -> Mapping[str, Any]:
    """The document's outermost object.

    Args:
        value: UTF-8 bytes (a byte order mark is passed over), text, or what `json.loads` gave.
        path: how faults name the document.

    Raises:
        Invalid: no UTF-8, no JSON, no object, ``NaN`` or ``Infinity`` for a number, or nested too deeply to be read.
    """
    if isinstance(value, bytes):
        try:
            value = value.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise Invalid(Fault(message=f"is no UTF-8 text (byte {error.start})", path=path)) from None
    if isinstance(value, str):
        value = _parsed(value, path)
    if not isinstance(value, Mapping):
        raise Invalid(Fault(message="must be a JSON object, written {...}", path=path))
    return value


def _parsed(text: str, path: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        message = f"not valid JSON: {error.msg} (column {error.colno})"
        raise Invalid(Fault(message=message, path=path, line=error.lineno)) from None
    except RecursionError:
        raise Invalid(Fault(message="is nested too deeply to be a definition", path=path)) from None
    except ValueError as error:
        # Python's own limit of digits of a whole number, or one of JavaScript's numbers that JSON does not have.
        message = str(error) if isinstance(error, _NoNumber) else "holds a number too long to be read"
        raise Invalid(Fault(message=f"not valid JSON: {message}", path=path)) from None


class _NoNumber(ValueError):
    pass


def _no_number(text: str) -> NoReturn:
    raise _NoNumber(f"{text} is no number")
