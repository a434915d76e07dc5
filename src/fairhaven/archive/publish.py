"""A new release: tables written, then sealed by their manifest."""

import datetime as dt
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import duckdb
import ibis.expr.types as ir

from fairhaven.archive import delta_log, parquet
from fairhaven.archive.fingerprint import Fingerprint, fingerprint
from fairhaven.archive.model import Unpublished
from fairhaven.archive.release_store import ReleaseStore, latest
from fairhaven.engine import Engine, is_stored
from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.kernel.codec import to_json
from fairhaven.kernel.errors import NotAllowedNow
from fairhaven.kernel.files import sha256_of, sync, write_json
from fairhaven.kernel.progress import Progress
from fairhaven.ledger import Actor, EventKind, content_hash, hash_of_json
from fairhaven.omop import CDM, to_cdm
from fairhaven.release.facts import ReleaseFacts
from fairhaven.release.manifest import GENESIS, Release, StoredFile, TableVersion, manifest_of, name_of, seal_of


def write(
    store: ReleaseStore,
    engine: Engine,
    tables: Mapping[str, ir.Table],
    *,
    number: int,
    by: Actor,
    progress: Progress,
    inputs: str,
) -> Mapping[str, TableVersion]:
    """See `Archive.write`."""
    begun = store.unpublished()
    is_same = begun is not None and inputs and (begun.inputs, begun.number) == (inputs, number)
    done = dict(begun.tables) if begun and is_same and _is_whole(store, begun) else {}
    store.sweep(keep=done)
    if not done:
        store.build_notes.begin({"number": number, "inputs": inputs}, by=by)
    releases = store.releases()
    with store.work() as work, open_duckdb(spill=work, reaches=[work]) as connection:
        for position, (name, expression) in enumerate(tables.items()):
            progress.advance(position, len(tables), "tables")
            if name not in done:
                before = latest(releases, name)
                written = _written(
                    store,
                    engine,
                    connection,
                    work / name,
                    expression,
                    before,
                    table=name,
                    release=name_of(number),
                )
                done[name] = _committed(store, written, before, number)
                is_new = before is None or done[name].version != before.version
                log = delta_log.entry_of(store.folder / name, done[name].version)
                store.build_notes.note(
                    {"table": to_json(done[name])}, files={store.inside(log): content_hash(log)} if is_new else {}
                )
    progress.advance(len(tables), len(tables), "tables")
    return {name: done[name] for name in tables}


def publish(
    store: ReleaseStore,
    *,
    number: int,
    as_of: dt.date,
    tables: Mapping[str, TableVersion],
    facts: ReleaseFacts,
    by: Actor,
    files: Mapping[str, str | None],
) -> Release:
    """See `Archive.publish`."""
    releases = store.releases()
    if number != len(releases) + 1:
        raise NotAllowedNow(f"release {name_of(number)} cannot follow {len(releases)} releases: build again")
    release = sealed(
        Release(
            number=number,
            as_of=as_of,
            tables=tables,
            facts=facts,
            previous=releases[-1].hash if releases else GENESIS,
            salt=secrets.token_hex(16),
        )
    )
    shutil.rmtree(store.description(number), ignore_errors=True)
    if store.unpublished() is None:
        store.build_notes.begin({"number": number, "inputs": ""}, by=by)
    # Said before the commit: whoever finishes after a kill enters in the ledger what was published, and who did it.
    manifest = {store.inside(store.manifest(number)): hash_of_json(manifest_of(release))}
    store.build_notes.note({"release": release.hash}, files={**files, **manifest}, by=by)
    write_json(store.manifest(number), manifest_of(release))
    _record(store, release, by=by)
    return release


def recover(store: ReleaseStore) -> None:
    """End a publication that was cut off after its commit: the ledger's entry, and the build's notes go."""
    notes = store.build_notes
    if not notes.is_open():
        return
    begun = store.unpublished()
    if begun is None:  # of before, or entered already
        notes.end()
    elif begun.seal:
        path = store.manifest(begun.number)
        if path.exists() and content_hash(path) == notes.files().get(store.inside(path)):
            _record(store, store.read(path), by=begun.by)


def sealed(release: Release) -> Release:
    """The release with the hash of its manifest."""
    return replace(release, hash=seal_of(manifest_of(release)))


def _record(store: ReleaseStore, release: Release, *, by: Actor) -> None:
    """Enter a release in the ledger with the files that came with it, as the build's notes have them."""
    files = store.ledger.not_entered(store.build_notes.files())
    store.ledger.append(EventKind.RELEASE, {"release": release.name, "hash": release.hash}, by=by, files=files)
    store.build_notes.end()


def _is_whole(store: ReleaseStore, begun: Unpublished) -> bool:
    """Whether all that a killed build has written is as it wrote it."""
    logs = {path: digest for path, digest in store.build_notes.files().items() if delta_log.is_in_log(path)}
    rows = {store.path(file.path): file.sha256 for table in begun.tables.values() for file in table.files}
    is_kept = all(content_hash(store.store / path) == digest for path, digest in logs.items())
    return is_kept and all(content_hash(path) == digest for path, digest in rows.items())


def placed_file(
    store: ReleaseStore,
    connection: duckdb.DuckDBPyConnection,
    staged: Path,
    *,
    table: str,
    bucket: int,
    release: str,
    sha256: str,
) -> StoredFile:
    """Give a finished file its place and its facts; it is on the disk when this returns."""
    rows = fingerprint(connection, staged, table)
    path = f"{table}/{release}-{bucket:03d}-{sha256[:12]}.parquet"
    sync(staged)
    size = staged.stat().st_size
    store.path(path).parent.mkdir(parents=True, exist_ok=True)
    staged.replace(store.path(path))
    return StoredFile(path=path, sha256=sha256, bytes=size, rows=rows.rows, bucket=bucket, content=rows.hex)


def with_files(table: TableVersion, files: tuple[StoredFile, ...], version: int) -> TableVersion:
    """The table with other files, and the sums that follow from them."""
    total = sum((Fingerprint.from_hex(file.content, file.rows) for file in files), Fingerprint())
    return replace(table, files=files, rows=total.rows, content=total.hex, version=version)


def _written(
    store: ReleaseStore,
    engine: Engine,
    connection: duckdb.DuckDBPyConnection,
    staging: Path,
    expression: ir.Table,
    before: TableVersion | None,
    *,
    table: str,
    release: str,
) -> TableVersion:
    """Write a table's files; those that are byte for byte an earlier release's are that release's."""
    kept = expression if is_stored(expression) else engine.keep(expression)
    try:
        cast = kept if kept.schema() == CDM[table].schema_of(lineage=True) else to_cdm(kept, table)
        buckets = parquet.bucket_count(table, engine.count(kept), before.buckets if before else None)
        written = engine.write(
            cast, staging, order_by=parquet.order(table), buckets=buckets, bucket_by=parquet.bucket_column(table)
        )
    finally:
        if kept is not expression:
            engine.drop(kept)
    earlier = {(file.bucket, file.sha256): file for file in before.files} if before else {}
    files = []
    for bucket, staged in sorted(written.items()):
        sha256 = sha256_of(staged)
        files.append(
            earlier.get((bucket, sha256))
            or placed_file(store, connection, staged, table=table, bucket=bucket, release=release, sha256=sha256)
        )
    shutil.rmtree(staging)
    empty = TableVersion(name=table, rows=0, version=-1, content="", buckets=buckets, files=())
    return with_files(empty, tuple(files), -1)


def _committed(store: ReleaseStore, table: TableVersion, last: TableVersion | None, number: int) -> TableVersion:
    """Enter the table's files in its Delta log, unless nothing changed."""
    folder = store.folder / table.name
    folder.mkdir(parents=True, exist_ok=True)
    sync(folder)
    if last is not None and last.paths == table.paths:
        return replace(table, version=last.version)
    before, version = (last.files, last.version) if last else ((), -1)
    new = delta_log.commit(folder, before, table.files, release=name_of(number), version=version)
    return replace(table, version=new)
