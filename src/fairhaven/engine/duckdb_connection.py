"""The one place where DuckDB is opened: with a ceiling on its memory, and with a private folder to spill into, or none.

What a connection may reach is said here, too: it fetches no extension from anywhere. Keeping it from every file but those
it is given (``enable_external_access``, ``lock_configuration``) will be said here when untrusted queries come.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import duckdb

from fairhaven.engine.sql import literal
from fairhaven.kernel.files import scratch

SMALL = "500MB"
"""The ceiling for work beside something larger: reading a file's rows, copying them without some."""


@contextmanager
def open_duckdb(
    *,
    spill: Path | None,
    database: Path | None = None,
    memory_limit: str = SMALL,
    threads: int | None = None,
    keeps_order: bool = False,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection, closed at the end.

    Args:
        spill: folder in which a private one (0700) is made for blocks that do not fit in memory, and removed at the end.
            None keeps every value off the disk: what does not fit raises ``duckdb.OutOfMemoryException``.
        database: the database's file; None for one in memory.
        memory_limit: DuckDB's ceiling; the process needs room beside it.
        threads: worker threads; None leaves it to DuckDB.
        keeps_order: rows come in the order of their file. It holds whole results in memory.
    """
    settings: dict[str, Any] = {
        "memory_limit": memory_limit,
        "preserve_insertion_order": keeps_order,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    if threads is not None:
        settings["threads"] = threads
    with ExitStack() as opened:
        if spill is None:
            settings |= {"temp_directory": "", "max_temp_directory_size": "0KB"}
        else:
            settings["temp_directory"] = str(opened.enter_context(scratch(spill)) / "spill")
        connection = opened.enter_context(duckdb.connect(str(database or ":memory:"), config=settings))
        # Where Python seems interactive, DuckDB draws one on the standard output, in the middle of a result.
        connection.execute("SET enable_progress_bar = false")
        # Closing waits for the threads of a query that was given up by Ctrl-C, for hours where it has hours to go.
        opened.callback(connection.interrupt)
        yield connection


def count_of(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    """The number in a query's only row, such as ``count(*)``."""
    (found,) = connection.execute(query).fetchone() or (0,)
    return int(found)


def write_parquet(connection: duckdb.DuckDBPyConnection, query: str, target: Path) -> int:
    """Write a query's rows to a Parquet file, and give their number."""
    return count_of(connection, f"COPY ({query}) TO {literal(target)} (FORMAT parquet, COMPRESSION zstd)")
