"""The manifest of a release: its tables, its facts, its place in the chain, and the hash that seals it."""

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairhaven.kernel.codec import record_of, to_json
from fairhaven.kernel.errors import Fault, Invalid
from fairhaven.kernel.files import canonical_json, damaged
from fairhaven.release.facts import ReleaseFacts
from fairhaven.release.format_1 import of_format_1

FORMAT = 2
"""Number of the form in which manifests are written."""

GENESIS = "0" * 64
"""What the first release names as the one before it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredFile:
    """One Parquet file: the rows of one bucket of persons.

    Args:
        path: relative to the archive's folder.
        content: fingerprint of the rows (see `fingerprint`), hex.
        bucket: number of the bucket.
    """

    path: str
    sha256: str
    bytes: int
    rows: int
    bucket: int
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TableVersion:
    """One table as one release has it.

    Args:
        version: version of the Delta table.
        content: fingerprint of the CDM columns of all rows, hex: the same for the same rows on any machine and engine.
        buckets: a row is in bucket ``key % buckets``; buckets without rows have no file.
    """

    name: str
    rows: int
    version: int
    content: str
    buckets: int
    files: tuple[StoredFile, ...]

    @property
    def paths(self) -> frozenset[str]:
        """Paths of the files, relative to the archive's folder."""
        return frozenset(file.path for file in self.files)


@dataclass(frozen=True, kw_only=True)
class Release:
    """An immutable version of the whole record: its manifest.

    Args:
        number: from 1.
        as_of: the day that the release describes.
        tables: every table of the release by name.
        facts: what the release was made of, and what became of every row received.
        previous: hash of the release before this one.
        salt: 32 random hex digits. Erasure makes a new one, so that the hash of a superseded manifest, which others may
            keep, cannot confirm a guess at what was erased.
        supersedes: hashes of the manifests of this release that erasures took back, oldest first.
        hash: seal of the manifest: SHA-256 of everything above.
    """

    number: int
    as_of: dt.date
    tables: Mapping[str, TableVersion]
    facts: ReleaseFacts
    previous: str
    salt: str
    supersedes: tuple[str, ...] = ()
    hash: str = ""

    @property
    def name(self) -> str:
        """The release's name, for example ``r0001``."""
        return name_of(self.number)

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.tables.values())

    def rows_of(self, table: str) -> int:
        """Rows of one table; 0 where the release has no such table."""
        return self.tables[table].rows if table in self.tables else 0

    @property
    def content(self) -> str:
        """Hash of what the release says: the same after a crash, on another machine and from either engine."""
        said = {name: [table.rows, table.content] for name, table in self.tables.items() if table.rows}
        return hashlib.sha256(canonical_json(said).encode()).hexdigest()


def manifest_of(release: Release) -> dict[str, Any]:
    """The release as its file has it: its fields, and for readers its name and the hash of its content."""
    return {"format": FORMAT, "name": release.name, "content": release.content, **to_json(release)}


def read_manifest(manifest: Any, *, path: Path) -> Release:
    """The inverse of `manifest_of`; manifests of earlier formats are read too.

    Args:
        path: the file that it stands in, for the fault.

    Raises:
        Invalid: a later Fairhaven wrote it, or it is no manifest.
    """
    written = manifest.get("format", 1) if isinstance(manifest, Mapping) else None
    if isinstance(written, int) and written > FORMAT:
        message = (
            f"has format {written}, and this Fairhaven reads formats 1 to {FORMAT}: use the Fairhaven that wrote it, "
            "or a later one"
        )
        raise Invalid(Fault(path=str(path), message=message))
    if written not in (1, FORMAT):
        raise damaged(path)
    return record_of(manifest, Release, path=path, upgrade=_upgraded)


def _upgraded(manifest: Mapping[str, Any]) -> dict[str, Any]:
    known = of_format_1(manifest) if manifest.get("format", 1) == 1 else manifest
    return {name: value for name, value in known.items() if name not in _FOR_READERS}


_FOR_READERS = frozenset({"format", "name", "content"})


def name_of(number: int) -> str:
    """Name of a release, for example ``r0001``."""
    return f"r{number:04d}"


def seal_of(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of a manifest, as it is written in whatever format, without its own hash."""
    content = {name: value for name, value in manifest.items() if name != "hash"}
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()
