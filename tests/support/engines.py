"""Engines opened once for all tests of a process, by name."""

from pathlib import Path

import pytest

from fairhaven.engine import DuckDBEngine, Engine, open_engine
from fairhaven.kernel.errors import Refused
from tests.support.shared_data import ROOT

ALL = ("duckdb", "sail", pytest.param("pyspark", marks=pytest.mark.slow))
SPARK = ALL[1:]


class Engines:
    """Opened when first asked for, closed together; DuckDB reaches *folder*, the run's, and the shared test data."""

    def __init__(self, scratch: Path, folder: Path) -> None:
        self._scratch = scratch
        self._folder = folder
        self._opened: dict[str, Engine] = {}

    def named(self, name: str) -> Engine:
        """An engine; the test is skipped, and says why, where it is not installed."""
        if name not in self._opened:
            scratch = self._scratch / name
            try:
                # One thread: rows are few, and starting threads for them costs more than it gains.
                self._opened[name] = (
                    DuckDBEngine(scratch, reaches=[self._folder, ROOT], threads=1)
                    if name == "duckdb"
                    else open_engine(name, scratch)
                )
            except Refused as refusal:
                pytest.skip(str(refusal))
        return self._opened[name]

    def close(self) -> None:
        """Close them all."""
        for engine in self._opened.values():
            engine.close()
