"""A PostgreSQL server of this test run's own: the system's programs, an account that is not root, a socket in a folder of its own, no network."""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.processes import PATIENCE

ACCOUNT = "postgres"
"""PostgreSQL refuses to be root, so root becomes this."""
USER = "hub"
# The server ends with the process that holds its standard input: also where the tests are killed.
_UNTIL_INPUT_ENDS = '"$@" & cat >/dev/null; kill -INT $! 2>/dev/null; wait'


@dataclass(frozen=True, kw_only=True, slots=True)
class PostgresqlServer:
    """One that runs.

    Args:
        socket: the folder of its socket.
        password: of `USER`, without which nobody comes in.
    """

    socket: Path
    password: str

    def url(self, *, schema: str = "public") -> str:
        """The address of its database, for `records.Database.named`; tests have a schema each, which costs less than a database."""
        return f"postgresql+psycopg://{USER}@/postgres?host={self.socket}&options=-csearch_path%3D{schema}"


@contextmanager
def postgresql_server() -> Iterator[PostgresqlServer]:
    """Start one, and stop it. The test is skipped, and says why, where that cannot be."""
    pytest.importorskip("psycopg", reason="the driver of PostgreSQL (extra `postgresql`) is not installed")
    programs, account = _programs(), _account()
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: a socket's path has a hundred letters at most
    password = secrets.token_hex(8)
    try:
        (folder / "password").write_text(password)
        if account:
            for path in (folder, folder / "password"):
                shutil.chown(path, account)
        data = folder / "data"
        initdb = (programs / "initdb", data, f"--username={USER}", "--auth=scram-sha-256")
        options = (f"--pwfile={folder / 'password'}", "--encoding=UTF8", "--locale=C", "--no-sync")
        made = subprocess.run(
            [*initdb, *options], user=account, cwd=folder, capture_output=True, text=True, check=False
        )
        assert made.returncode == 0, made.stderr
        server = (
            programs / "postgres",
            "-D",
            data,
            "-k",
            folder,
            "-c",
            "listen_addresses=",
            "-c",
            "max_connections=60",
        )
        with (folder / "log").open("w") as log:
            running = subprocess.Popen(
                ["sh", "-c", _UNTIL_INPUT_ENDS, "sh", *server],
                user=account,
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )
        with running:  # leaving it closes what it reads, and waits for its end
            _wait(folder, running)
            yield PostgresqlServer(socket=folder, password=password)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(folder: Path, running: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while "ready to accept connections" not in (folder / "log").read_text():
        assert running.poll() is None and time.monotonic() < until, (folder / "log").read_text()
        time.sleep(0.02)


def _programs() -> Path:
    """Where the newest server's programs are: Debian keeps them out of the way of who looks for commands."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    known = found[-1] if found else shutil.which("initdb")
    if not known:
        pytest.skip("PostgreSQL is not installed here (`make system` installs it where it can be had)")
    return Path(known).resolve().parent


def _account() -> str | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(ACCOUNT).pw_name
    except KeyError:
        pytest.skip(f"PostgreSQL does not run as root, and there is no account {ACCOUNT} to run it as")
