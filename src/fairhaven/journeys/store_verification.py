"""A scrub of the whole store: every file is read and compared with what the ledger or a manifest says of it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fairhaven.archive import Problem
from fairhaven.journeys.hub_audit import question_faults
from fairhaven.journeys.hub_locks import Locked
from fairhaven.journeys.hub_places import NOTES, STORE, part_of, place_of, remedy
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.pending_files import PendingFiles
from fairhaven.journeys.store_files import is_known
from fairhaven.kernel.errors import FairhavenError, Invalid
from fairhaven.kernel.keyring import Purpose
from fairhaven.kernel.listing import listed_below
from fairhaven.kernel.progress import Progress
from fairhaven.ledger import content_hash

_UNKNOWN = (
    "If no command is running: one that was killed may have left it, and the next (for instance `fairhaven build DIR`) clears that "
    "away. Remove it where it stays."
)
_HALF_WAY = (
    "A command that was killed wrote it, and the next goes on from nothing else: it has to be as that wrote it, or the whole store "
    "as one backup has it."
)


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
        pending: notes of acts under way, and files that one of them still has to put in their places or enter: a command is running or was killed, and the next finishes it.
        without_stock: what was written before the ledger kept hashes (`releases`, `deliveries`, `vocabulary`).
        outside: what is there and is not compared -> why.
    """

    files: int
    problems: tuple[StoreProblem, ...]
    pending: tuple[str, ...]
    without_stock: tuple[str, ...]
    outside: Mapping[str, str]

    @property
    def is_good(self) -> bool:
        """Whether everything was compared, and agrees, and no act is under way."""
        return not self.problems and not self.pending and not self.without_stock


def verify_store(rooms: Rooms, *, after: str, progress: Progress) -> StoreVerification:
    """Read every file of the store and compare it with what was written down; nothing is changed, nothing is locked.

    Args:
        after: path in the store; files up to it are passed over, because an earlier scrub that was ended has read them.

    Raises:
        Invalid: the ledger cannot be read.
    """
    wanted, there = _wanted(rooms), _there(rooms)
    paths = sorted(path for path in wanted.keys() | there if path > after)
    differing = set[str]()
    progress.stage("Reading every file of the store")
    last = after
    try:
        for place, path in enumerate(paths):
            if content_hash(rooms.store / path) != wanted.get(path) or not _opens(rooms, path):
                differing.add(path)
            last = path
            progress.advance(place + 1, len(paths), "files")
    except BaseException:
        progress.note(f"Ended. The same command with `--after {last}` goes on from there.")
        raise
    # Others may have gone on meanwhile, and what they changed is in the ledger by now.
    wanted = _wanted(rooms)
    under_way = PendingFiles.of(rooms, wanted)
    faulty = sorted(differing.union(path for path in under_way.not_as_noted() if path > after))
    pending = {path for path in faulty if _opens(rooms, path) and under_way.has(path)}
    chain = [StoreProblem(path=each.path, message=each.message, remedy=remedy("")) for each in _chain_problems(rooms)]
    without_stock = [thing for thing in Locked if not is_known(rooms, thing)]
    problems = [
        problem
        for path in faulty
        if path not in pending
        and part_of(path) not in without_stock
        and (problem := _problem(rooms, path, wanted.get(path), is_noted=path in under_way.noted))
    ]
    return StoreVerification(
        files=len(paths),
        problems=(
            *_key_problems(rooms),
            *_head_problems(rooms),
            *_note_problems(rooms),
            *_question_problems(rooms),
            *chain,
            *problems,
        ),
        pending=(*under_way.notes, *sorted(pending)),
        without_stock=tuple(thing.value for thing in without_stock if any(part_of(path) is thing for path in there)),
        outside={
            each.path: each.comparison for each in STORE if not each.is_hashed and (rooms.store / each.path).exists()
        },
    )


def _chain_problems(rooms: Rooms) -> Sequence[Problem]:
    """Of manifests, where they are not as an act under way left them."""
    problems = rooms.archive.chain_problems()
    if problems and (rooms.archive.erasing.exists() or rooms.archive.building.exists()):
        with suppress(Invalid):
            rooms.archive.check_chain()
            return []
    return problems


def _problem(rooms: Rooms, path: str, wanted: str | None, *, is_noted: bool) -> StoreProblem | None:
    found = content_hash(rooms.store / path)
    if found == wanted and _opens(rooms, path) and not is_noted:
        return None
    if is_noted:
        message = "is missing" if found is None else "is not as a command that was killed left it"
        return StoreProblem(path=path, message=message, remedy=_HALF_WAY)
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
    faults = rooms.ledger.head_faults()
    for fault in faults or rooms.ledger.published_faults():
        yield StoreProblem(path=fault.path, message=fault.message, remedy=remedy(fault.path) if not faults else "")


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


def _question_problems(rooms: Rooms) -> Iterator[StoreProblem]:
    """Of the record of questions, as far as whoever asks may read it."""
    with suppress(PermissionError, Invalid):  # a ledger that is not to be believed is told of as such
        for fault in question_faults(rooms):
            yield StoreProblem(path=fault.path, message=fault.message, remedy=remedy(fault.path))


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
