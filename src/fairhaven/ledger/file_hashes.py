"""Content hashes of files of the store: what the ledger's entries carry, and what is compared with them."""

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fairhaven.kernel.envelope import skip_header
from fairhaven.kernel.errors import Invalid
from fairhaven.kernel.files import Announced, announcing, is_in_scratch, json_text
from fairhaven.kernel.listing import listed_below
from fairhaven.kernel.plain_files import plain_file

NO_FILE = "no file"
"""In place of the content hash of a pipe, socket or device: no file has it."""


def content_hash(path: Path) -> str | None:
    """SHA-256 of a file, hex; None where there is none.

    Of a sealed file the header is left out: it holds the wrapped key of the file, which a change of the hub's wrapping
    key writes anew, while what is sealed stays as it was.
    """
    try:
        with plain_file(path) as file:
            skip_header(file)
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
    except Invalid:
        return NO_FILE


def hash_of_json(value: Any) -> str:
    """The content hash that the file of a JSON document will have (`files.write_json`)."""
    return hashlib.sha256(json_text(value).encode()).hexdigest()


@contextmanager
def hashes_as_written(store: Path) -> Iterator[Mapping[str, str | None]]:
    """Path in the store -> content hash of each file that takes its place meanwhile (`files.announcing`); None where one goes.

    What somebody else puts there is not among them.
    """
    written: dict[str, str | None] = {}
    with announcing(lambda files: written.update(hashes_of_ready(store, files))):
        yield written


def hashes_of_ready(
    store: Path, files: Announced, *, is_wanted: Callable[[str], bool] = lambda _: True
) -> dict[str, str | None]:
    """Content hashes of files that take their places next, by path in the store; work in progress is not meant.

    Args:
        is_wanted: whether the file of a path is; no other is read.
    """
    places = [path for path in files if path.is_relative_to(store) and not is_in_scratch(path.relative_to(store))]
    named = {path.relative_to(store).as_posix(): files[path] for path in places}
    return {path: content_hash(ready) if ready else None for path, ready in named.items() if is_wanted(path)}


def content_hashes(store: Path, places: Iterable[Path], known: Collection[str] = ()) -> dict[str, str | None]:
    """Content hashes by path in the store, sorted.

    Args:
        places: files, there or not; a folder stands for every file below it that is there or known.
        known: paths in the store.
    """
    ordered = sorted(known)
    paths: set[str] = set()
    for place in places:
        path = place.relative_to(store).as_posix()
        # "0" is what comes after "/".
        below = set(ordered[bisect_left(ordered, f"{path}/") : bisect_left(ordered, f"{path}0")])
        if place.is_dir():
            below |= {each.relative_to(store).as_posix() for each in listed_below(place) if not each.is_dir()}
        paths |= below or {path}
    return {path: content_hash(store / path) for path in sorted(paths)}
