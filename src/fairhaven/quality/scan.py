"""Run checks in few passes: all row rules of a table and join in one aggregate, all key checks of a table in one query.

DQD runs one query for each of its 2,535 checks. Here queries are counted by tables, not by checks: one for the rows of
each table, one for each join with person, death and visit, one for keys and references, one for concepts by value.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import ibis
import ibis.expr.types as ir

from fairhaven.engine.model import Engine
from fairhaven.kernel.progress import Progress
from fairhaven.quality import concepts, sets
from fairhaven.quality.model import Check
from fairhaven.quality.obstacles import PRESENCE, obstacle, standard_concept
from fairhaven.quality.rows import RowRule, Test, datatype_rule, joined, row_rule
from fairhaven.quality.shape import Shapes

Numbers = tuple[int, int]


@dataclass(kw_only=True)
class Measured:
    """What a scan found.

    Args:
        rows: table -> rows.
        nulls: (table, field) -> rows without a value, for the fields that keys and concepts are checked in.
        numbers: check id -> (violated, looked at).
        errors: check id -> why it could not run.
    """

    rows: dict[str, int] = field(default_factory=dict)
    nulls: dict[tuple[str, str], int] = field(default_factory=dict)
    numbers: dict[str, Numbers] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def filled(self, check: Check) -> int:
        """Rows with a value in the check's field."""
        return self.rows[check.table] - self.nulls[check.table, check.field]


def measure(
    checks: Sequence[Check],
    shapes: Shapes,
    *,
    rows: Mapping[str, int],
    engine: Engine,
    today: dt.date,
    progress: Progress,
) -> Measured:
    """Numbers of every check that can run, and the reason for each that cannot."""
    found = Measured(rows=dict(rows))
    able: dict[str, list[Check]] = {}
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
        _scan_rows(table, own, shapes, found, engine=engine, today=today)
        _scan_sets(own, shapes, found, engine)
    by_concept = [check for own in able.values() for check in own if concepts.is_by_concept(check)]
    _scan_concepts(by_concept, shapes, found, engine)
    return found


def count_rows(shapes: Shapes, engine: Engine) -> dict[str, int]:
    """Rows of every table, in one query."""
    if not shapes:
        return {}
    parts = [
        shape.raw.aggregate(_rows=shape.raw.count()).mutate(_table=ibis.literal(name)) for name, shape in shapes.items()
    ]
    return {row["_table"]: int(row["_rows"]) for row in engine.fetch(_stacked(parts)).to_pylist()}


def _stacked(parts: Sequence[ir.Table]) -> ir.Table:
    return ibis.union(*parts) if len(parts) > 1 else parts[0]


def _scan_rows(
    table: str, checks: Iterable[Check], shapes: Shapes, found: Measured, *, engine: Engine, today: dt.date
) -> None:
    """Row rules of one table: one pass for each join."""
    rules: list[tuple[Check, RowRule]] = []
    tests: dict[str, dict[str, Test]] = {"": {}}
    columns: dict[str, set[str]] = {}
    for check in checks:
        if concepts.is_by_concept(check) or check.kind in sets.KINDS:
            if check.field:
                tests[""][f"null {check.field}"] = _is_null(check.field)
            continue
        rule = datatype_rule(check, shapes) if check.kind == "cdmDatatype" else row_rule(check, today=today)
        if rule is not None:
            rules.append((check, rule))
            tests.setdefault(rule.over, {})[rule.key] = rule.violated
            columns.setdefault(rule.over, set()).add(check.field)
            if rule.counted is not None:
                tests.setdefault(rule.counted_over, {})[f"counted {rule.key}"] = rule.counted
        elif check.kind == "cdmDatatype":
            found.numbers[check.id] = (0, found.rows[table])
    sums: dict[str, dict[str, int]] = {}
    for over, wanted in tests.items():
        sums[over] = dict.fromkeys(wanted, 0)
        # Nothing is scanned where there is nothing.
        if wanted and found.rows[table] and (not over or found.rows[over]):
            sums[over] = _sum(wanted, joined(shapes, table, over, columns.get(over, ())), engine)
    for check, rule in rules:
        counted = found.rows[table] if rule.counted is None else sums[rule.counted_over][f"counted {rule.key}"]
        found.numbers[check.id] = (sums[rule.over][rule.key], counted)
    for key, value in sums[""].items():
        if key.startswith("null "):
            found.nulls[table, key.removeprefix("null ")] = value


def _is_null(name: str) -> Test:
    return lambda rows: rows[name].isnull()


def _sum(tests: Mapping[str, Test], rows: ir.Table, engine: Engine) -> dict[str, int]:
    """How many rows each test holds for, in one pass."""
    sums = {f"_{number}": rows.count(where=test(rows)) for number, test in enumerate(tests.values())}
    [values] = engine.fetch(rows.aggregate(**sums)).to_pylist()
    return {key: int(values[f"_{number}"]) for number, key in enumerate(tests)}


def _scan_sets(checks: Iterable[Check], shapes: Shapes, found: Measured, engine: Engine) -> None:
    """Keys, references and periods of one table, and its source values without a concept: one query for all."""
    asked: list[Check] = []
    parts: list[ir.Table] = []
    for check in checks:
        if check.kind == "sourceValueCompleteness" or (check.kind in sets.KINDS and not concepts.is_by_concept(check)):
            answer = _set_numbers(check, shapes, found, engine)
            if isinstance(answer, tuple):
                found.numbers[check.id] = answer
            else:
                parts.append(answer.mutate(_number=ibis.literal(len(asked), "int64")))
                asked.append(check)
    if parts:
        for row in engine.fetch(_stacked(parts)).to_pylist():
            found.numbers[asked[row["_number"]].id] = (int(row["_violated"] or 0), int(row["_counted"] or 0))


def _set_numbers(check: Check, shapes: Shapes, found: Measured, engine: Engine) -> Numbers | ir.Table:
    """The numbers where they are known without looking, else one row of `_violated` and `_counted`."""
    size = found.rows[check.table]
    match check.kind:
        case "sourceValueCompleteness":
            return _source_values(check, shapes) if size else (0, 0)
        case "isPrimaryKey":
            return _repeated(check, shapes, size) if size else (0, 0)
        case "isForeignKey":
            return (
                _number_of(sets.violated_rows(check, shapes, is_slim=True), size) if found.filled(check) else (0, size)
            )
        case "measurePersonCompleteness":
            persons = found.rows["person"]
            return _number_of(sets.violated_rows(check, shapes, is_slim=True), persons) if size else (persons, persons)
        case "withinObservationPeriod":
            filled = found.filled(check)
            return _number_of(sets.violated_rows(check, shapes, is_slim=True), filled) if filled else (0, 0)
        case _:
            looked_at = sets.persons_looked_at(check, shapes)
            return _number_of(sets.violated_rows(check, shapes, is_slim=True), engine.count(looked_at))


def _number_of(rows: ir.Table, counted: int) -> ir.Table:
    return rows.aggregate(_violated=rows.count()).mutate(_counted=ibis.literal(counted, "int64"))


def _repeated(check: Check, shapes: Shapes, size: int) -> ir.Table:
    """Rows whose key occurs more than once; a key that is NULL repeats nothing."""
    rows = shapes[check.table].table
    keys = rows.filter(rows[check.field].notnull()).group_by(_key=rows[check.field]).aggregate(_rows=ibis._.count())
    repeated = keys.filter(keys["_rows"] > 1)
    counted = repeated.aggregate(_violated=repeated["_rows"].sum().cast("int64"))
    return counted.mutate(_counted=ibis.literal(size, "int64"))


def _source_values(check: Check, shapes: Shapes) -> ir.Table:
    """Distinct source values (the absent one counts as one), and those that concept 0 stands for in some row."""
    rows = shapes[check.table].table
    is_unmapped = (rows[standard_concept(check)] == 0).fill_null(False)
    values = rows.group_by(_value=rows[check.field]).aggregate(_is_unmapped=is_unmapped.any())
    return values.aggregate(_violated=values.count(where=values["_is_unmapped"]), _counted=values.count())


def _scan_concepts(checks: Sequence[Check], shapes: Shapes, found: Measured, engine: Engine) -> None:
    """Checks on concepts, of all tables together."""
    found.numbers |= {check.id: (0, 0) for check in checks}
    by_field = [check for check in checks if check.kind in concepts.BY_FIELD]
    by_sex = [check for check in checks if check.kind in concepts.BY_SEX]
    places = {(check.table, check.field) for check in (*by_field, *by_sex) if found.filled(check)}
    counted = concepts.histograms(places, shapes, engine)
    violated = concepts.by_field(by_field, counted, shapes, engine)
    for check in by_field:
        is_filled_only = check.kind == "isStandardValidConcept"
        looked_at = found.filled(check) if is_filled_only else found.rows[check.table]
        found.numbers[check.id] = (violated[check.id], looked_at)
    filled = [check for check in checks if found.rows[check.table]]
    found.numbers |= concepts.by_sex(
        [check for check in filled if check.kind in concepts.BY_SEX], counted, shapes, engine
    )
    found.numbers |= concepts.by_unit([check for check in filled if check.kind == concepts.BY_UNIT], shapes, engine)
    by_value = [check for check in filled if check.kind in concepts.BY_VALUE and check.level == "CONCEPT"]
    found.numbers |= concepts.by_value(by_value, shapes, engine)
