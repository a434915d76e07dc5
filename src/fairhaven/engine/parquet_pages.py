"""The pages of a Parquet file beside what its footer says of them.

Readers believe the footer: where it says fewer values than the pages hold, rows are lost in silence. Each page says in a
header of its own how many values it holds, how long it is, and, where its writer wanted so, a checksum. These headers are
read here without the pages. Source: parquet-format, ``parquet.thrift`` (PageHeader), in Thrift's compact protocol.
"""

import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow.parquet as pq

_DATA, _INDEX, _DICTIONARY, _DATA_2 = range(4)
_HEADER_OF = {_DATA: 5, _DATA_2: 8}
"""Type of a page -> field of its header that says how many values it holds."""
_DEEPEST = 8
_WINDOW, _CHUNK = 1 << 10, 1 << 20
_UNREADABLE = "has a page that cannot be read"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Page:
    """A page: its values and rows (None where it does not say), its length unpacked, and the place behind it."""

    values: int
    rows: int | None
    unpacked: int
    end: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PagesFound:
    """What a walk over the pages found.

    Args:
        fault: why the pages are not what the footer says; empty where they are.
        unpacked: bytes that the pages say they become.
    """

    fault: str = ""
    unpacked: int = 0


def walk_pages(path: Path, footer: pq.FileMetaData) -> PagesFound:
    """Compare every page with the footer: numbers of values and rows, checksums, and pages that the footer does not name.

    Args:
        footer: of this file; its numbers agree with each other.
    """
    with path.open("rb", buffering=0) as file:
        return _Walk(_Content(file)).over(footer)


class _Content:
    """A file up to its footer, read some kilobytes at a time. Not mapped: who cuts it off meanwhile would end the process."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start, self._held = 0, b""
        size = file.seek(-8, os.SEEK_END)
        self.end = size - int.from_bytes(file.read(4), "little")

    def byte(self, at: int) -> int:
        """One byte."""
        if not self._start <= at < self._start + len(self._held):
            self._start, self._held = at, self._read(at, _WINDOW)
        return self._held[at - self._start]

    def checksum(self, at: int, end: int) -> int:
        """The CRC-32 of some bytes."""
        found = 0
        while at < end:
            part = self._read(at, min(_CHUNK, end - at))
            found, at = zlib.crc32(part, found), at + len(part)
        return found

    def _read(self, at: int, size: int) -> bytes:
        self._file.seek(at)
        if not 0 <= at < self.end or not (part := self._file.read(min(size, self.end - at))):
            raise _UnreadableError(_UNREADABLE)
        return part


class _Walk:
    def __init__(self, content: _Content) -> None:
        self._content = content
        self._end = content.end
        self._unpacked = 0

    def over(self, footer: pq.FileMetaData) -> PagesFound:
        named: list[tuple[int, int]] = []
        try:
            for number in range(footer.num_row_groups):
                group = footer.row_group(number)
                for place in range(group.num_columns):
                    column = group.column(place)
                    if not column.num_values:  # should it have pages all the same, they are what no column names
                        continue
                    start = _start(column)
                    end = start + column.total_compressed_size
                    pages = list(self._pages(start, end))
                    self._unpacked += sum(page.unpacked for page in pages)
                    values, rows = sum(page.values for page in pages), [page.rows for page in pages if page.values]
                    if values != column.num_values or (None not in rows and sum(map(int, rows)) != group.num_rows):  # type: ignore[arg-type]
                        return PagesFound(fault="holds other numbers of values in its pages than its footer says")
                    named.append((start, max([end, *(page.end for page in pages)])))
        except _UnreadableError as error:
            return PagesFound(fault=str(error))
        if any(self._has_values(start, end) for start, end in _between(named, self._end)):
            return PagesFound(fault="holds pages that its footer does not name")
        return PagesFound(unpacked=self._unpacked)

    def _pages(self, at: int, end: int) -> Iterator[_Page]:
        if not 0 <= at <= end <= self._end:
            raise _UnreadableError("says that there are pages where it has none")
        while at < end:
            page = self._page(at)
            yield page
            at = page.end

    def _page(self, at: int) -> _Page:
        fields, begin = _Thrift(self._content).struct(at)
        kind, unpacked, packed = (fields.get(number) for number in (1, 2, 3))
        if (
            kind not in (_DATA, _INDEX, _DICTIONARY, _DATA_2)
            or not isinstance(unpacked, int)
            or not isinstance(packed, int)
        ):
            raise _UnreadableError(_UNREADABLE)
        end = begin + packed
        if packed < 0 or unpacked < 0 or end > self._end:
            raise _UnreadableError(_UNREADABLE)
        checksum = fields.get(4)
        if isinstance(checksum, int) and self._content.checksum(begin, end) != checksum & 0xFFFFFFFF:
            raise _UnreadableError("has a page that is not as it was written (its checksum is another)")
        said = fields.get(_HEADER_OF.get(kind, 0), {})
        values, rows = (said.get(1), said.get(3)) if isinstance(said, dict) else (None, None)
        return _Page(
            values=values if isinstance(values, int) and kind in _HEADER_OF else 0,
            rows=rows if kind == _DATA_2 and isinstance(rows, int) else None,
            unpacked=unpacked,
            end=end,
        )

    def _has_values(self, start: int, end: int) -> bool:
        """Whether what no column names begins with pages of values, and is no index, no filter and no padding."""
        try:
            return any(page.values > 0 for page in self._pages(start, end))
        except _UnreadableError:
            return False


def _start(column: pq.ColumnChunkMetaData) -> int:
    """Where the first page of a column chunk is. Some writers give 0 for a dictionary that is not there."""
    dictionary = column.dictionary_page_offset if column.has_dictionary_page else None
    return int(min(dictionary or column.data_page_offset, column.data_page_offset))


def _between(named: Sequence[tuple[int, int]], end: int) -> Iterator[tuple[int, int]]:
    """What lies between places from the mark at a file's beginning to its footer."""
    at = len(b"PAR1")
    for start, behind in sorted([*named, (end, end)]):
        if start > at:
            yield at, start
        at = max(at, behind)


class _UnreadableError(Exception):
    """Why pages cannot be read, in words."""


class _Thrift:
    """Thrift's compact protocol, as much of it as headers of pages have. Source: thrift-compact-protocol.md."""

    def __init__(self, content: _Content) -> None:
        self._content = content

    def struct(self, at: int, depth: int = 0) -> tuple[dict[int, Any], int]:
        """Fields by number, those that are whole numbers and structures with what is in them, and the place behind."""
        fields: dict[int, Any] = {}
        number = 0
        while True:
            head, at = self._byte(at)
            if head == 0:
                return fields, at
            kind = head & 0x0F
            if head >> 4:
                number += head >> 4
            else:
                number, at = self._whole(at)
            fields[number], at = self._value(kind, at, depth)

    def _value(self, kind: int, at: int, depth: int) -> tuple[Any, int]:
        match kind:
            case 1 | 2:
                return None, at
            case 3:
                return None, at + 1
            case 4 | 5 | 6:
                return self._whole(at)
            case 7:
                return None, at + 8
            case 8:
                length, at = self._varint(at)
                return None, at + length
            case 12 if depth < _DEEPEST:
                return self.struct(at, depth + 1)
            case _:
                # Headers of pages hold no lists; the indexes that stand between pages and footer begin with some.
                raise _UnreadableError(_UNREADABLE)

    def _byte(self, at: int) -> tuple[int, int]:
        return self._content.byte(at), at + 1

    def _varint(self, at: int) -> tuple[int, int]:
        value = shift = 0
        while shift < 64:
            byte, at = self._byte(at)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, at
            shift += 7
        raise _UnreadableError(_UNREADABLE)

    def _whole(self, at: int) -> tuple[int, int]:
        value, at = self._varint(at)
        return (value >> 1) ^ -(value & 1), at
