"""What an index takes of a release's tables: expressions, the same on every engine."""

from collections.abc import Mapping

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from fairhaven.cohort.domains import DOMAINS, PERSON_COLUMNS, FieldKind
from fairhaven.cohort.event_dates import date_columns, day_numbers, end_day, start_day
from fairhaven.cohort.model import Domain
from fairhaven.kernel.errors import Fault, check_faults

MISSING = -(1 << 31)
"""Stands for a concept that is not recorded, so that such rows have a place in the order."""

VALUE = "value_as_number"
CONCEPT, ORDINAL, START, END = "held_concept", "ordinal", "start_day", "end_day"

_NEEDED: Mapping[str, tuple[str, ...]] = {
    "person": ("person_id", *PERSON_COLUMNS),
    "observation_period": ("person_id", "observation_period_start_date", "observation_period_end_date"),
    "concept": ("concept_id", "invalid_reason"),
    "concept_ancestor": ("ancestor_concept_id", "descendant_concept_id"),
    "concept_relationship": ("concept_id_1", "concept_id_2", "relationship_id", "invalid_reason"),
}


def check_tables(tables: Mapping[str, ir.Table]) -> None:
    """Raise Invalid with everything that is missing for an index."""
    faults = [Fault(path=name, message="an index needs this table") for name in _NEEDED if name not in tables]
    needed = [(name, columns) for name, columns in _NEEDED.items() if name in tables]
    needed += [
        (domain, ("person_id", DOMAINS[domain].concept or "", *sorted(date_columns(domain))))
        for domain in event_domains(tables)
    ]
    faults += [
        Fault(path=name, field=column, message="an index needs this column")
        for name, columns in needed
        for column in columns
        if column not in tables[name].columns
    ]
    check_faults(faults)


def event_domains(tables: Mapping[str, ir.Table]) -> list[Domain]:
    """The tables of events that are there and have a concept to look for."""
    return [domain for domain, facts in DOMAINS.items() if facts.concept and domain in tables]


def own_fields(domain: Domain, table: ir.Table) -> list[str]:
    """The columns that are kept beside concept and dates: concepts, and a value's number."""
    facts = DOMAINS[domain]
    wanted = [
        name
        for name, field in facts.fields.items()
        if field.via is None and (field.kind is FieldKind.CONCEPT or name == VALUE)
    ]
    return [name for name in wanted if name != facts.concept and name in table.columns]


def persons(tables: Mapping[str, ir.Table]) -> ir.Table:
    """``person_id`` and `PERSON_COLUMNS`, all int64."""
    person = tables["person"]
    return person.select(**{name: person[name].cast("int64") for name in ("person_id", *PERSON_COLUMNS)})


def periods(tables: Mapping[str, ir.Table], ordinals: ir.Table) -> ir.Table:
    """Observation periods: ordinal, start, end (days since 1970)."""
    period = tables["observation_period"]
    dated = period.select(
        person_id=period.person_id.cast("int64"),
        **{
            START: _narrow(day_numbers(period.observation_period_start_date)),
            END: _narrow(day_numbers(period.observation_period_end_date)),
        },
    )
    return dated.join(ordinals, "person_id").select(ORDINAL, START, END)


def events(domain: Domain, table: ir.Table) -> ir.Table:
    """The events of a table: ``person_id``, concept, start, end (days since 1970) and `own_fields`."""
    facts = DOMAINS[domain]
    concept = _concept(table[facts.concept])
    columns: dict[str, ir.Value] = {
        "person_id": table.person_id.cast("int64"),
        CONCEPT: concept.fill_null(ibis.literal(MISSING, concept.type())),
        START: _narrow(start_day(domain, table)),
        END: _narrow(end_day(domain, table)),
    }
    own = {
        name: table[name].cast("float64") if name == VALUE else _concept(table[name])
        for name in own_fields(domain, table)
    }
    return table.select(**columns, **own)


def _concept(column: ir.Value) -> ir.Value:
    """Narrow where the CDM's type is: sorting moves every byte."""
    return column if column.type() == dt.int32 else column.cast("int64")


def _narrow(day: ir.IntegerValue) -> ir.IntegerValue:
    """Day numbers, in half the bytes: see `_concept`."""
    return day.cast("int32")
