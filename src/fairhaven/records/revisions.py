"""Which revision the tables of a database must have: the newest there is, by its file. Alembic, which takes long to import, is not asked."""

from functools import cache
from pathlib import Path

from fairhaven.kernel.errors import NotAllowedNow
from fairhaven.kernel.listing import listed
from fairhaven.records.database import Database

_PREFIX = "revision_"


@cache
def head() -> str:
    """The newest revision, of ``migrations/versions/revision_NNNN_what_it_does.py`` the number."""
    newest = listed(Path(__file__).parent / "migrations" / "versions", f"{_PREFIX}*.py")[-1]
    return newest.name.removeprefix(_PREFIX).partition("_")[0]


def check_current(database: Database) -> None:
    """Refuse a database whose tables are not those of this version of Fairhaven.

    Raises:
        NotAllowedNow: it is to be upgraded first, or was written by a newer version.
    """
    if check_not_newer(database) != head():
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
