"""Erasing a person from everything that is kept.

What is to be erased is written down first (`recovery.ErasureUnderWay`), so that after a kill the next build or erasure
finishes it before it does anything else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from fairhaven.archive import Erasure, SplitRow, touched_by
from fairhaven.intake import ErasureCounts, Format
from fairhaven.journeys.deliveries.receive import land_extracts_again
from fairhaven.journeys.hub_locks import Locked, holding
from fairhaven.journeys.model import Rooms, Stage
from fairhaven.journeys.persons.erasure_stages import ErasureStage, erasure_stage_in_words
from fairhaven.journeys.persons.former_keys import check_persons_of_releases, former_keys
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
from fairhaven.kernel.errors import Fault, Invalid, NotAllowedNow, NotFound
from fairhaven.kernel.ids import BITS, pseudonym
from fairhaven.kernel.keyring import SEALING
from fairhaven.kernel.progress import Progress
from fairhaven.ledger import Actor, Entry
from fairhaven.linkage.model import INDEX_SCHEMA
from fairhaven.nhs.number import valid_nhs_number


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


def plan_erasure(rooms: Rooms, *, person_key: int, nhs_number: str = "") -> ErasurePlan:
    """What an erasure would take away, without doing it.

    Args:
        nhs_number: by which the person was found (`person_with_nhs_number`).

    Raises:
        NotFound: neither a release nor the vault knows the person.
        NotAllowedNow: rows of theirs may be where they could not be found, patients were received since the last build, or the
            person has another key by now.
    """
    kept = _what_is_kept(rooms, person_key, nhs_number)
    if kept is None:
        entry = _entry_of_end(rooms, person_key)
        done = Stage(
            name="done", what=f"nothing more: the person was erased, as entry {entry.number} of the ledger says"
        )
        nothing = rooms.archive.plan_erase([])
        return ErasurePlan(patients={}, releases=nothing, stages=(recovery_in_words(rooms), done))
    check_reach(rooms, kept.refs)
    releases = rooms.archive.plan_erase([person_key, *kept.other_keys], split=kept.split)
    return ErasurePlan(
        patients={source: len(patients) for source, patients in kept.refs.items()},
        releases=releases,
        stages=(
            recovery_in_words(rooms),
            *(erasure_stage_in_words(stage, kept.refs, releases) for stage in ErasureStage),
        ),
    )


def erase_person(rooms: Rooms, *, person_key: int, nhs_number: str = "", by: Actor, progress: Progress) -> Erased:
    """Erase a person; records what was done, not who it was. A person who was erased before is no error.

    Args:
        nhs_number: as of `plan_erasure`.

    Raises:
        NotFound: neither a release nor the vault knows the person, and the ledger no erasure.
        NotAllowedNow: as `plan_erasure`; nothing is erased then.
    """
    with holding(rooms, Locked.RELEASES, Locked.DELIVERIES, act="erasure", by=by, progress=progress):
        rooms.keyring.check(*SEALING)
        rooms.archive.check_chain()
        under_way = ErasureUnderWay.of(rooms, by=by)
        finished = recover(rooms, by=by, progress=progress)
        if finished and under_way and under_way.person == person_key:
            return finished
        received = rooms.intake.extracts()
        check_kept(rooms, [rooms.vault.index_file(), *rooms.archive.log_files(), *who_was_received(rooms, received)])
        rooms.archive.check_rows_of([person_key])
        check_persons_of_releases(rooms)
        _land_again(rooms, person_key, by=by, progress=progress)
        kept = _what_is_kept(rooms, person_key, nhs_number)
        if kept is None:
            # Run again after its end, by somebody who was not told that it had ended.
            entry = _entry_of_end(rooms, person_key)
            nothing = ErasureCounts(rows={}, quarantined={}, extracts=(), unknown_owners={})
            releases = rooms.archive.plan_erase([])
            return Erased(releases=releases, deliveries=nothing, identities=0, entry=entry.number, was_done=True)
        check_kept(rooms, files_of_deliveries(rooms, [each for each in received if each.source in kept.refs]))
        check_erased(rooms)
        rooms.archive.check_rows_of(touched_by(kept.other_keys, kept.split))
        decided = ErasureUnderWay(
            person=person_key,
            patients=kept.refs,
            by=by,
            after=rooms.ledger.length(),
            other_keys=kept.other_keys,
            split=kept.split,
        )
        return carry_out(rooms, decided, progress=progress)


def person_with_nhs_number(rooms: Rooms, text: str) -> tuple[int, str]:
    """The person key of whoever has an NHS number in any identity record, and the number as ten digits.

    Somebody of whom all that came is in quarantine is nobody's patient and has no key. They are given one that no release has, so
    that their erasure is recorded and found again as any other.

    Args:
        text: the number, alone on one line; spaces and dashes in it are nothing.

    Raises:
        Invalid: it is not one valid number.
        NotFound: nobody has it, and it stands in no line in quarantine.
        NotAllowedNow: several persons have it, or patients were received since the last build.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    number = valid_nhs_number(lines[0]) if len(lines) == 1 else None
    if number is None:
        raise Invalid(Fault(message="an NHS number is wanted, alone on one line, with a check digit that holds"))
    _check_all_linked(rooms)
    received = [extract.number for extract in rooms.intake.extracts() if extract.format is not Format.OPT_OUT]
    bearing = rooms.vault.refs_with_nhs_numbers(lines, extracts=received)
    index = _index(rooms)
    persons = sorted(set(index.join(bearing, bearing.column_names, join_type="inner")["person_id"].to_pylist()))
    match persons:
        case []:
            key = int(pseudonym(rooms.keyring.pseudonyms.key_for("erasure"), "nhs_number", number)[: BITS // 4], 16)
            if entry_of_erasure(rooms, key) or rooms.intake.named_by_numbers({number}, others=_patients_of(index)):
                return key, number
            raise NotFound("nobody here has this NHS number: the person is not in this hub, or was erased before")
        case [person]:
            return int(person), number
    raise NotAllowedNow(
        f"nothing was erased, because records of {len(persons)} persons have this NHS number: {', '.join(map(str, persons))}. "
        "Find out who is meant, and erase by --person-key."
    )


def _patients_of(index: pa.Table) -> pa.Table:
    return index.select(["source", "patient_ref"])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kept:
    """What the hub has of a person.

    Args:
        refs: source -> patient_refs.
        other_keys: that they have in earlier releases only, or where FHIR resources name them by an identifier alone.
        split: their rows under the keys of others, in releases of before a build told the two apart.
    """

    refs: Mapping[str, Sequence[str]]
    other_keys: Sequence[int]
    split: Sequence[SplitRow]


def _what_is_kept(rooms: Rooms, person_key: int, nhs_number: str) -> _Kept | None:
    """What the hub has of a person; None where nobody here knows them.

    Args:
        nhs_number: theirs beside those of their identity records; may be empty.

    Raises:
        NotAllowedNow: as `plan_erasure`.
    """
    if person_key.bit_length() > BITS:
        return None
    index = _index(rooms)
    refs = _patients(index, person_key)
    is_in_no_release = not refs and rooms.archive.plan_erase([person_key]).is_empty
    if is_in_no_release and not nhs_number:
        return None
    _check_all_linked(rooms)
    former = former_keys(rooms, index)
    if now := former.get(person_key):
        raise NotAllowedNow(
            f"nothing was erased, because the person key {person_key} is of earlier releases only: later builds found its patients "
            f"to be {' and '.join(map(str, sorted(now)))}. Erase that person, and what earlier releases have goes as well."
        )
    other_keys = {key for key, heirs in former.items() if person_key in heirs}
    received = [extract for extract in rooms.intake.extracts() if extract.format is not Format.OPT_OUT]
    numbers = rooms.vault.nhs_numbers_of(refs, extracts=[extract.number for extract in received]) | {nhs_number} - {""}
    for source in sorted({extract.source for extract in received}):
        also = pa.array(sorted(rooms.intake.also_named(source, refs.get(source, ()), numbers)), pa.string())
        theirs = pc.and_(pc.equal(index["source"], source), pc.is_in(index["patient_ref"], value_set=also))
        for row in index.filter(theirs).to_pylist():
            refs.setdefault(source, []).append(row["patient_ref"])
            other_keys.add(row["person_id"])
    for source, found in rooms.intake.named_by_numbers(numbers, others=_patients_of(index)).items():
        mine = refs.setdefault(source, [])
        mine += sorted(found.difference(mine))
    if is_in_no_release and not refs:
        return None
    declared = {source: mine for source, mine in refs.items() if source in rooms.sources}
    lines = rooms.intake.lines_of(declared, sources=rooms.sources)
    split = rooms.archive.split_rows(lines, {person_key, *other_keys})
    return _Kept(refs=refs, other_keys=sorted(other_keys - {person_key}), split=split)


def _index(rooms: Rooms) -> pa.Table:
    return rooms.vault.index() or INDEX_SCHEMA.empty_table()


def _patients(index: pa.Table, person_key: int) -> dict[str, list[str]]:
    """The person's patient_refs by source."""
    refs: dict[str, list[str]] = {}
    for row in index.filter(pc.equal(index["person_id"], person_key)).to_pylist():
        refs.setdefault(row["source"], []).append(row["patient_ref"])
    return refs


def _land_again(rooms: Rooms, person_key: int, *, by: Actor, progress: Progress) -> None:
    """Land again what the erasure would, before it is asked whether every patient is linked: a source that was declared anew may tell
    its patients apart by another number."""
    sources = _patients(_index(rooms), person_key) if person_key.bit_length() <= BITS else {}
    check_reach(rooms, sources)
    stale = [name for name in sources if rooms.intake.must_land_before_erasing(rooms.sources[name])]
    if stale:
        check_kept(
            rooms, files_of_deliveries(rooms, [each for each in rooms.intake.extracts() if each.source in stale])
        )
        check_erased(rooms)
        land_extracts_again(rooms, stale, by=by, progress=progress)


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
