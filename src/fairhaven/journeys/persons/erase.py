"""Erasing a person from everything that is kept.

What is to be erased is written down first (`recovery.ErasureUnderWay`), so that after a kill the next build or erasure
finishes it before it does anything else.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow.compute as pc

from fairhaven.archive import Archive, Erasure
from fairhaven.intake import ErasureCounts, Format
from fairhaven.journeys.hub_locks import Locked, holding
from fairhaven.journeys.model import Rooms, Stage
from fairhaven.journeys.persons.erasure_stages import ErasureStage, erasure_stage_in_words
from fairhaven.journeys.persons.recovery import (
    Erased,
    ErasureUnderWay,
    carry_out,
    entry_of_erasure,
    recover,
    recovery_in_words,
)
from fairhaven.journeys.persons.unlinked_tables import check_reach
from fairhaven.journeys.store_files import check_erased, check_kept, files_of_deliveries, who_was_received
from fairhaven.kernel.errors import NotAllowedNow, NotFound
from fairhaven.kernel.ids import BITS
from fairhaven.kernel.keyring import SEALING
from fairhaven.kernel.progress import Progress
from fairhaven.ledger import Actor, Entry
from fairhaven.linkage import Vault


@dataclass(frozen=True, kw_only=True, slots=True)
class ErasurePlan:
    """What an erasure would take away.

    Args:
        patients: source -> patient records.
        releases: what goes from the releases.
        stages: what would be done, in words.
    """

    patients: Mapping[str, int]
    releases: Erasure
    stages: tuple[Stage, ...]


def plan_erasure(rooms: Rooms, *, person_key: int) -> ErasurePlan:
    """What an erasure would take away, without doing it.

    Raises:
        NotFound: neither a release nor the vault knows the person.
        NotAllowedNow: rows of theirs may be where they could not be found, or patients were received since the last build.
    """
    refs, releases = _what_is_kept(rooms.vault, rooms.archive, person_key)
    if not refs and releases.is_empty:
        entry = _entry_of_end(rooms, person_key)
        done = Stage(
            name="done", what=f"nothing more: the person was erased, as entry {entry.number} of the ledger says"
        )
        return ErasurePlan(patients={}, releases=releases, stages=(recovery_in_words(rooms.store), done))
    _check_all_linked(rooms)
    check_reach(rooms, refs)
    return ErasurePlan(
        patients={source: len(patients) for source, patients in refs.items()},
        releases=releases,
        stages=(
            recovery_in_words(rooms.store),
            *(erasure_stage_in_words(stage, refs, releases) for stage in ErasureStage),
        ),
    )


def erase_person(rooms: Rooms, *, person_key: int, by: Actor, progress: Progress) -> Erased:
    """Erase a person; records what was done, not who it was. A person who was erased before is no error.

    Raises:
        NotFound: neither a release nor the vault knows the person, and the ledger no erasure.
        NotAllowedNow: rows of theirs may be where they could not be found, or patients were received since the last build;
            nothing is erased then.
    """
    with holding(rooms, Locked.RELEASES, Locked.DELIVERIES, act="erasure", by=by, progress=progress):
        rooms.keyring.check(*SEALING)
        rooms.archive.check_chain()
        under_way = ErasureUnderWay.of(rooms.store, by=by)
        finished = recover(rooms, by=by, progress=progress)
        if finished and under_way and under_way.person == person_key:
            return finished
        check_kept(rooms, [rooms.vault.index_file(), *rooms.archive.log_files()])
        rooms.archive.check_rows_of([person_key])
        refs, releases = _what_is_kept(rooms.vault, rooms.archive, person_key)
        if not refs and releases.is_empty:
            # Run again after its end, by somebody who was not told that it had ended.
            entry = _entry_of_end(rooms, person_key)
            nothing = ErasureCounts(rows={}, quarantined={}, extracts=(), unknown_owners={})
            return Erased(releases=releases, deliveries=nothing, identities=0, entry=entry.number, was_done=True)
        extracts = [extract for source in refs for extract in rooms.intake.extracts(source)]
        check_kept(rooms, {*files_of_deliveries(rooms, extracts), *who_was_received(rooms, rooms.intake.extracts())})
        check_erased(rooms)
        _check_all_linked(rooms)
        decided = ErasureUnderWay(person=person_key, patients=refs, by=by, after=rooms.ledger.length())
        return carry_out(rooms, decided, progress=progress)


def _what_is_kept(vault: Vault, archive: Archive, person_key: int) -> tuple[dict[str, list[str]], Erasure]:
    """The person's patient_refs by source, and what the releases have of them; both empty where nobody knows the person."""
    refs: dict[str, list[str]] = {}
    if person_key.bit_length() > BITS:
        return refs, Erasure(persons=1, rows={}, files=0, superseded={})
    index = vault.index()
    if index is not None:
        mine = index.filter(pc.equal(index["person_id"], person_key))
        for row in mine.select(["source", "patient_ref"]).to_pylist():
            refs.setdefault(row["source"], []).append(row["patient_ref"])
    return refs, archive.plan_erase([person_key])


def _check_all_linked(rooms: Rooms) -> None:
    """Refuse to erase anybody while the index of persons, which is of the last build, lacks patients: one may be the person,
    and their rows would stay, and come back as somebody new.

    Raises:
        NotAllowedNow: such patients were received.
    """
    received = [extract for extract in rooms.intake.extracts() if extract.format is not Format.OPT_OUT]
    lacking = set(rooms.vault.not_indexed([extract.number for extract in received]))
    deliveries: dict[str, list[int]] = {}
    for extract in received:
        of_source = deliveries.setdefault(extract.source, []) if extract.number in lacking else []
        if extract.delivery not in of_source:
            of_source.append(extract.delivery)
    if not deliveries:
        return
    named = "; ".join(f"{source} (delivery {', '.join(map(str, each))})" for source, each in deliveries.items())
    undeclared = sorted(deliveries.keys() - rooms.sources.keys())
    back = f"Put {', '.join(f'sources/{name}.toml' for name in undeclared)} back as it was. " if undeclared else ""
    raise NotAllowedNow(
        f"nothing was erased, because patients were received whom the last build does not know: of {named}. One of them may be "
        f"this person, and their rows would stay. {back}Build first: fairhaven build {rooms.folder}. Then run this command again."
    )


def _entry_of_end(rooms: Rooms, person_key: int) -> Entry:
    """The ledger's entry of an erasure that has ended. Raises NotFound where there was none."""
    if (entry := entry_of_erasure(rooms, person_key)) is not None:
        return entry
    raise NotFound(
        f"nobody here has the person key {person_key}, and the ledger knows no erasure of it: it is not one of this hub's. "
        "A person key is the person_id of a release."
    )
