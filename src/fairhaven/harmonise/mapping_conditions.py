"""Which rows a rule takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir

from fairhaven.harmonise.mapping_values import number_of, text_of


@dataclass(frozen=True, kw_only=True, slots=True)
class MappingCondition:
    """What must hold of one column; everything given must hold.

    Args:
        one_of: the column equals one of these; None for any.
        none_of: the column equals none of these; NULL equals none.
        present: the column has a value (True), has none (False).
        starts_with: it starts with one of these.
        matches: it matches this regular expression somewhere.
        at_least, at_most: bounds, a number or a date.
    """

    column: str
    one_of: tuple[Any, ...] | None = None
    none_of: tuple[Any, ...] = ()
    present: bool | None = None
    starts_with: tuple[str, ...] = ()
    matches: str = ""
    at_least: Any = None
    at_most: Any = None

    def build(self, columns: Mapping[str, ir.Value]) -> ir.BooleanValue:
        """True where it holds; never NULL."""
        value = columns[self.column]
        tests: list[ir.BooleanValue] = []
        if self.one_of is not None:
            tests.append(_comparable(value, self.one_of).isin(list(self.one_of)).fill_null(False))
        if self.none_of:
            tests.append(~_comparable(value, self.none_of).isin(list(self.none_of)).fill_null(False))
        if self.present is not None:
            has = value.notnull() & (value != "") if value.type().is_string() else value.notnull()
            tests.append(has.fill_null(False) if self.present else ~has.fill_null(False))
        if self.starts_with:
            text = text_of(value)
            tests.append(ibis.or_(*[text.startswith(start) for start in self.starts_with]).fill_null(False))
        if self.matches:
            tests.append(text_of(value).re_search(self.matches).fill_null(False))
        for bound, compare in ((self.at_least, "__ge__"), (self.at_most, "__le__")):
            if bound is not None:
                ordered = value if not isinstance(bound, int | float) else number_of(value)
                tests.append(getattr(ordered, compare)(bound).fill_null(False))
        return ibis.and_(*tests)


def _comparable(value: ir.Value, others: tuple[Any, ...]) -> ir.Value:
    """A text column beside numbers is read as a number, any other beside texts as text."""
    if all(isinstance(other, bool) for other in others):
        return value
    if all(isinstance(other, int | float) for other in others):
        return number_of(value) if value.type().is_string() else value
    return text_of(value)
