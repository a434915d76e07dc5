"""The nouns of the archive."""

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairhaven.kernel.files import canonical_json

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

    def as_json(self) -> dict[str, Any]:
        """The table's part of a manifest."""
        files = [{name: getattr(file, name) for name in StoredFile.__slots__} for file in self.files]
        return {
            "rows": self.rows,
            "version": self.version,
            "content": self.content,
            "buckets": self.buckets,
            "files": files,
        }

    @classmethod
    def from_json(cls, name: str, value: Mapping[str, Any]) -> "TableVersion":
        """Read a table's part of a manifest."""
        return cls(name=name, **{**value, "files": tuple(StoredFile(**file) for file in value["files"])})


@dataclass(frozen=True, kw_only=True)
class Release:
    """An immutable version of the whole record: its manifest.

    Args:
        number: from 1.
        as_of: the day that the release describes.
        tables: every table of the release by name.
        facts: what else the manifest says: ``rules, extracts, flow, linkage, vocabulary, code_version``.
        previous: hash of the release before this one.
        salt: 32 random hex digits. Erasure makes a new one, so that the hash of a superseded manifest, which others may
            keep, cannot confirm a guess at what was erased.
        supersedes: hashes of the manifests of this release that erasures took back, oldest first.
        hash: seal of the manifest: SHA-256 of everything above.
    """

    number: int
    as_of: dt.date
    tables: Mapping[str, TableVersion]
    facts: Mapping[str, Any] = field(default_factory=dict)
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

    @property
    def content(self) -> str:
        """Hash of what the release says: the same after a crash, on another machine and from either engine."""
        said = {name: [table.rows, table.content] for name, table in self.tables.items() if table.rows}
        return hashlib.sha256(canonical_json(said).encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """The manifest."""
        return {
            **self.facts,
            "number": self.number,
            "name": self.name,
            "as_of": self.as_of.isoformat(),
            "tables": {name: table.as_json() for name, table in self.tables.items()},
            "content": self.content,
            "previous": self.previous,
            "salt": self.salt,
            "supersedes": list(self.supersedes),
            "hash": self.hash,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Release":
        """Read a manifest."""
        return cls(
            number=value["number"],
            as_of=dt.date.fromisoformat(value["as_of"]),
            tables={name: TableVersion.from_json(name, table) for name, table in value["tables"].items()},
            facts={name: fact for name, fact in value.items() if name not in _OWN},
            previous=value["previous"],
            salt=value["salt"],
            supersedes=tuple(value["supersedes"]),
            hash=value["hash"],
        )


_OWN = frozenset({"number", "name", "as_of", "tables", "content", "previous", "salt", "supersedes", "hash"})


def name_of(number: int) -> str:
    """Name of a release, for example ``r0001``."""
    return f"r{number:04d}"


def seal_of(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of a manifest without its own hash."""
    content = {name: value for name, value in manifest.items() if name != "hash"}
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Something that is not as a manifest says.

    Args:
        release: name of the release, empty where it is about the archive as a whole.
        table: the CDM table, empty for none.
        path: the file, relative to the store, empty for none.
        message: what is wrong and what it means.
    """

    release: str = ""
    table: str = ""
    path: str = ""
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.release, self.path or self.table, self.message) if part)


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """How one table differs between two releases, in rows.

    Args:
        added: rows only the later release has.
        changed: rows that both have under one key, with another value in some CDM column.
        gone: rows only the earlier release has.
    """

    added: int = 0
    changed: int = 0
    gone: int = 0

    @property
    def is_empty(self) -> bool:
        """True where nothing differs."""
        return not (self.added or self.changed or self.gone)


@dataclass(frozen=True, kw_only=True, slots=True)
class Erasure:
    """What erasing persons takes away: a plan, or the account of it done.

    Args:
        persons: how many were asked for.
        rows: release -> table -> rows that go.
        files: distinct files that are rewritten or removed.
        superseded: release -> hash of the manifest that goes; releases after the first one touched are sealed anew.
    """

    persons: int
    rows: Mapping[str, Mapping[str, int]]
    files: int
    superseded: Mapping[str, str]

    @property
    def is_empty(self) -> bool:
        """True where no release has a row of these persons."""
        return not self.superseded
