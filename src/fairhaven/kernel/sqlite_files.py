"""SQLite files: opened alike, durable before a call returns, private to the hub's account."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType

from fairhaven.kernel.errors import Invalid, NotAllowedNow
from fairhaven.kernel.files import damaged
from fairhaven.kernel.plain_files import open_plain


def open_database(
    path: Path,
    schema: str,
    *,
    version: int,
    migrations: Mapping[int, str] = MappingProxyType({}),
    refusal: Callable[[Path], Invalid] = damaged,
    is_read_through: bool = True,
) -> sqlite3.Connection:
    """Open a file, or make it (mode 0600).

    Args:
        schema: statements that make an empty file's tables.
        version: of the schema; kept in the file.
        migrations: earlier version -> statements that bring its tables into the form of the schema.
        refusal: what is said of a file that is no such database.
        is_read_through: look for damage in the whole file, which takes a large one's time.

    Raises:
        Invalid: the file is damaged, or of another version; nothing of it stays open.
        NotAllowedNow: another process has been writing for half a minute.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(open_plain(path, os.O_RDWR | os.O_CREAT))
    # Calls come from a server's threads one at a time; whoever shares a connection holds a lock.
    connection = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        if is_read_through and connection.execute("PRAGMA quick_check").fetchone() != ("ok",):
            raise refusal(path)
        with transaction(connection):
            _make_or_check(connection, schema, version, migrations, path)
    except sqlite3.DatabaseError as error:
        connection.close()
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise NotAllowedNow(f"another process is writing {path}; nothing was done. Try again.") from None
        raise refusal(path) from None
    except BaseException:
        connection.close()
        raise
    return connection


def _make_or_check(
    connection: sqlite3.Connection, schema: str, version: int, migrations: Mapping[int, str], path: Path
) -> None:
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found == version:
        return
    is_new = found == 0 and connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    if not is_new and found not in migrations:
        raise Invalid(f"{path} was written by another version of Fairhaven: use the version that wrote it.")
    for statement in filter(str.strip, (schema if is_new else migrations[found]).split(";")):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {version}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing; it is on the disk at the end, and no other process writes in between."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def copy_database(connection: sqlite3.Connection, to: Path, *, change: str) -> None:
    """Copy an open database into one new file.

    Args:
        change: a statement by which the copy differs; what it takes away is in no free page of the copy either.
    """
    with closing(sqlite3.connect(to, isolation_level=None)) as copied:
        connection.backup(copied)
        copied.execute("PRAGMA journal_mode = DELETE")
        copied.execute(change)
        copied.execute("VACUUM")


def read_number(path: Path, statement: str) -> int:
    """What a statement finds in a file that nobody writes."""
    with reading(path) as connection:
        return int(connection.execute(statement).fetchone()[0])


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A file as it is, and nothing is changed beside it either."""
    os.close(open_plain(path))
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        yield connection
