"""Is everything still as the manifests say? Files, contents, Delta versions, the chain of manifests and the ledger."""

from collections.abc import Iterator

import duckdb

from fairhaven.archive import delta_log, parquet
from fairhaven.archive.fingerprint import Fingerprint, fingerprint
from fairhaven.archive.model import Problem
from fairhaven.archive.release_store import ReleaseStore
from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.kernel.errors import Invalid
from fairhaven.kernel.files import read_json, readers_scratch, sha256_of
from fairhaven.kernel.progress import Progress
from fairhaven.ledger import EventKind
from fairhaven.omop import CDM
from fairhaven.release.manifest import GENESIS, Release, StoredFile, TableVersion, name_of, seal_of


def verify(store: ReleaseStore, names: frozenset[str], progress: Progress) -> list[Problem]:
    """See `Archive.verify`."""
    problems: list[Problem] = []
    releases = _readable(store, problems)
    problems += _chain(store, releases)
    problems += _ledger(store, releases)
    if store.erasing.exists():
        problems.append(Problem(path=_shown(store.erasing.name), message="an erasure was cut short: run it again"))
    chosen = [release for release in releases if not names or release.name in names]
    seen: dict[str, list[str]] = {}
    total = len({file.path for release in chosen for table in release.tables.values() for file in table.files})
    # Not in the store: an archive on a medium that nobody can write to must be verifiable.
    with readers_scratch() as work, open_duckdb(spill=work, reaches=[store.folder]) as connection:
        for release in chosen:
            for table in release.tables.values():
                for file in table.files:
                    if file.path not in seen:
                        seen[file.path] = list(_file(store, connection, table.name, file))
                        progress.advance(len(seen), total, "files")
                    problems += [
                        Problem(release=release.name, table=table.name, path=_shown(file.path), message=message)
                        for message in seen[file.path]
                    ]
                problems += [
                    Problem(release=release.name, table=table.name, message=message) for message in _table(store, table)
                ]
    if len(chosen) == len(store.manifests()) and not store.building.exists():
        problems += [
            Problem(path=_shown(str(file.relative_to(store.folder))), message="no release names this file")
            for file in store.stray()
        ]
    return problems


def _readable(store: ReleaseStore, problems: list[Problem]) -> list[Release]:
    releases = []
    for path in store.manifests():
        try:
            releases.append(store.read(path))
        except Invalid as error:
            problems.append(Problem(release=name_of(int(path.stem)), message=str(error)))
    return releases


def _chain(store: ReleaseStore, releases: list[Release]) -> Iterator[Problem]:
    """Each manifest's seal, its link to the one before, and its own sums."""
    previous, number = GENESIS, 1
    for release in releases:
        manifest = read_json(store.manifest(release.number))
        path = _shown(f"releases/{release.number:04d}.json")
        is_wrong = {
            f"release {name_of(number)} is missing before it": release.number != number,
            "the manifest was altered: its seal does not hold": seal_of(manifest) != release.hash,
            "the manifest does not follow the one before it: one was altered, replaced or removed": (
                release.previous != previous
            ),
            "the release's hash is not that of its tables": manifest["content"] != release.content,
        }
        for message in (message for message, is_so in is_wrong.items() if is_so):
            yield Problem(release=release.name, path=path, message=message)
        previous, number = release.hash, release.number + 1


def _ledger(store: ReleaseStore, releases: list[Release]) -> Iterator[Problem]:
    """The manifests are the ones whose seals the ledger holds."""
    faults = store.ledger.verify()
    yield from (Problem(path=fault.path, message=f"line {fault.line}: {fault.message}") for fault in faults)
    if faults:
        return
    known: dict[str, str] = {}
    path = store.ledger.path.name
    for entry in store.ledger.entries():
        if entry.kind == EventKind.RELEASE:
            known[entry.facts["release"]] = entry.facts["hash"]
        elif entry.kind == EventKind.ERASURE:
            # "by" is what entries of before actors were recorded have.
            known |= entry.facts["seals"] if "seals" in entry.facts else entry.facts["by"]
    for release in releases:
        if known.get(release.name) != release.hash:
            message = "the ledger holds another seal" if release.name in known else "the ledger does not know it"
            yield Problem(release=release.name, path=path, message=message)
    for name in sorted(set(known) - {release.name for release in releases}):
        yield Problem(release=name, path=path, message="the ledger knows it, and its manifest is gone")


def _file(store: ReleaseStore, connection: duckdb.DuckDBPyConnection, table: str, file: StoredFile) -> Iterator[str]:
    path = store.path(file.path)
    if not path.exists():
        yield "the file is missing"
        return
    size = path.stat().st_size
    if size != file.bytes:
        yield f"the file has {size:,} bytes, and the manifest says {file.bytes:,}"
    elif sha256_of(path) != file.sha256:
        yield "the file was altered: its SHA-256 is not the manifest's"
    try:
        columns, found = parquet.columns(connection, path), fingerprint(connection, path, table)
    except duckdb.Error:
        yield "the file cannot be read as Parquet"
        return
    if columns != {name: parquet.sql_type(dtype) for name, dtype in CDM[table].schema_of(lineage=True).items()}:
        yield "its columns are not the CDM's"
    if found.rows != file.rows:
        yield f"the file has {found.rows:,} rows, and the manifest says {file.rows:,}"
    elif found.hex != file.content:
        yield "its rows are not those that were written"


def _table(store: ReleaseStore, table: TableVersion) -> Iterator[str]:
    total = sum((Fingerprint.from_hex(file.content, file.rows) for file in table.files), Fingerprint())
    if (total.rows, total.hex) != (table.rows, table.content):
        yield "the table's rows and content are not the sum of its files'"
    try:
        paths = delta_log.paths_at(store.folder / table.name, table.version)
    except OSError:
        yield f"the Delta log has no readable version {table.version}"
        return
    if paths != table.paths:
        yield f"version {table.version} of the Delta log names other files than the manifest"


def _shown(relative: str) -> str:
    return f"archive/{relative}"
