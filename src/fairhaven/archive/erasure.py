"""Erasing persons from every release, so that no file of the archive holds anything of them.

What goes: their rows in every table that has a person, under another's key too (`split_persons`); rows that hang on those
rows (notes' terms, episodes' events, costs, relationships); and locations that only they have. Row identifiers are keyed digests, so one number means one row
in the whole hub. Releases are sealed anew from the first one touched; Delta logs are written anew, so that no row count
of before remains; what describes the releases is removed, to be made again.

The order makes it safe to be killed at any moment. The intent is noted first (`erasure.json`, with the persons). New
files are written beside the old. Then the new manifests are noted, which is the moment of decision.
After it the work is only carried out: manifests, logs, removal, ledger; done again, it gives the same.
"""

import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from fairhaven.archive import delta_log, parquet, verification
from fairhaven.archive.model import BegunErasure, DecidedErasure, Erasure, SplitRow, touched_by
from fairhaven.archive.publish import placed_file, sealed, with_files
from fairhaven.archive.release_store import ReleaseStore
from fairhaven.archive.rows_of_persons import Belonging
from fairhaven.archive.split_persons import find_split_persons, of_persons
from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.kernel.codec import to_json
from fairhaven.kernel.files import readers_scratch, sha256_of, write_json
from fairhaven.kernel.progress import Progress
from fairhaven.ledger import Actor, EventKind, hash_of_json
from fairhaven.release.manifest import Release, StoredFile, TableVersion, manifest_of, read_manifest


def plan_erase(store: ReleaseStore, person_keys: Sequence[int], split: Sequence[SplitRow]) -> Erasure:
    """See `Archive.plan_erase`."""
    # The archive's own folder for work is that of whoever holds its lock.
    with readers_scratch() as work, open_duckdb(spill=work, reaches=[store.folder]) as connection:
        return _plan(store, connection, person_keys, split).erasure


def check_rows_of(store: ReleaseStore, person_keys: Sequence[int]) -> None:
    """See `Archive.check_rows_of`."""
    for release in store.releases():
        verification.check_files(
            store, release.name, [file for table in release.tables.values() for file in _candidates(table, person_keys)]
        )


def erase(
    store: ReleaseStore,
    person_keys: Sequence[int],
    *,
    split: Sequence[SplitRow],
    facts: Mapping[str, Any],
    by: Actor,
    files: Mapping[str, str | None],
    progress: Progress,
) -> Erasure:
    """See `Archive.erase`."""
    resume(store, by=by, progress=progress)
    begun = BegunErasure(persons=tuple(sorted(set(person_keys))), facts=facts, by=by, split=tuple(split))
    store.erasure_notes.begin(to_json(begun), by=by, files=files)
    return _carry_out(store, begun, by=by, progress=progress)


def resume(store: ReleaseStore, *, by: Actor, progress: Progress) -> None:
    """Finish an erasure that was cut short; nothing to do where there is none."""
    notes, under_way = store.erasure_notes, store.erasure()
    if under_way and notes.before() is not None:  # of a version without such notes
        notes.begin(to_json(under_way), by=under_way.by or by)
    match under_way:
        case BegunErasure() as begun:
            check_rows_of(store, begun.touched)
            _carry_out(store, begun, by=begun.by or by, progress=progress)
        case DecidedErasure() if _is_entered(store):
            notes.end()
        case DecidedErasure() as decided:
            _finish(store, decided, by=decided.by or by)


def files_under_way(store: ReleaseStore) -> dict[str, str | None]:
    """Path in the store -> content hash of files that an erasure or a build under way has decided or written, beside those
    that its notes name one by one; None for what goes.

    Raises:
        Invalid: notes are not this hub's.
    """
    found: dict[str, str | None] = {}
    tables = list(begun.tables.values()) if (begun := store.unpublished()) else []
    decided = store.erasure()
    if isinstance(decided, DecidedErasure) and store.erasure_notes.before() is None and not _is_entered(store):
        kept = store.ledger.files()
        for manifest in decided.manifests:
            release = read_manifest(manifest, path=store.erasing)
            description = f"{store.inside(store.description(release.number))}/"
            found |= {path: None for path in kept if path.startswith(description)}
            found[store.inside(store.manifest(release.number))] = hash_of_json(manifest)
            tables += release.tables.values()
    return found | {store.inside(store.path(file.path)): file.sha256 for table in tables for file in table.files}


def _is_entered(store: ReleaseStore) -> bool:
    """Whether manifests were put in place since the decision: by the erasure itself, or later.

    Notes of another time, put there again, would else bring back the manifests of that time.
    """
    decided = next(note.entries for note in reversed(store.erasure_notes.notes()) if note.facts)
    entries = store.ledger.entries_of(EventKind.ERASURE, EventKind.RELEASE)
    return any(entry.number > decided for entry in entries)


def _carry_out(store: ReleaseStore, begun: BegunErasure, *, by: Actor, progress: Progress) -> Erasure:
    # An unpublished build may hold the persons too.
    store.sweep()
    with store.work() as work, open_duckdb(spill=work, reaches=[store.folder]) as connection:
        plan = _plan(store, connection, begun.persons, begun.split)
        rewritten: dict[str, StoredFile | None] = {}
        for done, (file, table) in enumerate(plan.files):
            progress.advance(done, len(plan.files), "files")
            rewritten[file.path] = _rewrite(store, work / "erased.parquet", connection, plan.belonging, table, file)
    if plan.erasure.is_empty:
        store.erasure_notes.end()
        return plan.erasure
    decided = DecidedErasure(
        facts=begun.facts,
        by=by,
        tables=tuple(sorted({table for _, table in plan.files})),
        superseded=plan.erasure.superseded,
        manifests=tuple(manifest_of(release) for release in _sealed_anew(plan.releases, rewritten)),
    )
    store.erasure_notes.note(to_json(decided))
    _finish(store, decided, by=by)
    return plan.erasure


def _finish(store: ReleaseStore, decided: DecidedErasure, *, by: Actor) -> None:
    releases = [read_manifest(manifest, path=store.erasing) for manifest in decided.manifests]
    for release, manifest in zip(releases, decided.manifests, strict=True):
        write_json(store.manifest(release.number), manifest)
        shutil.rmtree(store.description(release.number), ignore_errors=True)
    everything = store.as_found()
    notes = store.erasure_notes
    with store.work() as work, notes.noting(is_mine=delta_log.is_in_log):
        for table in decided.tables:
            delta_log.rebuild(store.folder / table, work, _history(everything, table))
    store.sweep()
    kept = store.ledger.files()
    descriptions = tuple(f"{store.inside(store.description(release.number))}/" for release in releases)
    manifests = {
        store.inside(store.manifest(release.number)): hash_of_json(manifest)
        for release, manifest in zip(releases, decided.manifests, strict=True)
    }
    written = store.ledger.not_entered(notes.files())
    store.ledger.append(
        EventKind.ERASURE,
        {
            **decided.facts,
            "superseded": dict(decided.superseded),
            "seals": {release.name: release.hash for release in releases},
        },
        by=by,
        files={**{path: None for path in kept if path.startswith(descriptions)}, **manifests, **written},
    )
    notes.end()


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What goes, with the means to do it."""

    erasure: Erasure
    releases: Sequence[Release]
    belonging: Belonging
    files: Sequence[tuple[StoredFile, str]]


def _plan(
    store: ReleaseStore,
    connection: duckdb.DuckDBPyConnection,
    person_keys: Sequence[int],
    split: Sequence[SplitRow],
) -> _Plan:
    releases = store.releases()
    others = find_split_persons(store, connection, releases, split)
    belonging = Belonging(connection, {*person_keys, *others.lost}, others)
    touched = touched_by(person_keys, split)
    tables = [table for release in releases for table in release.tables.values()]
    for table in tables:
        belonging.gather(table.name, [store.path(file.path) for file in _candidates(table, touched)])
    belonging.gather_locations(
        {
            name: sorted({store.path(path) for table in tables if table.name == name for path in table.paths})
            for name in _PLACED
        }
    )
    candidates = {file.path: (file, table.name) for table in tables for file in _candidates(table, touched)}
    going = {path: belonging.count(table, store.path(path)) for path, (_, table) in candidates.items()}
    files = [candidates[path] for path, rows in going.items() if rows]
    rows = {
        release.name: {
            name: gone
            for name, table in release.tables.items()
            if (gone := sum(going.get(file.path, 0) for file in table.files))
        }
        for release in releases
    }
    rows = {name: counts for name, counts in rows.items() if counts}
    first = next((position for position, release in enumerate(releases) if release.name in rows), len(releases))
    erasure = Erasure(
        persons=len(set(person_keys)),
        rows=rows,
        files=len(files),
        superseded={release.name: release.hash for release in releases[first:]},
    )
    return _Plan(erasure=erasure, releases=releases, belonging=belonging, files=files)


_PLACED = ("person", "care_site", "location")


def _candidates(table: TableVersion, person_keys: Sequence[int]) -> list[StoredFile]:
    """Files that can hold rows of the persons."""
    if not parquet.person_column(table.name):
        return list(table.files) if table.name in Belonging.DEPENDENT else []
    return of_persons(table, person_keys)


def _rewrite(
    store: ReleaseStore,
    staged: Path,
    connection: duckdb.DuckDBPyConnection,
    belonging: Belonging,
    table: str,
    file: StoredFile,
) -> StoredFile | None:
    """The file without the persons' rows; None where no row is left."""
    if belonging.write_others(table, store.path(file.path), staged) == 0:
        return None
    release = Path(file.path).name.partition("-")[0]
    return placed_file(
        store, connection, staged, table=table, bucket=file.bucket, release=release, sha256=sha256_of(staged)
    )


def _sealed_anew(releases: Sequence[Release], rewritten: Mapping[str, StoredFile | None]) -> list[Release]:
    """New manifests from the first release touched on, each linked to the one before."""
    names = {Path(path).parent.name for path in rewritten}
    changed: list[Release] = []
    versions: dict[str, tuple[int, frozenset[str]]] = {}
    for release in releases:
        tables = {
            name: _without(table, rewritten) if name in names else table for name, table in release.tables.items()
        }
        for name in names & set(tables):
            version, paths = versions.get(name, (-1, None))
            if tables[name].paths != paths:
                versions[name] = (version + 1, tables[name].paths)
            tables[name] = replace(tables[name], version=versions[name][0])
        if changed or any(tables[name].paths != release.tables[name].paths for name in tables):
            anew = replace(
                release,
                tables=tables,
                previous=changed[-1].hash if changed else release.previous,
                salt=secrets.token_hex(16),
                supersedes=(*release.supersedes, release.hash),
            )
            changed.append(sealed(anew))
    return changed


def _without(table: TableVersion, rewritten: Mapping[str, StoredFile | None]) -> TableVersion:
    files = (rewritten.get(file.path, file) for file in table.files)
    return with_files(table, tuple(file for file in files if file is not None), table.version)


def _history(releases: Sequence[Release], table: str) -> list[tuple[str, Sequence[StoredFile]]]:
    """Files of each Delta version: a release that changed nothing has the version before."""
    history: list[tuple[str, Sequence[StoredFile]]] = []
    for release in releases:
        if table in release.tables and release.tables[table].version == len(history):
            history.append((release.name, release.tables[table].files))
    return history
