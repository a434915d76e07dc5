"""Taking things in: an extract, a vocabulary."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fairhaven.intake import Delivery, Extract, Receipt
from fairhaven.journeys.hub_locks import Locked, holding
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.store_files import (
    check_entered,
    check_erased,
    check_kept,
    erasure_record,
    files_of_deliveries,
    known_of_deliveries,
    landing_record,
    take_stock,
)
from fairhaven.kernel.codec import read_record, to_json
from fairhaven.kernel.errors import Fault, Invalid, NotFound
from fairhaven.kernel.files import clear_torn, write_json
from fairhaven.kernel.keyring import SEALING
from fairhaven.kernel.progress import Progress
from fairhaven.kernel.version import code_version
from fairhaven.ledger import Actor, EventKind, content_hash, content_hashes
from fairhaven.omop.vocabulary import Vocabulary, load_vocabulary

_LOADING = "loading.json"
"""In ``store/vocabulary`` while a vocabulary is loaded: who loads it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LandingAgain:
    """Extracts of a source that are landed again.

    Args:
        by: who builds.
    """

    source: str
    extracts: tuple[int, ...]
    by: Actor


def receive_delivery(
    rooms: Rooms,
    *,
    source: str,
    files: Sequence[Path],
    received_on: dt.date,
    today: dt.date,
    by: Actor,
    progress: Progress,
) -> Receipt:
    """Take delivery of the files as one delivery, and record it.

    Raises:
        NotFound: the hub has no such source, or a file is not there.
        Invalid: the delivery is dated after *today*, or an opt-out list after its delivery by its name; a file cannot be landed at all; every fault of every file. Nothing was taken.
    """
    if source not in rooms.sources:
        raise NotFound(
            f"there is no source {source}; this hub has {', '.join(rooms.sources) or 'none yet'}. "
            f"Describe it in sources/{source}.toml first."
        )
    if received_on > today:
        # It would stay the latest for too long, and an opt-out list would never grow too old.
        message = f"the delivery is dated {received_on}, and today is {today}. Give the day on which it came"
        raise Invalid(Fault(path=source, message=message))
    with holding(rooms, Locked.DELIVERIES, act="delivery", by=by, progress=progress):
        rooms.keyring.check(*SEALING)
        recover_deliveries(rooms, by=by)
        check_erased(rooms)
        if rooms.intake.may_reach_earlier(rooms.sources[source]):
            # Files that an erasure under way has changed are entered with it.
            if not erasure_record(rooms.store).exists():
                check_kept(rooms, files_of_deliveries(rooms, rooms.intake.extracts(source)))
            _note_landing_again(rooms, source, by=by)
        try:
            receipt = rooms.intake.receive(
                rooms.sources[source],
                files,
                received_on=received_on,
                vault=rooms.vault,
                progress=progress,
                code_version=code_version(),
                by=by,
                known=known_of_deliveries(rooms),
                enter=partial(_enter, rooms, by),
            )
        finally:
            record_landed_again(rooms)
        return receipt


def recover_deliveries(rooms: Rooms, *, by: Actor) -> None:
    """Finish and clear away what killed commands left of deliveries; the caller holds their lock.

    Args:
        by: who is named where stock is taken.

    Raises:
        Invalid: a delivery is not the ledger's, or one of the ledger's lost a file; nothing was cleared away.
    """
    check_entered(rooms)
    rooms.intake.recover(rooms.vault, known=known_of_deliveries(rooms))
    take_stock(rooms, Locked.DELIVERIES, by=by)
    record_landed_again(rooms)


def land_extracts_again(rooms: Rooms, sources: Iterable[str], *, by: Actor, progress: Progress) -> None:
    """Land again what must be, and enter it; the caller holds the deliveries.

    Raises:
        Invalid: extracts do not fit the new declaration; they are as they were, the others are landed again.
    """
    for source in sources:
        _note_landing_again(rooms, source, by=by)
        try:
            rooms.intake.land_again(rooms.sources[source], vault=rooms.vault, progress=progress)
        finally:
            record_landed_again(rooms)


def _note_landing_again(rooms: Rooms, source: str, *, by: Actor) -> None:
    """Say which extracts are about to be changed: what belongs to rows of erased patients goes from earlier ones as well."""
    declared = rooms.sources[source]
    extracts = (
        rooms.intake.extracts(source)
        if rooms.intake.may_reach_earlier(declared)
        else rooms.intake.to_land_again(declared)
    )
    changing = LandingAgain(source=source, extracts=tuple(extract.number for extract in extracts), by=by)
    write_json(landing_record(rooms.store), to_json(changing))


def record_landed_again(rooms: Rooms) -> None:
    """Enter in the ledger what was landed again: a build may end between that and its entry."""
    path = landing_record(rooms.store)
    if path.exists():
        done = read_record(path, LandingAgain)
        extracts = [extract for extract in rooms.intake.extracts(done.source) if extract.number in done.extracts]
        facts = {"source": done.source, "extracts": list(done.extracts)}
        places = [*files_of_deliveries(rooms, extracts), rooms.store / "erased"]
        rooms.ledger.append_changed(EventKind.LANDED_AGAIN, facts, places, by=done.by)
        path.unlink()


def _enter(rooms: Rooms, by: Actor, delivery: Delivery, extracts: Sequence[Extract], record: Path) -> None:
    """Enter a delivery in the ledger; what that has already (bytes that come again) was entered with its own hash.

    Args:
        record: where the delivery's record is until then.
    """
    kept = rooms.ledger.files()
    path, *places = files_of_deliveries(rooms, extracts)
    found = content_hashes(rooms.store, places)
    files = {place: digest for place, digest in found.items() if place not in kept}
    rooms.ledger.append(
        EventKind.DELIVERY,
        {
            "delivery": delivery.number,
            "source": delivery.source,
            "files": [{"name": extract.file, "sha256": extract.sha256} for extract in extracts],
        },
        by=by,
        files={path.relative_to(rooms.store).as_posix(): content_hash(record), **files},
    )


def take_vocabulary(rooms: Rooms, path: Path, *, by: Actor, progress: Progress) -> Vocabulary:
    """Load a vocabulary and make it the one that the next build uses; *path* may be another hub, whose own is taken."""
    if (path / "hub.toml").is_file():
        theirs = Vocabulary.open(path / "store" / "vocabulary")
        theirs.check()
        path = theirs.folder
    with holding(rooms, Locked.VOCABULARY, act="loading of a vocabulary", by=by, progress=progress):
        recover_vocabulary(rooms)
        take_stock(rooms, Locked.VOCABULARY, by=by)
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
            loaded = Vocabulary.open(root)
            facts = {"version": loaded.version, "digest": loaded.digest}
            files = rooms.ledger.changed([loaded.folder, root / "current.json"])
            last = [entry.facts for entry in rooms.ledger.entries_of(EventKind.VOCABULARY)[-1:]]
            if files or last != [facts]:  # also where what was damaged of the same one is as it was loaded again
                rooms.ledger.append(EventKind.VOCABULARY, facts, by=read_record(root / _LOADING, Actor), files=files)
        (root / _LOADING).unlink()
    clear_torn(root)
