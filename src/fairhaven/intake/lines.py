"""Delimited text line by line: a quick survey of every file, and a slow, careful reading of those that need it.

A file that the survey finds plain goes to DuckDB as it is. Any other (values over several lines, broken quotes, lines
of another length, bytes that are not text) is read here record by record into a plain copy whose first column is the
line's number; what cannot be a row is rejected with its line and the reason, and reading goes on with the next line.
"""

import codecs
import csv
import io
import re
import sys
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from fairhaven.intake.model import NO_QUOTE, Dialect
from fairhaven.intake.source_file import python_encoding
from fairhaven.kernel.memory_files import memory_writer

_CHUNK = 1 << 22
_LONGEST_RECORD = 64 << 20
_MOST_LINES = 10_000
_BOM = codecs.BOM_UTF8
_CUT_OFF = "\udcff".encode("utf-8", "surrogatepass")
"""Stands for half a character at the end of UTF-16."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TextSurvey:
    """What a glance at all bytes of a UTF-8 file tells.

    Args:
        lines: number of lines; a last line without newline counts.
        is_plain: valid UTF-8, no NUL, line ends all alike, so that a strict reader may be tried.
        carriage_only: lines end in CR alone, as on old Macintosh systems.
        is_in_lines: no line is much longer than a record may be, so that lines can be held in memory.
    """

    bytes: int
    lines: int
    is_plain: bool
    carriage_only: bool
    is_in_lines: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class HeaderLine:
    """The first record: its names, trimmed, and where the rows begin.

    Args:
        line: number of the header's last line.
        start: offset of the first byte behind it.
    """

    names: tuple[str, ...]
    line: int
    start: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CleanCopy:
    """A plain copy in the file's dialect: ``line number, fields...`` quoted where needed; and ``line, reason, code`` of what was rejected."""

    rows: Path
    rejects: Path
    kept: int
    rejected: int
    longest: int


def as_utf8(path: Path, encoding: str, scratch: Path) -> Path:
    """The file in UTF-8. What is not valid in its encoding becomes bytes that are not valid UTF-8 either, so that
    there is one place where such lines are found and rejected."""
    if encoding == "utf-8":
        return path
    target = scratch / "utf-8"
    with path.open("rb") as file, memory_writer(target) as out:
        chunks = iter(partial(file.read, _CHUNK), b"")
        try:
            for text in codecs.iterdecode(chunks, python_encoding(encoding), _errors(encoding)):
                out.write(text.encode("utf-8", "surrogatepass"))
        except UnicodeDecodeError:
            out.write(_CUT_OFF)
    return target


def from_utf8(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The chunks of a file that `as_utf8` made, back in the encoding that the file was delivered in."""
    if encoding == "utf-8":
        yield from chunks
        return
    texts = codecs.iterdecode(chunks, "utf-8", "surrogatepass")
    yield from codecs.iterencode(texts, python_encoding(encoding), _errors(encoding))


def _errors(encoding: str) -> str:
    """How Python takes bytes that are not valid: as surrogates, which written out as UTF-8 are not valid either."""
    return "surrogatepass" if encoding == "utf-16" else "surrogateescape"


def survey(path: Path) -> TextSurvey:
    """Look at every byte once, at memory speed."""
    size = newlines = returns = pairs = unended = longest = 0
    is_text = True
    decoder = codecs.getincrementaldecoder("utf-8")()
    last = b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            size += len(chunk)
            newlines += chunk.count(b"\n")
            if b"\r" in chunk or last == b"\r":
                returns += chunk.count(b"\r")
                pairs += chunk.count(b"\r\n") + (last == b"\r" and chunk[:1] == b"\n")
            is_text = is_text and b"\0" not in chunk and _decodes(decoder, chunk)
            end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
            unended = len(chunk) - end - 1 + (unended if end < 0 else 0)
            longest = max(longest, unended)
            last = chunk[-1:]
    is_text = is_text and _decodes(decoder, b"", final=True)
    carriage_only = newlines == 0 and returns > 0
    ends = returns if carriage_only else newlines
    return TextSurvey(
        bytes=size,
        lines=ends + (size > 0 and last != (b"\r" if carriage_only else b"\n")),
        is_plain=is_text and (returns == 0 or (returns == pairs == newlines)),
        carriage_only=carriage_only,
        is_in_lines=longest <= _LONGEST_RECORD,
    )


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    if chunk.isascii() and not final and not decoder.getstate()[0]:
        return True
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def header_of(path: Path, dialect: Dialect, *, carriage_only: bool) -> HeaderLine | None:
    """The first record that is not blank; None where the file has no header that can be read."""
    with path.open("rb") as file:
        first = next(_records(file, dialect, carriage_only), None)
    if first is None or isinstance(first.fields, str):
        return None
    last = first.line + len(first.raw.rstrip(b"\r\n").splitlines()) - 1
    return HeaderLine(names=tuple(field.strip() for field in first.fields), line=last, start=first.end)


def clean(
    path: Path, dialect: Dialect, header: HeaderLine, scratch: Path, *, carriage_only: bool, watched: Collection[str]
) -> CleanCopy:
    """Read every record behind the header.

    Args:
        watched: codes to look for in lines that are rejected (Type 1 opt-outs must not be lost with a broken line).
    """
    kept = rejected = longest = 0
    rows, rejects = scratch / "rows.csv", scratch / "rejects.csv"
    width, quote = len(header.names), dialect.quote.encode()
    with (
        path.open("rb") as file,
        io.TextIOWrapper(memory_writer(rows), encoding="utf-8", newline="") as out,
        io.TextIOWrapper(memory_writer(rejects), encoding="utf-8", newline="") as bad,
    ):
        write = csv.writer(
            out, delimiter=dialect.delimiter, quotechar=dialect.quote, quoting=csv.QUOTE_ALL, lineterminator="\n"
        ).writerow  # by need alone, a carriage return would not be quoted
        reject = csv.writer(bad, lineterminator="\n").writerow
        for line, raw, fields, _ in _records(file, dialect, carriage_only, header):
            if not isinstance(fields, str) and len(fields) > width and not any(fields[width:]):
                # Delimiters at the end of a line are no fields; DuckDB takes them so too.
                fields = fields[:width]
            if not isinstance(fields, str) and len(fields) != width:
                fields = f"has {len(fields)} fields where the header has {width}"
            if isinstance(fields, str):
                rejected += 1
                text = raw.decode("utf-8", "replace")
                reject([line, fields, next((code for code in watched if code in text), "")])
            else:
                kept += 1
                longest = max(longest, len(raw))
                if quote in raw or b"\r" in raw:
                    write([line, *fields])
                else:
                    out.write(f"{line}{dialect.delimiter}{dialect.delimiter.join(fields)}\n")
    return CleanCopy(rows=rows, rejects=rejects, kept=kept, rejected=rejected, longest=longest)


def places(
    path: Path, dialect: Dialect, wanted: frozenset[int], *, carriage_only: bool
) -> Iterator[tuple[int, int, int]]:
    """(line, first byte, byte behind the last) of the records that begin in the wanted lines, in order."""
    with path.open("rb") as file:
        for record in _records(file, dialect, carriage_only):
            if record.line in wanted:
                yield record.line, record.end - len(record.raw), record.end


def split(text: str, dialect: Dialect) -> list[str]:
    """What a line that is no row may hold as values, whatever is wrong with it."""
    fields = [field.strip(f" \t\r\n{dialect.quote}") for field in text.split(dialect.delimiter)]
    return fields + re.split(r"[\s\"',;:|{}\[\]/\\]+", text)


class _Record(NamedTuple):
    """A record: the line it begins in, its bytes, its fields or the reason why it has none, and the offset behind it."""

    line: int
    raw: bytes
    fields: list[str] | str
    end: int


def _records(
    file: BinaryIO, dialect: Dialect, carriage_only: bool, behind: HeaderLine | None = None
) -> Iterator[_Record]:
    """The records of a file that are not blank. A broken record is its first line only."""
    # A process-wide setting of the csv module; its default would refuse long fields that are no fault.
    csv.field_size_limit(sys.maxsize)
    line, position = (behind.line, behind.start) if behind else (0, 0)
    file.seek(position)
    lines, again, quote = _lines(file, carriage_only), deque[bytes](), dialect.quote.encode()
    while raw := _next(again, lines):
        line += 1
        if line == 1 and raw.startswith(_BOM):
            position += len(_BOM)
            raw = raw.removeprefix(_BOM)
        position += len(raw)
        if not raw.strip(b" \t\r\n"):
            continue
        parts, fields, length = [raw], _fields(raw, dialect), len(raw)
        while fields is None:
            more = _next(again, lines)
            length += len(more)
            parts.append(more)
            if not more or length > _LONGEST_RECORD or len(parts) > _MOST_LINES:
                fields = "has a quote that is never closed"
            elif quote in more:
                # An open quote can only be closed by a line that has one.
                fields = _fields(b"".join(parts), dialect)
        if isinstance(fields, str):
            again.extendleft(reversed(parts[1:]))
            yield _Record(line, raw, fields, position)
        else:
            position += length - len(raw)
            yield _Record(line, b"".join(parts), fields, position)
            line += len(parts) - 1


def _next(again: deque[bytes], lines: Iterator[bytes]) -> bytes:
    """The next line, of those to be read again first; empty at the end."""
    return again.popleft() if again else next(lines, b"")


def _lines(file: BinaryIO, carriage_only: bool) -> Iterator[bytes]:
    if not carriage_only:
        yield from file
        return
    rest = b""
    while chunk := file.read(_CHUNK):
        *whole, rest = (rest + chunk).split(b"\r")
        yield from (part + b"\r" for part in whole)
    if rest:
        yield rest


def _fields(raw: bytes, dialect: Dialect) -> list[str] | str | None:
    """Fields of a record; the reason why it has none; None where a quote is still open at its end."""
    if b"\0" in raw:
        return "holds a NUL byte"
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return f"is not valid {dialect.encoding}"
    text = text.removesuffix("\n").removesuffix("\r")
    if dialect.quote == NO_QUOTE and NO_QUOTE in text:
        return "holds a control character"
    if dialect.quote not in text:
        return text.split(dialect.delimiter)
    reader = csv.reader(
        [text], delimiter=dialect.delimiter, quotechar=dialect.quote, strict=True, skipinitialspace=True
    )
    try:
        return next(reader)
    except csv.Error:
        return _parse(text, dialect)


def _parse(text: str, dialect: Dialect) -> list[str] | str | None:
    """Fields of a record with quotes; spaces around them are nothing. A quote inside an unquoted field is text, as in
    ``12" dressing``."""
    quote, delimiter = re.escape(dialect.quote), re.escape(dialect.delimiter)
    quoted = f"{quote}(?P<quoted>(?:[^{quote}]++|{quote}{quote})*+)(?P<closed>{quote}?) *"
    field = re.compile(f" *+(?:{quoted}|(?P<bare>[^{delimiter}]*+))")
    fields: list[str] = []
    at = 0
    while at <= len(text) and (found := field.match(text, at)):
        if found["closed"] == "":
            return None
        fields.append(found["bare"] or (found["quoted"] or "").replace(dialect.quote * 2, dialect.quote))
        at = found.end() + 1
        if at <= len(text) and text[at - 1] != dialect.delimiter:
            return "has text behind a closing quote"
    return fields
