"""Which rows belong to some persons: their own, and those that hang on them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from fairhaven.archive.parquet import order, person_column
from fairhaven.engine.duckdb_connection import count_of, write_parquet
from fairhaven.engine.sql import identifier, parquet
from fairhaven.omop import CDM

_HANGING = {
    "note_nlp": ("note_id",),
    "episode_event": ("episode_id", "event_id"),
    "cost": ("cost_event_id",),
    "fact_relationship": ("fact_id_1", "fact_id_2"),
}
"""Columns that name a row of another table, in tables that have no person."""


class Belonging:
    """The rows of some persons.

    Args:
        connection: holds what is gathered, in temporary tables.
        person_keys: the persons.
    """

    DEPENDENT = (*_HANGING, "location")

    def __init__(self, connection: duckdb.DuckDBPyConnection, person_keys: Sequence[int]) -> None:
        self._connection = connection
        self._gathered: set[Path] = set()
        persons = pa.table({"id": pa.array(sorted(set(person_keys)), pa.int64())})
        connection.register("persons_arriving", persons)
        connection.execute("CREATE OR REPLACE TEMP TABLE erased_person AS FROM persons_arriving")
        connection.unregister("persons_arriving")
        # A relationship may name the person's own number as well as the number of one of their rows.
        connection.execute("CREATE OR REPLACE TEMP TABLE erased_row AS FROM erased_person")
        connection.execute("CREATE OR REPLACE TEMP TABLE erased_location (id BIGINT)")

    def gather(self, table: str, files: Sequence[Path]) -> None:
        """Remember the row identifiers of the persons' rows in these files."""
        column, key = person_column(table), CDM[table].primary_key
        fresh = [file for file in files if file not in self._gathered]
        if not column or not key or not fresh:
            return
        self._gathered.update(fresh)
        self._connection.execute(
            f"INSERT INTO erased_row SELECT {identifier(key)} FROM {parquet(*fresh)}"
            f" WHERE {identifier(column)} IN (FROM erased_person)"
        )

    def gather_locations(self, files: Mapping[str, Sequence[Path]]) -> None:
        """Remember locations that these persons have and nobody else, in any release.

        Args:
            files: all files of ``person``, ``care_site`` and ``location``, of all releases.
        """
        if not files["person"] or not files["location"]:
            return
        persons = parquet(*files["person"])
        used = f"SELECT location_id FROM {persons} WHERE person_id NOT IN (FROM erased_person)"
        if files["care_site"]:
            used += f" UNION ALL SELECT location_id FROM {parquet(*files['care_site'])}"
        self._connection.execute(
            f"INSERT INTO erased_location SELECT location_id FROM {persons} WHERE person_id IN (FROM erased_person)"
            f" AND location_id IS NOT NULL EXCEPT ({used})"
        )

    def count(self, table: str, file: Path) -> int:
        """How many rows of a file belong to the persons."""
        return count_of(self._connection, f"SELECT count(*) FROM {parquet(file)} WHERE {self._condition(table)}")

    def write_others(self, table: str, file: Path, target: Path) -> int:
        """Write the rows of a file that do not belong to the persons, and give their number."""
        columns = ", ".join(identifier(name) for name in order(table))
        kept = f"FROM {parquet(file)} WHERE ({self._condition(table)}) IS NOT TRUE ORDER BY {columns}"
        return write_parquet(self._connection, kept, target)

    def _condition(self, table: str) -> str:
        if column := person_column(table):
            return f"{identifier(column)} IN (FROM erased_person)"
        if table == "location":
            return "location_id IN (FROM erased_location)"
        return " OR ".join(f"{identifier(column)} IN (FROM erased_row)" for column in _HANGING[table])
