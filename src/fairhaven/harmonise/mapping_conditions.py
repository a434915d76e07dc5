"""Which rows a rule takes."""

import operator
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir

from fairhaven.harmonise.mapping_values import has_value, is_withheld, number_of, text_of


@dataclass(frozen=True, kw_only=True, slots=True)
class MappingCondition:
    """What must hold of one column; everything given must hold. A text that was withheld is no other than one that is refused.

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

    def build(self, rows: ir.Table) -> ir.BooleanValue:
        """True where it holds; never NULL."""
        value = rows[self.column]
        tests: list[ir.BooleanValue] = []
        if self.one_of is not None:
            tests.append(_comparable(value, self.one_of).isin(list(self.one_of)).fill_null(False))
        if self.none_of:
            tests.append(~_comparable(value, self.none_of).isin(list(self.none_of)).fill_null(False))
        if self.present is not None:
            tests.append(has_value(value) if self.present else ~has_value(value))
        if (self.none_of or self.matches) and value.type().is_string():
            # What was withheld may be what is refused; a pattern, too, may say what must not be there.
            tests.append(~is_withheld(value))
        if self.starts_with:
            starts = [text_of(value).startswith(start) for start in self.starts_with]
            tests.append(ibis.or_(*starts).fill_null(False))
        if self.matches:
            tests.append(text_of(value).re_search(self.matches).fill_null(False))
        for bound, compare in ((self.at_least, operator.ge), (self.at_most, operator.le)):
            if bound is not None:
                ordered = number_of(value) if isinstance(bound, int | float) else value
                tests.append(compare(ordered, bound).fill_null(False))
        return ibis.and_(*tests)


def _comparable(value: ir.Value, others: tuple[Any, ...]) -> ir.Value:
    """A text column beside numbers is read as a number, any other beside texts as text."""
    if all(isinstance(other, bool) for other in others):
        return value
    if all(isinstance(other, int | float) for other in others):
        return number_of(value) if value.type().is_string() else value
    return text_of(value)
