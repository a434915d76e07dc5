"""Settling a store: what a killed command had decided is finished, what it had not is cleared away.

Every command that writes begins with this, so that it starts from a state that an undisturbed command would have left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fairhaven.archive import Erasure
from fairhaven.intake import ErasureCounts
from fairhaven.journeys.cohorts.discover import forget_in_audit
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.releases.describe import describe_release
from fairhaven.kernel.files import clear_scratch, read_json, write_json
from fairhaven.kernel.ids import derive, pseudonym
from fairhaven.kernel.progress import Progress


@dataclass(frozen=True, kw_only=True, slots=True)
class ErasureUnderWay:
    """What an erasure has decided: ``store/erasing.json`` holds it from then until the erasure has ended.

    Args:
        person: the person key.
        patients: source -> patient_refs, as the index of persons had them.
    """

    person: int
    patients: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, rooms: Rooms) -> "ErasureUnderWay | None":
        """The erasure that was cut short, if there is one."""
        path = _place(rooms)
        return cls(**read_json(path)) if path.exists() else None


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


def settle(rooms: Rooms, *, progress: Progress) -> Erased | None:
    """Finish and clear; the caller holds the store's write lock.

    Returns:
        what an erasure that was cut short took away in the end; None where there was none.
    """
    clear_scratch(rooms.store / "scratch")
    rooms.intake.settle(rooms.vault)
    record_deliveries(rooms)
    rooms.archive.resume(progress=progress)
    rooms.vault.settle_index(published=len(rooms.archive.releases()))
    under_way = ErasureUnderWay.of(rooms)
    return carry_out(rooms, under_way, progress=progress) if under_way else None


def record_deliveries(rooms: Rooms) -> None:
    """Enter in the ledger every delivery that it does not know: a receive may end between its commit and its entry."""
    known = {entry.facts["delivery"] for entry in rooms.ledger.entries() if entry.kind == "delivery"}
    for delivery in rooms.intake.deliveries():
        if delivery.number not in known:
            extracts = [
                extract for extract in rooms.intake.extracts(delivery.source) if extract.delivery == delivery.number
            ]
            files = [{"name": extract.file, "sha256": extract.sha256} for extract in extracts]
            rooms.ledger.append_once(
                "delivery", {"delivery": delivery.number, "source": delivery.source, "files": files}
            )


def carry_out(rooms: Rooms, erasure: ErasureUnderWay, *, progress: Progress) -> Erased:
    """Erase a person from releases, deliveries, vault and the record of questions; killed, `settle` ends what it began."""
    write_json(_place(rooms), asdict(erasure))
    releases = rooms.archive.erase([erasure.person], secret=rooms.keyring.secret, progress=progress)
    progress.stage("Erasing from what was delivered")
    deliveries = rooms.intake.erase(erasure.patients)
    progress.stage("Erasing from the vault")
    identities = rooms.vault.erase(erasure.patients)
    entry = rooms.ledger.append_once(
        "erasure of deliveries",
        {
            "person": pseudonym(derive(rooms.keyring.secret, "erasure"), str(erasure.person)),
            "sources": sorted(erasure.patients),
        },
    )
    for release in rooms.archive.releases():
        describe_release(rooms, release, progress=progress)
    forget_in_audit(rooms, erasure.person)
    _place(rooms).unlink()
    return Erased(releases=releases, deliveries=deliveries, identities=identities, entry=entry.number)


def _place(rooms: Rooms) -> Path:
    return rooms.store / "erasing.json"
