"""SQLite as a hub's database: a file for its owner alone, written to the disk before a transaction ends."""

import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event

from fairhaven.kernel.files import damaged
from fairhaven.kernel.plain_files import open_plain
from fairhaven.records.write_queue import KEYS_LATER, WRITES, waited_too_long

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_NO_TEXT = "Could not decode"
"""How SQLite begins where something else than Fairhaven has put what is no text into a column of text."""
_BY_THE_DISK = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
}


def sqlite_engine(path: Path, *, patience: float) -> Engine:
    """What connects to a file, made (mode 0600) where there is none.

    Args:
        patience: seconds to wait for whoever writes from outside the queue.

    Raises:
        Invalid: something else than a file is there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(open_plain(path, os.O_RDWR | os.O_CREAT))
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        hide_parameters=True,
        connect_args={"timeout": patience, "check_same_thread": False},
        pool_timeout=patience,
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", _in_words(path, patience))
    return engine


def _prepare(connection: sqlite3.Connection, _: object) -> None:
    # BEGIN is written by `_begin`; Python's own begins late, and never at once for writing.
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    writes = options.get(WRITES, True)
    # Both belong to the connection, not to the transaction, so each says them anew.
    connection.exec_driver_sql(f"PRAGMA foreign_keys = {'OFF' if options.get(KEYS_LATER) else 'ON'}")
    connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _in_words(path: Path, patience: float) -> Callable[[ExceptionContext], BaseException | None]:
    def in_words(context: ExceptionContext) -> BaseException | None:
        found = (
            getattr(context.original_exception, "sqlite_errorcode", 0) & 0xFF
        )  # the kind, without what is special about it
        if found in _BUSY:
            return waited_too_long(patience)
        if found in _DAMAGED or str(context.original_exception).startswith(_NO_TEXT):
            return damaged(path)
        if number := _BY_THE_DISK.get(found):
            return OSError(number, os.strerror(number), str(path))
        return None

    return in_words
