"""Taking things in: an extract, a vocabulary."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from fairhaven.intake import Receipt
from fairhaven.journeys.hub_locks import Locked, holding
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.recovery import LOADING, record_deliveries, recover_vocabulary
from fairhaven.kernel.errors import NotFound
from fairhaven.kernel.files import write_json
from fairhaven.kernel.progress import Progress
from fairhaven.kernel.version import code_version
from fairhaven.ledger import Actor
from fairhaven.omop.vocabulary import Vocabulary, load_vocabulary


def receive(
    rooms: Rooms, *, source: str, files: Sequence[Path], received_on: dt.date, by: Actor, progress: Progress
) -> Receipt:
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
    with holding(rooms, Locked.DELIVERIES, act="delivery", by=by, progress=progress):
        receipt = rooms.intake.receive(
            rooms.sources[source],
            files,
            received_on=received_on,
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
    with holding(rooms, Locked.VOCABULARY, act="loading of a vocabulary", by=by, progress=progress):
        recover_vocabulary(rooms)
        write_json(rooms.store / "vocabulary" / LOADING, by.as_json())
        try:
            return load_vocabulary(path, rooms.store / "vocabulary", progress=progress)
        finally:
            recover_vocabulary(rooms)
