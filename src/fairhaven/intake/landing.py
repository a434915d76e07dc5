"""Landing: staged rows become typed Parquet without identifiers, and identity records for the vault.

The steps are the same for every format. Each distinct patient number is turned into a pseudonym once; identity columns
leave the rows (what research needs of them is kept, made coarse); each row gets a key that is the same in every delivery.

Invariants, of each table: every row received is landed (as the one of its key that counts, or as one that gives way), in quarantine, or
left out as erased, and is counted once; no
identity column and no patient number is in a landed file; a table that is delivered again, in whatever order, has the
same keys, and where the source declares none no two rows have the same.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa

from fairhaven.engine.duckdb_connection import count_of, write_parquet
from fairhaven.engine.keyed_digest import define_pseudonym
from fairhaven.engine.process_key import rows_of
from fairhaven.engine.sql import identifier, literal, literals
from fairhaven.identifiers.withheld import FREE_TEXT, NUMBER
from fairhaven.intake import repeated_keys
from fairhaven.intake.damaged_codes import damaged_codes
from fairhaven.intake.free_text import is_free_text_sql, is_unread
from fairhaven.intake.model import IDENTITY, ColumnDeclaration, Format, Source, TableCount, TableDeclaration
from fairhaven.intake.reader import StagedTable
from fairhaven.intake.repeated_keys import UndecidedRows, rivals_in, unread_in
from fairhaven.intake.row_links import (
    CDM_NUMBERS,
    define_row_numbers,
    digests_of_owners,
    link_columns,
    links_of,
    texts_of_links,
    texts_of_names,
)
from fairhaven.intake.row_versions import LEAST, UPDATED, VERSION, WHOLE
from fairhaven.intake.type_casting import outward_code_of
from fairhaven.kernel.ids import SEPARATOR, pseudonym, row_key_sql
from fairhaven.kernel.partial_days import LENGTH, WHOLE_DAY
from fairhaven.release.facts import PartnerCdm

REJECTS = "rejects"
_NO_KEY = f"NULL::BIGINT AS row_key, NULL::BIGINT AS {UPDATED}, NULL::BIGINT AS {VERSION}"
MEMORY_LIMIT = "1GB"
_FINENESS = {"year": 0, "month": 1, "day": 2}


@dataclass(frozen=True, kw_only=True, slots=True)
class LandingKeys:
    """Keys of landing, each for one purpose, derived from the hub's secret."""

    pseudonym: bytes
    row_key: bytes
    tombstone: bytes

    @classmethod
    def of(cls, key_for: Callable[[str], bytes]) -> "LandingKeys":
        """The keys of a hub, whose key of pseudonyms gives one for each use."""
        return cls(
            pseudonym=key_for("patient_ref"),
            row_key=key_for("row_key"),
            tombstone=key_for("tombstone"),
        )

    def salt(self, source: str, table: str) -> str:
        """What is digested before a row's key: 96 bits, so that a usual key fits in one block of SHA-256."""
        return pseudonym(self.row_key, source, table)[:24]

    def define(self, connection: duckdb.DuckDBPyConnection, source: str) -> None:
        """Define what digests a source's values: the SQL macros ``pseudonym_of``, ``tombstone_of`` and ``number_of_row``."""
        define_pseudonym(connection, "pseudonym_of", self.pseudonym)
        define_pseudonym(connection, "tombstone_of", self.tombstone)
        # No table has such a name.
        define_row_numbers(connection, self.salt(source, "numbers of rows"))


@dataclass(frozen=True, kw_only=True, slots=True)
class LandingResult:
    """What landed of one file.

    Args:
        identities: records for the vault.
        local_numbers: ``patient_ref, number``: by what numbers the source knows the patients of the file; they do not land.
        erased_lines: table -> lines left out because their patient was erased from this hub.
        erased_names: keyed digests of what these rows are called by, for rows that belong to them, and tombstones of whoever is
            erased because the source calls them the same person as somebody who was.
        undecided: table -> rows of one key that differ, where only their order decides which counts.
        cdm: what a partner's CDM says of itself.
        written_as: see `StagedTable`.
    """

    tables: dict[str, TableCount]
    columns: dict[str, tuple[str, ...]]
    identities: pa.Table
    local_numbers: pa.Table
    erased_lines: Mapping[str, frozenset[int]]
    erased_names: frozenset[str]
    undecided: Mapping[str, UndecidedRows]
    cdm: PartnerCdm | None = None
    written_as: str = ""


def land(
    staged: Sequence[StagedTable],
    *,
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    extract: int,
    folder: Path,
    secrets: LandingKeys,
    birth_date: str,
    tombstones: frozenset[str] = frozenset(),
) -> LandingResult:
    """Write the staged tables of one file to *folder*.

    Args:
        connection: private to the file, where its tables are staged; it keeps their order, and has what *secrets* define.
        birth_date: how much of a date of birth lands: ``day``, ``month`` or ``year``.
        tombstones: keyed digests of patients of this source who were erased; their rows are left out.

    Raises:
        AssertionError: rows landed, quarantined and erased do not add up to the rows received; nothing may be
            committed then.
    """
    connection.register("given_tombstones", pa.table({"tombstone": pa.array(sorted(tombstones), pa.string())}))
    connection.execute("CREATE TABLE tombstones AS FROM given_tombstones")
    return _Landing(
        connection=connection, source=source, extract=extract, folder=folder, secrets=secrets, birth_date=birth_date
    ).land(staged)


@dataclass(frozen=True, kw_only=True)
class _Landing:
    connection: duckdb.DuckDBPyConnection
    source: Source
    extract: int
    folder: Path
    secrets: LandingKeys
    birth_date: str
    undecided: dict[str, UndecidedRows] = field(default_factory=dict)
    rivalled: dict[str, str] = field(default_factory=dict)
    """Table -> its rows in quarantine with their keys, where there are any or keys of it are not unique."""

    def land(self, staged: Sequence[StagedTable]) -> LandingResult:
        self._patients(staged)
        landed = {table.declaration.name: self._table(table) for table in staged}
        self._rejects(staged)
        return LandingResult(
            tables={name: count for name, (count, _) in landed.items()},
            columns={name: columns for name, (_, columns) in landed.items()},
            identities=self._identities(),
            local_numbers=self._local_numbers(staged),
            erased_lines={table.declaration.name: frozenset(self._erased(table)) for table in staged},
            erased_names=frozenset(name for table in staged for name in self._erased_names(table)).union(self._gone()),
            undecided=self.undecided,
            cdm=next((table.cdm for table in staged if table.cdm), None),
            written_as=next((table.written_as for table in staged), ""),
        )

    def _patients(self, staged: Sequence[StagedTable]) -> None:
        """``patients``: each patient of the file once, with pseudonym and identity.

        Once, because a pseudonym costs two SHA-256 and a patient has many rows. Joins with this table can then neither
        lose a row nor double one.
        """
        # ANY_VALUE passes over NULL: of several tables that say something of a patient the last that does is believed, and before them
        # the table of which patients are the key.
        fields = ", ".join(f"any_value({field} ORDER BY place DESC) AS {field}" for field in IDENTITY)
        parts = [
            _patients_of(table, place + len(staged) * (table.declaration.key == (table.declaration.patient,)))
            for place, table in enumerate(staged)
            if table.declaration.patient
        ]
        # No rows, but every column: a file whose tables hold no patient, or no identity, needs no other way.
        nobody = f"SELECT NULL::VARCHAR AS patient, {', '.join(f'NULL::VARCHAR AS {field}' for field in IDENTITY)}, 0 AS place"
        together = " UNION ALL BY NAME ".join([f"({part})" for part in [nobody, *parts]])
        prefix = literal(self.source.name + SEPARATOR)
        # A patient number does not leave intake but as its pseudonym.
        links = f"list_transform(string_split(source_links, ' '), lambda linked: pseudonym_of({prefix} || linked))"
        self.connection.execute(
            "CREATE TABLE patients AS SELECT *, "
            "EXISTS (FROM tombstones WHERE tombstone = tombstone_of(patient_ref)) AS is_erased FROM ("
            f"SELECT *, pseudonym_of({prefix} || patient) AS patient_ref, {links} AS linked_refs FROM ("
            f"SELECT patient, {fields} FROM ({together}) WHERE patient IS NOT NULL GROUP BY patient))"
        )
        self._erase_linked()

    def _erase_linked(self) -> None:
        """``gone``: whoever the source calls the same person as somebody erased, either way and however far; they are erased, too."""
        self.connection.execute(
            """
            CREATE TABLE alike AS SELECT patient_ref AS one, unnest(linked_refs) AS other FROM patients;
            CREATE TABLE gone AS
            WITH RECURSIVE reached (ref) AS (
                SELECT ref FROM (SELECT one AS ref FROM alike UNION SELECT other FROM alike)
                WHERE tombstone_of(ref) IN (FROM tombstones)
                UNION SELECT next FROM reached
                JOIN (SELECT one AS ref, other AS next FROM alike UNION SELECT other, one FROM alike) USING (ref)
            ) FROM reached;
            UPDATE patients SET is_erased = true WHERE patient_ref IN (FROM gone);
            """
        )

    def _gone(self) -> list[str]:
        tombstones = self.connection.execute("SELECT tombstone_of(ref) FROM gone")
        return [digest for (digest,) in tombstones.fetchall()]

    def _identities(self) -> pa.Table:
        shaped = {
            "source_links": "array_to_string(linked_refs, ' ') AS source_links",
            "birth_date": f"CASE WHEN length(birth_date) = {WHOLE_DAY} THEN birth_date::DATE END AS birth_date",
        }
        fields = ", ".join(shaped.get(field, field) for field in IDENTITY)
        return self.connection.execute(
            f"SELECT {literal(self.source.name)} AS source, patient_ref, {self.extract}::INTEGER AS row_extract, "
            f"{fields}, CASE WHEN length(birth_date) < {WHOLE_DAY} THEN birth_date END AS birth_part "
            "FROM patients WHERE NOT is_erased ORDER BY patient_ref"
        ).fetch_arrow_table()

    def _local_numbers(self, staged: Sequence[StagedTable]) -> pa.Table:
        others = [
            f"SELECT p.patient_ref, r.{identifier(column)} AS number FROM {identifier(table.numbers_in or table.rows)} AS r "
            f"JOIN patients AS p ON p.patient = r.{identifier(table.declaration.patient)}::VARCHAR"
            for table in staged
            for column in table.further_numbers
        ]
        numbers = " UNION ".join(["SELECT patient_ref, patient AS number FROM patients", *others])
        return self.connection.execute(f"SELECT * FROM ({numbers}) WHERE number IS NOT NULL").fetch_arrow_table()

    def _table(self, staged: StagedTable) -> tuple[TableCount, tuple[str, ...]]:
        declaration = staged.declaration
        target = self.folder / f"{declaration.name}.parquet"
        columns = [column for column in declaration.columns if column.name != declaration.patient or column.identity]
        versions = self._versions(staged)
        landed = [part for column in columns for part in self._landed(declaration.name, column)]
        names = tuple(alias for alias, _ in landed)
        selected = "".join(f", {expression} AS {identifier(alias)}" for alias, expression in landed)
        key, repeats = self._key(staged)
        rows_with_links, linked = self._linked(staged)
        is_known = (
            f"patients AS p ON p.patient = r.{identifier(declaration.patient)}::VARCHAR" if declaration.patient else ""
        )
        # Nobody may be landed without a pseudonym, so a row without patient number keeps NULL; erased ones go.
        query = (
            f"SELECT {row_key_sql(key)} AS row_key, {self.extract}::INTEGER AS row_extract, r.row_line AS row_line, "
            f"({staged.withdrawn})::BOOLEAN AS row_withdrawn, {versions}"
            f"{'p.patient_ref' if is_known else 'NULL::VARCHAR'} AS patient_ref{linked}{selected} "
            f"FROM {rows_with_links} AS r"
            + (f" LEFT JOIN {is_known}" if is_known else "")
            + (f" LEFT JOIN {repeats} AS repeats ON repeats.row_line = r.row_line" if repeats else "")
            + (" WHERE NOT coalesce(p.is_erased, false)" if is_known else "")
        )
        rows = write_parquet(self.connection, query, target, is_under_key=True)
        quarantined = count_of(self.connection, f"SELECT count(DISTINCT row_line) FROM {identifier(staged.rejects)}")
        others = [self._unread(staged) if quarantined else ""]
        if staged.part_of in self.rivalled:
            others += [rivals_in(rows_of(self.folder / f"{staged.part_of}.parquet")), self.rivalled[staged.part_of]]
        gave_way = repeated_keys.in_file(
            self.connection,
            staged,
            target,
            row_key=row_key_sql(key) if staged.shares_lines else "",
            others=[each for each in others if each],
        )
        if others[0] or not gave_way.has_unique_keys:
            self.rivalled[declaration.name] = others[0]
        count = TableCount(
            received=staged.received,
            landed=rows - gave_way.superseded - gave_way.identical - gave_way.withdrawn,
            superseded=gave_way.superseded,
            identical=gave_way.identical,
            withdrawn=gave_way.withdrawn,
            quarantined=quarantined,
            erased=len(self._erased(staged)),
            dropped=staged.dropped,
            missing=staged.missing,
            has_unique_keys=gave_way.has_unique_keys,
            has_versions=gave_way.has_versions,
            emptied=staged.emptied,
            damaged=damaged_codes(self.connection, self.source, declaration, target, names),
            withheld=self._free_texts(declaration, target),
        )
        if count.received != rows + count.quarantined + count.erased:
            raise AssertionError(
                f"{self.source.name}, {declaration.name}: {count.received} rows were received but {rows} landed, "
                f"{count.quarantined} quarantined and {count.erased} left out as erased. This is a fault of Fairhaven."
            )
        if gave_way.undecided:
            self.undecided[declaration.name] = gave_way.undecided
        return count, names

    def _unread(self, staged: StagedTable) -> str:
        """Query of the rows in quarantine of which the key could be read, as `repeated_keys` has rivals; '' where there are none.

        What says who somebody is does not become untrue by a later row that cannot be read, and without it nothing of the patient would be
        in a release: of such rows no key is kept.
        """
        declaration = staged.declaration
        if not staged.unread or not declaration.key or declaration.says_who:
            return ""
        self.connection.execute("SET VARIABLE row_salt = ?", [self.secrets.salt(self.source.name, declaration.name)])
        updated, version = staged.updated or "NULL::BIGINT", staged.version or "NULL::BIGINT"
        table = identifier(f"unread {declaration.name}")
        has_key = " AND ".join(f"r.{identifier(column)} IS NOT NULL" for column in declaration.key)
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT DISTINCT row_line, {row_key_sql(_key_text('row_salt', declaration.key))} AS row_key, "
            f"{updated} AS {UPDATED}, {version} AS {VERSION} FROM {identifier(staged.unread)} AS r WHERE {has_key}"
        )
        if count_of(self.connection, f"SELECT count(*) FROM {table}") == 0:
            return ""
        return unread_in(table, self.extract)

    def _versions(self, staged: StagedTable) -> str:
        """SQL of the columns of `row_versions`, as far as the format says them."""
        said = [(UPDATED, staged.updated), (VERSION, staged.version)]
        if staged.part_of:
            self.connection.execute(
                "SET VARIABLE whole_salt = ?", [self.secrets.salt(self.source.name, staged.part_of)]
            )
            said.append((WHOLE, row_key_sql(_key_text("whole_salt", staged.part_key))))
        return "".join(f"{expression} AS {name}, " for name, expression in said if expression)

    def _linked(self, staged: StagedTable) -> tuple[str, str]:
        """The staged rows with the columns of their links, and these as they land: digests of texts that may hold an identifier."""
        columns = link_columns(self.source, staged.declaration.name)
        if not columns:
            return identifier(staged.rows), ""
        links, name = links_of(self.source), staged.declaration.name
        if columns.is_list:
            owners = f"{digests_of_owners(links, name, self.source.name)} AS {columns.names[0]}"
            return f"(SELECT *, {owners} FROM {identifier(staged.rows)})", f", r.{columns.names[0]}"
        texts = [f"({texts_of_names(links, name)})[{place}]" for place in range(1, len(columns.named) + 1)]
        texts += [f"({texts_of_links(links, name)})[1]"] if columns.belonging else []
        digests = ", ".join(
            f"tombstone_of({text}) AS {column}" for text, column in zip(texts, columns.names, strict=True)
        )
        # Beside the rows alone: the patients' table has columns of such names, too.
        named = "".join(f", r.{column}" for column in columns.names)
        return f"(SELECT *, {digests} FROM {identifier(staged.rows)})", named

    def _free_texts(self, declaration: TableDeclaration, landed: Path) -> dict[str, int]:
        """Column -> rows whose free text did not land."""
        free = [c.name for c in declaration.columns if is_free_text_sql(self.source, declaration.name, c.name)]
        if not free:
            return {}
        counts = ", ".join(f"count(*) FILTER ({identifier(name)} = {literal(FREE_TEXT)})" for name in free)
        [found] = self.connection.execute(f"SELECT {counts} FROM {rows_of(landed)}").fetchall()
        return {name: rows for name, rows in zip(free, found, strict=True) if rows}

    def _erased(self, staged: StagedTable) -> list[int]:
        """The line of each row whose patient was erased."""
        if not staged.declaration.patient or count_of(self.connection, "SELECT count(*) FROM tombstones") == 0:
            return []
        patient = identifier(staged.declaration.patient)
        lines = self.connection.execute(
            f"SELECT row_line FROM {identifier(staged.rows)} AS r "
            f"WHERE r.{patient}::VARCHAR IN (SELECT patient FROM patients WHERE is_erased)"
        )
        return [line for (line,) in lines.fetchall()]

    def _erased_names(self, staged: StagedTable) -> list[str]:
        """Digests of what the rows are called by whose patient was erased, where rows of other tables belong to them."""
        links = [link for link in links_of(self.source) if link.to == staged.declaration.name]
        if not links or not self._erased(staged):
            return []
        named = self.connection.execute(
            f"SELECT DISTINCT tombstone_of(named) FROM (SELECT unnest({texts_of_names(links, staged.declaration.name)}) AS named "
            f"FROM {identifier(staged.rows)} AS r WHERE r.{identifier(staged.declaration.patient)}::VARCHAR "
            "IN (SELECT patient FROM patients WHERE is_erased)) WHERE named IS NOT NULL"
        )
        return [name for (name,) in named.fetchall()]

    def _key(self, staged: StagedTable) -> tuple[str, str]:
        """SQL of the text whose digest is the row's key, and the relation that numbers equal rows, if any.

        The text is ``salt, key columns`` where the source declares a key, and ``salt, all columns, n`` where it does
        not: the row is then the n-th of those that are equal to it. Which of equal rows is the n-th does not matter,
        as they are equal. All columns are those that are no identity.
        """
        declaration = staged.declaration
        self.connection.execute("SET VARIABLE row_salt = ?", [self.secrets.salt(self.source.name, declaration.name)])
        named = declaration.key or tuple(c.name for c in declaration.columns if not (c.identity or c.is_derived))
        text = _key_text("row_salt", named)
        if declaration.key:
            return text, ""
        # Numbering sorts all rows, and hardly any row is equal to another. A 64-bit hash finds those that may be; one that
        # meets another's hash by chance is numbered within its own content, and so is the first, as it would be without.
        content = ", ".join(f"r.{identifier(column)}" for column in named)
        hashed = f"hash({content})" if content else "0"
        self.connection.execute(
            "CREATE OR REPLACE TABLE repeated AS SELECT h FROM "
            f"(SELECT {hashed} AS h FROM {identifier(staged.rows)} AS r) GROUP BY h HAVING count(*) > 1"
        )
        if count_of(self.connection, "SELECT count(*) FROM repeated") == 0:
            return f"{text} || chr(31) || 1", ""
        self.connection.execute(
            "CREATE OR REPLACE TABLE repeats AS SELECT row_line, "
            f"row_number() OVER (PARTITION BY {content or '1'} ORDER BY row_line) AS occurrence "
            f"FROM {identifier(staged.rows)} AS r WHERE {hashed} IN (SELECT h FROM repeated)"
        )
        return f"{text} || chr(31) || coalesce(repeats.occurrence, 1)", "repeats"

    def _landed(self, table: str, column: ColumnDeclaration) -> list[tuple[str, str]]:
        """(name, SQL) of what lands of a column."""
        value = f"r.{identifier(column.name)}"
        match column.identity:
            case "":
                if column.birth_precision and _FINENESS[column.birth_precision] > _FINENESS[self.birth_date]:
                    # Always NULL, with the column's type: what is finer than the hub allows does not land.
                    return [(column.name, f"CASE WHEN false THEN {value} END")]
                if self.source.format is Format.OMOP and column.name in CDM_NUMBERS:
                    return [(column.name, f"number_of_row({value}::VARCHAR)")]
                if is_unread(self.source, table, column):
                    land = (
                        f"{value} IS NOT NULL THEN {literal(FREE_TEXT)}"
                        if column.type == "text"
                        else f"false THEN {value}"
                    )
                    return [(column.name, f"CASE WHEN {land} END")]
                if is_free := is_free_text_sql(self.source, table, column.name):
                    is_withheld = f"({is_free}) AND NOT regexp_matches({value}::VARCHAR, {literal(NUMBER)})"
                    return [
                        (column.name, f"CASE WHEN {is_withheld} THEN {literal(FREE_TEXT)} ELSE {value}::VARCHAR END")
                    ]
                return [(column.name, value)]
            case "birth_date":
                return [("birth_date", f"date_trunc({literal(self.birth_date)}, {value})::DATE")]
            case "sex" | "ethnicity":
                return [(column.identity, value)]
            case "postcode":
                return [("postcode_district", outward_code_of(value))]
            case _:
                return []

    def _rejects(self, staged: Sequence[StagedTable]) -> None:
        parts = []
        has_links = bool(links_of(self.source))
        for table in staged:
            described = {row[0] for row in self.connection.execute(f"DESCRIBE {identifier(table.rejects)}").fetchall()}
            rule = self.source.type_1_of(table.declaration.name)
            is_opt_out = (
                f"coalesce(code IN ({literals(*rule.opted_out)}), false)" if rule and "code" in described else "false"
            )
            keyed, unread = _NO_KEY, ""
            if self.rivalled.get(table.declaration.name):
                keyed = f"u.row_key, u.{UPDATED}, u.{VERSION}"
                unread = f" LEFT JOIN {identifier(f'unread {table.declaration.name}')} AS u USING (row_line)"
            parts.append(
                f"SELECT {literal(table.declaration.name)} AS table_name, row_line, field, reason, p.patient_ref AS patient_ref, "
                f"{is_opt_out} AS is_opt_out, {keyed}{_link_digests(described) if has_links else ''} FROM {identifier(table.rejects)} AS j "
                f"LEFT JOIN rejected_patients AS p ON p.patient = j.patient{unread}"
            )
        self._rejected_patients(staged)
        nothing = (
            "SELECT ''::VARCHAR AS table_name, 0::BIGINT AS row_line, ''::VARCHAR AS field, ''::VARCHAR AS reason, "
            f"NULL::VARCHAR AS patient_ref, false AS is_opt_out, {_NO_KEY}{_link_digests(()) if has_links else ''} LIMIT 0"
        )
        together = " UNION ALL ".join([f"({nothing})", *parts])
        ordered = f"SELECT * FROM ({together}) ORDER BY table_name, row_line, field"
        write_parquet(self.connection, ordered, self.folder / f"{REJECTS}.parquet")

    def _rejected_patients(self, staged: Sequence[StagedTable]) -> None:
        parts = [f"SELECT patient::VARCHAR AS patient FROM {identifier(table.rejects)}" for table in staged]
        together = " UNION ".join(["SELECT NULL::VARCHAR AS patient", *parts])
        prefix = self.source.name + SEPARATOR
        self.connection.execute(
            "CREATE OR REPLACE TABLE rejected_patients AS "
            f"SELECT patient, pseudonym_of({literal(prefix)} || patient) AS patient_ref FROM ({together}) "
            "WHERE patient IS NOT NULL"
        )


def _key_text(salt: str, columns: Sequence[str]) -> str:
    """SQL of the text whose digest is the key of a row that has these columns.

    Args:
        salt: name of the variable that holds it.
    """
    parts = ", ".join(f"coalesce(r.{identifier(column)}::VARCHAR, '')" for column in columns) or "''"
    return f"getvariable({literal(salt)}) || {literal(SEPARATOR)} || concat_ws({literal(SEPARATOR)}, {parts})"


def _patients_of(staged: StagedTable, place: int) -> str:
    """Query: each patient of a table once, with the latest value of each identity column."""
    declaration = staged.declaration
    patient = f"{identifier(declaration.patient)}::VARCHAR"
    by_identity = {column.identity: identifier(column.name) for column in declaration.columns if column.identity}
    if not by_identity:
        return f"SELECT DISTINCT {patient} AS patient, -1 AS place FROM {identifier(staged.rows)}"
    if birth := by_identity.get("birth_date"):
        # As text, of which a day that nobody said is no part.
        length = f"birth_date{LENGTH}"
        known = identifier(length) if declaration.column(length) else WHOLE_DAY
        by_identity["birth_date"] = f"left({birth}::DATE::VARCHAR, coalesce({known}, {WHOLE_DAY})::INTEGER)"
    said = [expression for expression in (staged.updated, staged.version) if expression]
    place_of_row = f"({', '.join(f'coalesce({each}, {LEAST})' for each in said)}, row_line)" if said else "row_line"
    fields = ", ".join(
        f"arg_max({value}, {place_of_row}) FILTER ({value} IS NOT NULL) AS {identity}"
        for identity, value in by_identity.items()
    )
    return f"SELECT {patient} AS patient, {fields}, {place} AS place FROM {identifier(staged.rows)} GROUP BY ALL"


def _link_digests(described: Collection[str]) -> str:
    """SQL of the columns ``named, belonging`` of quarantined rows: digests, since no value of a row is kept with its fault."""
    texts = {name: name if name in described else "[]::VARCHAR[]" for name in ("named", "belonging")}
    digest = "lambda text: tombstone_of(text)"
    return "".join(
        f", list_transform(list_filter({text}, lambda text: text IS NOT NULL), {digest}) AS {name}"
        for name, text in texts.items()
    )


def tombstone(secrets: LandingKeys, patient_ref: str) -> str:
    """The keyed digest by which an erased patient is known again, without keeping the pseudonym."""
    return pseudonym(secrets.tombstone, patient_ref)
