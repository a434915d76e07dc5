"""Row identifiers: the same in every build, unique within a table, below 2^53.

An identifier is the row's key XOR constants for the rule, the CDM table, the position of an unpivoted column and the
number among several concepts of one code. Keys are random 52-bit numbers, so two rows rarely meet; where they do,
`unique_ids` parts them.
"""

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from fairhaven.engine import Engine
from fairhaven.kernel.ids import BITS, digest52

_POSITION_BITS = 13
# Multipliers below 2^39, so that a position or ordinal below 2^13 stays below 2^52.
_POSITION = digest52("position") >> _POSITION_BITS | 1
_ORDINAL = digest52("ordinal") >> _POSITION_BITS | 1


def rule_constant(source: str, rule: str) -> int:
    """Constant of a rule: its name within its source, so that numbers do not change when rules are added."""
    return digest52("rule", source, rule)


def table_constant(table: str) -> int:
    """Constant of a CDM table."""
    return digest52("table", table)


def row_id(rows: ir.Table, table: str) -> ir.IntegerValue:
    """Identifier of each row in a CDM table.

    Args:
        rows: with ``row_key`` and ``rule_key`` (the rule's constant); ``position``, ``ordinal`` where there are some.
    """
    number = rows["row_key"].cast("int64") ^ rows["rule_key"].cast("int64")
    for name, factor in (("position", _POSITION), ("ordinal", _ORDINAL)):
        if name in rows.columns:
            number = number ^ (rows[name].fill_null(0).cast("int64") * ibis.literal(factor, type="int64"))
    return number ^ ibis.literal(table_constant(table), type="int64")


def unique_ids(engine: Engine, rows: ir.Table, column: str, order: Sequence[str], *, bits: int = BITS) -> ir.Table:
    """Rows whose identifiers are all different.

    Of rows that share an identifier the first keeps it; the others get 2^bits and a running number. Nearly always no
    two rows share one, and the rows come back as they were.

    Args:
        column: the identifiers, below 2^bits.
        order: columns that together tell any two rows with one identifier apart, the same in every build.
        bits: narrower only in tests, where rows shall meet.
    """
    shared = engine.keep(rows.group_by(column).agg(rows_with_it=rows.count()).filter(lambda t: t["rows_with_it"] > 1))
    if engine.count(shared) == 0:
        engine.drop(shared)
        return rows
    keys = [column, *order]
    meeting = rows.semi_join(shared, column).select(*keys)
    ranked = meeting.mutate(turn=ibis.row_number().over(group_by=meeting[column], order_by=[meeting[n] for n in order]))
    later = ranked.filter(ranked["turn"] > 0)
    number = ibis.row_number().over(order_by=[later[name] for name in keys])
    moved = engine.keep(later.mutate(moved_to=(number + 1 + 2**bits).cast("int64")).drop("turn"))
    renamed = moved.rename({f"moved_{name}": name for name in keys})
    same = [rows[name].identical_to(renamed[f"moved_{name}"]) for name in keys[1:]]
    joined = rows.left_join(renamed, [rows[column] == renamed[f"moved_{column}"], *same])
    return joined.select(
        **{name: joined[name] for name in rows.columns if name != column},
        **{column: ibis.coalesce(joined["moved_to"], joined[column])},
    ).select(*rows.columns)
