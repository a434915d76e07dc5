"""Bringing a database's tables forward and back, by the revisions. Whoever imports this imports Alembic; other commands do without."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata, produce_migrations, render_python_code
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from fairhaven.records.database import Database
from fairhaven.records.revisions import check_not_newer
from fairhaven.records.schema import METADATA

_NOTHING = "base"


def steps(database: Database) -> Sequence[str]:
    """What `migrate` would do to a database, a line for each revision that it has not yet: ``0001: the table of jobs``."""
    found = check_not_newer(database)
    known = reversed(list(_scripts().walk_revisions()))
    return [f"{each.revision}: {each.doc}" for each in known if each.revision > found]


def migrate(database: Database, *, to: str = "head") -> None:
    """Bring a database's tables forward, all the way or not at all.

    Args:
        to: a revision that is not older than the database's.

    Raises:
        Invalid: a row breaks a rule of the new tables.
        NotAllowedNow: others are writing, or it was written by a newer version.
    """
    check_not_newer(database)
    scripts = _scripts()
    _run(database, scripts, lambda found, _: scripts._upgrade_revs(to, found))


def revert(database: Database, *, to: str = _NOTHING) -> None:
    """Bring a database's tables back to an earlier revision; without one, until none is left. What only later tables held is lost."""
    scripts = _scripts()
    _run(database, scripts, lambda found, _: scripts._downgrade_revs(to, found))


def differences(database: Database) -> str:
    """The revision that is missing: in Alembic's operations what the tables that floors declare have, and the database has not.

    Returns:
        Python code, for the ``upgrade`` of a new revision; empty where the tables are as they are declared.
    """
    with database.reading() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "render_as_batch": True,
                "target_metadata": METADATA,
            },
        )
        if not compare_metadata(context, METADATA):
            return ""
        operations = produce_migrations(context, METADATA).upgrade_ops
        return render_python_code(operations, migration_context=context) if operations else ""


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(Path(__file__).parent / "migrations"), file_template="revision_%%(rev)s_%%(slug)s")


def _run(database: Database, scripts: ScriptDirectory, revisions: Callable[[Any, Any], Any]) -> None:
    with database.changing_tables() as connection, EnvironmentContext(Config(), scripts, fn=revisions) as run:
        run.configure(connection=connection, target_metadata=METADATA)
        run.run_migrations()
