"""Tables on DuckDB or on Spark, through Ibis. Rooms build expressions; only this floor runs them."""

from fairhaven.engine.duckdb import DuckDBEngine
from fairhaven.engine.engines import open_engine
from fairhaven.engine.model import Engine, is_stored

__all__ = ["DuckDBEngine", "Engine", "is_stored", "open_engine"]
