"""The table of what lies in a store: which of its places a file is in, and that every file is in one."""

import tarfile

import pytest

from fairhaven.journeys.hub_locks import Locked
from fairhaven.journeys.hub_places import NOTES, STORE, Access, part_of, place_of, remedy
from tests.support.older_hub import OLDER_HUB

PLACES = {
    "deliveries/000001.json": "deliveries",
    "landing/000001/extract.json": "landing",
    "landing/000001/events.parquet": "landing/*/*.parquet",
    "vault/identity/000001.sealed": "vault/identity",
    "vault/index.sealed": "vault/index.sealed",
    "vault/index-0002.sealed": "vault",
    "archive/person/_delta_log/00000000000000000000.json": "archive",
    "archive/releases/0001.json": "archive/releases/*.json",
    "archive/releases/0001/quality.json": "archive/releases/*",
    "archive/releases/0001/discovery/concepts.bin": "archive/releases/*",
    "archive/.work/person/x.parquet": "archive/.work",
    "archive/erasure.json": "archive/erasure.json",
    "query-audit.sqlite-wal": "query-audit.sqlite",
    "query-audit/1000.log": "query-audit",
}


@pytest.mark.parametrize("path", PLACES)
def test_of_several_places_the_one_that_goes_deepest_counts(path: str) -> None:
    place = place_of(path)
    assert place is not None
    assert place.path == PLACES[path]


def test_a_file_in_no_place_is_nobodys_and_is_restored() -> None:
    assert (place_of("notes.txt"), part_of("notes.txt")) == (None, None)
    assert "backup" in remedy("notes.txt")


def test_what_says_who_people_are_is_read_by_nobody_else_and_what_is_changed_in_one_go_is_hashed() -> None:
    private = {"deliveries", "received", "landing", "erased", "erasing.json", "vault", "keys", "query-audit.sqlite"}
    assert {place.path for place in STORE if place.readers is not Access.NONE}.isdisjoint(private)
    assert {place.readers for place in STORE if place.path.startswith(tuple(private - {"query-audit.sqlite"}))} == {
        Access.NONE
    }
    assert all(place.is_hashed for place in STORE if place.thing)
    assert {place.thing for place in STORE} == {*Locked, None}


def test_what_the_ledger_has_the_hash_of_is_compared_before_it_is_read_and_what_nobody_compares_is_thought_of() -> None:
    state = {"network.sqlite", "discovery", "demonstration.json"}
    passing = {"archive/.work", "keys.making", "scratch", "outputs", "locks", ".lock"}
    uncompared = {place.path for place in STORE if place.compared_by == "nobody"}
    assert uncompared == state | passing, "the threat model says of state what follows"
    assert set(NOTES) == {
        "landing-again.json",
        "erasing.json",
        "archive/building.json",
        "archive/erasure.json",
        "vocabulary/loading.json",
    }
    assert not any(place.is_hashed for place in STORE if place.path in uncompared)


def test_every_file_of_a_hub_of_an_earlier_version_has_a_place() -> None:
    with tarfile.open(OLDER_HUB) as hub:
        files = [member.name.partition("/store/")[2] for member in hub.getmembers() if member.isfile()]
    assert [path for path in files if path and place_of(path) is None] == []
