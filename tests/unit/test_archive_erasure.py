"""Erasure: nothing of a person remains in any file of the archive, whenever the work was cut short."""

import datetime as dt
import json
import shutil
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from fairhaven.archive import Archive
from fairhaven.archive.model import DecidedErasure
from fairhaven.engine import Engine
from fairhaven.kernel.errors import Invalid
from fairhaven.kernel.progress import Silent
from fairhaven.ledger import Entry, Ledger, content_hash
from fairhaven.omop import CDM, to_cdm
from fairhaven.release.manifest import Release
from tests.support.actors import ANNA, BEN
from tests.support.killed_hub import Commands
from tests.support.ledgers import archive_in, ledger_in
from tests.support.release_facts import release_facts

SECRET = b"s" * 32
Everything = dict[str, dict[str, list[dict[str, Any]]]]
PERSON = 4_111_222_333_444
OTHERS = (4_000_000_000_001, 4_000_000_000_002, 4_000_000_000_003)


def rows(engine: Engine, table: str, **columns: list[Any]) -> ir.Table:
    length = len(next(iter(columns.values())))
    types = CDM[table].schema_of(lineage=True).to_pyarrow()
    lineage = {name: [1] * length for name in ("row_extract", "row_line", "row_rule")}
    arrays = {name: pa.array(values, types.field(name).type) for name, values in {**columns, **lineage}.items()}
    return to_cdm(engine.arrow(pa.table(arrays)), table)


def content(engine: Engine, people: Sequence[int], *, day: int = 1) -> dict[str, ir.Table]:
    """Tables in which each person has rows of every kind; number n's rows have identifiers n * 10 + something."""
    date = dt.date(2020, 1, day)
    ids = list(people)
    return {
        "person": rows(
            engine,
            "person",
            person_id=ids,
            location_id=[7 if i == OTHERS[0] else i for i in ids],
            person_source_value=[f"source-{i}" for i in ids],
        ),
        "condition_occurrence": rows(
            engine,
            "condition_occurrence",
            condition_occurrence_id=[i * 10 + n for i in ids for n in range(3)],
            person_id=[i for i in ids for _ in range(3)],
            condition_concept_id=[4000 + n for _ in ids for n in range(3)],
            condition_start_date=[date for _ in ids for _ in range(3)],
            condition_source_value=[f"code-{i}-{n}" for i in ids for n in range(3)],
        ),
        "death": rows(engine, "death", person_id=ids[:2], death_date=[date] * len(ids[:2])),
        "note": rows(engine, "note", note_id=[i * 10 + 5 for i in ids], person_id=ids, note_date=[date] * len(ids)),
        "note_nlp": rows(engine, "note_nlp", note_nlp_id=[i * 10 + 6 for i in ids], note_id=[i * 10 + 5 for i in ids]),
        "cost": rows(engine, "cost", cost_id=[i * 10 + 7 for i in ids], cost_event_id=[i * 10 + 1 for i in ids]),
        "fact_relationship": rows(
            engine,
            "fact_relationship",
            fact_id_1=ids,
            fact_id_2=[i * 10 for i in ids],
            domain_concept_id_1=[56 for _ in ids],
        ),
        "location": rows(engine, "location", location_id=[7, *ids], zip=["AB1" for _ in range(len(ids) + 1)]),
        "care_site": rows(engine, "care_site", care_site_id=[1], location_id=[7]),
    }


def publish(archive: Archive, engine: Engine, number: int, people: Sequence[int], **how: int) -> Release:
    tables = archive.write(engine, content(engine, people, **how), number=number, by=ANNA)
    release = archive.publish(
        number=number, as_of=dt.date(2026, 1, number), tables=tables, facts=release_facts(), by=ANNA
    )
    archive.description(number).mkdir()
    (archive.description(number) / "quality.json").write_text(json.dumps({"failing": [i * 10 + 1 for i in people]}))
    return release


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Path:
    """Three releases: without the person, with, and with a change that leaves some of their files as they were."""
    archive = archive_in(tmp_path_factory.mktemp("hub") / "store")
    publish(archive, engine, 1, OTHERS[:2])
    publish(archive, engine, 2, [PERSON, *OTHERS])
    publish(archive, engine, 3, [PERSON, *OTHERS], day=2)
    return archive.store


@pytest.fixture
def archive(stored: Path, tmp_path: Path) -> Archive:
    shutil.copytree(stored, tmp_path / "store")
    return archive_in(tmp_path / "store")


def traces(archive: Archive) -> list[str]:
    """Files in which something of the person is: by their values in Parquet, by their bytes anywhere."""
    found = []
    needles = [str(PERSON).encode(), struct.pack("<q", PERSON), f"{PERSON * 10}"[:-1].encode()]
    for path in archive.folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            if path.suffix == ".parquet":
                data += json.dumps(pq.read_table(path).to_pylist(), default=str).encode()
                data += str(pq.read_metadata(path).to_dict()).encode()
            if any(needle in data for needle in needles):
                found.append(str(path.relative_to(archive.folder)))
    return found


def everything(archive: Archive) -> Everything:
    """Every row of every release, read from its files."""
    return {
        release.name: {
            name: [row for file in archive.files(release, name) for row in pq.read_table(file).to_pylist()]
            for name in release.tables
        }
        for release in archive.releases()
    }


def as_opened(archive: Archive, engine: Engine) -> Everything:
    """The same as whoever opens the releases gets it: all tables of the CDM, also those without rows."""
    return {
        release.name: {name: engine.fetch(table).to_pylist() for name, table in archive.tables(release, engine).items()}
        for release in archive.releases()
    }


def without_person(tables: Everything) -> Everything:
    """What an erasure must leave, found by another way: plain Python over every value."""

    def is_theirs(row: dict[str, Any]) -> bool:
        values = [value for value in row.values() if isinstance(value, int | str)]
        return any(str(PERSON) in str(value) for value in values)

    return {
        release: {name: [row for row in found if not is_theirs(row)] for name, found in names.items()}
        for release, names in tables.items()
    }


def test_nothing_of_the_person_remains_and_nothing_else_is_lost(archive: Archive, engine: Engine) -> None:
    assert traces(archive)
    before, opened = everything(archive), as_opened(archive, engine)
    done = archive.erase([PERSON], facts={"persons": ["digest"]}, by=ANNA)
    assert traces(archive) == []
    assert everything(archive) == without_person(before)
    assert as_opened(archive, engine) == without_person(opened)
    assert archive.verify() == []
    expected = {"person": 1, "condition_occurrence": 3, "death": 1, "note": 1, "note_nlp": 1, "cost": 1}
    expected |= {"fact_relationship": 1, "location": 1}
    assert done.rows == {"r0002": expected, "r0003": expected}


def test_a_plan_says_what_will_be_done_and_does_nothing(archive: Archive) -> None:
    files = {path: path.read_bytes() for path in archive.folder.rglob("*") if path.is_file()}
    plan = archive.plan_erase([PERSON])
    left = {path: path.read_bytes() for path in archive.folder.rglob("*") if path.is_file()}
    assert files == left
    assert archive.erase([PERSON], facts={"persons": ["digest"]}, by=ANNA) == plan


def test_releases_before_the_first_touched_keep_their_seal(archive: Archive) -> None:
    first, second, third = archive.releases()
    archive.erase([PERSON], facts={"persons": ["digest"]}, by=ANNA)
    after = archive.releases()
    assert after[0] == first
    assert after[1].supersedes == (second.hash,)
    assert after[2].supersedes == (third.hash,)
    assert after[2].previous == after[1].hash
    assert after[1].salt != second.salt
    assert [release.as_of for release in after] == [release.as_of for release in (first, second, third)]


def test_delta_readers_see_each_release_without_the_person_and_no_version_before(archive: Archive) -> None:
    archive.erase([PERSON], facts={"persons": ["digest"]}, by=ANNA)
    for release in archive.releases():
        for name, table in release.tables.items():
            delta = DeltaTable(archive.folder / name, version=table.version)
            assert {Path(file).name for file in delta.file_uris()} == {Path(path).name for path in table.paths}
    logs = list((archive.folder / "person" / "_delta_log").iterdir())
    assert len(logs) == len({release.tables["person"].version for release in archive.releases()})


def test_what_describes_the_touched_releases_is_removed(archive: Archive) -> None:
    archive.erase([PERSON], facts={"persons": ["digest"]}, by=ANNA)
    assert [archive.description(number).exists() for number in (1, 2, 3)] == [True, False, False]


def test_the_ledger_keeps_a_keyed_digest_and_the_seals(archive: Archive) -> None:
    old = archive.release("r0003").hash
    archive.erase([PERSON], facts={"persons": ["digest"]}, by=ANNA)
    *_, entry = archive.ledger.entries()
    assert entry.kind == "erasure"
    assert entry.facts["superseded"]["r0003"] == old
    assert entry.facts["seals"]["r0003"] == archive.release("r0003").hash
    assert entry.facts["persons"] == ["digest"]
    assert entry.actor == ANNA
    assert str(PERSON) not in (archive.store / "published-ledger.jsonl").read_text()


def test_erasing_again_does_nothing(archive: Archive) -> None:
    archive.erase([PERSON], facts={"persons": ["digest"]}, by=ANNA)
    files = {path: path.read_bytes() for path in archive.store.rglob("*") if path.is_file()}
    assert archive.erase([PERSON], facts={"persons": ["digest"]}, by=ANNA).is_empty
    assert archive.erase([12345], facts={"persons": ["digest"]}, by=ANNA).is_empty
    assert {path: path.read_bytes() for path in archive.store.rglob("*") if path.is_file()} == files


class CtrlC(Silent):
    """Somebody interrupts as soon as the work shows that it goes on."""

    def advance(self, done: int, total: int, of: str) -> None:
        raise KeyboardInterrupt


def test_no_folder_for_work_is_left_whatever_was_erased(archive: Archive, engine: Engine) -> None:
    folders = {path for path in archive.store.rglob("*") if path.is_dir()}
    archive.erase([12345], facts={"persons": ["digest"]}, by=ANNA)
    assert {path for path in archive.store.rglob("*") if path.is_dir()} == folders
    with pytest.raises(KeyboardInterrupt):
        archive.write(engine, content(engine, OTHERS), number=4, by=ANNA, progress=CtrlC())
    archive.erase([PERSON], facts={"persons": ["digest"]}, by=ANNA)
    left = {path for path in archive.store.rglob("*") if path.is_dir()}
    assert left == folders - {archive.description(2), archive.description(3)}


def test_everyone_can_be_erased(archive: Archive) -> None:
    archive.erase([PERSON, *OTHERS], facts={"persons": ["digest"]}, by=ANNA)
    assert archive.verify() == []
    for tables in everything(archive).values():
        assert {name for name, found in tables.items() if found} == {"location", "care_site"}


def test_a_release_follows_an_erasure_and_a_killed_build_leaves_no_trace(archive: Archive, engine: Engine) -> None:
    archive.write(engine, content(engine, [PERSON, *OTHERS], day=3), number=4, by=ANNA, inputs="same")
    archive.erase([PERSON], facts={"persons": ["digest"]}, by=ANNA)
    assert traces(archive) == []
    publish(archive, engine, 4, OTHERS)
    assert archive.verify() == []
    assert archive.release("r0004").previous == archive.release("r0003").hash


def erase_and_be_killed(processes: Commands, archive: Archive, step: int) -> int:
    """Erase in another process that is killed before its step-th change of the file system; gives its exit code."""
    return processes.run(archive.store, "erase_from_archive", PERSON, step=step).code


def check_finishes(archive: Archive, expected: Everything) -> None:
    is_decided = archive.erasing.exists()
    archive.resume(by=ANNA)
    archive.erase([PERSON], facts={"persons": ["digest"]}, by=ANNA)
    assert traces(archive) == []
    assert everything(archive) == expected
    assert archive.verify() == []
    [entry] = [entry for entry in archive.ledger.entries() if entry.kind == "erasure"]
    assert entry.actor == BEN or not is_decided, "whoever finishes an erasure, the ledger names who decided it"


@pytest.mark.parametrize("step", [3, 30, 45, 60, 75, 90])
def test_killed_at_a_moment_it_is_finished_by_the_next_run(processes: Commands, archive: Archive, step: int) -> None:
    expected = without_person(everything(archive))
    assert erase_and_be_killed(processes, archive, step) == -9
    check_finishes(archive, expected)


class LedgerOfAKilled(Ledger):
    """Its writer is killed before the next entry."""

    def append(self, *_: Any, **__: Any) -> Entry:
        raise KeyboardInterrupt


def test_notes_of_an_erasure_that_has_ended_bring_back_no_manifest_of_their_time(archive: Archive) -> None:
    killed = Archive(archive.store, ledger=ledger_in(archive.store, kind=LedgerOfAKilled))
    with pytest.raises(KeyboardInterrupt):
        killed.erase([PERSON], facts={"persons": ["digest"]}, by=BEN)
    assert isinstance(archive.erasure(), DecidedErasure)
    old = archive.erasing.read_bytes()
    archive.resume(by=ANNA)
    archive.erase([OTHERS[0]], facts={"persons": ["another"]}, by=ANNA)
    kept, length = everything(archive), archive.ledger.length()
    archive.erasing.write_bytes(old)
    archive.resume(by=ANNA)
    assert (everything(archive), archive.ledger.length()) == (kept, length)
    assert archive.verify() == []


def test_an_erasure_that_was_killed_before_its_decision_is_not_resumed_over_altered_rows(archive: Archive) -> None:
    store = archive_in(archive.store)
    store.erasure_notes.begin({"persons": [PERSON], "facts": {"persons": ["digest"]}, "by": None}, by=BEN)
    for path in archive.folder.glob("condition_occurrence/*.parquet"):
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(Invalid, match="the file was altered"):
        archive.resume(by=ANNA)
    assert not [entry for entry in archive.ledger.entries() if entry.kind == "erasure"]


@pytest.mark.slow
def test_killed_at_every_moment_it_is_finished_by_the_next_run(
    processes: Commands, stored: Path, tmp_path: Path
) -> None:
    expected = without_person(everything(archive_in(stored)))
    for step in range(1, 1000):
        shutil.copytree(stored, tmp_path / f"{step}" / "store")
        archive = archive_in(tmp_path / f"{step}" / "store")
        code = erase_and_be_killed(processes, archive, step)
        check_finishes(archive, expected)
        shutil.rmtree(tmp_path / f"{step}")
        if code == 0:
            break
    assert step > 50


def test_what_a_killed_erasure_has_decided_is_told_file_by_file_until_it_is_entered(archive: Archive) -> None:
    assert archive.files_under_way() == {}
    killed = Archive(archive.store, ledger=ledger_in(archive.store, kind=LedgerOfAKilled))
    with pytest.raises(KeyboardInterrupt):
        killed.erase([PERSON], facts={"persons": ["digest"]}, by=BEN)
    told = archive.files_under_way()
    assert {f"archive/releases/{number:04d}.json" for number in (2, 3)} <= told.keys()
    assert all(content_hash(archive.store / path) == digest for path, digest in told.items())
    kept, journal = archive.ledger.files(), archive.erasure_notes
    changed = {path for path, digest in kept.items() if content_hash(archive.store / path) != digest}
    noted = {**told, **journal.files()}
    assert changed and {path for path in changed if content_hash(archive.store / path) != noted[path]} == set()
    archive.resume(by=ANNA)
    assert archive.files_under_way() == {}
