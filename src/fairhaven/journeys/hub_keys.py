"""A hub's keys: whether they are the right ones and open what is sealed, and how they are rotated.

A rotation makes new wrapping keys and wraps the key of each sealed file again, in the file's header; no content is read
or written. It is decided when ``store/keys/rotating.json`` is there, which holds every new header: from then on it is
only carried out, as often as needed, by `fairhaven keys rotate`. Until that has ended the keys refuse every other use.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fairhaven.journeys.hub_locks import Locked, holding
from fairhaven.journeys.hub_places import STORE
from fairhaven.journeys.hub_records import make_records
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.store_files import erasure_journal
from fairhaven.kernel.codec import read_record, to_json
from fairhaven.kernel.envelope import Envelope, write_wrapped
from fairhaven.kernel.errors import FairhavenError, Fault, Invalid, NotAllowedNow, check_faults
from fairhaven.kernel.files import sync, write_json
from fairhaven.kernel.ids import check_value
from fairhaven.kernel.keyring import ROTATING, WRAPPING, Keyring, Purpose
from fairhaven.kernel.listing import listed_below
from fairhaven.kernel.progress import Progress
from fairhaven.ledger import Actor, Entry, EventKind, Ledger

_KINDS = (EventKind.HUB_MADE, EventKind.KEYS_ROTATED)


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyRotation:
    """A rotation that was decided: ``store/keys/rotating.json`` holds it until it has ended.

    Args:
        by: who decided it, whoever finishes it.
        checks: purpose -> check value of the key that will be in use.
        wrapped: sealed file, from the store -> its key under the new wrapping key, hex.
    """

    by: Actor
    checks: Mapping[str, str]
    wrapped: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class RotatedKeys:
    """What a rotation did.

    Args:
        renewed: purposes whose keys are new.
        kept: purposes whose keys are as they were, because what was made with them stays.
        files: sealed files whose key was wrapped again.
        is_finished: an interrupted rotation was finished, and no other begun.
        entry: number of the ledger's entry.
    """

    renewed: tuple[Purpose, ...]
    kept: tuple[Purpose, ...]
    files: int
    is_finished: bool
    entry: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedKeys:
    """What the keys of a hub are.

    Args:
        keys: purpose -> the file that has its key.
        is_split: false in a hub of before, where one file serves several purposes.
        files: sealed files whose key opens.
        faults: what is wrong, each with what to do.
    """

    keys: Mapping[Purpose, Path]
    is_split: bool
    files: int
    faults: tuple[Fault, ...]


def make_keys(store: Path, *, by: Actor, secret: bytes | None = None) -> None:
    """Make the keys of a new hub and its database, and enter in its ledger what the keys are known by; what is there already is kept.

    Args:
        store: the hub's store.
        secret: see `Keyring.create`.
    """
    keyring = Keyring.create(store / "keys", secret=secret)
    facts = {"keys": keyring.check_values()}
    database = make_records(store)
    Ledger(store, database=lambda: database, signer=keyring.record).begin(facts, by=by)
    database.close()


def recorded_checks(entries: Iterable[Entry]) -> Mapping[str, str]:
    """The check values of the hub's keys as the ledger last recorded them, by purpose; none in a hub of before.

    Args:
        entries: of the ledger as it is found (`Ledger.as_found`): its head is known by one of these keys, so nothing was looked at yet.
    """
    found: Mapping[str, str] = {}
    for entry in entries:
        if entry.kind in _KINDS:
            found = entry.facts.get("keys", found)
    return found


def check_keys(rooms: Rooms, *, progress: Progress) -> CheckedKeys:
    """Read every key, compare it with what ``keys.json`` and the ledger know of it, and open the header of every sealed file."""
    keyring = rooms.keyring
    faults: list[Fault] = []
    keys = {purpose: keyring.path(purpose) for purpose in Purpose}
    files = 0
    for purpose in Purpose:
        try:
            keyring.check(purpose)
        except FairhavenError as error:
            faults.append(Fault(message=str(error), field=purpose))
            continue
        if purpose in WRAPPING:
            opened, broken = _wrapped(rooms, purpose, rooms.keyring.envelope(purpose), progress)
            files += len(opened)
            faults += broken
    if not faults and not keyring.has_public_half():
        faults.append(
            Fault(message="record.pub is not the public half of record.key; restore it", field=Purpose.RECORD)
        )
    is_split = len(set(keys.values())) == len(Purpose)
    return CheckedKeys(keys=keys, is_split=is_split, files=files, faults=tuple(faults))


def rotate_keys(rooms: Rooms, *, by: Actor, progress: Progress) -> RotatedKeys:
    """Give the vault and the deliveries new keys, and a hub of before a key for each purpose; finish what was interrupted.

    Raises:
        NotFound, NotAllowedNow: as `Keyring.check`.
        Invalid: a key is not the hub's, or sealed files do not open; all of them are named, and nothing was changed.
    """
    with holding(rooms, Locked.RELEASES, Locked.DELIVERIES, act="rotation of keys", by=by, progress=progress):
        place = rooms.keyring.folder / ROTATING
        is_finished = place.exists()
        if not is_finished:
            _check_nothing_unsigned(rooms)
            decided = _decided(rooms, by, progress)
            write_json(place, to_json(decided))
        rotation = read_record(place, KeyRotation)
        progress.stage("Wrapping the keys of sealed files")
        for number, (path, wrapped) in enumerate(rotation.wrapped.items(), start=1):
            write_wrapped(rooms.store / path, bytes.fromhex(wrapped))
            progress.advance(number, len(rotation.wrapped), "files")
        rooms.keyring.accept(rotation.checks)
        entry = rooms.ledger.append_once(EventKind.KEYS_ROTATED, {"keys": rotation.checks}, by=rotation.by)
        place.unlink()
        sync(place.parent)
    return RotatedKeys(
        renewed=WRAPPING,
        kept=tuple(purpose for purpose in Purpose if purpose not in WRAPPING),
        files=len(rotation.wrapped),
        is_finished=is_finished,
        entry=entry.number,
    )


def _check_nothing_unsigned(rooms: Rooms) -> None:
    """Refuse to begin a signed head over notes that no longer count from then on: an erasure would not be ended."""
    erasures = (erasure_journal(rooms), rooms.archive.erasure_notes)
    if any(journal.before() is not None for journal in erasures):
        raise NotAllowedNow(
            "an erasure that an earlier version began was cut short; nothing was done. `fairhaven build` finishes it; then "
            "rotate the keys."
        )


def _decided(rooms: Rooms, by: Actor, progress: Progress) -> KeyRotation:
    keys = rooms.keyring.next_keys()
    wrapped: dict[str, str] = {}
    faults: list[Fault] = []
    for purpose in WRAPPING:
        found, broken = _wrapped(rooms, purpose, Envelope(partial(keys.__getitem__, purpose)), progress)
        wrapped |= found
        faults += broken
    check_faults(faults)
    rooms.keyring.propose(keys)
    checks = {purpose.value: check_value(key, purpose) for purpose, key in keys.items()}
    return KeyRotation(by=by, checks=checks, wrapped=wrapped)


def _wrapped(rooms: Rooms, purpose: Purpose, under: Envelope, progress: Progress) -> tuple[dict[str, str], list[Fault]]:
    """The key of each sealed file of a purpose, wrapped by another key; and the files that do not open."""
    folders = [place.path for place in STORE if place.sealed_for is purpose and "/" not in place.path]
    files = [file for folder in folders for file in listed_below(rooms.store / folder, "*.sealed")]
    found: dict[str, str] = {}
    faults: list[Fault] = []
    progress.stage(f"Opening the headers of sealed files: {purpose}")
    for number, path in enumerate(files, start=1):
        try:
            found[str(path.relative_to(rooms.store))] = rooms.keyring.envelope(purpose).wrap_again(path, under).hex()
        except Invalid as error:
            faults += error.faults
        progress.advance(number, len(files), "files")
    return found, faults
