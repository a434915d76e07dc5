"""Where an index stands on disk: named arrays in a few files, mapped into memory, and a manifest sealed over them.

    manifest.json     format, release, facts, and of each file its size and its arrays with their hashes; sealed by its own hash
    <name>.bin        arrays one after the other, little-endian, each on a multiple of 64 bytes

An array is compared with the SHA-256 of its blocks when it is first read, and of a long one only the blocks that are.
An index appears whole or not at all: it is written beside its place and renamed into it.
"""

import hashlib
import mmap
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from fairhaven.kernel.errors import Invalid, NotFound
from fairhaven.kernel.files import announce_folder, canonical_json, read_json, scratch, sync, write_json
from fairhaven.kernel.plain_files import plain_file

FORMAT = 2
"""Raised with every change of what is stored; an index of another format is made again, never guessed at."""

Array = npt.NDArray[Any]

MANIFEST = "manifest.json"
_ALIGNED = 64
_BLOCK = 1 << 20
"""Bytes that are compared together: their hash takes half a millisecond, and most questions read a few of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArrayLocation:
    """Where an array is.

    Args:
        sha256: of each of its blocks; none where whoever reads parts of it has their hashes.
    """

    offset: int
    dtype: str
    length: int
    sha256: tuple[str, ...] = ()

    @property
    def end(self) -> int:
        """Bytes up to its end."""
        return self.offset + self.length * np.dtype(self.dtype).itemsize


class ArrayFile:
    """A file of arrays in the making."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.places: dict[str, ArrayLocation] = {}
        self._file: BinaryIO = path.open("w+b")
        self._hashed: set[str] = set()

    def add(self, name: str, array: Array) -> None:
        """Write an array."""
        data = np.ascontiguousarray(array).data.cast("B") if len(array) else b""
        self._place(name, array.dtype, len(array))
        self._file.write(data)

    def parts(self, name: str, dtype: npt.DTypeLike, length: int) -> Callable[[int, Array], None]:
        """Room for an array that comes in parts; gives a function that puts a part at its place, counted in elements."""
        kind = np.dtype(dtype)
        offset = self._place(name, kind, length)
        self._file.seek(offset + length * kind.itemsize)
        self._file.truncate()

        def write(at: int, part: Array) -> None:
            # As memory mapped for writing it would count as this process's.
            data = np.ascontiguousarray(part, kind).data.cast("B")
            os.pwrite(self._file.fileno(), data, offset + at * kind.itemsize)

        return write

    @contextmanager
    def stream(self, name: str) -> Iterator[Callable[[bytes], int]]:
        """An array of bytes whose length is not known before; gives a function that appends to it.

        No hash is kept of it: that of each part that is read belongs into another array.
        """
        offset = self._place(name, np.dtype(np.uint8), 0)
        yield self._file.write
        self.places[name] = ArrayLocation(offset=offset, dtype="|u1", length=self._file.tell() - offset)
        self._hashed.discard(name)

    def close(self) -> None:
        """Close the file, its bytes durable."""
        self._file.close()
        sync(self.path)

    def hashed(self) -> dict[str, ArrayLocation]:
        """Where the arrays are, with their hashes; the file is closed."""
        with self.path.open("rb") as file:
            return {name: replace(place, sha256=self._sha256(name, place, file)) for name, place in self.places.items()}

    def _sha256(self, name: str, place: ArrayLocation, file: BinaryIO) -> tuple[str, ...]:
        if name not in self._hashed:
            return ()
        file.seek(place.offset)
        begins = range(place.offset, place.end, _BLOCK)
        return tuple(hashlib.sha256(file.read(min(_BLOCK, place.end - begin))).hexdigest() for begin in begins)

    def _place(self, name: str, dtype: np.dtype[Any], length: int) -> int:
        at = self._file.tell()
        offset = -(-at // _ALIGNED) * _ALIGNED
        self._file.write(b"\0" * (offset - at))
        self._file.flush()
        self.places[name] = ArrayLocation(offset=offset, dtype=dtype.str, length=length)
        self._hashed.add(name)
        return offset


class IndexFolder:
    """An index folder in the making; nobody sees it before `new_index_folder` ends.

    Args:
        work: folder for work in progress, gone at the end.
    """

    def __init__(self, folder: Path, work: Path) -> None:
        self.folder = folder
        self.work = work
        self._files: dict[str, ArrayFile] = {}

    def file(self, name: str) -> ArrayFile:
        """A new file of arrays."""
        self._files[name] = ArrayFile(self.folder / f"{name}.bin")
        return self._files[name]

    def close(self) -> None:
        """Close the files, also those that are closed already."""
        for file in self._files.values():
            file.close()

    def seal(self, facts: Mapping[str, Any]) -> None:
        """Close the files and write the manifest.

        Args:
            facts: what else the manifest says (JSON).
        """
        files = {}
        for name, file in self._files.items():
            file.close()
            places = {key: astuple(place) for key, place in file.hashed().items()}
            files[name] = {"bytes": file.path.stat().st_size, "arrays": places}
        manifest = {"format": FORMAT, **facts, "files": files}
        write_json(self.folder / MANIFEST, {**manifest, "seal": _seal(manifest)})


@contextmanager
def new_index_folder(folder: Path) -> Iterator[IndexFolder]:
    """Make an index and put it in place, or leave everything as it was; an index that is there is replaced."""
    with scratch(folder.parent) as work:
        new = work / "index"
        new.mkdir()
        index = IndexFolder(new, work)
        try:
            yield index
        finally:
            index.close()
        sync(new)
        announce_folder(folder, new)
        if folder.exists():
            folder.rename(work / "old")
        new.rename(folder)
        sync(folder.parent)


class Arrays:
    """An index folder that is open for reading; files are mapped when they are first asked for.

    Raises:
        NotFound: there is no index in the folder.
        Invalid: it was written by another version of Fairhaven, only in part, or was damaged; with what to do.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._maps: dict[str, mmap.mmap | bytes] = {}
        self._arrays: dict[tuple[str, str], Array] = {}
        self._compared: dict[tuple[str, str], set[int]] = {}
        self.facts = self._manifest()
        self._places = {
            name: {
                key: ArrayLocation(offset=p[0], dtype=p[1], length=p[2], sha256=tuple(p[3]))
                for key, p in file["arrays"].items()
            }
            for name, file in self.facts["files"].items()
        }

    def __call__(self, file: str, name: str) -> Array:
        """An array, read-only. Raises as `rows`."""
        return self.rows(file, name, 0, self._places[file][name].length)

    def rows(self, file: str, name: str, begin: int, end: int) -> Array:
        """A part of an array, counted in elements, read-only.

        Raises:
            Invalid: it is not as it was written.
            NotFound: the index was removed meanwhile.
        """
        array, place = self.stream(file, name), self._places[file][name]
        compared = self._compared.setdefault((file, name), set())
        size = array.itemsize
        for block in range(begin * size // _BLOCK, -(-end * size // _BLOCK)):
            if block not in compared:
                at = place.offset + block * _BLOCK
                data = memoryview(self._map(file))[at : min(at + _BLOCK, place.end)]
                if hashlib.sha256(data).hexdigest() != place.sha256[block]:
                    raise self.damaged(file)
                compared.add(block)
        return array[begin:end]

    def stream(self, file: str, name: str) -> Array:
        """An array of which nothing is compared; whoever reads a part of it has its hash."""
        if (known := self._arrays.get((file, name))) is not None:
            return known
        place = self._places[file][name]
        array: Array = np.frombuffer(self._map(file), place.dtype, place.length, place.offset)
        self._arrays[file, name] = array
        return array

    def has(self, file: str, name: str) -> bool:
        """Whether the index has such an array."""
        return name in self._places.get(file, {})

    def damaged(self, file: str) -> Invalid:
        """What is said of a file that does not hold what was written there."""
        return Invalid(f"{self.folder / file}.bin is damaged, so nothing is counted with it. {_AGAIN}")

    def _map(self, file: str) -> mmap.mmap | bytes:
        if file not in self._maps:
            path = self.folder / f"{file}.bin"
            try:
                with plain_file(path) as stream:
                    empty = not path.stat().st_size
                    self._maps[file] = b"" if empty else mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            except FileNotFoundError:
                raise NotFound(f"the discovery index {self.folder} was removed while it was in use. {_AGAIN}") from None
        return self._maps[file]

    def _manifest(self) -> dict[str, Any]:
        path = self.folder / MANIFEST
        if not path.exists():
            raise NotFound(f"there is no discovery index in {self.folder}. {_AGAIN}")
        manifest = read_json(path)
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise Invalid(f"the discovery index {self.folder} is not of this version of Fairhaven. {_AGAIN}")
        seal = manifest.pop("seal", "")
        if seal != _seal(manifest):
            raise Invalid(f"{path} is damaged, so nothing is counted with it. {_AGAIN}")
        for name, file in manifest["files"].items():
            stored = self.folder / f"{name}.bin"
            if not stored.exists() or stored.stat().st_size != file["bytes"]:
                raise self.damaged(name)
        return manifest


_AGAIN = "Remove the folder: the next count makes the index again from its release, and nothing is lost."


def _seal(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(manifest).encode()).hexdigest()
