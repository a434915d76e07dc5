"""The OMOP vocabulary of a hub: taken over from an Athena download, several versions side by side.

A version is a folder ``<root>/<version>/`` of one Parquet file for each vocabulary table, sorted for joins, and
``vocabulary.json``, which says what it is. ``<root>/current.json`` names the version that was loaded last.
"""

import hashlib
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import duckdb

from fairhaven.engine.damage import reading_foreign
from fairhaven.engine.duckdb_connection import open_duckdb, write_parquet
from fairhaven.engine.sql import identifier, literal
from fairhaven.kernel.absent_values import WORDS_FOR_NOTHING
from fairhaven.kernel.codec import read_record, to_json
from fairhaven.kernel.errors import Fault, Invalid, NotFound, check_faults
from fairhaven.kernel.expansion import USUAL, ExpansionLimits
from fairhaven.kernel.files import announce_folder, scratch, sha256_of, write_json
from fairhaven.kernel.foreign_names import shown
from fairhaven.kernel.listing import listed
from fairhaven.kernel.progress import Progress, Silent
from fairhaven.omop.cdm import CDM, VOCABULARY_TABLES, Field
from fairhaven.omop.external_tables import StoredTable, find_tables

_DESCRIPTION = "vocabulary.json"
_CURRENT = "current.json"
_ORDER = {
    "concept_ancestor": ("ancestor_concept_id", "descendant_concept_id"),
    "concept_relationship": ("concept_id_1", "relationship_id", "concept_id_2"),
    "concept_synonym": ("concept_id", "language_concept_id", "concept_synonym_name"),
    "drug_strength": ("drug_concept_id", "ingredient_concept_id"),
    "source_to_concept_map": ("source_vocabulary_id", "source_code", "target_concept_id"),
}
_CPT4 = "CPT4"
_MARKS = {"standard_concept": ("S", "C"), "invalid_reason": ("D", "U", "R")}
"""Fields that are empty or one letter (CDM 5.4; R was used before it): another word in them would change what codes mean."""
_MOST_LINKS_OFF = 0.5
"""Share of the links by which codes become standard concepts. In two public subsets of Athena none is off, and 0.4 and 4 % are astray."""
_NOTHING = ", ".join(map(literal, WORDS_FOR_NOTHING))
_LONGEST_NAME = 100
_MEMORY = "1200MB"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Current:
    """``current.json``: the folder of the version loaded last."""

    folder: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Description:
    """``vocabulary.json``: what a version's folder holds; *digest* is of its files' bytes, *counts* are rows by table."""

    version: str
    digest: str
    counts: Mapping[str, int]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """One version of the vocabulary.

    Args:
        version: as the vocabulary names itself (``v5.0 30-AUG-25``), or ``digest-...`` where it does not.
        digest: of its files' bytes: what one vocabulary is, whatever it is called.
        folder: where its Parquet files are.
        counts: table -> rows, for every vocabulary table; 0 where the download had none.
        notes: what a person should know of it, in words.
    """

    version: str
    digest: str
    folder: Path
    counts: Mapping[str, int]
    notes: tuple[str, ...]

    @classmethod
    def open(cls, root: Path) -> "Vocabulary":
        """The vocabulary loaded last.

        Raises:
            NotFound: no vocabulary was loaded, or its folder is gone.
        """
        if not (root / _CURRENT).exists():
            raise NotFound(
                "no vocabulary is loaded. Download one from athena.ohdsi.org and run `fairhaven vocabulary load`."
            )
        folder = root / read_record(root / _CURRENT, _Current).folder
        if not (folder / _DESCRIPTION).exists():
            raise NotFound(f"the vocabulary in {folder} is gone. Load it again, or restore it from the hub's backup.")
        return cls._in(folder)

    @classmethod
    def of(cls, root: Path, version: str, digest: str) -> "Vocabulary":
        """The vocabulary that something was made with.

        Args:
            version: its name, for the message.
            digest: empty where it was not written down (releases of earlier versions): the only one of that name.

        Raises:
            NotFound: it is not loaded, or several have that name and nothing says which it was.
        """
        here = loaded(root)
        found = [each for each in here if (each.digest == digest if digest else each.version == version)]
        if len(found) == 1 or (digest and found):
            return found[0]
        if found:
            raise NotFound(
                f"{len(found)} vocabularies here call themselves {version}, and nothing says with which of them this was "
                "made. Build a new release, which says so."
            )
        names = ", ".join(f"{each.version} ({each.digest[:12]})" for each in here) or "none"
        this = f"{version} ({digest[:12]})" if digest else version
        raise NotFound(f"the vocabulary {this} is not loaded here; loaded are: {names}")

    def check(self) -> None:
        """Refuse to read it where its files are not those that were loaded.

        Raises:
            Invalid: they are not.
        """
        if _digest(self.folder) != self.digest:
            raise Invalid(
                f"{self.folder}: a file of the vocabulary {self.version} was altered or is missing. "
                "Load this vocabulary again (`fairhaven vocabulary load`), or restore the folder from the hub's backup."
            )

    @classmethod
    def _in(cls, folder: Path) -> "Vocabulary":
        found = read_record(folder / _DESCRIPTION, _Description)
        return cls(version=found.version, digest=found.digest, folder=folder, counts=found.counts, notes=found.notes)

    def files(self, table: str) -> Sequence[Path]:
        """Parquet files of a vocabulary table; there is always one, which may hold no rows."""
        return (self.folder / f"{table}.parquet",)


def loaded(root: Path) -> list[Vocabulary]:
    """The loaded vocabularies, by name; several may have one."""
    found = [Vocabulary._in(path) for path in listed(root, "[!.]*") if (path / _DESCRIPTION).exists()]
    return sorted(found, key=lambda each: each.version)


def load_vocabulary(
    path: Path, root: Path, *, limits: ExpansionLimits = USUAL, progress: Progress | None = None
) -> Vocabulary:
    """Take over a vocabulary and make it the current one; one process at a time, whose caller sees to it.

    Args:
        path: an Athena download (zip or folder of tab-separated files), comma-separated files, a folder of
            Parquet, or a DuckDB file.
        root: the hub's ``store/vocabulary``. A version appears in it whole or not at all; loading the same
            one again changes nothing but the pointer to the current one.
        limits: how large compressed files may become.

    Raises:
        Invalid: CONCEPT or a required column is missing, or values cannot be read; every fault at once.
    """
    progress = progress or Silent()
    with (
        ExitStack() as opened,
        scratch(root) as work,
        open_duckdb(spill=work, reaches=[path, work], memory_limit=_MEMORY) as connection,
    ):
        progress.stage(f"Reading the vocabulary from {path.name}")
        tables = find_tables(
            connection, path, VOCABULARY_TABLES, room=work, opened=opened, limits=limits, is_public=True
        )
        check_faults(_column_faults(path, tables))
        return _load(tables, root, work, connection, progress)


def _load(
    tables: Mapping[str, StoredTable],
    root: Path,
    work: Path,
    connection: duckdb.DuckDBPyConnection,
    progress: Progress,
) -> Vocabulary:
    faults: list[Fault] = []
    ready = work / "ready"
    ready.mkdir()
    counts: dict[str, int] = {}
    for done, name in enumerate(VOCABULARY_TABLES):
        progress.advance(done, len(VOCABULARY_TABLES), "tables")
        table = tables.get(name)
        try:
            with reading_foreign(table.shown if table else ""):
                counts[name] = _write(connection, name, table, ready / f"{name}.parquet")
                faults += _value_faults(connection, table) if table else []
        except Invalid as damaged:
            # The last one: after some damage DuckDB answers nothing more, and what it says of the other tables is not of them.
            raise Invalid([*faults, *damaged.faults]) from None
    if not faults:
        faults += _concept_faults(connection, ready / "concept.parquet", tables["concept"].shown)
    if not faults and counts["concept_relationship"]:
        faults += _link_faults(connection, ready, tables["concept_relationship"].shown)
    check_faults(faults)
    # The rows are sorted, so the files' bytes say whether two downloads hold the same vocabulary.
    digest = _digest(ready)
    version = _version(connection, ready) or f"digest-{digest[:12]}"
    notes = tuple(_notes(connection, ready, counts))
    folder = _folder(root, version, digest)
    described = _Description(version=version, digest=digest, counts=counts, notes=notes)
    write_json(ready / _DESCRIPTION, to_json(described))
    announce_folder(folder, ready)
    if _digest(folder) == digest:
        (ready / _DESCRIPTION).replace(folder / _DESCRIPTION)
    else:  # not there, or damaged since
        shutil.rmtree(folder, ignore_errors=True)
        ready.replace(folder)
    write_json(root / _CURRENT, to_json(_Current(folder=folder.name)))
    return Vocabulary(version=version, digest=digest, folder=folder, counts=counts, notes=notes)


def _digest(folder: Path) -> str:
    """What the files' bytes are together; empty where one is missing."""
    files = [folder / f"{name}.parquet" for name in VOCABULARY_TABLES]
    if not all(file.is_file() for file in files):
        return ""
    return hashlib.sha256("\n".join(map(sha256_of, files)).encode()).hexdigest()


def _column_faults(path: Path, tables: Mapping[str, StoredTable]) -> list[Fault]:
    if "concept" not in tables:
        return [Fault(path=path.name, message="there is no CONCEPT table; a vocabulary cannot do without it")]
    return [
        Fault(path=table.shown, line=1 if table.is_text else None, message=f"the column {field.name} is missing")
        for table in tables.values()
        for field in CDM[table.name].fields
        if field.is_required and field.name not in table.columns
    ]


def _stored(table: StoredTable, field: Field) -> str:
    """SQL of a field as it is stored; NULL where it says that there is nothing, which readers of text have seen to."""
    column = table.column(field.name)
    if table.is_text or field.is_required:
        return column
    return f"CASE WHEN trim({column}::VARCHAR) NOT IN ({_NOTHING}) THEN {column} END"


def _value(table: StoredTable | None, field: Field) -> str:
    """SQL of a field's value in the CDM's type; NULL where it is absent or cannot be read."""
    dtype = {"int32": "INTEGER", "int64": "BIGINT", "float64": "DOUBLE", "date": "DATE"}.get(field.dtype, "VARCHAR")
    if table is None or field.name not in table.columns:
        return f"NULL::{dtype}"
    column = _stored(table, field)
    if dtype == "DATE":
        text = f"({column})::VARCHAR"
        return f"coalesce(try_strptime({text}, '%Y%m%d')::DATE, TRY_CAST({text} AS TIMESTAMP)::DATE)"
    return f"TRY_CAST({column} AS {dtype})"


def _write(connection: duckdb.DuckDBPyConnection, name: str, table: StoredTable | None, file: Path) -> int:
    fields = CDM[name].fields
    columns = ", ".join(f"{_value(table, field)} AS {identifier(field.name)}" for field in fields)
    rows = f"FROM {table.relation}" if table is not None else "WHERE false"
    order = ", ".join(_ORDER.get(name, (fields[0].name,)))
    return write_parquet(connection, f"SELECT {columns} {rows} ORDER BY {order}", file)


def _value_faults(connection: duckdb.DuckDBPyConnection, table: StoredTable) -> list[Fault]:
    """Lines that cannot be read, and values that are not what their column says."""
    faults = table.faults(connection)
    bad = {
        field.name: f"{_stored(table, field)} IS NOT NULL AND {_value(table, field)} IS NULL"
        for field in CDM[table.name].fields
        if field.dtype != "string" and field.name in table.columns
    }
    for name, letters in _MARKS.items():
        if name in table.columns and name in CDM[table.name].names:
            known = ", ".join(map(literal, letters))
            bad[name] = f"{_value(table, CDM[table.name][name])} NOT IN ({known})"
    if not bad:
        return faults
    counts = connection.execute(
        f"SELECT {', '.join(f'count(*) FILTER ({test})' for test in bad.values())} FROM {table.relation}"
    ).fetchone()
    for (name, test), count in zip(bad.items(), counts or (), strict=True):
        if count:
            line = _first_line(table, test)
            what = (
                f"is neither empty nor {' nor '.join(_MARKS[name])}"
                if name in _MARKS
                else f"is not of the type {CDM[table.name][name].type}"
            )
            others = f" (and {count - 1:,} further rows)" if count > 1 else ""
            faults.append(Fault(path=table.shown, line=line, field=name, message=f"{what}{others}"))
    return faults


def _concept_faults(connection: duckdb.DuckDBPyConnection, file: Path, shown: str) -> list[Fault]:
    """No concept at all would map every code to 0; a concept twice would make two rows of one."""
    rows, concepts = connection.execute(
        f"SELECT count(*), count(DISTINCT concept_id) FROM {literal(file)}"
    ).fetchone() or (0, 0)
    if not rows:
        return [Fault(path=shown, message="has no rows, so no code could be mapped")]
    if rows > concepts:
        twice = f"{rows - concepts:,} rows repeat a concept_id"
        return [Fault(path=shown, message=f"{twice}; a concept is there once. Is the file two downloads in one?")]
    return []


def _link_faults(connection: duckdb.DuckDBPyConnection, folder: Path, shown: str) -> list[Fault]:
    """Links that lead nowhere make concept 0 of codes without a word."""
    concept = literal(folder / "concept.parquet")
    links, off, astray = connection.execute(
        f"SELECT count(*), count(*) FILTER (invalid_reason IS NOT NULL), count(*) FILTER (invalid_reason IS NULL AND NOT "
        f"(concept_id_1 IN (SELECT concept_id FROM {concept}) AND concept_id_2 IN (SELECT concept_id FROM {concept}))) "
        f"FROM {literal(folder / 'concept_relationship.parquet')} WHERE relationship_id = 'Maps to'"
    ).fetchone() or (0, 0, 0)
    if off > _MOST_LINKS_OFF * links:
        what = f"{off:,} of {links:,} links 'Maps to' are marked as not valid"
    elif astray > _MOST_LINKS_OFF * links:
        what = f"{astray:,} of {links:,} links 'Maps to' name concepts that CONCEPT does not have"
    else:
        return []
    message = f"{what}, so most codes would become concept 0. Are its tables of one download, and exported as they are?"
    return [Fault(path=shown, message=message)]


def _first_line(table: StoredTable, test: str) -> int | None:
    if not table.is_text:
        return None
    with open_duckdb(
        spill=None,
        reaches=[Path(table.file), Path(table.file).parent],
        memory_limit=_MEMORY,
        threads=1,
        keeps_order=True,
    ) as connection:
        found = connection.execute(
            f"SELECT line FROM (SELECT row_number() OVER () + 1 AS line, * FROM {table.relation}) WHERE {test} LIMIT 1"
        ).fetchone()
    return int(found[0]) if found else None


def _version(connection: duckdb.DuckDBPyConnection, folder: Path) -> str:
    """The version that the vocabulary gives itself, in the row 'None' of VOCABULARY; empty where it is absent."""
    found = connection.execute(
        f"SELECT vocabulary_version FROM {literal(folder / 'vocabulary.parquet')}"
        " WHERE vocabulary_id = 'None' AND vocabulary_version IS NOT NULL"
    ).fetchone()
    return shown(str(found[0])).strip() if found else ""


def _notes(connection: duckdb.DuckDBPyConnection, folder: Path, counts: Mapping[str, int]) -> list[str]:
    notes = []
    if empty := [name.upper() for name, rows in counts.items() if rows == 0 and name != "source_to_concept_map"]:
        notes.append(f"without rows: {', '.join(empty)}")
    named, held = connection.execute(
        f"SELECT (SELECT count(*) FROM {literal(folder / 'vocabulary.parquet')} WHERE vocabulary_id = ?),"
        f" (SELECT count(*) FROM {literal(folder / 'concept.parquet')} WHERE vocabulary_id = ? AND concept_name <> '')",
        [_CPT4, _CPT4],
    ).fetchone() or (0, 0)
    if named and not held:
        notes.append("CPT4 is named but its concepts are absent: they need a UMLS licence and Athena's extra step")
    return notes


def _folder(root: Path, version: str, digest: str) -> Path:
    """Where this content belongs: two downloads of one version may hold different vocabularies, and both are kept."""
    folder = root / _folder_name(version)
    if (folder / _DESCRIPTION).exists() and read_record(folder / _DESCRIPTION, _Description).digest != digest:
        return folder.with_name(f"{folder.name}+{digest[:8]}")
    return folder


def _folder_name(version: str) -> str:
    """Of what a vocabulary calls itself, which may be anything: a name that is no file or folder of Fairhaven's own beside it."""
    name = re.sub(r"[^A-Za-z0-9.+-]+", "-", version).strip("-.") or "unnamed"
    is_free = len(name) <= _LONGEST_NAME and not name.startswith("work-") and not name.endswith((".json", ".part"))
    return name if is_free else f"version-{hashlib.sha256(version.encode()).hexdigest()[:12]}"
