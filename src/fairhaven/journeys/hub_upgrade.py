"""An older hub brought forward: its ledger into the hub's database, its tables to those of this version, its records into PostgreSQL.

Nothing is taken away before what stands in its place is on the disk; killed, an upgrade is run again and goes on.
"""

import hashlib
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairhaven.journeys.hub_keys import recorded_checks
from fairhaven.journeys.hub_locks import Locked, holding
from fairhaven.journeys.hub_places import NOTES
from fairhaven.journeys.hub_records import DATABASE, database_of, make_records, make_tables
from fairhaven.journeys.model import HubText, Stage
from fairhaven.kernel.errors import Invalid, NotFound
from fairhaven.kernel.files import sync
from fairhaven.kernel.keyring import Keyring
from fairhaven.kernel.listing import listed
from fairhaven.kernel.plain_files import read_plain
from fairhaven.kernel.progress import Progress
from fairhaven.kernel.version import code_version
from fairhaven.ledger import LEDGER, Actor, EarlierLedger, Entry, EventKind, Ledger, SignedHead, read_earlier

if TYPE_CHECKING:
    from fairhaven.records import Database


_MOVED = """CREATE TRIGGER IF NOT EXISTS records_were_moved BEFORE INSERT ON event
BEGIN SELECT RAISE(ABORT, 'the records were moved: open the hub again'); END"""


@dataclass(frozen=True, kw_only=True, slots=True)
class UpgradedHub:
    """What an upgrade did.

    Args:
        stages: what was to be done; none where the hub was of this version.
        entry: number of the ledger's last entry that says so; None where there was nothing to do.
    """

    stages: tuple[Stage, ...]
    entry: int | None


def plan_upgrade(hub: HubText) -> tuple[Stage, ...]:
    """What an upgrade would do, in order; nothing for a hub of this version. Raises as `upgrade_hub`."""
    if not hub.store.is_dir():
        raise NotFound(f"{hub.store} is not there: mount or restore it, and upgrade then")
    return tuple(_ledger_stages(hub) or _table_stages(hub)) + tuple(_key_stages(hub) + _move_stages(hub))


def upgrade_hub(hub: HubText, *, by: Actor, progress: Progress) -> UpgradedHub:
    """Bring a hub forward, whatever version made it.

    Raises:
        NotFound: it has no store, or no keys.
        Invalid: its ledger does not hold, so that nothing can be taken over; or PostgreSQL holds other records.
        NotAllowedNow: a command of the earlier version is still running.
    """
    do = {"ledger": _take_over_ledger, "tables": _change_tables, "key": _publish_key, "move": _move_records}
    with holding(hub, *Locked, act="upgrade", by=by, progress=progress):
        stages, entry = plan_upgrade(hub), None
        for name in dict.fromkeys(stage.name for stage in stages):
            entry = do[name](hub, by) or entry
        if stages:
            with closing(_database(hub)) as database:
                _ledger(hub, database).entries()  # publishes what is not yet
    return UpgradedHub(stages=stages, entry=entry)


def _ledger_stages(hub: HubText) -> list[Stage]:
    if not (hub.store / LEDGER).exists():
        return []
    earlier = _earlier(hub)
    what = f"take over {len(earlier.entries):,} entries of store/{LEDGER} into store/{DATABASE}, then remove that file"
    if not earlier.head:
        # Nothing but what somebody remembers tells whether they were altered.
        what += f" (no earlier version signed them; the last has the hash {earlier.entries[-1][0].hash})"
    return [Stage(name="ledger", what=what)]


def _table_stages(hub: HubText) -> list[Stage]:
    from fairhaven.records.migration import steps

    is_in_file = (hub.store / DATABASE).exists()
    if not (is_in_file or hub.settings.database):
        return []
    with closing(_database(hub)) as database:
        if not database.revision():
            raise Invalid(
                "the hub's database holds no hub's records, so there is nothing to upgrade. Restore it from the hub's backup."
            )
        found = steps(database)
    return [Stage(name="tables", what=f"change the tables of the hub's database: {step}") for step in found]


def _key_stages(hub: HubText) -> list[Stage]:
    if (hub.store / "record.pub").exists():
        return []
    return [Stage(name="key", what="write store/record.pub, the public half of the key that signs the ledger")]


def _publish_key(hub: HubText, by: Actor) -> None:
    """Last of an upgrade: a hub whose public half is there must have had a signed head."""
    del by  # it follows from the key
    Keyring(hub.store / "keys").publish_half()


def _move_stages(hub: HubText) -> list[Stage]:
    if not hub.settings.database or not any((hub.store / name).exists() for name in (DATABASE, LEDGER)):
        return []
    what = f"move the records from store/{DATABASE} to the database of PostgreSQL that hub.toml names, then remove that file"
    return [Stage(name="move", what=what)]


def _take_over_ledger(hub: HubText, by: Actor) -> int:
    earlier, store = _earlier(hub), hub.store
    last, _ = earlier.entries[-1]
    facts = {
        "version": code_version(),
        "ledger": {"size": last.number, "hash": last.hash, "head": earlier.head},
        # Only in hubs so old that nothing was signed; what is put there later is not believed.
        "notes": {} if earlier.head else _notes(hub),
    }
    with closing(make_records(store)) as database:
        ledger = _ledger(hub, database, known=[each for each, _ in earlier.entries])
        entry = ledger.take_over(earlier, facts, by=by)
    (store / LEDGER).unlink()
    sync(store)
    return entry.number


def _change_tables(hub: HubText, by: Actor) -> int:
    from fairhaven.records.migration import migrate

    with closing(_database(hub)) as database:
        migrate(database)
        return _enter_upgrade(hub, database, {"revision": database.revision()}, by)


def _move_records(hub: HubText, by: Actor) -> int:
    from fairhaven.records import Database
    from fairhaven.records.move import is_empty, move_rows

    file = hub.store / DATABASE
    # Nobody writes to the file from here on: whoever has it open still is told, and what they write is nowhere else.
    with (
        closing(Database.at(file)) as source,
        closing(database_of(hub.folder, hub.settings)) as target,
        source.writing() as last,
    ):
        make_tables(target)
        if is_empty(target):
            move_rows(source, target)
        before, after = (_ledger(hub, database).as_read() for database in (source, target))
        if before.entries != after.entries[: before.size]:
            raise Invalid(
                "the database that hub.toml names holds other records than this hub's; nothing was changed. Name an empty one, made for this hub."
            )
        entry = _enter_upgrade(hub, target, {"database": target.dialect}, by)
        last.exec_driver_sql(_MOVED)
    for path in (file, *listed(hub.store, f"{DATABASE}-*")):
        path.unlink(missing_ok=True)
    sync(hub.store)
    return entry


def _database(hub: HubText) -> "Database":
    """The database as it is now: in the file as long as that is there."""
    from fairhaven.records import Database

    file = hub.store / DATABASE
    return Database.at(file) if file.exists() else database_of(hub.folder, hub.settings)


def _ledger(hub: HubText, database: "Database", *, known: Sequence[Entry] = ()) -> Ledger:
    """The ledger in a database, signed by the hub's key.

    Args:
        known: entries that say which keys are the hub's, where the database does not yet.
    """
    keyring = Keyring(hub.store / "keys", recorded=lambda: recorded_checks(known or ledger.as_found().entries))
    ledger = Ledger(hub.store, database=lambda: database, signer=keyring.record, public=keyring.public_half)
    return ledger


def _enter_upgrade(hub: HubText, database: "Database", facts: dict[str, Any], by: Actor) -> int:
    ledger = _ledger(hub, database)
    return ledger.append_change(EventKind.UPGRADED, {"version": code_version(), "notes": {}, **facts}, by=by).number


def _earlier(hub: HubText) -> EarlierLedger:
    keyring = Keyring(hub.store / "keys")
    return read_earlier(hub.store, SignedHead(keyring.public_half), may_lack_head=keyring.is_of_before())


def _notes(hub: HubText) -> dict[str, str]:
    paths: Sequence[str] = [path for path in NOTES if (hub.store / path).exists()]
    return {path: hashlib.sha256(read_plain(hub.store / path)).hexdigest() for path in paths}
