"""Where Spark runs: Sail in this process, a cluster's Spark Connect server, or PySpark here with Java."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from fairhaven.engine.patterns import JAVA_EDGE, RUST_EDGE
from fairhaven.kernel.errors import Refused

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    # Times of the CDM have no zone; as instants they would read differently elsewhere.
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
}
_LOCAL = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "2g",
    "spark.log.level": "ERROR",
    "spark.sql.shuffle.partitions": str(2 * (os.cpu_count() or 1)),
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
REMOTE = "SPARK_REMOTE"
"""Spark's own environment variable for a Spark Connect server, ``sc://host:port``."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """An open Spark session and how to close it."""

    spark: "SparkSession"
    close: Callable[[], None]
    edge: str = JAVA_EDGE
    """How its patterns write the edge of a word (`patterns.written_out`)."""


def sail() -> Session:
    """Sail, a Spark Connect server without a JVM, in this process, reached over the loopback only.

    Raises:
        Refused: ``pysail`` or a Spark Connect client is not installed.
    """
    _need("pysail", "grpc", install="fairhaven[sail]", what="Sail")
    os.environ.setdefault("RUST_LOG", "error")
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    host, port = server.listening_address
    spark = _connect(f"sc://{host}:{port}")
    # The session ends with its server. Sail stops at Ctrl-C by itself, and asking a server that is gone to release a
    # session is tried again for ten minutes.
    spark.release_session_on_close = False

    def close() -> None:
        spark.stop()
        server.stop()

    return Session(spark=spark, close=close, edge=RUST_EDGE)


def remote(url: str) -> Session:
    """A Spark Connect server elsewhere; it must see the hub's folders under the same paths.

    Args:
        url: ``sc://host:port``.

    Raises:
        Refused: no Spark Connect client is installed.
    """
    _need("grpc", install="pyspark-client", what="a Spark Connect server")
    spark = _connect(url)
    return Session(spark=spark, close=spark.stop, edge=_edge(spark))


def local(scratch: Path) -> Session:
    """PySpark on this machine.

    Raises:
        Refused: PySpark or Java is not installed.
    """
    _need("py4j", install="fairhaven[spark]", what="PySpark")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        raise Refused(
            "PySpark needs Java 17, and there is none: install a JRE, or use Sail (pip install 'fairhaven[sail]')"
        )
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    from pyspark.sql import SparkSession

    folders = {"spark.local.dir": str(scratch), "spark.sql.warehouse.dir": str(scratch / "warehouse")}
    builder = SparkSession.builder.master("local[*]").appName("fairhaven")
    spark = builder.config(map={**SETTINGS, **_LOCAL, **folders}).getOrCreate()
    return Session(spark=spark, close=spark.stop)


def _edge(spark: "SparkSession") -> str:
    """A server elsewhere may be Spark or Sail, and does not say: Rust's patterns know no lookahead."""
    from pyspark.errors import PySparkException

    try:
        spark.sql("SELECT 'a' RLIKE '(?=a)'").collect()
    except PySparkException:
        return RUST_EDGE
    return JAVA_EDGE


def _connect(url: str) -> "SparkSession":
    from pyspark.sql import SparkSession

    # Not getOrCreate: that would hand out a session with another server of this process.
    spark = SparkSession.builder.remote(url).create()
    for name, value in SETTINGS.items():
        spark.conf.set(name, value)
    return spark


def _need(*modules: str, install: str, what: str) -> None:
    if missing := [name for name in ("pyspark", *modules) if find_spec(name) is None]:
        raise Refused(f"{what} needs {', '.join(missing)}, not installed here: pip install '{install}'")
