"""SQLite files of this room: opened alike, durable before a call returns, private to the hub's account."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fairhaven.kernel.errors import Invalid
from fairhaven.kernel.files import damaged


def open_database(path: Path, schema: str, *, version: int) -> sqlite3.Connection:
    """Open a file, or make it (mode 0600).

    Args:
        schema: statements that make an empty file's tables.
        version: of the schema; kept in the file.

    Raises:
        Invalid: the file is damaged, or of another version.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    # Calls come from a server's threads one at a time; whoever shares a connection holds a lock.
    connection = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        if connection.execute("PRAGMA quick_check").fetchone() != ("ok",):
            raise damaged(path)
        with transaction(connection):
            (found,) = connection.execute("PRAGMA user_version").fetchone()
            if found == 0:
                for statement in filter(str.strip, schema.split(";")):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {version}")
            elif found != version:
                raise Invalid(
                    f"{path} was written by another version of Fairhaven; use that one, or move the file away."
                )
    except sqlite3.DatabaseError:
        connection.close()
        raise damaged(path) from None
    except BaseException:
        connection.close()
        raise
    return connection


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
