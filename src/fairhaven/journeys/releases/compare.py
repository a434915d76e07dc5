"""How releases differ, and whether they are what was sealed."""

from collections.abc import Mapping
from contextlib import closing

from fairhaven.archive import Archive, Change, Problem, Release
from fairhaven.journeys.model import Rooms
from fairhaven.kernel.errors import NotFound
from fairhaven.kernel.files import readers_scratch
from fairhaven.kernel.progress import Progress


def compared(
    rooms: Rooms, older: str | None, newer: str | None, *, progress: Progress
) -> tuple[Release, Release, Mapping[str, Change]]:
    """How two releases differ, table by table; by default the latest and the one before it.

    Raises:
        NotFound: there are not two releases.
    """
    later = rooms.archive.release(newer)
    before = [release for release in rooms.archive.releases() if release.number < later.number]
    if older is None and not before:
        raise NotFound(f"{later.name} is the first release; there is nothing to compare it with yet")
    earlier = before[-1] if older is None else rooms.archive.release(older)
    progress.stage(f"Comparing {earlier.name} with {later.name}")
    with readers_scratch() as work, closing(rooms.new_engine(work)) as engine:
        return earlier, later, rooms.archive.diff(earlier, later, engine)


def verified(archive: Archive, name: str | None, *, progress: Progress) -> tuple[list[Release], list[Problem]]:
    """Recompute every hash of one release or of all; the ledger's chain as well."""
    problems = archive.verify(*([name] if name else []), progress=progress)
    return ([archive.release(name)] if name else archive.releases()), problems
