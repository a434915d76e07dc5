"""Before the first pass: the tables and columns that a program reads, all looked for at once, and made fit to be read.

A CDM that somebody else keeps may lack tables, and hold ids and dates as text. What is missing or cannot be read as what the
standard says is said in words before anything has run, without the values themselves.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import ibis
import ibis.expr.types as ir

from fairhaven.cohort.domains import DEMOGRAPHIC_FIELDS, DOMAINS, ERA_FIELDS, PERSON_COLUMNS, DomainField, FieldOrigin
from fairhaven.cohort.engines.relational.criterion_events import OF_EVENT
from fairhaven.cohort.engines.relational.fields import OWN_COLUMNS, POINTED_TO
from fairhaven.cohort.engines.relational.parts import EraSet, FieldTest, PersonTest, Scan
from fairhaven.cohort.engines.relational.shared_parts import Program
from fairhaven.cohort.event_dates import date_columns
from fairhaven.cohort.model import ConceptSetItem, Domain
from fairhaven.engine import Engine
from fairhaven.kernel.errors import Refused
from fairhaven.omop.cdm import CDM

Needs = Mapping[str, frozenset[str]]
"""Table -> the columns of it that are read."""

_WITHOUT = {
    "observation_period": "without it nobody is known to be observed",
    **dict.fromkeys(
        ("concept", "concept_ancestor", "concept_relationship"),
        "without it nobody knows what is in a concept set; put the OMOP vocabulary's tables beside the others",
    ),
}
_KINDS = {
    "date": "a date (2026-01-31 or 20260131)",
    "int64": "a whole number of at most 64 bits",
    "float64": "a number",
}


def required_columns(program: Program) -> Needs:
    """What a program reads."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    found["observation_period"] |= {"person_id", "observation_period_start_date", "observation_period_end_date"}
    items = {item for concept_set in program.concept_sets.parts for item in concept_set}
    asked = [item for item in items if isinstance(item, ConceptSetItem)]
    if asked:
        found["concept"] |= {"concept_id", "invalid_reason"}
    if any(item.descendants for item in asked):
        found["concept_ancestor"] |= {"ancestor_concept_id", "descendant_concept_id"}
    if any(item.mapped for item in asked):
        found["concept_relationship"] |= {"concept_id_1", "concept_id_2", "relationship_id", "invalid_reason"}
    for criterion in program.criteria.parts:
        if isinstance(criterion, Scan):
            found[criterion.domain] |= _scanned(criterion)
            _add_asked(found, criterion.filters, DOMAINS[criterion.domain].fields, criterion.domain)
        elif isinstance(criterion, EraSet):
            _add_asked(found, criterion.filters, ERA_FIELDS)
    for condition in program.conditions.parts:
        if isinstance(condition, PersonTest):
            _add_asked(found, condition.filters, DEMOGRAPHIC_FIELDS)
    return {table: frozenset(columns) for table, columns in found.items()}


def _scanned(scan: Scan) -> set[str]:
    """The columns of a scan's own table, without those of its filters."""
    facts = DOMAINS[scan.domain]
    columns = {"person_id", facts.key, *date_columns(scan.domain)}
    columns |= {"visit_occurrence_id"} if facts.visit else set()
    columns |= {facts.concept} if scan.concepts is not None and facts.concept else set()
    columns |= {facts.source_concept} if scan.source_concepts is not None and facts.source_concept else set()
    if scan.counted is not None and scan.counted not in OF_EVENT:
        columns.add(facts.concept or "" if scan.counted == "concept_id" else scan.counted)
    return columns


def _add_asked(
    found: defaultdict[str, set[str]], filters: Iterable[FieldTest], fields: Mapping[str, DomainField], table: str = ""
) -> None:
    """Add the columns, in whichever table, that filters on fields of a table ask for."""
    for name in {each.field for each in filters}:
        match fields[name].via:
            case None:
                found[table] |= OWN_COLUMNS.get(name, {name})
            case FieldOrigin.PERSON:
                found["person"] |= {"person_id", *PERSON_COLUMNS}
            case FieldOrigin.PROVIDER | FieldOrigin.CARE_SITE:
                other, key = POINTED_TO[name]
                found[table].add(key)
                found[other] |= {key, name}
            case FieldOrigin.VISIT:
                found[Domain.VISIT_OCCURRENCE] |= {"visit_occurrence_id", "person_id", "visit_concept_id"}


def fit_tables(tables: Mapping[str, ir.Table], needed: Needs, engine: Engine) -> dict[str, ir.Table]:
    """The tables that are needed, every needed column of the type that the standard gives it.

    Raises:
        Refused: tables or columns that are not there, or values that are not what their column is for; all at once.
    """
    faults = [fault for table, columns in sorted(needed.items()) for fault in _missing(tables, table, columns)]
    if not faults:
        read = {table: _read(table, tables[table], columns) for table, columns in needed.items()}
        faults = [
            fault for name, columns in sorted(read.items()) for fault in _faults(name, tables[name], columns, engine)
        ]
    if faults:
        raise Refused("\n".join(faults))
    return {table: tables[table].mutate(**columns) if columns else tables[table] for table, columns in read.items()}


def _missing(tables: Mapping[str, ir.Table], table: str, columns: frozenset[str]) -> list[str]:
    if table not in tables:
        return [f"the CDM has no table {table}, {_WITHOUT.get(table, 'which the definitions ask for')}"]
    absent = sorted(columns - set(tables[table].columns))
    return [f"the CDM's table {table} has no column {name}, which the definitions ask for" for name in absent]


def _read(name: str, table: ir.Table, columns: Iterable[str]) -> dict[str, ir.Value]:
    """The columns that have another type than the standard gives them, read as what it says they hold."""
    read = {column: _as(table[column], _wanted(name, column)) for column in sorted(columns)}
    return {column: value for column, value in read.items() if value is not None}


def _faults(name: str, table: ir.Table, read: Mapping[str, ir.Value], engine: Engine) -> list[str]:
    """Columns with values that cannot be read; the table is looked through where a column has another type only."""
    kinds = {column: _KINDS[_wanted(name, column)] for column in read if _wanted(name, column) in _KINDS}
    if not kinds:
        return []
    tests = {column: (_given(table[column]).notnull() & read[column].isnull()).any() for column in kinds}
    (found,) = engine.fetch(table.agg(**tests)).to_pylist()
    return [
        f"the CDM's table {name} has values in {column} that are not {kinds[column]}"
        for column, is_bad in found.items()
        if is_bad
    ]


def _wanted(table: str, column: str) -> str:
    """``date``, ``int64``, ``float64`` or ``string``."""
    dtype = CDM[table][column].dtype
    return "date" if dtype.startswith("timestamp") else "int64" if dtype == "int32" else dtype


def _as(value: ir.Value, wanted: str) -> ir.Value | None:
    """A column in the wanted type, NULL where it cannot be; None where it serves as it is."""
    found = value.type()
    match wanted:
        case "date" if found.is_date() or found.is_timestamp():
            return None
        case "date":
            text = _given(value)
            is_compact = text.re_search(r"^[0-9]{8}$")
            iso = text.substr(0, 4) + "-" + text.substr(4, 2) + "-" + text.substr(6, 2)
            return ibis.ifelse(is_compact, iso, text).try_cast("date")
        case "int64" if found.is_signed_integer():
            return None
        case "int64" if found.is_numeric() and not found.is_boolean():
            whole = value.try_cast("int64")
            return ibis.ifelse(whole.cast("float64") == value.cast("float64"), whole, ibis.null("int64"))
        case "int64":
            # A text is cut to a whole number by one engine, rounded by another and refused by a third.
            digits = _given(value).re_replace("[.]0*$", "")
            return ibis.ifelse(digits.re_search("^[+-]?[0-9]+$"), digits, None).try_cast("int64")
        case "float64":
            return None if found.is_numeric() and not found.is_boolean() else _given(value).try_cast("float64")
        case _:
            return None if found.is_string() else value.cast("string")


def _given(value: ir.Value) -> ir.StringValue:
    """A value as text; blanks are nothing."""
    return value.cast("string").strip().nullif("")
