"""Releases: written, sealed, read back, rolled back; what a killed build leaves is swept."""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from fairhaven.archive import Archive
from fairhaven.engine import Engine
from fairhaven.kernel.errors import Invalid, NotAllowedNow, NotFound
from fairhaven.kernel.files import read_json, write_json
from fairhaven.ledger import Entry, EventKind, Ledger, content_hash
from fairhaven.omop import CDM, to_cdm
from fairhaven.release.manifest import Release, seal_of
from tests.support.actors import ANNA
from tests.support.ledgers import archive_in, ledger_in
from tests.support.release_facts import release_facts

Make = Callable[..., ir.Table]


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return archive_in(tmp_path / "store")


@pytest.fixture(scope="module")
def persons(engine: Engine) -> Make:
    def make(ids: Iterable[int], *, year: int = 1980, line: int = 1) -> ir.Table:
        ids = list(ids)
        rows = pa.table(
            {
                "person_id": pa.array(ids, pa.int64()),
                "year_of_birth": [year] * len(ids),
                "person_source_value": [f"p{i}" for i in ids],
                "row_line": [line] * len(ids),
            }
        )
        return to_cdm(engine.arrow(rows), "person")

    return make


@pytest.fixture(scope="module")
def deaths(engine: Engine) -> Make:
    def make(ids: Sequence[int]) -> ir.Table:
        days = pa.array([dt.date(2020, 1, 1)] * len(ids), pa.date32())
        return to_cdm(
            engine.arrow(pa.table({"person_id": pa.array(list(ids), pa.int64()), "death_date": days})), "death"
        )

    return make


def release(archive: Archive, engine: Engine, number: int, /, **tables: ir.Table) -> Release:
    written = archive.write(engine, tables, number=number, by=ANNA)
    return archive.publish(
        number=number, as_of=dt.date(2026, 11, number), tables=written, facts=release_facts(code_version="x"), by=ANNA
    )


def test_a_release_is_read_back_as_it_was_written(
    archive: Archive, engine: Engine, persons: Make, deaths: Make
) -> None:
    made = release(archive, engine, 1, person=persons([1, 2, 3]), death=deaths([2]))
    assert archive.release("r0001") == made == archive.current()
    assert made.tables["person"].rows == 3
    tables = archive.tables(made, engine)
    assert engine.fetch(tables["person"].order_by("person_id"))["person_id"].to_pylist() == [1, 2, 3]
    assert tables["death"].schema() == CDM["death"].schema_of(lineage=True)
    assert made.facts == release_facts(code_version="x")


def test_a_table_without_rows_is_there_and_empty(archive: Archive, engine: Engine, persons: Make, deaths: Make) -> None:
    made = release(archive, engine, 1, person=persons([1]), death=deaths([]))
    assert engine.count(archive.tables(made, engine)["death"]) == 0
    assert archive.files(made, "death") == []


def test_the_content_hash_does_not_know_order_lineage_or_empty_tables(
    tmp_path: Path, engine: Engine, persons: Make, deaths: Make
) -> None:
    one = release(archive_in(tmp_path / "a"), engine, 1, person=persons([1, 2, 3]))
    none = deaths([])
    two = release(archive_in(tmp_path / "b"), engine, 1, person=persons([3, 1, 2], line=9), death=none)
    assert one.content == two.content
    assert one.hash != two.hash
    other = release(archive_in(tmp_path / "c"), engine, 1, person=persons([1, 2, 3], year=1981))
    assert other.content != one.content


def test_an_unchanged_table_is_not_stored_twice(archive: Archive, engine: Engine, persons: Make, deaths: Make) -> None:
    first = release(archive, engine, 1, person=persons([1, 2]), death=deaths([1]))
    second = release(archive, engine, 2, person=persons([1, 2, 3]), death=deaths([1]))
    assert second.tables["death"] == first.tables["death"]
    assert second.tables["person"].version == 1
    assert second.previous == first.hash
    assert len(list(archive.folder.glob("*/*.parquet"))) == 3


def test_the_same_rows_from_another_line_are_stored_for_their_lineage(
    archive: Archive, engine: Engine, persons: Make
) -> None:
    first = release(archive, engine, 1, person=persons([1, 2], line=1))
    second = release(archive, engine, 2, person=persons([1, 2], line=2))
    assert second.content == first.content
    assert second.tables["person"].files != first.tables["person"].files


def test_delta_readers_see_each_release_at_its_version(
    archive: Archive, engine: Engine, persons: Make, deaths: Make
) -> None:
    for number, ids in enumerate([[1], [1, 2], []], start=1):
        made = release(archive, engine, number, person=persons([9, *ids]), death=deaths(ids))
        for name, table in made.tables.items():
            delta = DeltaTable(archive.folder / name, version=table.version)
            assert sum(pa.table(delta.get_add_actions())["num_records"].to_pylist()) == table.rows
    for made in archive.releases():
        for name, table in made.tables.items():
            assert len(DeltaTable(archive.folder / name, version=table.version).file_uris()) == len(table.files)


def test_the_delta_log_says_no_smallest_or_largest_value(archive: Archive, engine: Engine, persons: Make) -> None:
    release(archive, engine, 1, person=persons([123456789]))
    log = b"".join(file.read_bytes() for file in archive.folder.glob("person/_delta_log/*"))
    assert b"numRecords" in log
    assert b"minValues" not in log and b"123456789" not in log


def test_what_a_killed_build_wrote_is_swept_by_the_next(
    archive: Archive, engine: Engine, persons: Make, deaths: Make
) -> None:
    first = release(archive, engine, 1, person=persons([1]))
    archive.write(engine, {"person": persons([1, 2]), "death": deaths([2])}, number=2, by=ANNA)
    assert len(archive.stray()) == 2
    assert [made.name for made in archive.releases()] == ["r0001"]
    second = release(archive, engine, 2, person=persons([1, 3]))
    assert archive.stray() == []
    assert second.tables["person"].version == first.tables["person"].version + 1
    assert engine.fetch(archive.tables(second, engine)["person"])["person_id"].to_pylist() == [1, 3]


def test_a_build_with_the_same_inputs_keeps_the_tables_that_a_killed_one_finished(
    archive: Archive, engine: Engine, persons: Make, deaths: Make
) -> None:
    done = archive.write(engine, {"person": persons([1, 2])}, number=1, by=ANNA, inputs="abc")
    again = archive.write(engine, {"person": persons([7]), "death": deaths([1])}, number=1, by=ANNA, inputs="abc")
    assert again["person"] == done["person"]
    other = archive.write(engine, {"person": persons([7])}, number=1, by=ANNA, inputs="xyz")
    assert other["person"] != done["person"]
    archive.publish(number=1, as_of=dt.date(2026, 1, 1), tables=other, facts=release_facts(), by=ANNA)
    assert archive.stray() == []


def test_tables_of_a_killed_build_that_were_altered_since_are_written_again(
    archive: Archive, engine: Engine, persons: Make
) -> None:
    done = archive.write(engine, {"person": persons([1, 2])}, number=1, by=ANNA, inputs="abc")
    path = archive.path(done["person"].files[0].path)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    again = archive.write(engine, {"person": persons([7])}, number=1, by=ANNA, inputs="abc")
    assert again["person"] != done["person"]


class LedgerOfAKilled(Ledger):
    """Its writer is killed before the next entry."""

    def append(self, *_: Any, **__: Any) -> Entry:
        raise KeyboardInterrupt


def test_a_manifest_altered_between_its_publication_and_the_ledger_s_entry_is_not_entered(
    archive: Archive, engine: Engine, persons: Make
) -> None:
    with pytest.raises(KeyboardInterrupt):
        release(
            Archive(archive.store, ledger=ledger_in(archive.store, kind=LedgerOfAKilled)),
            engine,
            1,
            person=persons([1]),
        )
    path = archive.manifest(1)
    kept, forged = path.read_bytes(), read_json(path)
    forged["facts"]["vocabulary"] = "another"
    write_json(path, forged | {"hash": seal_of(forged)})
    with pytest.raises(Invalid, match="the ledger does not know it"):
        archive.check_chain()
    archive.resume(by=ANNA)
    assert archive.ledger.length() == 1
    path.write_bytes(kept)
    archive.check_chain()
    archive.resume(by=ANNA)
    _, entry = archive.ledger.entries()
    assert entry.files["archive/releases/0001.json"] == content_hash(path)
    assert set(entry.files) == {"archive/releases/0001.json", f"archive/person/_delta_log/{0:020d}.json"}
    assert archive.verify() == [] and not archive.building.exists()


def test_notes_of_a_build_that_an_erasure_or_a_release_came_after_count_no_more(
    archive: Archive, engine: Engine, persons: Make
) -> None:
    archive.write(engine, {"person": persons([1, 2])}, number=1, by=ANNA, inputs="abc")
    old = archive.building.read_bytes()
    archive.ledger.append(EventKind.ERASURE, {"persons": ["digest"], "seals": {}}, by=ANNA)
    assert archive.unpublished() is None
    archive.resume(by=ANNA)
    assert not archive.building.exists()
    release(archive, engine, 1, person=persons([1]))
    archive.building.write_bytes(old)
    archive.resume(by=ANNA)
    assert not archive.building.exists() and archive.ledger.length() == 3


def test_large_tables_are_cut_into_buckets_of_persons(
    archive: Archive, engine: Engine, monkeypatch: pytest.MonkeyPatch, persons: Make
) -> None:
    monkeypatch.setattr("fairhaven.archive.parquet.ROWS_A_BUCKET", 10)
    first = release(archive, engine, 1, person=persons(range(16)))
    second = release(archive, engine, 2, person=persons([*range(15), 19]))
    assert first.tables["person"].buckets == 4
    assert {file.bucket for file in first.tables["person"].files} == {0, 1, 2, 3}
    shared = first.tables["person"].paths & second.tables["person"].paths
    assert len(shared) == 3


def test_releases_are_found_by_name_and_the_latest_is_current(archive: Archive, engine: Engine, persons: Make) -> None:
    with pytest.raises(NotFound, match="no release yet"):
        archive.release()
    first = release(archive, engine, 1, person=persons([1]))
    second = release(archive, engine, 2, person=persons([1, 2]))
    assert archive.release().name == "r0002"
    with pytest.raises(NotFound, match="r0001, r0002"):
        archive.release("r0009")
    archive.roll_back("r0001", by=ANNA)
    assert archive.release() == first
    assert archive.releases() == [first, second]
    assert release(archive, engine, 3, person=persons([1])) == archive.release()


def test_a_release_cannot_be_published_over_another(archive: Archive, engine: Engine, persons: Make) -> None:
    release(archive, engine, 1, person=persons([1]))
    written = archive.write(engine, {"person": persons([2])}, number=1, by=ANNA)
    with pytest.raises(NotAllowedNow):
        archive.publish(number=1, as_of=dt.date(2026, 1, 1), tables=written, facts=release_facts(), by=ANNA)


def test_each_release_is_entered_in_the_ledger(archive: Archive, engine: Engine, persons: Make) -> None:
    made = release(archive, engine, 1, person=persons([1]))
    _, entry = archive.ledger.entries()
    assert (entry.kind, entry.facts) == ("release", {"release": "r0001", "hash": made.hash})


def test_a_hub_may_have_any_name(tmp_path: Path, engine: Engine, persons: Make) -> None:
    archive = archive_in(tmp_path / "it's a [hub] *" / "store")
    release(archive, engine, 1, person=persons([1, 2]))
    second = release(archive, engine, 2, person=persons([1, 2, 3]))
    assert engine.count(archive.tables(second, engine)["person"]) == 3
    assert not archive.erase([2], facts={"persons": ["digest"]}, by=ANNA).is_empty
    assert archive.verify() == []
