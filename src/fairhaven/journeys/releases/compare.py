"""How releases differ, and whether they are what was sealed."""

from collections.abc import Mapping
from contextlib import closing

from fairhaven.archive import Change, Problem, Release
from fairhaven.journeys.model import Rooms
from fairhaven.kernel.errors import NotFound
from fairhaven.kernel.files import readers_scratch
from fairhaven.kernel.progress import Progress


def pair(rooms: Rooms, older: str | None, newer: str | None) -> tuple[Release, Release]:
    """Two releases to compare; by default the latest and the one before it.

    Raises:
        NotFound: there are not two releases.
    """
    later = rooms.archive.release(newer)
    if older is not None:
        return rooms.archive.release(older), later
    earlier = [release for release in rooms.archive.releases() if release.number < later.number]
    if not earlier:
        raise NotFound(f"{later.name} is the first release; there is nothing to compare it with yet")
    return earlier[-1], later


def compared(
    rooms: Rooms, older: str | None, newer: str | None, *, progress: Progress
) -> tuple[Release, Release, Mapping[str, Change]]:
    """How two releases differ, table by table."""
    earlier, later = pair(rooms, older, newer)
    progress.stage(f"Comparing {earlier.name} with {later.name}")
    with readers_scratch() as work, closing(rooms.new_engine(work)) as engine:
        return earlier, later, rooms.archive.diff(earlier, later, engine)


def verified(rooms: Rooms, name: str | None, *, progress: Progress) -> tuple[list[Release], list[Problem]]:
    """Recompute every hash of one release or of all; the ledger's chain as well."""
    problems = rooms.archive.verify(*([name] if name else []), progress=progress)
    return ([rooms.archive.release(name)] if name else rooms.archive.releases()), problems
