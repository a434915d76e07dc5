"""Sets of persons as Roaring bitmaps: thousands in one file, found by kind and concept, read when they are asked for."""

import array
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping

import numpy as np
from pyroaring import BitMap

from fairhaven.cohort.engines.bitmap_index.storage import Array, Arrays

_KEPT = 64 << 20
"""Bytes of bitmaps that a reader keeps unpacked."""

_CHUNK = 1 << 16
_SPARSE = 4096
"""Roaring keeps up to so many of 65,536 as a sorted list, more as bits."""


def bitmap_of_ordinals(ordinals: Array) -> BitMap:
    """The set of these ordinals, in any order and however often. (pyroaring takes a NumPy array one number at a time.)"""
    numbers = array.array("I")
    numbers.frombytes(np.ascontiguousarray(ordinals, np.uint32).tobytes())
    return BitMap(numbers)


def bitmap_of_flags(flags: Array) -> BitMap:
    """The set of the places that are True, by way of Roaring's own portable form (github.com/RoaringBitmap/RoaringFormatSpec)."""
    keys, counts, bodies = [], [], []
    for key, begin in enumerate(range(0, len(flags), _CHUNK)):
        part = flags[begin : begin + _CHUNK]
        count = int(np.count_nonzero(part))
        if not count:
            continue
        keys.append(key)
        counts.append(count)
        if count <= _SPARSE:
            bodies.append(np.flatnonzero(part).astype("<u2").tobytes())
        else:
            bodies.append(np.packbits(part, bitorder="little").tobytes().ljust(_CHUNK // 8, b"\0"))
    described = np.array([keys, [count - 1 for count in counts]], "<u2").T.tobytes()
    first = 8 + 8 * len(keys)
    offsets = first + np.cumsum([0, *(len(body) for body in bodies)])[:-1]
    head = np.array([12346, len(keys)], "<u4").tobytes()
    return BitMap.deserialize(b"".join((head, described, offsets.astype("<u4").tobytes(), *bodies)))


def flags_of_bitmap(persons: BitMap, count: int) -> Array:
    """True at the place of each person of the set, False at the others."""
    flags = np.zeros(count, bool)
    flags[np.asarray(persons.to_array(), np.uint32)] = True
    return flags


class BitmapWriter:
    """Writes bitmaps one by one; equal ones are stored once.

    A condition's persons and those of its eras, or of its only descendant, are mostly the same.

    Args:
        write: appends to the file's array of bytes.
        numbers: of each kind of bitmap.
    """

    def __init__(self, write: Callable[[bytes], int], numbers: Mapping[str, int]) -> None:
        self._write = write
        self._numbers = numbers
        self._at = 0
        self._stored: dict[bytes, tuple[int, int, bytes]] = {}
        self._rows: list[tuple[int, int, int, int, bytes]] = []

    def add(self, kind: str, concept: int, persons: BitMap) -> int:
        """Store a set; nothing is stored of nobody.

        Returns:
            its size in bytes.
        """
        if not persons:
            return 0
        persons.run_optimize()
        data = persons.serialize()
        digest = hashlib.sha256(data).digest()
        if digest not in self._stored:
            self._stored[digest] = (self._at, len(data), digest)
            self._at += self._write(data)
        self._rows.append((self._numbers[kind], concept, *self._stored[digest]))
        return len(data)

    def directory(self) -> Mapping[str, Array]:
        """Where each bitmap is, by kind and concept."""
        rows = sorted(self._rows)
        return {name: np.array([row[place] for row in rows], dtype) for place, (name, dtype) in enumerate(_DIRECTORY)}


_DIRECTORY = (("kind", "<u2"), ("concept", "<i8"), ("offset", "<i8"), ("bytes", "<u4"), ("sha256", "V32"))


class Bitmaps:
    """The bitmaps of an index. What is handed out is shared: never change it."""

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays
        self._kept: OrderedDict[tuple[str, int], tuple[BitMap, int]] = OrderedDict()
        self._kept_bytes = 0
        self._lock = threading.Lock()
        kinds = arrays("bitmaps", "kind")
        self._rows = {
            kind: slice(*(int(np.searchsorted(kinds, np.uint16(number), side)) for side in ("left", "right")))
            for kind, number in arrays.facts["kinds"].items()
        }
        self._concept, self._offset, self._bytes, self._sha256 = (
            arrays("bitmaps", name) for name in ("concept", "offset", "bytes", "sha256")
        )
        self._data = arrays.stream("bitmaps", "data").data

    def concepts(self, kind: str) -> Array:
        """The concepts of a kind that anybody has, sorted."""
        return self._concept[self._rows[kind]]

    def get(self, kind: str, concept: int) -> BitMap | None:
        """The persons who have a concept; None where nobody has.

        Raises:
            Invalid: the stored bytes are not those that were written.
        """
        with self._lock:
            if (kept := self._kept.get((kind, concept))) is not None:
                self._kept.move_to_end((kind, concept))
                return kept[0]
        concepts = self.concepts(kind)
        place = int(np.searchsorted(concepts, concept))
        if place == len(concepts) or concepts[place] != concept:
            return None
        row = self._rows[kind].start + place
        begin, size = int(self._offset[row]), int(self._bytes[row])
        data = bytes(self._data[begin : begin + size])
        if hashlib.sha256(data).digest() != self._sha256[row].tobytes():
            raise self._arrays.damaged("bitmaps")
        persons = BitMap.deserialize(data)
        self._keep((kind, concept), persons, size)
        return persons

    def union(self, kind: str, concepts: Iterable[int]) -> BitMap:
        """The persons who have any of the concepts."""
        found = [persons for concept in concepts if (persons := self.get(kind, int(concept))) is not None]
        return found[0] if len(found) == 1 else BitMap.union(BitMap(), *found)

    def forget(self) -> None:
        """Give back the memory of unpacked bitmaps."""
        with self._lock:
            self._kept.clear()
            self._kept_bytes = 0

    def _keep(self, key: tuple[str, int], persons: BitMap, size: int) -> None:
        # Unpacked, a set takes about its stored bytes and some for each of its parts.
        size += 512
        with self._lock:
            if key in self._kept:
                return
            self._kept[key] = persons, size
            self._kept_bytes += size
            while self._kept_bytes > _KEPT and len(self._kept) > 1:
                self._kept_bytes -= self._kept.popitem(last=False)[1][1]
