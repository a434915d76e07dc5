"""A hub's records: one database, a file of its store or one of PostgreSQL, whose password is not in hub.toml; who opens it, and when.

What loads SQLAlchemy is imported when a database is opened, and not before: commands that open no hub answer at once.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fairhaven.journeys.model import HubText, Settings
from fairhaven.kernel.accounts import why_refused
from fairhaven.kernel.errors import Fault, Invalid, NotAllowedNow, NotFound
from fairhaven.kernel.secret_files import read_secret
from fairhaven.ledger import LEDGER

if TYPE_CHECKING:
    from fairhaven.records import Database

DATABASE = "records.sqlite"
PASSWORD = "FAIRHAVEN_DATABASE_PASSWORD"
"""The variable of the environment that counts before the file."""


def make_records(store: Path) -> "Database":
    """The database of a new hub, with its tables; one that is there already is opened."""
    from fairhaven.records import Database

    database = Database.at(store / DATABASE)
    make_tables(database)
    return database


def make_tables(database: "Database") -> None:
    """Make the tables of all floors where there are none."""
    from fairhaven.people import people_tables  # noqa: F401 - declares its tables, over those of the ledger
    from fairhaven.records import make

    make(database)


def open_records(hub: HubText) -> "Database | None":
    """The database of a hub; None where this account may only read what the hub publishes.

    Raises:
        NotAllowedNow: the hub is of an earlier version or its records are to be moved, and it is to be upgraded first; or it is of a newer one.
        Invalid, NotFound: the database is not there; or as `database_of`.
    """
    store, file = hub.store, hub.store / DATABASE
    if (store / LEDGER).exists():
        if file.exists() or hub.settings.database:
            raise _to_be_upgraded(
                hub,
                f"has its records in a database and {LEDGER} as well: an upgrade was cut short, or something put it there",
            )
        raise _to_be_upgraded(hub, "was made by an earlier version of Fairhaven")
    if hub.settings.database and file.exists():
        raise _to_be_upgraded(hub, f"has its records in {file}, and hub.toml names a database of PostgreSQL for them")
    if not os.access(store, os.W_OK):
        return None
    if not hub.settings.database and not file.exists():
        raise Invalid(
            f"{file} is not there, in which the hub has what was done and by whom; nothing was done. Restore it from the hub's backup, or, "
            "where the records are in PostgreSQL, say so in hub.toml."
        )
    from fairhaven.records import check_current

    database = database_of(hub.folder, hub.settings)
    if hub.settings.database and not database.revision():
        raise Invalid(
            "the database that hub.toml names holds no hub's records; nothing was done. Name the right one, or restore it."
        )
    check_current(database)
    return database


def database_of(folder: Path, settings: Settings, *, environment: Mapping[str, str] = os.environ) -> "Database":
    """The hub's database; it is not asked anything yet.

    Args:
        folder: of the hub.

    Raises:
        NotFound: the file of the password is not there.
        NotAllowedNow: others could read or change it.
        Invalid: it holds no password; or the address cannot be used.
    """
    from fairhaven.records import Database

    if not settings.database:
        return Database.at(folder / "store" / DATABASE)
    return Database.named(settings.database, _password(folder, settings.database_password_file, environment))


def _to_be_upgraded(hub: HubText, why: str) -> NotAllowedNow:
    return NotAllowedNow(
        f"{hub.folder} {why}; nothing was done. Run `fairhaven upgrade {hub.folder} --plan` to see what an upgrade would do, and "
        f"`fairhaven upgrade {hub.folder}` to do it."
    )


def _password(folder: Path, file: str, environment: Mapping[str, str]) -> str:
    if given := environment.get(PASSWORD):
        return given
    if not file:
        # The server may know the account by its socket, or PostgreSQL's own means give a password (~/.pgpass).
        return ""
    path = folder / file
    try:
        held = read_secret(path, if_read="if others may have read it, change the password").decode().rstrip("\r\n")
    except FileNotFoundError:
        raise NotFound(
            f"{path}, which `database_password_file` of hub.toml names, is not there: put the password into it, for this account alone to read "
            f"(chmod 600), or set {PASSWORD}."
        ) from None
    except PermissionError:
        raise Invalid(Fault(path=str(path), message=why_refused(path))) from None
    except (OSError, UnicodeDecodeError):
        raise Invalid(
            Fault(path=str(path), message="cannot be read as a line of text: write the password of the database there")
        ) from None
    if not held or "\n" in held:
        raise Invalid(Fault(path=str(path), message="is not one line with the password of the database"))
    return held
