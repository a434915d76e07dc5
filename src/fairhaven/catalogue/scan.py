"""The questions that are put to a table: three scans, however many variables it has.

1. `summary`: rows, persons, and of each variable how many values, their range and percentiles.
2. `slots`: rows and persons of each concept, year, class of numbers and tail.
3. `categories`: rows and persons of each text value, for variables with few of them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir

from fairhaven.catalogue.bins import Bins
from fairhaven.catalogue.variables import VariableKind, kind_of, repeats_a_date
from fairhaven.engine import Engine
from fairhaven.omop import Field, Table

PERCENTILES = (0.01, 0.5, 0.99)
MOST_CATEGORIES = 5000
"""A text variable with more different values than this is not a category, and is not counted value by value."""

LOWEST, LOW, HIGH, HIGHEST = range(4)
"""Numbers of the tail slots: at the minimum, beyond it up to the first percentile, and so at the other end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowCount:
    """Rows, and the persons whose rows they are; where a table holds no persons each row counts as one."""

    rows: int
    persons: int


def summary(table: ir.Table, definition: Table, engine: Engine) -> Mapping[str, Any]:
    """One row: ``rows``, ``persons``, and ``<field>:n``, ``:min``, ``:max``, ``:q0`` to ``:q2``, ``:distinct`` where they apply."""
    if not engine.count(table):
        return {"rows": 0, "persons": 0, **{f"{field.name}:n": 0 for field in present(table, definition)}}
    asked: dict[str, ir.Value] = {"rows": table.count(), "persons": _persons(table, definition)}
    for field in present(table, definition):
        column = table[field.name]
        asked[f"{field.name}:n"] = column.count()
        match kind_of(field):
            case VariableKind.NUMBER:
                number = finite(column)
                asked[f"{field.name}:min"] = number.min()
                asked[f"{field.name}:max"] = number.max()
                # One at a time: Sail has no list of percentiles.
                for place, percentile in enumerate(PERCENTILES):
                    asked[f"{field.name}:q{place}"] = number.approx_quantile(percentile)
            case VariableKind.CATEGORY:
                asked[f"{field.name}:distinct"] = column.approx_nunique()
    found: Mapping[str, Any] = engine.fetch(table.aggregate(**asked)).to_pylist()[0]
    return found


def slots(
    table: ir.Table, definition: Table, bins: Mapping[str, Bins], found: Mapping[str, Any], engine: Engine
) -> Mapping[str, Mapping[int, RowCount]]:
    """Rows and persons by ``field`` or ``field:tail`` and slot: concept identifier, year, number of class or tail."""
    asked: dict[str, ir.Value] = {}
    for field in present(table, definition):
        # Many a column of the CDM is empty, and writing a query costs more than running it on a small table.
        if not found[f"{field.name}:n"]:
            continue
        column = table[field.name]
        match kind_of(field):
            case VariableKind.CONCEPT:
                asked[field.name] = column
            case VariableKind.DATE if not repeats_a_date(field, definition):
                asked[field.name] = column.year()
            case VariableKind.NUMBER if field.name in bins:
                asked[field.name] = _class(column, bins[field.name])
                asked[f"{field.name}:tail"] = _tail(column, field.name, found)
    return _counted(table, definition, {name: slot.cast("int64") for name, slot in asked.items()}, engine)


def categories(
    table: ir.Table, definition: Table, found: Mapping[str, Any], engine: Engine
) -> Mapping[str, Mapping[str, RowCount]]:
    """Rows and persons by field and text value."""
    asked = {
        field.name: table[field.name]
        for field in present(table, definition)
        if kind_of(field) is VariableKind.CATEGORY and 0 < found[f"{field.name}:distinct"] <= MOST_CATEGORIES
    }
    return _counted(table, definition, asked, engine)


def present(table: ir.Table, definition: Table) -> Sequence[Field]:
    """The definition's fields that the table has."""
    return [field for field in definition.fields if field.name in table.columns]


def finite(column: ir.NumericColumn) -> ir.NumericColumn:
    """The column without NaN and infinities, which have no place in a range."""
    if not column.type().is_floating():
        return column
    return ibis.cases((column.isnan() | column.isinf(), ibis.null(column.type())), else_=column)


def _counted(
    table: ir.Table, definition: Table, asked: Mapping[str, ir.Value], engine: Engine
) -> Mapping[str, Mapping[Any, RowCount]]:
    if not asked:
        return {}
    parts = []
    names = list(asked)
    for number, slot in enumerate(asked.values()):
        rows = table.filter(slot.notnull())
        by_slot = rows.group_by(field=ibis.literal(number, type="int16"), slot=slot)
        parts.append(by_slot.aggregate(rows=rows.count(), persons=_persons(rows, definition)))
    found: dict[str, dict[Any, RowCount]] = {name: {} for name in names}
    for row in engine.fetch(ibis.union(*parts) if len(parts) > 1 else parts[0]).to_pylist():
        found[names[row["field"]]][row["slot"]] = RowCount(rows=row["rows"], persons=row["persons"])
    return found


def _persons(table: ir.Table, definition: Table) -> ir.IntegerScalar:
    return table.person_id.nunique() if definition.has_person else table.count()


def _class(column: ir.NumericColumn, bins: Bins) -> ir.Value:
    number = (finite(column).cast("float64") - bins.start) / bins.step
    return (number + 1e-9).clip(-1, bins.count).floor()


def _tail(column: ir.NumericColumn, name: str, found: Mapping[str, Any]) -> ir.Value:
    number = finite(column)
    first, last = found[f"{name}:q0"], found[f"{name}:q2"]
    return ibis.cases(
        (number <= found[f"{name}:min"], LOWEST),
        (number >= found[f"{name}:max"], HIGHEST),
        (number <= first, LOW),
        (number >= last, HIGH),
        else_=ibis.null("int8"),
    )


def has_range(found: Mapping[str, Any], name: str) -> bool:
    """True where the summary found finite numbers."""
    low, high = found.get(f"{name}:min"), found.get(f"{name}:max")
    return low is not None and high is not None and math.isfinite(low) and math.isfinite(high)
