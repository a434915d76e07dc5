"""Checks that compare a row with other rows: keys, references, source values without a concept, persons without
records, periods that overlap.

`violated_rows` gives the violating rows themselves, and their number is what DQD counts.
"""

import ibis
import ibis.expr.types as ir

from fairhaven.quality.column_types import TypedTables, as_day
from fairhaven.quality.model import QualityCheck

KINDS = frozenset(
    (
        "isPrimaryKey",
        "isForeignKey",
        "measurePersonCompleteness",
        "measureConditionEraCompleteness",
        "measureObservationPeriodOverlap",
        "withinObservationPeriod",
        "sourceValueCompleteness",
    )
)

_PERIOD = ("person_id", "observation_period_start_date", "observation_period_end_date")
_NEEDS = {
    "isPrimaryKey": (("", ""),),
    "measurePersonCompleteness": (("person", "person_id"), ("", "person_id")),
    "measureConditionEraCompleteness": (
        ("condition_occurrence", "person_id"),
        ("condition_occurrence", "condition_concept_id"),
        ("", "person_id"),
    ),
    "measureObservationPeriodOverlap": tuple(
        ("observation_period", name) for name in (*_PERIOD, "observation_period_id")
    ),
    "withinObservationPeriod": (("", ""), ("", "person_id"), *(("observation_period", name) for name in _PERIOD)),
}
"""(table, column) pairs that a kind of check reads; empty for the check's own table or field."""


def needs(check: QualityCheck) -> tuple[tuple[str, str], ...]:
    """(table, column) pairs that a check of these kinds reads."""
    if check.kind == "isForeignKey":
        return ((check.table, check.field), reference(check))
    if check.kind == "sourceValueCompleteness":
        return ((check.table, check.field), (check.table, standard_concept(check)))
    return tuple((table or check.table, column or check.field) for table, column in _NEEDS[check.kind])


def reference(check: QualityCheck) -> tuple[str, str]:
    """Table and key that a foreign key refers to."""
    return check.settings["fkTableName"].lower(), check.settings["fkFieldName"].lower()


def standard_concept(check: QualityCheck) -> str:
    """The concept field that belongs to a source value, for sourceValueCompleteness."""
    return check.settings.get("standardConceptFieldName", "").lower()


def violated_rows(check: QualityCheck, shapes: TypedTables, *, is_slim: bool = False) -> ir.Table:
    """The violating rows (persons, for the checks that count persons).

    Args:
        is_slim: only the columns that decide, for who counts the rows and does not look at them.
    """

    def own(*columns: str) -> ir.Table:
        rows = shapes[check.table].table
        return rows.select(*columns) if is_slim else rows

    match check.kind:
        case "isPrimaryKey":
            rows = own(check.field)
            twice = rows.group_by(_key=rows[check.field]).aggregate(_rows=rows.count())
            return rows.semi_join(twice.filter(twice["_rows"] > 1), rows[check.field] == twice["_key"])
        case "isForeignKey":
            table, key = reference(check)
            rows, other = own(check.field), shapes[table].table
            keys = other.select(_key=other[key])
            return rows.filter(rows[check.field].notnull()).anti_join(keys, rows[check.field] == keys["_key"])
        case "measurePersonCompleteness":
            person, rows = shapes["person"].table, shapes[check.table].table
            person = person.select("person_id") if is_slim else person
            # Distinct first: the join then builds on persons, not on all of their rows.
            present = rows.select(_person=rows["person_id"]).distinct()
            return person.anti_join(present, person["person_id"] == present["_person"])
        case "measureConditionEraCompleteness":
            occurrence, eras = shapes["condition_occurrence"].table, shapes[check.table].table
            present = eras.select(_person=eras["person_id"])
            mapped = occurrence.filter(occurrence["condition_concept_id"] != 0).select("person_id").distinct()
            return mapped.anti_join(present, mapped["person_id"] == present["_person"])
        case "measureObservationPeriodOverlap":
            return overlapping(shapes["observation_period"].table)
        case "sourceValueCompleteness":
            rows = shapes[check.table].table
            return rows.filter(rows[standard_concept(check)] == 0)
        case _:
            return outside_observation(own(check.field, "person_id"), check.field, shapes)


def persons_looked_at(check: QualityCheck, shapes: TypedTables) -> ir.Table:
    """The persons that measureConditionEraCompleteness and measureObservationPeriodOverlap are about."""
    if check.kind == "measureObservationPeriodOverlap":
        period = shapes["observation_period"].table
        return period.filter(period["person_id"].notnull()).select("person_id").distinct()
    occurrence = shapes["condition_occurrence"].table
    mapped = occurrence.filter(occurrence["condition_concept_id"] != 0, occurrence["person_id"].notnull())
    return mapped.select("person_id").distinct()


def overlapping(period: ir.Table) -> ir.Table:
    """Persons of whom one observation period overlaps another, or follows it without a day between."""
    one = period.select(
        person_id=period["person_id"],
        _id=period["observation_period_id"],
        _start=as_day(period["observation_period_start_date"]),
        _end=as_day(period["observation_period_end_date"]),
    )
    other = one.select(_person=one["person_id"], _other=one["_id"], _from=one["_start"], _to=one["_end"])
    day = ibis.interval(days=1)
    pairs = one.inner_join(other, [one["person_id"] == other["_person"], one["_id"] != other["_other"]])
    touching = (
        ((pairs["_start"] <= pairs["_to"]) & (pairs["_end"] >= pairs["_from"]))
        | (pairs["_end"] + day == pairs["_from"])
        | (pairs["_to"] + day == pairs["_start"])
    )
    return pairs.filter(touching).select("person_id").distinct()


def outside_observation(rows: ir.Table, name: str, shapes: TypedTables) -> ir.Table:
    """Rows with a date in none of their person's observation periods."""
    period = shapes["observation_period"].table
    spans = period.select(
        _person=period["person_id"],
        _start=as_day(period["observation_period_start_date"]),
        _end=as_day(period["observation_period_end_date"]),
    )
    day = as_day(rows[name])
    return rows.filter(rows[name].notnull()).anti_join(
        spans, [rows["person_id"] == spans["_person"], day >= spans["_start"], day <= spans["_end"]]
    )
