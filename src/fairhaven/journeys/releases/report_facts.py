"""The report on a release: what its manifest, its tables and the rooms say of it, as it may be shown."""

from collections.abc import Mapping
from dataclasses import replace

from fairhaven.archive import Change, Release
from fairhaven.journeys.descriptions.describe import described
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.releases import compare
from fairhaven.journeys.releases.protected_counts import protected
from fairhaven.journeys.releases.release_report import ReleaseReport
from fairhaven.journeys.store_files import check_read
from fairhaven.kernel.errors import NotFound, NotPermitted
from fairhaven.kernel.progress import Progress
from fairhaven.ledger import Actor
from fairhaven.release.facts import QuarantinedRows


def report_on_release(rooms: Rooms, name: str | None, *, by: Actor, progress: Progress) -> ReleaseReport:
    """The report on a release, the latest without a name, under the hub's policy; on the earlier one whose figures stand for its own, if so.

    Raises:
        NotPermitted: the release does not say what was put in quarantine, nor may this account look, and a report would say that
            nothing was.
    """
    asked = rooms.archive.release(name)
    stands_for = described(rooms, asked, by=by, progress=progress).description.figures_of
    release = rooms.archive.release(stands_for) if stands_for else asked
    previous, changes = _changes(rooms, release, progress)
    report = protected(
        release,
        described(rooms, release, by=by, progress=progress),
        rooms.settings.disclosure,
        hub=rooms.settings.name,
        quarantine=quarantined_in(rooms, release),
        previous=previous,
        changes=changes,
    )
    return replace(report, head=rooms.ledger.head(), asked=asked.name if stands_for else "")


def quarantined_in(rooms: Rooms, release: Release) -> tuple[QuarantinedRows, ...]:
    """What was put in quarantine, as the manifest says; of a release that an earlier version made, what lies there today.

    Raises:
        NotPermitted: the manifest does not say, nor may this account look.
        Invalid: nor is what lies there as it was written.
    """
    if release.facts.quarantined is not None:
        return release.facts.quarantined
    numbers = [extract.number for extract in release.facts.extracts]
    try:
        check_read(rooms, rooms.intake.places_told(numbers, rejects=True))
        return rooms.intake.quarantined([extract for extract in rooms.intake.extracts() if extract.number in numbers])
    except (NotPermitted, PermissionError):
        raise NotPermitted(
            f"release {release.name} was made by an earlier version and does not say what was put in quarantine, and this account may "
            "not read what was delivered. Ask the account that runs the hub for this report; releases that are built from now on say it."
        ) from None


def _changes(rooms: Rooms, release: Release, progress: Progress) -> tuple[str, Mapping[str, tuple[Change, int]]]:
    """Name of the release before, and how each table differs from it; nothing for the first."""
    try:
        earlier, later, changes = compare.compared(rooms, None, release.name, progress=progress)
    except NotFound:
        return "", {}
    return earlier.name, {table: (change, later.rows_of(table)) for table, change in changes.items()}
