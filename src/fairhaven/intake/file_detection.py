"""Bytes as they arrive: their content says what they are, never a file's name."""

import codecs
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


_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def check_mark(text: Path, name: str, encoding: str) -> None:
    """Refuse a text whose first bytes say that it is in another encoding than the one it is to be read in.

    Args:
        text: uncompressed.
        name: how the fault names it.

    Raises:
        Invalid: it begins with the mark of another encoding, or lacks the one without which UTF-16 cannot be read.
    """
    with text.open("rb") as file:
        head = file.read(3)
    marked = next((found for mark, found in _MARKS.items() if head.startswith(mark)), "")
    message = ""
    if marked and marked != encoding:
        message = f"begins with the mark of {marked.upper()}, and its source is read as {encoding}: which is it?"
    elif encoding == "utf-16" and head and not marked:
        message = (
            "does not begin with the mark of UTF-16, as its source declares it. Write it with the mark, or as UTF-8."
        )
    if message:
        raise Invalid(Fault(path=name, line=1, message=message))


def check_json(text: Path, name: str) -> None:
    """Refuse markup: FHIR in XML, or the page that a server sent instead of an export. No line of it would be a resource.

    Raises:
        Invalid: it begins with a ``<``.
    """
    with text.open("rb") as file:
        head = file.read(1024)
    if head.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"<"):
        message = (
            "is XML or HTML. FHIR is read as JSON (NDJSON, a Bundle, an array): ask for application/fhir+json. "
            "A page of HTML is what a server says instead of an export."
        )
        raise Invalid(Fault(path=name, line=1, message=message))


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
