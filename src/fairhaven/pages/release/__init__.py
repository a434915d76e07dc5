"""One page on a release that one would rather look at than read."""

from fairhaven.pages.release.facts import (
    Change,
    Check,
    Delivery,
    Flow,
    Kinds,
    Link,
    Linkage,
    OptOut,
    Quarantine,
    ReportFacts,
    Score,
    Scorecard,
    SetAside,
    Source,
    Step,
    Unmapped,
    YearRows,
)
from fairhaven.pages.release.page import render

__all__ = [
    "Change",
    "Check",
    "Delivery",
    "Flow",
    "Kinds",
    "Link",
    "Linkage",
    "OptOut",
    "Quarantine",
    "ReportFacts",
    "Score",
    "Scorecard",
    "SetAside",
    "Source",
    "Step",
    "Unmapped",
    "YearRows",
    "render",
]
