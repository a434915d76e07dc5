"""Somebody who may write to the store alters it: whatever it is, it is noticed before it is used, and named."""

import datetime as dt
import json
import random
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairhaven.hub import open_hub
from fairhaven.journeys.descriptions.discovery_index import record_description
from fairhaven.journeys.hub_places import STORE, place_of
from fairhaven.journeys.network.answer import HubAnswers
from fairhaven.journeys.releases.report_facts import quarantined_in
from fairhaven.journeys.store_files import landing_journal
from fairhaven.journeys.store_verification import verify_store
from fairhaven.kernel.errors import FairhavenError, Invalid
from fairhaven.kernel.files import read_json, write_json
from fairhaven.kernel.progress import Silent
from fairhaven.ledger import EventKind, hashes_as_written
from fairhaven.network import AvailabilityTask, CollectionAbout, DistributionTask
from fairhaven.network.task import Distribution, Task
from fairhaven.network.task_answer import AnswerDeferred, reply
from fairhaven.network.task_record import TaskRecord
from fairhaven.omop import vocabulary
from fairhaven.release.manifest import seal_of
from tests.support.actors import ANNA
from tests.support.command_line import Command
from tests.support.killed_hub import copied
from tests.support.killed_stages import Region
from tests.support.ledgers import alter
from tests.support.network_wire import AVAILABILITY


def _landed(store: Path) -> Path:
    return max((store / "landing").glob("*/*.parquet"), key=lambda path: (path.stat().st_size, path.name))


def _rewritten(store: Path) -> Path:
    """A landed table with one value of each row changed, and a footer as it should be."""
    path = _landed(store)
    with duckdb.connect() as connection:
        rows = f"SELECT * REPLACE (NOT row_withdrawn AS row_withdrawn) FROM '{path}'"
        connection.execute(f"COPY ({rows}) TO '{path}.other' (FORMAT parquet)")
    Path(f"{path}.other").replace(path)
    return path


def _swapped(one: Path, other: Path) -> Path:
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)
    return one


def _manifests_swapped(store: Path) -> Path:
    return _swapped(store / "archive/releases/0001.json", store / "archive/releases/0002.json")


def _identities_swapped(store: Path) -> Path:
    """Both open under the hub's key; only their places are wrong."""
    first, second = sorted((store / "vault/identity").glob("*.sealed"))[:2]
    return _swapped(first, second)


def _cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def _gone(path: Path) -> Path:
    path.unlink()
    return path


def _flipped(path: Path, seed: int = 1) -> Path:
    data = bytearray(path.read_bytes())
    data[random.Random(seed).randrange(len(data))] ^= 1
    path.write_bytes(data)
    return path


def _added(path: Path, like: Path) -> Path:
    shutil.copyfile(like, path)
    return path


def _opted_in(store: Path) -> Path:
    """Other sealed bytes of the hub in place of the list of who has opted out: they open under the same key."""
    extracts = open_hub(store.parent).intake.extracts()
    sealed = {each.format == "opt-out": store / "received" / f"{each.sha256}.sealed" for each in extracts}
    return _added(sealed[True], like=sealed[False])


ALTERATIONS: dict[str, Callable[[Path], Path]] = {
    "another list of opt-outs": _opted_in,  # first, because it reads the records that others alter
    "a landed table rewritten": _rewritten,
    "a landed table more": lambda store: _added(_landed(store).with_name("more.parquet"), _landed(store)),
    "what an extract holds": lambda store: _flipped(store / "landing/000002/extract.json", seed=3),
    "a delivery's record": lambda store: _flipped(store / "deliveries/000002.json", seed=3),
    "identities swapped": _identities_swapped,
    "identities gone": lambda store: _gone(store / "vault/identity/000002.sealed"),
    "the index of persons": lambda store: _flipped(store / "vault/index.sealed"),
    "manifests swapped": _manifests_swapped,
    "a manifest gone": lambda store: _gone(store / "archive/releases/0002.json"),
    "a Delta version gone": lambda store: _gone(store / f"archive/person/_delta_log/{0:020d}.json"),
    "a Delta version cut": lambda store: _cut(store / f"archive/measurement/_delta_log/{1:020d}.json"),
    "rows of a release": lambda store: _flipped(max((store / "archive/measurement").glob("*.parquet"))),
    "the vocabulary": lambda store: _flipped(next(store.glob("vocabulary/*/concept.parquet"))),
}


@pytest.mark.parametrize("alteration", ALTERATIONS, ids=str)
def test_a_build_refuses_an_altered_store_and_names_the_file(alteration: str, copy: Path, fairhaven: Command) -> None:
    altered = ALTERATIONS[alteration](copy / "store")
    refused = fairhaven("build", copy, code=1)
    assert any(name in refused.stderr for name in (altered.name, altered.parent.name, f"r{altered.stem}"))
    assert "Traceback" not in refused.stderr
    assert not fairhaven("store", "verify", copy, code=1).stdout.startswith("Verified")
    assert len(open_hub(copy).archive.manifests()) == 2 - (alteration == "a manifest gone")


def test_every_place_that_the_ledger_has_hashes_of_is_among_what_is_altered(copy: Path) -> None:
    altered = {
        place_of(path.relative_to(copy / "store").as_posix())
        for path in (each(copy / "store") for each in ALTERATIONS.values())
    }
    elsewhere = {
        "erased": test_whoever_was_erased_stays_erased_though_the_list_of_them_is_gone,
        "archive/releases/*": test_what_describes_a_release_is_made_again_where_it_was_altered,
        "vault": "which holds the other two of the vault",
        "query-audit-set-aside": "test_analyst_account alters one, where it has an account for it",
    }
    assert {place.path for place in STORE if place.is_hashed} == {
        place.path for place in altered if place
    } | elsewhere.keys()


def _extracts_forgotten(store: Path) -> Path:
    """A delivery's record that names none of its extracts."""
    path = store / "deliveries/000002.json"
    write_json(path, read_json(path) | {"extracts": []})
    return path


def _sealed_bytes_renamed(store: Path) -> Path:
    """What an extract holds, with another name for its sealed bytes."""
    path = store / "landing/000002/extract.json"
    write_json(path, read_json(path) | {"sha256": open_hub(store.parent).intake.extracts()[0].sha256})
    return path


LOSSES: dict[str, Callable[[Path], Path]] = {
    "what an extract holds": lambda store: _gone(store / "landing/000002/extract.json"),
    "sealed bytes": lambda store: _gone(max((store / "received").glob("*.sealed"))),
    "identities": lambda store: _gone(max((store / "vault/identity").glob("*.sealed"))),
    "what a delivery's record names": _extracts_forgotten,
    "what an extract names": _sealed_bytes_renamed,
}


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_a_delivery_that_lost_a_file_is_refused_by_its_name_and_nothing_of_it_is_cleared_away(
    loss: str, copy: Path, fairhaven: Command
) -> None:
    store = copy / "store"
    lost = LOSSES[loss](store).relative_to(store)
    places = ("deliveries", "landing", "received", "vault")
    kept = {path: path.read_bytes() for place in places for path in (store / place).rglob("*") if path.is_file()}
    source = next(path for path in sorted(copy.glob("inbox/*/*")) if path.is_dir())
    refused = [fairhaven("build", copy, code=1).stderr]
    if "names" not in loss:
        refused.append(fairhaven("receive", copy, source.name, *source.iterdir(), code=1).stderr)
    for said in refused:
        assert lost.name in said and "backup" in said
    assert {path: path.read_bytes() for path in kept if path.exists()} == kept


def test_a_landed_table_that_is_removed_is_landed_again_and_entered(copy: Path, fairhaven: Command) -> None:
    path = _rewritten(copy / "store")
    assert "lands it again from the sealed bytes" in fairhaven("build", copy, code=1).stderr
    path.unlink()
    fairhaven("build", copy)
    assert "Verified:" in fairhaven("store", "verify", copy).stdout


def test_what_describes_a_release_is_made_again_where_it_was_altered(copy: Path, fairhaven: Command) -> None:
    folder = copy / "store/archive/releases/0002"
    before = {path: path.read_bytes() for path in (folder / "quality.json", folder / "dcat.jsonld")}
    path = _flipped(folder / "dcat.jsonld")
    assert "dcat.jsonld: was altered" in fairhaven("store", "verify", copy, code=1).stdout
    # Nor does it become a good one by what else is entered of the description.
    rooms = open_hub(copy)
    with hashes_as_written(rooms.store) as written:
        write_json(folder / "quality.json", {})
    record_description(rooms, rooms.archive.release(), written, by=ANNA)
    assert path.name in fairhaven("store", "verify", copy, code=1).stdout
    fairhaven("quality", copy)
    assert {path: path.read_bytes() for path in before} == before
    assert "Verified:" in fairhaven("store", "verify", copy).stdout


@pytest.mark.parametrize("words", [("export", "--format", "parquet", "--out", "OUT"), ("erase", "--person-key", "KEY")])
def test_rows_altered_on_disk_are_neither_exported_nor_sealed_anew(
    words: tuple[str, ...], copy: Path, fairhaven: Command, tmp_path: Path
) -> None:
    release = open_hub(copy).archive.release()
    [(key,)] = duckdb.execute(
        "SELECT person_id FROM read_parquet(?) ORDER BY 1 LIMIT 1",
        [[str(path) for path in open_hub(copy).archive.files(release, "person")]],
    ).fetchall()
    for path in (copy / "store/archive/condition_occurrence").glob("*.parquet"):
        _flipped(path)
    command, *others = [{"OUT": tmp_path / "cdm", "KEY": key}.get(word, word) for word in words]
    refused = fairhaven(command, copy, *others, code=1)
    assert "the file was altered" in refused.stderr
    assert not (tmp_path / "cdm").exists()
    assert not (copy / "store/erasing.json").exists()


def test_whoever_was_erased_stays_erased_though_the_list_of_them_is_gone(
    region: Region, tmp_path: Path, fairhaven: Command
) -> None:
    hub = copied(region.stage("erase").hub, tmp_path / "hub")
    assert "Verified:" in fairhaven("store", "verify", hub).stdout
    lists = sorted((hub / "store/erased").glob("*.json"))
    lists[0].unlink()
    assert f"erased/{lists[0].name}: is missing" in fairhaven("build", hub, code=1).stderr
    source = lists[0].stem
    file = next(path for path in hub.glob(f"inbox/*/{source}/*") if path.is_file())
    assert "is missing" in fairhaven("receive", hub, source, file, code=1).stderr


def test_verifying_releases_sees_what_is_gone_and_versions_that_no_release_has(copy: Path, fairhaven: Command) -> None:
    log = copy / "store/archive/person/_delta_log"
    last = max(log.glob("*.json"))
    shutil.copyfile(last, log / f"{int(last.stem) + 1:020d}.json")
    assert "no release has this version of the Delta table" in fairhaven("release", "verify", copy, code=1).stdout
    for folder in ("vault", "landing"):
        shutil.rmtree(copy / "store" / folder)
    said = fairhaven("release", "verify", copy, code=1).stdout
    assert "vault/index.sealed: the file is missing" in said
    assert "landing/000001/extract.json: the file is missing" in said


def test_nothing_is_built_on_counted_in_or_shown_of_a_manifest_forged_with_its_seal(
    copy: Path, fairhaven: Command
) -> None:
    fairhaven("project", "open", copy, "P", "--organisation", "O")
    path = copy / "store/archive/releases/0002.json"
    manifest = read_json(path)
    manifest["facts"]["vocabulary"] = "another"
    write_json(path, manifest | {"hash": seal_of(manifest)})
    assert "the ledger holds another seal" in fairhaven("build", copy, code=1).stderr
    count = ("cohort", "count", copy, copy / "cohorts" / "first_pregnancy.toml")
    for command in (
        *(("release", verb, copy) for verb in ("list", "show", "diff")),
        ("report", copy, "--out", "x"),
        ("export", copy, "--format", "parquet", "--out", "x"),
        ("quality", copy),
        ("trace", copy, "person", 1),
        count,
        (*count, "--project", "P"),
    ):
        refused = fairhaven(*command, code=1)
        assert refused.stdout == "", command
        assert "0002.json: is not the manifest whose seal the ledger has" in refused.stderr, command


def _set_aside(store: Path) -> Path:
    """Quarantined rows of an extract, all but one taken away."""
    path = max(store.glob("landing/*/rejects.parquet"), key=lambda each: pq.read_metadata(each).num_rows)
    pq.write_table(pq.read_table(path).slice(0, 1), path)
    return path


def _said_of_an_extract(store: Path) -> Path:
    for path in store.glob("landing/*/extract.json"):
        write_json(path, read_json(path) | {"file": "another.csv"})
    return path


def test_no_report_is_made_of_quarantine_that_was_altered_and_no_row_traced_to_an_altered_origin(
    copy: Path, fairhaven: Command, tmp_path: Path
) -> None:
    store, release = copy / "store", open_hub(copy).archive.release()
    [(key,)] = duckdb.execute(
        "SELECT person_id FROM read_parquet(?) ORDER BY 1 LIMIT 1",
        [[str(path) for path in open_hub(copy).archive.files(release, "person")]],
    ).fetchall()
    altered = _set_aside(store)
    fairhaven("report", copy, "--out", tmp_path / "report.html")  # made of what the release says
    of_before = replace(release, facts=replace(release.facts, quarantined=None))
    with pytest.raises(Invalid, match=f"{altered.relative_to(store)}: was altered"):
        quarantined_in(open_hub(copy), of_before)
    _said_of_an_extract(store)
    assert "extract.json: was altered" in fairhaven("trace", copy, "person", key, code=1).stderr
    landing_journal(open_hub(copy)).begin({"source": "gp"}, by=ANNA)
    assert "is being written anew" in fairhaven("trace", copy, "person", key, code=1).stderr


def _vocabulary_of_its_own_digest(store: Path) -> Path:
    """A vocabulary with other names of concepts, whose own record says that it is the same."""
    [folder] = (path.parent for path in store.glob("vocabulary/*/vocabulary.json"))
    concept = folder / "concept.parquet"
    names = pq.read_table(concept)
    at = names.column_names.index("concept_name")
    pq.write_table(names.set_column(at, "concept_name", pa.array(["other"] * len(names))), concept)
    described = read_json(folder / "vocabulary.json")
    write_json(folder / "vocabulary.json", described | {"digest": vocabulary._digest(folder)})
    return concept


def test_a_vocabulary_altered_with_its_own_digest_is_refused(copy: Path, fairhaven: Command) -> None:
    concept = _vocabulary_of_its_own_digest(copy / "store")
    assert f"{concept.parent.name}/concept.parquet: was altered" in fairhaven("build", copy, code=1).stderr


def test_what_is_said_of_a_vocabulary_beside_its_files_is_compared_by_whoever_reads_a_release(
    copy: Path, fairhaven: Command, tmp_path: Path
) -> None:
    [path] = (copy / "store").glob("vocabulary/*/vocabulary.json")
    said = read_json(path)
    write_json(path, said | {"counts": {"concept": said["counts"]["concept"]}})
    for words in (("export", copy, "--format", "parquet", "--out", tmp_path / "x"), ("build", copy)):
        assert "vocabulary.json: was altered" in fairhaven(*words, code=1).stderr


def test_a_hub_at_fault_keeps_a_task_and_does_not_call_its_question_unsupported(copy: Path) -> None:
    answers = HubAnswers(rooms=open_hub(copy), today=lambda: dt.date(2026, 11, 30), by=ANNA, progress=Silent())
    _flipped(copy / "store/archive/releases/0002.json")
    query = AVAILABILITY | {"project": "P"}
    about = CollectionAbout(software="fairhaven", version="1", rounding=10, threshold=10)
    tasks: tuple[Task, ...] = (
        AvailabilityTask(uuid="u", collection="c", query=query),
        *(DistributionTask(uuid="u", collection="c", code=code, query=query) for code in Distribution),
    )
    for task in tasks:
        with pytest.raises(AnswerDeferred, match=r"0002\.json"):
            reply(task, answers, about)


def test_a_scrub_goes_on_where_it_was_ended(copy: Path, fairhaven: Command) -> None:
    _flipped(copy / "store/deliveries/000001.json")
    whole = json.loads(fairhaven("store", "verify", copy, "--json", code=1).stdout)
    [problem] = whole["problems"]
    assert problem["path"] == "deliveries/000001.json"
    rest = json.loads(fairhaven("store", "verify", copy, "--after", problem["path"], "--json").stdout)
    assert 0 < rest["files"] < whole["files"]
    assert rest["problems"] == []


def test_what_a_worker_of_the_network_records_belongs_to_a_store(copy: Path) -> None:
    folder = copy / "store/discovery/collection"
    folder.mkdir(parents=True)
    with closing(TaskRecord(folder / "record.sqlite")):
        verified = verify_store(open_hub(copy), after="", progress=Silent())
    assert verified.is_good
    assert "discovery" in verified.outside


def test_every_entry_of_a_hub_that_writes_files_has_their_hashes(demo: Path) -> None:
    entries = list(open_hub(demo).ledger.entries())
    writing = {EventKind.VOCABULARY, EventKind.DELIVERY, EventKind.RELEASE, EventKind.DESCRIPTION}
    assert {entry.kind for entry in entries if entry.files} == writing
    assert all(entry.files for entry in entries if entry.kind in writing)


def test_one_flipped_byte_in_any_file_of_the_store_is_noticed(copy: Path) -> None:
    """Of files alike, of which there are many, a few each: every file of every hub is the trial below."""
    by_kind: dict[tuple[str, str], list[Path]] = {}
    for path in sorted((copy / "store").rglob("*")):
        if not path.is_dir() and path.stat().st_size:
            by_kind.setdefault((path.relative_to(copy / "store").parts[0], path.suffix), []).append(path)
    assert _unnoticed(copy, [path for paths in by_kind.values() for path in paths[:2]]) <= {
        place.path for place in STORE if not place.is_hashed
    }


@pytest.mark.slow
def test_one_flipped_byte_in_each_file_of_the_store_is_noticed(copy: Path) -> None:
    paths = [path for path in sorted((copy / "store").rglob("*")) if not path.is_dir() and path.stat().st_size]
    assert _unnoticed(copy, paths) == {"demonstration.json", "locks"}


def _of_each_kind(store: Path, *, is_meant: Callable[[Path], bool] = lambda _: True) -> dict[str, Path]:
    """A file of each place, and ending, whose hash the ledger or a manifest has."""
    found: dict[str, Path] = {}
    for path in sorted(path for path in store.rglob("*") if path.is_file()):
        place = place_of(path.relative_to(store).as_posix())
        if place and place.is_hashed and is_meant(path):
            found.setdefault(f"{place.path} {path.suffix}", path)
    return found


def _named(hub: Path) -> set[Path]:
    """What a scrub names."""
    found = verify_store(open_hub(hub), after="", progress=Silent())
    return {hub / "store" / path for path in (*(each.path for each in found.problems), *found.pending)}


HARMS: dict[str, Callable[[Path], object]] = {
    "one byte is another": _flipped,
    "one byte less": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "gone": _gone,
}


@pytest.mark.parametrize("harm", HARMS)
def test_whatever_is_done_to_a_file_of_any_kind_is_named_by_a_scrub(harm: str, region: Region, tmp_path: Path) -> None:
    hub = copied(region.stage("erase").hub, tmp_path / "hub")
    altered = _of_each_kind(hub / "store")
    assert {kind.split()[0] for kind in altered} == {
        place.path for place in STORE if place.is_hashed and place.path not in ("vault", "query-audit-set-aside")
    }
    # Of rows only a manifest tells, so that one comes last.
    manifest = altered.pop("archive/releases/*.json .json")
    for path in altered.values():
        HARMS[harm](path)
    assert _named(hub) >= set(altered.values())
    HARMS[harm](manifest)
    assert manifest in _named(hub)


def test_an_older_copy_of_a_file_of_any_kind_in_its_place_is_named_by_a_scrub(region: Region, tmp_path: Path) -> None:
    erased = region.stage("erase")
    hub, before = copied(erased.hub, tmp_path / "hub"), erased.before / "store"

    def is_another(path: Path) -> bool:
        older = before / path.relative_to(hub / "store")
        return older.is_file() and older.read_bytes() != path.read_bytes()

    rolled_back = _of_each_kind(hub / "store", is_meant=is_another)
    assert {kind.split()[0] for kind in rolled_back} == {
        *("received", "landing", "landing/*/*.parquet", "vault/identity", "vault/index.sealed"),
        *("archive", "archive/releases/*.json", "archive/releases/*"),
    }
    for path in rolled_back.values():
        shutil.copyfile(before / path.relative_to(hub / "store"), path)
    assert _named(hub) >= set(rolled_back.values())


@pytest.mark.parametrize("name", ["records.sqlite", "checkpoint", "published-ledger.jsonl"])
def test_an_older_ledger_is_told_by_the_head_that_was_published_and_what_was_published_is_published_again(
    name: str, region: Region, tmp_path: Path
) -> None:
    erased = region.stage("erase")
    hub = copied(erased.hub, tmp_path / "hub")
    for path in (hub / "store").glob(f"{name}*"):
        path.unlink()
    for path in (erased.before / "store").glob(f"{name}*"):  # with what SQLite has not folded into the file yet
        shutil.copyfile(path, hub / "store" / path.name)
    rooms = open_hub(hub)
    assert verify_store(rooms, after="", progress=Silent()).is_good == (name == "checkpoint")
    if name != "records.sqlite":
        rooms.ledger.append(EventKind.HUB_MADE, {}, by=ANNA)
        assert (head := rooms.ledger.head()) and rooms.ledger.checkpoint.read_text().split("\n")[1] == str(head.size)
        assert verify_store(open_hub(hub), after="", progress=Silent()).is_good


def _unnoticed(hub: Path, paths: list[Path]) -> set[str]:
    """The places where a changed byte was not noticed."""
    missed = set()
    for path in paths:
        before = path.read_bytes()
        _flipped(path, seed=len(before))
        try:
            if verify_store(open_hub(hub), after="", progress=Silent()).is_good:
                place = place_of(path.relative_to(hub / "store").as_posix())
                missed.add(place.path if place else str(path))
        except FairhavenError:
            pass
        path.write_bytes(before)
    return missed


def test_the_head_of_the_ledger_is_shown_signed_and_compared_with_a_copy_kept_elsewhere(
    copy: Path, fairhaven: Command, tmp_path: Path
) -> None:
    kept = tmp_path / "checkpoint"
    shutil.copyfile(copy / "store/checkpoint", kept)
    head = open_hub(copy).ledger.head()
    assert head is not None
    shown = fairhaven("release", "verify", copy, "--checkpoint", kept).stdout
    assert f"entry {head.size}, {head.hash}" in shown
    fairhaven("report", copy, "--out", tmp_path / "report.html")
    assert head.hash in (tmp_path / "report.html").read_text()
    alter(copy / "store", "DELETE FROM event WHERE number = (SELECT max(number) FROM event)")
    assert "it was cut" in fairhaven("release", "verify", copy, code=1).stdout
    assert "it was cut" in fairhaven("store", "verify", copy, code=1).stdout
    alter(copy / "store", "DELETE FROM ledger_head")
    assert "checkpoint: is missing" in fairhaven("release", "verify", copy, code=1).stdout
    assert "it was cut" in fairhaven("release", "verify", copy, "--checkpoint", kept, code=1).stdout
    assert "there is no file" in fairhaven("release", "verify", copy, "--checkpoint", tmp_path / "x", code=1).stderr
