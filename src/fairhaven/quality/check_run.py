"""Run checks in few passes: all row rules of a table and join in one aggregate, all key checks of a table in one query.

DQD runs one query for each of its 2,535 checks. Here queries are counted by tables, not by checks: one for the rows of
each table, one for each join with person, death and visit, one for keys and references, one for concepts by value.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from fairhaven.engine.model import Engine
from fairhaven.kernel.progress import Progress
from fairhaven.quality import concept_checks, cross_row_checks
from fairhaven.quality.column_types import TypedTables, stacked
from fairhaven.quality.model import Numbers, QualityCheck
from fairhaven.quality.not_applicable import PRESENCE, obstacle
from fairhaven.quality.table_scans import ScanResult, scan_rows


def measure(
    checks: Sequence[QualityCheck],
    shapes: TypedTables,
    *,
    rows: Mapping[str, int],
    engine: Engine,
    today: dt.date,
    progress: Progress,
) -> ScanResult:
    """Numbers of every check that can run, and the reason for each that cannot."""
    found = ScanResult(rows=dict(rows))
    able: dict[str, list[QualityCheck]] = {}
    for check in checks:
        if check.kind in PRESENCE:
            is_missing = shapes.missing(check.table, *((check.field,) if check.field else ()))
            found.numbers[check.id] = (1 if is_missing else 0, 1)
        elif reason := obstacle(check, shapes, today=today):
            found.errors[check.id] = reason
        else:
            able.setdefault(check.table, []).append(check)
    for done, (table, own) in enumerate(able.items()):
        progress.advance(done, len(able), "tables")
        scan_rows(table, own, shapes, found, engine=engine, today=today)
        _scan_sets(own, shapes, found, engine)
    by_concept = [check for own in able.values() for check in own if concept_checks.is_by_concept(check)]
    _scan_concepts(by_concept, shapes, found, engine)
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class _Count:
    """Rows to count: how many of them violate a check, and how many were looked at where that is not known before."""

    rows: ir.Table
    violated: ir.IntegerScalar
    counted: int | ir.IntegerScalar

    def numbered(self, number: int) -> ir.Table:
        """`_check`, `_counted`, `_violated`; no row where there is nothing to count."""
        groups: dict[str, ir.Value] = {"_check": ibis.literal(number, "int32")}
        if isinstance(self.counted, int):
            # A constant to group by is a relation less to write down than one beside the counts.
            groups["_counted"] = ibis.literal(self.counted, "int64")
            return self.rows.group_by(**groups).aggregate(_violated=self.violated)
        return self.rows.group_by(**groups).aggregate(_counted=self.counted, _violated=self.violated)


def _scan_sets(checks: Iterable[QualityCheck], shapes: TypedTables, found: ScanResult, engine: Engine) -> None:
    """Keys, references and periods of one table, and its source values without a concept: one query for all."""
    own = [
        check for check in checks if check.kind in cross_row_checks.KINDS and not concept_checks.is_by_concept(check)
    ]
    parts: list[ir.Table] = []
    for number, check in enumerate(own):
        answer = _set_numbers(check, shapes, found, engine)
        if isinstance(answer, tuple):
            found.numbers[check.id] = answer
        else:
            found.numbers[check.id] = (0, answer.counted if isinstance(answer.counted, int) else 0)
            parts.append(answer.numbered(number))
    if parts:
        for row in engine.fetch(stacked(parts)).to_pylist():
            found.numbers[own[row["_check"]].id] = (int(row["_violated"] or 0), int(row["_counted"]))


def _set_numbers(check: QualityCheck, shapes: TypedTables, found: ScanResult, engine: Engine) -> Numbers | _Count:
    """The numbers where they are known without looking, else what is to be counted."""
    size = found.rows[check.table]
    match check.kind:
        case "sourceValueCompleteness":
            if found.filled_of(check):
                return _source_values(check, shapes)
            # All are absent, and the absent value counts as one.
            return (1 if found.zeros[check.table, cross_row_checks.standard_concept(check)] else 0, 1 if size else 0)
        case "isPrimaryKey":
            return _repeated(check, shapes, size) if size else (0, 0)
        case "isForeignKey":
            filled = found.filled_of(check)
            if not filled or not found.rows[cross_row_checks.reference(check)[0]]:
                return (filled, size)
            return _violated(check, shapes, size, is_slim=True)
        case "measurePersonCompleteness":
            persons = found.rows["person"]
            return _violated(check, shapes, persons, is_slim=True) if size else (persons, persons)
        case "withinObservationPeriod":
            filled = found.filled_of(check)
            return _violated(check, shapes, filled, is_slim=True) if filled else (0, 0)
        case _:
            looked_at = engine.count(cross_row_checks.persons_looked_at(check, shapes))
            return _violated(check, shapes, looked_at) if looked_at else (0, 0)


def _violated(check: QualityCheck, shapes: TypedTables, counted: int, *, is_slim: bool = False) -> _Count:
    rows = cross_row_checks.violated_rows(check, shapes, is_slim=is_slim)
    return _Count(rows=rows, violated=rows.count(), counted=counted)


def _repeated(check: QualityCheck, shapes: TypedTables, size: int) -> _Count:
    """Rows whose key occurs more than once; a key that is NULL repeats nothing."""
    rows = shapes[check.table].table
    keys = rows.filter(rows[check.field].notnull()).group_by(_key=rows[check.field]).aggregate(_rows=ibis._.count())
    repeated = keys.filter(keys["_rows"] > 1)
    return _Count(rows=repeated, violated=repeated["_rows"].sum(), counted=size)


def _source_values(check: QualityCheck, shapes: TypedTables) -> _Count:
    """Distinct source values (the absent one counts as one), and those that concept 0 stands for in some row."""
    rows = shapes[check.table].table
    is_unmapped = (rows[cross_row_checks.standard_concept(check)] == 0).fill_null(False)
    values = rows.group_by(_value=rows[check.field]).aggregate(_is_unmapped=is_unmapped.any())
    return _Count(rows=values, violated=values.count(where=values["_is_unmapped"]), counted=values.count())


def _scan_concepts(checks: Sequence[QualityCheck], shapes: TypedTables, found: ScanResult, engine: Engine) -> None:
    """Checks on concepts, of all tables together."""
    found.numbers |= {check.id: (0, 0) for check in checks}
    by_histogram = concept_checks.BY_FIELD | concept_checks.BY_SEX
    places = {(check.table, check.field) for check in checks if check.kind in by_histogram and found.filled_of(check)}
    counted = concept_checks.histograms(places, shapes, engine)
    by_field = [check for check in checks if check.kind in concept_checks.BY_FIELD]
    violated = concept_checks.by_field(by_field, counted, shapes, engine)
    for check in by_field:
        is_filled_only = check.kind == "isStandardValidConcept"
        looked_at = found.filled_of(check) if is_filled_only else found.rows[check.table]
        found.numbers[check.id] = (violated[check.id], looked_at)
    filled = [check for check in checks if found.rows[check.table]]
    by_sex = [check for check in filled if check.kind in concept_checks.BY_SEX]
    by_unit = [check for check in filled if check.kind == concept_checks.BY_UNIT]
    by_limit = [check for check in filled if check.kind in concept_checks.BY_VALUE]
    found.numbers |= concept_checks.by_sex(by_sex, counted, shapes, engine)
    found.numbers |= concept_checks.by_unit(by_unit, shapes, engine)
    found.numbers |= concept_checks.by_value(by_limit, shapes, engine)
