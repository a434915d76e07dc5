"""FHIR intake against DuckDB's own `read_json` on the same file.

    python -m bench.fhir [FILE.ndjson ...]

The peer reads the same elements of the same lines into a table and does nothing else: no line numbers, no lines kept apart
that are broken, no codes chosen, no references resolved. Each is run in a process of its own; CPU seconds are of
the user and the system. Without a file, one is made of invented blood pressures and weights.
"""

import argparse
import json
import multiprocessing
import random
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.intake.fhir.fhir_reader import CompiledView, FhirReader, views_of
from fairhaven.intake.model import Format, Source
from fairhaven.intake.reader import DeliveredFile

_ROWS = 200_000
_REPEATS = 3


def main() -> None:
    """Print a line for each file: MB a CPU second of both, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="*", help="NDJSON, one resource type each")
    given = parser.parse_args().files
    with tempfile.TemporaryDirectory() as folder:
        files = given or [_invented(Path(folder) / "Observation.ndjson")]
        print(f"{'file':<28}{'MB':>8}{'read_json':>12}{'fairhaven':>12}{'ratio':>8}{'peak MB':>10}   (MB a CPU second)")
        for path in files:
            size = path.stat().st_size / 1e6
            theirs = min(_measured(_read_json, path)[0] for _ in range(_REPEATS))
            ours, peak = min(_measured(_staged, path) for _ in range(_REPEATS))
            print(
                f"{path.name:<28}{size:>8.1f}{size / theirs:>12.0f}{size / ours:>12.0f}{theirs / ours:>8.2f}{peak:>10.0f}"
            )


def _measured(work: Callable[[Path], None], path: Path) -> tuple[float, float]:
    """CPU seconds and peak memory (MB) of the work in a fresh process."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_timed, (work, path))


def _timed(work: Callable[[Path], None], path: Path) -> tuple[float, float]:
    before = _cpu()
    work(path)
    return _cpu() - before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _read_json(path: Path) -> None:
    columns = ", ".join(f"'{name}': '{_type(shape)}'" for name, shape in _shape(path).items())
    with _quiet() as connection:
        connection.execute(
            f"CREATE TABLE peer AS FROM read_json('{path}', format = 'newline_delimited', "
            f"columns = {{{columns}}}, maximum_object_size = 16777216)"
        )


def _staged(path: Path) -> None:
    source = Source(name="bench", title="", controller="", kind="hospital", format=Format.FHIR)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        with open_duckdb(spill=scratch, reaches=[scratch], memory_limit="80%") as connection:
            FhirReader().stage(connection, source, DeliveredFile(path=path, name=path.name), scratch=scratch)


def _quiet() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    return connection


def _shape(path: Path) -> dict[str, Any]:
    """What the views of the file's first resource read, repeated elements among it."""
    with path.open() as file:
        views = views_of(json.loads(file.readline())["resourceType"])
    shape: dict[str, Any] = {}
    for view in views:
        read = json.loads(CompiledView(view).shape)
        shape |= read if not shape else {name: part for name, part in read.items() if name == view.each}
    return shape


def _type(shape: Any) -> str:
    if isinstance(shape, dict):
        inner = ", ".join(f'"{name}" {_type(part)}' for name, part in shape.items())
        return f"STRUCT({inner})"
    return f"{_type(shape[0])}[]" if isinstance(shape, list) else shape


def _invented(path: Path) -> Path:
    draw = random.Random(1)
    with path.open("w") as file:
        for number in range(_ROWS):
            file.write(json.dumps(_observation(draw, number)) + "\n")
    return path


def _observation(draw: random.Random, number: int) -> dict[str, Any]:
    def coded(system: str, code: str, display: str) -> dict[str, Any]:
        return {"coding": [{"system": system, "code": code, "display": display}], "text": display}

    def quantity(value: float, unit: str) -> dict[str, Any]:
        return {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}

    loinc, category = "http://loinc.org", "http://terminology.hl7.org/CodeSystem/observation-category"
    moment = f"20{draw.randrange(10, 26)}-0{draw.randrange(1, 10)}-1{draw.randrange(10)}T10:15:00+00:00"
    made = {
        "resourceType": "Observation",
        "id": f"o{number}",
        "status": "final",
        "category": [coded(category, "vital-signs", "Vital signs")],
        "subject": {"reference": f"Patient/p{draw.randrange(9999)}"},
        "encounter": {"reference": f"Encounter/e{draw.randrange(99999)}"},
        "effectiveDateTime": moment,
        "issued": moment,
    }
    if number % 8:
        return {
            **made,
            "code": coded(loinc, "29463-7", "Body weight"),
            "valueQuantity": quantity(round(draw.uniform(40, 140), 1), "kg"),
        }
    parts = (("8480-6", "Systolic blood pressure"), ("8462-4", "Diastolic blood pressure"))
    return {
        **made,
        "code": coded(loinc, "85354-9", "Blood pressure panel"),
        "component": [
            {"code": coded(loinc, code, name), "valueQuantity": quantity(draw.randrange(60, 160), "mm[Hg]")}
            for code, name in parts
        ],
    }


if __name__ == "__main__":
    main()
