"""The last look before a release is sealed: no text or number of it holds an identifier of somebody whom the hub knows.

What lands was gone through already (`intake.landed_texts`), and free text was left out. A rule may still put together what was harmless
apart, or a person may have become known since a text landed.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.engine.sql import identifier, literal, parquet
from fairhaven.identifiers.known_identifiers import KnownIdentifiers
from fairhaven.identifiers.spellings import whole_sql
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
    files: Mapping[str, Sequence[Path]],
    known: Callable[[], KnownIdentifiers],
    *,
    key: bytes,
    listed: Collection[str] = (),
) -> TellingTexts:
    """The texts of a release that name a person.

    What is nothing but a name is not among them: what the hub itself is called, and its words for things, may be somebody's name. Where a
    source wrote it, it did not land.

    Args:
        files: CDM table -> its Parquet files.
        known: gives what the hub knows people by; asked only where the release holds texts.
        key: of the tokens in it.
        listed: words of closed lists, in small letters, which landed because they name nobody; nor do they here.
    """
    reaches = [path for paths in files.values() for path in paths]
    with readers_scratch() as work, open_duckdb(spill=work, reaches=reaches) as connection:
        columns = {
            (table, column): f"SELECT text FROM (SELECT DISTINCT {text} AS text FROM {parquet(*paths)}) "
            f"WHERE length(text) > 2 AND NOT starts_with(text, {literal(MARK)})"
            for table, paths in files.items()
            if paths
            for column, text in _texts(table).items()
        }
        if not columns:
            return TellingTexts(columns=(), extracts=frozenset())
        placed = " UNION ALL ".join(
            f"SELECT {literal(table)} AS cdm_table, {literal(column)} AS name, text FROM ({query})"
            for (table, column), query in columns.items()
        )
        connection.execute(f"CREATE TEMP TABLE placed_texts AS {placed}")
        connection.execute(
            "DELETE FROM placed_texts WHERE lower(trim(text)) IN (SELECT unnest($listed::VARCHAR[]))",
            {"listed": sorted(listed)},
        )
        find_texts(connection, "placed_texts", known(), key=key, names_alone=False)
        named = _named(connection)
        extracts = {
            number
            for table, column in named
            for number in _extracts(connection, _texts(table)[column], parquet(*files[table]))
        }
    return TellingTexts(columns=tuple(f"{table}.{column}" for table, column in named), extracts=frozenset(extracts))


def _texts(table: str) -> dict[str, str]:
    """Column -> SQL of the text that is looked at; of numbers, those of ten digits and more."""
    found = {}
    for field in CDM[table].fields:
        # The pseudonym is ours, and holds ten digits by chance.
        if field.dtype == "string" and field.name != "person_source_value":
            found[field.name] = identifier(field.name)
        elif field.dtype == "float64":
            number = identifier(field.name)
            found[field.name] = f"CASE WHEN abs({number}) >= 1e9 THEN ({whole_sql(number)})::VARCHAR END"
    return found


def _named(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    found = connection.execute(
        "SELECT DISTINCT cdm_table, name FROM placed_texts SEMI JOIN texts_with_identifiers USING (text) ORDER BY ALL"
    )
    return [(table, column) for table, column in found.fetchall()]


def _extracts(connection: duckdb.DuckDBPyConnection, text: str, rows: str) -> list[int]:
    """The extracts of the rows with such a text; none for rows that the hub itself makes."""
    found = connection.execute(f"SELECT DISTINCT row_extract FROM {rows} WHERE {text} IN (FROM texts_with_identifiers)")
    return [number for (number,) in found.fetchall() if number is not None]
