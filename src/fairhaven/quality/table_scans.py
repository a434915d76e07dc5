"""One pass over a table for all checks that single rows decide, and one more for each join."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import ibis
import ibis.expr.types as ir

from fairhaven.engine.model import Engine
from fairhaven.quality import concept_checks, cross_row_checks
from fairhaven.quality.column_types import TypedTables, stacked
from fairhaven.quality.model import Numbers, QualityCheck
from fairhaven.quality.row_checks import RowRule, Test, datatype_rule, joined, row_rule


@dataclass(kw_only=True)
class ScanResult:
    """What a scan found.

    Args:
        rows: table -> rows.
        filled: (table, column) -> rows with a value, for the columns that some check needs it of.
        zeros: (table, column) -> rows with concept 0, for the concepts of source values.
        numbers: check id -> (violated, looked at).
        errors: check id -> why it could not run.
    """

    rows: dict[str, int] = field(default_factory=dict)
    filled: dict[tuple[str, str], int] = field(default_factory=dict)
    zeros: dict[tuple[str, str], int] = field(default_factory=dict)
    numbers: dict[str, Numbers] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def filled_of(self, check: QualityCheck) -> int:
        """Rows with a value in the check's field."""
        return self.filled[check.table, check.field]


@dataclass(kw_only=True)
class _Wanted:
    """What is asked of one table: columns to count values of, and tests to count rows by, for each join."""

    filled: set[str] = field(default_factory=set)
    zeros: set[str] = field(default_factory=set)
    tests: dict[str, dict[str, Test]] = field(default_factory=dict)
    columns: dict[str, set[str]] = field(default_factory=dict)

    def add(self, rule: RowRule, name: str) -> None:
        """Ask for what a rule needs; equal tests are asked once."""
        if rule.is_null_of:
            self.filled.add(rule.is_null_of)
        else:
            self.tests.setdefault(rule.over, {})[rule.key] = rule.violated
            self.columns.setdefault(rule.over, set()).add(name)
        if rule.filled:
            self.filled.add(rule.filled)
        if rule.counted is not None:
            self.tests.setdefault(rule.counted_over, {})[f"counted {rule.key}"] = rule.counted


def count_rows(shapes: TypedTables, engine: Engine) -> dict[str, int]:
    """Rows of every table, in one query."""
    if not shapes:
        return {}
    parts = [
        shape.raw.aggregate(_rows=shape.raw.count()).mutate(_table=ibis.literal(name)) for name, shape in shapes.items()
    ]
    return {row["_table"]: int(row["_rows"]) for row in engine.fetch(stacked(parts)).to_pylist()}


def scan_rows(
    table: str,
    checks: Iterable[QualityCheck],
    shapes: TypedTables,
    found: ScanResult,
    *,
    engine: Engine,
    today: dt.date,
) -> None:
    """Find the numbers of a table's row rules, and how often the columns of its other checks are filled."""
    size = found.rows[table]
    wanted = _Wanted()
    rules: list[tuple[QualityCheck, RowRule]] = []
    for check in checks:
        if concept_checks.is_by_concept(check) or check.kind in cross_row_checks.KINDS:
            wanted.filled |= {check.field} - {""}
            wanted.zeros |= {cross_row_checks.standard_concept(check)} - {""}
            continue
        rule = datatype_rule(check, shapes) if check.kind == "cdmDatatype" else row_rule(check, today=today)
        if rule is not None:
            rules.append((check, rule))
            wanted.add(rule, check.field)
        else:
            found.numbers[check.id] = (0, size)
    sums = _plain(table, wanted, shapes, found, engine)
    for over in wanted.tests.keys() - {""}:
        tests = wanted.tests[over]
        # Nothing is scanned where there is nothing.
        if size and found.rows[over]:
            rows = joined(shapes, table, over, wanted.columns[over])
            sums[over] = _sums(rows, {key: rows.count(where=test(rows)) for key, test in tests.items()}, engine)
        else:
            sums[over] = dict.fromkeys(tests, 0)
    for check, rule in rules:
        found.numbers[check.id] = _numbers(table, rule, sums, found)


def _plain(
    table: str, wanted: _Wanted, shapes: TypedTables, found: ScanResult, engine: Engine
) -> dict[str, dict[str, int]]:
    """The pass over the table itself."""
    tests = wanted.tests.get("", {})
    sums: dict[str, int] = {}
    if found.rows[table]:
        rows = shapes[table].table
        asked = {f"filled {name}": rows[name].count() for name in sorted(wanted.filled)}
        asked |= {f"zero {name}": rows.count(where=rows[name] == 0) for name in sorted(wanted.zeros)}
        asked |= {f"test {key}": rows.count(where=test(rows)) for key, test in tests.items()}
        sums = _sums(rows, asked, engine)
    found.filled |= {(table, name): sums.get(f"filled {name}", 0) for name in wanted.filled}
    found.zeros |= {(table, name): sums.get(f"zero {name}", 0) for name in wanted.zeros}
    return {"": {key: sums.get(f"test {key}", 0) for key in tests}}


def _sums(rows: ir.Table, asked: Mapping[str, ir.IntegerScalar], engine: Engine) -> dict[str, int]:
    if not asked:
        return {}
    summed = rows.aggregate(**{f"_{number}": value for number, value in enumerate(asked.values())})
    # Spark sums tests, and the sum of nothing but NULLs is NULL.
    [values] = engine.fetch(summed).to_pylist()
    return {key: int(values[f"_{number}"] or 0) for number, key in enumerate(asked)}


def _numbers(table: str, rule: RowRule, sums: Mapping[str, Mapping[str, int]], found: ScanResult) -> Numbers:
    size = found.rows[table]
    violated = size - found.filled[table, rule.is_null_of] if rule.is_null_of else sums[rule.over][rule.key]
    if rule.counted is not None:
        return violated, sums[rule.counted_over][f"counted {rule.key}"]
    return violated, found.filled[table, rule.filled] if rule.filled else size
