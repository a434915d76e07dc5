"""How two releases differ: rows added, changed and gone, table by table.

Files that both releases share hold the same rows, so only the others are read.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_

import ibis
import ibis.expr.types as ir

from fairhaven.archive.model import Change
from fairhaven.archive.release_store import ReleaseStore
from fairhaven.archive.verification import check_files
from fairhaven.engine import Engine
from fairhaven.omop import CDM
from fairhaven.release.manifest import Release, TableVersion


def diff(store: ReleaseStore, earlier: Release, later: Release, engine: Engine) -> Mapping[str, Change]:
    """See `Archive.diff`."""
    return {
        name: _change(store, earlier, later, engine, name)
        for name in CDM
        if name in earlier.tables or name in later.tables
    }


def changes(store: ReleaseStore, earlier: Release, later: Release, engine: Engine, table: str) -> ir.Table:
    """See `Archive.changes`."""
    before, after = _read(store, earlier, later, engine, table)
    key = "person_id" if table == "death" else CDM[table].primary_key
    return _by_key(before, after, key) if key else _by_row(before, after)


def persons_apart(store: ReleaseStore, earlier: Release, later: Release, engine: Engine, *, enough: int) -> int:
    """See `Archive.persons_apart`."""
    if abs(later.rows_of("person") - earlier.rows_of("person")) >= enough:
        return enough
    named = [name for name in CDM if CDM[name].has_person and (name in earlier.tables or name in later.tables)]
    found: set[int] = set()
    # A small table costs least, and tells as well that there are enough.
    for name in sorted(named, key=lambda name: earlier.rows_of(name) + later.rows_of(name)):
        if _version(earlier, name) == _version(later, name):
            continue
        before, after = _read(store, earlier, later, engine, name)
        # Whoever has enough others is found among so many.
        differing = _by_row(before, after).select("person_id").distinct().limit(enough + len(found))
        found.update(engine.fetch(differing)["person_id"].to_pylist())
        if len(found) >= enough:
            return enough
    return len(found)


def _change(store: ReleaseStore, earlier: Release, later: Release, engine: Engine, table: str) -> Change:
    old, new = earlier.tables.get(table), later.tables.get(table)
    if _version(earlier, table) == _version(later, table):
        return Change()
    # Only one side left to read: its rows are all added, or all gone.
    left, right = _unshared(old, new)
    if not left or not right:
        rows = (new.rows if new else 0) - (old.rows if old else 0)
        return Change(added=max(rows, 0), gone=max(-rows, 0))
    found = changes(store, earlier, later, engine, table)
    counts = engine.fetch(found.group_by("change").agg(rows=found["rows"].sum())).to_pylist()
    return Change(**{row["change"]: int(row["rows"]) for row in counts})


def _by_key(before: ir.Table, after: ir.Table, key: str) -> ir.Table:
    """Rows with one key on both sides are compared column by column; an absent value equals an absent value."""
    old = before.rename({f"old_{name}": name for name in before.columns})
    joined = old.outer_join(after, old[f"old_{key}"] == after[key])
    values = [name for name in before.columns if name != key]
    differs = reduce(or_, (~joined[f"old_{name}"].identical_to(joined[name]) for name in values))
    change = ibis.cases(
        (joined[f"old_{key}"].isnull(), "added"),
        (joined[key].isnull(), "gone"),
        (differs, "changed"),
        else_="same",
    )
    rows = joined.select(ibis.coalesce(joined[key], joined[f"old_{key}"]).name(key), change=change)
    return rows.filter(rows["change"] != "same").mutate(rows=ibis.literal(1, type="int64"))


def _by_row(before: ir.Table, after: ir.Table) -> ir.Table:
    """Without a key a row is itself: how often each occurs on either side is compared."""
    one = ibis.literal(1, type="int64")
    both = after.mutate(balance=one).union(before.mutate(balance=-one))
    counted = both.group_by(list(after.columns)).agg(balance=both["balance"].sum())
    changed = counted.filter(counted["balance"] != 0)
    return changed.mutate(
        change=ibis.ifelse(changed["balance"] > 0, "added", "gone"), rows=changed["balance"].abs().cast("int64")
    ).drop("balance")


def _version(release: Release, table: str) -> str:
    """Content of a table; empty where the release has no rows of it."""
    return release.tables[table].content if table in release.tables else ""


def _read(
    store: ReleaseStore, earlier: Release, later: Release, engine: Engine, table: str
) -> tuple[ir.Table, ir.Table]:
    """The rows of either release that stand in files which the other does not have."""
    unshared = _unshared(earlier.tables.get(table), later.tables.get(table))
    for release, paths in zip((earlier, later), unshared, strict=True):
        if paths:
            check_files(store, release.name, [file for file in release.tables[table].files if file.path in paths])
    before, after = (_rows(store, engine, paths, table) for paths in unshared)
    return before, after


def _rows(store: ReleaseStore, engine: Engine, paths: Sequence[str], table: str) -> ir.Table:
    schema = CDM[table].schema_of(lineage=True).to_pyarrow()
    rows = engine.parquet([store.path(path) for path in paths]) if paths else engine.arrow(schema.empty_table())
    return rows.select(*CDM[table].names)


def _unshared(old: TableVersion | None, new: TableVersion | None) -> tuple[list[str], list[str]]:
    before, after = old.paths if old else frozenset(), new.paths if new else frozenset()
    return sorted(before - after), sorted(after - before)
