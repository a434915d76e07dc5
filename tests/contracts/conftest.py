"""In these tests `engine` is every engine in turn."""

from pathlib import Path

import pytest

from fairhaven.engine import Engine
from tests.support.engines import ALL, SPARK, Engines


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """PySpark's client leaves its sockets to the garbage collector, whichever test runs by then."""
    left = "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings(left))


@pytest.fixture(scope="session", params=ALL)
def engine(request: pytest.FixtureRequest, engines: Engines) -> Engine:
    """Every engine."""
    return engines.named(request.param)


@pytest.fixture(scope="session", params=SPARK)
def spark(request: pytest.FixtureRequest, engines: Engines) -> Engine:
    """Every engine but DuckDB."""
    return engines.named(request.param)


@pytest.fixture(scope="session")
def reference(engines: Engines) -> Engine:
    """DuckDB, which the others are held against."""
    return engines.named("duckdb")
