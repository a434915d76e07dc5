"""Where releases stand: folders, manifests, files, and what no release names.

A release is what the ledger has the seal of: a manifest is compared with that before anything is read of it. What merely
stands in the folder (`ReleaseStore.as_found`) is for whoever looks for faults, or finishes what was cut short.

archive/
  <table>/_delta_log/, *.parquet     files of all releases; a file never changes
  releases/NNNN.json                 manifests, chained; a manifest's appearance is the moment of commit
  releases/NNNN/                     what describes the release (other rooms write there)
  building.json                      tables that a build has written and not yet published
  erasure.json                       an erasure under way: what it must still do
  .work/                             work in progress, there while it goes on
"""

import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from fairhaven.archive import delta_log
from fairhaven.archive.journals import erasure_in, unpublished_in
from fairhaven.archive.model import BegunErasure, DecidedErasure, Unpublished
from fairhaven.kernel.errors import Fault, Invalid, NotAllowedNow, NotFound
from fairhaven.kernel.files import clear_torn, read_json, sha256_of, stamp_of
from fairhaven.kernel.listing import listed
from fairhaven.kernel.whole_numbers import whole_number
from fairhaven.ledger import Actor, Entry, EventKind, Ledger
from fairhaven.omop import CDM
from fairhaven.release.manifest import Release, TableVersion, name_of, read_manifest, seal_of

_WORK = ".work"
RESTORE = (
    "Restore the archive and the ledger from one backup of the hub; `fairhaven release verify` looks at everything."
)
"""What to do where releases and the ledger do not agree."""


class ReleaseStore:
    """The archive's folder and what stands in it.

    Args:
        store: the hub's store.
        ledger: the hub's.

    Attributes:
        build_notes: of a build under way, what it has written and not yet published.
        erasure_notes: of an erasure under way, what it must still do.
        building, erasing: their files.
    """

    def __init__(self, store: Path, *, ledger: Ledger) -> None:
        self.store = store
        self.folder = store / "archive"
        self.building = self.folder / "building.json"
        self.erasing = self.folder / "erasure.json"
        self.ledger = ledger
        self.build_notes = self.ledger.journal("archive/building.json")
        self.erasure_notes = self.ledger.journal("archive/erasure.json")
        self._hashed: dict[Path, tuple[tuple[int, ...], str]] = {}
        self._sealed: dict[int, tuple[tuple[int | str, ...], Release]] = {}

    @contextmanager
    def work(self) -> Iterator[Path]:
        """A folder for work in progress, on the same file system as the releases; it is gone at the end.

        It is that of whoever holds the lock of the releases. What a killed command left in it is gone at the beginning.
        """
        folder = self.folder / _WORK
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def clear_torn(self) -> None:
        """Remove what a killed command was writing."""
        shutil.rmtree(self.folder / _WORK, ignore_errors=True)
        clear_torn(self.folder)

    def manifest(self, number: int) -> Path:
        """The manifest's file."""
        return self.folder / "releases" / f"{number:04d}.json"

    def description(self, number: int) -> Path:
        """The folder for what describes a release."""
        return self.folder / "releases" / f"{number:04d}"

    def manifests(self) -> list[Path]:
        """Files of the manifests, the oldest first."""
        return listed(self.folder / "releases", "[0-9]*.json")

    def as_found(self) -> list[Release]:
        """Every release whose manifest stands in the folder, the oldest first, whatever it is worth.

        Raises:
            Invalid: a manifest cannot be read.
        """
        return [self.read(path) for path in self.manifests()]

    def releases(self) -> list[Release]:
        """Every release, the oldest first. Raises as `release`."""
        return [self._as_sealed(number, seal) for number, seal in sorted(self.seals().items())]

    def release(self, name: str | None = None) -> Release:
        """A release by its name, or the current one.

        Raises:
            NotFound: there is none of that name, or none at all.
            Invalid: the ledger, or the release's manifest, is not as it was written.
            NotAllowedNow: an erasure is writing the manifest anew, or was cut short while it did.
        """
        if name is None:
            return self.current()
        seals = self.seals()
        number = number_of(name, seals)
        return self._as_sealed(number, seals[number])

    def current(self) -> Release:
        """The release in use: the latest, or an earlier one that a roll-back made current. Raises as `release`."""
        seals = self.seals()
        if not seals:
            raise NotFound("there is no release yet: build one")
        latest = max(seals)
        chosen = self.ledger.entries_of(EventKind.ROLL_BACK)
        # A release published after the roll-back is current again.
        is_in_use = bool(chosen) and chosen[-1].facts["latest"] == name_of(latest)
        return self.release(chosen[-1].facts["release"] if is_in_use else name_of(latest))

    def roll_back(self, name: str, *, by: Actor) -> Release:
        """Make an earlier release the current one, until the next is published. Nothing is removed."""
        release, latest = self.release(name), max(self.seals())
        self.ledger.append_change(EventKind.ROLL_BACK, {"release": release.name, "latest": name_of(latest)}, by=by)
        return release

    def seals(self) -> dict[int, str]:
        """Number of each release that the ledger has -> seal of its manifest.

        Raises:
            Invalid: the ledger is not as it was written.
        """
        return seals_in(self.ledger.entries_of(EventKind.RELEASE, EventKind.ERASURE))

    def _as_sealed(self, number: int, seal: str) -> Release:
        path = self.manifest(number)
        if path.exists():
            stamp = stamp_of(path)
            if number in self._sealed and self._sealed[number][0] == (*stamp, seal):
                return self._sealed[number][1]
            seal = self.seals()[number]  # an erasure may have ended since
            written = read_json(path)
            release = read_manifest(written, path=path)
            if seal_of(written) == release.hash == seal:
                self._sealed[number] = (*stamp, seal), release
                return release
        if self._is_written_anew(number):
            raise NotAllowedNow(
                f"{name_of(number)} is being written anew, because a person is erased. Run the command again when that has "
                "ended; if it was killed, the next `fairhaven build` or `fairhaven erase` ends it first."
            )
        is_wrong = (
            "is not the manifest whose seal the ledger has" if path.exists() else "is missing, and the ledger has it"
        )
        raise Invalid(Fault(path=self.inside(path), message=f"{is_wrong}. {RESTORE}"))

    def _is_written_anew(self, number: int) -> bool:
        try:
            under_way = self.erasure()
        except PermissionError:  # whoever may only read is not told who is erased
            return True
        return isinstance(under_way, DecidedErasure) and number in under_way.seals

    def places(self) -> list[Path]:
        """Files, and folders for all that is in them, whose content hashes the ledger carries: manifests with what describes
        their releases, Delta logs, as they are found. Files of rows have theirs in the manifests."""
        return [self.folder / "releases", *self._log_files(self.as_found())]

    def log_files(self) -> list[Path]:
        """Files of the Delta logs, of every version that a release has."""
        return self._log_files(self.releases())

    def _log_files(self, releases: Sequence[Release]) -> list[Path]:
        tables = [table for table in (latest(releases, name) for name in CDM) if table]
        return [
            delta_log.entry_of(self.folder / table.name, version)
            for table in tables
            for version in range(table.version + 1)
        ]

    def sha256_of(self, path: Path) -> str:
        """SHA-256 of a stored file, hex; read once in a process as long as it is the same one (`stamp_of`)."""
        seen = stamp_of(path)
        if self._hashed.get(path, ((), ""))[0] != seen:
            self._hashed[path] = seen, sha256_of(path)
        return self._hashed[path][1]

    def inside(self, path: Path) -> str:
        """How the ledger names a file of the archive: its path in the store."""
        return path.relative_to(self.store).as_posix()

    def path(self, relative: str) -> Path:
        """A stored file."""
        return self.folder / relative

    def files(self, release: Release, table: str) -> list[Path]:
        """Parquet files of one table; none where the release has no rows of it."""
        version = release.tables.get(table)
        return [self.path(file.path) for file in version.files] if version else []

    def unpublished(self) -> Unpublished | None:
        """What a build under way has written; None where there is none, or a release or an erasure has come since.

        Raises:
            Invalid: its notes are not this hub's.
        """
        later = partial(self.ledger.entries_of, EventKind.RELEASE, EventKind.ERASURE)
        return unpublished_in(self.build_notes, later)

    def erasure(self) -> BegunErasure | DecidedErasure | None:
        """The erasure under way; None where there is none.

        Raises:
            Invalid: its notes are not this hub's.
        """
        return erasure_in(self.erasure_notes)

    def stray(self) -> list[Path]:
        """Parquet files that no release names, nor the new manifests of an erasure under way."""
        under_way = self.erasure()
        pending = under_way.manifests if isinstance(under_way, DecidedErasure) else ()
        releases = [*self.as_found(), *(read_manifest(manifest, path=self.erasing) for manifest in pending)]
        named = {path for release in releases for table in release.tables.values() for path in table.paths}
        there = [file for folder in listed(self.folder) if folder.is_dir() for file in listed(folder, "*.parquet")]
        return [file for file in there if str(file.relative_to(self.folder)) not in named]

    def sweep(self, *, keep: Mapping[str, TableVersion] | None = None) -> None:
        """Remove what a killed build left: files and Delta versions that no release names.

        Args:
            keep: tables of the build under way.
        """
        keep = keep or {}
        kept = {path for table in keep.values() for path in table.paths}
        self.clear_torn()
        if not keep:
            self.building.unlink(missing_ok=True)
        releases = self.as_found()
        for folder in (self.folder / name for name in CDM if (self.folder / name).exists()):
            version = keep.get(folder.name) or latest(releases, folder.name)
            delta_log.rewind(folder, version.version if version else -1)
        for file in self.stray():
            if str(file.relative_to(self.folder)) not in kept:
                file.unlink()

    def read(self, path: Path) -> Release:
        """A release by its manifest's file, whatever that is worth.

        Raises:
            Invalid: the file is no manifest, or one of a later Fairhaven.
        """
        return read_manifest(read_json(path), path=path)


def number_of(name: str, known: Collection[int]) -> int:
    """Number of a release by its name.

    Raises:
        NotFound: it is none of those known.
    """
    number = whole_number(name.removeprefix("r"), digits=9)
    if number is not None and number in known:
        return number
    here = ", ".join(map(name_of, sorted(known)))
    raise NotFound(
        f"there is no release {name}; {f'releases here: {here}' if here else 'there is none yet: build one'}"
    )


def seals_in(entries: Iterable[Entry]) -> dict[int, str]:
    """Number of each release that entries of the ledger are about -> seal of its manifest, as they have it last."""
    seals: dict[str, str] = {}
    for entry in entries:
        if entry.kind == EventKind.RELEASE:
            seals[entry.facts["release"]] = entry.facts["hash"]
        elif entry.kind == EventKind.ERASURE:
            # "by" is what entries of before actors were recorded have.
            seals |= entry.facts["seals"] if "seals" in entry.facts else entry.facts["by"]
    return {int(name[1:]): seal for name, seal in seals.items()}


def latest(releases: Sequence[Release], table: str) -> TableVersion | None:
    """The newest version of a table that a release has."""
    return next((release.tables[table] for release in reversed(releases) if table in release.tables), None)
