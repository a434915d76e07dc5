"""Everything that is counted about a release, exactly: for the hub's own eyes, never for a page."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from fairhaven.archive import Change
from fairhaven.journeys.releases.release_report import QuarantinedRows
from fairhaven.quality import QualityReport
from fairhaven.release.description import Description
from fairhaven.release.facts import ReleaseFacts
from fairhaven.release.row_counts import SourceRows, UnmappedRows, YearRows


@dataclass(frozen=True, kw_only=True, slots=True)
class ExactCounts:
    """What is known of a release, exactly.

    Args:
        previous: name of the release before; empty for the first.
        hash: of the release's manifest.
        facts: what the manifest says.
        persons: of the release.
        written, years, unmapped: counted in the release's tables; the unmapped codes are the most frequent ones.
        kinds: persons whose data comes from exactly these kinds of source.
        changes: table -> difference to the release before, and its rows now.
        notes: free-text notes kept out until they are de-identified.
    """

    hub: str
    release: str
    previous: str = ""
    as_of: dt.date
    hash: str
    facts: ReleaseFacts
    persons: int = 0
    written: tuple[SourceRows, ...] = ()
    years: tuple[YearRows, ...] = ()
    unmapped: tuple[UnmappedRows, ...] = ()
    kinds: Mapping[frozenset[str], int]
    quality: QualityReport | None = None
    description: Description | None = None
    quarantine: tuple[QuarantinedRows, ...] = ()
    changes: Mapping[str, tuple[Change, int]]
    notes: int = 0
