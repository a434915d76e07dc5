"""The use case of this room: check tables, reading only those that changed."""

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence

import ibis.expr.types as ir

from fairhaven.engine.model import Engine
from fairhaven.kernel.files import canonical_json
from fairhaven.kernel.progress import Progress, Silent
from fairhaven.quality.cdm_checks import NAME, defined_checks
from fairhaven.quality.check_run import measure
from fairhaven.quality.check_status import verdicts
from fairhaven.quality.column_types import TypedTables
from fairhaven.quality.dqd_thresholds import DqdThresholds
from fairhaven.quality.model import CheckResult, Numbers, QualityCheck, QualityReport
from fairhaven.quality.not_applicable import PRESENCE, reads
from fairhaven.quality.table_scans import count_rows

_RULES = "1"
"""Changes when a rule changes, so that results of an older rule are not taken for known."""


def check(
    tables: Mapping[str, ir.Table],
    *,
    engine: Engine,
    today: dt.date,
    thresholds: DqdThresholds | None = None,
    known: QualityReport | None = None,
    contents: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> QualityReport:
    """Check the tables of a CDM.

    Args:
        tables: CDM name -> table, of a release or of somebody else's database (`external_cdm.open_cdm`).
        today: what "today" means in checks on dates; a release's day, so that a rebuild says the same.
        thresholds: DQD's threshold files; None checks what the CDM's definition says.
        known: an earlier report; its numbers are taken over for checks whose tables have not changed.
        contents: CDM name -> content hash, for the tables whose content is known to be the same for the same hash.
    """
    progress = progress or Silent()
    progress.stage("Checking the quality of the tables")
    shapes = TypedTables(tables)
    checks = thresholds.checks if thresholds is not None else defined_checks()
    bases = _bases(checks, contents or {}, shapes)
    taken = _taken_over(bases, known, today)
    rows = count_rows(shapes, engine)
    waiting = [item for item in checks if item.id not in taken]
    found = measure(waiting, shapes, rows=rows, engine=engine, today=today, progress=progress)
    return QualityReport(
        as_of=today,
        checked_against=thresholds.name if thresholds is not None else NAME,
        rows=rows,
        results=verdicts(checks, taken | found.numbers, found.errors, shapes=shapes, rows=rows, bases=bases),
        scanned=tuple(
            sorted({item.table for item in waiting if item.id in found.numbers and item.kind not in PRESENCE})
        ),
    )


def _bases(checks: Sequence[QualityCheck], contents: Mapping[str, str], shapes: TypedTables) -> dict[str, str]:
    """For each check whose tables all have a known content: digest of the check and of these contents."""
    bases = {}
    for item in checks:
        needed = sorted(reads(item) & set(shapes))
        if item.kind not in PRESENCE and all(table in contents for table in needed):
            said = [_RULES, item.id, dict(item.settings), [[table, contents[table]] for table in needed]]
            bases[item.id] = hashlib.sha256(canonical_json(said).encode()).hexdigest()[:16]
    return bases


def _taken_over(bases: Mapping[str, str], known: QualityReport | None, today: dt.date) -> dict[str, Numbers]:
    if known is None:
        return {}
    return {
        result.check.id: (result.violated or 0, result.denominator or 0)
        for result in known.results
        if result.basis and result.basis == bases.get(result.check.id) and _still_holds(result, known.as_of, today)
    }


def _still_holds(result: CheckResult, then: dt.date, today: dt.date) -> bool:
    """A check against "today" holds on the same day, and on a later one where nothing lay in the future."""
    if result.violated is None:
        return False
    is_moving = any("GETDATE" in value.upper() for value in result.check.settings.values())
    return not is_moving or then == today or (then < today and result.violated == 0)
