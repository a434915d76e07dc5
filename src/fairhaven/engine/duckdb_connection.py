"""The one place where DuckDB is opened: with a ceiling on its memory, an encrypted spill or none, and locked.

What a connection may reach is said when it is opened, and nothing that is read on it can change that: a partner's file may
hold views and macros over any file of this machine, and generated columns over any setting. See docs/adr/0015 and 0018.
"""

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb

from fairhaven.engine.process_key import UNDER_KEY, add_process_key
from fairhaven.engine.sql import literal, literals, plain
from fairhaven.kernel.errors import Refused
from fairhaven.kernel.files import scratch

SMALL = "500MB"
"""The ceiling for work beside something larger: reading a file's rows, copying them without some."""

_EXTENSION = "duckdb_extension_httpfs"
_UNENCRYPTED = (
    "rows that do not fit in memory would reach the disk unencrypted, so nothing was done. Encryption needs the package "
    f"duckdb-extension-httpfs of DuckDB's own version (pip install duckdb-extension-httpfs=={duckdb.__version__})"
)

_CLOSED = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_unsigned_extensions": False,
}
"""No code comes in: extensions are neither fetched nor loaded by name."""


@contextmanager
def open_duckdb(
    *,
    spill: Path | None,
    reaches: Collection[Path] = (),
    database: Path | None = None,
    memory_limit: str = SMALL,
    threads: int | None = None,
    keeps_order: bool = False,
    time_zone: str = "",
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection, closed at the end.

    Args:
        spill: folder in which a private one (0700) is made for blocks that do not fit in memory, and removed at the end;
            their content is encrypted with a key that only the process has. None keeps every value off the disk: what does not fit raises ``duckdb.OutOfMemoryException``.
        reaches: what the work reads and writes: files, and folders with all that is below them. Links count as what they
            point to. Beside them it reaches its own spill and *database*, and no other file: that raises
            ``duckdb.PermissionException``.
        database: the database's file; None for one in memory.
        memory_limit: DuckDB's ceiling; the process needs room beside it.
        threads: worker threads; None leaves it to DuckDB.
        keeps_order: rows come in the order of their file. It holds whole results in memory.
        time_zone: in which times with an offset are shown; empty for the machine's.

    Raises:
        Refused: the extension that encrypts is not installed, or is not what DuckDB's makers signed.
    """
    settings: dict[str, Any] = {"memory_limit": memory_limit, "preserve_insertion_order": keeps_order, **_CLOSED}
    if threads is not None:
        settings["threads"] = threads
    extension = None if spill is None else _signed_extension()
    with ExitStack() as opened:
        if spill is None:
            settings |= {"temp_directory": "", "max_temp_directory_size": "0KB"}
        else:
            # Its signature is checked; nothing else is loaded before the lock, and nothing at all after it.
            settings["allow_unsigned_extensions"] = True
            settings["temp_directory"] = str(opened.enter_context(scratch(spill)).resolve() / "spill")
        connection = opened.enter_context(duckdb.connect(str(database or ":memory:"), config=settings))
        # Where Python seems interactive, DuckDB draws one on the standard output, in the middle of a result.
        connection.execute("SET enable_progress_bar = false")
        # No Python variable is taken for a table.
        connection.execute("SET python_enable_replacements = false")
        if extension is not None:
            # What does it needs OpenSSL, which the extension brings; its network stays shut.
            connection.execute(f"LOAD {literal(extension)}; SET temp_file_encryption = true")
            add_process_key(connection)
        if time_zone:
            connection.execute(f"SET TimeZone = {literal(time_zone)}")
        _lock(connection, [path.resolve() for path in reaches])
        # Closing waits for the threads of a query that was given up by Ctrl-C, for hours where it has hours to go.
        opened.callback(connection.interrupt)
        yield connection


def _signed_extension() -> Path:
    """The file of DuckDB's extension httpfs, whose signature DuckDB has checked."""
    found = find_spec(_EXTENSION)
    for place in (found.submodule_search_locations or ()) if found is not None else ():
        extension = Path(place, "extensions", f"v{duckdb.__version__}", "httpfs.duckdb_extension")
        try:
            seen = extension.stat()
            _check_signature(extension, (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns))
        except (duckdb.Error, OSError) as error:
            message = f"{_UNENCRYPTED}: its package is damaged or for another DuckDB ({type(error).__name__})"
            raise Refused(message) from None
        return extension
    raise Refused(f"{_UNENCRYPTED}: it is not installed")


@cache
def _check_signature(extension: Path, _file: tuple[int, ...]) -> None:
    """Have DuckDB check that its makers signed an extension: once for each file, because it takes as long as reading many a delivery.

    Who could change the file in between could change this program as well, which lies beside it.
    """
    with duckdb.connect(config=_CLOSED) as connection:
        connection.execute(f"LOAD {literal(extension)}")


def _lock(connection: duckdb.DuckDBPyConnection, reaches: Collection[Path]) -> None:
    """Keep the connection to these paths, for good."""
    # What is not there yet may become either.
    folders = [path for path in reaches if not path.is_file()]
    # Beside a database DuckDB looks for what was not yet written into it.
    files = [name for path in reaches if not path.is_dir() for name in (path, path.with_name(f"{path.name}.wal"))]
    for option, paths in (("allowed_directories", folders), ("allowed_paths", files)):
        # A path is judged as it is written in the query, and again as what it is.
        written = sorted({form for path in paths for form in (str(path), plain(path))})
        connection.execute(f"SET {option} = [{literals(*written)}]")
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")


def count_of(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    """The number in a query's only row, such as ``count(*)``."""
    (found,) = connection.execute(query).fetchone() or (0,)
    return int(found)


def write_parquet(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    target: Path,
    *,
    is_in_memory: bool = False,
    is_under_key: bool = False,
) -> int:
    """Write a query's rows to a Parquet file, and give their number.

    Args:
        is_in_memory: *target* is a file in memory (`kernel.memory_files`): it is written where it is, and nothing put in its place.
        is_under_key: the file can be read by this process alone (`process_key`); it is not for keeping.
    """
    place = ", USE_TMP_FILE false" if is_in_memory else ""
    form = f"COMPRESSION snappy, {UNDER_KEY}" if is_under_key else "COMPRESSION zstd"
    return count_of(connection, f"COPY ({query}) TO {literal(target)} (FORMAT parquet, {form}{place})")
