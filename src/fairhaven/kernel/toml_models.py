"""TOML documents read into pydantic models: every fault at once, each with its line, in the words of `kernel.toml`.

A document gives values and an index of their lines; the model says all else. pydantic is imported on first use.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin

from fairhaven.kernel.toml import Document

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

    M = TypeVar("M", bound=BaseModel)

Place = tuple[int | str, ...]


def read_model(document: Document, form: "type[M]", values: Any = None) -> "M | None":
    """The model of a document, None where it has faults; they are the document's afterwards.

    Args:
        values: what is read, where the document's own values are not it (a key of an older form was renamed).
    """
    from pydantic import ValidationError
    from pydantic_core import to_json

    if document.faults:
        return None
    read = document.data if values is None else values
    try:
        # As JSON, because only there strictness takes an array for a tuple and a text for a word of a list.
        made = form.model_validate_json(to_json(read), strict=True)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False):
            document.fault(dotted(_place(detail)), _message(detail, form))
        return None
    for place in _days_read_as_texts(read, made):
        document.fault(dotted(place), "is a date or time; put a text in quotes")
    return None if document.faults else made


def dotted(place: Place) -> str:
    """A place inside a document as its index of lines has it: ``terms.gp.use.purposes[1]``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


def _place(detail: "ErrorDetails") -> Place:
    return tuple(part for part in detail["loc"] if part != "[key]")


def _message(detail: "ErrorDetails", form: Any) -> str:
    kind, context, place = detail["type"], detail.get("ctx", {}), _place(detail)
    match kind:
        case "model_type" | "model_attributes_type" if (
            len(place) > 1 and get_origin(_form_at(form, place[:-1])) is Mapping
        ):
            return f"must be a table of its own, as [{dotted(place[:-1])}.NAME]"
        case "missing":
            return f"is missing{_meant(form, place)}"
        case "extra_forbidden":
            fields = getattr(_form_at(form, place[:-1]), "model_fields", {})
            return f"is not a setting here (known: {', '.join(sorted(fields)) or 'none'})"
        case "enum":
            return f"is not one of {', '.join(_form_at(form, place))}"
        case "greater_than_equal" | "greater_than" | "less_than_equal" | "less_than":
            [limit] = context.values()
            return f"must be {_LIMITS[kind]} {limit}"
        case "too_short":
            return f"must not be empty{_meant(form, place)}"
        case "string_pattern_mismatch" | "string_too_short":
            return (
                "must be letters, digits, _ and -"
                if detail["loc"][-1] == "[key]"
                else f"is not written so{_meant(form, place)}"
            )
        case _:
            return _MESSAGES.get(kind, detail["msg"])


_LIMITS = {
    "greater_than_equal": "at least",
    "greater_than": "more than",
    "less_than_equal": "at most",
    "less_than": "less than",
}
_MESSAGES = {
    "string_type": "must be a text",
    "tuple_type": "must be a list",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "model_type": "must be a table",
    "mapping_type": "must be a table of tables",
    "dict_type": "must be a table of tables",
    "date_type": "is not a date like 2026-01-31",
    "date_parsing": "is not a date like 2026-01-31",
    "date_from_datetime_parsing": "is not a date like 2026-01-31",
    "date_from_datetime_inexact": "is not a date like 2026-01-31",
    "string_too_long": "is too long",
}


def _meant(form: Any, place: Place) -> str:
    """What a field is, as its description says."""
    fields = getattr(_form_at(form, place[:-1]), "model_fields", {})
    field = fields.get(place[-1]) if place else None
    return f": {field.description}" if field is not None and field.description else ""


def _form_at(form: Any, place: Place) -> Any:
    """The type of what stands at a place of a model."""
    for part in place:
        form = _without_none(form)
        if fields := getattr(form, "model_fields", None):
            if part not in fields:
                return None
            form = fields[part].annotation
        elif get_origin(form) in (tuple, Mapping, dict):
            arguments = get_args(form)
            form = arguments[0] if isinstance(part, int) else arguments[-1]
    return _without_none(form)


def _without_none(form: Any) -> Any:
    while getattr(form, "__metadata__", ()):
        form = form.__origin__
    if get_origin(form) in (Union, UnionType):
        [form] = [each for each in get_args(form) if each is not NoneType]
        return _without_none(form)
    return form


def _days_read_as_texts(read: Any, made: Any) -> list[Place]:
    """Places where the document has a date or time and the model a text: as JSON the two are one."""
    left: list[tuple[Place, Any, Any]] = [((), read, made)]
    found: list[Place] = []
    while left:
        place, value, now = left.pop()
        match value:
            case dict():
                inside = now if isinstance(now, Mapping) else vars(now)
                left += [((*place, key), each, inside.get(key)) for key, each in value.items()]
            case list() if isinstance(now, Sequence):
                left += [((*place, at), *pair) for at, pair in enumerate(zip(value, now, strict=True))]
            case dt.date() | dt.time() if isinstance(now, str):
                found.append(place)
    return found
