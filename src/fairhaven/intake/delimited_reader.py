"""Delimited text (CSV and the like).

Most files are plain, and DuckDB reads them as they are: every column as text, typed in the same query. That the
reading is right is not trusted but checked: the last line's number must come out as the survey counted it, or the file
is read again by `lines`, record by record.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from fairhaven.engine.duckdb_connection import count_of
from fairhaven.engine.sql import file, identifier, literal, literals
from fairhaven.intake import file_detection, lines
from fairhaven.intake.model import Source, TableDeclaration
from fairhaven.intake.quarantine_reasons import emptied_counts
from fairhaven.intake.reader import DeliveredFile, StagedTable
from fairhaven.intake.row_links import links_of, texts_of_links, texts_of_names
from fairhaven.intake.type_casting import typed
from fairhaven.kernel.errors import Fault, Invalid, check_faults
from fairhaven.kernel.expansion import MOST_COLUMNS
from fairhaven.kernel.file_kinds import FileKind, kind_of

_LONG_LINE = 2_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class _Columns:
    """Where the declared columns are: field number by column name; what else the file has; what it lacks."""

    fields: dict[str, int]
    dropped: tuple[str, ...]
    missing: tuple[str, ...]


class DelimitedReader:
    """See `Reader`. One file is one table; the file's name says which."""

    version = "3"
    # Lines are numbered in the file's order, by one thread; a second would only wait, and burn a third more CPU.
    threads: int | None = 1

    def stage(
        self, connection: duckdb.DuckDBPyConnection, source: Source, arrived: DeliveredFile, *, scratch: Path
    ) -> Sequence[StagedTable]:
        """See `Reader.stage`."""
        return [stage_text(connection, source, file_detection.table_for(source, arrived), arrived, scratch=scratch)]


def stage_text(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    table: TableDeclaration,
    arrived: DeliveredFile,
    *,
    scratch: Path,
    prefix: str = "staged",
) -> StagedTable:
    """Stage one file as one table, in relations whose names begin with *prefix*; see `Reader.stage`."""
    if kind_of(arrived.path) is FileKind.ZIP:
        raise Invalid(Fault(path=arrived.name, message="is a zip archive; unpack it and deliver the files in it"))
    plain = file_detection.plain(arrived, scratch)
    file_detection.check_mark(plain, arrived.name, source.dialect.encoding)
    text = lines.as_utf8(plain, source.dialect.encoding, scratch)
    seen = lines.survey(text)
    if seen.bytes == 0:
        raise Invalid(Fault(path=arrived.name, message="is empty: not even a header. Deliver the file again."))
    if not seen.is_in_lines:
        raise Invalid(Fault(path=arrived.name, message=f"has a line longer than 64 MB: is it {_kind(source)}?"))
    header = lines.header_of(text, source.dialect, carriage_only=seen.carriage_only)
    if header is None:
        raise Invalid(Fault(path=arrived.name, line=1, message=f"no header can be read as {_kind(source)}"))
    if len(header.names) > MOST_COLUMNS:
        message = f"has {len(header.names):,} columns, more than {MOST_COLUMNS:,}: is it {_kind(source)}?"
        raise Invalid(Fault(path=arrived.name, line=1, message=message))
    columns = _match(table, header, source, arrived)
    reading = _Reading(
        connection=connection, source=source, table=table, columns=columns, width=len(header.names), prefix=prefix
    )
    is_worth_trying = seen.is_plain and not seen.carriage_only and header.line == 1 and len(header.names) > 1
    received = reading.plain(text, seen.lines) if is_worth_trying else None
    if received is None:
        rule = source.type_1_of(table.name)
        watched = rule.opted_out if rule else ()
        cleaned = lines.clean(text, source.dialect, header, scratch, carriage_only=seen.carriage_only, watched=watched)
        received = reading.cleaned(cleaned)
    return StagedTable(
        declaration=table,
        rows=f"{prefix}_rows",
        rejects=f"{prefix}_rejects",
        received=received,
        unread=unread_of(table, prefix),
        withdrawn=withdrawn_sql(table),
        dropped=columns.dropped,
        missing=columns.missing,
        emptied=count_emptied(connection, table, prefix),
    )


def unread_of(table: TableDeclaration, prefix: str = "staged") -> str:
    """The rejected rows that `stage_typed` staged with their key, where the table has one."""
    return f"{prefix}_unread" if table.key else ""


def withdrawn_sql(table: TableDeclaration) -> str:
    """SQL that is true where a row of a declared table is taken back."""
    if not table.withdrawn_column:
        return "false"
    values = literals(*table.withdrawn_values)
    return f"coalesce({identifier(table.withdrawn_column)}::VARCHAR IN ({values}), false)"


def stage_typed(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    table: TableDeclaration,
    query: str,
    *,
    structural: str = "",
    last: int | None = None,
    prefix: str = "staged",
) -> bool:
    """Make ``<prefix>_rows`` and ``<prefix>_rejects`` of a query that has ``row_line``, the columns and ``row_faults``.

    Args:
        structural: query of ``row_line, field, reason, patient, code, named, belonging`` for lines that are no rows at all.
        last: the number that the last ``row_line`` must have.

    Returns:
        False where the last line is another one; then nothing is to be used.
    """
    patient = f"{identifier(table.patient)}::VARCHAR" if table.patient else "NULL"
    rule = source.type_1_of(table.name)
    code = f"{identifier(rule.column)}::VARCHAR" if rule else "NULL"
    links = links_of(source)
    named, belonging = texts_of_names(links, table.name), texts_of_links(links, table.name)
    # The last rows are kept beside the faulty ones, so that one scan both finds faults and counts.
    end = f" OR row_line >= {last}" if last is not None else ""
    connection.execute(f"CREATE OR REPLACE VIEW {prefix}_all AS {query}")
    connection.execute(
        f"CREATE OR REPLACE TABLE {prefix}_faults AS "
        f"SELECT row_line, row_faults, {patient}::VARCHAR AS patient, {code}::VARCHAR AS code, "
        f"{named} AS named, {belonging} AS belonging, {_key_of(table)} AS keyed "
        f"FROM {prefix}_all WHERE row_faults IS NOT NULL{end}"
    )
    if last is not None:
        ends = connection.execute(f"SELECT row_line FROM {prefix}_faults WHERE row_line >= {last}").fetchall()
        if ends != [(last,)]:
            return False
        connection.execute(f"DELETE FROM {prefix}_faults WHERE row_faults IS NULL")
    connection.execute(
        f"CREATE OR REPLACE VIEW {prefix}_rejects AS "
        "SELECT row_line, fault.field, fault.reason, patient, code, named, belonging "
        f"FROM (SELECT row_line, unnest(row_faults) AS fault, patient, code, named, belonging FROM {prefix}_faults)"
        + (f" UNION ALL {structural}" if structural else "")
    )
    if table.key:
        connection.execute(
            f"CREATE OR REPLACE VIEW {prefix}_unread AS SELECT row_line, unnest(keyed) FROM {prefix}_faults"
        )
    names = ", ".join(identifier(column.name) for column in table.columns)
    has_faults = count_of(connection, f"SELECT count(*) FROM {prefix}_faults") > 0
    # Without faults nothing needs to be checked again, so that a later scan reads only the columns it uses.
    only_good = f" WHERE row_line NOT IN (SELECT row_line FROM {prefix}_faults)" if has_faults else ""
    connection.execute(f"CREATE OR REPLACE VIEW {prefix}_good AS FROM {prefix}_all{only_good}")
    connection.execute(f"CREATE OR REPLACE VIEW {prefix}_rows AS SELECT row_line, {names} FROM {prefix}_good")
    return True


def _key_of(table: TableDeclaration) -> str:
    """SQL of a row's key as a STRUCT; NULL where the table has none."""
    parts = ", ".join(f"{identifier(column)} := {identifier(column)}" for column in table.key)
    return f"struct_pack({parts})" if parts else "NULL"


def count_emptied(
    connection: duckdb.DuckDBPyConnection, table: TableDeclaration, prefix: str = "staged"
) -> dict[str, int]:
    """Column -> rows that `stage_typed` staged whose value did not fit and is empty."""
    counts = emptied_counts(table)
    if not counts:
        return {}
    [found] = connection.execute(f"SELECT {', '.join(counts.values())} FROM {prefix}_good").fetchall()
    return {name: rows for name, rows in zip(counts, found, strict=True) if rows}


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """Makes the staged relations of one file, the quick way or the careful one."""

    connection: duckdb.DuckDBPyConnection
    source: Source
    table: TableDeclaration
    columns: _Columns
    width: int
    prefix: str

    def plain(self, text: Path, line_count: int) -> int | None:
        """Stage a file as it is; the number of rows, or None where it does not read as one row a line."""
        relation = f"(SELECT row_number() OVER () + 1 AS row_line, * FROM {self._csv(text, skip=1)})"
        try:
            return line_count - 1 if line_count > 1 and self._stage(relation, last=line_count) else None
        except duckdb.Error:
            return None

    def cleaned(self, cleaned: lines.CleanCopy) -> int:
        """Stage the plain copy that `lines.clean` made."""
        relation = self._csv(cleaned.rows, skip=0, numbered=True, longest=cleaned.longest)
        if cleaned.kept == 0:
            nothing = ", ".join(f"NULL::VARCHAR AS f{number}" for number in range(self.width))
            relation = f"(SELECT NULL::BIGINT AS row_line, {nothing} LIMIT 0)"
        structural = (
            "SELECT row_line, '' AS field, reason, NULL::VARCHAR AS patient, nullif(code, '') AS code, "
            "[]::VARCHAR[] AS named, []::VARCHAR[] AS belonging "
            f"FROM read_csv({file(cleaned.rejects)}, auto_detect=false, header=false, delim=',', quote='\"', "
            "escape='\"', columns={'row_line': 'BIGINT', 'reason': 'VARCHAR', 'code': 'VARCHAR'})"
        )
        self._stage(relation, structural if cleaned.rejected else "")
        return cleaned.kept + cleaned.rejected

    def _stage(self, relation: str, structural: str = "", last: int | None = None) -> bool:
        values = {name: (f"f{number}", "VARCHAR") for name, number in self.columns.fields.items()}
        return stage_typed(
            self.connection,
            self.source,
            self.table,
            typed(self.table, values, self.source.dialect, relation),
            structural=structural,
            last=last,
            prefix=self.prefix,
        )

    def _csv(self, path: Path, *, skip: int, numbered: bool = False, longest: int = 0) -> str:
        dialect = self.source.dialect
        columns = (["row_line: 'BIGINT'"] if numbered else []) + [f"f{n}: 'VARCHAR'" for n in range(self.width)]
        options = [
            "auto_detect=false",
            "header=false",
            f"skip={skip}",
            f"delim={literal(dialect.delimiter)}",
            f"quote={literal(dialect.quote)}",
            f"escape={literal(dialect.quote)}",
            f"nullstr=[{', '.join(map(literal, sorted({'', *dialect.null})))}]",
            f"columns={{{', '.join(columns)}}}",
        ]
        if numbered:
            # Otherwise a carriage return within a value is taken for the end of a line.
            options.append("new_line='\\n'")
        if longest > _LONG_LINE // 4:
            options.append(f"max_line_size={2 * longest + 1024}")
        return f"read_csv({file(path)}, {', '.join(options)})"


def _match(table: TableDeclaration, header: lines.HeaderLine, source: Source, arrived: DeliveredFile) -> _Columns:
    """Find the declared columns in the header, in any case and with spaces around.

    Raises:
        Invalid: columns are missing, or a name is there twice. It does not show the file's own header, because a
            file without one would show its first row.
    """
    places: defaultdict[str, list[int]] = defaultdict(list)
    for number, header_name in enumerate(header.names):
        places[header_name.casefold()].append(number)
    fields: dict[str, int] = {}
    missing: list[str] = []
    faults: list[Fault] = []
    for column in table.columns:
        if column.is_derived:
            continue
        match places.pop(column.header.strip().casefold(), []):
            case [number]:
                fields[column.name] = number
            case [] if column.is_optional:
                missing.append(column.header)
            case []:
                faults.append(Fault(path=arrived.name, line=1, message=f"the column {column.header} is missing"))
            case _:
                message = f"the column {column.header} is there more than once; which one is meant cannot be known"
                faults.append(Fault(path=arrived.name, line=1, message=message))
    if faults and len(header.names) == 1:
        message = f"the header has one column only: is it {_kind(source)}?"
        faults.append(Fault(path=arrived.name, line=1, message=message))
    check_faults(faults)
    dropped = tuple(header.names[number] for numbers in places.values() for number in numbers)
    return _Columns(fields=fields, dropped=dropped, missing=tuple(missing))


def _kind(source: Source) -> str:
    return f"{source.dialect.encoding} text with fields divided by {source.dialect.delimiter!r}"
