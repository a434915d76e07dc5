"""What is landed is gone through once more before it is kept: no value holds an identifier of somebody whom the hub knows.

A declaration says which columns are identities. What a source writes elsewhere is known by its value: a text that holds a known NHS
number, a name, a postcode, an address (`identifiers.texts_with_identifiers`) or the row's own patient's birth date lands as `MARK`
with a keyed digest, so that equal texts are equal still and references hold. A whole number in a column of numbers that is one of these
does not land, and where the column is a key another number lands in its place, which is the same each time. A day or moment that is the
patient's birth is cut to the hub's precision, whatever the column is called.

Until then a table is under the key of the process (`engine.process_key`); it is written plainly once, as it is kept.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from fairhaven.engine.duckdb_connection import count_of, open_duckdb, write_parquet
from fairhaven.engine.keyed_digest import define_pseudonym
from fairhaven.engine.process_key import rows_of
from fairhaven.engine.sql import identifier, literal, literals
from fairhaven.identifiers.known_identifiers import KnownIdentifiers, births_sql, known_identifiers
from fairhaven.identifiers.spellings import whole_sql
from fairhaven.identifiers.texts_with_identifiers import find_texts
from fairhaven.identifiers.withheld import MARK
from fairhaven.intake.model import Format, Source
from fairhaven.intake.row_links import BELONGING, CDM_NUMBERS, in_order, is_link_column, links_of
from fairhaven.intake.withheld_values import (
    SMALLEST,
    find_birth_dates,
    find_local_numbers,
    find_numbers,
    find_numbers_of_owners,
    find_own_names,
    find_texts_of_own,
)
from fairhaven.intake.word_lists import is_listed_sql, listed_words
from fairhaven.kernel.ids import SEPARATOR
from fairhaven.omop import CDM

_OURS = ("patient_ref", "postcode_district", "row_key", "row_extract", "row_line")
_MOMENTS = ("DATE", "TIMESTAMP")
_WIDE = ("BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT")
_WHOLE = ("SMALLINT", "INTEGER", "USMALLINT", "UINTEGER", *_WIDE)
_FRACTIONS = ("FLOAT", "DOUBLE", "DECIMAL")
_TEN_DIGITS = 10_000_000_000
_OF_NOBODY = frozenset(
    {
        "year_of_birth",
        *CDM_NUMBERS,
        *(field.name for table in CDM.values() for field in table.fields if field.is_concept),
    }
)
"""Concepts and years in a CDM are whole numbers that are anybody's, and by chance the number of their person; what can be no concept has not landed,
and numbers of rows have landed as digests."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LandedTexts:
    """Goes through landed files.

    Args:
        key: of the tokens of identifiers.
        pseudonyms: the key by which a source's number of a patient becomes ``patient_ref``.
        birth_date: how much of a date of birth lands: ``day``, ``month`` or ``year``.
        unsearched: columns that are not looked at.
        order: tables with links, each behind those to which its rows belong.
        keys: columns by which some table's rows are known.
        words: table -> column -> words that are not looked at, see `listed_words`.
    """

    source: str
    key: bytes
    birth_date: str
    unsearched: frozenset[str] = frozenset()
    order: tuple[str, ...] = ()
    pseudonyms: bytes = b""
    keys: frozenset[str] = frozenset()
    words: Mapping[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)

    @classmethod
    def of(cls, source: Source, *, key: bytes, pseudonyms: bytes, birth_date: str) -> "LandedTexts":
        """For a source as it is declared."""
        keys = frozenset(column for table in source.tables.values() for column in table.key)
        order = () if source.format is Format.OMOP else tuple(in_order(links_of(source)))
        return cls(
            source=source.name,
            key=key,
            birth_date=birth_date,
            unsearched=_OF_NOBODY if source.format is Format.OMOP else frozenset(),
            order=order,
            pseudonyms=pseudonyms,
            keys=keys,
            words=listed_words(source),
        )

    def screen(
        self,
        places: Mapping[Path, Path],
        *,
        known: KnownIdentifiers,
        local_numbers: pa.Table,
        work: Path,
        own: pa.Table | None = None,
        others: Sequence[Path] = (),
    ) -> dict[Path, dict[str, int]]:
        """Withhold what must not land, and write what may.

        Args:
            places: table of the source as landing wrote it -> where it is kept; the first goes when the other is written.
            known: the identifiers of everybody whom the hub knows.
            local_numbers: ``patient_ref, number``: the source's numbers of the patients in these files.
            own: identity records of these files that may not be among them yet.
            work: private folder for spill.
            others: landed tables of the source's other files that say whose rows of these are.

        Returns:
            file that is kept -> column -> rows of which it was withheld, where there are any.
        """
        folders = {path.parent for each in [*places.items(), others] for path in each}
        with open_duckdb(spill=work, reaches=[*folders, work], memory_limit="1GB", keeps_order=True) as connection:
            if own is not None and own.num_rows:
                connection.register("own", own)
                known = KnownIdentifiers.together([known, known_identifiers(connection, "own", key=self.key)])
            withheld = dict[Path, dict[str, int]]()
            if known or local_numbers.num_rows or others:
                for table in self._searched(connection, places, known.believed_in(self.source), local_numbers, others):
                    if rows := self._screened(connection, table, places[table.path]):
                        withheld[places[table.path]] = rows
            for path, place in places.items():
                if place not in withheld:
                    write_parquet(connection, f"FROM {rows_of(path)}", place)
                path.unlink()
            return withheld

    def without_owners(self, paths: Iterable[Path], *, work: Path) -> set[str]:
        """Tables with rows that belong to rows of which none of these tables says whose they are.

        Args:
            paths: tables of the source as landing wrote them.
            work: private folder for spill.
        """
        having = [path for path in paths if path.stem in self.order]
        if not having:
            return set()
        with open_duckdb(spill=work, reaches=[*{path.parent for path in having}, work]) as connection:
            tables = self._landed(connection, having)
            if not any(table.is_linked for table in tables):
                return set()
            _find_owners(connection, tables, self.order, ())
            lacking = f"WHERE patient_ref IS NULL AND {BELONGING} IS NOT NULL LIMIT 1"
            return {
                table.path.stem
                for table in tables
                if table.is_linked and connection.execute(f"SELECT 1 FROM {table.relation} {lacking}").fetchone()
            }

    def _landed(self, connection: duckdb.DuckDBPyConnection, paths: Iterable[Path]) -> "list[_Landed]":
        return [
            _Landed.of(connection, path, but=self.unsearched, keys=self.keys, words=self.words.get(path.stem, {}))
            for path in paths
        ]

    def _searched(
        self,
        connection: duckdb.DuckDBPyConnection,
        paths: Iterable[Path],
        known: KnownIdentifiers,
        local_numbers: pa.Table,
        others: Sequence[Path],
    ) -> "list[_Landed]":
        """The tables, when the connection has found what tells who somebody is in any of them."""
        connection.register("known_births", known.births)
        connection.register("known_persons", known.persons)
        births = births_sql("known_births", "known_persons")
        connection.execute(
            f"CREATE TEMP TABLE births AS SELECT patient_ref, birth_date FROM ({births}) WHERE source = {literal(self.source)}"
        )
        tables = self._landed(connection, paths)
        linked = [table for table in tables if table.is_linked]
        if linked:
            _find_owners(connection, tables, self.order, others)
        _gather(connection, tables)
        find_texts(connection, "texts", known, key=self.key)
        connection.register("given_local_numbers", local_numbers)
        connection.execute("CREATE TEMP TABLE local_numbers AS FROM given_local_numbers")
        if others and linked:
            define_pseudonym(connection, "pseudonym_of", self.pseudonyms)
            find_numbers_of_owners(
                connection, [query for table in linked for query in table.placed_texts()], source=self.source
            )
        connection.register("known_numbers", known.numbers)
        connection.register("own_names", known.names)
        find_birth_dates(connection)
        find_local_numbers(connection)
        find_own_names(connection)
        _of_patients(connection, tables)
        find_texts_of_own(connection)
        find_numbers(connection)
        return tables

    def _screened(self, connection: duckdb.DuckDBPyConnection, table: "_Landed", place: Path) -> dict[str, int]:
        """Write a table of which something is withheld; of how many rows by column, none where nothing is."""
        told = _told(connection, table, moments=self.birth_date != "day")
        changed = {column: self._is_told(table, column) for column in told}
        if not changed:
            return {}
        counts = ", ".join(f"count(*) FILTER ({test})" for test in changed.values())
        [found] = connection.execute(f"SELECT {counts} FROM {table.relation}").fetchall()
        replaced = ", ".join(
            f"CASE WHEN {test} THEN {self._withheld(table, column)} ELSE {identifier(column)} END AS {identifier(column)}"
            for column, test in changed.items()
        )
        order = ""
        if table.is_linked:
            # The file says only what the rows themselves say, in the order in which they were.
            replaced += ", NULL::VARCHAR AS patient_ref"
            order = " ORDER BY row_line"
        write_parquet(connection, f"SELECT * REPLACE ({replaced}) FROM {table.relation}{order}", place)
        return dict(zip(changed, found, strict=True))

    def _is_told(self, table: "_Landed", column: str) -> str:
        """SQL: whether a value tells somebody's identity."""
        if table.columns[column] in _MOMENTS:
            return _IS_TOLD["days"].format(identifier(column))
        tests = []
        if column in table.numbers:
            tests.append(_IS_TOLD["numbers"].format(table.numbers[column]))
        if column in table.measured:
            tests.append(_IS_TOLD["serials"].format(table.numbers[column]))
        if text := table.named_texts().get(column):
            tests.append(_IS_TOLD["texts"].format(f"({text})"))
        return f"({' OR '.join(tests)})"

    def _withheld(self, table: "_Landed", column: str) -> str:
        value, kind = identifier(column), table.columns[column]
        if kind in _MOMENTS:
            return f"date_trunc({literal(self.birth_date)}, {value})::{kind}"
        digest = f"identifier_digest('text' || {literal(SEPARATOR)} || {value}::VARCHAR)"
        if column not in table.numbers:
            return f"{literal(MARK)} || substr({digest}, 1, 16) || ']'"
        is_key = kind in _WIDE and column not in table.measured
        # 52 bits, as a number of a computer's holds them without loss.
        return f"('0x' || substr({digest}, 1, 13))::BIGINT" if is_key else f"NULL::{kind}"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Landed:
    """A landed table.

    Args:
        columns: name -> DuckDB's type.
        keys: those by which rows are known, or refer to others.
        digests: those of the table's links, with their types.
        numbers: name -> SQL of the whole number, without its sign, for columns of numbers that are large enough to tell something.
        long: those with numbers of more than ten digits, which are looked through like texts.
        words: name -> words that are not looked at.
    """

    path: Path
    columns: dict[str, str]
    keys: frozenset[str]
    digests: dict[str, str]
    numbers: dict[str, str]
    long: frozenset[str]
    words: Mapping[str, frozenset[str]]

    @classmethod
    def of(
        cls,
        connection: duckdb.DuckDBPyConnection,
        path: Path,
        *,
        but: Collection[str],
        keys: Collection[str],
        words: Mapping[str, frozenset[str]],
    ) -> "_Landed":
        described = connection.execute(f"DESCRIBE FROM {rows_of(path)}").fetchall()
        digests = {row[0]: row[1] for row in described if is_link_column(row[0])}
        columns = {row[0]: row[1] for row in described if row[0] not in but and row[0] not in digests}
        numbers = {name: whole for name, kind in columns.items() if name not in _OURS and (whole := _whole(name, kind))}
        largest = ", ".join(f"coalesce(max({whole}), 0)" for whole in numbers.values()) or "count(*)"
        [found] = connection.execute(f"SELECT {largest} FROM {rows_of(path)}").fetchall()
        sizes = dict(zip(numbers, found, strict=False))
        return cls(
            path=path,
            columns=columns,
            keys=frozenset(name for name in columns if name in keys or name.endswith("_id")),
            digests=digests,
            numbers={name: whole for name, whole in numbers.items() if sizes[name] >= SMALLEST},
            long=frozenset(name for name in numbers if sizes[name] >= _TEN_DIGITS),
            words={name: listed for name, listed in words.items() if listed},
        )

    @property
    def is_linked(self) -> bool:
        """Whether its rows say their patient through rows of other tables, each of one."""
        return self.digests.get(BELONGING) == "VARCHAR"

    @property
    def relation(self) -> str:
        """The rows, each with its patient, also where it says it through rows of other tables only."""
        rows = rows_of(self.path)
        if not self.is_linked:
            return rows
        return _with_owners(rows)

    def placed_texts(self) -> list[str]:
        """Queries of ``patient_ref, text``: of texts, and of whole numbers as text."""
        numbers = ", ".join(f"({number})::VARCHAR" for number in self.numbers.values())
        of_numbers = f"SELECT patient_ref, unnest([{numbers}]) AS text FROM {self.relation}" if numbers else ""
        return [query for query in (self.texts("patient_ref, "), of_numbers) if query]

    @property
    def measured(self) -> dict[str, str]:
        """The columns of numbers that are no keys."""
        return {name: whole for name, whole in self.numbers.items() if name not in self.keys}

    def named_texts(self) -> dict[str, str]:
        """Name -> SQL of the text that is looked at."""
        found = {
            name: identifier(name) for name, kind in self.columns.items() if kind == "VARCHAR" and name not in _OURS
        }
        for name in found.keys() & self.words.keys():
            found[name] = f"CASE WHEN NOT {is_listed_sql(name, self.words[name])} THEN {identifier(name)} END"
        for name in sorted(self.long):
            number = self.numbers[name]
            found[name] = f"CASE WHEN {number} >= {_TEN_DIGITS} THEN {number}::VARCHAR END"
        return found

    def texts(self, more: str = "") -> str:
        """Query of the texts of all columns, each with *more* (such as ``patient_ref``); empty where there is none."""
        texts = self.named_texts().values()
        if not texts:
            return ""
        every = f"SELECT {more}unnest([{', '.join(texts)}]) AS text FROM {self.relation}"
        return f"SELECT {more}text FROM ({every}) WHERE length(text) > 2 AND NOT starts_with(text, {literal(MARK)})"


def _with_owners(rows: str) -> str:
    return (
        f"(SELECT l.* REPLACE (owners.patient_ref AS patient_ref) FROM {rows} AS l "
        f"LEFT JOIN owners ON owners.named = l.{BELONGING})"
    )


def _find_owners(
    connection: duckdb.DuckDBPyConnection, tables: Sequence[_Landed], order: Sequence[str], others: Sequence[Path]
) -> None:
    """``owners (named, patient_ref)``: whose the rows are to which others belong, by the digests of what they are called by; the latest
    extract's word where they differ.

    Args:
        others: landed tables of other files of the source.
    """
    if not order:
        return
    connection.execute("CREATE TEMP TABLE owners (named VARCHAR, patient_ref VARCHAR)")
    for name in order:
        said = [(table.relation, table.digests) for table in tables if table.path.stem == name]
        if earlier := [path for path in others if path.stem == name]:
            digests = {each for path in earlier for each in pq.read_schema(path).names if is_link_column(each)}
            rows = rows_of(*earlier)
            said.append((_with_owners(rows) if BELONGING in digests else rows, dict.fromkeys(digests, "")))
        parts = [
            f"SELECT {column} AS named, patient_ref, row_extract FROM {rows} WHERE {column} IS NOT NULL AND patient_ref IS NOT NULL"
            for rows, digests in said
            for column in sorted(digests.keys() - {BELONGING})
        ]
        if parts:
            last = "QUALIFY row_extract = max(row_extract) OVER (PARTITION BY named)"
            connection.execute(
                f"INSERT INTO owners SELECT named, min(patient_ref) FROM (FROM ({' UNION ALL '.join(parts)}) {last}) "
                "GROUP BY named HAVING count(DISTINCT patient_ref) = 1"
            )


def _whole(name: str, kind: str) -> str:
    """SQL of the whole number in a column, without its sign; empty for columns of other types."""
    value = identifier(name)
    if kind in _WHOLE:
        return f"try_cast(abs({value}::HUGEINT) AS BIGINT)"
    if kind.startswith(_FRACTIONS):
        return whole_sql(value)
    return ""


_IS_TOLD = MappingProxyType(
    {
        "texts": "({0} IN (FROM texts_with_identifiers) OR (patient_ref, {0}) IN (FROM texts_of_own))",
        "numbers": "({0} IN (FROM numbers_with_identifiers) OR (patient_ref, {0}) IN (FROM numbers_of_own))",
        "serials": "((patient_ref, {0}) IN (FROM serials_of_own))",
        "days": "((patient_ref, {0}::DATE) IN (SELECT (patient_ref, birth_date) FROM births))",
    }
)
"""SQL: whether a text, a whole number, a day tells somebody's identity."""


def _told(connection: duckdb.DuckDBPyConnection, table: _Landed, *, moments: bool) -> list[str]:
    """The columns with a value that tells somebody's identity, each kind found by one query: a table may have two hundred columns."""
    days = [name for name, kind in table.columns.items() if kind in _MOMENTS and name != "birth_date"]
    values = {
        "texts": table.named_texts() if _holds(connection, "texts_with_identifiers", "texts_of_own") else {},
        "numbers": table.numbers if _holds(connection, "numbers_with_identifiers", "numbers_of_own") else {},
        "serials": table.measured if _holds(connection, "serials_of_own") else {},
        "days": {name: f"{identifier(name)}::DATE" for name in days} if moments else {},
    }
    found = set[str]()
    for kind, named in values.items():
        if named:
            placed = (
                f"SELECT patient_ref, unnest([{', '.join(named.values())}]) AS value, unnest([{literals(*named)}]) AS name "
                f"FROM {table.relation}"
            )
            is_told = _IS_TOLD[kind].format("value")
            hits = connection.execute(f"SELECT DISTINCT name FROM ({placed}) WHERE value IS NOT NULL AND {is_told}")
            found.update(name for (name,) in hits.fetchall())
    return sorted(found)


def _holds(connection: duckdb.DuckDBPyConnection, *tables: str) -> bool:
    return any(count_of(connection, f"SELECT count(*) FROM (FROM {table} LIMIT 1)") for table in tables)


def _gather(connection: duckdb.DuckDBPyConnection, tables: Sequence[_Landed]) -> None:
    """``texts``: the different texts of each table, which is known by its place among them. File by file: one query over all columns of
    all files takes memory for each."""
    connection.execute("CREATE TEMP TABLE texts (text VARCHAR, place INTEGER)")
    for place, table in enumerate(tables):
        if query := table.texts():
            connection.execute(f"INSERT INTO texts SELECT DISTINCT text, {place} FROM ({query})")


def _of_patients(connection: duckdb.DuckDBPyConnection, tables: Sequence[_Landed]) -> None:
    """``of_patients (patient_ref, number)``: at whose rows those texts stand that may tell something of their patient."""
    connection.execute(
        """
        CREATE TEMP TABLE may_tell AS SELECT number, text FROM spelled SEMI JOIN (
            SELECT number FROM days UNION SELECT number FROM numbered UNION SELECT number FROM named_texts
        ) USING (number);
        CREATE TEMP TABLE of_patients (patient_ref VARCHAR, number BIGINT)
        """
    )
    having = connection.execute("SELECT DISTINCT place FROM texts SEMI JOIN may_tell USING (text)")
    for (place,) in having.fetchall():
        # Joined before they are made distinct, because few texts may tell.
        connection.execute(
            f"INSERT INTO of_patients SELECT DISTINCT patient_ref, number FROM ({tables[place].texts('patient_ref, ')}) "
            "JOIN may_tell USING (text)"
        )
