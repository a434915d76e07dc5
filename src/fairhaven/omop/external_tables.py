"""CDM and vocabulary tables as somebody else keeps them: a DuckDB file, or a folder of Parquet or delimited files.

Names may be in upper or lower case, the DuckDB tables in any schema, delimited files with commas or tabs, zipped
or gzipped.
Nothing is converted here: a `StoredTable` says where the rows are, and the caller casts them as it needs.
"""

import csv
import gzip
import re
import zipfile
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from fairhaven.engine.sql import file, identifier, literal, plain
from fairhaven.kernel.errors import Fault, Invalid
from fairhaven.kernel.file_kinds import FileKind, kind_of

_ENDINGS = (".parquet", ".csv", ".csv.gz", ".tsv", ".tsv.gz")
_CATALOG = "stored"
_LONGEST_LINE = 32 << 20


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
    connection: duckdb.DuckDBPyConnection, path: Path, names: Collection[str], *, room: Path
) -> dict[str, StoredTable]:
    """Tables of *names* that are at *path*; the ones that are not there are simply absent.

    Args:
        connection: a DuckDB file is attached to it, read-only, as ``stored``.
        path: a DuckDB file, a folder, or a zip of one; what it is, its content tells.
        room: folder for what a zip holds.

    Raises:
        Invalid: the path is none of these, a zip is cut off, or a file's header cannot be read; all such faults at once.
    """
    if path.is_dir():
        return _in_folder(connection, path, frozenset(names))
    if not path.is_file():
        raise Invalid(Fault(path=str(path), message="there is no such file or folder"))
    match kind_of(path):
        case FileKind.ZIP:
            unpacked = room / "unpacked"
            unpacked.mkdir()
            _unzip(path, unpacked, names)
            return _in_folder(connection, unpacked, frozenset(names))
        case FileKind.DUCKDB:
            return _in_duckdb(connection, path, frozenset(names))
        case _:
            message = "is neither a folder or zip of Parquet or CSV files nor a DuckDB file"
            raise Invalid(Fault(path=str(path), message=message))


def _unzip(path: Path, folder: Path, names: Collection[str]) -> None:
    """Unpack the files of the tables *names* from a zip into *folder*, whatever folder of the zip they are in.

    Raises:
        Invalid: the zip is broken or cut off.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                name = member.filename.rpartition("/")[2].lower()
                if name.startswith(".") or "__MACOSX" in member.filename or _table_of(name) not in names:
                    continue
                target = folder / name
                with archive.open(member) as source, target.open("wb") as out:
                    while block := source.read(1 << 20):
                        out.write(block)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise Invalid(
            Fault(path=str(path), message=f"the zip cannot be read whole ({type(error).__name__}); fetch it again")
        ) from None


def _table_of(file_name: str) -> str:
    lower = file_name.lower()
    return next((lower.removesuffix(ending) for ending in _ENDINGS if lower.endswith(ending)), "")


def _in_folder(connection: duckdb.DuckDBPyConnection, folder: Path, names: Collection[str]) -> dict[str, StoredTable]:
    found: dict[str, StoredTable] = {}
    faults: list[Fault] = []
    for entry in sorted(folder.iterdir()):
        name = entry.name.lower() if entry.is_dir() else _table_of(entry.name)
        if name not in names or name in found:
            continue
        try:
            if entry.is_dir():
                if any(entry.glob("*.parquet")):
                    found[name] = _parquet(connection, name, entry.name, literal(f"{plain(entry)}/*.parquet"))
            elif kind_of(entry) is FileKind.PARQUET:
                found[name] = _parquet(connection, name, entry.name, file(entry))
            else:
                found[name] = _delimited(name, entry)
        except (duckdb.Error, OSError, UnicodeDecodeError, EOFError) as error:
            faults.append(Fault(path=entry.name, message=f"the file cannot be read ({type(error).__name__})"))
    if faults:
        raise Invalid(faults)
    return found


def _parquet(connection: duckdb.DuckDBPyConnection, name: str, shown: str, files: str) -> StoredTable:
    relation = f"read_parquet({files})"
    return StoredTable(name=name, shown=shown, relation=relation, columns=_columns(connection, relation))


def _delimited(name: str, path: Path) -> StoredTable:
    """A delimited file: tabs without quoting, as Athena writes them, or commas with double quotes."""
    is_gzip = kind_of(path) is FileKind.GZIP
    opener: Any = gzip.open if is_gzip else open
    with opener(path, "rb") as stream:
        header = stream.readline().decode("utf-8-sig").rstrip("\r\n")
    is_tabbed = "\t" in header
    headings = header.split("\t") if is_tabbed else next(csv.reader([header]), [])
    stored = [re.sub(r"\W", "", heading).lower() or f"column_{number}" for number, heading in enumerate(headings)]
    columns = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in dict.fromkeys(stored))
    dialect = r"delim='\t', quote='', escape=''" if is_tabbed else "delim=',', quote='\"', escape='\"'"
    relation = (
        f"read_csv({file(path)}, columns={{{columns}}}, {dialect}, header=true, auto_detect=false, "
        f"compression={literal('gzip' if is_gzip else 'none')}, max_line_size={_LONGEST_LINE}, ignore_errors=true, store_rejects=true, "
        "rejects_table='stored_faults', rejects_scan='stored_scans')"
    )
    return StoredTable(
        name=name, shown=path.name, relation=relation, columns={column: column for column in stored}, file=str(path)
    )


def _in_duckdb(connection: duckdb.DuckDBPyConnection, path: Path, names: Collection[str]) -> dict[str, StoredTable]:
    try:
        connection.execute(f"ATTACH {literal(path)} AS {_CATALOG} (READ_ONLY)")
    except duckdb.Error as error:
        raise Invalid(
            Fault(path=str(path), message=f"the DuckDB file cannot be opened ({type(error).__name__})")
        ) from None
    rows = connection.execute(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = ?"
        " ORDER BY table_schema <> 'main', table_schema, table_name",
        [_CATALOG],
    ).fetchall()
    found: dict[str, StoredTable] = {}
    for schema, table in rows:
        name = table.lower()
        if name in names and name not in found:
            relation = f"{_CATALOG}.{identifier(schema)}.{identifier(table)}"
            found[name] = StoredTable(name=name, shown=table, relation=relation, columns=_columns(connection, relation))
    return found


def _columns(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    rows = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    return {row[0].lower(): row[0] for row in rows}
