"""Verify says exactly what is not as it was sealed; the difference of two releases; a release as a CDM database."""

import datetime as dt
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairhaven.archive import Archive, Change
from fairhaven.engine import Engine
from fairhaven.journeys.hub_folder import check_outside_hubs
from fairhaven.kernel.errors import Invalid, NotAllowedNow, NotFound
from fairhaven.kernel.files import write_json
from fairhaven.kernel.outputs import Output
from fairhaven.omop import CDM, to_cdm
from fairhaven.release.manifest import Release, seal_of
from tests.support.actors import ANNA
from tests.support.ledgers import archive_in, left_by_an_earlier_version
from tests.support.release_facts import release_facts

DAY = dt.date(2020, 1, 1)
Row = dict[str, Any]


def table(engine: Engine, name: str, rows: Sequence[Row]) -> ir.Table:
    """A CDM table from rows given as dicts; columns not named are absent."""
    schema = CDM[name].schema_of(lineage=True).to_pyarrow()
    filled = [{"row_extract": 1, "row_line": 1, "row_rule": 1, **row} for row in rows]
    return to_cdm(engine.arrow(pa.Table.from_pylist(filled, schema)), name)


def publish(archive: Archive, engine: Engine, tables: Mapping[str, Sequence[Row]]) -> Release:
    number = len(archive.releases()) + 1
    written = archive.write(
        engine, {name: table(engine, name, rows) for name, rows in tables.items()}, number=number, by=ANNA
    )
    return archive.publish(
        number=number, as_of=dt.date(2026, 1, number), tables=written, facts=release_facts(vocabulary="v1"), by=ANNA
    )


def person(number: int, year: int = 1980) -> Row:
    return {"person_id": number, "year_of_birth": year, "race_concept_id": 0, "ethnicity_concept_id": 0}


def condition(number: int, concept: int = 4000, value: str | None = "x") -> Row:
    return {
        "condition_occurrence_id": number,
        "person_id": number % 3,
        "condition_concept_id": concept,
        "condition_start_date": DAY,
        "condition_type_concept_id": 1,
        "condition_source_value": value,
    }


FIRST = {
    "person": [person(1), person(2), person(3)],
    "condition_occurrence": [condition(1), condition(2), condition(3, value=None)],
    "death": [{"person_id": 1, "death_date": DAY}],
    "fact_relationship": [{"fact_id_1": 1, "fact_id_2": 2}, {"fact_id_1": 1, "fact_id_2": 2}],
    "location": [{"location_id": 1, "zip": "AB1"}],
}
SECOND: dict[str, list[Row]] = {
    "person": [person(1), person(2, 1981), person(4)],
    "condition_occurrence": [condition(1), condition(2, value=None), condition(3, value=None), condition(5)],
    "death": [{"person_id": 1, "death_date": dt.date(2020, 1, 2)}],
    "fact_relationship": [{"fact_id_1": 1, "fact_id_2": 2}, {"fact_id_1": None, "fact_id_2": 3}],
    "location": [{"location_id": 1, "zip": "AB1", "row_line": 9}],
    "care_site": [{"care_site_id": 1}],
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Path:
    archive = archive_in(tmp_path_factory.mktemp("hub") / "store")
    publish(archive, engine, FIRST)
    publish(archive, engine, SECOND)
    return archive.store


@pytest.fixture
def archive(stored: Path, tmp_path: Path) -> Archive:
    shutil.copytree(stored, tmp_path / "store")
    return archive_in(tmp_path / "store")


def problems(archive: Archive, *names: str) -> list[str]:
    return [str(problem) for problem in archive.verify(*names)]


def test_what_is_as_it_was_sealed_has_no_problem(archive: Archive) -> None:
    assert archive.verify() == []
    assert archive.verify("r0001") == []
    with pytest.raises(NotFound):
        archive.verify("r0007")


def test_a_missing_file_is_named(archive: Archive) -> None:
    [file] = archive.files(archive.release("r0001"), "death")
    file.unlink()
    assert problems(archive) == [f"r0001: archive/death/{file.name}: the file is missing"]
    assert archive.verify("r0002") == []


def test_a_changed_byte_is_found(archive: Archive) -> None:
    [file] = archive.files(archive.release("r0002"), "death")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert (
        problems(archive)[0]
        == f"r0002: archive/death/{file.name}: the file was altered: its SHA-256 is not the manifest's"
    )


def test_a_file_cut_short_is_found(archive: Archive) -> None:
    [file] = archive.files(archive.release("r0002"), "death")
    file.write_bytes(file.read_bytes()[:100])
    first, second = problems(archive)
    assert "has 100 bytes, and the manifest says" in first
    assert "cannot be read as Parquet" in second


def test_a_manifest_altered_without_its_seal_is_found(archive: Archive) -> None:
    path = archive.manifest(1)
    path.write_text(path.read_text().replace('"vocabulary": "v1"', '"vocabulary": "v2"'))
    assert problems(archive) == ["r0001: archive/releases/0001.json: the manifest was altered: its seal does not hold"]


def test_a_manifest_forged_with_its_seal_is_found_by_its_neighbour_and_the_ledger(archive: Archive) -> None:
    path = archive.manifest(1)
    manifest = json.loads(path.read_text())
    manifest["facts"]["vocabulary"] = "v2"
    path.write_text(json.dumps(manifest | {"hash": seal_of(manifest)}))
    found = problems(archive)
    assert any("r0002" in problem and "does not follow" in problem for problem in found)
    assert any("r0001" in problem and "the ledger holds another seal" in problem for problem in found)


def forged(archive: Archive, number: int, *, as_number: int | None = None) -> None:
    """A manifest with other facts, under a seal that holds."""
    manifest = json.loads(archive.manifest(number).read_text())
    manifest["facts"]["vocabulary"] = "v2"
    manifest["number"] = as_number or number
    archive.manifest(manifest["number"]).write_text(json.dumps(manifest | {"hash": seal_of(manifest)}))


def swapped(archive: Archive) -> None:
    first, second = archive.manifest(1).read_bytes(), archive.manifest(2).read_bytes()
    archive.manifest(1).write_bytes(second)
    archive.manifest(2).write_bytes(first)


MANIFESTS: dict[str, Callable[[Archive], object]] = {
    "forged with its seal": lambda archive: forged(archive, 2),
    "of the release before": lambda archive: shutil.copyfile(archive.manifest(1), archive.manifest(2)),
    "swapped with another": swapped,
    "gone": lambda archive: archive.manifest(2).unlink(),
}


@pytest.mark.parametrize("alteration", MANIFESTS, ids=str)
@pytest.mark.parametrize("is_erasing", [False, True], ids=["", "beside a note of an erasure"])
def test_nothing_is_read_of_a_manifest_whose_seal_is_not_the_one_in_the_ledger(
    alteration: str, is_erasing: bool, archive: Archive
) -> None:
    MANIFESTS[alteration](archive)
    if is_erasing:
        left_by_an_earlier_version(archive.ledger, archive.erasing, {"persons": [1], "facts": {}})
    for read in (archive.release, archive.current, archive.releases, lambda: archive.release("r0002")):
        with pytest.raises(Invalid, match=r"0002\.json.*ledger has|0001\.json.*ledger has"):
            read()
    with pytest.raises(Invalid, match="r0002"):
        archive.check_chain()


def test_a_manifest_is_not_read_while_an_erasure_writes_it_anew_and_any_other_than_its_own_is_a_fault(
    archive: Archive,
) -> None:
    sealed, before = json.loads(archive.manifest(2).read_text()), archive.manifest(2).read_bytes()
    anew = {**sealed, "salt": "0" * 32}
    anew["hash"] = seal_of(anew)
    decided = {"facts": {}, "tables": [], "superseded": {"r0002": sealed["hash"]}, "manifests": [anew]}
    left_by_an_earlier_version(archive.ledger, archive.erasing, decided)
    assert archive.release().hash == sealed["hash"]
    write_json(archive.manifest(2), anew)
    with pytest.raises(NotAllowedNow, match="r0002 is being written anew"):
        archive.release()
    archive.check_chain()
    forged(archive, 2)
    with pytest.raises(Invalid, match=r"r0002: ledger: the ledger holds another seal"):
        archive.check_chain()
    archive.manifest(2).write_bytes(before)
    archive.manifest(1).unlink()
    with pytest.raises(Invalid, match=r"r0001: ledger: the ledger knows it, and its manifest is gone"):
        archive.check_chain()
    with pytest.raises(Invalid, match=r"0001\.json"):
        archive.releases()


def test_a_manifest_that_the_ledger_does_not_have_is_no_release(archive: Archive) -> None:
    forged(archive, 2, as_number=3)
    assert archive.release().name == "r0002"
    assert [release.name for release in archive.releases()] == ["r0001", "r0002"]
    with pytest.raises(NotFound, match="releases here: r0001, r0002"):
        archive.release("r0003")
    assert any("r0003" in problem and "does not know it" in problem for problem in problems(archive))


def test_the_release_in_use_is_the_one_that_the_ledger_says(archive: Archive) -> None:
    archive.roll_back("r0001", by=ANNA)
    assert archive.current().name == "r0001"
    archive.roll_back("r0002", by=ANNA)
    write_json(archive.folder / "current.json", {"number": 1, "latest": 2})
    assert archive.current().name == "r0002"


def test_rows_that_were_altered_are_not_compared(archive: Archive, engine: Engine) -> None:
    first, second = archive.releases()
    [file] = archive.files(second, "person")
    pq.write_table(pq.read_table(file).slice(1), file)
    with pytest.raises(Invalid, match=r"r0002: archive/person/.*: the file has"):
        archive.diff(first, second, engine)


def test_a_removed_release_is_found(archive: Archive) -> None:
    archive.manifest(2).unlink()
    assert any(
        "r0002: ledger: the ledger knows it, and its manifest is gone" in problem for problem in problems(archive)
    )


def test_a_manifest_that_cannot_be_read_is_a_problem_and_the_others_are_checked(archive: Archive) -> None:
    archive.manifest(1).write_text("{")
    assert any("0001.json is damaged" in problem for problem in problems(archive))


def test_rows_swapped_with_the_file_s_facts_are_found_by_content(
    archive: Archive, engine: Engine, tmp_path: Path
) -> None:
    """Even who rewrites file, size, hash and seals in the manifest must also match the sums of contents."""
    release = archive.release("r0002")
    [file] = archive.files(release, "death")
    rows = pq.read_table(file)
    pq.write_table(rows.set_column(1, "death_date", pa.array([DAY], pa.date32())), file)
    assert any("not those that were written" in problem for problem in problems(archive))


def test_a_delta_log_that_says_otherwise_is_found(archive: Archive) -> None:
    log = archive.folder / "person" / "_delta_log"
    (log / f"{1:020d}.json").unlink()
    assert problems(archive) == ["r0002: person: the Delta log has no readable version 1"]


def test_a_file_that_no_release_names_is_found(archive: Archive) -> None:
    (archive.folder / "person" / "extra.parquet").write_bytes(b"x")
    assert problems(archive) == ["archive/person/extra.parquet: no release names this file"]


def test_the_difference_counts_rows_added_changed_and_gone(archive: Archive, engine: Engine) -> None:
    first, second = archive.releases()
    assert archive.diff(first, second, engine) == {
        "person": Change(added=1, changed=1, gone=1),
        "condition_occurrence": Change(added=1, changed=1),
        "death": Change(changed=1),
        "fact_relationship": Change(added=1, gone=1),
        "location": Change(),
        "care_site": Change(added=1),
    }
    assert all(change.is_empty for change in archive.diff(second, second, engine).values())


def test_persons_of_whom_anything_differs_are_counted_until_there_are_enough(archive: Archive, engine: Engine) -> None:
    first, second = archive.releases()
    differing = {
        row["person_id"]
        for table in ("person", "condition_occurrence", "death")
        for release, other in ((first, second), (second, first))
        for row in _rows_only_in(archive, release, other, table)
    }
    assert archive.persons_apart(first, second, engine, enough=10) == len(differing)
    assert archive.persons_apart(first, second, engine, enough=2) == 2
    assert archive.persons_apart(second, second, engine, enough=2) == 0


def _rows_only_in(archive: Archive, release: Release, other: Release, table: str) -> list[dict[str, object]]:
    names = CDM[table].names
    here, there = (
        pq.ParquetDataset(archive.files(each, table)).read(columns=list(names)).to_pylist() for each in (release, other)
    )
    return [row for row in here if row not in there]


def test_the_difference_names_its_keys(archive: Archive, engine: Engine) -> None:
    first, second = archive.releases()
    found = engine.fetch(archive.changes(first, second, engine, "person")).to_pylist()
    assert {(row["person_id"], row["change"]) for row in found} == {(2, "changed"), (3, "gone"), (4, "added")}


def test_an_export_is_a_whole_cdm_database(archive: Archive, engine: Engine, tmp_path: Path) -> None:
    concept = tmp_path / "concept.parquet"
    fields = {"concept_id": [4000], "concept_name": ["thing"], "domain_id": ["Condition"], "vocabulary_id": ["SNOMED"]}
    fields |= {"concept_class_id": ["Finding"], "concept_code": ["1"], "extra": [1]}
    fields |= {"valid_start_date": [DAY], "valid_end_date": [DAY]}
    pq.write_table(pa.table(fields), concept)
    out = tmp_path / "out" / "cdm.duckdb"
    archive.export(
        archive.release(),
        Output(path=out, command="export", check_place=check_outside_hubs),
        format="duckdb",
        vocabulary_files={"concept": [concept]},
    )
    with duckdb.connect(str(out), read_only=True) as database:
        tables = {row[0] for row in database.execute("SELECT table_name FROM information_schema.tables").fetchall()}
        assert tables == set(CDM)
        columns = database.execute("DESCRIBE condition_occurrence").fetchall()
        assert [row[0] for row in columns] == list(CDM["condition_occurrence"].names)
        types = {row[0]: (row[1], row[2]) for row in columns}
        assert types["condition_occurrence_id"] == ("BIGINT", "NO")
        assert types["condition_concept_id"] == ("INTEGER", "NO")
        assert types["stop_reason"] == ("VARCHAR", "YES")
        assert database.execute(
            "SELECT count(*) FROM condition_occurrence JOIN concept ON condition_concept_id = concept_id"
        ).fetchone() == (4,)
        [source] = database.execute(
            "SELECT cdm_version, cdm_version_concept_id, vocabulary_version, cdm_release_date FROM cdm_source"
        ).fetchall()
        assert source == ("5.4", 756265, "v1", dt.date(2026, 1, 2))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["cdm.duckdb"]


def test_an_export_as_parquet_has_a_file_for_each_table(archive: Archive, tmp_path: Path) -> None:
    out = tmp_path / "cdm"
    archive.export(
        archive.release("r0001"),
        Output(path=out, command="export", check_place=check_outside_hubs),
        format="parquet",
        vocabulary_files={},
    )
    assert {path.stem for path in out.iterdir()} == set(CDM)
    assert pq.read_table(out / "person.parquet")["person_id"].to_pylist() == [1, 2, 3]
    assert pq.read_metadata(out / "drug_era.parquet").num_rows == 0
    assert "row_line" not in pq.read_schema(out / "person.parquet").names


def test_an_export_leaves_optional_what_the_rows_lack_and_says_so(
    archive: Archive, engine: Engine, tmp_path: Path
) -> None:
    notes = []

    class Notes:
        def stage(self, title: str) -> None: ...
        def advance(self, done: int, total: int, unit: str) -> None: ...
        def note(self, message: str) -> None:
            notes.append(message)

    twice = [person(7), person(7) | {"year_of_birth": None}]
    release = publish(archive, engine, {"person": twice})
    out = Output(path=tmp_path / "cdm.duckdb", command="export", check_place=check_outside_hubs)
    archive.export(release, out, format="duckdb", vocabulary_files={}, progress=Notes())
    assert [note.split(" is ")[0] for note in notes] == ["person.year_of_birth", "person.person_id"]
