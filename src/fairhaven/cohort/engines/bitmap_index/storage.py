"""Where an index stands on disk: named arrays in a few files, mapped into memory, and a manifest sealed over them.

    manifest.json     format, release, facts, and of each file its arrays, size and SHA-256; sealed by its own hash
    <name>.bin        arrays one after the other, little-endian, each on a multiple of 64 bytes

An index appears whole or not at all: it is written beside its place and renamed into it.
"""

import hashlib
import mmap
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from fairhaven.kernel.errors import Invalid, NotFound
from fairhaven.kernel.files import canonical_json, read_json, scratch, sha256_of, sync, write_json

FORMAT = 1
"""Raised with every change of what is stored; an index of another format is made again, never guessed at."""

Array = npt.NDArray[Any]

MANIFEST = "manifest.json"
_ALIGNED = 64
_CHECKED = 64 << 20
"""Arrays up to so many bytes are checked when they are first used; longer ones by `verify`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArrayLocation:
    """Where an array is.

    Args:
        crc32: of its bytes; None for an array too long to be read as a whole at each start.
    """

    offset: int
    dtype: str
    length: int
    crc32: int | None


class ArrayFile:
    """A file of arrays in the making."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.places: dict[str, ArrayLocation] = {}
        self._file: BinaryIO = path.open("w+b")

    def add(self, name: str, array: Array) -> None:
        """Write an array."""
        data = np.ascontiguousarray(array).data.cast("B") if len(array) else b""
        crc = zlib.crc32(data) if len(data) <= _CHECKED else None
        self._place(name, array.dtype, len(array), crc)
        self._file.write(data)

    def parts(self, name: str, dtype: npt.DTypeLike, length: int) -> Callable[[int, Array], None]:
        """Room for an array that comes in parts; gives a function that puts a part at its place, counted in elements."""
        kind = np.dtype(dtype)
        offset = self._place(name, kind, length, None)
        self._file.seek(offset + length * kind.itemsize)
        self._file.truncate()

        def write(at: int, part: Array) -> None:
            # As memory mapped for writing it would count as this process's.
            data = np.ascontiguousarray(part, kind).data.cast("B")
            os.pwrite(self._file.fileno(), data, offset + at * kind.itemsize)

        return write

    @contextmanager
    def stream(self, name: str) -> Iterator[Callable[[bytes], int]]:
        """An array of bytes whose length is not known before; gives a function that appends to it."""
        offset = self._place(name, np.dtype(np.uint8), 0, None)
        yield self._file.write
        self.places[name] = ArrayLocation(offset=offset, dtype="|u1", length=self._file.tell() - offset, crc32=None)

    def close(self) -> None:
        """Close the file, its bytes durable."""
        self._file.close()
        sync(self.path)

    def _place(self, name: str, dtype: np.dtype[Any], length: int, crc32: int | None) -> int:
        at = self._file.tell()
        offset = -(-at // _ALIGNED) * _ALIGNED
        self._file.write(b"\0" * (offset - at))
        self._file.flush()
        self.places[name] = ArrayLocation(offset=offset, dtype=dtype.str, length=length, crc32=crc32)
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
            places = {key: astuple(place) for key, place in file.places.items()}
            files[name] = {"bytes": file.path.stat().st_size, "sha256": sha256_of(file.path), "arrays": places}
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
        self.facts = self._manifest()
        self._places = {
            name: {
                key: ArrayLocation(offset=p[0], dtype=p[1], length=p[2], crc32=p[3])
                for key, p in file["arrays"].items()
            }
            for name, file in self.facts["files"].items()
        }

    def __call__(self, file: str, name: str) -> Array:
        """An array, read-only."""
        if (known := self._arrays.get((file, name))) is not None:
            return known
        place = self._places[file][name]
        array: Array = np.frombuffer(self._map(file), place.dtype, place.length, place.offset)
        if place.crc32 is not None and zlib.crc32(array.data.cast("B") if place.length else b"") != place.crc32:
            raise self.damaged(file)
        self._arrays[file, name] = array
        return array

    def has(self, file: str, name: str) -> bool:
        """Whether the index has such an array."""
        return name in self._places.get(file, {})

    def damaged(self, file: str) -> Invalid:
        """What is said of a file that does not hold what was written there."""
        return Invalid(f"{self.folder / file}.bin is damaged, so nothing is counted with it. {_AGAIN}")

    def verify(self) -> None:
        """Read every byte and compare it with the manifest.

        Raises:
            Invalid: a file is not as it was written.
        """
        for name, file in self.facts["files"].items():
            if sha256_of(self.folder / f"{name}.bin") != file["sha256"]:
                raise self.damaged(name)

    def _map(self, file: str) -> mmap.mmap | bytes:
        if file not in self._maps:
            path = self.folder / f"{file}.bin"
            try:
                with path.open("rb") as stream:
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


_AGAIN = "Make the index again from its release: it is derived, and nothing is lost."


def _seal(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(manifest).encode()).hexdigest()
