"""Judging quality: of a hub's release, or of any OMOP CDM."""

import datetime as dt
from pathlib import Path

from fairhaven.journeys.descriptions.describe import described
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.open_release import open_release
from fairhaven.kernel.progress import Progress
from fairhaven.ledger import Actor
from fairhaven.omop.external_cdm import open_cdm
from fairhaven.quality import DqdThresholds, QualityReport, check


def quality_of_release(
    rooms: Rooms, name: str | None, *, thresholds: Path | None, by: Actor, progress: Progress
) -> QualityReport:
    """The quality of a release, against the CDM's definition or DQD's threshold files."""
    release = rooms.archive.release(name)
    if thresholds is None:
        return described(rooms, release, by=by, progress=progress).quality
    limits = DqdThresholds.read(thresholds)
    with open_release(rooms, release.name) as opened:
        return check(opened.tables, engine=opened.engine, today=release.as_of, thresholds=limits, progress=progress)


def quality_of_cdm(path: Path, *, thresholds: Path | None, today: dt.date, progress: Progress) -> QualityReport:
    """The quality of somebody's CDM: a DuckDB file, or a folder or zip of Parquet or CSV."""
    limits = DqdThresholds.read(thresholds) if thresholds else None
    progress.stage(f"Opening {path.name}")
    with open_cdm(path) as foreign:
        return check(foreign.tables, engine=foreign.engine, today=today, thresholds=limits, progress=progress)
