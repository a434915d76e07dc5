"""A database for a test, on SQLite and on PostgreSQL, that other processes can open as well."""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from fairhaven.records import Database
from fairhaven.records.database import PATIENCE
from tests.support.postgresql_server import PostgresqlServer

_NUMBERS = itertools.count(1)


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseAddress:
    """Where it is.

    Args:
        path: of SQLite's file; None: *url* is PostgreSQL's.
    """

    path: Path | None = None
    url: str = ""
    password: str = ""

    def opened(self, *, patience: float = PATIENCE) -> Database:
        """Open it; whoever does closes it."""
        if self.path:
            return Database.at(self.path, patience=patience)
        return Database.named(self.url, self.password, patience=patience)


@contextmanager
def new_database(dialect: str, folder: Path, server: Callable[[], PostgresqlServer]) -> Iterator[DatabaseAddress]:
    """A new database without any tables.

    Args:
        dialect: ``sqlite`` or ``postgresql``.
        folder: for SQLite's file.
        server: gives PostgreSQL's server; a test has a schema of its own there.
    """
    if dialect == "sqlite":
        yield DatabaseAddress(path=folder / "records.sqlite")
        return
    running, schema = server(), f"test_{os.getpid()}_{next(_NUMBERS)}"
    with closing(Database.named(running.url(), running.password)) as database:
        with database.writing() as connection:
            connection.execute(text(f"CREATE SCHEMA {schema}"))
        yield DatabaseAddress(url=running.url(schema=schema), password=running.password)
        with database.writing() as connection:
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
