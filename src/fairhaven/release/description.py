"""What a release says of itself. Every count in it is already protected, because it is written to a file."""

from dataclasses import dataclass
from typing import Literal

FORMAT: Literal[2] = 2
"""Grows when the form changes; a description of another form is made anew, never read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One value, or one class of values, of a variable.

    Args:
        label: what it is called: a concept's name, a category, a year, ``120 to 130``.
        code: concept identifier or category as stored; empty for classes of numbers.
        rows: how many rows have it; None where that is not shown.
        persons: of how many persons; None where that is not shown.
    """

    label: str
    code: str
    rows: int | None
    persons: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Variable:
    """One variable of one table.

    Args:
        kind: ``concept``, ``category``, ``number``, ``date``, ``identifier`` or ``text``; of the last two no value is
            ever shown.
        missing: rows without a value; None where not shown.
        missing_share: of the rows, 0 to 1. Where ``missing`` is not shown it is 0 (too few rows are without a value to
            say how many), 1 (too few have one), or None (too few rows altogether).
        distinct: how many different values there are; None where not counted.
        lowest, highest: the range as it may be shown, outermost values of few persons cut off; years for dates.
        middle: the median, for numbers.
        bars: distribution, classes in order or values by frequency.
        others: rows of the values that are not shown as bars; None where that would give a small count away.
    """

    name: str
    kind: str
    type: str
    is_required: bool
    missing: int | None
    missing_share: float | None
    distinct: int | None = None
    lowest: float | None = None
    highest: float | None = None
    middle: float | None = None
    bars: tuple[Bar, ...] = ()
    others: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TableDescription:
    """One table.

    Args:
        rows, persons: None where not shown; persons is None, too, for tables that hold none.
        first_year, last_year: of the table's own date, without years of few persons; None where it has no date.
        content: hash of the table's content, by which an unchanged table is not scanned again.
        is_whole: false where figures of it are withheld that would, beside the persons of the release, tell of few.
    """

    name: str
    rows: int | None
    persons: int | None
    first_year: int | None
    last_year: int | None
    variables: tuple[Variable, ...]
    content: str = ""
    is_whole: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Description:
    """A release, as it describes itself.

    Args:
        policy: name of the disclosure policy under which its counts are shown; rule: what it then said.
        persons: None where not shown.
        first_year, last_year: over all event tables; None where there is none.
        tables: in the CDM's order.
        figures_of: name of the earlier release whose figures these are, where hardly anybody tells the two apart; empty for its own.
        figures_content: hash of that release's content when it was described: where it holds others since, they are its figures no more.
    """

    policy: str
    persons: int | None
    first_year: int | None
    last_year: int | None
    tables: tuple[TableDescription, ...]
    rule: str = ""
    figures_of: str = ""
    figures_content: str = ""
    format: Literal[2] = FORMAT

    def table(self, name: str) -> TableDescription | None:
        """A table by name, None where the release has none."""
        return next((table for table in self.tables if table.name == name), None)
