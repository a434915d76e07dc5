"""A CDM that a partner already has: OMOP 5.3 or 5.4 as a DuckDB file, or as a folder or zip of Parquet or CSV files.

The tables land under the names of CDM 5.4, whatever their case in the delivery. Direct identifiers do not land: names,
addresses, notes' texts, and source values of persons and places (an NHS number among them goes to the vault).
"""

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb

from fairhaven.engine.duckdb_connection import count_of
from fairhaven.engine.sql import identifier
from fairhaven.intake import file_detection
from fairhaven.intake.cdm_concepts import without_false_concepts
from fairhaven.intake.cdm_contents import OTHER_BIRTH, contents_of, faults_of
from fairhaven.intake.cdm_persons import without_faulty_persons
from fairhaven.intake.column_declarations import with_derived
from fairhaven.intake.delimited_reader import stage_text
from fairhaven.intake.model import NO_QUOTE, ColumnDeclaration, Dialect, Source, TableDeclaration
from fairhaven.intake.parquet_reader import numbered_rows, stage_relation
from fairhaven.intake.reader import DeliveredFile, StagedTable
from fairhaven.intake.time_zones import USUAL
from fairhaven.intake.type_casting import outward_code_of
from fairhaven.kernel.errors import Fault, Invalid, check_faults
from fairhaven.kernel.file_kinds import FileKind, kind_of
from fairhaven.kernel.partial_days import LENGTH, WHOLE_DAY, WHOLE_MONTH, WHOLE_YEAR
from fairhaven.omop import CDM
from fairhaven.omop.cdm import CDM_5_3_NAMES
from fairhaven.omop.external_tables import SEVERAL_FILES, locate_tables

IDENTIFYING = {
    "person": ("person_source_value",),
    "location": ("address_1", "address_2", "latitude", "longitude", "location_source_value"),
    "provider": ("provider_name", "npi", "dea", "provider_source_value"),
    "note": ("note_text", "note_title", "note_source_value"),
    "note_nlp": ("snippet", "lexical_variant"),
}
"""Fields that do not land."""

_KEYS = {
    "death": ("person_id",),
    "concept_relationship": ("concept_id_1", "concept_id_2", "relationship_id"),
    "concept_ancestor": ("ancestor_concept_id", "descendant_concept_id"),
    "drug_strength": ("drug_concept_id", "ingredient_concept_id"),
}
_BIRTH = {"month_of_birth": "month", "day_of_birth": "day", "birth_datetime": "day"}
_INFERRED_BIRTH = "coalesce(day_of_birth IS NULL AND (day(birth_datetime) = 1 OR (month_of_birth IS NULL AND month(birth_datetime) = 6 AND day(birth_datetime) = 15)), false)"
"""SQL over PERSON: ``birth_datetime`` is a day that the CDM's page has one infer where the source has none: the first of the month, or 15 June."""
_TYPES = {"integer": "whole", "float": "number", "date": "date", "datetime": "datetime"}
_DATES = ("%Y-%m-%d", "%Y%m%d")
_TIMES = ("%H:%M:%S", "%H:%M", "%H:%M:%S.%f")
_DELIMITERS = "\t;|,"


@dataclass(frozen=True, kw_only=True, slots=True)
class CdmMember:
    """One table of a delivered CDM.

    Args:
        rows: relation with ``row_line`` and the table's columns; empty where the table is text.
        text: the delimited file; None where the table is a relation.
    """

    table: str
    rows: str = ""
    text: DeliveredFile | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CdmMembers:
    """The tables of a delivered CDM, and the names of what is no table of the CDM."""

    found: tuple[CdmMember, ...]
    others: tuple[str, ...]


class OmopReader:
    """See `Reader`."""

    version = "12"
    threads: int | None = None

    def stage(
        self, connection: duckdb.DuckDBPyConnection, source: Source, arrived: DeliveredFile, *, scratch: Path
    ) -> Sequence[StagedTable]:
        """See `Reader.stage`."""
        delivered = members(connection, arrived, scratch, time_zone=source.dialect.time_zone)
        if "person" not in {member.table for member in delivered.found}:
            raise Invalid(
                Fault(
                    path=arrived.name,
                    message="has no table person, so it is not an OMOP CDM. Deliver a DuckDB file, or a folder or zip "
                    "with a Parquet or CSV file for each table.",
                )
            )
        staged: dict[str, StagedTable] = {}
        faults: list[Fault] = []
        for member in delivered.found:
            try:
                read = without_false_concepts(connection, _stage(connection, source, member, arrived, scratch))
                staged[member.table] = _with_unique_key(connection, read)
            except Invalid as invalid:
                faults += invalid.faults
        check_faults(faults)
        contents = contents_of(connection, staged)
        check_faults(list(faults_of(contents, staged, arrived.name)))
        identified = _identified(connection, staged["person"], staged.get("location"))
        told_apart = without_faulty_persons(connection, source, identified)
        staged["person"] = dataclasses.replace(_with_known_birth(connection, told_apart), cdm=contents)
        if "location" in staged:
            staged["location"] = _coarse_location(connection, staged["location"])
        for table in IDENTIFYING.keys() & staged.keys():
            staged[table] = _without_identity(staged[table])
        dropped = (*staged["person"].dropped, *delivered.others)
        staged["person"] = dataclasses.replace(staged["person"], dropped=dropped)
        return list(staged.values())


def members(
    connection: duckdb.DuckDBPyConnection, arrived: DeliveredFile, room: Path, *, time_zone: str = USUAL
) -> CdmMembers:
    """The tables in a delivered file; a zip is unpacked into *room*, a DuckDB file is attached read-only.

    Raises:
        Invalid: it is neither, is damaged, or it is open which rows are a table's.
    """
    located = locate_tables(connection, arrived.path, CDM, room=room, shown=arrived.name, limits=arrived.limits)
    found, faults, others = [], [], list(located.others)
    for table, places in located.tables.items():
        files = sorted(path for place in places for path in place.files)
        if files and table != "person" and all(path.stat().st_size == 0 for path in files):
            others += [f"file {place.shown} (empty)" for place in places]
        elif not files and len(places) == 1:
            rows = f"(SELECT rowid + 1 AS row_line, * FROM {places[0].relation})"
            found.append(CdmMember(table=table, rows=rows))
        elif not files:
            faults.append(Fault(path=arrived.name, message=f"{table} is in several schemas; deliver one CDM"))
        elif all(kind_of(path) is FileKind.PARQUET for path in files):
            if len(places) > 1:
                named = ", ".join(place.shown for place in places)
                message = (
                    f"{table} is in several places ({named}), and which of them counts cannot be known; deliver one CDM"
                )
                faults.append(Fault(path=arrived.name, message=message))
            found.append(CdmMember(table=table, rows=numbered_rows(*files, time_zone=time_zone)))
        elif len(files) == 1:
            text = dataclasses.replace(arrived, path=files[0], name=f"{arrived.name}/{files[0].name}")
            found.append(CdmMember(table=table, text=text))
        else:
            faults.append(Fault(path=arrived.name, message=SEVERAL_FILES.format(table)))
    check_faults(faults)
    return CdmMembers(found=tuple(found), others=tuple(others))


def dialect_of(path: Path, declared: Dialect) -> Dialect:
    """How a text file is written, as far as its source does not declare it: its header tells.

    With tabs there is no quoting, as Athena writes them, unless the header itself is quoted.
    """
    header = _first_line(path, declared.encoding)
    if declared.delimiter not in header:  # as well what was written down of CDMs before their dialect could be declared
        declared = dataclasses.replace(declared, delimiter="", quote="")
    delimiter = declared.delimiter or max(_DELIMITERS, key=header.count)
    is_plain = delimiter == "\t" and not header.startswith('"')
    quote = declared.quote or (NO_QUOTE if is_plain else '"')
    return dataclasses.replace(declared, delimiter=delimiter, quote=quote)


def declaration_of(table: str, has: Collection[str], *, dates: Sequence[str] = ()) -> TableDeclaration:
    """The CDM's definition of a table as a declaration. All fields but a person's may be missing.

    Args:
        has: the delivered fields, in small letters; a field of 5.4 is read from what 5.3 calls it. A table that lacks
            its primary key (5.3's metadata) is identified by its rows' content.
        dates: further strptime forms of days; where there are any, the usual ones hold beside them.
    """
    definition = CDM[table]
    renamed = CDM_5_3_NAMES.get(table, {})
    columns = []
    for field in definition.fields:
        kind = _TYPES.get(field.type, "text")
        older = renamed.get(field.name, "")
        columns.append(
            ColumnDeclaration(
                name=field.name,
                header=older if older in has and field.name not in has else field.name,
                type=kind,
                is_optional=not (field.name == "person_id" and definition.has_person),
                formats=_formats(kind, dates),
                cuts_time=kind == "date",
                birth_precision=_BIRTH.get(field.name, "") if table == "person" else "",
            )
        )
    if table == "death":
        columns = [each for column in columns for each in with_derived(column)]
    key = _KEYS.get(table) or ((definition.primary_key,) if definition.primary_key else ())
    return TableDeclaration(
        name=table,
        key=key if set(key) <= set(has) else (),
        patient="person_id" if definition.has_person else "",
        columns=tuple(columns),
    )


def _formats(kind: str, dates: Sequence[str]) -> tuple[str, ...]:
    """The forms of a column's days; of its times only where days have other forms than ISO's."""
    if kind == "datetime" and dates:
        days = (*dates, *_DATES)
        return (*(f"{day} {time}" for day in days for time in _TIMES), *days)
    return (*dates, *_DATES) if kind == "date" else ()


def _stage(
    connection: duckdb.DuckDBPyConnection, source: Source, member: CdmMember, arrived: DeliveredFile, scratch: Path
) -> StagedTable:
    if member.text is None:
        declare = partial(declaration_of, member.table, dates=source.dialect.dates)
        shown = f"{arrived.name}/{member.table}"
        return stage_relation(connection, source, declare, member.rows, shown=shown, prefix=member.table)
    room = scratch / member.table
    room.mkdir()
    text = file_detection.plain(member.text, room)
    dialect = dialect_of(text, source.dialect)
    declaration = declaration_of(member.table, _header(text, dialect), dates=dialect.dates)
    in_dialect = dataclasses.replace(source, dialect=dialect)
    opened = DeliveredFile(path=text, name=member.text.name)
    return stage_text(connection, in_dialect, declaration, opened, scratch=room, prefix=member.table)


def _with_unique_key(connection: duckdb.DuckDBPyConnection, staged: StagedTable) -> StagedTable:
    """A table whose primary key is not unique (as in OHDSI's own GiBleed) is identified by all that its rows say, because a
    row may not take the place of another that is only numbered alike; one that is equal throughout is the same row again."""
    declaration = staged.declaration
    if not declaration.key or declaration.name == "person":
        return staged
    key = ", ".join(identifier(column) for column in declaration.key)
    if count_of(connection, f"SELECT count(*) - count(DISTINCT ({key})) FROM {identifier(staged.rows)}") == 0:
        return _without_doubled_unread(connection, staged, key)
    everything = tuple(column.name for column in declaration.columns)
    by_content = dataclasses.replace(declaration, key=everything)
    return dataclasses.replace(staged, declaration=by_content, shared_key=declaration.key, unread="")


def _without_doubled_unread(connection: duckdb.DuckDBPyConnection, staged: StagedTable, key: str) -> StagedTable:
    """Of one number the row that can be read counts: a delivered CDM is of one moment, so of two rows of it neither is the newer, and the other may
    be another person's."""
    if not staged.unread or count_of(connection, f"SELECT count(*) FROM {identifier(staged.unread)}") == 0:
        return staged
    alone = f"{staged.declaration.name}_unread_alone"
    connection.execute(
        f"CREATE VIEW {identifier(alone)} AS FROM {identifier(staged.unread)} ANTI JOIN {identifier(staged.rows)} USING ({key})"
    )
    return dataclasses.replace(staged, unread=alone)


def _header(text: Path, dialect: Dialect) -> set[str]:
    first = _first_line(text, dialect.encoding)
    return {part.strip(' "\r\n').casefold() for part in first.split(dialect.delimiter)}


def _first_line(text: Path, encoding: str) -> str:
    with text.open("rb") as head:
        return head.readline(1 << 16).decode(encoding, "replace").removeprefix("\ufeff")


def _identified(
    connection: duckdb.DuckDBPyConnection, person: StagedTable, location: StagedTable | None
) -> StagedTable:
    """The person table with what linkage needs, taken from several fields."""
    postcode = address = "NULL::VARCHAR"
    if location is not None:
        lived = f"FROM {identifier(location.rows)} AS l WHERE l.location_id = p.location_id"
        # Of two places of one number nobody can say where somebody lives.
        postcode, address = (
            f"(SELECT CASE WHEN min({column}) = max({column}) THEN min({column}) END {lived})"
            for column in ("zip", "address_1")
        )
    connection.execute(
        "CREATE VIEW person_identified AS SELECT *, "
        "CASE WHEN regexp_full_match(replace(person_source_value, ' ', ''), '[0-9]{10}') "
        "THEN replace(person_source_value, ' ', '') END AS nhs_number, "
        f"coalesce(CASE WHEN NOT {OTHER_BIRTH} AND NOT {_INFERRED_BIRTH} THEN birth_datetime::DATE END, try_cast(concat_ws('-', year_of_birth, "
        "lpad(month_of_birth::VARCHAR, 2, '0'), lpad(day_of_birth::VARCHAR, 2, '0')) AS DATE)) AS birth_date, "
        "CASE gender_concept_id WHEN 8507 THEN 'M' WHEN 8532 THEN 'F' ELSE gender_source_value END AS sex, "
        f"{postcode} AS postcode, {address} AS address FROM {person.rows} AS p"
    )
    identity = [
        ColumnDeclaration(name=field, header=field, type="date" if field == "birth_date" else "text", identity=field)
        for field in ("nhs_number", "birth_date", "sex", "postcode", "address")
    ]
    declaration = dataclasses.replace(person.declaration, columns=(*person.declaration.columns, *identity))
    return dataclasses.replace(
        person, rows="person_identified", declaration=declaration, further_numbers=("person_source_value",)
    )


def _with_known_birth(connection: duckdb.DuckDBPyConnection, person: StagedTable) -> StagedTable:
    """The person table with what is known of a birth that has no day, and how much that is."""
    month = "coalesce(month_of_birth, CASE WHEN month(birth_datetime) <> 1 AND day(birth_datetime) = 1 THEN month(birth_datetime) END)"
    first = f"try_cast(concat_ws('-', year_of_birth, lpad(coalesce({month}, 1)::VARCHAR, 2, '0'), '01') AS DATE)"
    length = f"birth_date{LENGTH}"
    connection.execute(
        f"CREATE VIEW person_born AS SELECT * REPLACE (coalesce(birth_date, {first}) AS birth_date), CASE WHEN birth_date IS NOT NULL THEN {WHOLE_DAY} "
        f"WHEN {month} IS NOT NULL THEN {WHOLE_MONTH} ELSE {WHOLE_YEAR} END::BIGINT AS {length} FROM {identifier(person.rows)}"
    )
    known = ColumnDeclaration(name=length, header=length, type="whole", length_of="birth_date")
    declaration = dataclasses.replace(person.declaration, columns=(*person.declaration.columns, known))
    return dataclasses.replace(person, rows="person_born", declaration=declaration)


def _coarse_location(connection: duckdb.DuckDBPyConnection, location: StagedTable) -> StagedTable:
    """Locations with the outward half of the postcode only."""
    coarse = f"SELECT * REPLACE ({outward_code_of('zip')} AS zip) FROM {location.rows}"
    connection.execute(f"CREATE VIEW location_coarse AS {coarse}")
    return dataclasses.replace(location, rows="location_coarse")


def _without_identity(staged: StagedTable) -> StagedTable:
    """A table without the fields that identify, which are said to be dropped."""
    hidden = [column for column in IDENTIFYING[staged.declaration.name] if staged.declaration.column(column)]
    columns = tuple(column for column in staged.declaration.columns if column.name not in hidden)
    declaration = dataclasses.replace(staged.declaration, columns=columns)
    dropped = (*staged.dropped, *(column for column in hidden if column not in staged.missing))
    missing = tuple(column for column in staged.missing if column not in hidden)
    return dataclasses.replace(staged, declaration=declaration, dropped=dropped, missing=missing)
