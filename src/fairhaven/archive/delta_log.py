"""The Delta log of one table, so that Spark, Sail, Polars and others read a release by its version.

Only numbers of rows go into the log, never the smallest and largest value of a column: those are a person's.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from deltalake import DeltaTable, Schema
from deltalake.transaction import (
    AddAction,
    CommitProperties,
    PostCommitHookProperties,
    RemoveAction,
    create_table_with_add_actions,
)

from fairhaven.kernel.files import announce_folder, sync
from fairhaven.kernel.listing import listed
from fairhaven.kernel.whole_numbers import whole_number
from fairhaven.omop import CDM
from fairhaven.release.manifest import StoredFile

_LOG = "_delta_log"
# A checkpoint would keep what an erasure must take away, and a log of a few hundred releases does not need one.
_HOOKS = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
_CONFIGURATION: dict[str, str | None] = {"delta.checkpointInterval": "1000000000"}


def commit(
    folder: Path, before: Sequence[StoredFile], after: Sequence[StoredFile], *, release: str, version: int
) -> int:
    """Make *after* the table's files in place of *before*.

    Args:
        folder: the table's folder; its name is the CDM table.
        release: kept in the log for people.
        version: version that *before* is, -1 where there is no table yet.

    Returns:
        the new version.
    """
    schema = Schema.from_arrow(CDM[folder.name].schema_of(lineage=True).to_pyarrow())
    kept = {file.path for file in before} & {file.path for file in after}
    adds = [_add(file) for file in after if file.path not in kept]
    properties = CommitProperties(custom_metadata={"release": release})
    if version < 0:
        create_table_with_add_actions(
            str(folder),
            schema,
            adds,
            name=folder.name,
            configuration=_CONFIGURATION,
            commit_properties=properties,
            post_commithook_properties=_HOOKS,
        )
    else:
        removes = [_remove(file) for file in before if file.path not in kept]
        DeltaTable(folder, version=version).create_write_transaction(
            [*removes, *adds], "append", schema, commit_properties=properties, post_commithook_properties=_HOOKS
        )
    return version + 1


def folder_of(folder: Path) -> Path:
    """Where the log of a table's folder is."""
    return folder / _LOG


def entry_of(folder: Path, version: int) -> Path:
    """The log's file of one version."""
    return folder / _LOG / f"{version:020d}.json"


def entries_after(folder: Path, version: int) -> list[Path]:
    """Files of versions that come after one (-1: all), and whatever else is in the log."""
    numbers = {entry: whole_number(entry.stem, digits=20) for entry in listed(folder / _LOG)}
    return [entry for entry, number in numbers.items() if number is None or number > version]


def is_in_log(path: str) -> bool:
    """Whether a path in the store is one of a file of a table's log."""
    return path.startswith("archive/") and f"/{_LOG}/" in path


def rewind(folder: Path, version: int) -> None:
    """Drop what the log has after *version* (-1: all of it): commits of a killed build, which no release names."""
    for entry in entries_after(folder, version):
        entry.unlink()
    if version < 0:
        shutil.rmtree(folder / _LOG, ignore_errors=True)


def rebuild(folder: Path, staging: Path, history: Sequence[tuple[str, Sequence[StoredFile]]]) -> None:
    """Write the log anew, as if there had never been other files.

    Args:
        staging: an empty folder on the same file system, for work in progress.
        history: release and its files, one for each version from 0.
    """
    fresh, old = staging / "fresh" / folder.name, staging / "old"
    fresh.mkdir(parents=True)
    before: Sequence[StoredFile] = ()
    for version, (release, files) in enumerate(history):
        commit(fresh, before, files, release=release, version=version - 1)
        before = files
    announce_folder(folder / _LOG, fresh / _LOG)
    if (folder / _LOG).exists():
        (folder / _LOG).rename(old)
    (fresh / _LOG).rename(folder / _LOG)
    sync(folder)
    shutil.rmtree(old, ignore_errors=True)


def paths_at(folder: Path, version: int) -> frozenset[str]:
    """Paths that the log names at a version, relative to the archive's folder.

    Raises:
        OSError: there is no such version, or the log cannot be read.
    """
    if strange := [entry for entry in listed(folder / _LOG) if not entry.is_file()]:
        raise OSError(f"{strange[0].name} is no file")  # a pipe would be waited for without end
    try:
        files = DeltaTable(folder, version=version).file_uris()
    except Exception as error:
        raise OSError(str(error)) from error
    # The folder's own name may be written otherwise in a URI; a file's name never is.
    return frozenset(f"{folder.name}/{file.rpartition('/')[2]}" for file in files)


def _add(file: StoredFile) -> AddAction:
    return AddAction(
        path=Path(file.path).name,
        size=file.bytes,
        partition_values={},
        modification_time=0,
        data_change=True,
        stats=json.dumps({"numRecords": file.rows}),
    )


def _remove(file: StoredFile) -> RemoveAction:
    return RemoveAction(Path(file.path).name, True, 0, file.bytes, {})
