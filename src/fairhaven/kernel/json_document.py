"""A JSON document as it came: text, bytes or values already parsed, refused in words where it is no JSON object."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, NoReturn

from fairhaven.kernel.errors import Fault, Invalid


def json_object(value: Mapping[str, Any] | str | bytes, *, path: str = "") -> Mapping[str, Any]:
    """The document's outermost object.

    Args:
        value: UTF-8 bytes (a byte order mark is passed over), text, or what ``json.loads`` gave.
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
        return json.loads(text, parse_constant=_no_number, object_pairs_hook=_each_once)
    except json.JSONDecodeError as error:
        message = f"not valid JSON: {error.msg} (column {error.colno})"
        raise Invalid(Fault(message=message, path=path, line=error.lineno)) from None
    except RecursionError:
        raise Invalid(Fault(message="is nested too deeply to be read", path=path)) from None
    except _Ambiguous as error:
        raise Invalid(Fault(message=f"not valid JSON: {error}", path=path)) from None
    except ValueError:
        # Python's own limit of digits of a whole number.
        raise Invalid(Fault(message="not valid JSON: holds a number too long to be read", path=path)) from None


class _Ambiguous(ValueError):
    """What Python reads and others do not, or otherwise."""


def _no_number(text: str) -> NoReturn:
    raise _Ambiguous(f"{text} is no number")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose properties are given once: of two, one would be passed over in silence."""
    values = dict(pairs)
    if len(values) < len(pairs):
        twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise _Ambiguous(f"an object has the property {twice[:60]!r} twice")
    return values
