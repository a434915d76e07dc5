"""Is everything still as the manifests say? Files, contents, Delta versions, the chain of manifests and the ledger."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import duckdb

from fairhaven.archive import delta_log, parquet
from fairhaven.archive.fingerprint import Fingerprint, fingerprint
from fairhaven.archive.model import DecidedErasure, Problem
from fairhaven.archive.release_store import RESTORE, ReleaseStore, latest, seals_in
from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.kernel.errors import Fault, Invalid, check_faults
from fairhaven.kernel.files import read_json, readers_scratch, sha256_of
from fairhaven.kernel.progress import Progress
from fairhaven.ledger import EventKind
from fairhaven.omop import CDM
from fairhaven.release.manifest import GENESIS, Release, StoredFile, TableVersion, name_of, seal_of


def verify(store: ReleaseStore, names: frozenset[str], progress: Progress) -> list[Problem]:
    """See `Archive.verify`."""
    problems: list[Problem] = []
    releases = readable_releases(store, problems)
    problems += _chain(store, releases)
    problems += _ledger(store, releases)
    problems += _lost(store)
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
        problems += _unnamed_versions(store, releases)
    return problems


def chain_problems(store: ReleaseStore) -> list[Problem]:
    """What is wrong with manifests, their chain and the ledger; files of rows are not read."""
    problems: list[Problem] = []
    releases = readable_releases(store, problems)
    return [*problems, *_chain(store, releases), *_ledger(store, releases)]


def check_chain(store: ReleaseStore) -> None:
    """See `Archive.check_chain`."""
    seals = store.seals()
    problems: list[Problem] = []
    releases = readable_releases(store, problems)
    under_way = store.erasure()
    if isinstance(under_way, DecidedErasure):  # some are of before, some of after it, until it is finished
        anew = under_way.seals
        seals |= {each.number: each.hash for each in releases if each.hash == anew.get(each.number)}
        _refuse([*problems, *_altered(store, releases), *_unlike(releases, seals)])
        return
    problems += _chain(store, releases)
    # A publication that was cut off before its entry: the archive's next writer enters it.
    if (begun := store.unpublished()) and begun.seal in {release.hash for release in releases}:
        seals |= {begun.number: begun.seal}
    problems += _unlike(releases, seals)
    for name in CDM:
        if table := latest(releases, name):
            path = delta_log.entry_of(Path(name), table.version).as_posix()
            problems += (Problem(path=_shown(path), message=message) for message in _log(store, table))
    _refuse(problems)


def check_rows(store: ReleaseStore, release: Release, tables: Iterable[str]) -> None:
    """See `Archive.check_rows`."""
    versions = [release.tables[name] for name in tables if name in release.tables]
    check_files(store, release.name, [file for table in versions for file in table.files])


def check_files(store: ReleaseStore, release: str, files: Iterable[StoredFile]) -> None:
    """Refuse files of a release that are not those of its manifest."""
    problems = [
        Problem(release=release, path=_shown(file.path), message=message)
        for file in files
        for message in _bytes(store, file, store.sha256_of)
    ]
    _refuse(problems)


def _refuse(problems: Iterable[Problem]) -> None:
    faults = [Fault(message=str(problem)) for problem in problems]
    check_faults([*faults, Fault(message=RESTORE)] if faults else [])


def readable_releases(store: ReleaseStore, problems: list[Problem]) -> list[Release]:
    """Releases whose manifests can be read; the others are added to the problems."""
    releases = []
    for path in store.manifests():
        try:
            releases.append(store.read(path))
        except Invalid as error:
            problems.append(Problem(release=name_of(int(path.stem)), message=str(error)))
    return releases


def _chain(store: ReleaseStore, releases: list[Release]) -> Iterator[Problem]:
    """Each manifest's seal, its link to the one before, and its own sums."""
    yield from _altered(store, releases)
    previous, number = GENESIS, 1
    for release in releases:
        is_wrong = {
            f"release {name_of(number)} is missing before it": release.number != number,
            "the manifest does not follow the one before it: one was altered, replaced or removed": (
                release.previous != previous
            ),
        }
        for message in (message for message, is_so in is_wrong.items() if is_so):
            yield Problem(release=release.name, path=_manifest(release), message=message)
        previous, number = release.hash, release.number + 1


def _altered(store: ReleaseStore, releases: list[Release]) -> Iterator[Problem]:
    for release in releases:
        manifest = read_json(store.manifest(release.number))
        is_wrong = {
            "the manifest was altered: its seal does not hold": seal_of(manifest) != release.hash,
            "the release's hash is not that of its tables": manifest["content"] != release.content,
        }
        for message in (message for message, is_so in is_wrong.items() if is_so):
            yield Problem(release=release.name, path=_manifest(release), message=message)


def _ledger(store: ReleaseStore, releases: list[Release]) -> Iterator[Problem]:
    """The ledger's own faults, else the manifests that are not the ones whose seals it holds."""
    faults = store.ledger.verify()
    yield from (Problem(path=fault.path, message=f"line {fault.line}: {fault.message}") for fault in faults)
    if not faults:
        yield from _unlike(releases, seals_in(store.ledger.as_read().of(EventKind.RELEASE, EventKind.ERASURE)))


def _unlike(releases: list[Release], seals: Mapping[int, str]) -> Iterator[Problem]:
    for release in releases:
        if seals.get(release.number) != release.hash:
            message = "the ledger holds another seal" if release.number in seals else "the ledger does not know it"
            yield Problem(release=release.name, path="ledger", message=message)
    for number in sorted(set(seals) - {release.number for release in releases}):
        yield Problem(release=name_of(number), path="ledger", message="the ledger knows it, and its manifest is gone")


def _file(store: ReleaseStore, connection: duckdb.DuckDBPyConnection, table: str, file: StoredFile) -> Iterator[str]:
    path = store.path(file.path)
    yield from _bytes(store, file, sha256_of)
    if not path.exists():
        return
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


def _bytes(store: ReleaseStore, file: StoredFile, sha256: Callable[[Path], str]) -> Iterator[str]:
    path = store.path(file.path)
    if not path.exists():
        yield "the file is missing"
        return
    size = path.stat().st_size
    if size != file.bytes:
        yield f"the file has {size:,} bytes, and the manifest says {file.bytes:,}"
    elif sha256(path) != file.sha256:
        yield "the file was altered: its SHA-256 is not the manifest's"


def _table(store: ReleaseStore, table: TableVersion) -> Iterator[str]:
    total = sum((Fingerprint.from_hex(file.content, file.rows) for file in table.files), Fingerprint())
    if (total.rows, total.hex) != (table.rows, table.content):
        yield "the table's rows and content are not the sum of its files'"
    yield from _log(store, table)


def _log(store: ReleaseStore, table: TableVersion) -> Iterator[str]:
    try:
        paths = delta_log.paths_at(store.folder / table.name, table.version)
    except OSError:
        yield f"the Delta log has no readable version {table.version}"
        return
    if paths != table.paths:
        yield f"version {table.version} of the Delta log names other files than the manifest"


def _lost(store: ReleaseStore) -> Iterator[Problem]:
    """Files outside the archive that the ledger knows, and that are gone: what was landed, the vault, the vocabularies.

    Whether those that are there are as they were written is looked at where they are used, and by a scrub of the store.
    """
    if store.ledger.verify():
        return
    for path in store.ledger.as_read().files:
        # What this account may not look at is not known to be missing: the hub's own account looks.
        with suppress(PermissionError):
            if not path.startswith(_shown("")) and not (store.store / path).exists():
                yield Problem(path=path, message="the file is missing")


def _unnamed_versions(store: ReleaseStore, releases: list[Release]) -> Iterator[Problem]:
    """Versions of Delta tables that readers of the tables see, and no manifest says what they are."""
    for name in CDM:
        table = latest(releases, name)
        for entry in delta_log.entries_after(store.folder / name, table.version if table else -1):
            path = _shown(str(entry.relative_to(store.folder)))
            yield Problem(table=name, path=path, message="no release has this version of the Delta table")


def _manifest(release: Release) -> str:
    return _shown(f"releases/{release.number:04d}.json")


def _shown(relative: str) -> str:
    return f"archive/{relative}"
