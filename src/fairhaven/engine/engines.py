"""Engines by name."""

import os
from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path

from fairhaven.engine.duckdb import DuckDBEngine
from fairhaven.engine.model import Engine
from fairhaven.kernel.errors import Invalid

NAMES = ("duckdb", "spark", "sail", "pyspark")


def open_engine(name: str, scratch: Path, *, reaches: Collection[Path] = ()) -> Engine:
    """Open an engine.

    Args:
        name: ``duckdb``; ``sail``; ``pyspark``; or ``spark``, which is the Spark Connect server that the environment
            variable SPARK_REMOTE names, else Sail where it is installed, else PySpark.
        scratch: folder for work in progress.
        reaches: what DuckDB reads and writes, and nothing else; a Spark server reaches what its administrator lets it.

    Raises:
        Refused: the engine is not installed; the message says what to install.
        Invalid: there is no engine of that name.
    """
    if name not in NAMES:
        raise Invalid(f"there is no engine {name!r}: choose one of {', '.join(NAMES)}")
    scratch.mkdir(parents=True, exist_ok=True)
    if name == "duckdb":
        return DuckDBEngine(scratch, reaches=reaches)
    # Spark takes seconds and hundreds of megabytes to load: only who asks for it pays.
    from fairhaven.engine import spark_session
    from fairhaven.engine.spark import SparkEngine

    url = os.environ.get(spark_session.REMOTE, "") if name == "spark" else ""
    if url:
        return SparkEngine(spark_session.remote(url), scratch)
    if name == "sail" or (name == "spark" and find_spec("pysail") is not None):
        return SparkEngine(spark_session.sail(), scratch)
    return SparkEngine(spark_session.local(scratch), scratch)
