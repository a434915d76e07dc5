"""From numbers to a status, by DQD's rules.

A share above the threshold fails; a check without threshold, or with threshold 0, fails on any row. A check is not
applicable where its table or field is missing or empty: cdmTable, cdmField and measureValueCompleteness say that once,
and the others do not say it again.
"""

from collections.abc import Mapping, Sequence

from fairhaven.quality.column_types import TypedTables
from fairhaven.quality.model import CheckResult, CheckStatus, Numbers, QualityCheck
from fairhaven.quality.not_applicable import PRESENCE


def verdicts(
    checks: Sequence[QualityCheck],
    numbers: Mapping[str, Numbers],
    errors: Mapping[str, str],
    *,
    shapes: TypedTables,
    rows: Mapping[str, int],
    bases: Mapping[str, str],
) -> tuple[CheckResult, ...]:
    """One result for each check, in the checks' order."""
    empty_fields = {
        (check.table, check.field)
        for check in checks
        if check.kind == "measureValueCompleteness"
        and check.id in numbers
        and numbers[check.id][0] == numbers[check.id][1]
    }
    results = []
    for check in checks:
        violated, counted = numbers.get(check.id, (None, None))
        reason = _not_applicable(check, counted, empty_fields, shapes=shapes, rows=rows)
        if reason:
            status = CheckStatus.NOT_APPLICABLE
        elif check.id in errors:
            status, reason = CheckStatus.ERROR, errors[check.id]
        else:
            status = CheckStatus.FAILED if _fails(check, violated or 0, counted or 0) else CheckStatus.PASSED
        results.append(
            CheckResult(
                check=check,
                violated=violated,
                denominator=counted,
                status=status,
                reason=reason,
                basis=bases.get(check.id, ""),
            )
        )
    return tuple(results)


def _fails(check: QualityCheck, violated: int, counted: int) -> bool:
    if not check.threshold:
        return violated > 0
    return counted > 0 and 100 * violated / counted > check.threshold


def _not_applicable(
    check: QualityCheck,
    counted: int | None,
    empty_fields: set[tuple[str, str]],
    *,
    shapes: TypedTables,
    rows: Mapping[str, int],
) -> str:
    """Why a check says nothing about these tables; empty where it does."""
    table, name = check.table, check.field
    if check.kind == "cdmTable":
        return ""
    if check.kind == "measureConditionEraCompleteness" and not rows.get("condition_occurrence"):
        return "Table CONDITION_OCCURRENCE is empty."
    if table not in shapes:
        return f"Table {table.upper()} does not exist."
    if check.kind in PRESENCE or check.kind in ("measurePersonCompleteness", "measureConditionEraCompleteness"):
        return ""
    if name and name not in shapes[table].columns:
        return f"Field {table.upper()}.{name.upper()} does not exist."
    if counted is None:
        return ""
    if rows[table] == 0:
        return f"Table {table.upper()} is empty."
    if check.kind == "measureValueCompleteness":
        return ""
    if (table, name) in empty_fields:
        return f"Field {table.upper()}.{name.upper()} is not populated."
    if check.level == "CONCEPT" and counted == 0:
        return f"The concept is missing from the {table.upper()} table."
    return ""
