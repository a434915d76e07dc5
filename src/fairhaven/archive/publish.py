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
from fairhaven.archive.release_store import ReleaseStore, Unpublished, latest
from fairhaven.engine import Engine, is_stored
from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.kernel.codec import to_json
from fairhaven.kernel.errors import NotAllowedNow
from fairhaven.kernel.files import sha256_of, sync, write_json
from fairhaven.kernel.progress import Progress
from fairhaven.ledger import Actor, EventKind
from fairhaven.omop import CDM, to_cdm
from fairhaven.release.facts import ReleaseFacts
from fairhaven.release.manifest import GENESIS, Release, StoredFile, TableVersion, manifest_of, name_of, seal_of


def write(
    store: ReleaseStore, engine: Engine, tables: Mapping[str, ir.Table], *, number: int, progress: Progress, inputs: str
) -> Mapping[str, TableVersion]:
    """See `Archive.write`."""
    begun = store.unpublished()
    done = dict(begun.tables) if begun and inputs and inputs == begun.inputs else {}
    store.sweep(keep=done)
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
                write_json(store.building, to_json(Unpublished(number=number, inputs=inputs, tables=done)))
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
    # Said before the commit, so that whoever finishes after a kill enters in the ledger who published.
    begun = store.unpublished() or Unpublished(number=number, inputs="", tables=tables)
    write_json(store.building, to_json(replace(begun, by=by, files=files)))
    write_json(store.manifest(number), manifest_of(release))
    record(store, release, by=by, files=files)
    store.building.unlink()
    return release


def recover(store: ReleaseStore, *, by: Actor) -> None:
    """End a publication that was cut off after its commit: the ledger's entry, and the build's record goes."""
    begun = store.unpublished()
    if begun and (releases := store.as_found()) and begun.number <= releases[-1].number:
        record(store, releases[-1], by=begun.by or by, files=begun.files)
        store.building.unlink()


def sealed(release: Release) -> Release:
    """The release with the hash of its manifest."""
    return replace(release, hash=seal_of(manifest_of(release)))


def record(store: ReleaseStore, release: Release, *, by: Actor, files: Mapping[str, str | None]) -> None:
    """Enter a release in the ledger, once, with the files that came with it."""
    logs = [delta_log.entry_of(store.folder / name, table.version) for name, table in release.tables.items()]
    written = store.ledger.changed([store.manifest(release.number), *logs])
    facts = {"release": release.name, "hash": release.hash}
    store.ledger.append_once(EventKind.RELEASE, facts, by=by, files={**written, **files})


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
