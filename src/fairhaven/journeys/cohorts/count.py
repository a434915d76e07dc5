"""Cohorts of a hub's release, or of any OMOP CDM: counted and written."""

import datetime as dt
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from fairhaven.archive import Release
from fairhaven.cohort import Batch, CohortDefinition, Cohorts, StepCount, definition_id, read_definition
from fairhaven.disclosure import Cell, Policy, Protected, protect_steps
from fairhaven.disclosure import shown as exact
from fairhaven.engine import Engine
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.open_release import OpenRelease, open_release
from fairhaven.kernel.errors import Fault, Invalid, check_faults
from fairhaven.kernel.listing import listed
from fairhaven.kernel.outputs import Output
from fairhaven.kernel.progress import Progress
from fairhaven.omop.external_cdm import OpenedCDM, open_cdm

COHORT = pa.schema(
    [
        ("cohort_definition_id", pa.int64()),
        ("subject_id", pa.int64()),
        ("cohort_start_date", pa.date32()),
        ("cohort_end_date", pa.date32()),
    ]
)
"""The OMOP table COHORT."""

_NOTED, _LISTED = 5, 12
"""Definitions whose unknown concepts are named, and how many concepts of each."""

_SUFFIXES = (".json", ".toml")


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """A definition and the file that it came from.

    Args:
        number: its cohort definition id: the file's name where that is a number, else the next one that is free.
    """

    number: int
    file: Path
    definition: CohortDefinition

    @property
    def name(self) -> str:
        """What people call it."""
        return self.definition.name or self.file.stem


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """A cohort's size as it may be shown: exact for a CDM, by the hub's policy for a release."""

    named: Named
    persons: Protected
    rows: Protected


@dataclass(frozen=True, kw_only=True, slots=True)
class CohortSource:
    """Where cohorts are looked for: a hub's release (its latest without a name), or a CDM."""

    rooms: Rooms | None = None
    release: str | None = None
    cdm: Path | None = None

    @property
    def policy(self) -> Policy | None:
        """The rule for what people may read; none for a CDM, which is its owner's to look at."""
        return self.rooms.settings.disclosure if self.rooms else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """A release, or a CDM that is none, open for running definitions."""

    cohorts: Cohorts
    engine: Engine
    tables: Mapping[str, ir.Table]
    release: Release | None


def read_files(paths: Sequence[Path], *, today: dt.date) -> list[Named]:
    """Definitions from files, and from the .json and .toml files of folders.

    Raises:
        Invalid: every fault of every file at once; also a path that is not there, and a folder without a definition.
    """
    faults: list[Fault] = []
    files = [file for path in paths for file in _files(path, faults)]
    read: list[tuple[Path, int | None, CohortDefinition]] = []
    for file in files:
        try:
            read.append((file, definition_id(file), read_definition(file, today=today)))
        except Invalid as error:
            faults += error.faults
    taken = {number: file for file, number, _ in read if number is not None}
    faults += [
        Fault(path=str(file), message=f"has the id {number}, and so has {taken[number]}: give one another name")
        for file, number, _ in read
        if number is not None and taken[number] != file
    ]
    check_faults(faults)
    free = (number for number in itertools.count(1) if number not in taken)
    return [
        Named(number=next(free) if number is None else number, file=file, definition=definition)
        for file, number, definition in read
    ]


def count_cohorts(
    asked: CohortSource,
    named: Sequence[Named],
    *,
    write: Callable[[pa.Table], object] | None = None,
    progress: Progress,
) -> list[Counted]:
    """Persons and rows of each cohort, as the policy lets them be shown.

    Args:
        write: is given the rows of each batch of definitions, exactly and sorted, with the columns of `COHORT`.
    """
    found: dict[int, StepCount] = {}
    with open_cohorts(asked, progress) as opened:
        for batch in batches(opened.cohorts, named, progress):
            found |= batch.tallies()
            if write is not None:
                write(batch.fetch().cast(COHORT))
    return [counted(each, found[each.number], asked.policy) for each in named]


def batches(cohorts: Cohorts, named: Sequence[Named], progress: Progress) -> Iterator[Batch]:
    """Run definitions, having said which of them name concepts that the vocabulary does not know."""
    definitions = {each.number: each.definition for each in named}
    note_unknown(named, cohorts.unknown_concepts(definitions), progress)
    yield from cohorts.run(definitions, progress=progress)


def note_unknown(named: Sequence[Named], unknown: Mapping[int, Sequence[int]], progress: Progress) -> None:
    """Say which definitions name unknown concepts: a wrong id finds nobody, without an error."""
    short = [each for each in named if each.number in unknown]
    if len(short) > _NOTED:
        progress.note(
            f"{len(short):,} of {len(named):,} definitions name concepts that are not in this vocabulary, which bring "
            "nothing; each says which when it is asked for alone"
        )
        return
    for each in short:
        missing = unknown[each.number]
        listed = ", ".join(map(str, missing[:_LISTED])) + (", ..." if len(missing) > _LISTED else "")
        progress.note(f"{each.file}: not in this vocabulary, and so bringing nothing: {listed}")


def counted(named: Named, tally: StepCount, policy: Policy | None) -> Counted:
    """A cohort's size as it may be shown."""
    persons, rows = shown([tally], policy)[0]
    return Counted(named=named, persons=persons, rows=rows)


def shown(
    tallies: Sequence[StepCount], policy: Policy | None, *, first: Sequence[int] = ()
) -> list[tuple[Protected, Protected]]:
    """Persons and events of nested steps as they may be shown together; `first`: places of those that matter most."""
    if policy is None:
        return [(exact(each.persons), exact(each.events)) for each in tallies]
    persons = protect_steps([Cell(rows=each.persons, persons=each.persons) for each in tallies], policy, first=first)
    events = protect_steps([Cell(rows=each.events, persons=each.persons) for each in tallies], policy, first=first)
    return list(zip(persons, events, strict=True))


def _files(path: Path, faults: list[Fault]) -> list[Path]:
    if path.is_dir():
        found = [file for file in listed(path) if file.suffix in _SUFFIXES]
        if not found:
            faults.append(
                Fault(path=str(path), message=f"holds no definition: no file that ends in {' or '.join(_SUFFIXES)}")
            )
        return found
    if not path.is_file():
        faults.append(Fault(path=str(path), message="there is no such file"))
        return []
    return [path]


@contextmanager
def open_cohorts(asked: CohortSource, progress: Progress) -> Iterator[Opened]:
    """Open the release or the CDM for running definitions."""
    opening: AbstractContextManager[OpenRelease | OpenedCDM]
    if asked.rooms is not None:
        name, opening = asked.release or "the latest release", open_release(asked.rooms, asked.release)
    else:
        assert asked.cdm is not None
        name, opening = asked.cdm.name, open_cdm(asked.cdm)
    progress.stage(f"Opening {name}")
    with opening as found:
        progress.stage("Running cohort definitions")
        yield Opened(
            cohorts=Cohorts(found.engine, found.tables),
            engine=found.engine,
            tables=found.tables,
            release=found.release if isinstance(found, OpenRelease) else None,
        )


@contextmanager
def rows_file(out: Output) -> Iterator[Callable[[pa.Table], None]]:
    """A writer of rows for `generate`; the file appears when all of them are written, and not at all after an error.

    Raises:
        Invalid: the name ends neither in .parquet nor in .csv.
    """
    if out.path.suffix not in (".parquet", ".csv"):
        raise Invalid(Fault(path=str(out.path), message="the file's name must end in .parquet or .csv"))
    is_parquet = out.path.suffix == ".parquet"
    with (
        out.file() as file,
        pq.ParquetWriter(file, COHORT, compression="zstd") if is_parquet else pc.CSVWriter(file, COHORT) as writer,
    ):
        yield writer.write_table
