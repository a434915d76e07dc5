"""A private PostgreSQL for benches: its own folder, a unix socket and nothing else, gone at the end."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_PLACES = (Path("/usr/lib/postgresql/15/bin"), Path("/usr/local/bin"), Path("/usr/bin"))
_SETTINGS = {
    "listen_addresses": "''",
    "shared_buffers": "2GB",
    "work_mem": "256MB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "8GB",
    "fsync": "off",
    "autovacuum": "off",
}
_TICKS = os.sysconf("SC_CLK_TCK")


class Postgres:
    """A running server."""

    def __init__(self, programs: Path, folder: Path, pid: int) -> None:
        self._programs = programs
        self._folder = folder
        self._pid = pid

    def run(self, sql: str) -> list[list[str]]:
        """Run statements; the rows of the last."""
        done = subprocess.run(
            [*_as_nobody(), self._programs / "psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-h", self._folder, "postgres"],
            input=sql,
            capture_output=True,
            text=True,
            check=True,
        )
        return [line.split("|") for line in done.stdout.splitlines()]

    def timed(self, sql: str, *, times: int = 1) -> tuple[list[list[str]], float, float]:
        """Rows, seconds by the clock, CPU-seconds of the server; without those of an empty question.

        Args:
            times: how often it is asked in one session; the seconds are those of one.
        """
        rows, wall, cpu = self._timed(";".join([sql] * times))
        _, nothing, idle = self._timed("SELECT 1")
        return rows, max(0.0, wall - nothing) / times, max(0.0, cpu - idle) / times

    def size_mb(self) -> float:
        """Tables and indexes."""
        return float(self.run("SELECT pg_database_size('postgres')")[0][0]) / 1e6

    def _timed(self, sql: str) -> tuple[list[list[str]], float, float]:
        before, began = self._ended(), time.perf_counter()
        rows = self.run(sql)
        wall = time.perf_counter() - began
        time.sleep(0.1)
        return rows, wall, self._ended() - before

    def _ended(self) -> float:
        """CPU-seconds of the server's processes that have ended: each question has its own, with its workers."""
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / _TICKS


def programs() -> Path | None:
    """Where PostgreSQL 15 is on this machine; None where it is not."""
    for place in _PLACES:
        server = place / "postgres"
        if server.exists() and (place / "psql").exists():
            version = subprocess.run([server, "--version"], capture_output=True, text=True, check=False).stdout
            if " 15." in version:
                return place
    return None


@contextmanager
def postgres(where: Path, folder: Path) -> Iterator[Postgres]:
    """A server in an empty folder; run by `nobody` where this process is root, which PostgreSQL refuses."""
    folder.mkdir(parents=True)
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")
        folder.chmod(0o700)
        for parent in folder.parents[:-1]:
            parent.chmod(parent.stat().st_mode | 0o011)
    data = folder / "data"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([*_as_nobody(), where / "initdb", "-D", data, "-A", "trust", "--no-sync"], check=True, **quiet)  # type: ignore[call-overload]
    options = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value.strip(chr(39))}")]
    command = [*_as_nobody(), where / "postgres", "-D", data, "-k", folder, *options]
    server = subprocess.Popen(command, **quiet)  # type: ignore[call-overload]
    try:
        pid = data / "postmaster.pid"
        for _ in range(300):
            if pid.exists() and "ready" in pid.read_text():
                break
            time.sleep(0.1)
        yield Postgres(where, folder, int(pid.read_text().split()[0]))
    finally:
        stop = [*_as_nobody(), where / "pg_ctl", "-D", data, "-m", "immediate", "stop"]
        subprocess.run(stop, check=False, **quiet)  # type: ignore[call-overload]
        server.wait()


def _as_nobody() -> Sequence[str]:
    return ("setpriv", "--reuid=nobody", "--clear-groups") if os.geteuid() == 0 else ()
