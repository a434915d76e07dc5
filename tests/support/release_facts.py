"""Facts of a release for tests that need some and do not look at them."""

from dataclasses import replace
from typing import Any

from fairhaven.release.facts import LinkageSummary, MatchThresholds, ReleaseFacts

_NONE = ReleaseFacts(
    inputs="",
    code_version="",
    vocabulary="",
    sources=(),
    extracts=(),
    row_flow=(),
    linkage=LinkageSummary(
        patients=0,
        persons=0,
        sources={},
        persons_by_sources={},
        steps={},
        valid_numbers=0,
        clerical=0,
        merges=0,
        splits=0,
        thresholds=MatchThresholds(),
    ),
    opt_outs=(),
    rules=(),
    rule_outcomes=(),
)


def release_facts(**given: Any) -> ReleaseFacts:
    """A release's facts: those given, and of all else nothing."""
    return replace(_NONE, **given)
