"""A hub's database: SQLite in its store, or PostgreSQL. One writes at a time, and a reader sees one moment.

Values never reach a message: SQLAlchemy names no parameters, and where PostgreSQL's own words name values the rule's name stands instead.
"""

import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import TimeoutError as PoolTimeout

from fairhaven.kernel.errors import Invalid
from fairhaven.records.postgresql import postgresql_engine
from fairhaven.records.sqlite import sqlite_engine
from fairhaven.records.write_queue import KEYS_LATER, WRITES, ThreadQueue, WriteQueue, waited_too_long

PATIENCE = 60.0
"""Seconds for which whoever wants to write waits for others."""


class Database:
    """The one database of a hub. Threads may share it; a process that is forked opens its own.

    Made by `at` or `named`.
    """

    def __init__(self, engine: Engine, turn: Callable[[float], AbstractContextManager[None]], patience: float) -> None:
        self._engine = engine
        self._turn = turn
        self._patience = patience
        self._local = threading.local()
        # The last to close an SQLite file folds its log of changes into it, so that a store at rest has one file of it.
        weakref.finalize(self, engine.dispose)

    @classmethod
    def at(cls, path: Path, *, patience: float = PATIENCE) -> Self:
        """An SQLite file, made (mode 0600) where there is none; writers queue by locks in ``locks`` beside it.

        Args:
            path: the file.
            patience: seconds to wait for others who write.

        Raises:
            Invalid: something else than a file is there.
        """
        engine = sqlite_engine(path, patience=patience)
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
        engine = postgresql_engine(url, password, patience=patience)
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
        with self._writing(**{KEYS_LATER: True}) as connection:
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
            connection.execution_options(**{WRITES: writes}, **options, **self._isolation(writes))
            yield connection

    def _isolation(self, writes: bool) -> Mapping[str, Any]:
        if self.dialect == "sqlite" or writes:
            # Of PostgreSQL each statement of a writer sees what those before it in the queue have written.
            return {}
        return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
