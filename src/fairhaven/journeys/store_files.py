"""Whether the files of the store are those that were written: checked before they are used, and taken stock of once.

The ledger's entries carry the content hash of every file that an act wrote, and manifests those of the rows. What an act
under way has changed is known by its notes (`ledger.journal`), which recovery enters; what lies on the disk it never enters.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fairhaven.intake import Extract, Format
from fairhaven.journeys.hub_locks import Locked
from fairhaven.journeys.hub_places import part_of, remedy
from fairhaven.journeys.model import Rooms
from fairhaven.kernel.errors import Fault, Invalid, NotAllowedNow, check_faults
from fairhaven.kernel.listing import listed
from fairhaven.ledger import Actor, EventKind, Journal, content_hash, content_hashes
from fairhaven.omop.vocabulary import Vocabulary

_FINISHED_BY: Mapping[Locked, EventKind] = {
    Locked.DELIVERIES: EventKind.DELIVERY,
    Locked.RELEASES: EventKind.RELEASE,
    Locked.VOCABULARY: EventKind.VOCABULARY,
}


def erasure_journal(rooms: Rooms) -> Journal:
    """The notes of an erasure that was decided, until it has ended: whose it is, and what it has changed outside the archive."""
    return rooms.ledger.journal("erasing.json")


def landing_journal(rooms: Rooms) -> Journal:
    """The notes of a command that changes extracts which the ledger has: it lands them again, or takes erased rows out."""
    return rooms.ledger.journal("landing-again.json")


def kept_files(rooms: Rooms) -> Mapping[str, str]:
    """What the store must hold: path -> content hash, as the ledger says, and notes of acts under way say after it."""
    kept = rooms.ledger.files()
    for journal in _open_journals(rooms):
        kept = journal.applied_to(kept)
    return kept


def settle_notes(rooms: Rooms) -> None:
    """Finish what a killed act was putting in its place, and bring its notes into agreement with what it had done.

    The caller holds the deliveries.

    Raises:
        Invalid: notes are not this hub's, or what stands ready is not what they say.
    """
    rooms.intake.finish_swaps(known=known_of_deliveries(rooms))
    kept = rooms.ledger.files()
    for journal in _open_journals(rooms):
        journal.settle(kept)
        kept = journal.applied_to(kept)


def _open_journals(rooms: Rooms) -> list[Journal]:
    # In this order: extracts that an erasure was killed in may be changed by a receive, and not the other way round.
    journals = (erasure_journal(rooms), landing_journal(rooms))
    return [journal for journal in journals if _is_readable(journal)]


def _is_readable(journal: Journal) -> bool:
    """Whether there are notes that whoever asks may read; whoever may only read releases is not told who is erased."""
    try:
        return journal.has_notes()
    except PermissionError:
        return False


def check_kept(rooms: Rooms, places: Iterable[Path]) -> None:
    """Refuse to go on with files that are not those that were written.

    Args:
        places: files, and folders for all that is or should be in them.

    Raises:
        Invalid: every file that was altered, that is missing, or that the ledger does not know.
    """
    kept = kept_files(rooms)
    found = content_hashes(rooms.store, places, kept)
    check_faults([fault for path, digest in found.items() for fault in _faults(path, digest, kept.get(path))])


def check_written(rooms: Rooms, files: Mapping[str, str | None]) -> None:
    """Refuse to enter files that are not those that were written. Raises as `check_kept`.

    Args:
        files: path in the store -> content hash, as the notes of the act say; None for what it removed.
    """
    check_faults(
        [fault for path, wanted in files.items() for fault in _faults(path, content_hash(rooms.store / path), wanted)]
    )


def check_read(rooms: Rooms, places: Iterable[Path]) -> None:
    """The same for whoever only reads, and holds no lock; what no stock was taken of yet, in a hub of before, is read as it is.

    Raises:
        Invalid: as `check_kept`.
        NotAllowedNow: what is read is being written anew.
    """
    held_by = {place: part_of(place.relative_to(rooms.store).as_posix()) for place in places}
    things = {thing for thing in set(held_by.values()) if is_known(rooms, thing)}
    known = [place for place, thing in held_by.items() if thing in things]
    kept_files(rooms)  # notes that are not this hub's are told as such
    try:
        check_kept(rooms, known)
    except Invalid:
        if erasure_journal(rooms).is_open() or landing_journal(rooms).is_open():
            raise NotAllowedNow(
                "what was received is being written anew, because a person is erased or a source was declared otherwise. Run the "
                "command again when that has ended; if it was killed, the next `fairhaven build` ends it first."
            ) from None
        raise


def check_vocabulary(rooms: Rooms, vocabulary: Vocabulary) -> None:
    """Refuse to read a vocabulary whose files, and what is said of them beside them, are not those that were loaded.

    Raises:
        Invalid: they are not.
    """
    if is_known(rooms, Locked.VOCABULARY):
        check_kept(rooms, [vocabulary.folder])
    else:  # in a hub of before only the digest that it says of itself can be compared
        vocabulary.check()


def check_erased(rooms: Rooms) -> None:
    """Refuse to go on where it is not known for certain who was erased."""
    check_kept(rooms, [rooms.store / "erased"])


def check_deliveries(rooms: Rooms, extracts: Iterable[Extract], *, stale: Iterable[int] = ()) -> None:
    """The same for the records of deliveries, and for what is read of extracts: landed or sealed files, identity records, who was erased.

    Args:
        stale: numbers of extracts whose landed files are not read.
    """
    extracts = list(extracts)
    read = rooms.intake.places_read(extracts, stale=frozenset(stale))
    check_kept(rooms, [*who_was_received(rooms, extracts), *read])
    check_erased(rooms)


def who_was_received(rooms: Rooms, extracts: Iterable[Extract]) -> list[Path]:
    """Records of all deliveries and the identity records of extracts."""
    identities = rooms.vault.files([each.number for each in extracts if each.format is not Format.OPT_OUT])
    # Of every delivery, because one whose record was altered may name none of its extracts.
    records = [rooms.store / path for path in rooms.ledger.files() if path.startswith("deliveries/")]
    return [*records, *identities]


def files_of_deliveries(rooms: Rooms, extracts: Iterable[Extract]) -> list[Path]:
    """Files and folders that receiving, landing again or erasing writes of extracts."""
    extracts = list(extracts)
    return [
        *rooms.intake.places_written(extracts),
        *rooms.vault.files([extract.number for extract in extracts]),
    ]


def known_of_deliveries(rooms: Rooms) -> Mapping[str, str | None]:
    """Paths in the store of all files of deliveries that the ledger or an act under way has -> content hash, None where that
    is not known.

    Entries of before they carried hashes say of a delivery its number and the SHA-256 of its files, by which these are named.
    """
    entered = rooms.ledger.entries_of(EventKind.DELIVERY)
    records = {f"deliveries/{entry.facts['delivery']:06d}.json" for entry in entered}
    before = [entry.facts for entry in entered if not entry.files]
    sealed = {f"received/{file['sha256']}.sealed" for facts in before for file in facts.get("files", ())}
    hashed = {path: digest for path, digest in kept_files(rooms).items() if part_of(path) is Locked.DELIVERIES}
    return {**dict.fromkeys(records | sealed), **hashed}


def entered_records(rooms: Rooms) -> Mapping[int, Any]:
    """Number of a delivery -> its record as the ledger has it; of deliveries that earlier versions entered there is none."""
    entered = [entry.facts for entry in rooms.ledger.entries_of(EventKind.DELIVERY)]
    return {facts["delivery"]: facts["record"] for facts in entered if "record" in facts}


def check_entered(rooms: Rooms) -> None:
    """Refuse the record of a delivery that the ledger does not have: a receive enters it before its record has this place.

    Raises:
        Invalid: every one.
    """
    known = known_of_deliveries(rooms)
    found = [path.relative_to(rooms.store).as_posix() for path in listed(rooms.store / "deliveries", "*.json")]
    message = "says that a delivery was received, and the ledger has none of this number. Remove it, and receive what is missing again."
    check_faults([Fault(path=path, message=message) for path in found if path not in known])


def take_stock(rooms: Rooms, thing: Locked, *, by: Actor) -> None:
    """Enter what is there in a hub of before entries carried hashes, once; the caller holds the lock of the thing.

    Where no entry says that anything was finished, what is there was left by a command that was killed.
    """
    is_finished = bool(rooms.ledger.entries_of(_FINISHED_BY[thing]))
    # Without any release there is the index of persons alone to take stock of.
    is_alone = thing is Locked.RELEASES and not rooms.archive.manifests()
    if (is_finished or is_alone) and not is_known(rooms, thing):
        if thing is Locked.RELEASES:  # of the index that belongs to the last release
            rooms.vault.accept_index(published=len(rooms.archive.seals()))
        rooms.ledger.append_changed(EventKind.STOCK_TAKEN, {"of": thing.value}, _places(rooms, thing), by=by)


def is_known(rooms: Rooms, thing: Locked | None) -> bool:
    """Whether the ledger has hashes of files of a thing."""
    return any(part_of(path) is thing for path in rooms.ledger.as_read().files)


def _faults(path: str, found: str | None, wanted: str | None) -> Iterator[Fault]:
    if wanted is None and found is not None:
        yield Fault(
            path=path, message="is not known to the ledger: something other than Fairhaven put it there. Remove it."
        )
    elif found is None and wanted is not None:
        yield Fault(path=path, message=f"is missing. {remedy(path)}")
    elif found != wanted:
        yield Fault(path=path, message=f"was altered: its hash is not the one in the ledger. {remedy(path)}")


def _places(rooms: Rooms, thing: Locked) -> list[Path]:
    match thing:
        case Locked.DELIVERIES:
            return [*files_of_deliveries(rooms, rooms.intake.extracts()), rooms.store / "erased"]
        case Locked.RELEASES:
            return [*rooms.archive.places(), rooms.vault.index_file()]
        case Locked.VOCABULARY:
            return [rooms.store / "vocabulary"]


def is_of_deliveries(path: str) -> bool:
    """Whether a file of the store is one that deliveries consist of, in its place."""
    return part_of(path) is Locked.DELIVERIES and ".making/" not in path
