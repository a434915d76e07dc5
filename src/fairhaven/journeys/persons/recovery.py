"""Recovery: what a killed command had decided is finished, what it had not is cleared away.

Builds and erasures begin with this, so that they start from a state that an undisturbed command would have left.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from fairhaven.archive import Erasure, SplitRow
from fairhaven.intake import ErasureCounts
from fairhaven.journeys.deliveries.receive import recover_deliveries
from fairhaven.journeys.descriptions.describe import describe_releases
from fairhaven.journeys.hub_audit import forget_in_audit
from fairhaven.journeys.hub_locks import Locked
from fairhaven.journeys.model import Rooms, Stage
from fairhaven.journeys.persons.erasure_stages import ErasureStage
from fairhaven.journeys.persons.unlinked_tables import check_reach
from fairhaven.journeys.store_files import (
    check_kept,
    erasure_journal,
    files_of_deliveries,
    is_of_deliveries,
    take_stock,
)
from fairhaven.kernel.codec import record_of, to_json
from fairhaven.kernel.errors import Fault, Invalid
from fairhaven.kernel.files import clear_scratch
from fairhaven.kernel.ids import pseudonym
from fairhaven.kernel.listing import listed
from fairhaven.kernel.progress import Progress
from fairhaven.ledger import Actor, Entry, EventKind, content_hash


@dataclass(frozen=True, kw_only=True, slots=True)
class ErasureUnderWay:
    """What an erasure has decided: the first of its notes, in ``store/erasing.json``, holds it until the erasure has ended.

    Args:
        person: the person key.
        patients: source -> patient_refs, as the index of persons had them.
        by: who decided it, whoever finishes it.
        after: length of the ledger when it was decided: its entry, once there is one, comes after these.
        other_keys: that the person has beside: in earlier releases, and of resources that name them by an identifier alone.
        split: their rows under other persons' keys, in releases of before a build told the two apart.
    """

    person: int
    patients: Mapping[str, Sequence[str]]
    by: Actor
    after: int
    other_keys: Sequence[int] = ()
    split: Sequence[SplitRow] = ()

    @property
    def keys(self) -> list[int]:
        """Every key that the person has in a release."""
        return [self.person, *self.other_keys]

    @classmethod
    def of(cls, rooms: Rooms, *, by: Actor) -> "ErasureUnderWay | None":
        """The erasure that was cut short, if there is one.

        Args:
            by: who is taken for its decider where it was begun by a version that recorded none.

        Raises:
            Invalid: its notes are not this hub's.
        """
        journal = erasure_journal(rooms)
        if not journal.is_open():
            return None
        if (kept := journal.before()) is not None:
            return record_of(kept, cls, path=journal.path, upgrade=lambda kept: {"by": to_json(by), "after": 0, **kept})
        first, *_ = journal.notes()
        return record_of(first.facts, cls, path=journal.path)


@dataclass(frozen=True, kw_only=True, slots=True)
class Erased:
    """What an erasure took away.

    Args:
        identities: records removed from the vault.
        entry: number of the ledger's entry that records the erasure, with a keyed digest in place of the person.
        was_done: an earlier command had erased the person to the end, and nothing was left to take away.
    """

    releases: Erasure
    deliveries: ErasureCounts
    identities: int
    entry: int
    was_done: bool = False


def recover(rooms: Rooms, *, by: Actor, progress: Progress) -> Erased | None:
    """Finish and clear what was received and what was released; the caller holds the locks of both.

    Args:
        by: who finishes; the ledger names who decided, and this actor only where that was not recorded.

    Returns:
        what an erasure that was cut short took away in the end; None where there was none.
    """
    clear_scratch(rooms.store / "scratch")
    for torn in listed(rooms.store, ".*.json.*.part"):
        torn.unlink()
    recover_deliveries(rooms, by=by)
    take_stock(rooms, Locked.RELEASES, by=by)
    is_cut_short = rooms.archive.erasing.exists() or rooms.archive.building.exists()
    rooms.archive.resume(by=by, progress=progress)
    if is_cut_short:  # what was finished is compared like the rest before anything is built on it
        rooms.archive.check_chain()
    published = len(rooms.archive.releases())
    _check_proposed(rooms, rooms.vault.index_file(proposed=published))
    rooms.vault.accept_index(published=published)
    under_way = ErasureUnderWay.of(rooms, by=by)
    if under_way is None:
        return None
    check_reach(rooms, under_way.patients)
    # It goes on from what it left, and from nothing else.
    if erasure_journal(rooms).before() is None:
        check_kept(rooms, [*_places(rooms, under_way), rooms.vault.index_file()])
    return carry_out(rooms, under_way, progress=progress)


def _check_proposed(rooms: Rooms, proposed: Path) -> None:
    """Refuse an index of persons that is not the one that was entered with its release, before it takes the place of the one in use."""
    entered = rooms.ledger.files().get(rooms.vault.index_file().relative_to(rooms.store).as_posix())
    if entered and proposed.exists() and content_hash(proposed) != entered:
        message = (
            "is not the index of persons that was entered with the release: something else put it there. Remove it."
        )
        raise Invalid(Fault(path=proposed.relative_to(rooms.store).as_posix(), message=message))


def recovery_in_words(rooms: Rooms) -> Stage:
    """What `recover` would do, as the first stage of a build's plan and of an erasure's."""
    left = (
        ": the erasure of a person, and whatever else there is" if erasure_journal(rooms).is_open() else ", if one did"
    )
    return Stage(name="recover", what=f"first finish what a killed command left{left}")


def carry_out(rooms: Rooms, erasure: ErasureUnderWay, *, progress: Progress) -> Erased:
    """Carry out the stages of an erasure; killed, `recover` ends what it began.

    The entry in the ledger stands for all of them: once there is one, whatever of the others is still to do is done by the
    next build or erasure.

    Raises:
        NotAllowedNow: rows of the person may be where they could not be found.
    """
    check_reach(rooms, erasure.patients)
    journal = erasure_journal(rooms)
    if not journal.is_open() or journal.before() is not None:
        journal.begin(to_json(erasure), by=erasure.by)
    for stage in ErasureStage:
        match stage:
            case ErasureStage.DELIVERIES:
                progress.stage("Erasing from what was delivered")
                with _noted(rooms):
                    deliveries = rooms.intake.erase(
                        erasure.patients, sources=rooms.sources, vault=rooms.vault, progress=progress
                    )
            case ErasureStage.VAULT:
                progress.stage("Erasing from the vault")
                with _noted(rooms):
                    identities = rooms.vault.erase(erasure.patients)
            case ErasureStage.RELEASES:
                releases, entry = _erase_releases(rooms, erasure, progress)
            case ErasureStage.DESCRIBE:
                describe_releases(rooms, rooms.archive.releases(), by=erasure.by, progress=progress)
            case ErasureStage.QUESTIONS:
                forget_in_audit(rooms, erasure.keys)
            case _:
                assert_never(stage)
    journal.end()
    return Erased(releases=releases, deliveries=deliveries, identities=identities, entry=entry.number)


def _noted(rooms: Rooms) -> AbstractContextManager[None]:
    """Notes what the erasure changes outside the archive."""
    index = rooms.vault.index_file().relative_to(rooms.store).as_posix()
    return erasure_journal(rooms).noting(is_mine=lambda path: path == index or is_of_deliveries(path))


def _places(rooms: Rooms, erasure: ErasureUnderWay) -> list[Path]:
    """What an erasure may change of deliveries."""
    extracts = [extract for source in erasure.patients for extract in rooms.intake.extracts(source)]
    return [*files_of_deliveries(rooms, extracts), rooms.store / "erased"]


def _erase_releases(rooms: Rooms, erasure: ErasureUnderWay, progress: Progress) -> tuple[Erasure, Entry]:
    facts = {"persons": [_digest(rooms, key) for key in erasure.keys], "sources": sorted(erasure.patients)}
    journal = erasure_journal(rooms)
    files = rooms.ledger.not_entered(journal.files())
    releases = rooms.archive.erase(
        erasure.keys, split=erasure.split, facts=facts, by=erasure.by, files=files, progress=progress
    )
    entry = entry_of_erasure(rooms, erasure.person, after=erasure.after)
    unsealed = {**facts, "superseded": {}, "seals": {}}
    if entry is None:  # no release has the person, so the archive had nothing to enter
        entry = rooms.ledger.append(EventKind.ERASURE, unsealed, by=erasure.by, files=files)
    elif later := rooms.ledger.not_entered(journal.files()):
        # Resumed after its entry, it has written more files than that one has.
        entry = rooms.ledger.append(EventKind.ERASURE, unsealed, by=erasure.by, files=later)
    return releases, entry


def entry_of_erasure(rooms: Rooms, person: int, *, after: int = 0) -> Entry | None:
    """The ledger's entry of a person's erasure, the last one after so many entries; None where there is none."""
    who = _digest(rooms, person)
    later = (each for each in rooms.ledger.entries_of(EventKind.ERASURE) if each.number > after)
    # Older entries hold a longer digest of the person.
    mine = [each for each in later if any(person.startswith(who) for person in each.facts["persons"])]
    return mine[-1] if mine else None


def _digest(rooms: Rooms, person: int) -> str:
    return pseudonym(rooms.keyring.pseudonyms.key_for("erasure"), str(person))
