"""CPU-seconds to receive delimited text, beside DuckDB's own read_csv to Parquet of the same file.

    python -m bench.intake [--rows 1500000]

The peer types the columns and writes zstd Parquet, and no more. Receiving also hashes and seals the bytes, finds and
counts faulty rows, numbers lines, gives each row its key and each patient a pseudonym, and checks that keys are unique.
"""

import argparse
import datetime as dt
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa

from bench.actor import BENCH
from fairhaven.identifiers.known_identifiers import KnownIdentifiers
from fairhaven.intake import Intake, read_source
from fairhaven.kernel.keyring import Keyring
from fairhaven.kernel.progress import Silent
from fairhaven.kernel.toml import Document

_FILE = """
COPY (SELECT 'E' || i AS event_id, 'P' || (hash(i) % 20000) AS patient_id,
    CASE WHEN i % 97 = 0 THEN 'D' ELSE 'A' END AS status, DATE '2010-01-01' + (i % 5000)::INTEGER AS event_date,
    (i % 1000) / 10.0 AS value, (i * 7919 % 1000000000) || '00' AS code, 'mmol/L' AS unit,
    'Some words of a clinician ' || i AS words, i % 7 AS n1, i % 11 AS n2,
    DATE '2012-01-01' + (i % 3000)::INTEGER AS entered, 'K' || (i % 300) AS icd
    FROM range({rows}) t(i)) TO '{path}' (FORMAT csv, HEADER)
"""
_SOURCE = """
title = "Bench"
controller = "bench"
kind = "gp"
format = "delimited"
[tables.events]
{key}
patient = "patient_id"
withdrawn = {{ column = "status", values = ["D"] }}
[tables.events.columns]
event_id = "text"
patient_id = "text"
status = "text"
event_date = {{ type = "date", required = true }}
value = "number"
code = "text"
unit = "text"
words = "text"
n1 = "whole"
n2 = "whole"
entered = "date"
icd = "text"
"""
_PEER = """
COPY (SELECT event_id, patient_id, status, event_date::DATE AS event_date, value::DOUBLE AS value, code, unit, words,
    n1::BIGINT AS n1, n2::BIGINT AS n2, entered::DATE AS entered, icd FROM read_csv('{path}', all_varchar = true))
TO '{out}' (FORMAT parquet, COMPRESSION zstd)
"""


class _Vault:
    def add(self, extract: int, records: pa.Table) -> None:
        """Take and forget."""

    def keep_only(self, extracts: object) -> None:
        """Nothing is kept."""

    def known_identifiers(self, **asked: object) -> KnownIdentifiers:  # noqa: ARG002
        """Nobody is known."""
        return KnownIdentifiers.none()


def _timed(name: str, path: Path, rows: int, run: Callable[[], object], against: float = 0.0) -> float:
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    run()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    size = path.stat().st_size / 1e6
    ratio = f"{cpu / against:.2f} x" if against else ""
    print(
        f"| {name} | {cpu:.2f} CPU s | {size / cpu:.0f} MB/s/core | {rows / cpu / 1e3:.0f} k rows/s/core | "
        f"{time.perf_counter() - began:.2f} s | {after.ru_maxrss // 1024} MB | {ratio} |"
    )
    return cpu


def _receive(folder: Path, name: str, key: str, file: Path) -> Callable[[], object]:
    store = folder / name
    declaration = folder / f"{name}.toml"
    declaration.write_text(_SOURCE.format(key=key))
    document = Document(declaration)
    source = read_source(document)
    if source is None:
        raise SystemExit("\n".join(map(str, document.faults)))
    keyring = Keyring.create(store / "keys")
    intake = Intake(store, envelope=keyring.deliveries, pseudonyms=keyring.pseudonyms, birth_date="month")
    return lambda: intake.receive(
        source,
        [file],
        received_on=dt.date(2026, 1, 1),
        vault=_Vault(),
        progress=Silent(),
        code_version="bench",
        by=BENCH,
        known={},
        enter=lambda *_: None,
        check_earlier=lambda _: None,
    )


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, default=1_500_000)
    rows = arguments.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "events.csv"
        duckdb.execute(_FILE.format(rows=rows, path=path))
        faulty = folder / "faulty.csv"
        with path.open("rb") as source, faulty.open("wb") as out:
            out.write(source.read())
            out.write(b'X1,P1,A,not a day\nX2,P1,A,2020-01-01,5,"two\nlines",,,,,,\n')
        peer = _timed(
            "DuckDB read_csv to Parquet",
            path,
            rows,
            lambda: duckdb.execute(_PEER.format(path=path, out=folder / "out")),
        )
        _timed("receive, with a key", path, rows, _receive(folder, "keyed", 'key = ["event_id"]', path), peer)
        _timed("receive, without a key", path, rows, _receive(folder, "keyless", "", path), peer)
        _timed(
            "receive, read line by line", faulty, rows, _receive(folder, "faulty", 'key = ["event_id"]', faulty), peer
        )


if __name__ == "__main__":
    main()
