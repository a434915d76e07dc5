"""What all tests share: engines, the command, the demonstration hub, and an account of what each test costs."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from fairhaven.engine import Engine
from tests.support.command_line import Command, run
from tests.support.cpu_seconds import CostAccount
from tests.support.demonstration import made_once, shared_folder
from tests.support.engines import Engines

# The ordinary suite tries the same examples each time, so that it fails only for what was changed;
# `make trials` draws others, and many more.
settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
settings.register_profile("trials", deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """Every engine by name, opened once."""
    opened = Engines(tmp_path_factory.mktemp("engines"))
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
    made = made_once(shared_folder(tmp_path_factory))
    # Commands that read take locks and keep indexes: each process has a copy.
    return Path(shutil.copytree(made, tmp_path_factory.mktemp("demo") / "hub"))


@pytest.fixture
def copy(demo: Path, tmp_path: Path) -> Path:
    """A copy of the demonstration hub that a test may change."""
    return Path(shutil.copytree(demo, tmp_path / "hub"))


def pytest_configure(config: pytest.Config) -> None:
    """Count what each test costs."""
    config.pluginmanager.register(CostAccount())
