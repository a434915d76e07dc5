"""The report on a release: what its manifest, its tables and the rooms say of it, as it may be shown."""

import os
from collections.abc import Mapping
from dataclasses import replace

import pyarrow as pa

from fairhaven.archive import Change, Release
from fairhaven.journeys.descriptions.describe import described
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.releases import compare
from fairhaven.journeys.releases.protected_counts import protected
from fairhaven.journeys.releases.release_report import QuarantinedRows, ReleaseReport
from fairhaven.journeys.store_files import check_read
from fairhaven.kernel.errors import NotFound, NotPermitted
from fairhaven.kernel.progress import Progress
from fairhaven.ledger import Actor


def report_on_release(rooms: Rooms, name: str | None, *, by: Actor, progress: Progress) -> ReleaseReport:
    """The report on a release, the latest without a name, under the hub's policy.

    Raises:
        NotPermitted: this account cannot read what was put in quarantine, and a report would say that nothing was.
    """
    deliveries = rooms.store / "deliveries"
    if deliveries.exists() and not os.access(deliveries, os.R_OK | os.X_OK):
        raise NotPermitted(
            "a report says what was put in quarantine, and this account may not read what was delivered. Ask the account "
            "that runs the hub for the report."
        )
    release = rooms.archive.release(name)
    extracts = [extract.number for extract in release.facts.extracts]
    check_read(rooms, rooms.intake.places_told(extracts, rejects=True))
    previous, changes = _changes(rooms, release, progress)
    report = protected(
        release,
        described(rooms, release, by=by, progress=progress),
        rooms.settings.disclosure,
        hub=rooms.settings.name,
        quarantine=_quarantine(rooms.intake.quarantine(extracts)),
        previous=previous,
        changes=changes,
    )
    return replace(report, head=rooms.ledger.head())


def _quarantine(table: pa.Table) -> tuple[QuarantinedRows, ...]:
    counted = table.group_by(["source", "table_name", "field", "reason"]).aggregate([("row_line", "count_distinct")])
    found = [
        QuarantinedRows(
            source=row["source"],
            table=row["table_name"],
            field=row["field"] or "",
            reason=row["reason"],
            rows=row["row_line_count_distinct"],
        )
        for row in counted.to_pylist()
    ]
    return tuple(sorted(found, key=lambda row: (-row.rows, row.source, row.table, row.field, row.reason)))


def _changes(rooms: Rooms, release: Release, progress: Progress) -> tuple[str, Mapping[str, tuple[Change, int]]]:
    """Name of the release before, and how each table differs from it; nothing for the first."""
    try:
        earlier, later, changes = compare.compared(rooms, None, release.name, progress=progress)
    except NotFound:
        return "", {}
    return earlier.name, {table: (change, later.rows_of(table)) for table, change in changes.items()}
