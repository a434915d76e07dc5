"""Content hashes of files of the store: what the ledger's entries carry, and what is compared with them."""

import hashlib
from collections.abc import Collection, Iterable
from pathlib import Path

from fairhaven.kernel.envelope import skip_header
from fairhaven.kernel.listing import listed_below


def content_hash(path: Path) -> str | None:
    """SHA-256 of a file, hex; None where there is none.

    Of a sealed file the header is left out: it holds the wrapped key of the file, which a change of the hub's wrapping
    key writes anew, while what is sealed stays as it was.
    """
    try:
        with path.open("rb") as file:
            skip_header(file)
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None


def content_hashes(store: Path, places: Iterable[Path], known: Collection[str] = ()) -> dict[str, str | None]:
    """Content hashes by path in the store, sorted.

    Args:
        places: files, there or not; a folder stands for every file below it that is there or known.
        known: paths in the store.
    """
    paths: set[str] = set()
    for place in places:
        path = place.relative_to(store).as_posix()
        below = {each for each in known if each.startswith(f"{path}/")}
        if place.is_dir():
            below |= {each.relative_to(store).as_posix() for each in listed_below(place) if not each.is_dir()}
        paths |= below or {path}
    return {path: content_hash(store / path) for path in sorted(paths)}
