"""Filters of many criteria as one predicate: values lie in a table of parameters, one row for each criterion.

A criterion that does not ask something has NULL there, and the predicate lets its events through.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import ibis
import ibis.expr.types as ir

from fairhaven.cohort.model import Abnormal, Compare, Dates, InSet, Known, Numbers, Text
from fairhaven.cohort.program.days import day_number
from fairhaven.cohort.program.parts import FieldTest

ABNORMAL_CONCEPTS = (4155142, 4155143)

_COMPARES: Mapping[Compare, Callable[[ir.Value, ir.Value], ir.BooleanValue]] = {
    Compare.LESS: lambda value, asked: value < asked,
    Compare.AT_MOST: lambda value, asked: value <= asked,
    Compare.EQUAL: lambda value, asked: value == asked,
    Compare.NOT_EQUAL: lambda value, asked: value != asked,
    Compare.AT_LEAST: lambda value, asked: value >= asked,
    Compare.MORE: lambda value, asked: value > asked,
}


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
        predicates = []
        for slot, name in self.slots.items():
            if slot.kind in ("in", "not in"):
                table, found = _looked_up(table, slot.field, name, members)
                known = table[slot.field].notnull()
                holds = table[found] if slot.kind == "in" else known & ~table[found]
                predicates.append((name, holds))
            elif slot.kind == "outside":
                low, high = name, f"{name}_to"
                value = table[slot.field]
                predicates.append((low, ~((value >= table[low]) & (value <= table[high]))))
            elif slot.kind == "known":
                predicates.append((name, table[slot.field].notnull() == table[name]))
            elif slot.kind in ("like", "not like"):
                matches = table[slot.field].like(table[name])
                predicates.append((name, matches if slot.kind == "like" else ~matches))
            elif slot.kind == "abnormal":
                predicates.append((name, table.abnormal))
            else:
                predicates.append((name, _COMPARES[Compare(slot.kind)](table[slot.field], table[name])))
        return table.filter([table[name].isnull() | holds for name, holds in predicates])


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
    test = asked.test
    if isinstance(test, Numbers | Dates):
        value, to = (_value(each) for each in (test.value, test.to))
        if test.compare is Compare.BETWEEN:
            return [(Compare.AT_LEAST, [value]), (Compare.AT_MOST, [to])]
        if test.compare is Compare.OUTSIDE:
            return [("outside", [value, to])]
        return [(test.compare, [value])]
    if isinstance(test, InSet):
        return [("not in" if test.excluded else "in", [(asked.concept_set, "whole")])]
    if isinstance(test, Known):
        return [("known", [(test.yes, "flag")])]
    if isinstance(test, Text):
        return [("not like" if test.negated else "like", [(test.pattern, "text")])]
    if isinstance(test, Abnormal):
        return [("abnormal", [(True, "flag")])]
    raise TypeError(f"no such test: {test!r}")  # the check lets nothing else through


def _value(value: Any) -> tuple[Any, str]:
    if isinstance(value, int | float) or value is None:
        return (None if value is None else float(value)), "double"
    return day_number(value), "whole"


def _looked_up(table: ir.Table, column: str, name: str, members: ir.Table) -> tuple[ir.Table, str]:
    """The table with a column that says whether a concept is in the set that its row asks for."""
    found = f"{name}_found"
    sets = members.select(**{f"{name}_set": members.concept_set, f"{name}_concept": members.concept_id})
    joined = table.left_join(sets, [(name, f"{name}_set"), (column, f"{name}_concept")])
    kept = joined.mutate(**{found: joined[f"{name}_set"].notnull()})
    return kept.drop(f"{name}_set", f"{name}_concept"), found


def is_abnormal(low: ir.Value, high: ir.Value, value: ir.Value, concept: ir.Value) -> ir.BooleanValue:
    """A measurement's value beyond its range or called so."""
    return (value < low) | (value > high) | concept.isin(ABNORMAL_CONCEPTS)


def nothing() -> ir.Value:
    """A value that is not there."""
    return ibis.null("int64")
