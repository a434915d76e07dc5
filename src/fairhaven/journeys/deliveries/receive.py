"""Taking things in: an extract, a vocabulary."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from fairhaven.intake import Receipt
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.recovery import record_deliveries
from fairhaven.kernel.errors import NotFound
from fairhaven.kernel.progress import Progress
from fairhaven.kernel.version import code_version
from fairhaven.ledger import Actor, EventKind
from fairhaven.omop.vocabulary import Vocabulary, load_vocabulary


def receive(rooms: Rooms, *, source: str, files: Sequence[Path], on: dt.date, by: Actor, progress: Progress) -> Receipt:
    """Take delivery of the files as one delivery, and record it.

    Raises:
        NotFound: the hub has no such source, or a file is not there.
        Invalid: a file cannot be landed at all; every fault of every file. Nothing was taken.
    """
    if source not in rooms.sources:
        raise NotFound(
            f"there is no source {source}; this hub has {', '.join(rooms.sources) or 'none yet'}. "
            f"Describe it in sources/{source}.toml first."
        )
    receipt = rooms.intake.receive(
        rooms.sources[source],
        files,
        at=on,
        vault=rooms.vault,
        progress=progress,
        code_version=code_version(),
        by=by,
    )
    record_deliveries(rooms, by=by)
    return receipt


def take_vocabulary(rooms: Rooms, path: Path, *, by: Actor, progress: Progress) -> Vocabulary:
    """Load a vocabulary and make it the one that the next build uses; *path* may be another hub, whose own is taken."""
    if (path / "hub.toml").is_file():
        path = Vocabulary.open(path / "store" / "vocabulary").folder
    vocabulary = load_vocabulary(path, rooms.store / "vocabulary", progress=progress)
    rooms.ledger.append_change(EventKind.VOCABULARY, {"version": vocabulary.version}, by=by)
    return vocabulary
