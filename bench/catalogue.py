"""CPU-seconds per million rows to describe a table, beside DuckDB's own SUMMARIZE, which gives less.

    python -m bench.catalogue [--rows 10000000]

A made-up measurement table: concepts by a steep law, one person in a hundred rows, text units. SUMMARIZE gives minimum,
maximum, about how many different values, percentiles and the share of nulls; describing gives those, and for each
variable its distribution with rows and persons, so that small counts can be hidden.
"""

import argparse
import resource
import time
from collections.abc import Callable

from fairhaven.catalogue import describe
from fairhaven.engine import DuckDBEngine
from fairhaven.hub.disclosure_policies import policy_named
from fairhaven.omop import to_cdm

_TABLE = """
CREATE TEMP TABLE made AS SELECT
    range AS measurement_id,
    (random() * {rows} / 100)::BIGINT AS person_id,
    (pow(random(), 3) * 2000)::INTEGER AS measurement_concept_id,
    DATE '2000-01-01' + (random() * 9000)::INTEGER AS measurement_date,
    32817 AS measurement_type_concept_id,
    CASE WHEN random() < 0.8 THEN round(random() * 200, 1) END AS value_as_number,
    (random() * 20)::INTEGER AS unit_concept_id,
    (pow(random(), 3) * 2000)::INTEGER::VARCHAR AS measurement_source_value,
    'unit ' || (random() * 20)::INTEGER AS unit_source_value
FROM range({rows})
"""


def _timed(name: str, rows: int, run: Callable[[], object], against: float = 0.0) -> float:
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    run()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    ratio = f" | {cpu / against:.2f} x" if against else " |"
    print(
        f"| {name} | {cpu:.2f} CPU s | {cpu / rows * 1e6:.2f} CPU s per million rows | "
        f"{time.perf_counter() - began:.2f} s | {after.ru_maxrss // 1024} MB{ratio} |"
    )
    return cpu


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, default=10_000_000)
    rows = arguments.parse_args().rows
    engine = DuckDBEngine()
    engine.connection.execute(_TABLE.format(rows=rows))
    table = engine.keep(to_cdm(engine.backend.table("made"), "measurement"))
    engine.connection.execute("DROP TABLE made")
    peer = _timed(
        "DuckDB SUMMARIZE", rows, lambda: engine.connection.execute(f"SUMMARIZE {table.get_name()}").fetchall()
    )
    _timed(
        "describe",
        rows,
        lambda: describe({"measurement": table}, engine=engine, policy=policy_named("ons")),
        peer,
    )


if __name__ == "__main__":
    main()
