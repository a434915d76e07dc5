"""Quality: are the tables of a release, or of any CDM, what they should be, and which rows are not."""

from fairhaven.omop.external_cdm import OpenedCDM, open_cdm
from fairhaven.quality.dqd_thresholds import Thresholds
from fairhaven.quality.failing_rows import failing
from fairhaven.quality.model import Check, PassRate, QualityReport, Result, Severity, Status
from fairhaven.quality.scorecard import Origin, Scorecard, scorecard
from fairhaven.quality.service import check

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
