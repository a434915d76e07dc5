"""The demonstration hub from within, and the truth about it."""

from pathlib import Path

import duckdb
import pytest

from fairhaven.hub import open_hub
from fairhaven.intake.landing import LandingKeys
from fairhaven.journeys.model import Rooms
from fairhaven.kernel.ids import pseudonym


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
    key = LandingKeys.of(rooms.keyring.pseudonyms.key_for).pseudonym

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
