"""A hub's database: SQLite in its store, or PostgreSQL. One writes at a time, and a reader sees one moment.

Values never reach a message: SQLAlchemy names no parameters, and where PostgreSQL's own words name values the rule's name stands instead.
"""

import errno
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from fairhaven.kernel.errors import Invalid, NotAllowedNow
from fairhaven.kernel.files import damaged
from fairhaven.kernel.plain_files import open_plain
from fairhaven.records.write_queue import ThreadQueue, WriteQueue, waited_too_long

PATIENCE = 60.0
"""Seconds for which whoever wants to write waits for others."""
_DRIVER = "postgresql+psycopg"
_ADVISORY_LOCK = 0x46616972  # "Fair", so that the number is hardly another program's
_WRITES, _KEYS_LATER = "fairhaven_writes", "fairhaven_keys_later"
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BY_THE_DISK = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
}
_LOCK_NOT_AVAILABLE = "55P03"
_TELLS_VALUES = ("22", "23")
"""Classes of PostgreSQL's errors whose messages name values: data that does not fit, and rows that break a rule."""


class Database:
    """The one database of a hub. Threads may share it; a process that is forked opens its own.

    Made by `at` or `named`.
    """

    def __init__(self, engine: Engine, turn: Callable[[float], AbstractContextManager[None]], patience: float) -> None:
        self._engine = engine
        self._turn = turn
        self._patience = patience
        self._local = threading.local()

    @classmethod
    def at(cls, path: Path, *, patience: float = PATIENCE) -> Self:
        """An SQLite file, made (mode 0600) where there is none; writers queue by locks in ``locks`` beside it.

        Args:
            path: the file.
            patience: seconds to wait for others who write.

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
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        event.listen(engine, "handle_error", _sqlite_errors(path, patience))
        return cls(engine, WriteQueue(path.parent / "locks", path.stem).turn, patience)

    @classmethod
    def named(cls, url: str, password: str = "", *, patience: float = PATIENCE) -> Self:
        """A database of PostgreSQL.

        Args:
            url: ``postgresql+psycopg://user@host/name``, without a password.
            password: of the user; empty where the server asks for none.
            patience: seconds to wait for others who write.

        Raises:
            Invalid: another kind of database, a password in the URL, or the driver is not installed.
        """
        address = checked_url(url).set(password=password or None)
        try:
            engine = create_engine(
                address,
                hide_parameters=True,
                isolation_level="READ COMMITTED",
                pool_timeout=patience,
                # A server that was started anew is not told of as an error.
                pool_pre_ping=True,
            )
        except ImportError:
            raise Invalid(
                "the hub's database is PostgreSQL, whose driver is not installed: pip install 'fairhaven[postgresql]'"
            ) from None
        event.listen(engine, "begin", _begin_postgresql(patience))
        event.listen(engine, "handle_error", _postgresql_errors(patience))
        # Threads queue before they have a connection, of which there are not as many; processes queue at the server.
        return cls(engine, ThreadQueue().turn, patience)

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction that alone writes: all of it is on the disk at the block's end, or nothing where it raises.

        Raises:
            NotAllowedNow: others wrote all the while that this one had patience for, or the database does not answer.
        """
        with self._writing() as connection:
            yield connection

    @contextmanager
    def changing_tables(self) -> Iterator[Connection]:
        """As `writing`, for migrations: SQLite changes a table by making it anew, and keys that point to it are looked at when all is done.

        Raises:
            Invalid: a row then names another that is not there; nothing was changed.
        """
        with self._writing(**{_KEYS_LATER: True}) as connection:
            yield connection
            if self.dialect == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                raise Invalid(
                    "a row of the hub's records names another that is not there, so nothing was changed: restore them from the backup"
                )

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One moment of the database, whatever is written meanwhile; writing is an error.

        Raises:
            NotAllowedNow: the database does not answer.
        """
        with self._connection(writes=False) as connection, connection.begin():
            yield connection

    def revision(self) -> str:
        """Which revision of its tables it has; empty where it has none yet."""
        with self.reading() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return ""
            return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")

    def close(self) -> None:
        """Close what is open of it."""
        self._engine.dispose()

    @contextmanager
    def _writing(self, **options: bool) -> Iterator[Connection]:
        if getattr(self._local, "is_writing", False):
            raise RuntimeError("this thread is writing already, and would wait for itself")
        self._local.is_writing = True
        try:
            with self._turn(self._patience), self._connection(writes=True, **options) as connection, connection.begin():
                yield connection
        finally:
            self._local.is_writing = False

    @contextmanager
    def _connection(self, *, writes: bool, **options: bool) -> Iterator[Connection]:
        try:
            connection = self._engine.connect()
        except PoolTimeout:
            raise waited_too_long(self._patience) from None
        with connection:
            connection.execution_options(**{_WRITES: writes}, **options, **self._isolation(writes))
            yield connection

    def _isolation(self, writes: bool) -> Mapping[str, Any]:
        if self.dialect == "sqlite" or writes:
            # Of PostgreSQL each statement of a writer sees what those before it in the queue have written.
            return {}
        return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


def checked_url(url: str) -> URL:
    """The address of a database of PostgreSQL.

    Raises:
        Invalid: another kind of database, or a password in it.
    """
    form = f"must be {_DRIVER}://user@host/name"
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # What cannot be read may hold a password, so it is not shown.
        raise Invalid(f"the address of the database cannot be read: it {form}") from None
    if parsed.drivername != _DRIVER:
        raise Invalid(f"the address of the database {form}; without one the database is a file in the hub's store")
    if parsed.password is not None or "password" in parsed.query:
        raise Invalid(
            "the address of the database has a password in it, and hub.toml is read, copied and kept by many: take it out, and give it as "
            "FAIRHAVEN_DATABASE_PASSWORD in the environment, or name a file that holds it as `database_password_file`. Change it, too: it "
            "has been read."
        )
    if not parsed.database:
        raise Invalid(f"the address of the database names no database: it {form}")
    return parsed


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    # BEGIN is written by `_begin_sqlite`; Python's own begins late, and never at once for writing.
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    writes = options.get(_WRITES, True)
    # Both belong to the connection, not to the transaction, so each says them anew.
    connection.exec_driver_sql(f"PRAGMA foreign_keys = {'OFF' if options.get(_KEYS_LATER) else 'ON'}")
    connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(patience: float) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get(_WRITES, True):
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {round(patience * 1000)}")
            # PostgreSQL lets those who wait through in the order in which they came, and releases at the transaction's end.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")

    return begin


def _sqlite_errors(path: Path, patience: float) -> Callable[[ExceptionContext], BaseException | None]:
    def in_words(context: ExceptionContext) -> BaseException | None:
        found = (
            getattr(context.original_exception, "sqlite_errorcode", 0) & 0xFF
        )  # the kind, without what is special about it
        if found in _BUSY:
            return waited_too_long(patience)
        if found in _DAMAGED:
            return damaged(path)
        if number := _BY_THE_DISK.get(found):
            return OSError(number, os.strerror(number), str(path))
        return None

    return in_words


def _postgresql_errors(patience: float) -> Callable[[ExceptionContext], BaseException | None]:
    def in_words(context: ExceptionContext) -> BaseException | None:
        state = getattr(context.original_exception, "sqlstate", None) or ""
        if state == _LOCK_NOT_AVAILABLE:
            return waited_too_long(patience)
        if context.is_disconnect or context.connection is None:
            return NotAllowedNow(
                "the hub's database does not answer, or does not let this account in; nothing was done. See that PostgreSQL runs and that "
                "`database` in hub.toml and its password are right, then run the same command again."
            )
        if state.startswith(_TELLS_VALUES):
            rule = getattr(getattr(context.original_exception, "diag", None), "constraint_name", None) or state
            for error in (context.original_exception, context.sqlalchemy_exception):
                if error is not None:
                    error.args = (f"a row breaks a rule of the database, or does not fit: {rule}",)
        return None

    return in_words
