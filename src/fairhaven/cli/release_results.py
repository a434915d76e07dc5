"""Results about releases."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from fairhaven.archive import Change, Problem, Release, TableVersion
from fairhaven.journeys.persons.erase import ErasurePlan
from fairhaven.journeys.persons.recovery import Erased
from fairhaven.journeys.releases.build import Built
from fairhaven.journeys.releases.build_plan import BuildPlan
from fairhaven.journeys.releases.trace_row import Trace
from fairhaven.ledger import Checkpoint, Ledger
from fairhaven.release.facts import LinkageSummary, ReleaseFacts, RowFlow

__all__ = [
    "BuildPlan",
    "BuiltRelease",
    "ComparedReleases",
    "Erased",
    "ErasurePlan",
    "ExportedRelease",
    "ListedRelease",
    "ShownRelease",
    "Trace",
    "VerifiedReleases",
]


@dataclass(frozen=True, kw_only=True)
class ReleaseSummary:
    """A release in short.

    Args:
        name: for example ``r0002``.
        as_of: the day that it speaks for.
        persons: rows of the table PERSON.
        rows: rows of all tables.
        content: hash of what its tables say: the same on any machine and engine.
        hash: seal of its manifest.
    """

    name: str
    as_of: dt.date
    persons: int
    rows: int
    content: str
    hash: str


@dataclass(frozen=True, kw_only=True)
class ListedRelease(ReleaseSummary):
    """A release in the list of all.

    Args:
        current: whether it is the latest.
    """

    current: bool

    @classmethod
    def of(cls, release: Release, *, current: bool) -> Self:
        """A release of the list."""
        return cls(
            name=release.name,
            as_of=release.as_of,
            persons=release.rows_of("person"),
            rows=release.rows,
            content=release.content,
            hash=release.hash,
            current=current,
        )


@dataclass(frozen=True, kw_only=True)
class BuiltRelease(ReleaseSummary):
    """The release that a build made, or found as it would have made it.

    Args:
        is_new: false where nothing had changed since it was made.
        tables: CDM table -> rows.
        flow: what became of every row received, by source and table.
        linkage: how many patient records are how many persons.
    """

    is_new: bool
    tables: Mapping[str, int]
    flow: tuple[RowFlow, ...]
    linkage: LinkageSummary

    @classmethod
    def of(cls, built: Built) -> Self:
        """What a build made."""
        release = built.release
        return cls(
            name=release.name,
            as_of=release.as_of,
            persons=release.rows_of("person"),
            rows=release.rows,
            content=release.content,
            hash=release.hash,
            is_new=built.is_new,
            tables={name: table.rows for name, table in release.tables.items()},
            flow=release.facts.row_flow,
            linkage=release.facts.linkage,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownRelease:
    """A release as its manifest describes it.

    Args:
        name: for example ``r0002``.
        number: from 1.
        as_of: the day that it speaks for.
        content: hash of what its tables say: the same on any machine and engine.
        hash: seal of the manifest.
        previous: hash of the release before this one.
        salt: 32 random hex digits; an erasure makes new ones.
        supersedes: hashes of the manifests of this release that erasures took back, oldest first.
        tables: CDM table -> its files.
        facts: what it was made of, and what became of every row received.
    """

    name: str
    number: int
    as_of: dt.date
    content: str
    hash: str
    previous: str
    salt: str
    supersedes: tuple[str, ...]
    tables: Mapping[str, TableVersion]
    facts: ReleaseFacts

    @classmethod
    def of(cls, release: Release) -> Self:
        """A release with its name and the hash of its content."""
        return cls(
            name=release.name,
            number=release.number,
            as_of=release.as_of,
            content=release.content,
            hash=release.hash,
            previous=release.previous,
            salt=release.salt,
            supersedes=release.supersedes,
            tables=release.tables,
            facts=release.facts,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedReleases:
    """How two releases differ.

    Args:
        older, newer: their names.
        tables: CDM table -> rows added, changed and gone.
    """

    older: str
    newer: str
    tables: Mapping[str, Change]


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiedReleases:
    """Releases whose hashes were computed again.

    Args:
        releases: their names.
        files: how many files they have.
        problems: what does not agree; with any, the exit code is 1.
        head: of the ledger, as it is now; null where it is empty or damaged.
        checkpoint: the signed head, to be kept elsewhere; null in a hub of before until its keys are rotated.
    """

    releases: tuple[str, ...]
    files: int
    problems: tuple[Problem, ...]
    head: Checkpoint | None
    checkpoint: str | None

    @classmethod
    def of(cls, releases: Sequence[Release], problems: Sequence[Problem], ledger: Ledger) -> Self:
        """Releases and what is wrong with them, and the ledger that they are entered in."""
        signed = ledger.checkpoint
        files = {path for release in releases for table in release.tables.values() for path in table.paths}
        return cls(
            releases=tuple(release.name for release in releases),
            files=len(files),
            problems=tuple(problems),
            head=None if ledger.verify() or ledger.head_faults() else ledger.head(),
            checkpoint=signed.read_text(errors="replace") if signed.exists() else None,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportedRelease:
    """A release as an OMOP CDM database.

    Args:
        release: its name.
        out: the database file, or the folder.
        format: ``duckdb`` or ``parquet``.
        rows: rows of all clinical tables.
    """

    release: str
    out: Path
    format: str
    rows: int
