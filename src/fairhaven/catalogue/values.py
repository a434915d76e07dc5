"""One variable from its counts, as it may be shown: the place where small counts end."""

from collections.abc import Hashable, Mapping, Set
from dataclasses import replace
from typing import Any, TypeVar

from fairhaven.catalogue import scan
from fairhaven.catalogue.bins import Bins
from fairhaven.catalogue.scan import RowCount
from fairhaven.catalogue.variables import kind_of
from fairhaven.disclosure import Cell, Policy, protect, protect_extreme, protect_table
from fairhaven.omop import Field
from fairhaven.release.description import Bar, Variable

Key = TypeVar("Key", bound=Hashable)

TOP = 20
"""How many concepts or categories of a variable are listed."""


def variable_of(field: Field, found: Mapping[str, Any], policy: Policy) -> Variable:
    """The variable with what is missing of it, and no values yet."""
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


def with_values(
    variable: Variable, values: Mapping[str, tuple[RowCount, str]], missing: int, policy: Policy
) -> Variable:
    """The variable with its most frequent values: code -> (count, label). *missing* rows have none."""
    counts = {code: count for code, (count, _) in values.items()}
    hidden = _hidden(counts, missing, policy)
    shown = sorted(counts.keys() - hidden, key=lambda code: (-counts[code].rows, code))[:TOP]
    return replace(
        variable,
        bars=tuple(_bar(values[code][1], code, counts[code], policy) for code in shown),
        others=_others(counts, set(shown), variable, policy),
        distinct=len(values),
    )


def with_years(variable: Variable, years: Mapping[int, RowCount], missing: int, policy: Policy) -> Variable:
    """The variable with its years."""
    hidden = _hidden(years, missing, policy)
    # A year may be hidden for another's sake; that it has enough persons may still be said.
    enough = sorted(year for year, count in years.items() if count.persons >= policy.threshold)
    inside = [year for year in sorted(years) if enough and enough[0] <= year <= enough[-1]]
    return replace(
        variable,
        bars=tuple(_bar(str(year), "", years[year], policy, is_hidden=year in hidden) for year in inside),
        lowest=enough[0] if enough else None,
        highest=enough[-1] if enough else None,
        others=_others(years, years.keys() - hidden, variable, policy),
    )


def with_classes(
    variable: Variable,
    slots: Mapping[str, Mapping[int, RowCount]],
    bins: Bins,
    found: Mapping[str, Any],
    missing: int,
    policy: Policy,
) -> Variable:
    """The variable with its classes of numbers, its range and its median."""
    counts = slots.get(variable.name, {})
    numbers = range(min(counts, default=0), max(counts, default=-1) + 1)
    classes = {number: counts.get(number, RowCount(rows=0, persons=0)) for number in numbers}
    hidden = _hidden(classes, missing, policy)
    return replace(
        variable,
        bars=tuple(
            _bar(bins.label(number), "", count, policy, is_hidden=number in hidden) for number, count in classes.items()
        ),
        lowest=protect_extreme(_extremes(variable.name, slots, bins, classes, found), policy),
        highest=protect_extreme(_extremes(variable.name, slots, bins, classes, found, is_upper=True), policy),
        middle=_figure(found[f"{variable.name}:q1"], bins) if found["persons"] >= 2 * policy.threshold else None,
        others=_others(classes, classes.keys() - hidden, variable, policy),
    )


def _hidden(counts: Mapping[Key, RowCount], missing: int, policy: Policy) -> set[Key]:
    """The values that are not shown. Rows without a value are a cell too: they are what values and rows differ by."""
    cells: dict[Key | None, Cell | int] = {key: Cell(rows=c.rows, persons=c.persons) for key, c in counts.items()}
    cells[None] = missing
    protected = protect_table(cells, policy).cells
    return {key for key, count in counts.items() if count.rows and not protected[key].value}


def _others(counts: Mapping[Key, RowCount], shown: Set[Key], variable: Variable, policy: Policy) -> int | None:
    """Rows of the values that are not shown, unless the rows without a value would be what is left."""
    if not counts or variable.missing is None:
        return None
    return protect(sum(count.rows for key, count in counts.items() if key not in shown), policy).value


def _extremes(
    name: str,
    slots: Mapping[str, Mapping[int, RowCount]],
    bins: Bins,
    classes: Mapping[int, RowCount],
    found: Mapping[str, Any],
    *,
    is_upper: bool = False,
) -> list[tuple[float, int]]:
    """Candidates for one end of a range: the extreme, the percentile, then the closed classes from outside inwards.

    Persons at a percentile or beyond it are at least those of the fullest slot there; a sum could count some twice.
    """
    low, high = found[f"{name}:min"], found[f"{name}:max"]
    first, last = found[f"{name}:q0"], found[f"{name}:q2"]
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


def _bar(label: str, code: str, count: RowCount, policy: Policy, *, is_hidden: bool = False) -> Bar:
    return Bar(
        label=label,
        code=code,
        rows=None if is_hidden else protect(count.rows, policy, persons=count.persons).value,
        persons=None if is_hidden else protect(count.persons, policy).value,
    )
