"""The last look before a release is sealed: no text of it holds an identifier of somebody whom the hub knows.

What lands was gone through already (`intake.landed_texts`), and free text was left out. A rule may still put together what was harmless
apart, or a person may have become known since a text landed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.engine.sql import identifier, literal, parquet
from fairhaven.identifiers.known_identifiers import KnownIdentifiers
from fairhaven.identifiers.texts_with_identifiers import find_texts
from fairhaven.identifiers.withheld import MARK
from fairhaven.kernel.files import readers_scratch
from fairhaven.omop import CDM


@dataclass(frozen=True, kw_only=True, slots=True)
class TellingTexts:
    """Where texts that name somebody stand in the tables of a release.

    Args:
        columns: ``table.column``, in order.
        extracts: numbers of those that their rows came from.
    """

    columns: tuple[str, ...]
    extracts: frozenset[int]


def telling_texts(
    files: Mapping[str, Sequence[Path]], known: Callable[[], KnownIdentifiers], *, key: bytes
) -> TellingTexts:
    """The texts of a release that name a person.

    What is nothing but a name is not among them: what the hub itself is called, and its words for things, may be somebody's name. Where a
    source wrote it, it did not land.

    Args:
        files: CDM table -> its Parquet files.
        known: gives what the hub knows people by; asked only where the release holds texts.
        key: of the tokens in it.
    """
    reaches = [path for paths in files.values() for path in paths]
    with readers_scratch() as work, open_duckdb(spill=work, reaches=reaches) as connection:
        columns = {
            (table, column): f"SELECT DISTINCT {identifier(column)} AS text FROM {parquet(*paths)} "
            f"WHERE length({identifier(column)}) > 2 AND NOT starts_with({identifier(column)}, {literal(MARK)})"
            for table, paths in files.items()
            if paths
            for column in _texts(table)
        }
        if not columns:
            return TellingTexts(columns=(), extracts=frozenset())
        placed = " UNION ALL ".join(
            f"SELECT {literal(table)} AS cdm_table, {literal(column)} AS name, text FROM ({query})"
            for (table, column), query in columns.items()
        )
        connection.execute(f"CREATE TEMP TABLE placed_texts AS {placed}")
        find_texts(connection, "placed_texts", known(), key=key, names_alone=False)
        named = _named(connection)
        extracts = {
            number for table, column in named for number in _extracts(connection, column, parquet(*files[table]))
        }
    return TellingTexts(columns=tuple(f"{table}.{column}" for table, column in named), extracts=frozenset(extracts))


def _texts(table: str) -> list[str]:
    # The pseudonym is ours, and holds ten digits by chance.
    return [
        field.name for field in CDM[table].fields if field.dtype == "string" and field.name != "person_source_value"
    ]


def _named(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    found = connection.execute(
        "SELECT DISTINCT cdm_table, name FROM placed_texts SEMI JOIN texts_with_identifiers USING (text) ORDER BY ALL"
    )
    return [(table, column) for table, column in found.fetchall()]


def _extracts(connection: duckdb.DuckDBPyConnection, column: str, rows: str) -> list[int]:
    """The extracts of the rows with such a text; none for rows that the hub itself makes."""
    found = connection.execute(
        f"SELECT DISTINCT row_extract FROM {rows} WHERE {identifier(column)} IN (FROM texts_with_identifiers)"
    )
    return [number for (number,) in found.fetchall() if number is not None]
