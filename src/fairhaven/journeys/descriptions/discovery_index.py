"""The discovery index of a release, found as it is kept or made; and what else describes a release, entered in the ledger.

What describes a release can be made again, so where it is not as it was written it counts as not there.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from fairhaven.archive import Release
from fairhaven.cohort import DiscoveryIndex
from fairhaven.cohort.engines.bitmap_index.storage import MANIFEST
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.open_release import open_release
from fairhaven.kernel.errors import Invalid, NotFound
from fairhaven.kernel.progress import Progress
from fairhaven.ledger import Actor, EventKind, content_hashes

_INDEX = "discovery"


def is_as_written(rooms: Rooms, files: Iterable[Path]) -> bool:
    """Whether the files are those that the ledger has; what it does not know, somebody may have put there."""
    kept = rooms.ledger.files()
    found = content_hashes(rooms.store, files)
    return all(kept.get(path) == digest for path, digest in found.items())


def record_description(rooms: Rooms, release: Release, written: Mapping[str, str | None], *, by: Actor) -> None:
    """Enter in the ledger what was written to describe a release, where it is other than that says.

    Args:
        written: path in the store -> content hash, as of `hashes_as_written`: what else lies there is not entered.
    """
    folder = rooms.archive.inside(rooms.archive.description(release.number))
    mine = {path: digest for path, digest in written.items() if path.startswith(f"{folder}/")}
    if files := rooms.ledger.not_entered(mine):
        rooms.ledger.append(EventKind.DESCRIPTION, {"release": release.name}, by=by, files=files)


def index_manifest(rooms: Rooms, release: Release) -> Path:
    """The file of a release's index that says what the others are."""
    return rooms.archive.description(release.number) / _INDEX / MANIFEST


def kept_index(rooms: Rooms, release: Release) -> DiscoveryIndex | None:
    """The index of a release as it is now; None where there is none, or one of rows that have been erased since."""
    manifest = index_manifest(rooms, release)
    # The index's manifest holds the hashes of its other files, which are compared as they are read.
    if not is_as_written(rooms, [manifest]):
        return None
    try:
        index = DiscoveryIndex.open(manifest.parent)
    except (NotFound, Invalid):
        return None
    return index if index.release == release.content else None


def make_index(rooms: Rooms, release: Release, *, progress: Progress) -> DiscoveryIndex:
    """Make the discovery index of a release, unless it is there; the caller holds the lock of the releases."""
    if (index := kept_index(rooms, release)) is not None:
        return index
    folder = rooms.archive.description(release.number) / _INDEX
    with open_release(rooms, release.name) as opened:
        return DiscoveryIndex.build(opened.tables, opened.engine, folder, release=release.content, progress=progress)
