"""Counts, one-dimensional tables and ranges as they may be shown. Tables of more dimensions: `crosstab`."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from fairhaven.disclosure.policy import Policy, Small, Ties

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True, slots=True)
class Protected:
    """A count as it may be shown.

    Args:
        value: the count, or None where it is hidden.
        text: what a reader sees in words: ``12,340``, ``under 10``, ``not shown``.
        mark: what stands in a cell of a released table: the count in plain digits, or the policy's mark.
    """

    value: int | None
    text: str
    mark: str = ""

    @property
    def is_hidden(self) -> bool:
        """True where the count is not given."""
        return self.value is None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """A count of rows and the persons behind them; the rows are shown only where the persons are enough."""

    rows: int
    persons: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ProtectedTable(Generic[Key]):
    """A distribution as it may be shown.

    Args:
        cells: every cell of the table, in the order given.
        total: the sum of the shown cells and of nothing else, so that no hidden cell is its difference.
        hidden: how many cells are hidden.
        further: how many of them are hidden for the sake of others.
        adds_up: the total is that of the whole table; note: the sentence for readers where it is not.
    """

    cells: Mapping[Key, Protected]
    total: Protected
    hidden: int
    further: int = 0
    adds_up: bool = True
    note: str = ""


def protect(count: int, policy: Policy, *, persons: int | None = None) -> Protected:
    """A count as the policy lets it be shown: suppressed first, then rounded.

    Args:
        count: of persons or of rows.
        persons: whom the rows come from; a count of many rows of few persons is as telling as the few persons.

    Raises:
        ValueError: a negative count.
    """
    if count < 0:
        raise ValueError("a count is never negative")
    if is_small(Cell(rows=count, persons=count if persons is None else persons), policy):
        return shown(0) if policy.small is Small.ZERO else hidden(policy)
    return shown(policy.rounded(count))


def protect_table(cells: Mapping[Key, int | Cell], policy: Policy) -> ProtectedTable[Key]:
    """A one-dimensional distribution as it may be shown.

    A reader who knows the true total, from elsewhere, computes the sum of the hidden cells. So where the policy asks
    for it, the smallest shown cells are hidden too until a hidden count may be anything under the threshold. They
    look like the others: a reader who knew which are the small ones could narrow those down again.
    """
    sizes = {key: as_cell(cell) for key, cell in cells.items()}
    protected = {key: protect(cell.rows, policy, persons=cell.persons) for key, cell in sizes.items()}
    small = [key for key, cell in protected.items() if cell.is_hidden]
    if policy.secondary:
        also = _secondary(sizes, small, policy) if small else []
        protected |= {key: hidden(policy, is_one_of_several=True) for key in (*small, *also)}
    else:
        also, is_blurred = _until_blurred(sizes, policy)
        # Small ones that are together too many for each to be anything small are not said to be small.
        is_said = is_blurred and not also
        few = [] if is_said else [key for key, cell in sizes.items() if cell.rows and is_small(cell, policy)]
        protected |= {key: hidden(policy, is_one_of_several=True) for key in (*few, *also)}
    count = len(small) + len(also)
    return ProtectedTable(
        cells=protected,
        total=shown(sum(cell.value for cell in protected.values() if cell.value is not None)),
        hidden=count,
        further=len(also),
        adds_up=adds_up(policy, hidden=count),
        note=totals_note(policy, hidden=count, cells=len(cells)),
    )


def protect_extreme(candidates: Sequence[tuple[Value, int]], policy: Policy) -> Value | None:
    """The outermost value of a range that may be shown.

    Args:
        candidates: (value, persons at it or beyond it), from the true extreme inwards: the minimum, then the first
            percentile and so on.

    Returns:
        The first value with enough persons at it or beyond; None where none has.
    """
    return next((value for value, persons in candidates if persons >= policy.threshold), None)


def is_small(cell: Cell, policy: Policy) -> bool:
    """True where a cell's count may not be shown: too few rows, or too few persons behind them."""
    return policy.is_small(cell.rows) or (cell.rows > 0 and cell.persons < policy.threshold)


def as_cell(count: int | Cell) -> Cell:
    """A plain count is one of persons."""
    return count if isinstance(count, Cell) else Cell(rows=count, persons=count)


def as_rounded(count: int, policy: Policy) -> tuple[int, int]:
    """Between what a count is that is shown as this one is, the ends with it; those of even ties are taken for both."""
    told = policy.rounded(count)
    above = policy.half_width if policy.ties is Ties.EVEN else policy.round_to - 1 - policy.half_width
    return max(told - policy.half_width, min(policy.threshold, count)), told + above


def shown(count: int) -> Protected:
    """A count that may be seen."""
    return Protected(value=count, text=f"{count:,}", mark=str(count))


def hidden(policy: Policy, *, is_one_of_several: bool = False) -> Protected:
    """A count that may not be seen; one of several in a table may be hidden for another's sake and not be small."""
    words = "not shown" if is_one_of_several else policy.under
    return Protected(value=None, text=words, mark=policy.mark or words)


def _secondary(sizes: Mapping[Key, Cell], small: Sequence[Key], policy: Policy) -> list[Key]:
    """The cells to hide for the sake of the small ones.

    With the total known, a hidden cell can grow by what the other hidden ones can give: each keeps one person, and a
    hidden zero keeps none. It must be able to grow to threshold - 1.
    """
    kept = set(small)
    others = sorted((key for key in sizes if sizes[key].rows and key not in kept), key=lambda key: sizes[key].persons)
    among = [sizes[key].persons for key in small]
    also: list[Key] = []

    def is_safe() -> bool:
        to_give = sum(persons - 1 for persons in among if persons)
        least = min(among)
        return len(among) > 1 and to_give + (1 if least else 0) >= policy.threshold - 1

    while others and not is_safe():
        also.append(others.pop(0))
        among.append(sizes[also[-1]].persons)
    return also


def _until_blurred(sizes: Mapping[Key, Cell], policy: Policy) -> tuple[list[Key], bool]:
    """Where all counts shown are rounded, the cells to hide for the sake of the small ones: until these may be anything; and whether they may.

    The total is known as the policy rounds it. What it and the shown cells leave for the small ones is known to within the rounding of
    each, which few cells may not blur enough.
    """
    small = [cell for cell in sizes.values() if cell.rows > 0 and is_small(cell, policy)]
    others = sorted(
        (key for key in sizes if sizes[key].rows and not is_small(sizes[key], policy)), key=lambda key: sizes[key].rows
    )
    also: list[Key] = []
    everything = sum(cell.rows for cell in sizes.values())
    if not small or policy.round_to == 1 or everything < policy.threshold:
        return also, True
    total = as_rounded(everything, policy)
    while True:
        shown_cells = [as_rounded(sizes[key].rows, policy) for key in others[len(also) :]]
        least = total[0] - sum(most for _, most in shown_cells)
        most = total[1] - sum(low for low, _ in shown_cells)
        lowest = -math.inf if also else least - (len(small) - 1) * (policy.threshold - 1)
        if lowest <= 1 and most - (len(small) - 1 + len(also)) >= policy.threshold - 1:
            return also, True
        if len(also) == len(others):
            return also, False
        also.append(others[len(also)])


def adds_up(policy: Policy, *, hidden: int) -> bool:
    """True where the totals are those of the whole table: nothing is hidden, rounded or shown as zero.

    It follows from the policy and from what is shown, never from true counts: that a rounded total happens to be
    right would be news.
    """
    return not hidden and policy.round_to == 1 and policy.small is not Small.ZERO


def totals_note(policy: Policy, *, hidden: int, cells: int) -> str:
    """The sentence that stands below a table; empty where its totals need none."""
    if adds_up(policy, hidden=hidden):
        return ""
    said = ["Totals are sums of the cells shown"]
    if hidden:
        said.append(f"{hidden} of {cells} cells {'is' if hidden == 1 else 'are'} hidden and in no total")
    if policy.small is Small.ZERO:
        said.append(f"counts {policy.under} are shown as 0 and add nothing")
    if policy.round_to > 1:
        said.append(
            f"each cell is within {policy.half_width} of the true count, a total of n cells within n times that, "
            "and totals need not agree with those of other tables"
        )
    return "; ".join(said) + "."
