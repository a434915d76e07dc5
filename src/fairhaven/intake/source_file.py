"""Reads ``sources/NAME.toml``, with every fault at once."""

import codecs
import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from fairhaven.intake.column_declarations import form_fault, read_columns
from fairhaven.intake.free_text import free_columns, may_be_free
from fairhaven.intake.landing import REJECTS
from fairhaven.intake.model import (
    NO_QUOTE,
    BelongsTo,
    ColumnDeclaration,
    DeliveryKind,
    Dialect,
    FhirVersion,
    Format,
    Source,
    TableDeclaration,
    Type1OptOut,
)
from fairhaven.intake.time_zones import is_zone
from fairhaven.kernel.toml import Document, Section

KINDS = ("gp", "hospital", "social-care", "registry", "laboratory", "genomics", "imaging", "cdm", "opt-out")
ENCODINGS = ("utf-8", "windows-1252", "latin-1", "utf-16")
ABOUT_NOBODY = "nobody"
"""What ``belongs_to`` says of a table whose rows are about no patient."""
_MOST_LINK_COLUMNS = 3
_TABLE_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def read_source(document: Document) -> Source | None:
    """The source that a document declares; its name is the file's.

    Returns:
        None where the document has faults; they are in ``document.faults``.
    """
    if document.faults:
        return None
    root = document.root
    source_format = Format(root.text("format", choices=[form.value for form in Format]) or Format.DELIMITED)
    source = Source(
        name=document.path.stem,
        title=root.text("title"),
        controller=root.text("controller"),
        kind=root.text("kind", choices=KINDS),
        format=source_format,
        delivery=root.choice("delivery", DeliveryKind.CHANGES),
        mapping=root.texts("mapping", ()),
        quarantine_limit=_limit(root),
        in_national_opt_out=root.yes("national_opt_out", source_format is not Format.OPT_OUT),
        dialect=_dialect(root.section("dialect"), source_format),
        tables=_tables(root, source_format),
        type_1_opt_out=None,
        coded=_coded(root, source_format),
        fhir_version=_fhir_version(root, source_format),
    )
    if "type_1_opt_out" in root:
        source = dataclasses.replace(source, type_1_opt_out=_type_1(root.section("type_1_opt_out"), source))
    if not _TABLE_NAME.fullmatch(source.name):
        root.fault("", f"the file's name must be like gp_riverside.toml (small letters, digits, _), not {source.name}")
    root.finish()
    if document.faults:
        return None
    return dataclasses.replace(source, digest=_digest(source))


def _coded(root: Section, source_format: Format) -> frozenset[str]:
    coded = root.texts("coded", ())
    free = free_columns(source_format)
    if coded and not free:
        root.fault(
            "coded", "belongs to FHIR and OMOP sources; elsewhere the rule of the mapping says which columns are coded"
        )
    for name in coded if free else ():
        if name.count(".") != 1 or not may_be_free(source_format, name.partition(".")[2]):
            root.fault("coded", f"{name} holds no free text; those that do are table.column of {', '.join(free)}")
    return frozenset(coded)


def _fhir_version(root: Section, source_format: Format) -> FhirVersion | None:
    if "fhir_version" not in root:
        return None
    if source_format is not Format.FHIR:
        root.fault("fhir_version", f'does not go with format = "{source_format}"')
        root.raw("fhir_version")
        return None
    version = root.text("fhir_version", choices=[version.value for version in FhirVersion])
    return FhirVersion(version) if version else None


def _limit(root: Section) -> float | None:
    if "quarantine_limit" not in root:
        return None
    limit = root.number("quarantine_limit")
    if not 0 <= limit <= 1:
        root.fault("quarantine_limit", "must be a share from 0 to 1 (0.02 is 2 %)")
    return float(limit)


_DIALECTS: Mapping[Format, tuple[str, ...]] = {
    Format.DELIMITED: ("delimiter", "quote", "encoding", "null", "decimal", "time_zone"),
    Format.PARQUET: ("null", "time_zone"),
    Format.FHIR: ("time_zone",),
    Format.OMOP: ("delimiter", "quote", "encoding", "null", "decimal", "dates", "time_zone"),
}
"""What of a dialect a format has: a CDM may be text files, and Parquet may hold texts that mean nothing."""


def _dialect(section: Section, source_format: Format) -> Dialect:
    known = _DIALECTS.get(source_format, ())
    for key in section.values.keys() - set(known):
        allowed = ", ".join(known) or "none"
        section.fault(key, f'does not go with format = "{source_format}" (of [dialect]: {allowed})')
        section.raw(key)
    plain = Dialect(delimiter="", quote="") if source_format is Format.OMOP else Dialect()
    dialect = Dialect(
        delimiter=section.text("delimiter", plain.delimiter),
        quote=section.text("quote", plain.quote) or (NO_QUOTE if "quote" in section else ""),
        encoding=section.text("encoding", plain.encoding, choices=ENCODINGS),
        null=section.texts("null", plain.null),
        decimal=section.text("decimal", plain.decimal, choices=(".", ",")),
        dates=section.texts("dates", plain.dates),
        time_zone=section.text("time_zone", plain.time_zone),
    )
    for form in dialect.dates:
        if message := form_fault(form, "date"):
            section.fault("dates", f"{form}: {message}")
        elif "%y" in form:
            section.fault(
                "dates",
                f"{form}: a year of two digits may be of two centuries, and a CDM holds births and days to come",
            )
    if not is_zone(dialect.time_zone):
        section.fault("time_zone", 'is no zone of the IANA database, such as "Europe/London"')
    for key, character in (("delimiter", dialect.delimiter), ("quote", dialect.quote)):
        if key in section and character != NO_QUOTE and (len(character.encode()) != 1 or character in "\r\n\0"):
            section.fault(key, "must be one ASCII character")
    if dialect.delimiter and dialect.delimiter == dialect.quote:
        section.fault("quote", "must differ from the delimiter")
    if dialect.delimiter == dialect.decimal:
        section.fault("decimal", "must differ from the delimiter")
    return dialect


def _tables(root: Section, source_format: Format) -> Mapping[str, TableDeclaration]:
    if source_format not in (Format.DELIMITED, Format.PARQUET):
        if "tables" in root:
            root.fault("tables", f'does not go with format = "{source_format}": its tables are known')
            root.raw("tables")
        return {}
    sections = root.section("tables").named()
    tables = {name: _table(name, section) for name, section in sections}
    if not tables:
        root.fault("tables", "is missing; declare at least one [tables.NAME]")
    for name, section in sections:
        _check_link(tables, name, section)
    return tables


def _table(name: str, section: Section) -> TableDeclaration:
    if not _TABLE_NAME.fullmatch(name):
        section.fault("", "a table's name is small letters, digits and _, and begins with a letter")
    if name == REJECTS:
        section.fault("", f"{REJECTS} is what rows in quarantine land as; choose another name")
    files = section.texts("files", ("*",))
    if not files or any(not pattern.strip() for pattern in files):
        section.fault("files", "give at least one file name pattern, such as *events*")
    columns = read_columns(section.section("columns"))
    if not columns:
        section.fault("columns", "is missing; a table lands only the columns that are named here")
    withdrawn = section.section("withdrawn")
    withdrawn_column, withdrawn_values = "", tuple[str, ...]()
    if "withdrawn" in section:
        withdrawn_column = _known(withdrawn, "column", withdrawn.text("column"), columns)
        withdrawn_values = withdrawn.texts("values")
    table = TableDeclaration(
        name=name,
        files=files,
        key=tuple(_known(section, "key", key, columns) for key in section.texts("key", ())),
        is_key_unique=section.yes("key_is_unique", False),
        patient=_known(section, "patient", section.text("patient", ""), columns),
        belongs_to=_belongs_to(section, columns),
        is_about_nobody=section.raw("belongs_to") == ABOUT_NOBODY,
        withdrawn_column=withdrawn_column,
        withdrawn_values=withdrawn_values,
        columns=tuple(columns.values()),
    )
    if table.is_key_unique and not table.key:
        section.fault("key_is_unique", "needs the key that is: key = [...]")
    for key, column in columns.items():
        if column.is_emptied and column.name in (*table.key, table.patient, *(own for own, _ in _by(table))):
            section.fault(f"columns.{key}.misfit", "does not go with a column that says which row it is or whose")
    has_identity = [key for key, column in columns.items() if column.identity]
    if has_identity and not table.patient:
        section.fault("columns." + has_identity[0], "has an identity, so the table must say its patient column")
    return table


def _belongs_to(section: Section, columns: Mapping[str, ColumnDeclaration]) -> BelongsTo | None:
    """The link that a table declares; that the other table has what it names is seen when all tables are read."""
    if "belongs_to" not in section or section.raw("belongs_to") == ABOUT_NOBODY:
        return None
    written = section.raw("belongs_to")
    if not isinstance(written, dict):
        section.fault("belongs_to", f'must be {{ table = "...", by = ["..."] }}, or "{ABOUT_NOBODY}"')
        return None
    link = section.section("belongs_to")
    by = link.raw("by", {})
    pairs = by if isinstance(by, dict) else {each: each for each in link.texts("by")}
    if not 1 <= len(pairs) <= _MOST_LINK_COLUMNS or not all(isinstance(each, str) and each for each in pairs.values()):
        link.fault("by", f'must be one to {_MOST_LINK_COLUMNS} columns: ["Key"], or {{ Column = "its column" }}')
        return None
    return BelongsTo(
        table=link.text("table"), by=tuple((_known(link, "by", own, columns), its) for own, its in pairs.items())
    )


def _by(table: TableDeclaration) -> tuple[tuple[str, str], ...]:
    return table.belongs_to.by if table.belongs_to else ()


def _check_link(tables: Mapping[str, TableDeclaration], name: str, section: Section) -> None:
    """Faults of what a table says of the table that it belongs to."""
    table = tables[name]
    if table.patient and "belongs_to" in section:
        section.fault("belongs_to", "does not go with patient: the rows say themselves whose they are")
    link = table.belongs_to
    if link is None:
        return
    other = tables.get(link.table)
    if other is None:
        section.fault(
            "belongs_to", f"refers to {link.table}, which is not a table of this source ({', '.join(tables)})"
        )
        return
    chain, last = [name], other
    while last.belongs_to and last.belongs_to.table in tables and last.name not in chain:
        chain.append(last.name)
        last = tables[last.belongs_to.table]
    if last.name in chain:
        section.fault("belongs_to", f"goes round in a circle ({' -> '.join([*chain, last.name])}) and names nobody")
    elif not last.patient and not last.belongs_to:
        section.fault("belongs_to", f"ends at {last.name}, which has no patient column")
    for own, its in link.by:
        mine, theirs = table.column(own), other.column(its)
        if theirs is None or theirs.name == other.patient or theirs.identity or (mine and mine.identity):
            landing = ", ".join(c.name for c in other.columns if not c.identity and c.name != other.patient) or "none"
            section.fault("belongs_to", f"{its} is no column that lands of {other.name} (those that do: {landing})")
        elif mine and mine.type != theirs.type:
            section.fault(
                "belongs_to", f"{own} is {mine.type} and {its} of {other.name} is {theirs.type}; declare one type"
            )


def _known(section: Section, key: str, named: str, columns: Mapping[str, ColumnDeclaration]) -> str:
    """The landed name of a column that another setting refers to."""
    if not named:
        return ""
    for declared, column in columns.items():
        if named in (declared, column.name):
            return column.name
    section.fault(key, f"refers to {named}, which is not among the declared columns ({', '.join(columns) or 'none'})")
    return named


def _type_1(section: Section, source: Source) -> Type1OptOut | None:
    if source.kind != "gp":
        section.fault("", 'belongs to kind = "gp" only')
    name = section.text("table")
    table = source.tables.get(name)
    columns = {column.name: column for column in table.columns} if table else {}
    if source.format in (Format.DELIMITED, Format.PARQUET):
        if table is None:
            section.fault("table", f"refers to {name}, which is not a declared table")
        else:
            if not table.patient:
                section.fault("table", f"{name} has no patient column, so nobody could know whose an opt-out is")
            date = columns.get(section.text("date"))
            if date is not None and date.type not in ("date", "datetime"):
                section.fault("date", "must be a date or datetime column")
            for key in ("column", "date"):
                if section.text(key) not in columns:
                    section.fault(key, f"refers to {section.text(key)}, which is not among the columns of {name}")
    rule = Type1OptOut(
        table=name,
        column=section.text("column"),
        date=section.text("date"),
        opted_out=section.texts("opted_out"),
        opted_in=section.texts("opted_in", ()),
    )
    if not rule.opted_out:
        section.fault("opted_out", "give at least one code")
    if both := set(rule.opted_out) & set(rule.opted_in):
        section.fault("opted_in", f"holds {', '.join(sorted(both))}, which is in opted_out too")
    return rule


def _digest(source: Source) -> str:
    """Digest of what changes the landed rows; a new title or limit does not."""
    shaping: dict[str, Any] = {
        "name": source.name,
        "format": source.format,
        "dialect": dataclasses.asdict(source.dialect),
        "tables": [_shape(table) for _, table in sorted(source.tables.items())],
        "type_1": dataclasses.asdict(source.type_1_opt_out) if source.type_1_opt_out else None,
    }
    if source.coded:
        shaping["coded"] = sorted(source.coded)
    if source.fhir_version:
        shaping["fhir_version"] = source.fhir_version
    return hashlib.sha256(json.dumps(shaping, sort_keys=True, default=str).encode()).hexdigest()


def _shape(table: TableDeclaration) -> dict[str, Any]:
    """What of a table changes landed rows; what nobody could say before is digested only where it is said."""
    shape = dataclasses.asdict(table)
    del shape["is_about_nobody"]
    if not table.is_key_unique:
        del shape["is_key_unique"]
    if table.belongs_to is None:
        del shape["belongs_to"]
    for column in shape["columns"]:
        for later in ("null", "is_emptied", "last_day_of", "length_of"):
            if not column[later]:
                del column[later]
    return shape


def python_encoding(encoding: str) -> str:
    """Python's name of a declared encoding."""
    return codecs.lookup("cp1252" if encoding == "windows-1252" else encoding).name
