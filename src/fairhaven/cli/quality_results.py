"""Results about quality, and pages on releases."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from fairhaven.quality import CheckResult, CheckStatus, PassRate, QualityReport, Severity


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckFinding:
    """What came of one check.

    Args:
        id: stable name of the check, as DataQualityDashboard (DQD) makes it.
        kind: DQD's name of the check, for example ``isRequired``.
        level: ``TABLE``, ``FIELD`` or ``CONCEPT``.
        table, field: CDM names; *field* is empty for a table check.
        concept, unit: concept ids of a concept check, as the threshold file writes them.
        severity: how bad it is that the check fails.
        threshold: greatest share of violating rows that still passes, in percent.
        category, subcategory, context: Kahn's terms.
        description: the check in words.
        settings: what the kind needs to know further, by the column names of DQD's threshold files.
        violated: rows that violate it; null where it could not run.
        denominator: rows that were looked at.
        status: what came of it.
        reason: why it is not applicable or could not run.
        basis: digest of the check and of the tables it read; equal basis, equal numbers.
    """

    id: str
    kind: str
    level: str
    table: str
    field: str
    concept: str
    unit: str
    severity: Severity
    threshold: float | None
    category: str
    subcategory: str
    context: str
    description: str
    settings: Mapping[str, str]
    violated: int | None
    denominator: int | None
    status: CheckStatus
    reason: str
    basis: str

    @classmethod
    def of(cls, result: CheckResult) -> Self:
        """A check and its result beside each other, as a table of all checks has them."""
        check = result.check
        return cls(
            id=check.id,
            kind=check.kind,
            level=check.level,
            table=check.table,
            field=check.field,
            concept=check.concept,
            unit=check.unit,
            severity=check.severity,
            threshold=check.threshold,
            category=check.category,
            subcategory=check.subcategory,
            context=check.context,
            description=check.description,
            settings=check.settings,
            violated=result.violated,
            denominator=result.denominator,
            status=result.status,
            reason=result.reason,
            basis=result.basis,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityFindings:
    """What came of all checks.

    Args:
        as_of: the day that "today" means in the checks.
        checked_against: ``CDM 5.4``, or the name of the threshold files.
        worst: the worst severity among the checks that did not pass; null where all passed.
        rows: table -> rows, for the tables that are there.
        scanned: tables that were read for this; the others' results were known.
        pass_rates: by category and context.
        results: of every check.
    """

    as_of: dt.date
    checked_against: str
    worst: Severity | None
    rows: Mapping[str, int]
    scanned: tuple[str, ...]
    pass_rates: tuple[PassRate, ...]
    results: tuple[CheckFinding, ...]

    @classmethod
    def of(cls, report: QualityReport) -> Self:
        """A report with what is read off its results."""
        return cls(
            as_of=report.as_of,
            checked_against=report.checked_against,
            worst=report.worst,
            rows=report.rows,
            scanned=report.scanned,
            pass_rates=report.pass_rates(),
            results=tuple(map(CheckFinding.of, report.results)),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenReport:
    """A page on a release.

    Args:
        release: the release's name.
        out: the file.
    """

    release: str
    out: Path
