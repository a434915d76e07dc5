"""Everything that is counted about a release, exactly: for the hub's own eyes, never for a page."""

from collections.abc import Mapping
from dataclasses import dataclass

from fairhaven.archive import Change, Release
from fairhaven.journeys.descriptions.describe import DescribedRelease
from fairhaven.journeys.releases.release_report import QuarantinedRows


@dataclass(frozen=True, kw_only=True, slots=True)
class ExactCounts:
    """What is known of a release, exactly.

    Args:
        hub: its name.
        described: what was counted in the release's tables.
        quarantine: of the extracts that the release is made of.
        previous: name of the release before; empty for the first.
        changes: table -> difference to the release before, and its rows now.
    """

    hub: str
    release: Release
    described: DescribedRelease
    quarantine: tuple[QuarantinedRows, ...] = ()
    previous: str = ""
    changes: Mapping[str, tuple[Change, int]]
