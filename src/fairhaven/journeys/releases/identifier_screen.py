"""The last look before a release is sealed: no NHS number of a person whom the hub knows stands in a text of it.

Identity columns never land, but free text and odd columns may carry what they should not. A text is suspected where it
holds ten digits, and refused where these are a number in the vault, so that codes of ten digits are not taken for one.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import duckdb

from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.engine.sql import identifier, literal, parquet
from fairhaven.kernel.errors import NotAllowedNow
from fairhaven.kernel.files import readers_scratch
from fairhaven.omop import CDM

_TEN_DIGITS = "[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}"


def check_no_nhs_numbers(files: Mapping[str, Sequence[Path]], known: Callable[[], Collection[str]]) -> None:
    """Refuse a release that would name a person by number.

    Args:
        files: CDM table -> its Parquet files.
        known: gives the NHS numbers of the vault; asked only where a text is suspected.

    Raises:
        NotAllowedNow: it says which columns, never what stands in them.
    """
    reaches = [path for paths in files.values() for path in paths]
    with readers_scratch() as work, open_duckdb(spill=work, reaches=reaches) as connection:
        suspects = [
            (table, column, text)
            for table, paths in files.items()
            for column, text in _suspects(connection, table, paths)
        ]
    if not suspects:
        return
    numbers = frozenset(re.sub("[ -]", "", number) for number in known())
    named = sorted({f"{table}.{column}" for table, column, text in suspects if _holds(text, numbers)})
    if named:
        raise NotAllowedNow(
            f"NHS numbers of known persons stand in {', '.join(named)}, so the release was not made. Find the rule that "
            "fills the column, and take the source's column out of its mapping or its declaration."
        )


def _suspects(connection: duckdb.DuckDBPyConnection, table: str, paths: Sequence[Path]) -> list[tuple[str, str]]:
    """(column, text) of texts with ten digits in a row."""
    # The pseudonym is ours, and holds ten digits by chance.
    texts = [
        field.name for field in CDM[table].fields if field.dtype == "string" and field.name != "person_source_value"
    ]
    if not texts or not paths:
        return []
    parts = [
        f"SELECT DISTINCT {literal(text)}, {identifier(text)} FROM {parquet(*paths)} "
        f"WHERE regexp_matches({identifier(text)}, {literal(_TEN_DIGITS)})"
        for text in texts
    ]
    found: list[tuple[str, str]] = connection.execute(" UNION ALL ".join(parts)).fetchall()
    return found


def _holds(text: str, numbers: frozenset[str]) -> bool:
    # Overlapping matches count: ten digits may stand inside a longer run.
    return any(re.sub("[ -]", "", match[1]) in numbers for match in re.finditer(f"(?=({_TEN_DIGITS}))", text))
