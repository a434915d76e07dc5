"""All published phenotypes in one run, beside the official SQL as duckcdm writes and translates it, on the same CDM.

    python -m bench.cohorts                    1,100 definitions on the stress CDM, both ways, rows compared
    python -m bench.cohorts --times 25         the CDM 25 times over (100,000 persons), Fairhaven alone

Needs the library and the CDM of `shared/data/cohorts` (or FAIRHAVEN_SHARED) and, for the peer, `duckcdm`.
"""

import argparse
import os
import tarfile
import tempfile
from pathlib import Path

import duckdb
import pyarrow as pa

from bench.measure import in_fresh_process, peak_mb

SHARED = Path(os.environ.get("FAIRHAVEN_SHARED", Path(__file__).resolve().parents[2] / "shared"))
COHORTS = SHARED / "data" / "cohorts"
_LIBRARY = "phenotypelibrary_3.37.0_json.tar.gz"
_CDM = "stress_cdm_5.4_parquet"
_SAME_FOR_ALL = ("concept", "vocabulary", "domain", "relationship", "drug_strength", "source_to_concept", "metadata")
_ROWS = "cohort_definition_id::BIGINT, subject_id::BIGINT, cohort_start_date::DATE, cohort_end_date::DATE"


def write_times(source: Path, folder: Path, times: int) -> None:
    """The CDM so many times over: other persons with other events, the same vocabulary."""
    folder.mkdir(parents=True)
    with duckdb.connect() as connection:
        for file in sorted(source.glob("*.parquet")):
            is_same = file.stem.startswith(_SAME_FOR_ALL)
            columns = [row[0] for row in connection.execute(f"DESCRIBE FROM '{file}'").fetchall()]
            keys = set() if is_same else {"person_id", f"{file.stem}_id", "visit_occurrence_id"}
            moved = ", ".join(
                f'"{name}" + copy * 100000000::BIGINT AS "{name}"' if name in keys else f'"{name}"' for name in columns
            )
            copies = 1 if is_same else times
            connection.execute(
                f"COPY (SELECT {moved} FROM '{file}', range({copies}) AS t(copy)) "
                f"TO '{folder / file.name}' (FORMAT parquet)"
            )


def fairhaven(library: Path, cdm: Path, out: Path) -> tuple[float, float, float, float]:
    """CPU-seconds to read the definitions, to run them and to write the rows; peak MB."""
    import datetime as dt
    import time

    import pyarrow.parquet as pq

    from fairhaven.cohort import Cohorts, definition_id, read_definition
    from fairhaven.engine import open_engine

    began = time.process_time()
    files = sorted(library.glob("*.json"))
    definitions = {definition_id(file) or 0: read_definition(file, today=dt.date(2026, 1, 1)) for file in files}
    read = time.process_time()
    with tempfile.TemporaryDirectory() as scratch:
        engine = open_engine("duckdb", Path(scratch))
        tables = {file.stem: engine.parquet([file]) for file in cdm.glob("*.parquet")}
        rows = pa.concat_tables([batch.fetch() for batch in Cohorts(engine, tables).run(definitions)])
        ran = time.process_time()
        pq.write_table(rows, out)
        engine.close()
    return read - began, ran - read, time.process_time() - ran, peak_mb()


def official(library: Path, cdm: Path, out: Path) -> tuple[float, float, float]:
    """CPU-seconds to write and translate the official SQL, and to run it; peak MB."""
    import time

    from duckcdm.circe import build_cohort_query
    from duckcdm.sqlrender import render, translate

    began = time.process_time()
    queries = []
    for file in sorted(library.glob("*.json")):
        query = build_cohort_query(
            file.read_text(encoding="utf-8"),
            cdm_schema="main",
            vocabulary_schema="main",
            result_schema="main",
            target_table="main.reference",
            cohort_id=int(file.stem),
            generate_stats=False,
        )
        queries.append(translate(render(query), "duckdb", session_id="abcdefgh"))
    translated = time.process_time()
    with duckdb.connect() as connection:
        # The official SQL takes one of two events of a day by chance; on one thread chance is always the same.
        connection.execute("SET threads = 1")
        for file in sorted(cdm.glob("*.parquet")):
            connection.execute(f"CREATE TABLE {file.stem} AS FROM '{file}'")
        connection.execute(
            "CREATE TABLE reference (cohort_definition_id BIGINT, subject_id BIGINT, cohort_start_date DATE, "
            "cohort_end_date DATE)"
        )
        for query in queries:
            connection.execute(query)
        connection.execute(f"COPY reference TO '{out}' (FORMAT parquet)")
    return translated - began, time.process_time() - translated, peak_mb()


def different(one: Path, other: Path) -> tuple[int, int]:
    """Rows of both together, and how many of them the other does not have."""
    with duckdb.connect() as connection:
        here, there = (f"(SELECT {_ROWS} FROM '{file}')" for file in (one, other))
        count = connection.execute(
            f"SELECT count(*) FROM (({here} EXCEPT ALL {there}) UNION ALL ({there} EXCEPT ALL {here}))"
        ).fetchone()
        rows = connection.execute(f"SELECT count(*) FROM '{one}'").fetchone()
        assert count is not None and rows is not None
        return int(rows[0]), int(count[0])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=1)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with tarfile.open(COHORTS / _LIBRARY) as packed:
            packed.extractall(folder, filter="data")
        library, cdm = folder / "cohorts", COHORTS / _CDM
        if times > 1:
            write_times(cdm, folder / "cdm", times)
            cdm = folder / "cdm"
        count = len(list(library.glob("*.json")))
        print(f"{count:,} definitions, {4000 * times:,} persons (CPU-seconds)")
        print(f"{'':24}{'read':>8}{'run':>8}{'whole':>8}{'peak MB':>9}")
        read, run, write, peak = in_fresh_process(fairhaven, library, cdm, folder / "ours.parquet")
        ours = read + run + write
        print(f"{'Fairhaven':24}{read:8.1f}{run + write:8.1f}{ours:8.1f}{peak:9,.0f}")
        if times > 1:
            return
        try:
            import duckcdm  # noqa: F401
        except ImportError:
            print("duckcdm is not installed: no peer to compare with")
            return
        translate, run, peak = in_fresh_process(official, library, cdm, folder / "theirs.parquet")
        theirs = translate + run
        print(f"{'official SQL (duckcdm)':24}{translate:8.1f}{run:8.1f}{theirs:8.1f}{peak:9,.0f}")
        rows, wrong = different(folder / "ours.parquet", folder / "theirs.parquet")
        print(f"{theirs / ours:.1f} times the CPU; {rows:,} rows here, {wrong:,} rows differ")


if __name__ == "__main__":
    main()
