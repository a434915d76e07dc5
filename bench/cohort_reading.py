"""CPU-seconds to read the OHDSI Phenotype Library, beside `json.loads` alone and OHDSI's own model in Python.

    python -m bench.cohort_reading [--peer PYTHON]

The peer is ohdsi-circepy's pydantic model (`circe.CohortExpression`), which parses and checks types and does no more;
PYTHON is an interpreter in which it is installed. Reading here gives a definition that is checked to be runnable.
"""

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.measure import in_fresh_process
from fairhaven.cohort.formats.circe import read_circe

_SHARED = Path(os.environ.get("FAIRHAVEN_SHARED", Path(__file__).resolve().parents[2] / "shared"))
_LIBRARY = _SHARED / "data" / "cohorts" / "phenotypelibrary_3.37.0_json.tar.gz"
_PEER = """
import pathlib, sys, time
from circe import CohortExpression
texts = [path.read_text() for path in sorted(pathlib.Path(sys.argv[1]).glob("*.json"))]
before = time.process_time()
for text in texts:
    CohortExpression.model_validate_json(text)
print(time.process_time() - before)
"""


def _definitions() -> list[tuple[str, bytes]]:
    with tarfile.open(_LIBRARY) as files:
        return [
            (Path(file.name).name, taken.read())
            for file in files.getmembers()
            if file.name.endswith(".json") and (taken := files.extractfile(file)) is not None
        ]


def _seconds(read: Callable[[bytes], object]) -> float:
    contents = [content for _, content in _definitions()]
    before = time.process_time()
    for content in contents:
        read(content)
    return time.process_time() - before


def parsed() -> float:
    """CPU-seconds of `json.loads`."""
    return _seconds(json.loads)


def read() -> float:
    """CPU-seconds of reading."""
    return _seconds(read_circe)


def _peer(python: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in _definitions():
            (Path(folder) / name).write_bytes(content)
        found = subprocess.run([python, "-c", _PEER, folder], check=True, capture_output=True, text=True)
    return float(found.stdout)


def _rows(rows: Sequence[tuple[str, float]]) -> None:
    ours = dict(rows)["read_circe"]
    print("| what | CPU s | of read_circe |\n|---|---|---|")
    for name, seconds in rows:
        print(f"| {name} | {seconds:.2f} | {seconds / ours:.2f} x |")


def main() -> int:
    """Print the table."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--peer", default="", help="a Python with ohdsi-circepy")
    peer = arguments.parse_args().peer
    if not _LIBRARY.exists():
        print("skipped: the shared test data is not here (FAIRHAVEN_SHARED)")
        return 0
    rows = [("json.loads", in_fresh_process(parsed)), ("read_circe", in_fresh_process(read))]
    if peer:
        rows.append(("ohdsi-circepy model", _peer(peer)))
    _rows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
