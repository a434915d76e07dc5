"""Taking things in: an extract, a vocabulary."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from fairhaven.intake import Receipt
from fairhaven.journeys.hub_locks import Locked, holding
from fairhaven.journeys.model import Rooms
from fairhaven.kernel.codec import read_record, to_json
from fairhaven.kernel.errors import NotFound
from fairhaven.kernel.files import clear_torn, write_json
from fairhaven.kernel.keyring import SEALING
from fairhaven.kernel.progress import Progress
from fairhaven.kernel.version import code_version
from fairhaven.ledger import Actor, EventKind
from fairhaven.omop.vocabulary import Vocabulary, load_vocabulary

_LOADING = "loading.json"
"""In ``store/vocabulary`` while a vocabulary is loaded: who loads it."""


def receive_delivery(
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
        rooms.keyring.check(*SEALING)
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


def record_deliveries(rooms: Rooms, *, by: Actor) -> None:
    """Enter in the ledger every delivery that it does not know: a receive may end between its commit and its entry.

    Args:
        by: who is named for deliveries that do not say who received them.
    """
    known = {entry.facts["delivery"] for entry in rooms.ledger.entries() if entry.kind == EventKind.DELIVERY}
    for delivery in rooms.intake.deliveries():
        if delivery.number not in known:
            extracts = [
                extract for extract in rooms.intake.extracts(delivery.source) if extract.delivery == delivery.number
            ]
            files = [{"name": extract.file, "sha256": extract.sha256} for extract in extracts]
            facts = {"delivery": delivery.number, "source": delivery.source, "files": files}
            rooms.ledger.append_once(EventKind.DELIVERY, facts, by=delivery.by or by)


def take_vocabulary(rooms: Rooms, path: Path, *, by: Actor, progress: Progress) -> Vocabulary:
    """Load a vocabulary and make it the one that the next build uses; *path* may be another hub, whose own is taken."""
    if (path / "hub.toml").is_file():
        path = Vocabulary.open(path / "store" / "vocabulary").folder
    with holding(rooms, Locked.VOCABULARY, act="loading of a vocabulary", by=by, progress=progress):
        recover_vocabulary(rooms)
        write_json(rooms.store / "vocabulary" / _LOADING, to_json(by))
        try:
            return load_vocabulary(path, rooms.store / "vocabulary", limits=rooms.settings.expansion, progress=progress)
        finally:
            recover_vocabulary(rooms)


def recover_vocabulary(rooms: Rooms) -> None:
    """End a loading: where it changed the vocabulary in use the ledger says who did; the caller holds the vocabulary's lock."""
    root = rooms.store / "vocabulary"
    if (root / _LOADING).exists():
        if (root / "current.json").exists():
            facts = {"version": Vocabulary.open(root).version}
            rooms.ledger.append_change(EventKind.VOCABULARY, facts, by=read_record(root / _LOADING, Actor))
        (root / _LOADING).unlink()
    clear_torn(root)
