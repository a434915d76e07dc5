"""The lines of an NDJSON file, numbered, as Arrow: no line is lost, whatever is in it.

DuckDB's own reader skips blank lines and stops at a broken one (or drops it), so its row numbers are not line numbers.
Here the file is cut at line ends, and each line keeps its number; parsing comes after. One JSON document
(a Bundle as a file) is taken apart into its resources, numbered from 1 in their order.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeGuard

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fairhaven.intake.fhir.bundle_entries import entries_of, said_by
from fairhaven.kernel.errors import Fault, Invalid

_CHUNK = 64 << 20
_BATCH = 1 << 14
_PIECE = 1 << 20
_LONGEST_LINE = 256 << 20
_LONGEST_DOCUMENT = 512 << 20
_MAY_BE_BUNDLE = r"Bundle|\\u00[4-7]"
"""JSON may write a letter by its number."""
_BOM = b"\xef\xbb\xbf"
ENTRIES = 1_000_000
"""The entry of a Bundle that is a line of NDJSON has the number line * ENTRIES + entry."""
NO_ENTRIES_FROM = (1 << 63) // ENTRIES - 1
"""Entries of the Bundle in a greater one could not be numbered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NumberedLines:
    """Some lines of a file.

    Args:
        rows: ``row_line`` (int64), ``text`` (string); blank lines are left out.
        undecodable: numbers of lines that are not UTF-8; they are not in *rows*.
    """

    rows: pa.Table
    undecodable: tuple[int, ...] = ()


def numbered_lines(path: Path, name: str) -> Iterator[NumberedLines]:
    """The lines of a file, some megabytes at a time.

    Raises:
        Invalid: a line is longer than 256 MB.
    """
    resources = resources_of(path)
    if resources is not None:
        yield NumberedLines(rows=numbered_entries(resources, 0))
        return
    with path.open("rb") as file:
        yield from _ndjson(file, name)


def with_bundles(numbers: Collection[int]) -> frozenset[int]:
    """Numbers of lines and entries, with those of the Bundles in which they may be."""
    found = set(numbers)
    for number in numbers:
        while (number := number // ENTRIES) > 0:
            found.add(number)
    return frozenset(found)


def resources_at(
    path: Path,
    name: str,
    wanted: Collection[int],
    *,
    searched: Callable[[pa.ChunkedArray], pa.ChunkedArray] | None = None,
) -> Iterator[tuple[int, bytes]]:
    """The resources of some lines and entries, with the numbers under which they land.

    Args:
        searched: says of texts which are given as well, whatever their number. Then so is, as number 0, what each Bundle says beside
            its resources.
    """
    on_the_way = pa.array(sorted(with_bundles(wanted)), pa.int64())
    document = _document_of(path)
    if document is None:
        for lines in numbered_lines(path, name):
            yield from _resources_in(lines.rows, wanted, on_the_way, searched)
    else:
        if searched and is_bundle(document):
            yield 0, json.dumps(beside_resources(document)).encode()
        yield from _resources_in(numbered_entries(_resources(document), 0), wanted, on_the_way, searched)


def _resources_in(
    rows: pa.Table,
    wanted: Collection[int],
    on_the_way: pa.Array,
    searched: Callable[[pa.ChunkedArray], pa.ChunkedArray] | None,
) -> Iterator[tuple[int, bytes]]:
    is_given = pc.is_in(rows["row_line"], value_set=on_the_way)
    if searched:
        is_given = pc.or_(
            is_given, pc.or_(searched(rows["text"]), pc.match_substring_regex(rows["text"], _MAY_BE_BUNDLE))
        )
    given = rows.filter(is_given)
    for number, text in zip(given["row_line"].to_pylist(), given["text"].to_pylist(), strict=True):
        bundle = bundle_of(text)
        if bundle is None:
            if searched or number in wanted:
                yield number, text.encode()
            continue
        if searched:
            yield 0, json.dumps(beside_resources(bundle)).encode()
        if number in wanted:  # as a whole, since it is in quarantine as a whole
            yield number, text.encode()
        elif number < NO_ENTRIES_FROM:
            yield from _resources_in(
                numbered_entries(_resources(bundle), number * ENTRIES), wanted, on_the_way, searched
            )


def resources_of(path: Path) -> list[str] | None:
    """The resources of a file that is one JSON document, as `bundled` gives them; None where it is lines of JSON."""
    document = _document_of(path)
    return None if document is None else _resources(document)


def _resources(document: Any) -> list[str]:
    return bundled(document) if isinstance(document, list) or is_bundle(document) else [json.dumps(document)]


def beside_resources(bundle: Mapping[str, Any]) -> dict[str, Any]:
    """What a Bundle says beside its resources: where they are to go, what was asked for, who signed."""
    said = [
        {key: value for key, value in entry.items() if key != "resource"} if isinstance(entry, dict) else entry
        for entry in entries_of(bundle)
    ]
    return {**bundle, "entry": said}


def bundled(bundle: Any) -> list[str]:
    """What the entries of a Bundle (or of a JSON array) say, as JSON texts: `bundle_entries.said_by`.

    A resource without an id has the one of its ``fullUrl``; references to a ``fullUrl`` become references to the id.
    """
    resources, moved = [], {}
    for entry in bundle if isinstance(bundle, list) else entries_of(bundle):
        resource, url = entry, None
        if isinstance(bundle, dict) and isinstance(entry, dict):
            resource, url = said_by(entry, bundle), entry.get("fullUrl")
        if (
            isinstance(resource, dict)
            and "resourceType" in resource
            and isinstance(url, str)
            and url.startswith("urn:")
        ):
            resource.setdefault("id", url.rpartition(":")[2])
            moved[url] = f"{resource.get('resourceType')}/{resource['id']}"
        resources.append(resource)
    for resource in resources:
        point(resource, moved)
    return [json.dumps(resource) for resource in resources]


def numbered_entries(texts: list[str], before: int) -> pa.Table:
    """Texts of a Bundle as lines that are numbered behind *before*."""
    return pa.table(
        {
            "row_line": pa.array(range(before + 1, before + 1 + len(texts)), pa.int64()),
            "text": pa.array(texts, pa.large_string()),
        }
    )


def point(value: Any, moved: Mapping[str, str]) -> None:
    """Change references to what was moved, in all that a resource says."""
    stack = [value]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            target = part.get("reference")
            if isinstance(target, str) and target in moved:
                part["reference"] = moved[target]
            stack.extend(part.values())
        elif isinstance(part, list):
            stack.extend(part)


def _document_of(path: Path) -> Any:
    with path.open("rb") as file:
        return _document(file)


def _document(stream: BinaryIO) -> Any:
    """The file as one JSON document, if it is one: its first line is a Bundle, or no JSON by itself."""
    if stream.read(len(_BOM)) != _BOM:
        stream.seek(0)
    lines = filter(bytes.strip, iter(partial(stream.readline, _LONGEST_LINE), b""))
    head, following = next(lines, b""), next(lines, b"")
    if not following:
        alone = parsed(head)
        return alone if isinstance(alone, list) or is_bundle(alone) else None
    if parsed(head) is not None or head.lstrip()[:1] not in (b"{", b"["):
        return None
    whole = head + following + stream.read(_LONGEST_DOCUMENT)
    found = parsed(whole) if len(whole) < _LONGEST_DOCUMENT else None
    return found if isinstance(found, dict | list) else None


def parsed(text: str | bytes) -> Any:
    """The value that a JSON text says; None where it is no JSON. Of a key that stands twice the first counts, as DuckDB has it."""
    try:
        return json.loads(text, object_pairs_hook=_first_of_each)
    except (ValueError, RecursionError):
        return None


def _first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else dict(pairs[::-1])


def bundle_of(text: str) -> dict[str, Any] | None:
    """The Bundle that a line is; None where it is something else."""
    bundle = parsed(text) if re.search(_MAY_BE_BUNDLE, text) else None
    return bundle if is_bundle(bundle) else None


def is_bundle(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether a JSON value is a FHIR Bundle."""
    return isinstance(value, dict) and value.get("resourceType") == "Bundle"


def _ndjson(file: BinaryIO, name: str) -> Iterator[NumberedLines]:
    """Lines as they are read. The file is not mapped: whoever cuts it off meanwhile would end the process."""
    number, rest = 0, b""
    file.seek(len(_BOM) if file.read(len(_BOM)) == _BOM else 0)
    while chunk := file.read(_CHUNK):
        block, rest = rest + chunk, b""
        del chunk
        end = block.rfind(b"\n") + 1
        if not end and len(block) > _LONGEST_LINE:
            raise Invalid(Fault(path=name, line=number + 1, message="the line is longer than 256 MB"))
        if end:
            lines, count = _cut(memoryview(block)[:end], number)
            yield lines
            del lines
            number += count
        rest = block[end:]
    if rest:
        yield _cut(memoryview(rest), number)[0]


def _cut(block: memoryview, before: int) -> tuple[NumberedLines, int]:
    """The lines of a block, without a copy; what stands behind its last line end is a line too."""
    data = np.frombuffer(block, dtype=np.uint8)
    # In pieces that stay in the processor's cache: three times as fast as all at once.
    ends = [at + 1 + np.flatnonzero(data[at : at + _PIECE] == ord("\n")) for at in range(0, len(data), _PIECE)]
    offsets = np.concatenate([np.zeros(1, dtype=np.int64), *ends])
    if offsets[-1] != len(data):
        offsets = np.append(offsets, len(data))
    count = len(offsets) - 1
    numbers = pa.array(np.arange(before + 1, before + 1 + count))
    raw = pa.LargeBinaryArray.from_buffers(pa.large_binary(), count, [None, pa.py_buffer(offsets), pa.py_buffer(block)])
    undecodable: tuple[int, ...] = ()
    try:
        text = raw.cast(pa.large_string())
    except pa.ArrowInvalid:
        is_text = pa.array([_is_utf8(line.as_py()) for line in raw])
        undecodable = tuple(numbers.filter(pc.invert(is_text)).to_pylist())
        numbers, text = numbers.filter(is_text), raw.filter(is_text).cast(pa.large_string())
    rows = pa.table({"row_line": numbers, "text": text})
    # Trimming every line would copy the file; a blank line is short or begins with a blank.
    may_be_blank = pc.less(pc.binary_length(text), 3)
    for blank in (" ", "\t", "\r"):
        may_be_blank = pc.or_(may_be_blank, pc.starts_with(text, blank))
    if pc.any(may_be_blank).as_py():
        rows = rows.filter(pc.greater(pc.utf8_length(pc.utf8_trim(text, " \t\r\n")), 0))
    batches = pa.Table.from_batches(rows.to_batches(max_chunksize=_BATCH), schema=rows.schema)
    return NumberedLines(rows=batches, undecodable=undecodable), count


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
