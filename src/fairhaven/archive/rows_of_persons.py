"""Which rows belong to some persons: their own, and those that hang on them."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from fairhaven.archive.parquet import order, person_column
from fairhaven.archive.split_persons import DERIVED, PERSON, SplitPersons, is_split_row, without_others
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
        split: found on it: those under whose keys rows of theirs stand.
    """

    DEPENDENT = (*_HANGING, "location")

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, person_keys: Collection[int], split: SplitPersons
    ) -> None:
        self._connection = connection
        self._split = split
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
            f"INSERT INTO erased_row SELECT {identifier(key)} FROM {parquet(*fresh)} WHERE {_is_theirs(column)}"
        )

    def gather_locations(self, files: Mapping[str, Sequence[Path]]) -> None:
        """Remember locations that these persons have and nobody else, in any release.

        Args:
            files: all files of ``person``, ``care_site`` and ``location``, of all releases.
        """
        if not files["person"] or not files["location"]:
            return
        alike = defaultdict[frozenset[int], list[Path]](list)
        for file in files["person"]:
            alike[self._split.mixed.get(file, frozenset())].append(file)
        placed = " UNION ALL ".join(
            f"SELECT location_id, ({self._condition(PERSON, group[0])}) IS TRUE AS is_gone FROM {parquet(*group)}"
            for group in alike.values()
        )
        used = f"SELECT location_id FROM ({placed}) WHERE NOT is_gone"
        if files["care_site"]:
            used += f" UNION ALL SELECT location_id FROM {parquet(*files['care_site'])}"
        self._connection.execute(
            f"INSERT INTO erased_location SELECT location_id FROM ({placed}) WHERE is_gone AND location_id IS NOT NULL EXCEPT ({used})"
        )

    def count(self, table: str, file: Path) -> int:
        """How many rows of a file belong to the persons."""
        return count_of(self._connection, f"SELECT count(*) FROM {parquet(file)} WHERE {self._condition(table, file)}")

    def write_others(self, table: str, file: Path, target: Path) -> int:
        """Write the rows of a file that do not belong to the persons, and give their number."""
        columns = ", ".join(identifier(name) for name in order(table))
        kept = f"SELECT * FROM {parquet(file)} WHERE ({self._condition(table, file)}) IS NOT TRUE"
        if table == PERSON and (mixed := self._split.mixed.get(file)):
            kept = f"FROM ({kept} UNION ALL BY NAME {without_others(file, mixed)})"
        return write_parquet(self._connection, f"{kept} ORDER BY {columns}", target)

    def _condition(self, table: str, file: Path) -> str:
        if column := person_column(table):
            mixed = self._split.mixed.get(file) if table in (PERSON, *DERIVED) else None
            derived = f" OR {identifier(column)} IN ({', '.join(map(str, sorted(mixed)))})" if mixed else ""
            return _is_theirs(column) + derived
        if table == "location":
            return "location_id IN (FROM erased_location)"
        return " OR ".join(f"{identifier(column)} IN (FROM erased_row)" for column in _HANGING[table])


def _is_theirs(column: str) -> str:
    """SQL: whether a row is one of the persons', by its key or by where it comes from."""
    return f"({identifier(column)} IN (FROM erased_person) OR {is_split_row(column)})"
