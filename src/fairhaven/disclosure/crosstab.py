"""Tables of two and more dimensions as they may be shown, with their totals.

Three things are hidden: cells that are small, cells that tell something of everybody in a row or column (where the policy
asks for it), and the further cells without which those could be worked out. The totals that are shown are sums of shown
cells, so a table by itself gives no hidden cell away; the further cells guard against readers who know true totals.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np

from fairhaven.disclosure.group_disclosure import full_cells
from fairhaven.disclosure.known_totals import Floats, Mask, Place, places_of, with_totals
from fairhaven.disclosure.policy import Groups, Policy, Zeros
from fairhaven.disclosure.primary_suppression import (
    Cell,
    Protected,
    adds_up,
    as_cell,
    hidden,
    protect,
    shown,
    totals_note,
)
from fairhaven.disclosure.secondary_suppression import ProtectionLevel, complement, default_costs, share_of_all
from fairhaven.disclosure.table_arrays import Dimensions, Key, guarded_totals


@dataclass(frozen=True, kw_only=True, slots=True)
class UniformGroup:
    """A group of which all persons are in one cell: for whoever checks an output, not for its readers.

    Args:
        cell: the cell; dimension: the place in the key of what holds for all persons who share the rest of it.
    """

    cell: Key
    dimension: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ProtectedCrosstab:
    """A table as it may be shown.

    Args:
        cells: every combination of categories.
        totals: sums of the shown cells, by key with `ALL` in at least one place.
        hidden: how many cells are hidden; further: how many of them for the sake of others.
        alike: the groups of which all persons are in one cell, hidden or not as the policy says.
        may_be_known: totals whose true value a reader may know from elsewhere, and still every hidden small count may
            be anything under the threshold. Small totals, and those hidden with them, are not among them; where
            cells are hidden under a policy without ``secondary``, none is.
        adds_up: the totals are those of the whole table; note: the sentence for readers where they are not.
    """

    cells: Mapping[Key, Protected]
    totals: Mapping[Key, Protected]
    hidden: int
    further: int
    alike: tuple[UniformGroup, ...]
    may_be_known: frozenset[Key]
    adds_up: bool
    note: str


def protect_crosstab(
    counts: Mapping[Key, int | Cell],
    policy: Policy,
    *,
    structural: Collection[Key] = (),
    worth: Callable[[Key], float] | None = None,
) -> ProtectedCrosstab:
    """A table of two or more dimensions as the policy lets it be shown.

    Args:
        counts: by one category for each dimension; combinations that are not there are zero.
        structural: combinations that cannot be anything but zero, as everybody knows.
        worth: what is lost where a cell or total is hidden; of what may be, the cheapest is. 0 for a total that is said
            nowhere, infinity for one that everybody knows however small it is. Without it a total is worth four cells, that
            over everything more than all.

    Raises:
        ValueError: a negative count, keys of different lengths, or a structural zero that is none.
    """
    table = Dimensions(tuple(counts), structural)
    cells = {key: as_cell(counts.get(key, 0)) for key in table.keys}
    if any(cells[key].rows for key in table.structural_keys):
        raise ValueError("a structural zero has a count")
    protected = {
        key: shown(0) if key in table.structural_keys else protect(cell.rows, policy, persons=cell.persons)
        for key, cell in cells.items()
    }
    # Rows without a person are taken for one person's: what is not known is not taken for safe.
    sizes = [max(cell.persons, min(cell.rows, 1)) for cell in cells.values()]
    persons = np.array(sizes, dtype=float).reshape(table.shape)
    costs = _costs(table, persons, worth)
    primary = table.mask(cell.is_hidden for cell in protected.values())
    told = _told(persons, costs, policy)
    primary &= ~told
    protected |= {table.key(place): shown(cells[table.key(place)].rows) for place in places_of(told)}
    found = tuple(full_cells(persons, table.structural))
    if policy.groups is Groups.HIDE:
        for full in found:
            primary[full.place] = primary[full.zeros[0]] = True
    concealed = _with_further(persons, primary, told, costs, policy)
    inner = concealed[table.inner]
    for place in places_of(inner):
        protected[table.key(place)] = hidden(policy, is_one_of_several=True)
    count = int(inner.sum())
    sums = with_totals(np.array([cell.value or 0 for cell in protected.values()]).reshape(table.shape))
    return ProtectedCrosstab(
        cells=protected,
        totals={table.key(place): shown(int(sums[place])) for place in table.totals()},
        hidden=count,
        further=count - int(primary.sum()),
        alike=tuple(UniformGroup(cell=table.key(full.place), dimension=full.dimension) for full in found),
        may_be_known=guarded_totals(table, concealed, policy),
        adds_up=adds_up(policy, hidden=count),
        note=totals_note(policy, hidden=count, cells=len(protected)),
    )


def _costs(table: Dimensions, persons: Floats, worth: Callable[[Key], float] | None) -> Floats:
    """What hiding costs, by place; of cells that are worth the same the ones with few persons come first."""
    if worth is None:
        return default_costs(with_totals(persons))
    costs = np.array([worth(table.key(place)) for place in table.places()]).reshape([size + 1 for size in table.shape])
    return costs + np.where(costs > 0, share_of_all(with_totals(persons)), 0.0)


def _told(persons: Floats, costs: Floats, policy: Policy) -> Mask:
    """Cells that are all of a total that everybody knows: it says what they are, as zeros are shown."""
    values = with_totals(persons)
    told = np.zeros(persons.shape, dtype=bool)
    if not policy.secondary or policy.zeros is Zeros.HIDE or not np.isinf(costs).any():
        return told
    for place in places_of(persons > 0):
        told[place] = any(values[total] == values[place] for total in _known_over(place, costs))
    return told


def _known_over(place: Place, costs: Floats) -> Iterator[Place]:
    """Totals over a cell that everybody knows."""
    for summed in product((False, True), repeat=len(place)):
        total = tuple(-1 if over else index for index, over in zip(place, summed, strict=True))
        if any(summed) and math.isinf(costs[total]):
            yield total


def _room_in_known(values: Floats, least: Floats, costs: Floats) -> Floats:
    """How much higher each cell may be beside the totals that everybody knows, when the others are as small as they may be."""
    room = np.full([size - 1 for size in values.shape], np.inf)
    if np.isinf(costs).any():
        for place in np.ndindex(room.shape):
            for total in _known_over(place, costs):
                cells = tuple(slice(0, -1) if index == -1 else index for index in total)
                room[place] = min(room[place], values[total] - least[cells].sum() + least[place] - values[place])
    return room


def _with_further(persons: Floats, primary: Mask, told: Mask, costs: Floats, policy: Policy) -> Mask:
    """What is hidden in the end, of the table with its totals; for totals: that readers are taken not to know them."""
    values = with_totals(persons)
    inner = (slice(0, -1),) * persons.ndim
    is_known, is_unsaid = np.isinf(costs), costs == 0
    # A small total of which every cell is told is told with them.
    is_small = (values < policy.threshold) & (with_totals(np.where(told, 0, persons)) > 0)
    concealed: Mask = (is_small & ~is_known) | is_unsaid
    concealed[inner] = primary
    if not policy.secondary:
        return concealed
    least = np.zeros(values.shape)
    if policy.zeros is Zeros.SHOW:
        least[inner] = persons > 0  # a hidden cell is seen not to be zero; one of a group may be, but need not
    room = _room_in_known(values, least, costs)
    needs = {}
    for place in places_of(concealed & ~is_unsaid):
        value, is_inner = float(values[place]), all(map(int.__lt__, place, persons.shape))
        if is_inner and value < policy.threshold:
            up = max(policy.threshold - 1 - value, 0 if value else 1)
            needs[place] = ProtectionLevel(up=min(up, room[place]), down=value - least[place])
        elif not is_inner:
            # That a total is small must not be certain; it is not less than its hidden cells have at least.
            cells = tuple(
                slice(0, -1) if index == size else index for index, size in zip(place, persons.shape, strict=True)
            )
            up = min(policy.threshold - value, float(np.where(persons > 0, room, 0.0)[cells].sum()))
            needs[place] = ProtectionLevel(up=up, down=0)
    can_hide = concealed | ((values > 0) & ~is_known)
    can_hide[inner] &= ~told
    return complement(values, costs=costs, least=least, hidden=concealed, can_hide=can_hide, needs=needs)
