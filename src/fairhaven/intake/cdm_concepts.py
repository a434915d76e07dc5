"""Concepts of a delivered CDM: a number that can be no concept does not land.

Concepts are anybody's and are not searched for identifiers, and nobody but the partner decides what stands in their columns: an NHS number, too.
Source: OMOP CDM 5.4, whose integers have 32 bits; local concepts begin at 2,000,000,000.
"""

import dataclasses
from collections import Counter

import duckdb

from fairhaven.engine.sql import identifier
from fairhaven.intake.reader import StagedTable
from fairhaven.omop import CDM
from fairhaven.omop.concepts import LARGEST


def without_false_concepts(connection: duckdb.DuckDBPyConnection, staged: StagedTable) -> StagedTable:
    """A table whose columns of concepts, but for those of its key, are empty where the number is negative or beyond 32 bits; such rows count as emptied."""
    declaration = staged.declaration
    fields = [field.name for field in CDM[declaration.name].fields if field.is_concept]
    false = {
        column.name: f"{identifier(column.name)} NOT BETWEEN 0 AND {LARGEST}"
        for column in declaration.columns
        if column.name in fields and column.header not in staged.missing and column.name not in declaration.key
    }
    if not false:
        return staged
    counts = ", ".join(f"count(*) FILTER ({test})" for test in false.values())
    [found] = connection.execute(f"SELECT {counts} FROM {identifier(staged.rows)}").fetchall()
    emptied = {name: rows for name, rows in zip(false, found, strict=True) if rows}
    if not emptied:
        return staged
    replaced = ", ".join(
        f"CASE WHEN NOT ({false[name]}) THEN {identifier(name)} END AS {identifier(name)}" for name in emptied
    )
    view = f"{declaration.name}_concepts"
    connection.execute(
        f"CREATE VIEW {identifier(view)} AS SELECT * REPLACE ({replaced}) FROM {identifier(staged.rows)}"
    )
    return dataclasses.replace(staged, rows=view, emptied=dict(Counter(emptied) + Counter(staged.emptied)))
