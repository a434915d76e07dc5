"""What all tests share: engines, the command, the demonstration hub, and an account of what each test costs."""

import shutil
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from fairhaven.engine import Engine
from tests.support import examples  # noqa: F401 - registers the profiles
from tests.support.command_line import Command, run
from tests.support.cpu_seconds import CostAccount
from tests.support.demonstration import demonstration, made_once, shared_folder
from tests.support.engines import Engines
from tests.support.killed_hub import Commands, commands
from tests.support.killed_stages import FEW, Region
from tests.support.older_hub import describe_older_hub
from tests.support.postgresql_server import PostgresqlServer, postgresql_server

if TYPE_CHECKING:
    from fairhaven.records import Database
    from tests.support.database_addresses import DatabaseAddress

settings.load_profile("suite")


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """Every engine by name, opened once."""
    opened = Engines(tmp_path_factory.mktemp("engines"), shared_folder(tmp_path_factory))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def engine(engines: Engines) -> Engine:
    """The engine that a hub has unless it says otherwise; in ``tests/contracts`` every engine in turn."""
    return engines.named("duckdb")


@pytest.fixture(scope="session")
def fairhaven() -> Command:
    """The command as a user gives it, in the process of the test."""
    return run


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration hub with its two releases; read it, do not change it."""
    made = made_once(shared_folder(tmp_path_factory) / "demonstration", demonstration)
    # Commands that read take locks and keep indexes: each process has a copy.
    return Path(shutil.copytree(made, tmp_path_factory.mktemp("demo") / "hub"))


@pytest.fixture
def copy(demo: Path, tmp_path: Path) -> Path:
    """A copy of the demonstration hub that a test may change."""
    return Path(shutil.copytree(demo, tmp_path / "hub"))


@pytest.fixture(scope="session")
def described_hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hub of an earlier version once its last release was reported on, beside the report; copy it, with its modes."""
    return made_once(shared_folder(tmp_path_factory) / "described", describe_older_hub) / "hub"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """A server of PostgreSQL; tests that ask for it are skipped where there is none."""
    with postgresql_server() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> "Iterator[DatabaseAddress]":
    """Of a database without any tables, on SQLite and on PostgreSQL."""
    from tests.support.database_addresses import new_database  # loads SQLAlchemy, which most tests do without

    with new_database(request.param, tmp_path, lambda: request.getfixturevalue("postgresql")) as made:
        yield made


@pytest.fixture
def database(address: "DatabaseAddress") -> "Iterator[Database]":
    """A database with the tables of today, on SQLite and on PostgreSQL."""
    from fairhaven.records.migration import migrate

    with closing(address.opened()) as opened:
        migrate(opened)
        yield opened


@pytest.fixture(scope="session")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """A process that forks another for each command that is to be killed."""
    with commands(tmp_path_factory.mktemp("temporary")) as running:
        yield running


@pytest.fixture
def region(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Region:
    """The small hub of the trials of kills at every stage of its life; copy them. Slow trials have all of its sources."""
    is_whole = request.node.get_closest_marker("slow") is not None
    return Region(
        shared_folder(tmp_path_factory) / ("region" if is_whole else "region-of-few"),
        # Where another process of the run has made the stages, a test that kills nothing starts none.
        lambda: request.getfixturevalue("processes"),
        sources=() if is_whole else FEW,
    )


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long the trial of hostile bytes takes, and how many hubs that of generated facts makes."""
    parser.addoption("--cpu-minutes", default="20", help="of the trial of hostile bytes, for all readers together")
    parser.addoption("--seeds", default="2", help="of the trial of the same facts in every format")


def pytest_configure(config: pytest.Config) -> None:
    """Count what each test costs; let Ctrl-C be Ctrl-C."""
    # A shell that starts the tests in the background has them ignore it, and every process that they start inherits that.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.pluginmanager.register(CostAccount())
