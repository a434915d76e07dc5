"""Cohorts of a hub's release, or of any OMOP CDM: counted, written, reported."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from fairhaven.cohort.attrition import Attrition, Tally
from fairhaven.cohort.model import CohortDefinition, Limit
from fairhaven.cohort.reading import definition_id, read_definition
from fairhaven.cohort.service import Cohorts
from fairhaven.disclosure import Cell, Policy, Protected, policy_named, protect_steps
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.opening import open_release
from fairhaven.kernel.errors import Fault, Invalid, NotFound
from fairhaven.kernel.files import sync_file, sync_folder
from fairhaven.kernel.progress import Progress
from fairhaven.quality import open_cdm

COHORT = pa.schema(
    [
        ("cohort_definition_id", pa.int64()),
        ("subject_id", pa.int64()),
        ("cohort_start_date", pa.date32()),
        ("cohort_end_date", pa.date32()),
    ]
)
"""The OMOP table COHORT."""

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
class Step:
    """What one step of a definition leaves, as it may be shown."""

    words: str
    persons: Protected
    events: Protected


@dataclass(frozen=True, kw_only=True, slots=True)
class Reported:
    """What each step of a definition leaves.

    Args:
        steps: in their order, each of what the one before left.
        alone: persons that each rule would leave on its own; nothing where that would tell too much.
    """

    counted: Counted
    steps: tuple[Step, ...]
    alone: tuple[Protected, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Where cohorts are looked for: a hub's release (its latest without a name), or a CDM."""

    rooms: Rooms | None = None
    release: str | None = None
    cdm: Path | None = None

    @property
    def policy(self) -> Policy | None:
        """The rule for what people may read; none for a CDM, which is its owner's to look at."""
        return policy_named(self.rooms.settings.disclosure) if self.rooms else None


def read_files(paths: Sequence[Path], *, today: dt.date) -> list[Named]:
    """Definitions from files, and from the .json and .toml files of folders.

    Raises:
        Invalid: every fault of every file at once.
        NotFound: a path is not there, or a folder holds no definition.
    """
    files = [file for path in paths for file in _files(path)]
    faults: list[Fault] = []
    read: list[tuple[Path, CohortDefinition]] = []
    for file in files:
        try:
            read.append((file, read_definition(file, today=today)))
        except Invalid as error:
            faults += error.faults
    numbers = [definition_id(file) for file, _ in read]
    taken = {number: file for (file, _), number in zip(read, numbers, strict=True) if number is not None}
    faults += [
        Fault(path=str(file), message=f"has the id {number}, and so has {taken[number]}: give one another name")
        for (file, _), number in zip(read, numbers, strict=True)
        if number is not None and taken[number] != file
    ]
    if faults:
        raise Invalid(faults)
    free = (number for number in range(1, len(files) + len(taken) + 1) if number not in taken)
    return [
        Named(number=next(free) if number is None else number, file=file, definition=definition)
        for (file, definition), number in zip(read, numbers, strict=True)
    ]


def count(asked: Asked, named: Sequence[Named], *, progress: Progress) -> list[Counted]:
    """Persons and rows of each cohort, as the policy lets them be shown."""
    found: dict[int, Tally] = {}
    with _opened(asked, progress) as cohorts:
        for batch in cohorts.run(_by_number(named), progress=progress):
            found |= batch.tallies()
    return [_counted(each, found[each.number], asked.policy) for each in named]


def report(asked: Asked, named: Sequence[Named], *, progress: Progress) -> list[Reported]:
    """What each step of each definition leaves, as the policy lets it be shown."""
    found: dict[int, Attrition] = {}
    with _opened(asked, progress) as cohorts:
        for batch in cohorts.run(_by_number(named), progress=progress):
            found |= batch.attrition()
    return [_reported(each, found[each.number], asked.policy) for each in named]


def generate(asked: Asked, named: Sequence[Named], *, out: Path, progress: Progress) -> list[Counted]:
    """Write the rows of the OMOP table COHORT, exactly, sorted within each batch of definitions.

    Args:
        out: a file that ends in .parquet or .csv; it is there when all of it is written.
    """
    if out.suffix not in (".parquet", ".csv"):
        raise Invalid(Fault(path=str(out), message="the file's name ends in .parquet or .csv"))
    found: dict[int, Tally] = {}
    with _opened(asked, progress) as cohorts, _written(out) as write:
        for batch in cohorts.run(_by_number(named), progress=progress):
            found |= batch.tallies()
            write(batch.fetch().cast(COHORT))
    return [_counted(each, found[each.number], asked.policy) for each in named]


def _counted(named: Named, tally: Tally, policy: Policy | None) -> Counted:
    persons, rows = _shown([tally], policy)[0]
    return Counted(named=named, persons=persons, rows=rows)


def _reported(named: Named, found: Attrition, policy: Policy | None) -> Reported:
    asked = named.definition
    nested = [("Entry events", found.entry)]
    if asked.qualifying is not None:
        nested.append(("that qualify", found.qualified))
    nested += zip((rule.name for rule in asked.rules), found.left, strict=True)
    if asked.limit is not Limit.ALL:
        nested.append((f"{asked.limit.value} of each person", found.included))
    words = [name for name, _ in nested]
    steps = [
        Step(words=name, persons=persons, events=events)
        for name, (persons, events) in zip(words, _shown([tally for _, tally in nested], policy), strict=True)
    ]
    # Where counts are exact, who meets none of several rules could be computed from those who meet each.
    can_stand_alone = policy is None or policy.round_to > 1 or len(asked.rules) < 2
    alone = [_shown([tally], policy)[0][0] for tally in found.alone] if can_stand_alone else []
    return Reported(counted=_counted(named, found.cohort, policy), steps=tuple(steps), alone=tuple(alone))


def _shown(tallies: Sequence[Tally], policy: Policy | None) -> list[tuple[Protected, Protected]]:
    """Persons and events of nested steps as they may be shown."""
    if policy is None:
        return [(_exact(each.persons), _exact(each.events)) for each in tallies]
    persons = protect_steps([Cell(rows=each.persons, persons=each.persons) for each in tallies], policy)
    events = protect_steps([Cell(rows=each.events, persons=each.persons) for each in tallies], policy)
    return list(zip(persons, events, strict=True))


def _exact(count: int) -> Protected:
    return Protected(value=count, text=f"{count:,}", mark=str(count))


def _by_number(named: Sequence[Named]) -> dict[int, CohortDefinition]:
    return {each.number: each.definition for each in named}


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES)
        if not found:
            raise NotFound(f"{path} holds no definition: no file that ends in {' or '.join(_SUFFIXES)}")
        return found
    if not path.is_file():
        raise NotFound(f"there is no file {path}")
    return [path]


@contextmanager
def _opened(asked: Asked, progress: Progress) -> Iterator[Cohorts]:
    if asked.rooms is not None:
        progress.stage(f"Opening {asked.release or 'the latest release'}")
        with open_release(asked.rooms, asked.release) as opened:
            progress.stage("Running cohort definitions")
            yield Cohorts(opened.engine, opened.tables)
        return
    assert asked.cdm is not None
    progress.stage(f"Opening {asked.cdm.name}")
    with TemporaryDirectory(prefix="fairhaven-") as work, open_cdm(asked.cdm, work=Path(work)) as foreign:
        progress.stage("Running cohort definitions")
        yield Cohorts(foreign.engine, foreign.tables)


@contextmanager
def _written(out: Path) -> Iterator[Callable[[pa.Table], None]]:
    """A writer of tables; the file appears when all of them are written, and not at all after an error."""
    part = out.with_name(f".{out.name}.part")
    is_parquet = out.suffix == ".parquet"
    try:
        with pq.ParquetWriter(part, COHORT, compression="zstd") if is_parquet else pc.CSVWriter(part, COHORT) as writer:
            yield writer.write_table
        sync_file(part)
        part.replace(out)
        sync_folder(out.parent)
    finally:
        part.unlink(missing_ok=True)
