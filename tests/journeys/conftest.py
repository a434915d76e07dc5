"""The demonstration hub, made once through the command for all journey tests, and the truth about it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from fairhaven.hub import open_hub
from fairhaven.intake.landing import LandingKeys
from fairhaven.journeys.model import Rooms
from fairhaven.kernel.ids import pseudonym

Command = Callable[..., subprocess.CompletedProcess[str]]
PERSONS = 300


@pytest.fixture(scope="session")
def fairhaven() -> Command:
    """Run the command as a user would, in a process of its own."""

    def run(*words: str | Path | int, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "fairhaven.cli", *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def demo(fairhaven: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demonstration hub with its two releases; read it, do not change it."""
    folder = tmp_path_factory.mktemp("demonstration") / "hub"
    made = fairhaven("demo", folder, "--persons", PERSONS, "--no-serve", "--json")
    assert len(json.loads(made.stdout)["releases"]) == 2
    return folder


@pytest.fixture(scope="session")
def rooms(demo: Path) -> Rooms:
    return open_hub(demo)


@pytest.fixture(scope="session")
def truth(demo: Path, rooms: Rooms) -> duckdb.DuckDBPyConnection:
    """The truth beside the release, in one database.

    ``patient(person, source, patient, patient_ref, person_id)``, ``people``, ``facts`` and ``opt_outs`` as the region wrote them, and
    the latest release's tables by their names.
    """
    connection = duckdb.connect()
    for name in ("people", "facts", "opt_outs"):
        connection.execute(f"CREATE TABLE {name} AS FROM read_parquet('{demo}/truth/{name}/*.parquet')")
    key = LandingKeys.of(rooms.keyring.secret).pseudonym

    def ref(source: str, patient: str) -> str:
        return pseudonym(key, source, patient)

    connection.create_function("ref", ref)
    connection.register("person_index", rooms.vault.index())
    connection.execute(
        "CREATE TABLE patient AS SELECT DISTINCT person, source, patient, patient_ref, person_id "
        "FROM (SELECT *, ref(source, patient) AS patient_ref FROM people) LEFT JOIN person_index USING (source, patient_ref)"
    )
    release = rooms.archive.release()
    for name in release.tables:
        files = [str(path) for path in rooms.archive.files(release, name)]
        if files:
            connection.execute(f"CREATE VIEW {name} AS FROM read_parquet({files!r})")
    return connection


def rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query).fetchall()
