"""Where the fields that filters ask for come from: the event's row, its dates, its person, or a table it points to."""

from collections.abc import Mapping

import ibis.expr.types as ir

from fairhaven.cohort.domains import PERSON_COLUMNS
from fairhaven.cohort.event_dates import year_of_day
from fairhaven.cohort.model import Domain

_ABNORMAL = (4155142, 4155143)
_RATIOS = {"value_to_range_low": "range_low", "value_to_range_high": "range_high"}
POINTED_TO = {
    "specialty_concept_id": ("provider", "provider_id"),
    "place_of_service_concept_id": ("care_site", "care_site_id"),
}
"""Fields of a table that the event's row points to: the table and its key, which the row has too."""

OWN_COLUMNS: Mapping[str, set[str]] = {
    **{name: {"value_as_number", limit} for name, limit in _RATIOS.items()},
    "abnormal": {"range_low", "range_high", "value_as_number", "value_as_concept_id"},
}
"""Columns behind a field that is made of others."""


def own_field(table: ir.Table, name: str) -> ir.Value:
    """A field of the event's own table: a column, or what columns make."""
    if name in _RATIOS:
        limit = table[_RATIOS[name]].cast("float64")
        return table.value_as_number.cast("float64") / limit.nullif(0)
    if name == "abnormal":
        low, high, value = (table[each].cast("float64") for each in ("range_low", "range_high", "value_as_number"))
        return (value < low) | (value > high) | table.value_as_concept_id.isin(_ABNORMAL)
    column = table[name]
    return column.cast("float64") if column.type().is_decimal() else column


def with_derived(events: ir.Table, fields: frozenset[str], tables: Mapping[str, ir.Table]) -> ir.Table:
    """Events with the fields that are not columns of their own table."""
    if "days" in fields:
        events = events.mutate(days=events.end_date - events.start_date)
    if fields & {"age", "age_at_end", *PERSON_COLUMNS}:
        person = tables[Domain.PERSON]
        known = person.select(
            person_id=person.person_id.cast("int64"), **{name: person[name] for name in PERSON_COLUMNS}
        )
        events = events.drop(*(name for name in PERSON_COLUMNS if name in events.columns))
        events = events.join(known, "person_id")
        if "age" in fields:
            events = events.mutate(age=year_of_day(events.start_date) - events.year_of_birth)
        if "age_at_end" in fields:
            events = events.mutate(age_at_end=year_of_day(events.end_date) - events.year_of_birth)
    for name, (table, key) in POINTED_TO.items():
        if name in fields:
            other = tables[table].select(of_key=tables[table][key], **{name: tables[table][name]})
            events = events.left_join(other, [(key, "of_key")]).drop("of_key")
    if "visit_concept_id" in fields and "visit_concept_id" not in events.columns:
        visit = tables[Domain.VISIT_OCCURRENCE]
        made = visit.select(
            of_visit=visit.visit_occurrence_id, of_person=visit.person_id, visit_concept_id=visit.visit_concept_id
        )
        events = events.left_join(made, [("visit_occurrence_id", "of_visit"), ("person_id", "of_person")]).drop(
            "of_visit", "of_person"
        )
    return events
