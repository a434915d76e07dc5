"""Files that are there whole or not at all, hashes of files, and folders for work in progress."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, BinaryIO

from fairhaven.kernel.accounts import account_name
from fairhaven.kernel.errors import Invalid, NotAllowedNow, NotPermitted
from fairhaven.kernel.file_locks import is_held, left_behind
from fairhaven.kernel.foreign_names import harmless_json
from fairhaven.kernel.listing import listed, listed_below
from fairhaven.kernel.memory_files import discard_below
from fairhaven.kernel.plain_files import plain_file, read_plain


def check_empty(folder: Path) -> None:
    """Refuse to make something in a folder that holds other things.

    Raises:
        NotAllowedNow: it is there and not empty, or is no folder.
    """
    if folder.exists() and (not folder.is_dir() or listed(folder)):
        raise NotAllowedNow(f"{folder} is not empty; nothing was changed. Give a new or an empty folder.")


def check_own(folder: Path) -> None:
    """Refuse to make something in a folder of another account, which could exchange all that is put there.

    Raises:
        NotPermitted: it is there, and another account's.
    """
    if folder.exists() and (owner := folder.stat().st_uid) != os.geteuid():
        who = account_name(owner)
        raise NotPermitted(
            f"this needs the account {who}: {folder} is {who}'s, who could exchange what is put there; nothing was changed. "
            f"Ask {who} to run the command, or name a new folder."
        )


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, hex."""
    with plain_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stamp_of(path: Path) -> tuple[int, ...]:
    """What tells that a file is still the one that was read: nobody can set the time of its last change."""
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no blanks: the form whose hash is taken."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sync(path: Path) -> None:
    """Make a finished file's bytes durable, before a rename says that they are, or a folder's entries, so that renames are."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder where there is none, and each above it that is missing: all are on the disk when this returns."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in reversed(missing):
        sync(folder.parent)


def write_atomically(path: Path, data: bytes | str) -> None:
    """Write a file as `replacement_of` it."""
    with replacement_of(path) as file:
        file.write(data.encode() if isinstance(data, str) else data)


Announced = Mapping[Path, Path | None]
"""Files that take their places next, all at once: place -> the file that is ready for it, None where what is there goes."""

_TOLD: ContextVar[Callable[[Announced], object] | None] = ContextVar("told", default=None)


@contextmanager
def announcing(to: Callable[[Announced], object]) -> Iterator[None]:
    """Tell somebody of every file that takes its place meanwhile, before it does; in place of whoever was told until then."""
    token = _TOLD.set(to)
    try:
        yield
    finally:
        _TOLD.reset(token)


def announce(files: Announced) -> None:
    """Tell whoever wants to know that finished files take their places next."""
    if told := _TOLD.get():
        told(files)


def announce_folder(folder: Path, ready: Path) -> None:
    """The same for a folder whose place another takes, with all that is in it."""
    gone: dict[Path, Path | None] = {path: None for path in listed_below(folder) if path.is_file()}
    announce({**gone, **{folder / path.relative_to(ready): path for path in listed_below(ready) if path.is_file()}})


@contextmanager
def replacement_of(path: Path) -> Iterator[BinaryIO]:
    """A temporary neighbour that takes the file's place at the end: readers see the old bytes or the new, never a part.

    It is its owner's alone (mode 0600), whatever the file before it was.
    """
    make_folder(path.parent)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        announce({path: Path(name)})
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document atomically, indented for people."""
    write_atomically(path, json_text(value))


def json_text(value: Any) -> str:
    """A JSON document as it stands in a file."""
    return harmless_json(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)) + "\n"


def read_json(path: Path) -> Any:
    """Read a JSON document that Fairhaven wrote.

    Raises:
        Invalid: the file is no JSON, so something else wrote to it or the disk lost a part.
    """
    try:
        return json.loads(read_plain(path))
    except (ValueError, RecursionError):
        raise damaged(path) from None


def damaged(path: Path) -> Invalid:
    """What is said of a file of the store that does not hold what Fairhaven wrote there."""
    return Invalid(f"{path} is damaged, so nothing can be built on it. Restore it from the hub's backup.")


_TORN = ".*.part"
_WORK = "work-"
_READERS_WORK = "fairhaven-work-"


@contextmanager
def scratch(parent: Path, *, prefix: str = _WORK) -> Iterator[Path]:
    """A private folder for work in progress, removed at the end; what a crash leaves is removed by `clear_scratch`.

    What a person could be known by is on the disk in it only as ciphertext whose key is lost with the process; files that are
    opened are in memory (`memory_files`).
    """
    parent.mkdir(parents=True, exist_ok=True)
    folder, descriptor = _held_folder(parent, prefix)
    try:
        yield folder
    finally:
        discard_below(folder)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _held_folder(parent: Path, prefix: str) -> tuple[Path, int]:
    """A new folder that is locked, so that others see that its maker lives."""
    while True:
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            if is_held(descriptor, folder):
                return folder, descriptor
            os.close(descriptor)


def is_in_scratch(path: Path) -> bool:
    """Whether a path leads into a folder for work in progress."""
    return any(part.startswith(_WORK) for part in path.parts)


@contextmanager
def readers_scratch() -> Iterator[Path]:
    """A private folder outside the store, for commands that only read: a writer's clearing does not reach it.

    What killed commands of the same account left there is removed first.
    """
    parent = Path(tempfile.gettempdir())
    with contextlib.suppress(NotPermitted):  # of a folder that one may only put something into nothing is known
        clear_scratch(parent, prefix=_READERS_WORK)
    with scratch(parent, prefix=_READERS_WORK) as folder:
        yield folder


def clear_scratch(parent: Path, *, prefix: str = _WORK) -> list[Path]:
    """Remove what killed processes of this account left behind, and give what it was; those of living ones are kept."""
    removed = []
    for folder in listed(parent, f"{prefix}*"):
        with left_behind(folder) as descriptor:
            if descriptor is not None and folder.is_dir():
                shutil.rmtree(folder, ignore_errors=True)
                removed.append(folder)
    return removed


def clear_torn(folder: Path) -> None:
    """Remove what a killed process left anywhere below; only while holding the lock of what is below.

    That is files that it had not yet renamed, and its folders for work in progress.
    """
    torn = listed_below(folder, _TORN, f"{_WORK}*")
    for path in torn:
        if fnmatchcase(path.name, _TORN):
            path.unlink(missing_ok=True)
    for parent in {path.parent for path in torn if path.name.startswith(_WORK)}:
        clear_scratch(parent)
