"""Where a hub keeps its records: a file of its store, or a database of PostgreSQL whose password is not in hub.toml."""

import os
from collections.abc import Mapping
from pathlib import Path

from fairhaven.journeys.model import Settings
from fairhaven.kernel.accounts import why_refused
from fairhaven.kernel.errors import Fault, Invalid, NotFound
from fairhaven.kernel.secret_files import read_secret
from fairhaven.records import Database

PASSWORD = "FAIRHAVEN_DATABASE_PASSWORD"
"""The variable of the environment that counts before the file."""
FILE = "records.sqlite"


def database_of(folder: Path, settings: Settings, *, environment: Mapping[str, str] = os.environ) -> Database:
    """The hub's database; it is not asked anything yet.

    Args:
        folder: of the hub.

    Raises:
        NotFound: the file of the password is not there.
        NotAllowedNow: others could read or change it.
        Invalid: it holds no password; or the address cannot be used.
    """
    if not settings.database:
        return Database.at(folder / "store" / FILE)
    return Database.named(settings.database, _password(folder, settings.database_password_file, environment))


def _password(folder: Path, file: str, environment: Mapping[str, str]) -> str:
    if given := environment.get(PASSWORD):
        return given
    if not file:
        # The server may know the account by its socket, or PostgreSQL's own means give a password (~/.pgpass).
        return ""
    path = folder / file
    try:
        held = read_secret(path, if_read="if others may have read it, change the password").decode().rstrip("\r\n")
    except FileNotFoundError:
        raise NotFound(
            f"{path}, which `database_password_file` of hub.toml names, is not there: put the password into it, for this account alone to read "
            f"(chmod 600), or set {PASSWORD}."
        ) from None
    except PermissionError:
        raise Invalid(Fault(path=str(path), message=why_refused(path))) from None
    except (OSError, UnicodeDecodeError):
        raise Invalid(
            Fault(path=str(path), message="cannot be read as a line of text: write the password of the database there")
        ) from None
    if not held or "\n" in held:
        raise Invalid(Fault(path=str(path), message="is not one line with the password of the database"))
    return held
