"""The discovery index as files: whole or not at all, refused when it is not what was written, gone when it is removed."""

import datetime as dt
import json
import shutil
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from pyroaring import BitMap

from fairhaven.cohort.engines.bitmap_index import DiscoveryIndex, storage
from fairhaven.cohort.engines.bitmap_index.bitmaps import bitmap_of_flags, bitmap_of_ordinals, flags_of_bitmap
from fairhaven.cohort.engines.bitmap_index.storage import FORMAT, Arrays
from fairhaven.cohort.model import (
    CohortDefinition,
    Compare,
    ConceptSet,
    ConceptSetItem,
    Domain,
    EntryEvents,
    Events,
    Filter,
)
from fairhaven.engine import Engine
from fairhaven.kernel.errors import Invalid, NotFound, Refused
from tests.support.cohort_parts import ever, number, persons
from tests.support.cohort_results import on
from tests.support.cohort_strategies import cdm

CONDITION = Domain.CONDITION_OCCURRENCE


@pytest.fixture(scope="module")
def made(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "index"
    DiscoveryIndex.build(on(engine, cdm(Random(1), persons=30)), engine, folder, release="r0001")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "index"))


def asking(*filters: Filter, concept: int = 3) -> CohortDefinition:
    concepts = ConceptSet(id="c", items=(ConceptSetItem(concept_id=concept),))
    return persons(ever(CONDITION, "c", *filters), concept_sets=(concepts,))


def arrays_of(folder: Path, file: str) -> dict[str, Any]:
    """Offset, type, length and hashes of each array of a file, as the manifest has them."""
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())["files"][file]["arrays"]
    return found


def changed(data: bytes, *places: int) -> bytes:
    """The bytes with one bit at each of these places the other way."""
    found = bytearray(data)
    for place in places:
        found[place] ^= 1
    return bytes(found)


OLD = number("age", Compare.MORE, 50)


def test_an_index_says_what_it_is_of(made: Path) -> None:
    index = DiscoveryIndex.open(made)
    assert (index.release, index.persons, len(index.universe)) == ("r0001", 30, 30)
    assert index.person_keys(BitMap([0, 29])).tolist() == [1, 30]


def test_what_is_handed_out_is_the_caller_s_own(made: Path) -> None:
    index = DiscoveryIndex.open(made)
    before = index.count(asking())
    index.persons_of(asking()).clear()
    index.universe.clear()
    assert index.count(asking()) == before > 0 and len(index.universe) == 30


def test_an_index_is_made_of_few_files_and_no_scratch(made: Path) -> None:
    assert [path.name for path in made.parent.iterdir()] == ["index"]
    assert {path.suffix for path in made.iterdir()} == {".bin", ".json"}


def test_no_index_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="makes the index again"):
        DiscoveryIndex.open(tmp_path / "index")


def test_an_index_of_another_format_is_refused(folder: Path) -> None:
    rewrite(folder, format=FORMAT - 1)
    with pytest.raises(Invalid, match=r"not of this version .* makes the index again"):
        DiscoveryIndex.open(folder)


def test_a_manifest_that_was_changed_is_refused(folder: Path) -> None:
    rewrite(folder, persons=31)
    with pytest.raises(Invalid, match="is damaged"):
        DiscoveryIndex.open(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_manifest_that_is_none_is_refused(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text)
    with pytest.raises(Invalid):
        DiscoveryIndex.open(folder)


def test_a_half_written_or_lost_file_is_refused_at_once(folder: Path) -> None:
    file = folder / "bitmaps.bin"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(Invalid, match=r"bitmaps\.bin is damaged"):
        DiscoveryIndex.open(folder)
    file.unlink()
    with pytest.raises(Invalid, match=r"bitmaps\.bin is damaged"):
        DiscoveryIndex.open(folder)


def test_no_wrong_bit_of_a_bitmap_is_counted(folder: Path) -> None:
    file = folder / "bitmaps.bin"
    offset, _, length, _ = arrays_of(folder, "bitmaps")["data"]
    data = bytearray(file.read_bytes())
    data[offset : offset + length] = bytes(byte ^ 1 for byte in data[offset : offset + length])
    file.write_bytes(data)
    with pytest.raises(Invalid, match=r"bitmaps\.bin is damaged"):
        DiscoveryIndex.open(folder).count(asking())


@pytest.mark.parametrize("file", ["persons", "periods", "concepts", "bitmaps", "condition_occurrence", "measurement"])
def test_no_changed_byte_of_an_array_is_read(folder: Path, file: str) -> None:
    path, whole = folder / f"{file}.bin", (folder / f"{file}.bin").read_bytes()
    for name, (offset, dtype, length, _) in arrays_of(folder, file).items():
        if not length or name == "data":  # each bitmap has a hash of its own
            continue
        last = offset + length * np.dtype(dtype).itemsize - 1
        for place in (offset, last):
            path.write_bytes(changed(whole, place))
            with pytest.raises(Invalid, match=rf"{file}\.bin is damaged"):
                Arrays(folder)(file, name)
        path.write_bytes(whole)
        Arrays(folder)(file, name)


def test_no_question_is_answered_from_a_column_of_events_that_was_altered(folder: Path) -> None:
    DiscoveryIndex.open(folder).count(asking(OLD))
    path = folder / "condition_occurrence.bin"
    [start] = [array for name, array in arrays_of(folder, "condition_occurrence").items() if "start" in name]
    path.write_bytes(changed(path.read_bytes(), *range(start[0], start[0] + 2 * start[2])))
    with pytest.raises(Invalid, match=r"condition_occurrence\.bin is damaged"):
        DiscoveryIndex.open(folder).count(asking(OLD))


def test_of_a_long_array_the_blocks_that_are_read_are_compared_and_no_others(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "_BLOCK", 64)
    folder = tmp_path / "index"
    DiscoveryIndex.build(on(engine, cdm(Random(1), persons=30)), engine, folder, release="r0001")
    path = folder / "persons.bin"
    offset, _, length, hashes = arrays_of(folder, "persons")["person_id"]
    assert (length, len(hashes)) == (30, 4)
    path.write_bytes(changed(path.read_bytes(), offset + 8 * 20))
    arrays = Arrays(folder)
    assert arrays.rows("persons", "person_id", 3, 16).tolist() == list(range(4, 17))
    assert arrays.rows("persons", "person_id", 24, 30).tolist() == list(range(25, 31))
    for begin, end in ((0, 30), (15, 17), (23, 24)):
        with pytest.raises(Invalid, match=r"persons\.bin is damaged"):
            arrays.rows("persons", "person_id", begin, end)


def test_an_index_removed_during_a_session_answers_or_says_so(folder: Path) -> None:
    index = DiscoveryIndex.open(folder)
    expected = index.count(asking())
    shutil.rmtree(folder)
    assert index.count(asking()) == expected
    with pytest.raises(NotFound, match="removed while it was in use"):
        index.count(asking(OLD))
    with pytest.raises(NotFound):
        DiscoveryIndex.open(folder)


def test_an_index_takes_the_place_of_an_earlier_one(engine: Engine, folder: Path) -> None:
    earlier = DiscoveryIndex.open(folder)
    assert earlier.count(asking(OLD)) >= 0
    later = DiscoveryIndex.build(on(engine, cdm(Random(2), persons=7)), engine, folder, release="r0002")
    assert (later.release, later.persons) == ("r0002", 7)
    # Who still holds the earlier one has all of it.
    assert earlier.persons == 30 and earlier.count(asking(OLD)) >= 0


def test_a_failed_build_leaves_what_was_there(engine: Engine, folder: Path) -> None:
    rows = cdm(Random(3), persons=5)
    rows["person"].append(rows["person"][0])
    with pytest.raises(Invalid, match="1 rows of persons that it has already"):
        DiscoveryIndex.build(on(engine, rows), engine, folder)
    assert DiscoveryIndex.open(folder).persons == 30
    assert [path.name for path in folder.parent.iterdir()] == ["index"]


def test_all_that_is_missing_is_said_at_once(engine: Engine, tmp_path: Path) -> None:
    tables = on(engine, cdm(Random(3), persons=5))
    del tables["concept_ancestor"], tables["observation_period"]
    tables["person"] = tables["person"].drop("race_concept_id")
    tables["drug_exposure"] = tables["drug_exposure"].drop("days_supply")
    with pytest.raises(Invalid) as refusal:
        DiscoveryIndex.build(tables, engine, tmp_path / "index")
    assert {(fault.path, fault.field) for fault in refusal.value.faults} == {
        ("concept_ancestor", ""),
        ("observation_period", ""),
        ("person", "race_concept_id"),
        ("drug_exposure", "days_supply"),
    }
    assert not (tmp_path / "index").exists()


def test_a_table_that_is_absent_is_not_taken_for_empty(engine: Engine, tmp_path: Path) -> None:
    tables = on(engine, cdm(Random(4), persons=5))
    del tables["condition_occurrence"]
    index = DiscoveryIndex.build(tables, engine, tmp_path / "index")
    assert index.obstacle(asking()) == "the table condition_occurrence"
    with pytest.raises(Refused, match="the table condition_occurrence"):
        index.count(asking())


def test_nobody_at_all_is_counted_as_nobody(engine: Engine, tmp_path: Path) -> None:
    rows = cdm(Random(4), persons=5)
    empty: dict[str, list[dict[str, Any]]] = {name: [] for name in rows}
    index = DiscoveryIndex.build(on(engine, empty), engine, tmp_path / "index")
    assert (index.persons, len(index.universe), index.count(asking()), index.count(asking(OLD))) == (0, 0, 0, 0)


def test_events_without_a_date_or_a_known_person_are_not_counted_blindly(engine: Engine, tmp_path: Path) -> None:
    rows = cdm(Random(4), persons=5)
    stranger = dict(rows["condition_occurrence"][0]) | {"person_id": 999}
    rows["condition_occurrence"].append(stranger)
    index = DiscoveryIndex.build(on(engine, rows), engine, tmp_path / "one")
    assert index.count(asking(concept=stranger["condition_concept_id"])) <= 5
    rows["condition_occurrence"][0]["condition_start_date"] = None
    index = DiscoveryIndex.build(on(engine, rows), engine, tmp_path / "two")
    assert index.obstacle(asking()) == "events of condition_occurrence without a date"


@pytest.mark.parametrize("change", ["overlap", "backwards", "no end"])
def test_periods_that_are_unsound_leave_observed_entries_to_the_compiler(
    engine: Engine, tmp_path: Path, change: str
) -> None:
    rows = cdm(Random(4), persons=5)
    period = rows["observation_period"][0]
    match change:
        case "overlap":
            rows["observation_period"].append(dict(period))
        case "backwards":
            period["observation_period_end_date"] = period["observation_period_start_date"] - dt.timedelta(days=1)
        case "no end":
            period["observation_period_end_date"] = None
    index = DiscoveryIndex.build(on(engine, rows), engine, tmp_path / "index")
    observed = CohortDefinition(entry=EntryEvents(events=(Events(domain=CONDITION),)))
    assert index.obstacle(observed) == "observation periods that overlap or lack a date"
    assert index.can_answer(asking())


def test_a_number_that_is_none_is_left_to_the_compiler(engine: Engine, tmp_path: Path) -> None:
    rows = cdm(Random(4), persons=5)
    rows["measurement"][0]["value_as_number"] = float("nan")
    index = DiscoveryIndex.build(on(engine, rows), engine, tmp_path / "index")
    high = number("value_as_number", Compare.MORE, 1)
    asked = CohortDefinition(entry=EntryEvents(events=(Events(domain=Domain.MEASUREMENT, filters=(high,)),)))
    assert index.obstacle(asked) == "value_as_number of measurement"


def test_more_values_than_codes_are_kept_as_they_are(engine: Engine, tmp_path: Path) -> None:
    rows = cdm(Random(4), persons=5)
    template = rows["measurement"][0] | {"person_id": 1}
    rows["measurement"] = [
        template | {"measurement_id": place, "value_as_number": place / 8 if place % 10 else None}
        for place in range(80_000)
    ]
    index = DiscoveryIndex.build(on(engine, rows), engine, tmp_path / "index")
    for least, expected in ((9999.8, 1), (10000.0, 0)):
        high = number("value_as_number", Compare.AT_LEAST, least)
        assert index.count(persons(ever(Domain.MEASUREMENT, None, high))) == expected


@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.5, 1.0])
@pytest.mark.parametrize("count", [0, 1, 65_535, 65_536, 65_537, 200_000])
def test_flags_and_ordinals_are_the_same_sets(count: int, share: float) -> None:
    flags = np.random.default_rng(count).random(count) < share
    expected = BitMap(np.flatnonzero(flags).tolist())
    assert bitmap_of_flags(flags) == expected == bitmap_of_ordinals(np.flatnonzero(flags))
    assert np.array_equal(flags_of_bitmap(expected, count), flags)


def rewrite(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
