"""A check, what came of it, and the report of all of them.

Kinds of check, severities and Kahn's terms are those of OHDSI's DataQualityDashboard (DQD), so that a report can be
laid beside DQD's: https://ohdsi.github.io/DataQualityDashboard. Kinds that DQD does not have are named in `definition`.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as given
from enum import StrEnum


class Severity(StrEnum):
    """How bad a failed check is, the worst first."""

    FATAL = "fatal"
    CONVENTION = "convention"
    CHARACTERIZATION = "characterization"


class CheckStatus(StrEnum):
    """What came of a check. A check that could not run has not passed."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"
    ERROR = "error"


Numbers = tuple[int, int]
"""Of a check: rows that violate it, rows that were looked at."""

NEVER = "never"
"""The value of ``--fail-on`` that no report fails."""


@dataclass(frozen=True, kw_only=True)
class QualityCheck:
    """One check on one table, field, or concept.

    Args:
        kind: DQD's name of the check, for example ``isRequired``.
        level: ``TABLE``, ``FIELD`` or ``CONCEPT``.
        table, field: CDM names, lower case; *field* is empty for a table check.
        concept, unit: concept ids of a concept check, as the threshold file writes them (``123,456``).
        threshold: greatest share of violating rows that still passes, in percent; None and 0 let none pass.
        settings: what the kind needs to know further, by the column names of DQD's threshold files.
    """

    kind: str
    level: str
    table: str
    severity: Severity
    field: str = ""
    concept: str = ""
    unit: str = ""
    threshold: float | None = None
    context: str = ""
    category: str = ""
    subcategory: str = ""
    description: str = ""
    settings: Mapping[str, str] = given(default_factory=dict)

    @property
    def id(self) -> str:
        """Stable name of the check, as DQD makes it: ``field_isrequired_person_person_id``."""
        parts = (self.level, self.kind, self.table, self.field, self.concept, self.unit)
        return "_".join(part for part in parts if part).replace(" ", "").lower()


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """What came of one check.

    Args:
        violated: rows (or persons, or source values) that violate it; None where it could not run.
        denominator: rows that were looked at.
        reason: why it is not applicable or could not run, in words.
        basis: digest of the check and of the tables it read; equal basis, equal numbers. Empty where unknown.
    """

    check: QualityCheck
    violated: int | None
    denominator: int | None
    status: CheckStatus
    reason: str = ""
    basis: str = ""

    @property
    def share(self) -> float:
        """Share of violating rows, 0 to 1."""
        return self.violated / self.denominator if self.violated and self.denominator else 0.0


@dataclass(frozen=True, kw_only=True)
class PassRate:
    """How many checks of one of Kahn's categories passed.

    Args:
        category, context: Kahn's terms.
        passed, failed, not_applicable, errors: how many checks did so; an error is a check that could not run.
        share: passed of those that apply; None where none does.
    """

    category: str
    context: str
    passed: int
    failed: int
    not_applicable: int
    errors: int
    share: float | None


@dataclass(frozen=True, kw_only=True)
class QualityReport:
    """Results of all checks on one set of tables.

    Args:
        as_of: the day that "today" means in the checks.
        checked_against: which checks these are: ``CDM 5.4``, or the name of the threshold files.
        rows: table -> rows, for the tables that are there.
        scanned: tables that were read for this report; the others' results were known.
    """

    as_of: dt.date
    checked_against: str
    rows: Mapping[str, int]
    results: tuple[CheckResult, ...]
    scanned: tuple[str, ...] = ()

    def failed(self) -> tuple[CheckResult, ...]:
        """Results that did not pass (failed, or could not run), the worst first."""
        order = list(Severity)
        found = (result for result in self.results if result.status in (CheckStatus.FAILED, CheckStatus.ERROR))
        return tuple(sorted(found, key=lambda result: (order.index(result.check.severity), -result.share)))

    @property
    def worst(self) -> Severity | None:
        """The worst severity among the results that did not pass; None where all passed."""
        return next((result.check.severity for result in self.failed()), None)

    def fails(self, level: str) -> bool:
        """True where a check of that severity or a worse one did not pass; *level* may be ``never``."""
        if level == NEVER or self.worst is None:
            return False
        order = list(Severity)
        return order.index(self.worst) <= order.index(Severity(level))

    def pass_rates(self) -> tuple[PassRate, ...]:
        """Pass rates by Kahn's category (conformance, completeness, plausibility) and context."""
        counts: dict[tuple[str, str], Counter[CheckStatus]] = defaultdict(Counter)
        for result in self.results:
            counts[result.check.category, result.check.context][result.status] += 1
        return tuple(_pass_rate(*place, count) for place, count in sorted(counts.items()))


def _pass_rate(category: str, context: str, count: Counter[CheckStatus]) -> PassRate:
    passed, failed, errors = count[CheckStatus.PASSED], count[CheckStatus.FAILED], count[CheckStatus.ERROR]
    applying = passed + failed + errors
    return PassRate(
        category=category,
        context=context,
        passed=passed,
        failed=failed,
        not_applicable=count[CheckStatus.NOT_APPLICABLE],
        errors=errors,
        share=passed / applying if applying else None,
    )
