"""A scorecard in words."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # rooms are loaded only when a command runs
    from fairhaven.quality import QualityReport

_SHOWN = 15
"""How many failing checks a scorecard on a screen lists."""


def quality(report: "QualityReport") -> Iterator[str]:
    """A scorecard."""
    rows = sum(report.rows.values())
    yield f"{len(report.results):,} checks ({report.checked_against}) on {rows:,} rows of {len(report.rows)} tables"
    yield ""
    for rate in report.pass_rates():
        share = "" if rate.share is None else f"{rate.share:7.1%} passed"
        name = " ".join(part for part in (rate.category, f"({rate.context.lower()})" if rate.context else "") if part)
        yield (
            f"  {name:<32} {share}   {rate.passed:>5,} passed {rate.failed:>5,} failed "
            f"{rate.not_applicable:>5,} not applicable" + (f" {rate.errors:>3,} could not run" if rate.errors else "")
        )
    failed = report.failed()
    if not failed:
        yield ""
        yield "Every check passed."
        return
    yield ""
    levels = Counter(result.check.severity.value for result in failed)
    yield f"Not passed: {', '.join(f'{count} {level}' for level, count in levels.items())}. The gravest:"
    for result in failed[:_SHOWN]:
        place = f"{result.check.table}.{result.check.field}" if result.check.field else result.check.table
        concept = f" [{result.check.concept}]" if result.check.concept else ""
        much = (
            result.reason
            if result.violated is None
            else f"{result.violated:,} of {result.denominator or 0:,} rows ({result.share:.1%})"
        )
        yield f"  {result.check.severity:<16} {result.check.kind:<32} {place}{concept}: {much}"
    if len(failed) > _SHOWN:
        yield f"  ... and {len(failed) - _SHOWN:,} more (--json gives all)"
