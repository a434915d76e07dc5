"""A scrub of the whole store: every file is read and compared with what the ledger or a manifest says of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fairhaven.journeys.hub_locks import Locked
from fairhaven.journeys.hub_places import NOTES, STORE, part_of, place_of, remedy
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.store_files import is_known
from fairhaven.kernel.errors import FairhavenError, Invalid
from fairhaven.kernel.keyring import Purpose
from fairhaven.kernel.listing import listed_below
from fairhaven.kernel.progress import Progress
from fairhaven.ledger import content_hash

_UNKNOWN = "If no command is running, remove it."


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreProblem:
    """A file that is not as it was written.

    Args:
        path: in the store.
        message: what is wrong.
        remedy: what to do.
    """

    path: str
    message: str
    remedy: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreVerification:
    """What came of a scrub.

    Args:
        files: how many files were read.
        without_stock: what was written before the ledger kept hashes (`releases`, `deliveries`, `vocabulary`).
        outside: what is there and is not compared -> why.
    """

    files: int
    problems: tuple[StoreProblem, ...]
    without_stock: tuple[str, ...]
    outside: Mapping[str, str]

    @property
    def is_good(self) -> bool:
        """Whether everything was compared, and agrees."""
        return not self.problems and not self.without_stock


def verify_store(rooms: Rooms, *, after: str, progress: Progress) -> StoreVerification:
    """Read every file of the store and compare it with what was written down; nothing is changed, nothing is locked.

    Args:
        after: path in the store; files up to it are passed over, because an earlier scrub that was ended has read them.

    Raises:
        Invalid: the ledger cannot be read.
    """
    wanted, there = _wanted(rooms), _there(rooms)
    paths = sorted(path for path in wanted.keys() | there if path > after)
    faulty = []
    progress.stage("Reading every file of the store")
    last = after
    try:
        for place, path in enumerate(paths):
            if content_hash(rooms.store / path) != wanted.get(path) or not _opens(rooms, path):
                faulty.append(path)
            last = path
            progress.advance(place + 1, len(paths), "files")
    except BaseException:
        progress.note(f"Ended. The same command with `--after {last}` goes on from there.")
        raise
    # Others may have gone on meanwhile, and what they changed is in the ledger by now.
    wanted = _wanted(rooms)
    chain = [
        StoreProblem(path=each.path, message=each.message, remedy=remedy("")) for each in rooms.archive.chain_problems()
    ]
    without_stock = [thing for thing in Locked if not is_known(rooms, thing)]
    problems = [
        problem
        for path in faulty
        if part_of(path) not in without_stock and (problem := _problem(rooms, path, wanted.get(path)))
    ]
    return StoreVerification(
        files=len(paths),
        problems=(*_key_problems(rooms), *_head_problems(rooms), *_note_problems(rooms), *chain, *problems),
        without_stock=tuple(thing.value for thing in without_stock if any(part_of(path) is thing for path in there)),
        outside={
            each.path: each.compared for each in STORE if not each.is_hashed and (rooms.store / each.path).exists()
        },
    )


def _problem(rooms: Rooms, path: str, wanted: str | None) -> StoreProblem | None:
    found = content_hash(rooms.store / path)
    if found == wanted and _opens(rooms, path):
        return None
    if found is None:
        return StoreProblem(path=path, message="is missing", remedy=remedy(path))
    if wanted is None:
        return StoreProblem(path=path, message="is not known: no act that was finished wrote it", remedy=_UNKNOWN)
    return StoreProblem(path=path, message="was altered: it is not as it was written", remedy=remedy(path))


def _opens(rooms: Rooms, path: str) -> bool:
    """Whether the key of a sealed file is the one that its first bytes were sealed under; the hash leaves the key out.

    Whoever may not read the hub's keys cannot tell, and need not: a wrong key opens nothing. What is wrong with a key is told
    of the key.
    """
    place = place_of(path)
    if not path.endswith(".sealed") or not (rooms.store / path).exists() or not (place and place.sealed_for):
        return True
    try:
        rooms.keyring.check(place.sealed_for)
    except (FairhavenError, PermissionError):
        return True
    try:
        next(rooms.keyring.envelope(place.sealed_for).chunks(rooms.store / path))
    except Invalid:
        return False
    return True


def _head_problems(rooms: Rooms) -> Iterator[StoreProblem]:
    for fault in rooms.ledger.head_faults():
        yield StoreProblem(path=fault.path, message=fault.message, remedy="")


def _note_problems(rooms: Rooms) -> Iterator[StoreProblem]:
    """Notes of acts under way that are not this hub's, as far as whoever asks may read them."""
    for path in NOTES:
        journal = rooms.ledger.journal(path)
        try:
            if journal.before() is None:
                journal.notes()
        except PermissionError:
            continue
        except Invalid as error:
            yield from (StoreProblem(path=fault.path, message=fault.message, remedy="") for fault in error.faults)


def _key_problems(rooms: Rooms) -> Iterator[StoreProblem]:
    """Keys that are not the hub's, as far as whoever asks may read them."""
    for purpose in Purpose:
        path = rooms.keyring.path(purpose)
        try:
            rooms.keyring.check(purpose)
            if purpose is Purpose.RECORD and not rooms.keyring.has_public_half():
                yield StoreProblem(path="record.pub", message="is not the public half of the key", remedy=remedy(""))
        except PermissionError:
            continue
        except FairhavenError as error:
            yield StoreProblem(path=path.relative_to(rooms.store).as_posix(), message=str(error), remedy="")


def _wanted(rooms: Rooms) -> dict[str, str]:
    """Content hashes by path: of the ledger, and of the files of rows, which manifests name."""
    rows = {
        f"archive/{file.path}": file.sha256
        for release in rooms.archive.readable_releases()
        for table in release.tables.values()
        for file in table.files
    }
    return {**rows, **rooms.ledger.as_read().files}


def _there(rooms: Rooms) -> set[str]:
    inside = listed_below(rooms.store, is_left_out=lambda path: _is_outside(path.relative_to(rooms.store)))
    return {path.relative_to(rooms.store).as_posix() for path in inside if not path.is_dir()}


def _is_outside(path: Path) -> bool:
    place = place_of(path.as_posix())
    is_part = path.name.startswith(".") and path.name.endswith(".part")  # a command is writing it
    return is_part or bool(place and not place.is_hashed)
