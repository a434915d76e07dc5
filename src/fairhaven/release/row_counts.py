"""What is counted in a release's tables for the report on it; exact, for the hub's own eyes."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceRows:
    """Rows of one CDM table that come from one source; ``unmapped`` of them have concept 0."""

    source: str
    cdm_table: str
    rows: int
    unmapped: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class YearRows:
    """Event rows of one source in one year, or without a day (None), and of how many persons."""

    source: str
    year: int | None
    rows: int
    persons: int


@dataclass(frozen=True, kw_only=True, slots=True)
class UnmappedRows:
    """Rows of a source code that has no standard concept, and of how many persons.

    Args:
        code: None for all others of the source and table together: codes beyond the most frequent ones, and rows without a code.
    """

    source: str
    cdm_table: str
    code: str | None
    rows: int
    persons: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RowCounts:
    """Counts of a release's rows.

    Args:
        content: hash of the content that was counted, by which counts of before an erasure are known.
        links: rows by source and CDM table.
        years: event rows by source and year.
        unmapped: the most frequent source codes without a standard concept, most frequent first; then the others together.
        notes: free-text notes kept out until they are de-identified.
    """

    content: str
    links: tuple[SourceRows, ...] = ()
    years: tuple[YearRows, ...] = ()
    unmapped: tuple[UnmappedRows, ...] = ()
    notes: int = 0
