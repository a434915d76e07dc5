"""One pass over a table counts values, one is for all checks that single rows decide, and one more for each join."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

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
class _Tests:
    """Tests to count rows by, over one join, and the columns of the table that they read."""

    by_key: dict[str, Test] = field(default_factory=dict)
    columns: set[str] = field(default_factory=set)


@dataclass(kw_only=True)
class _Wanted:
    """What is asked of one table: columns to count values of, columns to count concept 0 in, and row rules by field."""

    filled: set[str] = field(default_factory=set)
    zeros: set[str] = field(default_factory=set)
    rules: list[tuple[str, RowRule]] = field(default_factory=list)

    def add(self, rule: RowRule, name: str) -> None:
        """Ask for what a rule needs."""
        self.filled |= {rule.is_null_of, rule.filled, *rule.decided_by} - {""}
        self.rules.append((name, rule))

    def tests(self, filled: Mapping[str, int]) -> dict[str, _Tests]:
        """What is tested over each join: equal tests once, and none of columns that are empty, as many of the CDM's are.

        Args:
            filled: rows with a value, by column.
        """
        found: dict[str, _Tests] = defaultdict(_Tests)
        found[""].by_key |= {_zero(name): partial(_is_zero, name) for name in sorted(self.zeros) if filled[name]}
        for name, rule in self.rules:
            if rule.is_null_of or (rule.decided_by and not any(filled[column] for column in rule.decided_by)):
                continue
            found[rule.over].by_key[rule.key] = rule.violated
            found[rule.over].columns.add(name)
            if rule.counted is not None:
                found[rule.counted_over].by_key[f"counted {rule.key}"] = rule.counted
        return found


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
            wanted.zeros |= {cross_row_checks.standard_concept(check)} - {""}
            wanted.filled |= {check.field, *wanted.zeros} - {""}
            continue
        rule = datatype_rule(check, shapes) if check.kind == "cdmDatatype" else row_rule(check, today=today)
        if rule is not None:
            rules.append((check, rule))
            wanted.add(rule, check.field)
        else:
            found.numbers[check.id] = (0, size)
    filled, sums = dict.fromkeys(wanted.filled, 0), dict[str, int]()
    # Nothing is scanned where there is nothing.
    if size:
        own = shapes[table].table
        filled = _sums(own, {name: own[name].count() for name in sorted(wanted.filled)}, engine)
    for over, tests in wanted.tests(filled).items():
        if size and (not over or found.rows[over]):
            rows = joined(shapes, table, over, tests.columns)
            sums |= _sums(rows, {key: rows.count(where=test(rows)) for key, test in tests.by_key.items()}, engine)
    found.filled |= {(table, name): count for name, count in filled.items()}
    found.zeros |= {(table, name): sums.get(_zero(name), 0) for name in wanted.zeros}
    for check, rule in rules:
        found.numbers[check.id] = _numbers(table, rule, sums, found)


def _zero(name: str) -> str:
    return f"zero {name}"


def _is_zero(name: str, rows: ir.Table) -> ir.BooleanValue:
    return rows[name] == 0


def _sums(rows: ir.Table, asked: Mapping[str, ir.IntegerScalar], engine: Engine) -> dict[str, int]:
    if not asked:
        return {}
    summed = rows.aggregate(**{f"_{number}": value for number, value in enumerate(asked.values())})
    # Spark sums tests, and the sum of nothing but NULLs is NULL.
    [values] = engine.fetch(summed).to_pylist()
    return {key: int(values[f"_{number}"] or 0) for number, key in enumerate(asked)}


def _numbers(table: str, rule: RowRule, sums: Mapping[str, int], found: ScanResult) -> Numbers:
    size = found.rows[table]
    violated = size - found.filled[table, rule.is_null_of] if rule.is_null_of else sums.get(rule.key, 0)
    if rule.counted is not None:
        return violated, sums.get(f"counted {rule.key}", 0)
    return violated, found.filled[table, rule.filled] if rule.filled else size
