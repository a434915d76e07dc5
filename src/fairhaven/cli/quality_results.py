"""Results about quality, and pages on releases."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from fairhaven.kernel.codec import from_json
from fairhaven.quality import CheckStatus, QualityReport, Severity


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


@dataclass(frozen=True, kw_only=True, slots=True)
class CategoryPassRate:
    """How many checks of one of Kahn's categories passed.

    Args:
        category, context: Kahn's terms.
        passed, failed, not_applicable, errors: how many checks did so; an error is a check that could not run.
        share: passed of those that apply; null where none does.
    """

    category: str
    context: str
    passed: int
    failed: int
    not_applicable: int
    errors: int
    share: float | None


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
    pass_rates: tuple[CategoryPassRate, ...]
    results: tuple[CheckFinding, ...]

    @classmethod
    def of(cls, report: QualityReport) -> Self:
        """A report in the form in which it is kept."""
        return from_json(cls, report.to_json())


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenReport:
    """A page on a release.

    Args:
        release: the release's name.
        out: the file.
    """

    release: str
    out: Path
