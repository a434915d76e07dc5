"""What DuckDB finds wrong with a file from outside when it reads it: a fault of the file, told without what stands in it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from fairhaven.kernel.errors import Fault, Invalid

_NOT_THE_FILE = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.InterruptException,
    duckdb.OutOfMemoryException,
    duckdb.ParserException,
    duckdb.PermissionException,
)
"""The query is wrong, or the machine has no room, or somebody ended it."""
_DISK = re.compile("no space left|disk quota|could not write|failed to write|max_temp_directory_size", re.I)


@contextmanager
def reading_foreign(shown: str) -> Iterator[None]:
    """Work on a connection that reads a file from outside and nothing else that could be damaged.

    Args:
        shown: how the fault names the file.

    Raises:
        Invalid: the file is damaged in the middle: a page that does not unpack, a value that is none of its type.
    """
    try:
        yield
    except duckdb.Error as error:
        if isinstance(error, _NOT_THE_FILE) or _DISK.search(str(error)):
            raise
        message = f"cannot be read to its end ({type(error).__name__}); it is damaged. Deliver or fetch it again."
        raise Invalid(Fault(path=shown, message=message)) from None
