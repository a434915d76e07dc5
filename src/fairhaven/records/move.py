"""The rows of all tables of one database put into another, as when a hub outgrows its file."""

from sqlalchemy import Connection, func, insert, select, text

from fairhaven.records.database import Database
from fairhaven.records.schema import METADATA

_AT_ONCE = 5_000
"""Rows that are held at a time."""


def move_rows(source: Database, target: Database) -> None:
    """Copy every row of every table; all of it is there when this returns, or nothing.

    Args:
        target: has the tables, and no row.
    """
    with source.reading() as reading, target.writing() as writing:
        for table in METADATA.sorted_tables:
            rows = reading.execution_options(yield_per=_AT_ONCE).execute(select(table))
            for part in rows.mappings().partitions():
                writing.execute(insert(table), [dict(row) for row in part])
            _count_on(writing, table.name, table.autoincrement_column is not None)


def is_empty(database: Database) -> bool:
    """Whether no table has a row."""
    with database.reading() as connection:
        return not any(
            connection.execute(select(func.count()).select_from(table)).scalar() for table in METADATA.sorted_tables
        )


def _count_on(connection: Connection, table: str, is_counted: bool) -> None:
    """PostgreSQL counts numbers beside the rows: let it go on after the last."""
    if connection.dialect.name == "postgresql" and is_counted:
        connection.execute(
            text(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'number'), max(number)) FROM {table} HAVING max(number) IS NOT NULL"
            )
        )
