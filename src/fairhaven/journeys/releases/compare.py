"""How releases differ, and whether they are what was sealed."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from fairhaven.archive import Change, Problem, Release
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


def verified(
    rooms: Rooms, name: str | None, *, checkpoint: Path | None, progress: Progress
) -> tuple[list[Release], list[Problem]]:
    """Recompute every hash of one release or of all; the ledger's chain and its signed head as well.

    Args:
        checkpoint: a signed head of this ledger that was kept elsewhere; None for none.

    Raises:
        NotFound: there is no such release or no such file.
    """
    if checkpoint and not checkpoint.is_file():
        raise NotFound(f"there is no file {checkpoint}")
    archive = rooms.archive
    names = [name] if name else []
    problems = archive.verify(*names, progress=progress)
    if not rooms.ledger.verify():
        faults = [
            fault for path in (None, *([checkpoint] if checkpoint else [])) for fault in rooms.ledger.head_faults(path)
        ]
        problems += [Problem(path=fault.path, message=fault.message) for fault in faults]
    return archive.readable_releases(*names), problems
