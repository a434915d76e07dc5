"""What a Parquet file from outside says of itself, before DuckDB believes it.

DuckDB makes room for as many columns and row groups as a footer claims before it reads the first: 500 MB for a footer of
600 bytes that claims a million. Arrow's reader of footers takes limits, so it looks first. Source: parquet-format,
``parquet.thrift`` (FileMetaData).
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fairhaven.engine.parquet_pages import walk_pages
from fairhaven.kernel.errors import Fault, Invalid
from fairhaven.kernel.expansion import ACCEPTED, MOST_COLUMNS, ExpansionLimits, too_large

CUT_OFF = "cannot be read; the file may be cut off. Deliver it again."
_MOST_ENTRIES = 100_000
"""Of any list in a footer. DuckDB and Arrow make row groups of 100,000 rows and more."""
_LONGEST_TEXT = 16 << 20


def check_footer(path: Path, shown: str, limits: ExpansionLimits) -> None:
    """Refuse a file whose footer cannot be true, is not what its pages say, or that would become too large.

    Args:
        shown: how faults name the file.

    Raises:
        Invalid: it is no Parquet file, says different numbers of rows in different places, its pages hold others or are not as
            they were written, or it claims more columns, bytes or values than it may hold.
    """
    try:
        with pq.ParquetFile(
            path, thrift_container_size_limit=_MOST_ENTRIES, thrift_string_size_limit=_LONGEST_TEXT
        ) as file:
            footer = file.metadata
            is_consistent = _is_consistent(footer)
            groups = range(footer.num_row_groups)
            claimed = sum(footer.row_group(number).total_byte_size for number in groups) if is_consistent else 0
    except (pa.ArrowException, OSError, ValueError):
        raise Invalid(Fault(path=shown, message=CUT_OFF)) from None
    if not is_consistent:
        message = "says different numbers of rows in different places, so which rows it holds cannot be known"
        raise Invalid(Fault(path=shown, message=f"{message}. Write it again."))
    most = limits.most_bytes(path.stat().st_size)
    # A value is a byte at least as text, so that a file of nothing but repeats is held to the same limit.
    if max(claimed, footer.num_rows * footer.num_columns) > most:
        raise too_large(shown, f"would become more than {most / 10**9:,.1f} GB when it is read")
    if footer.num_columns > MOST_COLUMNS:
        raise Invalid(Fault(path=shown, message=f"has {footer.num_columns:,} columns, more than {MOST_COLUMNS:,}"))
    if limits is ACCEPTED:  # what was received before is read again, or an erasure could not be
        return
    found = walk_pages(path, footer)
    if found.fault:
        message = (
            f"{found.fault}, so which rows it holds cannot be known; it is damaged or was changed. Write it again."
        )
        raise Invalid(Fault(path=shown, message=message))
    if found.unpacked > most:
        raise too_large(shown, f"would become more than {most / 10**9:,.1f} GB when it is read")


def _is_consistent(footer: pq.FileMetaData) -> bool:
    """Whether the file, its row groups and their columns say the same number of rows."""
    flat = [column for column in range(footer.num_columns) if footer.schema.column(column).max_repetition_level == 0]
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    return (
        all(group.num_rows >= 0 and group.total_byte_size >= 0 for group in groups)
        and footer.num_rows == sum(group.num_rows for group in groups)
        and all(group.column(column).num_values == group.num_rows for group in groups for column in flat)
    )
