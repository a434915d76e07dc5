"""From the tables of a release to its description; no small count gets past this module."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import ibis.expr.types as ir

from fairhaven.catalogue import scan
from fairhaven.catalogue.bins import Bins, nice_bins
from fairhaven.catalogue.person_totals import person_totals
from fairhaven.catalogue.values import variable_of, with_classes, with_values, with_years
from fairhaven.catalogue.variables import UNDESCRIBED, VariableKind, kind_of
from fairhaven.disclosure import Policy, lacks_few
from fairhaven.engine import Engine
from fairhaven.omop import CDM, Field, Table
from fairhaven.release.description import Description, TableDescription


def describe(
    tables: Mapping[str, ir.Table],
    *,
    engine: Engine,
    policy: Policy,
    concept: ir.Table | None = None,
    contents: Mapping[str, str] | None = None,
    previous: Description | None = None,
) -> Description:
    """Describe a release.

    Args:
        tables: CDM table name -> rows; tables that are not of the CDM's clinical part are passed over.
        policy: decides which counts are shown.
        concept: the vocabulary's CONCEPT (``concept_id``, ``concept_name``), for names; without it numbers are given.
        contents: table name -> hash that changes whenever the table does.
        previous: an earlier description, whose tables are taken over where policy and content are the same.
    """
    contents = contents or {}
    earlier = {table.name: table for table in previous.tables} if previous and previous.rule == policy.rule else {}
    described: list[TableDescription] = []
    shown: int | None = None  # known with the first table, which is that of the persons
    everybody: int | None = None
    for name, definition in CDM.items():
        if name not in tables or definition.schema != "CDM" or name in UNDESCRIBED:
            continue
        content = contents.get(name, "")
        if content and name in earlier and _is_still(earlier[name], content, everybody, policy):
            described.append(earlier[name])
        else:
            described.append(
                replace(_table(tables[name], definition, engine, policy, everybody=everybody), content=content)
            )
        if name == "person":
            shown = described[-1].rows
            everybody = shown if policy.round_to == 1 or shown is None else engine.count(tables[name])
    if concept is not None:
        described = _named(described, concept, engine)
    years = [year for table in described for year in (table.first_year, table.last_year) if year is not None]
    return Description(
        policy=policy.name,
        persons=shown,
        first_year=min(years, default=None),
        last_year=max(years, default=None),
        tables=tuple(described),
        rule=policy.rule,
    )


def _is_still(earlier: TableDescription, content: str, everybody: int | None, policy: Policy) -> bool:
    """Whether a table may be described as it was: its rows are the same, and so is what they tell beside everybody."""
    if earlier.content != content or not earlier.is_whole:
        return False
    count = earlier.rows if earlier.persons is None else earlier.persons
    if earlier.name == "person" or count is None or everybody is None:
        return True
    # How close a rounded count is to everybody cannot be told from what was shown of it, only that it is not.
    rounding = policy.round_to - 1
    return (
        not -rounding <= everybody - count < policy.threshold + rounding
        if rounding
        else not lacks_few(count, everybody, policy)
    )


def _table(
    table: ir.Table, definition: Table, engine: Engine, policy: Policy, *, everybody: int | None
) -> TableDescription:
    found = scan.summary(table, definition, engine)
    count = scan.RowCount(rows=found["rows"], persons=found["persons"])
    beside = person_totals(count, everybody, policy, has_person=definition.has_person)
    bins = {
        field.name: _bins(field, found)
        for field in scan.present(table, definition)
        if kind_of(field) is VariableKind.NUMBER and scan.has_range(found, field.name)
    }
    slots = scan.slots(table, definition, bins, found, engine) if found["rows"] else {}
    categories = scan.categories(table, definition, found, engine) if found["rows"] else {}
    variables = []
    for field in scan.present(table, definition):
        variable = variable_of(field, found, beside)
        missing = found["rows"] - found[f"{field.name}:n"]
        match kind_of(field):
            case VariableKind.CONCEPT:
                bars = {
                    str(concept): (count, f"Concept {concept}") for concept, count in slots.get(field.name, {}).items()
                }
                variable = with_values(variable, bars, missing, beside)
            case VariableKind.CATEGORY:
                values = {value: (count, value) for value, count in categories.get(field.name, {}).items()}
                variable = with_values(variable, values, missing, beside)
            case VariableKind.DATE:
                variable = with_years(variable, slots.get(field.name, {}), missing, beside)
            case VariableKind.NUMBER if field.name in bins:
                variable = with_classes(variable, slots, bins[field.name], found, missing, beside)
        variables.append(variable)
    dates = next((variable for variable in variables if variable.name == definition.date), None)
    return TableDescription(
        name=definition.name,
        rows=beside.rows,
        persons=beside.persons,
        first_year=int(dates.lowest) if dates and dates.lowest is not None else None,
        last_year=int(dates.highest) if dates and dates.highest is not None else None,
        variables=tuple(variables),
        is_whole=beside.is_whole,
    )


def _bins(field: Field, found: Mapping[str, Any]) -> Bins:
    low, high = float(found[f"{field.name}:q0"]), float(found[f"{field.name}:q2"])
    return nice_bins(low, high, is_whole=field.type == "integer")


def _named(described: Iterable[TableDescription], concept: ir.Table, engine: Engine) -> list[TableDescription]:
    """Put names in place of concept identifiers; one look at the vocabulary, which may be another than before."""
    described = list(described)
    wanted = {
        int(bar.code)
        for table in described
        for variable in table.variables
        if variable.kind == VariableKind.CONCEPT
        for bar in variable.bars
    }
    names: dict[str, str] = {}
    if wanted:
        rows = concept.filter(concept.concept_id.isin(sorted(wanted))).select("concept_id", "concept_name")
        names = {str(row["concept_id"]): row["concept_name"] for row in engine.fetch(rows).to_pylist()}
    names["0"] = "No matching concept"
    return [_with_names(table, names) for table in described]


def _with_names(table: TableDescription, names: Mapping[str, str]) -> TableDescription:
    return replace(
        table,
        variables=tuple(
            replace(
                variable,
                bars=tuple(replace(bar, label=names.get(bar.code) or f"Concept {bar.code}") for bar in variable.bars),
            )
            if variable.kind == VariableKind.CONCEPT
            else variable
            for variable in table.variables
        ),
    )
