"""Where a hub's database is, and where its password comes from."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from fairhaven.hub.hub_files import read_text
from fairhaven.hub.new_hub import make_hub
from fairhaven.journeys.hub_records import PASSWORD, database_of
from fairhaven.journeys.model import Settings
from fairhaven.kernel.errors import FairhavenError, NotAllowedNow
from tests.support.actors import ANNA
from tests.support.postgresql_server import PostgresqlServer


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    make_hub(tmp_path / "hub", by=ANNA)
    return read_text(tmp_path / "hub").settings


def asked(folder: Path, settings: Settings, environment: Mapping[str, str]) -> object:
    with closing(database_of(folder, settings, environment=environment)) as database, database.reading() as connection:
        return connection.execute(text("SELECT 7")).scalar()


def test_without_an_address_it_is_a_file_of_the_store_for_its_owner_alone(tmp_path: Path, settings: Settings) -> None:
    assert asked(tmp_path / "hub", settings, {}) == 7
    assert (tmp_path / "hub" / "store" / "records.sqlite").stat().st_mode & 0o777 == 0o600


def test_the_password_comes_from_the_environment_or_a_file(
    tmp_path: Path, settings: Settings, postgresql: PostgresqlServer
) -> None:
    settings = replace(settings, database=postgresql.url(), database_password_file="password")
    file = tmp_path / "hub" / "password"
    assert asked(tmp_path / "hub", settings, {PASSWORD: postgresql.password}) == 7
    file.write_text(f"{postgresql.password}\n")
    file.chmod(0o600)
    assert asked(tmp_path / "hub", settings, {}) == 7
    for environment in ({PASSWORD: "ward7door"}, {PASSWORD: ""}):
        file.write_text("ward7door")
        with pytest.raises(NotAllowedNow, match="does not answer, or does not let this account in") as refused:
            asked(tmp_path / "hub", settings, environment)
        assert "ward7door" not in str(refused.value)


def test_a_server_that_is_not_there_is_said_in_words(tmp_path: Path, settings: Settings) -> None:
    pytest.importorskip("psycopg")
    settings = replace(settings, database=f"postgresql+psycopg://hub@/hub?host={tmp_path}")
    with pytest.raises(NotAllowedNow, match="does not answer"):
        asked(tmp_path / "hub", settings, {})


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (None, 0, "is not there: put the password into it"),
        (b"ward7door\n", 0o644, "is open to every account"),
        (b"ward7door\n", 0o640, "is open to the group"),
        (b"", 0o600, "is not one line"),
        (b"\n", 0o600, "is not one line"),
        (b"ward7door\nward8door\n", 0o600, "is not one line"),
        (b"\xff\xfe", 0o600, "cannot be read as a line of text"),
    ],
)
def test_a_file_that_holds_no_secret_password_is_refused(
    tmp_path: Path, settings: Settings, content: bytes | None, mode: int, said: str
) -> None:
    settings = replace(settings, database="postgresql+psycopg://hub@/hub", database_password_file="password")
    if content is not None:
        (tmp_path / "hub" / "password").write_bytes(content)
        (tmp_path / "hub" / "password").chmod(mode)
    with pytest.raises(FairhavenError, match=said) as refused:
        database_of(tmp_path / "hub", settings, environment={})
    assert "ward7door" not in str(refused.value)
