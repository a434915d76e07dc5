"""Tables on DuckDB or on Spark, through Ibis. Rooms build expressions; only this floor runs them."""

from fairhaven.engine.duckdb import DuckDBEngine
from fairhaven.engine.engines import open_engine
from fairhaven.engine.model import Engine, is_stored

VERSION = 2
"""Raised when the same expression gives other rows than before."""

__all__ = ["VERSION", "DuckDBEngine", "Engine", "is_stored", "open_engine"]
