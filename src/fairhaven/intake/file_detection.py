"""Bytes as they arrive: their content says what they are, never a file's name."""

import gzip
import zlib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from fairhaven.intake.model import Source, TableDeclaration
from fairhaven.intake.reader import DeliveredFile
from fairhaven.kernel.errors import Fault, Invalid
from fairhaven.kernel.expansion import Expansion
from fairhaven.kernel.file_kinds import FileKind, kind_of
from fairhaven.kernel.memory_files import memory_writer


def table_for(source: Source, arrived: DeliveredFile) -> TableDeclaration:
    """The declared table that takes a file of this name; a pattern such as ``*`` gives way to a narrower one.

    Raises:
        Invalid: no table takes it, or several do.
    """
    matching = [table for table in source.tables.values() if _matches(arrived.name, table.files)]
    narrower = [table for table in matching if _matches(arrived.name, [p for p in table.files if p.strip("*")])]
    match narrower or matching:
        case [table]:
            return table
        case []:
            patterns = "; ".join(f"{table.name}: {', '.join(table.files)}" for table in source.tables.values())
            message = f"no table of {source.name} takes a file of this name ({patterns})"
        case several:
            names = ", ".join(table.name for table in several)
            message = f"the file's name fits several tables of {source.name}: {names}"
    raise Invalid(Fault(path=arrived.name, message=message))


def _matches(file: str, patterns: Iterable[str]) -> bool:
    names = {file.casefold(), file.casefold().removesuffix(".gz")}
    return any(fnmatchcase(name, pattern.casefold()) for name in names for pattern in patterns)


def plain(arrived: DeliveredFile, scratch: Path) -> Path:
    """The file's content uncompressed: the file itself, or a copy in memory, at a path in *scratch*, where it is gzip.

    Raises:
        Invalid: the gzip is cut off or damaged, or becomes more than the file may.
    """
    if kind_of(arrived.path) is not FileKind.GZIP:
        return arrived.path
    target = scratch / "plain"
    try:
        with gzip.open(arrived.path) as content, memory_writer(target) as out:
            Expansion(arrived.limits, arrived.path.stat().st_size, arrived.name).copy(content, out)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise Invalid(
            Fault(
                path=arrived.name,
                message="the gzip file is cut off or damaged, so nothing of it was landed. Deliver the file again.",
            )
        ) from None
    return target
