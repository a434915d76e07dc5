"""CDM and vocabulary tables as somebody else keeps them: a DuckDB file, or a folder of Parquet or delimited files.

Names may be in upper or lower case, the DuckDB tables in any schema, delimited files with commas or tabs, zipped
or gzipped.
Nothing is converted here: a `StoredTable` says where the rows are, and the caller casts them as it needs. Intake, which
refuses what could be meant in two ways, asks for every `TablePlace` instead.
"""

import csv
import gzip
import io
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePath

import duckdb

from fairhaven.engine.parquet_footer import check_footer
from fairhaven.engine.sql import file, identifier, literal, parquet
from fairhaven.kernel.absent_values import WORDS_FOR_NOTHING
from fairhaven.kernel.errors import Fault, Invalid, check_faults
from fairhaven.kernel.expansion import USUAL, Expansion, ExpansionLimits, too_large
from fairhaven.kernel.file_kinds import FileKind, kind_of
from fairhaven.kernel.foreign_files import ForeignFile, check_room_for, files_below, kind_fault
from fairhaven.kernel.foreign_files import opened as open_given
from fairhaven.kernel.foreign_names import shown as harmless_line
from fairhaven.kernel.memory_files import memory_writer

SEVERAL_FILES = "several files hold {}; give one text file a table"
UNWRITTEN = (
    "has changes beside it that are not yet written into it (its .wal file), and without them it would be read as it was before; "
    "open it with DuckDB, run CHECKPOINT and close it"
)
_SUFFIXES = (".parquet", ".csv", ".tsv", ".txt")
_CATALOG = "stored"
_LEVELS = 5
"""How deep a table may be parted by folders."""
_DELTA, _ICEBERG = "_delta_log", ".metadata.json"
_LONGEST_LINE = 32 << 20
_LONGEST_NAME = 200
_ENTRY = 1_000
"""Bytes of a zip's directory for each file; 46 and the name are usual."""
_LONGEST_TAIL = (1 << 16) + 98
"""Where a zip says where its directory is: a comment of 64 KiB may come behind it."""
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError),
    # Two files of one name, or one in the place of another's folder.
    *(FileExistsError, NotADirectoryError, IsADirectoryError),
)
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How a zip's files may be packed: of the others a few kilobytes become gigabytes in one step, which nothing can count."""
_STORED = """
FROM (
  SELECT schema_name, table_name AS name, if(contains(sql, ' GENERATED ALWAYS AS('), 'computed', 'rows') AS kind, estimated_size
  FROM duckdb_tables() WHERE database_name = ? AND NOT internal
  UNION ALL SELECT schema_name, view_name, 'view', 0 FROM duckdb_views() WHERE database_name = ? AND NOT internal)
ORDER BY schema_name <> 'main', schema_name, name"""
_CODE = {
    "view": "is a view, and a view is a query, which could read whatever this computer holds",
    "computed": "has columns that are computed when they are read, which could show settings and keys",
}
"""What of a DuckDB file is code of whoever made it. Only rows are read: the rest is refused by name."""
_AS_ROWS = "only stored rows are read. Store them (CREATE TABLE x AS FROM {table}; dbt: materialized='table')"


@dataclass(frozen=True, kw_only=True, slots=True)
class TablePlace:
    """One place where rows of a table are: a file, a folder called after the table, or a table of a DuckDB file.

    Args:
        shown: file, folder or table as the user knows it.
        files: the files there, in order; empty for a DuckDB table.
        relation: the DuckDB table for a FROM clause; empty for files.
    """

    shown: str
    files: tuple[Path, ...] = ()
    relation: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TablePlaces:
    """What `locate_tables` found.

    Args:
        tables: CDM name, lower case -> its places, at least one.
        others: what is none of the tables sought, such as ``file notes.doc``.
    """

    tables: Mapping[str, Sequence[TablePlace]]
    others: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredTable:
    """Where the rows of one table are.

    Args:
        name: the CDM's name, lower case.
        shown: file or table as the user knows it.
        relation: DuckDB SQL for a FROM clause; every column of a delimited file is text.
        columns: lower-case name -> name as stored.
        file: the delimited file; empty for Parquet and DuckDB, whose columns have types.
    """

    name: str
    shown: str
    relation: str
    columns: Mapping[str, str]
    file: str = ""

    @property
    def is_text(self) -> bool:
        """True for a delimited file: every column is text."""
        return bool(self.file)

    def column(self, name: str) -> str:
        """The stored column, quoted for DuckDB."""
        return identifier(self.columns[name])

    def faults(self, connection: duckdb.DuckDBPyConnection) -> list[Fault]:
        """Lines of a delimited file that cannot be read; known only once the file was read on *connection*."""
        if not self.is_text:
            return []
        rows = connection.execute(
            "SELECT line, min(error_type), count(*) OVER ()"
            " FROM stored_faults JOIN stored_scans USING (scan_id, file_id)"
            " WHERE file_path = ? GROUP BY line ORDER BY line LIMIT 20",
            [self.file],
        ).fetchall()
        faults = [
            Fault(path=self.shown, line=line, message=f"the line cannot be read: {str(kind).lower()}")
            for line, kind, _ in rows
        ]
        if rows and rows[0][2] > len(rows):
            faults.append(Fault(path=self.shown, message=f"and {rows[0][2] - len(rows):,} more lines like these"))
        return faults


def find_tables(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    names: Collection[str],
    *,
    room: Path,
    opened: ExitStack,
    limits: ExpansionLimits = USUAL,
    is_public: bool = False,
) -> dict[str, StoredTable]:
    """Tables of *names* that are at *path*; the ones that are not there are simply absent.

    Of a table in several places the first is taken: in a DuckDB file schema ``main``, then by name. For arguments see
    `locate_tables`.

    Args:
        opened: keeps the files open as they were found, for as long as the tables are read: what is put in their place
            meanwhile is not read.

    Raises:
        Invalid: as `locate_tables`, or a file's header cannot be read; all such faults at once.
    """
    found: dict[str, StoredTable] = {}
    faults: list[Fault] = []
    for name, places in _held(connection, path, names, room, opened, limits, is_public=is_public).tables.items():
        place = places[0]
        if len(places) > 1 and place.files:
            named = ", ".join(each.shown for each in places)
            faults.append(Fault(path=named, message=f"each holds {name}, and which of them counts cannot be known"))
            continue
        try:
            files = [part for part in place.files if kind_of(part) is FileKind.PARQUET]
            if place.relation or files:
                found[name] = _typed(connection, name, place.shown, place.relation or parquet(*files, is_parted=True))
            elif len(place.files) == 1:
                found[name] = _delimited(name, place.files[0], room, limits, is_public=is_public)
            else:
                faults.append(Fault(path=place.shown, message=SEVERAL_FILES.format(name)))
        except Invalid as invalid:
            faults += invalid.faults
        except (
            duckdb.Error,
            gzip.BadGzipFile,
            UnicodeDecodeError,
            EOFError,
            zlib.error,
            csv.Error,
        ) as error:
            faults.append(Fault(path=place.shown, message=f"the table cannot be read ({type(error).__name__})"))
    check_faults(faults)
    return found


def _held(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    names: Collection[str],
    room: Path,
    opened: ExitStack,
    limits: ExpansionLimits,
    *,
    is_public: bool,
) -> TablePlaces:
    """What `locate_tables` finds, read through links of our own in *room*, which lead to the files as they were opened."""
    links = room / "given"
    links.mkdir()
    if path.is_dir():
        found = _of_tables(path, names)
        check_room_for(len(found))
        for file_found in found:
            link = links / file_found.place
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(opened.enter_context(file_found.held()))
        return _among_files([links / each.place for each in found], links, names, limits)
    if not path.exists():
        raise Invalid(Fault(path=str(path), message="there is no such file or folder"))
    link = links / "file"
    link.symlink_to(opened.enter_context(open_given(path)))
    if path.with_name(f"{path.name}.wal").exists():
        raise Invalid(Fault(path=str(path), message=UNWRITTEN))
    return locate_tables(connection, link, names, room=room, shown=str(path), limits=limits, is_public=is_public)


def locate_tables(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    names: Collection[str],
    *,
    room: Path,
    shown: str = "",
    limits: ExpansionLimits = USUAL,
    is_public: bool = False,
) -> TablePlaces:
    """Every place where a table of *names* is at *path*. What a table's places mean together, the caller decides.

    A file holds the table that it is called after, in upper or lower case and with or without its schema before it, or
    else the one that its folder is called after.

    Args:
        connection: a DuckDB file is attached to it, read-only, as ``stored``.
        path: a DuckDB file, a folder, or a zip of one; its content says which.
        names: lower case.
        room: folder for what a zip holds of these tables: the paths of files in memory.
        shown: what to call *path* in messages; empty for the path itself.
        limits: how large a zip may become.
        is_public: nobody is in it, as in a vocabulary, so that it may be unpacked on the disk.

    Raises:
        Invalid: the path is none of these, or is cut off or damaged, holds links or pipes, or becomes too large; or what is
            called as one of the tables is a query.
    """
    shown = shown or str(path)
    if path.is_dir():
        return _among_files([found.path for found in _of_tables(path, names)], path, names, limits)
    match kind_of(path):
        case FileKind.ZIP:
            unpacked = room / "unpacked"
            inside = _unzip(path, unpacked, names, shown, limits, is_public=is_public)
            return _among_files(inside, unpacked, names, limits)
        case FileKind.DUCKDB:
            return _in_duckdb(connection, path, names, shown)
        case _:
            message = "is neither a DuckDB database nor a folder or zip of Parquet or CSV files"
            raise Invalid(Fault(path=shown, message=message))


def _of_tables(folder: Path, names: Collection[str]) -> list[ForeignFile]:
    """The files of a folder, and those of the folders in it that are called after a table or that a table is parted by."""
    found = files_below(folder, levels=_LEVELS)
    _check_formats([each.path for each in found], folder)
    return [each for each in found if len(each.place.parts) == 1 or _table_folder(folder / each.place, folder, names)]


def _unzip(
    path: Path, folder: Path, names: Collection[str], shown: str, limits: ExpansionLimits, *, is_public: bool
) -> list[Path]:
    """Unpack the files of the tables *names*, and only them; the paths that all files of the zip have in *folder*."""
    found: list[Path] = []
    try:
        with _ZipBytes(path, limits, shown) as content, zipfile.ZipFile(content) as archive:
            content.is_directory_read = True
            members = archive.infolist()
            if len(members) > limits.files:
                raise too_large(shown, f"holds {len(members):,} files, more than {limits.files:,}")
            check_faults([fault for member in members for fault in _member_faults(member, shown)])
            expansion = Expansion(limits, path.stat().st_size, shown)
            for member in members:
                if member.is_dir():
                    continue
                inside = folder / member.filename
                if _table_of(inside, folder, names):
                    inside.parent.mkdir(parents=True, exist_ok=True)
                    if os.path.lexists(inside):
                        raise FileExistsError(inside)
                    with archive.open(member) as packed, _writer(inside, is_public=is_public) as out:
                        expansion.copy(packed, out)
                found.append(inside)
    except _DAMAGE as error:
        message = f"the zip file is cut off or damaged ({type(error).__name__}), so nothing of it was taken"
        raise Invalid(Fault(path=shown, message=f"{message}. Deliver or fetch it again.")) from None
    return found


class _ZipBytes(io.BufferedReader):
    """A zip whose directory is held to a size as it is read: `zipfile` holds it in memory tenfold, at once.

    What a zip says of that size is said in several places, which need not agree (APPNOTE 4.3.14 to 4.3.16).
    """

    def __init__(self, path: Path, limits: ExpansionLimits, shown: str) -> None:
        super().__init__(io.FileIO(path))
        self._limits = limits
        self._shown = shown
        self._size = path.stat().st_size
        self.is_directory_read = False

    def read(self, size: int | None = -1, /) -> bytes:
        """Read so many bytes; -1 for all that there are.

        Raises:
            Invalid: the directory is not yet read, and these are more than it may have.
        """
        if not self.is_directory_read:
            wanted = self._size - self.tell() if size is None or size < 0 else size
            if wanted > max(self._limits.files * _ENTRY, _LONGEST_TAIL):
                what = f"has a directory of {wanted:,} bytes, as of more than {self._limits.files:,} files"
                raise too_large(self._shown, what)
        return super().read(size)


def _member_faults(member: zipfile.ZipInfo, shown: str) -> list[Fault]:
    """What a zip may not hold: a name that leads out of it, a link, a packing that cannot be counted, a locked file."""
    mode = member.external_attr >> 16
    parts = PurePath(member.filename.replace("\\", "/")).parts
    if not parts or ".." in parts or PurePath(parts[0]).is_absolute() or re.fullmatch("[A-Za-z]:.*", parts[0]):
        what = "has a name that leads out of the zip"
    elif len(os.fsencode(member.filename)) > _LONGEST_NAME:
        what = "has a name that is too long"
    elif member.header_offset < 0:
        what = "is said to be where the zip does not reach"
    elif stat.S_IFMT(mode) and (message := kind_fault(mode)):
        what = message
    elif member.compress_type not in _PACKINGS:
        what = "is packed in another way than zip's own (deflate)"
    elif member.flag_bits & 1:
        what = "is locked with a password"
    else:
        return []
    message = f"{what}, so nothing of the zip was taken. Pack it again."
    return [Fault(path=f"{shown}/{member.filename}", message=message)]


def _table_of(path: Path, root: Path, names: Collection[str]) -> str:
    """The table that a file holds by its folder's name or its own; empty for none.

    A folder that is called after a table holds that table, whatever its files are called.
    """
    plain = PurePath(path.name.lower().removesuffix(".gz"))
    if plain.suffix not in _SUFFIXES or plain.name.startswith("."):
        return ""
    folder = _table_folder(path, root, names)
    return _named(folder.name if folder else plain.stem, names)


def _named(name: str, names: Collection[str]) -> str:
    """The table that a name means, also behind its schema (``dbo.person``); empty for none."""
    name = name.lower()
    behind = name.rpartition(".")[2]
    return name if name in names else behind if behind in names else ""


def _table_folder(path: Path, root: Path, names: Collection[str]) -> Path | None:
    """The folder that a file is a part of, over those by which Hive parts a table (``year=2020``); None where it is no table's."""
    folder = path.parent
    while folder != root and "=" in folder.name:
        folder = folder.parent
    return folder if folder != root and _named(folder.name, names) else None


def _check_formats(paths: Sequence[Path], root: Path) -> None:
    """Refuse folders of which a log says which files count and which rows of them: read without it, deleted rows would return."""
    logged = {path.parent.parent for path in paths if path.parent.name == _DELTA}
    logged |= {path.parent.parent for path in paths if path.parent.name == "metadata" and path.name.endswith(_ICEBERG)}
    message = (
        "is a table with a log (Delta or Iceberg), and its files alone may hold rows that were deleted or replaced. Read it with what "
        "wrote it, and deliver its rows as plain Parquet"
    )
    check_faults([Fault(path=harmless_line(str(each.relative_to(root))), message=message) for each in sorted(logged)])


def _among_files(paths: Sequence[Path], root: Path, names: Collection[str], limits: ExpansionLimits) -> TablePlaces:
    files: dict[str, dict[Path, list[Path]]] = {}
    others: list[str] = []
    _check_formats(paths, root)
    for path in sorted(paths):
        if table := _table_of(path, root, names):
            if kind_of(path) is FileKind.PARQUET:
                check_footer(path, harmless_line(path.name), limits)
            place = _table_folder(path, root, names) or path
            files.setdefault(table, {}).setdefault(place, []).append(path)
        elif not path.name.startswith("."):
            others.append(f"file {harmless_line(path.name)}")
    tables = {
        table: [TablePlace(shown=harmless_line(place.name), files=tuple(held)) for place, held in places.items()]
        for table, places in files.items()
    }
    return TablePlaces(tables=tables, others=tuple(others))


def _typed(connection: duckdb.DuckDBPyConnection, name: str, shown: str, relation: str) -> StoredTable:
    rows = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    return StoredTable(name=name, shown=shown, relation=relation, columns={row[0].lower(): row[0] for row in rows})


def _writer(path: Path, *, is_public: bool) -> io.BufferedWriter:
    """Where what is unpacked goes: what may hold persons stays in memory."""
    return path.open("xb") if is_public else memory_writer(path)


def _delimited(name: str, path: Path, room: Path, limits: ExpansionLimits, *, is_public: bool) -> StoredTable:
    """A delimited file: tabs without quoting, as Athena writes them, or commas with double quotes."""
    text = path
    if kind_of(path) is FileKind.GZIP:
        text = room / f"{name}.text"
        with gzip.open(path) as content, _writer(text, is_public=is_public) as out:
            Expansion(limits, path.stat().st_size, harmless_line(path.name)).copy(content, out)
    with text.open("rb") as stream:
        header = stream.readline(_LONGEST_LINE).decode("utf-8-sig").rstrip("\r\n")
    is_tabbed = "\t" in header
    headings = header.split("\t") if is_tabbed else next(csv.reader([header]), [])
    stored = [re.sub(r"\W", "", heading).lower() or f"column_{number}" for number, heading in enumerate(headings)]
    columns = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in dict.fromkeys(stored))
    dialect = r"delim='\t', quote='', escape=''" if is_tabbed else "delim=',', quote='\"', escape='\"'"
    nothing = ", ".join(map(literal, WORDS_FOR_NOTHING))
    relation = (
        f"read_csv({file(text)}, columns={{{columns}}}, {dialect}, header=true, auto_detect=false, nullstr=[{nothing}], "
        f"compression='none', max_line_size={_LONGEST_LINE}, ignore_errors=true, store_rejects=true, "
        "rejects_table='stored_faults', rejects_scan='stored_scans')"
    )
    return StoredTable(
        name=name,
        shown=harmless_line(path.name),
        relation=relation,
        columns={column: column for column in stored},
        file=str(text),
    )


def _in_duckdb(connection: duckdb.DuckDBPyConnection, path: Path, names: Collection[str], shown: str) -> TablePlaces:
    try:
        connection.execute(f"ATTACH {literal(path)} AS {_CATALOG} (READ_ONLY)")
        rows = connection.execute(_STORED, [_CATALOG, _CATALOG]).fetchall()
    except duckdb.Error:
        message = (
            "cannot be opened as a DuckDB database; it may be cut off, encrypted, or written by a later DuckDB (save it as 1.x, "
            "without a key)"
        )
        raise Invalid(Fault(path=shown, message=message)) from None
    check_faults(
        [
            Fault(
                path=shown,
                message=f"{harmless_line(table)} {_CODE[kind]}; {_AS_ROWS.format(table=harmless_line(table))}",
            )
            for _, table, kind, _ in rows
            if table.lower() in names and kind in _CODE
        ]
    )
    tables: dict[str, list[TablePlace]] = {}
    others: list[str] = []
    for schema, table, kind, count in rows:
        if table.lower() in names:
            relation = f"{_CATALOG}.{identifier(schema)}.{identifier(table)}"
            tables.setdefault(table.lower(), []).append(TablePlace(shown=harmless_line(table), relation=relation))
        elif kind != "view":
            others.append(f"table {harmless_line(table)} (rows: {count:,})")
    return TablePlaces(tables=tables, others=tuple(others))
