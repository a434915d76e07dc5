"""A hub's rooms, plugged together."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from fairhaven.archive import Archive
from fairhaven.engine import open_engine
from fairhaven.hub.hub_files import read_text
from fairhaven.hub.store_modes import modes_of
from fairhaven.intake import Intake
from fairhaven.journeys.hub_keys import recorded_checks
from fairhaven.journeys.hub_places import STORE
from fairhaven.journeys.hub_records import open_records
from fairhaven.journeys.model import Rooms
from fairhaven.kernel.errors import NotFound
from fairhaven.kernel.files import clear_scratch
from fairhaven.kernel.keyring import Keyring
from fairhaven.kernel.listing import listed
from fairhaven.kernel.outputs import REMOVED, clear_noted
from fairhaven.ledger import Ledger
from fairhaven.linkage import Vault


def open_hub(folder: Path, *, tell: Callable[[str], object] = lambda _: None) -> Rooms:
    """Read a hub's files and wire its rooms; what of its store was open to others is closed, and what killed commands left is removed.

    Args:
        tell: is given a sentence for the person at the keyboard where there was something of that.

    Raises:
        NotFound: no hub is there, or its store is not. (That keys are missing shows when one is needed.)
        Invalid: its files have faults; all of them are named. Or its database is not there.
        NotAllowedNow: an earlier version made it, and it is to be upgraded first.
    """
    text = read_text(folder)
    store = folder / "store"
    if not store.is_dir():
        raise NotFound(
            f"{store} is not there, so everything that this hub has received and released is out of reach. Mount or "
            "restore it; a new hub is made by `fairhaven init` in a folder of its own."
        )
    modes_of(text).close(tell=tell)
    for left in _removed(store):
        tell(REMOVED.format(left))
    database = open_records(text)
    keyring = Keyring(store / "keys", recorded=lambda: recorded_checks(ledger.as_found().entries))
    ledger = Ledger(
        store, database=(lambda: database) if database else None, signer=keyring.record, public=keyring.public_half
    )
    return Rooms(
        **vars(text),
        keyring=keyring,
        intake=Intake(
            store,
            envelope=keyring.deliveries,
            pseudonyms=keyring.pseudonyms,
            birth_date=text.settings.birth_date,
            limits=text.settings.expansion,
        ),
        vault=Vault(store / "vault", keyring.vault),
        archive=Archive(store, ledger=ledger),
        ledger=ledger,
        database=database,
        new_engine=partial(open_engine, text.settings.engine, reaches=_rows(store)),
    )


def _rows(store: Path) -> list[Path]:
    """Folders that an engine reads and writes; keys, vault and what was delivered are not among them."""
    return [store / place.path for place in STORE if place.has_rows and "/" not in place.path]


def _removed(store: Path) -> Iterator[Path]:
    """Folders for work in progress, and outputs beside the places that they were to have, that no living command uses.

    What is half written and has no lock of its own goes with the next command that holds the lock of what it belongs to
    (`journeys.persons.recovery`).
    """
    if os.access(store, os.W_OK):
        yield from clear_noted(store / "outputs")
        described = [path for path in listed(store / "archive/releases") if path.is_dir()]
        for place in (store / "scratch", store / "vocabulary", *described):
            yield from clear_scratch(place)
