"""Which revision the tables of a database must have: the newest there is, by its file. Alembic, which takes long to import, is not asked."""

from functools import cache
from pathlib import Path

from sqlalchemy import inspect, text

from fairhaven.kernel.errors import Invalid, NotAllowedNow
from fairhaven.kernel.listing import listed
from fairhaven.records.database import Database
from fairhaven.records.schema import METADATA

_PREFIX = "revision_"
_VERSION_TABLE = "alembic_version"


@cache
def head() -> str:
    """The newest revision, of ``migrations/versions/revision_NNNN_what_it_does.py`` the number."""
    newest = listed(Path(__file__).parent / "migrations" / "versions", f"{_PREFIX}*.py")[-1]
    return newest.name.removeprefix(_PREFIX).partition("_")[0]


def check_current(database: Database) -> None:
    """Refuse a database whose tables are not those of this version of Fairhaven.

    Raises:
        NotAllowedNow: it is to be upgraded first, or was written by a newer version.
        Invalid: it has no tables of a hub.
    """
    found = check_not_newer(database)
    if not found:
        raise Invalid("the hub's database holds no hub's records; nothing was done. Restore it from the hub's backup.")
    if found != head():
        raise NotAllowedNow(
            "the hub's records are of an earlier Fairhaven; nothing was done. Run `fairhaven upgrade DIR --plan` to see what an upgrade would "
            "do, and `fairhaven upgrade DIR` to do it."
        )


def check_not_newer(database: Database) -> str:
    """The revision of a database's tables.

    Raises:
        NotAllowedNow: it was written by a newer version of Fairhaven.
    """
    found = database.revision()
    if found > head():
        raise NotAllowedNow(
            f"the hub's records were written by a newer Fairhaven (revision {found}, and this one knows {head()}): use that version."
        )
    return found


def make(database: Database) -> None:
    """Make every table of a new hub's database at once, as the revisions one after another would; of one that has tables nothing is changed.

    Whoever calls it has imported the floors that declare tables.
    """
    with database.changing_tables() as connection:
        if inspect(connection).has_table(_VERSION_TABLE):
            return
        METADATA.create_all(connection)
        # As Alembic makes it.
        key = f"CONSTRAINT {_VERSION_TABLE}_pkc PRIMARY KEY (version_num)"
        connection.exec_driver_sql(f"CREATE TABLE {_VERSION_TABLE} (version_num VARCHAR(32) NOT NULL, {key})")
        connection.execute(text(f"INSERT INTO {_VERSION_TABLE} VALUES (:revision)"), {"revision": head()})
