"""Erasing a person from everything that is kept.

The order matters: releases first, then what was delivered, then the vault, whose index is how the person's records are
found. So a killed erasure, run again, still finds what is left to do, and ends as it would have ended.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow.compute as pc

from fairhaven.archive import Erasure
from fairhaven.intake import ErasureCounts
from fairhaven.journeys.describing import describe_release
from fairhaven.journeys.model import Rooms
from fairhaven.kernel.errors import NotFound
from fairhaven.kernel.files import clear_scratch, one_writer
from fairhaven.kernel.ids import derive, pseudonym
from fairhaven.kernel.progress import Progress


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What an erasure would take away. ``patients``: source -> patient records; ``releases``: release -> table -> rows."""

    patients: Mapping[str, int]
    releases: Erasure


@dataclass(frozen=True, kw_only=True, slots=True)
class Erased:
    """What an erasure took away.

    Args:
        identities: records removed from the vault.
        entry: number of the ledger's entry that records the erasure, with a keyed digest in place of the person.
    """

    releases: Erasure
    deliveries: ErasureCounts
    identities: int
    entry: int


def plan(rooms: Rooms, *, person_key: int) -> Plan:
    """What an erasure would take away, without doing it."""
    refs = _refs(rooms, person_key)
    releases = rooms.archive.plan_erase([person_key])
    _check_known(person_key, refs, releases)
    return Plan(patients={source: len(patients) for source, patients in refs.items()}, releases=releases)


def erase(rooms: Rooms, *, person_key: int, progress: Progress) -> Erased:
    """Erase a person; records what was done, not who it was.

    Raises:
        NotFound: neither a release nor the vault knows the person.
    """
    with one_writer(rooms.store):
        clear_scratch(rooms.store / "scratch")
        rooms.archive.resume(progress=progress)
        refs = _refs(rooms, person_key)
        _check_known(person_key, refs, rooms.archive.plan_erase([person_key]))
        releases = rooms.archive.erase([person_key], secret=rooms.keyring.secret, progress=progress)
        progress.stage("Erasing from what was delivered")
        deliveries = rooms.intake.erase(refs)
        progress.stage("Erasing from the vault")
        identities = rooms.vault.erase(refs)
        entry = rooms.ledger.append_once(
            "erasure of deliveries",
            {
                "person": pseudonym(derive(rooms.keyring.secret, "erasure"), str(person_key)),
                "sources": sorted(refs),
            },
        )
        for release in rooms.archive.releases():
            describe_release(rooms, release, progress=progress)
        return Erased(releases=releases, deliveries=deliveries, identities=identities, entry=entry.number)


def _refs(rooms: Rooms, person_key: int) -> dict[str, list[str]]:
    """The person's patient_refs by source."""
    index = rooms.vault.index()
    refs: dict[str, list[str]] = {}
    if index is not None:
        mine = index.filter(pc.equal(index["person_id"], person_key))
        for row in mine.select(["source", "patient_ref"]).to_pylist():
            refs.setdefault(row["source"], []).append(row["patient_ref"])
    return refs


def _check_known(person_key: int, refs: Mapping[str, list[str]], releases: Erasure) -> None:
    if not refs and releases.is_empty:
        raise NotFound(
            f"nobody here has the person key {person_key}: it is not one of this hub's, or the person was erased already. "
            "A person key is the person_id of a release."
        )
