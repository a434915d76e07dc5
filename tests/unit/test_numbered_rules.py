"""Rows of a kind are gathered source by source, so that a build needs the memory of one source's rules at a time."""

import ibis
import ibis.expr.types as ir

from fairhaven.harmonise import SourceTables
from fairhaven.harmonise.generic_rows import GenericRows
from fairhaven.harmonise.numbered_rules import number_rules, rows_of_sources


def test_each_source_is_a_table_of_all_its_rules_with_the_columns_of_every_source() -> None:
    def rows(rule: str, kind: str = "event", **columns: str) -> GenericRows:
        table: ir.Table = ibis.memtable({"row_key": [1], "row_extract": [1], "row_line": [1], **{name: [value] for name, value in columns.items()}})  # fmt: skip
        return GenericRows(kind=kind, rule=rule, table="t", file="f", rows=table)

    def source(name: str) -> SourceTables:
        return SourceTables(name=name, kind="gp", format="fhir", tables={}, mapping=[])

    rules = number_rules(
        [
            (source("a"), [rows("one", code="1"), rows("two", unit="kg"), rows("who", "person", gender="F")]),
            (source("b"), [rows("one", code="2")]),
            (source("c"), [rows("who", "person")]),
        ]
    )
    found = rows_of_sources(rules, "event")
    connection = ibis.duckdb.connect()
    gathered = [sorted(connection.to_pyarrow(each.select("source", "rule", "code", "unit")).to_pylist(), key=str) for each in found]  # fmt: skip
    assert gathered == [
        [
            {"source": "a", "rule": 1, "code": "1", "unit": None},
            {"source": "a", "rule": 2, "code": None, "unit": "kg"},
        ],
        [{"source": "b", "rule": 4, "code": "2", "unit": None}],
    ]
    assert [each.columns for each in found] == [found[0].columns] * 2
    assert rows_of_sources(rules, "note") == []
