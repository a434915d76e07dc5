"""Landed rows to OMOP with lineage: rows per CPU-second, over a mapping of thirty rules.

Run: python -m bench.harmonise [--rows 1000000]

The peer is ehr2trace 0.7.0, the nearest public tool with row lineage: about 5,000 rows a CPU-second from extract to OMOP
(471,980 raw rows in 93 CPU-seconds, measured on the Tutorial-ETL data). The limit is DuckDB copying the same rows from
Parquet to Parquet without changing them.
"""

import argparse
import datetime as dt
import resource
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from fairhaven.engine import DuckDBEngine
from fairhaven.harmonise import HubFacts, SourceTables, VocabularyTables, harmonise, read_mapping
from fairhaven.kernel.toml import Document

PEER = 5_000
_CODES = 5_000
_RULES = 24

_PEOPLE = """
[[map]]
name = "people"
from = "people"
to = "person"
[map.set]
birth_date = "birth_date"
gender = "sex"
postcode_district = "district"

[[map]]
name = "registrations"
from = "people"
to = "observation_period"
[map.set]
start_date = "registered"

[[map]]
name = "visits"
from = "visits"
to = "visit_occurrence"
[map.set]
visit_ref = "visit"
start_date = "day"
end_date = "day"
concept_id = { value = "office" }
care_site_ref = "site"

[[map]]
name = "sites"
from = "visits"
to = "care_site"
[map.set]
care_site_ref = "site"

[[map]]
name = "diagnoses"
from = "visits"
to = "event"
unmapped_to = "condition_occurrence"
[map.unpivot]
diagnosis = "DIAG_{1..6}"
[map.code]
column = "diagnosis"
vocabulary = "ICD10"
clean = "icd10"
[map.set]
start_date = "day"
visit_ref = "visit"
"""
_RULE = """
[[map]]
name = "events {n}"
from = "events"
to = "event"
when = {{ kind = "k{n}" }}
[map.code]
column = "code"
vocabulary = {{ column = "system", map = {{ S = "SNOMED" }}, default = "ICD10" }}
text = "term"
[map.set]
start_date = "day"
value_number = {{ column = "value", scale = {scale} }}
unit = "unit"
visit_ref = "visit"
"""


def make(folder: Path, rows: int) -> dict[str, Path]:
    """Landed tables: *rows* events, a tenth as many visits with six diagnoses, a hundredth as many people."""
    engine = DuckDBEngine(folder, reaches=[folder])
    people, visits = max(rows // 100, 10), max(rows // 10, 10)
    head = (
        "('0x' || substr(sha256('{t}' || i), 1, 13))::BIGINT AS row_key, 1::INT AS row_extract, i + 2 AS row_line,"
        " false AS row_withdrawn, md5((hash(i * 7 + {salt}) % {people})::VARCHAR) AS patient_ref"
    )
    day = "DATE '2005-01-01' + (hash(i + 3) % 7000)::INT AS day"
    queries = {
        "people": f"SELECT {head.format(t='p', salt=0, people=people).split(', md5')[0]}, md5(i::VARCHAR) AS patient_ref,"
        " DATE '1940-01-01' + ((i % 800) * 30)::INT AS birth_date, (i % 2 + 1)::VARCHAR AS sex,"
        f" 'CB' || i % 30 AS district, DATE '2000-01-01' AS registered FROM range({people}) t(i)",
        "visits": f"SELECT {head.format(t='v', salt=1, people=people)}, 'visit-' || i AS visit, {day},"
        " 'S' || i % 40 AS site, "
        + ", ".join(f"CASE WHEN i % {n} = 0 THEN 'C' || hash(i + {n}) % {_CODES} END AS DIAG_{n}" for n in range(1, 7))
        + f" FROM range({visits}) t(i)",
        "events": f"SELECT {head.format(t='e', salt=2, people=people)}, 'k' || i % {_RULES} AS kind,"
        f" 'C' || hash(i) % {_CODES} AS code, CASE WHEN i % 3 = 0 THEN 'I' ELSE 'S' END AS system,"
        f" 'term ' || hash(i) % {_CODES} AS term, {day}, (i % 300)::DOUBLE AS value,"
        f" CASE WHEN i % 2 = 0 THEN 'mmHg' ELSE 'kg' END AS unit, 'visit-' || hash(i) % {visits} AS visit"
        f" FROM range({rows}) t(i)",
    }
    files = {}
    for name, query in queries.items():
        files[name] = folder / f"{name}.parquet"
        engine.connection.execute(f"COPY ({query}) TO '{files[name]}' (FORMAT parquet, COMPRESSION zstd)")
    engine.close()
    return files


def vocabulary(engine: DuckDBEngine) -> VocabularyTables:
    """Standard concepts for nine codes of ten, over the domains."""
    domains = ["Condition", "Drug", "Measurement", "Observation", "Procedure"]
    numbers = [n for n in range(2 * _CODES) if n % 10]
    concept = pa.table(
        {
            "concept_id": pa.array([n + 1_000_000 for n in numbers], pa.int32()),
            "concept_name": [f"concept {n}" for n in numbers],
            "domain_id": [domains[n % 5] for n in numbers],
            "vocabulary_id": ["SNOMED" if n < _CODES else "ICD10" for n in numbers],
            "concept_class_id": ["x"] * len(numbers),
            "standard_concept": ["S"] * len(numbers),
            "concept_code": [f"C{n % _CODES}" for n in numbers],
            "invalid_reason": pa.nulls(len(numbers), pa.string()),
        }
    )
    return VocabularyTables(concept=engine.arrow(concept))


def run(rows: int, folder: Path) -> tuple[float, float, int, int]:
    """CPU-seconds of the mapping and of the bare copy, source rows, CDM rows."""
    files = make(folder, rows)
    text = _PEOPLE + "".join(_RULE.format(n=n, scale=1 + n) for n in range(_RULES))
    path = folder / "bench.toml"
    path.write_text(text, encoding="utf-8")
    mapping = read_mapping(Document(path))
    assert mapping is not None
    (folder / "scratch").mkdir()
    engine = DuckDBEngine(folder / "scratch", reaches=[folder])
    copied = time.process_time()
    for name, file in files.items():
        engine.connection.execute(
            f"COPY (FROM '{file}') TO '{folder / f'copy-{name}.parquet'}' (FORMAT parquet, COMPRESSION zstd)"
        )
    began = time.process_time()
    tables = {name: engine.parquet([file]) for name, file in files.items()}
    people = engine.fetch(tables["people"].select("patient_ref"))["patient_ref"].to_pylist()
    index = pa.table(
        {"source": ["gp"] * len(people), "patient_ref": people, "person_id": pa.array(range(len(people)), pa.int64())}
    )
    began_mapping = time.process_time()
    found = harmonise(
        engine,
        [SourceTables(name="gp", kind="gp", format="delimited", tables=tables, mapping=[mapping])],
        persons=engine.arrow(index),
        vocabulary=vocabulary(engine),
        hub=HubFacts(name="bench", abbreviation="bench"),
        as_of=dt.date(2026, 1, 1),
    )
    mapped = time.process_time()
    written = 0
    for name, table in found.tables.items():
        engine.write(table, folder / "cdm" / name)
        written += engine.count(engine.parquet([folder / "cdm" / name / "bucket-000.parquet"]))
    ended = time.process_time()
    print(f"  harmonise {mapped - began_mapping:.1f}, writing {ended - mapped:.1f} CPU-seconds")
    engine.close()
    total = sum(count for count in (len(people), rows, max(rows // 10, 10)))
    return ended - began_mapping, began - copied, total, written


def main() -> None:
    """Print the row of the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        seconds, copying, source, written = run(rows, Path(folder))
    rate = source / seconds
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print("harmonise: source rows, CDM rows, CPU-seconds, rows/CPU-second, x peer, share of bare copy, peak MB")
    print(f"{source:,} {written:,} {seconds:.1f} {rate:,.0f} {rate / PEER:.1f}x {copying / seconds:.2f} {memory:.0f}")


if __name__ == "__main__":
    main()
