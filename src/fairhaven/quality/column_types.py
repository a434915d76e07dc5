"""Tables as they are found, made fit to be checked: names in lower case, values in the CDM's types.

What cannot be read as the type of its column becomes NULL in `TypedTable.table`, which keeps it as found beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from fairhaven.omop.cdm import type_of


@dataclass(frozen=True, kw_only=True)
class TypedTable:
    """One table: as stored, and in the CDM's types."""

    raw: ir.Table
    table: ir.Table

    @property
    def columns(self) -> frozenset[str]:
        """Names of its columns, lower case."""
        return frozenset(self.raw.columns)


class TypedTables(dict[str, TypedTable]):
    """All tables that are there, by CDM name."""

    def __init__(self, tables: Mapping[str, ir.Table]) -> None:
        super().__init__((name.lower(), _typed(name.lower(), table)) for name, table in tables.items())

    def missing(self, table: str, *columns: str) -> str:
        """What of a table is not there, in words; empty where all is."""
        if table not in self:
            return f"Table {table.upper()} does not exist."
        absent = [name for name in columns if name not in self[table].columns]
        return f"Field {table.upper()}.{absent[0]} does not exist." if absent else ""


def _typed(name: str, table: ir.Table) -> TypedTable:
    renamed = {column.lower(): column for column in table.columns if column != column.lower()}
    raw = table.rename(renamed) if renamed else table
    casts = {column: _in_type(raw[column], type_of(name, column)) for column in raw.columns}
    needed = {column: value for column, value in casts.items() if value is not None}
    found = {as_found(column): raw[column] for column in needed}
    return TypedTable(raw=raw, table=raw.mutate(**needed, **found) if needed else raw)


def stacked(parts: Sequence[ir.Table]) -> ir.Table:
    """Tables of one schema as one."""
    return ibis.union(*parts) if len(parts) > 1 else parts[0]


def as_found(name: str) -> str:
    """Column that keeps a value as it was before it was read as the CDM's type."""
    return f"_found_{name}"


def _in_type(value: ir.Value, wanted: str) -> ir.Value | None:
    """The value in the wanted type; None where it already serves."""
    found: dt.DataType = value.type()
    match wanted:
        case "":
            return None
        case "string":
            return None if found.is_string() else value.cast("string")
        case "date" | "timestamp":
            return None if found.is_date() or found.is_timestamp() else value.cast("string").try_cast(wanted)
        case _:
            return None if found.is_numeric() and not found.is_boolean() else value.try_cast(wanted)


def as_day(value: ir.Value) -> ir.DateValue:
    """The day of a date or of a point in time."""
    return value if value.type().is_date() else value.cast("date")


def birth_dates(person: ir.Table) -> ir.Table:
    """person_id with `_birth` (day of birth, first of month or January where unknown), `_midyear` and `_gender`.

    `_midyear` is the birth day that DQD's plausibleTemporalAfter takes: 1 June where only the year is known.
    """
    unknown = ibis.null("date")
    year = person["year_of_birth"] if "year_of_birth" in person.columns else ibis.null("int32")
    is_year = year.between(1, 9999)
    safe_year = ibis.ifelse(is_year, year, 1900).cast("int32")
    known = as_day(person["birth_datetime"]) if "birth_datetime" in person.columns else unknown
    month = _part(person, "month_of_birth", 12)
    day = _part(person, "day_of_birth", 31)
    first = ibis.date(safe_year, month, ibis.literal(1, "int32"))
    composed = ibis.ifelse(is_year, (first + (day - 1).as_interval("D")).cast("date"), unknown)
    midyear = ibis.ifelse(is_year, ibis.date(safe_year, ibis.literal(6, "int32"), ibis.literal(1, "int32")), unknown)
    gender = person["gender_concept_id"] if "gender_concept_id" in person.columns else ibis.null("int32")
    return person.select(
        _person=person["person_id"],
        _birth=ibis.coalesce(known, composed),
        _midyear=ibis.coalesce(known, midyear),
        _gender=gender,
    )


def _part(person: ir.Table, name: str, greatest: int) -> ir.IntegerValue:
    if name not in person.columns:
        return ibis.literal(1, "int32")
    value = person[name]
    return ibis.ifelse(value.between(1, greatest), value, 1).cast("int32")
