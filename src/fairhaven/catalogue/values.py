"""One variable from its counts, as it may be shown: the place where small counts end."""

from collections.abc import Callable, Hashable, Mapping, Set
from dataclasses import replace
from typing import Any, TypeVar

from fairhaven.catalogue import scan
from fairhaven.catalogue.bins import Bins
from fairhaven.catalogue.person_totals import PersonTotals
from fairhaven.catalogue.scan import RowCount
from fairhaven.catalogue.variables import kind_of
from fairhaven.disclosure import Cell, Policy, protect, protect_extreme, protect_table
from fairhaven.omop import Field
from fairhaven.release.description import Bar, Variable

Key = TypeVar("Key", bound=Hashable)

TOP = 20
"""How many concepts or categories of a variable are listed."""


def variable_of(field: Field, found: Mapping[str, Any], beside: PersonTotals) -> Variable:
    """The variable with what is missing of it, and no values yet."""
    policy = beside.policy
    filled, rows = found[f"{field.name}:n"], found["rows"]
    cells = {"filled": _sensitive(beside.lacking(filled), policy) or filled, "missing": rows - filled}
    shown = protect_table({**cells, **({"without": beside.without} if beside.without else {})}, policy).cells
    missing, present = shown["missing"].value, shown["filled"].value
    share = missing / (missing + present) if missing is not None and present else None
    if beside.is_of_few:
        missing, share = None, None
    elif beside.without:
        # A number of rows beside its share would tell all rows; that none has a value, or every one, may be said.
        missing, share = (0, 0.0) if filled == rows else (None, 1.0) if not filled else (None, None)
    elif missing is None or present is None:
        # Both are hidden, because each is the other's difference to the rows; which of them is small is no secret.
        is_small = min(filled, rows - filled) < policy.threshold and rows >= 2 * policy.threshold
        missing, share = None, float(filled < rows - filled) if is_small else None
    elif not present:
        share = 1.0 if missing else None
    return Variable(
        name=field.name,
        kind=kind_of(field).value,
        type=field.type,
        is_required=field.is_required,
        missing=missing,
        missing_share=share if rows else None,
    )


def with_values(
    variable: Variable, values: Mapping[str, tuple[RowCount, str]], missing: int, beside: PersonTotals
) -> Variable:
    """The variable with its most frequent values: code -> (count, label). *missing* rows have none."""
    counts = {code: count for code, (count, _) in values.items()}
    hidden = _hidden(counts, missing, variable, beside)
    most = _rows_of(counts) + (missing if variable.missing is None else 0)
    shown = sorted(counts.keys() - hidden, key=lambda code: (-counts[code].rows, code))[:TOP]
    labels = {code: label for code, (_, label) in values.items()}
    return replace(
        variable,
        bars=_bars({code: counts[code] for code in shown}, frozenset(), most, beside, label=labels.__getitem__),
        others=_others(counts, set(shown), variable, beside),
        distinct=len(values),
    )


def with_years(variable: Variable, years: Mapping[int, RowCount], missing: int, beside: PersonTotals) -> Variable:
    """The variable with its years."""
    hidden = _hidden(years, missing, variable, beside)
    most = _rows_of(years) + (missing if variable.missing is None else 0)
    # A year may be hidden for another's sake; that it has enough persons may still be said.
    enough = sorted(year for year, count in years.items() if count.persons >= beside.policy.threshold)
    inside = {year: years[year] for year in sorted(years) if enough and enough[0] <= year <= enough[-1]}
    return replace(
        variable,
        bars=_bars(inside, hidden, most, beside, label=str),
        lowest=enough[0] if enough else None,
        highest=enough[-1] if enough else None,
        others=_others(years, years.keys() - hidden, variable, beside),
    )


def with_classes(
    variable: Variable,
    slots: Mapping[str, Mapping[int, RowCount]],
    bins: Bins,
    found: Mapping[str, Any],
    missing: int,
    beside: PersonTotals,
) -> Variable:
    """The variable with its classes of numbers, its range and its median."""
    policy = beside.policy
    counts = slots.get(variable.name, {})
    numbers = range(min(counts, default=0), max(counts, default=-1) + 1)
    classes = {number: counts.get(number, RowCount(rows=0, persons=0)) for number in numbers}
    hidden = _hidden(classes, missing, variable, beside)
    most = _rows_of(classes) + (missing if variable.missing is None else 0)
    return replace(
        variable,
        bars=_bars(classes, hidden, most, beside, label=bins.label),
        lowest=protect_extreme(_extremes(variable.name, slots, bins, classes, found), policy),
        highest=protect_extreme(_extremes(variable.name, slots, bins, classes, found, is_upper=True), policy),
        middle=_figure(found[f"{variable.name}:q1"], bins) if found["persons"] >= 2 * policy.threshold else None,
        others=_others(classes, classes.keys() - hidden, variable, beside),
    )


def _sensitive(lacking: int, policy: Policy) -> int:
    """A small count that is hidden as safely as one that is *lacking* of those around it: it grows as the other falls."""
    return policy.threshold - lacking if lacking else 0


def _hidden(counts: Mapping[Key, RowCount], missing: int, variable: Variable, beside: PersonTotals) -> frozenset[Key]:
    """The values that are not shown. They add up to the rows, with those that have no value and those that nobody has."""
    policy = beside.policy
    cells: dict[Key | str, Cell | int] = {}
    for key, count in counts.items():
        of_few = _sensitive(beside.lacking(count.rows), policy) if beside.is_telling(count) else 0
        cells[key] = of_few or Cell(rows=count.rows, persons=count.persons)
    if variable.missing is None:
        cells["<missing>"] = _sensitive(beside.lacking(_rows_of(counts)), policy) or missing
    if beside.without:
        cells["<without>"] = beside.without
    protected = protect_table(cells, policy).cells
    return frozenset(key for key, count in counts.items() if count.rows and not protected[key].value)


def _others(counts: Mapping[Key, RowCount], shown: Set[Key], variable: Variable, beside: PersonTotals) -> int | None:
    """Rows of the values that are not shown, unless the rows without a value, or nobody's, would be what is left."""
    if not counts or variable.missing is None or beside.without:
        return None
    return protect(sum(count.rows for key, count in counts.items() if key not in shown), beside.policy).value


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


def _bars(
    listed: Mapping[Key, RowCount],
    hidden: Set[Key],
    most: int,
    beside: PersonTotals,
    *,
    label: Callable[[Key], str],
) -> tuple[Bar, ...]:
    """Bars of some of a variable's values, in their order; *hidden* ones without figures.

    Args:
        most: as many rows as may have a value, for all that is shown.
    """
    unsaid = _persons_unsaid({key: count for key, count in listed.items() if key not in hidden}, most, beside)
    return tuple(
        Bar(
            label=label(key),
            code=key if isinstance(key, str) else "",
            rows=None if key in hidden else protect(count.rows, beside.policy, persons=count.persons).value,
            persons=None if key in hidden or key in unsaid else protect(count.persons, beside.policy).value,
        )
        for key, count in listed.items()
    )


def _persons_unsaid(shown: Mapping[Key, RowCount], most: int, beside: PersonTotals) -> set[Key]:
    """Values of which rows are shown and persons not, as these would tell of how few somebody lacks them.

    At most so many have any value: the persons of those shown, and the other rows.
    """
    unsaid = {key for key, count in shown.items() if not beside.shows_persons(count)}
    spare = {key: count.rows - count.persons for key, count in shown.items() if key not in unsaid}
    most -= sum(spare.values())
    for key in sorted((key for key in spare if spare[key]), key=lambda key: -spare[key]):
        if not beside.lacking(most):
            break
        unsaid.add(key)
        most += spare[key]
    return unsaid


def _rows_of(counts: Mapping[Key, RowCount]) -> int:
    return sum(count.rows for count in counts.values())
