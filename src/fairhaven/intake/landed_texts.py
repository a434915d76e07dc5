"""What is landed is gone through once more before it counts: no text holds an identifier of somebody whom the hub knows.

A declaration says which columns are identities. What a source writes elsewhere is known by its value: a text that holds a known NHS
number, a name, a postcode, an address (`identifiers.texts_with_identifiers`) or the row's own patient's birth date lands as `MARK`
with a keyed digest, so that equal texts are equal still and references hold. A day or moment that is the patient's birth is cut to the
hub's precision, whatever the column is called.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from fairhaven.engine.duckdb_connection import count_of, open_duckdb, write_parquet
from fairhaven.engine.sql import file, identifier, literal, literals
from fairhaven.identifiers.days_in_texts import LOOKS_DATED, days_sql
from fairhaven.identifiers.known_identifiers import KnownIdentifiers, known_identifiers
from fairhaven.identifiers.spellings import joined_sql, plain_sql, words_sql
from fairhaven.identifiers.texts_with_identifiers import COMMON_WORDS, find_texts
from fairhaven.identifiers.withheld import MARK
from fairhaven.intake.model import Source
from fairhaven.intake.row_links import links_of

_OURS = ("patient_ref", "postcode_district")
_MOMENTS = ("DATE", "TIMESTAMP")
_RARE = 100_000
"""Of so many numbers of a length fewer than one is a patient's: then one that is met by chance is rarer still."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LandedTexts:
    """Goes through landed files.

    Args:
        key: of the tokens of identifiers.
        birth_date: how much of a date of birth lands: ``day``, ``month`` or ``year``.
        links: columns by which rows belong to rows of other tables; they are compared with what an erasure took out, and stay.
    """

    source: str
    key: bytes
    birth_date: str
    links: frozenset[str] = frozenset()

    @classmethod
    def of(cls, source: Source, *, key: bytes, birth_date: str) -> "LandedTexts":
        """For a source as it is declared."""
        named = [column for link in links_of(source) for column in (*link.own, *link.its)]
        return cls(source=source.name, key=key, birth_date=birth_date, links=frozenset(named))

    def screen(
        self,
        paths: Sequence[Path],
        *,
        known: KnownIdentifiers,
        local_numbers: pa.Table,
        work: Path,
        own: pa.Table | None = None,
    ) -> dict[Path, dict[str, int]]:
        """Withhold what must not land, in place.

        Args:
            paths: landed tables of the source.
            known: the identifiers of everybody whom the hub knows.
            local_numbers: ``patient_ref, number``: the source's numbers of the patients in these files.
            own: identity records of these files that may not be among them yet.
            work: private folder for spill.

        Returns:
            file -> column -> rows of which it was withheld, for the files that were written anew.
        """
        if not known and not local_numbers.num_rows and (own is None or not own.num_rows):
            return {}
        folders = {path.parent for path in paths}
        with open_duckdb(spill=work, reaches=[*folders, work], memory_limit="1GB", keeps_order=True) as connection:
            if own is not None:
                connection.register("own", own)
                known += known_identifiers(connection, "own", key=self.key)
            connection.register("births", known.births.filter(pc.equal(known.births["source"], self.source)))
            tables = [_Landed.of(connection, path, but=self.links) for path in paths]
            _gather(connection, tables)
            find_texts(connection, "texts", known, key=self.key)
            connection.register("local_numbers", local_numbers)
            _find_birth_dates(connection)
            _find_local_numbers(connection)
            connection.register("own_names", known.names.filter(pc.equal(known.names["source"], self.source)))
            _find_own_names(connection)
            _of_patients(connection, tables)
            connection.execute(_TEXTS_OF_OWN)
            return {table.path: withheld for table in tables if (withheld := self._screened(connection, table))}

    def _screened(self, connection: duckdb.DuckDBPyConnection, table: "_Landed") -> dict[str, int]:
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
        target = table.path.with_suffix(".screened")
        write_parquet(connection, f"SELECT * REPLACE ({replaced}) FROM {table.relation}", target)
        target.replace(table.path)
        return dict(zip(changed, found, strict=True))

    def _is_told(self, table: "_Landed", column: str) -> str:
        """SQL: whether a value tells somebody's identity."""
        value = identifier(column)
        if table.columns[column] in _MOMENTS:
            return f"((patient_ref, {value}::DATE) IN (SELECT (patient_ref, birth_date) FROM births))"
        of_own = f" OR (patient_ref, {value}) IN (FROM texts_of_own)" if "patient_ref" in table.columns else ""
        return f"({value} IN (FROM texts_with_identifiers){of_own})"

    def _withheld(self, table: "_Landed", column: str) -> str:
        value, kind = identifier(column), table.columns[column]
        if kind in _MOMENTS:
            return f"date_trunc({literal(self.birth_date)}, {value})::{kind}"
        return f"{literal(MARK)} || substr(identifier_token('text', {value}), 1, 16) || ']'"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Landed:
    path: Path
    columns: dict[str, str]

    @classmethod
    def of(cls, connection: duckdb.DuckDBPyConnection, path: Path, *, but: Collection[str]) -> "_Landed":
        described = connection.execute(f"DESCRIBE FROM read_parquet({file(path)})").fetchall()
        return cls(path=path, columns={row[0]: row[1] for row in described if row[0] not in but})

    @property
    def relation(self) -> str:
        return f"read_parquet({file(self.path)})"

    def texts(self, more: str = "") -> str:
        """Query of the different texts of all columns, each with *more* (such as ``patient_ref``); empty where there is none."""
        texts = [identifier(name) for name, kind in self.columns.items() if kind == "VARCHAR" and name not in _OURS]
        if not texts:
            return ""
        every = f"SELECT {more}unnest([{', '.join(texts)}]) AS text FROM {self.relation}"
        return f"SELECT DISTINCT {more}text FROM ({every}) WHERE length(text) > 2 AND NOT starts_with(text, {literal(MARK)})"


def _told(connection: duckdb.DuckDBPyConnection, table: _Landed, *, moments: bool) -> list[str]:
    """The columns with a value that tells somebody's identity, found by one query: a table may have two hundred columns."""
    has_patient = "patient_ref" in table.columns
    patient = "patient_ref" if has_patient else "NULL::VARCHAR AS patient_ref"
    texts = [name for name, kind in table.columns.items() if kind == "VARCHAR" and name not in _OURS]
    days = [name for name, kind in table.columns.items() if kind in _MOMENTS and name != "birth_date"]
    found = list[str]()
    withheld = (
        "SELECT count(*) FROM (FROM (SELECT text FROM texts_with_identifiers UNION ALL SELECT text FROM texts_of_own))"
    )
    for names, cast, is_told in (
        (
            texts if count_of(connection, withheld) else [],
            "",
            "value IN (FROM texts_with_identifiers) OR (patient_ref, value) IN (FROM texts_of_own)",
        ),
        (
            days if moments and has_patient else [],
            "::DATE",
            "(patient_ref, value) IN (SELECT (patient_ref, birth_date) FROM births)",
        ),
    ):
        if names:
            values = ", ".join(f"{identifier(name)}{cast}" for name in names)
            placed = f"SELECT {patient}, unnest([{values}]) AS value, unnest([{literals(*names)}]) AS name FROM {table.relation}"
            hits = connection.execute(f"SELECT DISTINCT name FROM ({placed}) WHERE value IS NOT NULL AND ({is_told})")
            found += [name for (name,) in hits.fetchall()]
    return sorted(found)


def _gather(connection: duckdb.DuckDBPyConnection, tables: Sequence[_Landed]) -> None:
    """``texts``: each different text. File by file: one query over all columns of all files takes memory for each."""
    connection.execute("CREATE TEMP TABLE gathered (text VARCHAR)")
    for table in tables:
        if query := table.texts():
            connection.execute(f"INSERT INTO gathered {query}")
    connection.execute("CREATE TEMP TABLE texts AS SELECT DISTINCT text FROM gathered; DROP TABLE gathered")


def _of_patients(connection: duckdb.DuckDBPyConnection, tables: Sequence[_Landed]) -> None:
    """``of_patients (patient_ref, text)``: at whose rows those texts stand that may tell something of their patient."""
    connection.execute(
        "CREATE TEMP TABLE telling AS SELECT text FROM days UNION SELECT text FROM numbered UNION SELECT text FROM named_texts; "
        "CREATE TEMP TABLE of_patients (patient_ref VARCHAR, text VARCHAR)"
    )
    if count_of(connection, "SELECT count(*) FROM telling"):
        for table in tables:
            if "patient_ref" in table.columns and (query := table.texts("patient_ref, ")):
                connection.execute(f"INSERT INTO of_patients FROM ({query}) SEMI JOIN telling USING (text)")


def _find_birth_dates(connection: duckdb.DuckDBPyConnection) -> None:
    """``days (text, day)``: the days that texts may spell."""
    plain = plain_sql("text")
    connection.execute(
        f"""
        CREATE TEMP TABLE days AS
        SELECT text, unnest({days_sql("plain")}) AS day FROM (SELECT text, {plain} AS plain FROM texts)
        WHERE regexp_matches(plain, {literal(LOOKS_DATED)})
        """
    )


def _find_local_numbers(connection: duckdb.DuckDBPyConnection) -> None:
    """Texts that hold a number by which the source knows a patient.

    The patient's own wherever it has four characters; anybody's only where it cannot well be something else: letters and digits
    together, eight of them at least, or so many digits that hardly any number of that length is a patient's.
    """
    connection.execute(
        f"""
        CREATE TEMP TABLE spelled_numbers AS SELECT DISTINCT patient_ref, joined, regexp_full_match(joined, '[0-9]+') AS is_digits
        FROM (SELECT patient_ref, {joined_sql(plain_sql("number"))} AS joined FROM local_numbers) WHERE length(joined) >= 4;
        CREATE TEMP TABLE telling_numbers AS
        SELECT joined FROM spelled_numbers WHERE NOT is_digits AND length(joined) >= 8 AND regexp_matches(joined, '[0-9]')
        UNION ALL SELECT joined FROM spelled_numbers SEMI JOIN (
            SELECT length(joined) AS digits FROM spelled_numbers WHERE is_digits GROUP BY digits
            HAVING count(*) < pow(10, min(length(joined))) / {_RARE}
        ) ON is_digits AND length(joined) = digits;
        CREATE TEMP TABLE numbered AS SELECT DISTINCT text, joined FROM (
            SELECT text, unnest(list_append(regexp_extract_all(plain, '[0-9a-z]+'), {joined_sql("plain")})) AS joined
            FROM (SELECT text, {plain_sql("text")} AS plain FROM texts)
        ) SEMI JOIN spelled_numbers USING (joined);
        INSERT INTO texts_with_identifiers SELECT text FROM numbered SEMI JOIN telling_numbers USING (joined)
        """
    )


def _find_own_names(connection: duckdb.DuckDBPyConnection) -> None:
    """Texts with a name of the patient in whose row they stand, among other words.

    What stands at a patient's rows who does not bear the name, or at nobody's, is the display of a code: diseases are named after people,
    and to withhold it would tell who bears the name.
    """
    connection.execute(
        f"""
        CREATE TEMP TABLE worded AS SELECT DISTINCT text, unnest({words_sql(plain_sql("text"))}) AS word FROM texts;
        CREATE TEMP TABLE named_texts AS SELECT DISTINCT text, token FROM worded JOIN (
            SELECT word, unnest([identifier_token('family', word), identifier_token('given', word)]) AS token
            FROM (SELECT DISTINCT word FROM worded WHERE length(word) > 2 AND word NOT IN ({literals(*COMMON_WORDS)}))
        ) USING (word) SEMI JOIN own_names USING (token)
        """
    )


_TEXTS_OF_OWN = """
CREATE TEMP TABLE texts_of_own AS
SELECT patient_ref, text FROM of_patients JOIN days USING (text)
SEMI JOIN births ON births.patient_ref = of_patients.patient_ref AND births.birth_date = days.day
UNION SELECT patient_ref, text FROM of_patients JOIN numbered USING (text)
SEMI JOIN spelled_numbers USING (patient_ref, joined)
UNION SELECT patient_ref, text FROM (
    SELECT text, token, patient_ref, EXISTS (
        FROM own_names WHERE own_names.patient_ref = of_patients.patient_ref AND own_names.token = named_texts.token
    ) AS is_own FROM of_patients JOIN named_texts USING (text)
    QUALIFY bool_and(is_own) OVER (PARTITION BY text, token)
)
"""
"""``texts_of_own (patient_ref, text)``: texts that tell the birth, a number or a name of the patient in whose row they stand."""
