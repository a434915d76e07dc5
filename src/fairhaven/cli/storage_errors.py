"""What the disk and the machine say no to, in words: of a library's message only the file's name is passed on."""

import errno
import re
from pathlib import Path

from fairhaven.kernel.accounts import why_refused
from fairhaven.kernel.foreign_names import shown

_LIBRARIES = ("duckdb", "_duckdb", "pyarrow", "deltalake")
_FULL = re.compile(r"no space left|disk quota|could not write all bytes|failed to write|max_temp_directory_size", re.I)
_MEMORY = re.compile(r"out of memory|failed to allocate|could not allocate", re.I)
_DENIED = re.compile(r"permission denied|operation not permitted", re.I)
_FILE = re.compile(r"(?<![^\s\"'*])[^\s\"'*]*/[^\s\"'*]+?\.(?:parquet|json|sealed|csv|duckdb)")
_LOOKED_AT = 4_000
"""Characters of a message, which may hold a value of any length, that are looked at for a file's name."""
_LOST = re.compile(
    r"no files found|no such file|cannot open|could not open|magic bytes|not a parquet|corrupt|snappy|zstd", re.I
)


def access_refusal(error: Exception) -> str | None:
    """Words for what the machine does not let this account do; None for any other error."""
    if isinstance(error, PermissionError):
        path = error.filename if isinstance(error.filename, str) else _file_in(str(error))
    elif _is_of_a_library(error) and _DENIED.search(str(error)[:_LOOKED_AT]):
        path = _file_in(str(error))
    else:
        return None
    if not path:
        return "the machine does not let this account do that. Run the command as the account that runs the hub, or ask it."
    return shown(why_refused(Path(path)))


def storage_fault(error: Exception) -> str | None:
    """Words for an error of the disk or the machine; None for any other, which is a fault of Fairhaven."""
    if isinstance(error, OSError) and error.errno is not None:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _full(error.filename)
        if error.errno == errno.EROFS:
            place = error.filename or "a file system"
            return shown(
                f"{place} can only be read, so nothing was written there. Mount it to be written, or name another place."
            )
        return shown(f"{error.strerror}: {error.filename or 'the system said no'}")
    if not _is_of_a_library(error):
        return None
    text = str(error)
    file = _file_in(text)
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


def _is_of_a_library(error: Exception) -> bool:
    return type(error).__module__.partition(".")[0] in _LIBRARIES


def _file_in(text: str) -> str:
    found = _FILE.search(text[:_LOOKED_AT])
    return found[0] if found else ""


def _full(file: object) -> str:
    place = shown(f" at {file}") if file else ""
    return f"the disk is full{place}. Make room and run the same command again: what was finished is kept."
