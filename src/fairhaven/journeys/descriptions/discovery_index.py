"""The discovery index of a release: found as it is kept, or made."""

from fairhaven.archive import Archive, Release
from fairhaven.cohort import DiscoveryIndex
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.open_release import open_release
from fairhaven.kernel.errors import Invalid, NotFound
from fairhaven.kernel.progress import Progress

_INDEX = "discovery"


def kept_index(archive: Archive, release: Release) -> DiscoveryIndex | None:
    """The index of a release as it is now; None where there is none, or one of rows that have been erased since."""
    try:
        index = DiscoveryIndex.open(archive.description(release.number) / _INDEX)
    except (NotFound, Invalid):
        return None
    return index if index.release == release.content else None


def make_index(rooms: Rooms, release: Release, *, progress: Progress) -> DiscoveryIndex:
    """Make the discovery index of a release, unless it is there; the caller holds the lock of the releases."""
    if (index := kept_index(rooms.archive, release)) is not None:
        return index
    folder = rooms.archive.description(release.number) / _INDEX
    with open_release(rooms, release.name) as opened:
        return DiscoveryIndex.build(opened.tables, opened.engine, folder, release=release.content, progress=progress)
