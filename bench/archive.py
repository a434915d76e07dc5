"""What the archive costs, each beside the same work done plainly: CPU-seconds and their ratio.

    python -m bench.archive [--rows 2000000]

One MEASUREMENT table of 100 rows a person. Peers: DuckDB's own sorted COPY for writing (the least that a sorted file
costs), reading and hashing the bytes for verifying, `delta-rs` delete and vacuum for erasing a person.
"""

import argparse
import datetime as dt
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
from deltalake import DeltaTable, write_deltalake

from bench.actor import BENCH
from fairhaven.archive import parquet
from fairhaven.archive.fingerprint import fingerprint
from fairhaven.engine import DuckDBEngine
from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.journeys.hub_folder import check_outside_hubs
from fairhaven.kernel.files import sha256_of
from fairhaven.kernel.outputs import Output
from tests.support.ledgers import archive_in
from tests.support.release_facts import release_facts

DAY = dt.date(2026, 11, 21)


def cpu(work: Callable[[], object]) -> float:
    """CPU-seconds of this process and its threads."""
    began = time.process_time()
    work()
    return time.process_time() - began


def make(engine: DuckDBEngine, rows: int) -> None:
    """Measurements with identifiers spread like digests."""
    engine.connection.execute(f"""
        CREATE TEMP TABLE made AS SELECT
          (hash(i) % 4503599627370496)::BIGINT AS measurement_id,
          (hash(i // 100) % 4503599627370496)::BIGINT AS person_id,
          (3000000 + i % 3000)::INTEGER AS measurement_concept_id,
          DATE '2010-01-01' + (i % 5000)::INTEGER AS measurement_date,
          TIMESTAMP '2010-01-01' + INTERVAL (i % 5000000) SECOND AS measurement_datetime,
          NULL::VARCHAR AS measurement_time, 32827 AS measurement_type_concept_id, NULL::INTEGER AS operator_concept_id,
          (i % 1000) / 7.0::DOUBLE AS value_as_number, NULL::INTEGER AS value_as_concept_id, 8876 AS unit_concept_id,
          0.5::DOUBLE AS range_low, NULL::DOUBLE AS range_high, NULL::BIGINT AS provider_id,
          (hash(i // 10) % 4503599627370496)::BIGINT AS visit_occurrence_id, NULL::BIGINT AS visit_detail_id,
          'code-' || (i % 3000) AS measurement_source_value, (i % 3000)::INTEGER AS measurement_source_concept_id,
          'mmol/L' AS unit_source_value, NULL::INTEGER AS unit_source_concept_id, (i % 1000)::VARCHAR AS value_source_value,
          NULL::BIGINT AS measurement_event_id, NULL::INTEGER AS meas_event_field_concept_id,
          1 AS row_extract, i::BIGINT AS row_line, 3 AS row_rule
        FROM range({rows}) AS numbers(i)""")


def main() -> None:
    """Run the bench and print its table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=2_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        engine = DuckDBEngine(folder / "scratch", reaches=[folder])
        make(engine, rows)
        archive = archive_in(folder / "store")
        measurement = engine.backend.table("made")
        plain = folder / "plain.parquet"

        def copy() -> None:
            columns = ", ".join(parquet.order("measurement"))
            engine.connection.execute(
                f"COPY (FROM made ORDER BY {columns}) TO '{plain}' (FORMAT parquet, COMPRESSION zstd)"
            )

        def release() -> None:
            number = len(archive.releases()) + 1
            written = archive.write(engine, {"measurement": measurement}, number=number, by=BENCH)
            archive.publish(number=number, as_of=DAY, tables=written, facts=release_facts(), by=BENCH)

        def fingerprints() -> None:
            with open_duckdb(spill=folder, reaches=[folder]) as connection:
                for file in archive.files(archive.release(), "measurement"):
                    fingerprint(connection, file, "measurement")

        def hashing() -> None:
            for file in archive.files(archive.release(), "measurement"):
                sha256_of(file)

        copying, first = cpu(copy), cpu(release)
        again = cpu(release)
        summing, sums = cpu(fingerprints), cpu(hashing)
        verifying = cpu(archive.verify)
        person = engine.connection.execute("SELECT person_id FROM made LIMIT 1").fetchone()[0]
        write_deltalake(folder / "delta", duckdb.read_parquet(str(plain)).to_arrow_reader())

        def delta_erase() -> None:
            table = DeltaTable(folder / "delta")
            table.delete(f"person_id = {person}")
            table.vacuum(0, dry_run=False, enforce_retention_duration=False)

        peer = cpu(delta_erase)
        erasing = cpu(lambda: archive.erase([person], facts={}, by=BENCH))
        exporting = cpu(
            lambda: archive.export(
                archive.release(),
                Output(path=folder / "out.duckdb", command="export", check_place=check_outside_hubs),
                format="duckdb",
                vocabulary_files={},
            )
        )
        loading = cpu(lambda: load(plain, folder / "load.duckdb"))
        engine.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    million = rows / 1_000_000
    print(f"{rows:,} measurements; CPU-seconds per million rows; peak of the whole bench {peak:,.0f} MB")
    print(f"{'work':42}{'here':>8}{'peer':>8}{'ratio':>8}  peer")
    for title, here, other, words in (
        ("release written, sealed, fingerprinted", first, copying, "DuckDB sorted COPY of one file"),
        ("of it the fingerprint", summing, copying, "DuckDB sorted COPY of one file"),
        ("the same release again, nothing stored", again, copying, "DuckDB sorted COPY of one file"),
        ("verify", verifying, sums, "SHA-256 of the bytes alone"),
        ("export to a CDM database", exporting, loading, "DuckDB CREATE TABLE from one file"),
    ):
        print(f"{title:42}{here / million:8.2f}{other / million:8.2f}{here / other:8.1f}  {words}")
    print(
        f"{'a person erased from two releases (s)':42}{erasing:8.2f}{peer:8.2f}{erasing / peer:8.1f}  delta-rs, 1 version"
    )


def load(file: Path, target: Path) -> None:
    """DuckDB's own way to a database file."""
    with duckdb.connect(str(target)) as connection:
        connection.execute(f"CREATE TABLE measurement AS FROM '{file}'")


if __name__ == "__main__":
    main()
