"""The persons behind each count of persons that a description shows: who has the file knows how many they are."""

from collections.abc import Iterator, Mapping
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
from numpy.typing import NDArray

from fairhaven.catalogue.scan import finite
from fairhaven.catalogue.variables import VariableKind
from fairhaven.engine import Engine
from fairhaven.omop import CDM
from fairhaven.release.description import Description, TableDescription, Variable


def described_sets(
    description: Description, tables: Mapping[str, ir.Table], engine: Engine
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Each count of persons that is shown, with the persons: those of a table, and those of each value of a variable.

    Args:
        tables: those that were described.

    Yields:
        count as it is shown; ``person_id`` of each person once, int64.
    """
    for described in description.tables:
        if described.name in tables and CDM[described.name].has_person:
            yield from _sets_of(described, tables[described.name], engine)


def _sets_of(described: TableDescription, table: ir.Table, engine: Engine) -> Iterator[tuple[int, NDArray[np.int64]]]:
    counts: list[int] = []
    parts = []
    if described.persons is not None:
        counts.append(described.persons)
        parts.append(table.select("person_id", place=ibis.literal(0, "int64")))
    for variable in described.variables:
        bars = [bar for bar in variable.bars if bar.persons is not None]
        if not bars or variable.name not in table.columns:
            continue
        cases = [
            (_is_at(table[variable.name], variable, bar.label, bar.code), ibis.literal(place, "int64"))
            for place, bar in enumerate(bars, start=len(counts))
        ]
        counts += [bar.persons for bar in bars if bar.persons is not None]
        parts.append(table.select("person_id", place=ibis.cases(*cases, else_=ibis.null("int64"))))
    if not parts:
        return
    rows = ibis.union(*parts) if len(parts) > 1 else parts[0]
    found = engine.fetch(rows.filter(rows.place.notnull()).distinct())
    places = found["place"].to_numpy()
    persons = found["person_id"].to_numpy().astype(np.int64)
    order = np.argsort(places, kind="stable")
    starts = np.searchsorted(places[order], np.arange(len(counts) + 1))
    for place, count in enumerate(counts):
        yield count, persons[order[starts[place] : starts[place + 1]]]


def _is_at(column: Any, variable: Variable, label: str, code: str) -> ir.BooleanValue:
    """Whether a row's value is that of a bar, or in its class (`catalogue.bins` writes the labels)."""
    at: ir.BooleanValue
    match variable.kind:
        case VariableKind.CONCEPT:
            at = column == int(code)
        case VariableKind.DATE:
            at = column.year() == int(label)
        case VariableKind.NUMBER:
            at = _is_in_class(finite(column), label, is_whole=variable.type == "integer")
        case _:
            at = column == code
    return at


def _is_in_class(number: Any, label: str, *, is_whole: bool) -> ir.BooleanValue:
    if label.startswith("under "):
        at: ir.BooleanValue = number < float(label.removeprefix("under "))
    elif label.endswith(" and over"):
        at = number >= float(label.removesuffix(" and over"))
    elif " to " in label:
        low, high = map(float, label.split(" to "))
        at = (number >= low) & ((number <= high) if is_whole else (number < high))
    else:
        at = number == float(label)
    return at
