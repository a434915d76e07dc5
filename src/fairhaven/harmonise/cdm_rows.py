"""A partner's CDM to generic rows: the tables are the CDM's already, so columns only change their names.

Persons, visits, providers, places and events get identifiers of this hub; references are followed, and one that names no
row, or several, is left empty. Concepts are kept as the partner gave them, unless this hub's vocabulary has them as not standard and
knows what they map to (`code_mapping.resolve_codes`). Empty columns stay empty. Eras are computed anew, the vocabulary is not read, and
tables that have no generic rows are counted as not taken.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import ibis
import ibis.expr.types as ir

from fairhaven.harmonise.cdm_columns import CDM_COLUMNS
from fairhaven.harmonise.generic_rows import EVENT_TABLES, FREE_TEXT_COLUMNS, KINDS, LINEAGE, GenericRows
from fairhaven.kernel.partial_days import LAST_DAY, LENGTH, WHOLE_DAY
from fairhaven.omop import CDM

_LARGEST = 2**31 - 1
_NAMED_BY = ("visit_occurrence", "visit_detail", "provider", "care_site")
"""Tables whose rows of one key would become one row, as those of other sources do, though a CDM has each row once."""
_NOWHERE = "\x1f\x1fno such place"


CDM_READ: Mapping[str, frozenset[str]] = MappingProxyType(
    {table: frozenset(columns.values()) for table, columns in CDM_COLUMNS.items()}
)
"""What `omop_rows` reads of a partner's CDM, beside the numbers by which rows refer to others: columns by table."""


def omop_rows(tables: Mapping[str, ir.Table]) -> list[GenericRows]:
    """What each table of a partner's CDM yields.

    Args:
        tables: landed tables under the names of CDM 5.4 (`intake/cdm_reader.py`); any may be missing, and any column.
    """
    found = []
    for table, columns in CDM_COLUMNS.items():
        if table not in tables:
            continue
        is_event = table in EVENT_TABLES
        kind = "event" if is_event else table
        rows = _placed(table, tables)
        carried = [name for name in (*LINEAGE, "patient_ref") if name in KINDS[kind]]
        carried += ["location_ref"] if "location_ref" in rows.columns else []
        given = {name: rows[name] for name in carried} | {
            name: _fitting(rows[source], KINDS[kind][name])
            for name, source in columns.items()
            if source in rows.columns
        }
        if (last := f"death_date{LAST_DAY}") in rows.columns:
            given["date"] = rows[last]
        if (length := f"birth_date{LENGTH}") in rows.columns:
            knows_day = rows[length].fill_null(WHOLE_DAY) >= WHOLE_DAY
            given["birth_date"] = knows_day.ifelse(rows["birth_date"], ibis.null("date"))
        if is_event:
            given |= {
                "is_cdm": ibis.literal(True),
                "target": ibis.literal(table),
                "default_target": ibis.literal(table),
            }
        found.append(
            GenericRows(
                kind=kind,
                rule=table,
                table=table,
                file=f"omop/{table}",
                rows=rows.select(**given),
                target=table if is_event else "",
                # What is free text in a CDM has not landed (`intake.free_text`).
                coded=FREE_TEXT_COLUMNS,
            )
        )
    return found


def _fitting(value: ir.Value, dtype: str) -> ir.Value:
    """A whole number that the CDM's type cannot hold is none; the rest is cast."""
    if dtype == "int32" and not value.type().is_string():
        value = ((value >= -_LARGEST) & (value <= _LARGEST)).ifelse(value, ibis.null(value.type()))
    return value.cast(dtype)


def _placed(table: str, tables: Mapping[str, ir.Table]) -> ir.Table:
    """With ``location_ref``, where a table has places: what a place says instead of its number.

    A CDM has a place for each address, so its number would show who lives together; those that say the same become one.
    """
    rows = tables[table]
    if table in _NAMED_BY:
        rows = _named_once(rows, CDM[table].primary_key, ["patient_ref"] if CDM[table].has_person else [])
    if table == "location":
        return rows.mutate(location_ref=_said(rows))
    if table not in ("person", "care_site") or "location_id" not in rows.columns:
        return rows
    if "location" not in tables:
        return rows.mutate(location_ref=rows["location_id"].notnull().ifelse(_NOWHERE, ibis.null("string")))
    location = tables["location"]
    by = location.select(at=location["location_id"], said=_said(location))
    by = by.group_by("at").agg(said=by["said"].min(), last=by["said"].max())
    by = by.filter((by["said"] == by["last"]) & (by["said"] != "")).select("at", location_ref="said")
    joined = rows.left_join(by, rows["location_id"] == by["at"])
    # A place that is not there, that says nothing, or that is two: _NOWHERE is looked up, not found, and counted.
    nowhere = joined["location_id"].notnull().ifelse(_NOWHERE, ibis.null("string"))
    return joined.mutate(location_ref=ibis.coalesce(joined["location_ref"], nowhere)).drop("at")


def _named_once(rows: ir.Table, key: str, within: Sequence[str]) -> ir.Table:
    """Rows with their key as text; where several have the same, each has one of its own, and none is the one referred to.

    Args:
        within: columns that rows must have in common besides the key.
    """
    same = [*within, key]
    named = rows.group_by(*same).agg(times=rows.count())
    several = named.filter((named["times"] > 1) & named[key].notnull())
    several = several.select(**{f"several_{name}": name for name in same})
    joined = rows.left_join(several, [rows[name] == several[f"several_{name}"] for name in same])
    number = joined[key].cast("string")
    own = number + "/" + joined["row_key"].cast("string")
    text = joined[f"several_{key}"].isnull().ifelse(number, own)
    return joined.mutate(**{key: text}).drop(*several.columns)


def _said(location: ir.Table) -> ir.StringValue:
    """City, state and so on as one text; '', which is no place, where all are NULL."""
    parts = [
        location[source].cast("string").fill_null("")
        for source in CDM_COLUMNS["location"].values()
        if source in location.columns
    ]
    return ibis.literal("\x1f").join(parts).re_replace(r"^\x1f*$", "") if parts else ibis.literal("")
