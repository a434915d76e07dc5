"""What a check reads, and why it cannot run where something of that is not there."""

import datetime as dt
import math

from fairhaven.quality import concept_checks, cross_row_checks
from fairhaven.quality.column_types import TypedTables
from fairhaven.quality.model import QualityCheck
from fairhaven.quality.row_checks import UnreadableError, row_rule

PRESENCE = frozenset(("cdmTable", "cdmField"))
_SETTINGS = {
    "isForeignKey": ("fkTableName", "fkFieldName"),
    "fkDomain": ("fkDomain",),
    "fkClass": ("fkClass",),
    "sourceValueCompleteness": ("standardConceptFieldName",),
    "plausibleStartBeforeEnd": ("plausibleStartBeforeEndFieldName",),
    "plausibleTemporalAfter": ("plausibleTemporalAfterTableName", "plausibleTemporalAfterFieldName"),
}


def reads(check: QualityCheck) -> frozenset[str]:
    """Tables whose rows decide a check; a change in any of them may change its numbers."""
    return frozenset((check.table, *(table for table, _ in _needs(check))))


def obstacle(check: QualityCheck, shapes: TypedTables, *, today: dt.date) -> str:
    """Why a check cannot run; empty where it can."""
    if lacking := _lacking(check):
        return f"The threshold file gives no {lacking}."
    for table, column in _needs(check):
        if reason := shapes.missing(table, column):
            return reason
    if check.level == "CONCEPT":
        return _unreadable_concept(check)
    if check.kind in {*PRESENCE, "cdmDatatype", *cross_row_checks.KINDS} or concept_checks.is_by_concept(check):
        return ""
    try:
        rule = row_rule(check, today=today)
    except UnreadableError as error:
        return f"The threshold file's setting cannot be read: {error}."
    return "" if rule is not None else f"There is no check of the kind {check.kind}."


def _needs(check: QualityCheck) -> tuple[tuple[str, str], ...]:
    own = ((check.table, check.field),) if check.field else ()
    if check.kind in PRESENCE:
        return ()
    if _lacking(check):
        return own
    if concept_checks.is_by_concept(check):
        return concept_checks.needs(check)
    if check.kind in cross_row_checks.KINDS:
        return cross_row_checks.needs(check)
    try:
        rule = row_rule(check, today=dt.date.max - dt.timedelta(days=400))
    except UnreadableError:
        return own
    return own + (rule.needs if rule is not None else ())


def _lacking(check: QualityCheck) -> str:
    """A setting that the kind cannot do without and the threshold file leaves empty; empty for none."""
    return next((name for name in _SETTINGS.get(check.kind, ()) if not check.settings.get(name)), "")


def _unreadable_concept(check: QualityCheck) -> str:
    listed = len(concept_checks.concept_list(check.concept))
    if check.kind in concept_checks.BY_SEX:
        is_read = listed > 0
    elif check.kind == concept_checks.BY_UNIT:
        is_read = listed == 1
    elif check.kind in concept_checks.BY_VALUE:
        is_read = listed == 1 and _is_number(check.unit) and _is_number(check.settings.get(check.kind, ""))
    else:
        return f"There is no check of the kind {check.kind}."
    return "" if is_read else "The threshold file's concept, unit or limit cannot be read."


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
