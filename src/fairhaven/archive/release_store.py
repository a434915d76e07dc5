"""Where releases stand: folders, manifests, files, and what no release names.

archive/
  <table>/_delta_log/, *.parquet     files of all releases; a file never changes
  releases/NNNN.json                 manifests, chained; a manifest's appearance is the moment of commit
  releases/NNNN/                     what describes the release (other rooms write there)
  current.json                       the release that a roll-back made current
  building.json                      tables that a build has written and not yet published
  erasure.json                       an erasure under way: what it must still do
  .work/                             work in progress
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from fairhaven.archive import delta
from fairhaven.kernel.errors import NotFound
from fairhaven.kernel.files import clear_torn, damaged, read_json, write_json
from fairhaven.ledger import Ledger
from fairhaven.omop import CDM
from fairhaven.release.manifest import Release, TableVersion, name_of

_CURRENT = "current.json"
_BUILDING = "building.json"
_ERASURE = "erasure.json"


class Shelf:
    """The archive's folder and what stands in it.

    Args:
        store: the hub's store.
    """

    def __init__(self, store: Path) -> None:
        self.store = store
        self.folder = store / "archive"
        self.ledger = Ledger(store / "ledger.jsonl")

    @property
    def work(self) -> Path:
        """Folder for work in progress, on the same file system as the releases."""
        return self.folder / ".work"

    @property
    def building(self) -> Path:
        """What a build has written and not yet published."""
        return self.folder / _BUILDING

    @property
    def erasing(self) -> Path:
        """What an erasure under way must still do."""
        return self.folder / _ERASURE

    def manifest(self, number: int) -> Path:
        """The manifest's file."""
        return self.folder / "releases" / f"{number:04d}.json"

    def description(self, number: int) -> Path:
        """The folder for what describes a release."""
        return self.folder / "releases" / f"{number:04d}"

    def manifests(self) -> list[Path]:
        """Files of the manifests, the oldest first."""
        return sorted((self.folder / "releases").glob("[0-9]*.json"))

    def releases(self) -> list[Release]:
        """Every release, the oldest first.

        Raises:
            Invalid: a manifest cannot be read.
        """
        return [self.read(path) for path in self.manifests()]

    def release(self, name: str | None = None) -> Release:
        """A release by its name, or the current one.

        Raises:
            NotFound: there is none of that name, or none at all.
        """
        if name is None:
            return self.current()
        number = name[1:] if name[:1] == "r" else name
        path = self.manifest(int(number)) if number.isdigit() else None
        if path is None or not path.exists():
            names = [name_of(int(path.stem)) for path in self.manifests()]
            known = f"releases here: {', '.join(names)}" if names else "there is none yet: build one"
            raise NotFound(f"there is no release {name}; {known}")
        return self.read(path)

    def current(self) -> Release:
        """The release in use: the latest, or an earlier one that a roll-back made current.

        Raises:
            NotFound: there is none yet.
        """
        manifests = self.manifests()
        if not manifests:
            raise NotFound("there is no release yet: build one")
        pointer = self.folder / _CURRENT
        if pointer.exists():
            chosen = read_json(pointer)
            # A release published after the roll-back is current again.
            if chosen["latest"] == int(manifests[-1].stem) and self.manifest(chosen["number"]).exists():
                return self.read(self.manifest(chosen["number"]))
        return self.read(manifests[-1])

    def roll_back(self, name: str) -> Release:
        """Make an earlier release the current one, until the next is published. Nothing is removed."""
        release, latest = self.release(name), self.releases()[-1]
        write_json(self.folder / _CURRENT, {"number": release.number, "latest": latest.number})
        self.ledger.append("roll-back", {"release": release.name, "latest": latest.name})
        return release

    def path(self, relative: str) -> Path:
        """A stored file."""
        return self.folder / relative

    def files(self, release: Release, table: str) -> list[Path]:
        """Parquet files of one table; none where the release has no rows of it."""
        version = release.tables.get(table)
        return [self.path(file.path) for file in version.files] if version else []

    def built(self) -> tuple[str, Mapping[str, TableVersion]]:
        """What a build under way has written: the digest of its inputs, and its tables by name."""
        if not self.building.exists():
            return "", {}
        record = read_json(self.building)
        return record["inputs"], {name: TableVersion.from_json(name, table) for name, table in record["tables"].items()}

    def built_number(self) -> int:
        """Number of the release that a build under way is for."""
        return int(read_json(self.building)["number"])

    def stray(self) -> list[Path]:
        """Parquet files that no release names, nor the new manifests of an erasure under way."""
        pending = read_json(self.erasing).get("manifests", []) if self.erasing.exists() else []
        releases = [*self.releases(), *(Release.from_json(manifest) for manifest in pending)]
        named = {path for release in releases for table in release.tables.values() for path in table.paths}
        return [
            file for file in sorted(self.folder.glob("*/*.parquet")) if str(file.relative_to(self.folder)) not in named
        ]

    def sweep(self, *, keep: Mapping[str, TableVersion] | None = None) -> int:
        """Remove what a killed build left: files and Delta versions that no release names.

        Args:
            keep: tables of the build under way.

        Returns:
            number of files removed.
        """
        keep = keep or {}
        kept = {path for table in keep.values() for path in table.paths}
        shutil.rmtree(self.work, ignore_errors=True)
        clear_torn(self.folder)
        if not keep:
            self.building.unlink(missing_ok=True)
        strays = [file for file in self.stray() if str(file.relative_to(self.folder)) not in kept]
        releases = self.releases()
        for folder in (self.folder / name for name in CDM if (self.folder / name).exists()):
            version = keep.get(folder.name) or latest(releases, folder.name)
            delta.rewind(folder, version.version if version else -1)
        for file in strays:
            file.unlink()
        return len(strays)

    def read(self, path: Path) -> Release:
        """A release by its manifest's file.

        Raises:
            Invalid: the file is not a manifest.
        """
        try:
            return Release.from_json(read_json(path))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise damaged(path) from None


def latest(releases: Sequence[Release], table: str) -> TableVersion | None:
    """The newest version of a table that a release has."""
    return next((release.tables[table] for release in reversed(releases) if table in release.tables), None)
