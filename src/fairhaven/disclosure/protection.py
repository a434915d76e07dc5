"""Counts, one-dimensional tables and ranges as they may be shown."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from fairhaven.disclosure.policy import Policy, Small

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True, slots=True)
class Protected:
    """A count as it may be shown.

    Args:
        value: the count, or None where it is hidden.
        text: what a reader sees.
    """

    value: int | None
    text: str

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
    """

    cells: Mapping[Key, Protected]
    total: Protected
    hidden: int


def protect(count: int, policy: Policy, *, persons: int | None = None) -> Protected:
    """A count as the policy lets it be shown.

    Args:
        count: of persons or of rows.
        persons: whom the rows come from; a count of many rows of few persons is as telling as the few persons.

    Raises:
        ValueError: a negative count.
    """
    if count < 0:
        raise ValueError("a count is never negative")
    if count == 0:
        return _shown(0)
    if _is_small(count, policy, persons):
        return _shown(0) if policy.small is Small.ZERO else _hidden(policy)
    return _shown(_rounded(count, policy.round_to))


def protect_table(cells: Mapping[Key, int | Cell], policy: Policy) -> ProtectedTable[Key]:
    """A one-dimensional distribution as it may be shown.

    A reader who knows the true total, from elsewhere, computes the sum of the hidden cells. So where the policy asks
    for it, the smallest shown cells are hidden too until two are hidden and together they reach the threshold.
    """
    sizes = {key: cell if isinstance(cell, Cell) else Cell(rows=cell, persons=cell) for key, cell in cells.items()}
    shown = {key: protect(cell.rows, policy, persons=cell.persons) for key, cell in sizes.items()}
    small = [key for key, cell in sizes.items() if cell.rows and _is_small(cell.rows, policy, cell.persons)]
    also = _secondary(sizes, small, policy) if policy.secondary and small else []
    for key in also:
        shown[key] = _hidden(policy, secondary=True)
    total = sum(cell.value for cell in shown.values() if cell.value is not None)
    return ProtectedTable(cells=shown, total=_shown(total), hidden=sum(cell.is_hidden for cell in shown.values()))


def protect_extreme(candidates: Sequence[tuple[Value, int]], policy: Policy) -> Value | None:
    """The outermost value of a range that may be shown.

    Args:
        candidates: (value, persons at it or beyond it), from the true extreme inwards: the minimum, then the first
            percentile and so on.

    Returns:
        The first value with enough persons at it or beyond; None where none has.
    """
    return next((value for value, persons in candidates if persons >= policy.threshold), None)


def _secondary(sizes: Mapping[Key, Cell], small: Sequence[Key], policy: Policy) -> list[Key]:
    hidden = [sizes[key] for key in small]
    others = sorted((key for key in sizes if sizes[key].rows and key not in set(small)), key=lambda k: sizes[k].persons)
    also: list[Key] = []
    while others and (len(hidden) < 2 or sum(cell.persons for cell in hidden) < policy.threshold):
        also.append(others.pop(0))
        hidden.append(sizes[also[-1]])
    return also


def _is_small(count: int, policy: Policy, persons: int | None) -> bool:
    return min(count, count if persons is None else persons) < policy.threshold


def _rounded(count: int, base: int) -> int:
    return (count + base // 2) // base * base if base > 1 else count


def _shown(count: int) -> Protected:
    return Protected(value=count, text=f"{count:,}")


def _hidden(policy: Policy, *, secondary: bool = False) -> Protected:
    return Protected(value=None, text="not shown" if secondary else policy.mark)
