"""What the disk and the machine say no to, in words: of a library's message only the file's name is passed on."""

import errno
import re

from fairhaven.kernel.foreign_names import shown

_LIBRARIES = ("duckdb", "_duckdb", "pyarrow", "deltalake")
_FULL = re.compile(r"no space left|disk quota|could not write all bytes|failed to write|max_temp_directory_size", re.I)
_MEMORY = re.compile(r"out of memory|failed to allocate|could not allocate", re.I)
_FILE = re.compile(r"(?<![^\s\"'*])[^\s\"'*]*/[^\s\"'*]+?\.(?:parquet|json|sealed|csv|duckdb)")
_LOOKED_AT = 4_000
"""Characters of a message, which may hold a value of any length, that are looked at for a file's name."""
_LOST = re.compile(
    r"no files found|no such file|cannot open|could not open|magic bytes|not a parquet|corrupt|snappy|zstd", re.I
)


def storage_fault(error: Exception) -> str | None:
    """Words for an error of the disk or the machine; None for any other, which is a fault of Fairhaven."""
    if isinstance(error, OSError) and error.errno is not None:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _full(error.filename)
        return shown(f"{error.strerror}: {error.filename or 'the system said no'}")
    if type(error).__module__.partition(".")[0] not in _LIBRARIES:
        return None
    text = str(error)
    found = _FILE.search(text[:_LOOKED_AT])
    file = found[0] if found else ""
    if _FULL.search(text):
        return _full(file)
    if _MEMORY.search(text):
        return "the machine has too little memory free for this. End other work, and run the same command again."
    if _LOST.search(text):
        return (
            f"{file or 'a file of the store'} is missing or damaged. Restore it from the hub's backup; "
            "`fairhaven release verify` lists every file of a release that is not as it was written."
        )
    return None


def _full(file: object) -> str:
    place = shown(f" at {file}") if file else ""
    return f"the disk is full{place}. Make room and run the same command again: what was finished is kept."
