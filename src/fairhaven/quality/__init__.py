"""Quality: are the tables of a release, or of any CDM, what they should be, and which rows are not."""

from fairhaven.quality.dqd_thresholds import DqdThresholds
from fairhaven.quality.failing_rows import failing
from fairhaven.quality.model import CheckResult, CheckStatus, PassRate, QualityCheck, QualityReport, Severity
from fairhaven.quality.scorecard import Origin, Scorecard, scorecard
from fairhaven.quality.service import check

__all__ = [
    "CheckResult",
    "CheckStatus",
    "DqdThresholds",
    "Origin",
    "PassRate",
    "QualityCheck",
    "QualityReport",
    "Scorecard",
    "Severity",
    "check",
    "failing",
    "scorecard",
]
