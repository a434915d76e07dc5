"""From the tables of a release to its description; no small count gets past this module."""

from collections.abc import Hashable, Iterable, Mapping, Set
from dataclasses import replace
from typing import Any, TypeVar

import ibis.expr.types as ir

from fairhaven.catalogue import scan
from fairhaven.catalogue.bins import Bins, nice_bins
from fairhaven.catalogue.description import Bar, Description, TableDescription, Variable
from fairhaven.catalogue.scan import Count
from fairhaven.catalogue.variables import UNDESCRIBED, Kind, kind_of
from fairhaven.disclosure import Cell, Policy, protect, protect_extreme, protect_table
from fairhaven.engine import Engine
from fairhaven.omop import CDM, Field, Table

Key = TypeVar("Key", bound=Hashable)

TOP = 20
"""How many concepts or categories of a variable are listed."""


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
        contents: table name -> hash that changes whenever the table or the vocabulary does.
        previous: an earlier description, whose tables are taken over where policy and content are the same.
    """
    contents = contents or {}
    earlier = {table.name: table for table in previous.tables} if previous and previous.policy == policy.name else {}
    described: list[TableDescription] = []
    fresh: set[str] = set()
    for name, definition in CDM.items():
        if name not in tables or definition.schema != "CDM" or name in UNDESCRIBED:
            continue
        content = contents.get(name, "")
        if content and name in earlier and earlier[name].content == content:
            described.append(earlier[name])
            continue
        fresh.add(name)
        described.append(replace(_table(tables[name], definition, engine, policy), content=content))
    if concept is not None:
        described = _named(described, fresh, concept, engine)
    person = next((table for table in described if table.name == "person"), None)
    years = [year for table in described for year in (table.first_year, table.last_year) if year is not None]
    return Description(
        policy=policy.name,
        persons=person.rows if person else None,
        first_year=min(years, default=None),
        last_year=max(years, default=None),
        tables=tuple(described),
    )


def _table(table: ir.Table, definition: Table, engine: Engine, policy: Policy) -> TableDescription:
    found = scan.summary(table, definition, engine)
    bins = {field.name: _bins(field, found) for field in scan.present(table, definition) if _has_bins(field, found)}
    slots = scan.slots(table, definition, bins, found, engine) if found["rows"] else {}
    categories = scan.categories(table, definition, found, engine) if found["rows"] else {}
    variables = []
    for field in scan.present(table, definition):
        variable = _variable(field, found, policy)
        missing = found["rows"] - found[f"{field.name}:n"]
        match kind_of(field):
            case Kind.CONCEPT:
                bars = {
                    str(concept): (count, f"Concept {concept}") for concept, count in slots.get(field.name, {}).items()
                }
                variable = _with_values(variable, bars, missing, policy)
            case Kind.CATEGORY:
                values = {value: (count, value) for value, count in categories.get(field.name, {}).items()}
                variable = _with_values(variable, values, missing, policy)
            case Kind.DATE:
                variable = _with_years(variable, slots.get(field.name, {}), missing, policy)
            case Kind.NUMBER if field.name in bins:
                variable = _with_classes(variable, slots, bins[field.name], found, missing, policy)
            case _:
                pass
        variables.append(variable)
    dates = next((variable for variable in variables if variable.name == definition.date), None)
    return TableDescription(
        name=definition.name,
        rows=protect(found["rows"], policy, persons=found["persons"]).value,
        persons=protect(found["persons"], policy).value if definition.has_person else None,
        first_year=int(dates.lowest) if dates and dates.lowest is not None else None,
        last_year=int(dates.highest) if dates and dates.highest is not None else None,
        variables=tuple(variables),
    )


def _variable(field: Field, found: Mapping[str, Any], policy: Policy) -> Variable:
    filled = found[f"{field.name}:n"]
    shown = protect_table({"filled": filled, "missing": found["rows"] - filled}, policy).cells
    missing, present = shown["missing"].value, shown["filled"].value
    if missing is None or present is None:
        # Both are hidden, because each is the other's difference to the rows; which of them is small is no secret.
        missing, share = None, float(filled < found["rows"] - filled) if found["rows"] >= 2 * policy.threshold else None
    else:
        share = missing / (missing + present) if missing + present else None
    return Variable(
        name=field.name,
        kind=kind_of(field).value,
        type=field.type,
        is_required=field.is_required,
        missing=missing,
        missing_share=share,
    )


def _with_values(variable: Variable, values: Mapping[str, tuple[Count, str]], missing: int, policy: Policy) -> Variable:
    counts = {code: count for code, (count, _) in values.items()}
    hidden = _hidden(counts, missing, policy)
    shown = sorted(counts.keys() - hidden, key=lambda code: (-counts[code].rows, code))[:TOP]
    return replace(
        variable,
        bars=tuple(_bar(values[code][1], code, counts[code], policy) for code in shown),
        others=_others(counts, set(shown), variable, policy),
        distinct=len(values),
    )


def _with_years(variable: Variable, years: Mapping[int, Count], missing: int, policy: Policy) -> Variable:
    hidden = _hidden(years, missing, policy)
    shown = sorted(years.keys() - hidden)
    inside = [year for year in sorted(years) if shown and shown[0] <= year <= shown[-1]]
    return replace(
        variable,
        bars=tuple(_bar(str(year), "", years[year], policy, is_hidden=year in hidden) for year in inside),
        lowest=shown[0] if shown else None,
        highest=shown[-1] if shown else None,
        others=_others(years, set(shown), variable, policy),
    )


def _with_classes(
    variable: Variable,
    slots: Mapping[str, Mapping[int, Count]],
    bins: Bins,
    found: Mapping[str, Any],
    missing: int,
    policy: Policy,
) -> Variable:
    counts = slots.get(variable.name, {})
    numbers = range(min(counts, default=0), max(counts, default=-1) + 1)
    classes = {number: counts.get(number, Count(rows=0, persons=0)) for number in numbers}
    hidden = _hidden(classes, missing, policy)
    return replace(
        variable,
        bars=tuple(
            _bar(bins.label(number), "", count, policy, is_hidden=number in hidden) for number, count in classes.items()
        ),
        lowest=protect_extreme(_extremes(variable.name, slots, bins, classes, found), policy),
        highest=protect_extreme(_extremes(variable.name, slots, bins, classes, found, is_upper=True), policy),
        middle=_figure(found[f"{variable.name}:q"][1], bins) if found["persons"] >= 2 * policy.threshold else None,
        others=_others(classes, classes.keys() - hidden, variable, policy),
    )


def _hidden(counts: Mapping[Key, Count], missing: int, policy: Policy) -> set[Key]:
    """The values that are not shown. Rows without a value are a cell too: they are what values and rows differ by."""
    cells: dict[Key | None, Cell | int] = {key: Cell(rows=c.rows, persons=c.persons) for key, c in counts.items()}
    cells[None] = missing
    protected = protect_table(cells, policy).cells
    return {key for key, count in counts.items() if count.rows and not protected[key].value}


def _others(counts: Mapping[Key, Count], shown: Set[Key], variable: Variable, policy: Policy) -> int | None:
    """Rows of the values that are not shown, unless the rows without a value would be what is left."""
    if not counts or variable.missing is None:
        return None
    return protect(sum(count.rows for key, count in counts.items() if key not in shown), policy).value


def _extremes(
    name: str,
    slots: Mapping[str, Mapping[int, Count]],
    bins: Bins,
    classes: Mapping[int, Count],
    found: Mapping[str, Any],
    *,
    is_upper: bool = False,
) -> list[tuple[float, int]]:
    """Candidates for one end of a range: the extreme, the percentile, then the closed classes from outside inwards.

    Persons at a percentile or beyond it are at least those of the fullest slot there; a sum could count some twice.
    """
    low, high = found[f"{name}:min"], found[f"{name}:max"]
    first, _, last = found[f"{name}:q"]
    ends = {scan.LOWEST: low, scan.LOW: first, scan.HIGH: last, scan.HIGHEST: high}
    persons = {slot: count.persons for slot, count in slots.get(f"{name}:tail", {}).items()}
    extreme, percentile = (high, last) if is_upper else (low, first)
    beyond = [slot for slot, end in ends.items() if (end >= percentile if is_upper else end <= percentile)]
    at = [slot for slot, end in ends.items() if end == extreme]
    closed = sorted((number for number in classes if 0 <= number < bins.count), reverse=is_upper)
    return [
        (extreme, max((persons.get(slot, 0) for slot in at), default=0)),
        (_figure(percentile, bins), max((persons.get(slot, 0) for slot in beyond), default=0)),
        *((bins.upper(number) if is_upper else bins.edge(number), classes[number].persons) for number in closed),
    ]


def _figure(value: float, bins: Bins) -> float:
    """An approximate percentile, to a hundredth of a class: more digits would be false precision."""
    return float(round(value)) if bins.is_whole else float(f"{value:.4g}")


def _bar(label: str, code: str, count: Count, policy: Policy, *, is_hidden: bool = False) -> Bar:
    return Bar(
        label=label,
        code=code,
        rows=None if is_hidden else protect(count.rows, policy, persons=count.persons).value,
        persons=None if is_hidden else protect(count.persons, policy).value,
    )


def _has_bins(field: Field, found: Mapping[str, Any]) -> bool:
    return kind_of(field) is Kind.NUMBER and scan.has_range(found, field.name)


def _bins(field: Field, found: Mapping[str, Any]) -> Bins:
    low, _, high = found[f"{field.name}:q"]
    return nice_bins(float(low), float(high), is_whole=field.type == "integer")


def _named(
    described: Iterable[TableDescription], fresh: set[str], concept: ir.Table, engine: Engine
) -> list[TableDescription]:
    """Put names in place of concept identifiers in the tables that were scanned now; one look at the vocabulary."""
    described = list(described)
    wanted = {
        int(bar.code)
        for table in described
        if table.name in fresh
        for variable in table.variables
        if variable.kind == Kind.CONCEPT
        for bar in variable.bars
    }
    names: dict[str, str] = {}
    if wanted:
        rows = concept.filter(concept.concept_id.isin(sorted(wanted))).select("concept_id", "concept_name")
        names = {str(row["concept_id"]): row["concept_name"] for row in engine.fetch(rows).to_pylist()}
    names["0"] = "No matching concept"
    return [_with_names(table, names) if table.name in fresh else table for table in described]


def _with_names(table: TableDescription, names: Mapping[str, str]) -> TableDescription:
    return replace(
        table,
        variables=tuple(
            replace(
                variable,
                bars=tuple(replace(bar, label=names.get(bar.code) or f"Concept {bar.code}") for bar in variable.bars),
            )
            if variable.kind == Kind.CONCEPT
            else variable
            for variable in table.variables
        ),
    )
