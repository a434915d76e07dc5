"""Filters of many criteria as one predicate: values lie in a table of parameters, one row for each criterion.

A criterion that does not ask something has NULL there, and the predicate lets its events through.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import ibis.expr.types as ir

from fairhaven.cohort.comparison_semantics import COMPARES
from fairhaven.cohort.engines.relational.parts import FieldTest
from fairhaven.cohort.event_dates import ends_of_range
from fairhaven.cohort.model import Abnormal, Compare, Dates, InSet, Known, Numbers, Text

_BACKSLASH = "\ue05c"
"""Stands for a backslash in texts and patterns alike: Spark's LIKE takes that for an escape, DuckDB's does not."""


@dataclass(frozen=True, slots=True)
class _Slot:
    """One kind of test on one field; the third part tells apart the tests of a criterion that asks the same twice."""

    field: str
    kind: str
    turn: int


@dataclass(slots=True)
class Filters:
    """The filters of a group of criteria or conditions.

    Build it with `filters_of`, put `schema` and `rows` into the table of parameters, then apply `where`.
    """

    slots: dict[_Slot, str] = field(default_factory=dict)
    schema: dict[str, str] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def fields(self) -> frozenset[str]:
        """The fields that any of them asks for."""
        return frozenset(slot.field for slot in self.slots)

    def where(self, table: ir.Table, members: ir.Table) -> ir.Table:
        """The rows that pass.

        Args:
            table: with a column for each of `fields` (dates as day numbers) and the columns of `schema`.
            members: ``concept_set``, ``concept_id``, each pair once.
        """
        for slot, name in self.slots.items():
            if slot.kind in ("in", "not in"):
                table = _looked_up(table, slot.field, name, members)
        predicates = [table[name].isnull() | _holds(table, slot, name) for slot, name in self.slots.items()]
        return table.filter(predicates) if predicates else table


def _holds(table: ir.Table, slot: _Slot, name: str) -> ir.BooleanValue:
    """Whether an event's field passes the test whose values are in column *name*."""
    value = table[slot.field]
    match slot.kind:
        case "in":
            return table[_found(name)]
        case "not in":
            return value.notnull() & ~table[_found(name)]
        case "outside":
            return ~((value >= table[name]) & (value <= table[f"{name}_to"]))
        case "known":
            return value.notnull() == table[name]
        case "like":
            return value.replace("\\", _BACKSLASH).like(table[name])
        case "not like":
            return ~value.replace("\\", _BACKSLASH).like(table[name])
        case "abnormal":
            return value
        case compare:
            holds: ir.BooleanValue = COMPARES[Compare(compare)](value, table[name])
            return holds


def filters_of(filters: Iterable[tuple[FieldTest, ...]]) -> Filters:
    """The filters of criteria, in their order."""
    all_of = Filters()
    for each in filters:
        row: dict[str, Any] = {}
        turns: defaultdict[tuple[str, str], int] = defaultdict(int)
        for test in each:
            for kind, values in _kinds(test):
                slot = _Slot(test.field, kind, turns[test.field, kind])
                turns[test.field, kind] += 1
                name = all_of.slots.setdefault(slot, f"asked_{len(all_of.slots)}")
                for suffix, (value, column_kind) in zip(("", "_to"), values, strict=False):
                    row[name + suffix] = value
                    all_of.schema[name + suffix] = column_kind
        all_of.rows.append(row)
    return all_of


def _kinds(asked: FieldTest) -> list[tuple[str, list[tuple[Any, str]]]]:
    """The elementary tests that a test is made of, each with its values and the kind of their columns."""
    match asked.test:
        case Numbers() | Dates() as test:
            kind = "double" if isinstance(test, Numbers) else "whole"
            value, to = ((end, kind) for end in ends_of_range(test))
            match test.compare:
                case Compare.BETWEEN:
                    return [(Compare.AT_LEAST, [value]), (Compare.AT_MOST, [to])]
                case Compare.OUTSIDE:
                    return [("outside", [value, to])]
                case compare:
                    return [(compare, [value])]
        case InSet(excluded=excluded):
            return [("not in" if excluded else "in", [(asked.concept_set, "whole")])]
        case Known(yes=yes):
            return [("known", [(yes, "flag")])]
        case Text(pattern=pattern, negated=negated):
            return [("not like" if negated else "like", [(pattern.replace("\\", _BACKSLASH), "text")])]
        case Abnormal():
            return [("abnormal", [(True, "flag")])]
    raise TypeError(f"no such test: {asked.test!r}")  # the check lets nothing else through


def _looked_up(table: ir.Table, column: str, name: str, members: ir.Table) -> ir.Table:
    """The table with a column that says whether a concept is in the set that its row asks for."""
    set_of, concept_of = f"{name}_set", f"{name}_concept"
    sets = members.select(**{set_of: members.concept_set, concept_of: members.concept_id})
    joined = table.left_join(sets, [(name, set_of), (column, concept_of)])
    return joined.mutate(**{_found(name): joined[set_of].notnull()}).drop(set_of, concept_of)


def _found(name: str) -> str:
    return f"{name}_found"
