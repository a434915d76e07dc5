"""Tables of sums and means as they may be shown, from what each person contributed."""

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import numpy as np

from fairhaven.disclosure.crosstab import protect_crosstab
from fairhaven.disclosure.known_totals import Mask, with_totals
from fairhaven.disclosure.policy import Dominance, Policy, Small
from fairhaven.disclosure.primary_suppression import Protected, hidden, shown
from fairhaven.disclosure.secondary_suppression import ProtectionLevel, complement, default_costs
from fairhaven.disclosure.table_arrays import ALL, Dimensions, Key, guarded_totals, totals_over

_Persons = defaultdict[Hashable, float]
"""What each person contributed to a cell or total."""
_People = defaultdict[Key, _Persons]
"""Cell or total -> person -> what the person contributed to it; nothing for those that nobody contributed to."""


class Statistic(StrEnum):
    """What a table of magnitudes shows of each cell. Not both: the quotient would be an unprotected count."""

    SUM = "sum"
    MEAN = "mean"


@dataclass(frozen=True, kw_only=True, slots=True)
class Magnitude:
    """A sum or mean as it may be shown.

    Args:
        value: None where it is hidden, or the mean of nobody.
        persons: how many contributed, protected as any count.
        mark: what stands in a cell in place of a hidden value; empty for a shown one.
    """

    value: float | None
    persons: Protected
    mark: str = ""

    @property
    def is_hidden(self) -> bool:
        """True where the value is not given."""
        return bool(self.mark)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProtectedMagnitudes:
    """A table of sums or means as it may be shown.

    Args:
        cells: every combination of categories.
        totals: by key with `ALL`; made of shown cells alone: their sum, or their mean weighted by the persons shown.
        hidden: how many cells are hidden; further: how many of them for the sake of others.
        dominated: cells that one or two persons make up, for whoever checks an output and not for its readers.
        may_be_known: totals whose true value a reader may know, and still a hidden sum cannot be worked out to within
            the share p of its largest contribution.
        note: the sentence for readers about the totals.
    """

    cells: Mapping[Key, Magnitude]
    totals: Mapping[Key, Magnitude]
    hidden: int
    further: int
    dominated: tuple[Key, ...]
    may_be_known: frozenset[Key]
    note: str


def protect_magnitudes(
    contributions: Iterable[tuple[Key, Hashable, float]], policy: Policy, *, statistic: Statistic = Statistic.SUM
) -> ProtectedMagnitudes:
    """A table of sums or means as the policy lets it be shown.

    Args:
        contributions: (key, person, value); values of one person in one cell are added up, because it is the person
            that dominates a cell, and not one of the rows.

    Raises:
        ValueError: no contribution, keys of different lengths, or a value that is no number.
    """
    people = _people(contributions)
    table = Dimensions([key for key in people if ALL not in key])
    counted = protect_crosstab({key: len(people[key]) for key in table.keys}, policy)
    dominated = {key for key in table.keys if is_dominated(people[key].values(), policy.dominance)}
    primary = table.mask(
        counted.cells[key].is_hidden or key in dominated or 0 < len(people[key]) < policy.threshold
        for key in table.keys
    )
    concealed = _with_further(table, people, primary, policy)
    mark = "not shown" if policy.small is Small.ZERO else hidden(policy, is_one_of_several=True).mark
    cells = {
        key: Magnitude(
            value=None if is_secret else _statistic(people[key], statistic),
            persons=counted.cells[key],
            mark=mark if is_secret else "",
        )
        for key, is_secret in zip(table.keys, concealed[table.inner].flat, strict=True)
    }
    count = int(concealed[table.inner].sum())
    return ProtectedMagnitudes(
        cells=cells,
        totals=_totals(cells, statistic),
        hidden=count,
        further=count - int(primary.sum()),
        dominated=tuple(key for key in table.keys if key in dominated),
        may_be_known=guarded_totals(table, concealed, policy),
        note=_note(statistic, count, len(cells)),
    )


def _people(contributions: Iterable[tuple[Key, Hashable, float]]) -> _People:
    people: _People = defaultdict(partial(defaultdict, float))
    for key, person, value in contributions:
        if not math.isfinite(value):
            raise ValueError("a contribution is not a finite number; leave missing values out")
        for place in (key, *totals_over(key)):
            people[place][person] += value
    return people


def _with_further(table: Dimensions, people: _People, primary: Mask, policy: Policy) -> Mask:
    """What is hidden in the end, of the table with its totals; for totals: that readers are taken not to know them."""
    sums, sizes = (
        with_totals(np.array([fold(people[key]) for key in table.keys], dtype=float).reshape(table.shape))
        for fold in (_sum, len)
    )
    concealed = np.zeros(sums.shape, dtype=bool)
    concealed[table.inner] = primary
    for place in table.totals():
        of = people[table.key(place)]
        concealed[place] = 0 < len(of) < policy.threshold or is_dominated(of.values(), policy.dominance)
    if not policy.secondary or not concealed.any():
        return concealed
    has_debts = any(value < 0 for of in people.values() for value in of.values())
    least = np.full(sums.shape, -np.inf if has_debts else 0.0)
    largest = max(abs(value) for of in people.values() for value in of.values()) or 1.0
    needs = {}
    for place in table.places():
        if concealed[place]:
            own = max(map(abs, people[table.key(place)].values()), default=0.0)
            width = policy.dominance.p * (own or largest)
            down = 0.0 if table.is_total(place) else min(width, float(sums[place] - least[place]))
            needs[place] = ProtectionLevel(up=width, down=down)
    can_hide = concealed | (sizes > 0)
    return complement(sums, costs=default_costs(sizes), least=least, hidden=concealed, can_hide=can_hide, needs=needs)


def _totals(cells: Mapping[Key, Magnitude], statistic: Statistic) -> Mapping[Key, Magnitude]:
    within: dict[Key, list[Magnitude]] = {}
    for key, cell in cells.items():
        for total in totals_over(key):
            within.setdefault(total, []).extend([] if cell.is_hidden else [cell])
    return {
        key: Magnitude(value=_total(of, statistic), persons=shown(sum(cell.persons.value or 0 for cell in of)))
        for key, of in within.items()
    }


def _total(cells: list[Magnitude], statistic: Statistic) -> float | None:
    if statistic is Statistic.SUM:
        return math.fsum(cell.value or 0.0 for cell in cells)
    weights = [cell.persons.value or 0 for cell in cells]
    if not sum(weights):
        return None
    return math.fsum((cell.value or 0.0) * weight for cell, weight in zip(cells, weights, strict=True)) / sum(weights)


def _statistic(of: _Persons, statistic: Statistic) -> float | None:
    if statistic is Statistic.SUM:
        return _sum(of)
    return _sum(of) / len(of) if of else None


def _sum(of: _Persons) -> float:
    return math.fsum(of.values())


def _note(statistic: Statistic, hidden_cells: int, cells: int) -> str:
    if not hidden_cells:
        return ""
    what = "sums" if statistic is Statistic.SUM else "means"
    are = "is" if hidden_cells == 1 else "are"
    return f"Totals are {what} over the cells shown; {hidden_cells} of {cells} cells {are} hidden and in no total."


def is_dominated(contributions: Iterable[float], rule: Dominance) -> bool:
    """True where a sum or mean of the contributions may not be shown.

    Args:
        contributions: one for each person. Their sizes count: a debt dominates as a fortune does.

    Raises:
        ValueError: a contribution that is not a number; leave missing values out before.
    """
    sizes = sorted((abs(value) for value in contributions), reverse=True)
    if not all(map(math.isfinite, sizes)):
        raise ValueError("a contribution is not a finite number")
    total = math.fsum(sizes)
    if total == 0:
        return bool(sizes)  # it says of everybody that they have none
    return math.fsum(sizes[: rule.n]) >= rule.k * total or math.fsum(sizes[2:]) < rule.p * sizes[0]
