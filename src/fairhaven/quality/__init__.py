"""Quality: are the tables of a release, or of any CDM, what they should be, and which rows are not."""

from fairhaven.quality.failing import failing
from fairhaven.quality.foreign import OpenedCDM, open_cdm
from fairhaven.quality.model import Check, PassRate, QualityReport, Result, Severity, Status
from fairhaven.quality.scorecard import Origin, Scorecard, scorecard
from fairhaven.quality.service import check
from fairhaven.quality.thresholds import Thresholds

__all__ = [
    "Check",
    "OpenedCDM",
    "Origin",
    "PassRate",
    "QualityReport",
    "Result",
    "Scorecard",
    "Severity",
    "Status",
    "Thresholds",
    "check",
    "failing",
    "open_cdm",
    "scorecard",
]
