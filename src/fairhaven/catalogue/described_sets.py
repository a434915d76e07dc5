"""The persons behind each count of persons that a description shows: who has the file knows how many they are."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fairhaven.catalogue.scan import finite
from fairhaven.catalogue.variables import VariableKind
from fairhaven.engine import Engine
from fairhaven.omop import CDM
from fairhaven.release.description import Bar, Description, TableDescription, Variable

_READ = (VariableKind.CONCEPT, VariableKind.DATE, VariableKind.NUMBER)


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
    codes: dict[int, str] = {}
    texts: list[tuple[str, range]] = []
    if described.persons is not None:
        counts.append(described.persons)
        parts.append(table.select("person_id", place=ibis.literal(0, "int64")))
    for variable in described.variables:
        if variable.name not in table.columns:
            continue
        column = table[variable.name]
        bars = [bar for bar in variable.bars if bar.persons is not None and _can_be_read(column, variable, bar)]
        if not bars:
            continue
        places = range(len(counts), len(counts) + len(bars))
        counts += [bar.persons for bar in bars if bar.persons is not None]
        if variable.kind not in _READ:
            texts.append((variable.name, places))
            codes |= {place: bar.code for place, bar in zip(places, bars, strict=True)}
            continue
        cases = [
            (_is_at(column, variable, bar.label, bar.code), ibis.literal(place, "int64"))
            for place, bar in zip(places, bars, strict=True)
        ]
        parts.append(table.select("person_id", place=ibis.cases(*cases, else_=ibis.null("int64"))))
    # A partner's rows and an altered description may hold any text, and not every text can stand in a query.
    known = engine.arrow(
        pa.table({"place": pa.array(codes, pa.int64()), "code": pa.array(codes.values(), pa.string())})
    )
    for name, places in texts:
        mine = known.filter(known["place"].between(places.start, places.stop - 1))
        parts.append(table.join(mine, table[name] == mine["code"]).select("person_id", "place"))
    if parts:
        yield from _found(ibis.union(*parts) if len(parts) > 1 else parts[0], counts, engine)
    engine.drop(known)


def _found(rows: ir.Table, counts: Sequence[int], engine: Engine) -> Iterator[tuple[int, NDArray[np.int64]]]:
    found = engine.fetch(rows.filter(rows.place.notnull()).distinct())
    places = found["place"].to_numpy()
    persons = found["person_id"].to_numpy().astype(np.int64)
    order = np.argsort(places, kind="stable")
    starts = np.searchsorted(places[order], np.arange(len(counts) + 1))
    for place, count in enumerate(counts):
        yield count, persons[order[starts[place] : starts[place + 1]]]


def _can_be_read(column: Any, variable: Variable, bar: Bar) -> bool:
    """False for what `catalogue` did not write: a description that was altered says what it likes."""
    type_of = column.type()
    try:
        match variable.kind:
            case VariableKind.CONCEPT:
                return bool(type_of.is_integer() and int(bar.code) < 1 << 63)
            case VariableKind.DATE:
                return bool(type_of.is_temporal() and int(bar.label) < 1 << 31)
            case VariableKind.NUMBER:
                return bool(type_of.is_numeric() and _ends_of(bar.label))
            case _:
                bar.code.encode()  # half a character is in no row
                return bool(type_of.is_string())
    except ValueError:
        return False


def _is_at(column: Any, variable: Variable, label: str, code: str) -> ir.BooleanValue:
    """Whether a row's value is that of a bar, or in its class."""
    at: ir.BooleanValue
    match variable.kind:
        case VariableKind.CONCEPT:
            at = column == int(code)
        case VariableKind.DATE:
            at = column.year() == int(label)
        case _:
            at = _is_in_class(finite(column), *_ends_of(label), is_whole=variable.type == "integer")
    return at


def _ends_of(label: str) -> tuple[float | None, float | None]:
    """The ends of a class of numbers (`catalogue.bins` writes the labels); None where it is open."""
    if label.startswith("under "):
        return None, float(label.removeprefix("under "))
    if label.endswith(" and over"):
        return float(label.removesuffix(" and over")), None
    low, _, high = label.partition(" to ")
    return float(low), float(high or low)


def _is_in_class(number: Any, low: float | None, high: float | None, *, is_whole: bool) -> ir.BooleanValue:
    at: ir.BooleanValue
    if low is None:
        at = number < high
    elif high is None:
        at = number >= low
    elif low == high:
        at = number == low
    else:
        at = (number >= low) & ((number <= high) if is_whole else (number < high))
    return at
