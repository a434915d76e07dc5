"""Taking things in: an extract, a vocabulary."""

import datetime as dt
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from fairhaven.intake import Extract, Receipt
from fairhaven.journeys.hub_locks import Locked, holding
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.store_files import (
    check_entered,
    check_erased,
    check_kept,
    check_written,
    entered_records,
    files_of_deliveries,
    is_of_deliveries,
    kept_files,
    known_of_deliveries,
    landing_journal,
    settle_notes,
    take_stock,
)
from fairhaven.kernel.errors import Fault, Invalid, NotFound
from fairhaven.kernel.files import clear_torn
from fairhaven.kernel.keyring import SEALING
from fairhaven.kernel.progress import Progress
from fairhaven.kernel.version import code_version
from fairhaven.ledger import Actor, EventKind, Journal, content_hash, content_hashes, hash_of_json
from fairhaven.omop.vocabulary import Vocabulary, load_vocabulary

_LOADING = "vocabulary/loading.json"
"""In the store while a vocabulary is loaded."""
_POINTER = "vocabulary/current.json"
"""Says which vocabulary is in use."""
_OF_AN_EXTRACT = re.compile(r"(?:landing|vault/identity)/(\d+)")
"""A path of what belongs to one extract, with its number."""


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
        known = known_of_deliveries(rooms)
        # What is new is entered with the delivery; what is changed with it, of earlier ones, by its notes.
        with _landing(rooms, source, by=by, is_mine=rooms.intake.is_earlier(known)):
            return rooms.intake.receive(
                rooms.sources[source],
                files,
                received_on=received_on,
                vault=rooms.vault,
                progress=progress,
                code_version=code_version(),
                by=by,
                known=known,
                enter=partial(_enter, rooms, by),
                check_earlier=lambda extracts: check_kept(rooms, files_of_deliveries(rooms, extracts)),
            )


def recover_deliveries(rooms: Rooms, *, by: Actor) -> None:
    """Finish and clear away what killed commands left of deliveries; the caller holds their lock.

    Args:
        by: who is named where stock is taken.

    Raises:
        Invalid: a delivery is not the ledger's, or one of the ledger's lost a file; nothing was cleared away.
    """
    check_entered(rooms)
    rooms.intake.write_missing_records(entered_records(rooms))
    settle_notes(rooms)
    rooms.intake.recover(rooms.vault, known=known_of_deliveries(rooms))
    take_stock(rooms, Locked.DELIVERIES, by=by)
    _record_landed_again(rooms)


def land_extracts_again(
    rooms: Rooms, sources: Iterable[str], *, by: Actor, progress: Progress, also: Collection[int] = ()
) -> None:
    """Land again what must be, and enter it; the caller holds the deliveries.

    Args:
        also: numbers of extracts of which more is known to be withheld than when they landed.

    Raises:
        Invalid: extracts do not fit the new declaration; they are as they were, the others are landed again.
    """
    for source in sources:
        with _landing(rooms, source, by=by, is_mine=is_of_deliveries):
            rooms.intake.land_again(rooms.sources[source], vault=rooms.vault, progress=progress, also=also)


@contextmanager
def _landing(rooms: Rooms, source: str, *, by: Actor, is_mine: Callable[[str], bool]) -> Iterator[None]:
    """Note what is changed of a source's extracts, and enter it at the end, also where that came by a fault."""
    try:
        with landing_journal(rooms).writing({"source": source}, by=by, is_mine=is_mine):
            yield
    finally:
        _record_landed_again(rooms)


def _record_landed_again(rooms: Rooms) -> None:
    """Enter in the ledger what was landed again, as its notes say; whoever did it may have been killed."""
    journal = landing_journal(rooms)
    if not journal.is_open():
        return
    settle_notes(rooms)
    first, *_ = journal.notes()
    files = rooms.ledger.not_entered(journal.files())
    if files and first.actor:
        extracts = sorted({int(found[1]) for path in files if (found := _OF_AN_EXTRACT.match(path))})
        facts = {**first.facts, "extracts": extracts}
        rooms.ledger.append(EventKind.LANDED_AGAIN, facts, by=first.actor, files=files)
    journal.end()


def _enter(rooms: Rooms, by: Actor, extracts: Sequence[Extract], record: Mapping[str, Any]) -> None:
    """Enter a delivery in the ledger; what that has already (bytes that come again) was entered with its own hash.

    Args:
        record: of the delivery, as JSON has it; it is written when it is entered.
    """
    kept = kept_files(rooms)
    path, *places = files_of_deliveries(rooms, extracts)
    found = content_hashes(rooms.store, places)
    files = {place: digest for place, digest in found.items() if place not in kept}
    rooms.ledger.append(
        EventKind.DELIVERY,
        {
            "delivery": record["number"],
            "source": record["source"],
            "files": [{"name": extract.file, "sha256": extract.sha256} for extract in extracts],
            "record": record,
        },
        by=by,
        files={path.relative_to(rooms.store).as_posix(): hash_of_json(record), **files},
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
        try:
            with _loading_journal(rooms).writing({}, by=by, is_mine=_is_of_vocabulary):
                return load_vocabulary(path, _root(rooms), limits=rooms.settings.expansion, progress=progress)
        finally:
            recover_vocabulary(rooms)


def recover_vocabulary(rooms: Rooms) -> None:
    """End a loading: where it changed the vocabulary in use the ledger says who did; the caller holds the vocabulary's lock.

    Raises:
        Invalid: the vocabulary is not as the loading wrote it.
    """
    journal, root = _loading_journal(rooms), _root(rooms)
    if journal.is_open():
        _record_loaded(rooms, journal)
        journal.end()
    clear_torn(root)


def _record_loaded(rooms: Rooms, journal: Journal) -> None:
    first, *_ = notes = journal.notes()
    # The pointer to the vocabulary in use comes last; a loading that was killed before it changed nothing that is used.
    pointers = [note.files[_POINTER] for note in notes if _POINTER in note.files]
    files = rooms.ledger.not_entered(journal.files())
    if files and first.actor and content_hash(rooms.store / _POINTER) in pointers:
        check_written(rooms, files)
        loaded = Vocabulary.open(_root(rooms))
        facts = {"version": loaded.version, "digest": loaded.digest}
        rooms.ledger.append(EventKind.VOCABULARY, facts, by=first.actor, files=files)


def _loading_journal(rooms: Rooms) -> Journal:
    return rooms.ledger.journal(_LOADING)


def _is_of_vocabulary(path: str) -> bool:
    return path.startswith("vocabulary/") and path != _LOADING


def _root(rooms: Rooms) -> Path:
    return rooms.store / "vocabulary"
