"""Two people whom an earlier build took for one, and a later one told apart: whoever of them is erased is gone from every release."""

import datetime as dt
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from fairhaven.hub import open_hub
from fairhaven.intake.landing import LandingKeys
from fairhaven.journeys.deliveries.receive import receive_delivery
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.persons.erase import erase_person, plan_erasure
from fairhaven.journeys.persons.recovery import recover
from fairhaven.journeys.releases.build import build_release
from fairhaven.journeys.store_verification import verify_store
from fairhaven.kernel.ids import pseudonym
from fairhaven.kernel.progress import Silent
from fairhaven.release.manifest import Release
from tests.support.actors import ANNA, BEN
from tests.support.partner_cdm import new_hub, vocabulary_files

_SOURCE = """
mapping = ["gp.toml"]
title = "Riverside"
controller = "partner"
kind = "gp"
format = "delimited"
national_opt_out = false
[tables.registrations]
files = ["*registrations*"]
key = ["patient_id"]
patient = "patient_id"
[tables.registrations.columns]
patient_id = "text"
nhs_number = { type = "text", identity = "nhs_number" }
given_name = { type = "text", identity = "given_name" }
family_name = { type = "text", identity = "family_name" }
birth_date = { type = "date", identity = "birth_date" }
sex = { type = "text", identity = "sex" }
ethnicity = { type = "text", identity = "ethnicity" }
postcode = { type = "text", identity = "postcode" }
[tables.referrals]
files = ["*referrals*"]
key = ["referral_id"]
patient = "patient_id"
[tables.referrals.columns]
referral_id = "text"
patient_id = "text"
[tables.events]
files = ["*events*"]
key = ["event_id"]
belongs_to = { table = "referrals", by = ["referral_id"] }
[tables.events.columns]
event_id = "text"
referral_id = "text"
event_date = "date"
code = "text"
"""
_MAPPING = """
[[map]]
name = "person"
from = "registrations"
to = "person"
[map.set]
birth_date = "birth_date"
gender = "sex"
ethnicity = "ethnicity"
postcode_district = "postcode_district"

[[map]]
name = "events"
from = "events"
to = "condition_occurrence"
[map.code]
column = "code"
vocabulary = "SNOMED"
[map.set]
start_date = "event_date"
"""
_HEADER = "patient_id,nhs_number,given_name,family_name,birth_date,sex,ethnicity,postcode\n"
_DAYS = (dt.date(2026, 1, 1), dt.date(2026, 2, 1))
"""Days of the two releases."""
_ASTHMA, _DIABETES = "195967001", "44054006"


def _deliver(rooms: Rooms, day: dt.date, **tables: str) -> None:
    files = []
    for name, text in tables.items():
        (path := rooms.folder.parent / f"{name}-{day}.csv").write_text(text)
        files.append(path)
    receive_delivery(rooms, source="gp", files=files, received_on=day, today=day, by=ANNA, progress=Silent())
    build_release(rooms, as_of=day, today=day, by=ANNA, progress=Silent())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """P1 and P2 are one person in r0001, by a number that P2 never had; P3 is somebody else."""
    folder = tmp_path_factory.mktemp("split")
    hub = new_hub(folder / "hub", vocabulary_files(tmp_path_factory.mktemp("vocabulary")))
    (hub / "sources/partner.toml").unlink()
    (hub / "sources/gp.toml").write_text(_SOURCE)
    (hub / "mappings/gp.toml").write_text(_MAPPING)
    _deliver(
        open_hub(hub),
        _DAYS[0],
        # Of who came first the key stays, so P1 comes first.
        registrations=_HEADER + "P1,9990000018,Ada,Marsh,1950-01-02,F,,FH1 1AA\n",
        more_registrations=_HEADER
        + "P2,9990000018,Ada,Marsh,1950-01-02,F,A,FH2 2BB\nP3,9990000026,Cy,Orme,1970-03-04,M,B,FH1 1AA\n",
        referrals="referral_id,patient_id\nR1,P1\nR2,P2\nR3,P3\n",
        events="event_id,referral_id,event_date,code\n"
        f"E1,R1,2020-01-01,{_ASTHMA}\nE2,R2,2020-01-15,{_ASTHMA}\nE3,R2,2021-01-15,{_DIABETES}\nE4,R3,2020-01-01,{_ASTHMA}\n",
    )
    shutil.copytree(hub, folder / "before")
    _deliver(open_hub(hub), _DAYS[1], registrations=_HEADER + "P2,9990000034,Bea,Quill,1981-05-06,F,A,FH2 2BB\n")
    return hub


@pytest.fixture
def rooms(made: Path, tmp_path: Path) -> Rooms:
    shutil.copytree(made, tmp_path / "hub")
    return open_hub(tmp_path / "hub")


def _ref(rooms: Rooms, patient: str) -> str:
    return pseudonym(LandingKeys.of(rooms.keyring.pseudonyms.key_for).pseudonym, "gp", patient)


def _key(rooms: Rooms, patient: str) -> int:
    index = rooms.vault.index()
    assert index is not None
    [key] = [row["person_id"] for row in index.to_pylist() if row["patient_ref"] == _ref(rooms, patient)]
    return int(key)


def _rows(rooms: Rooms, release: Release, table: str) -> list[Mapping[str, Any]]:
    files = [str(path) for path in rooms.archive.files(release, table)]
    return duckdb.execute("FROM read_parquet(?)", [files]).fetch_arrow_table().to_pylist() if files else []


def _codes(rooms: Rooms, release: Release) -> list[tuple[int, str]]:
    rows = _rows(rooms, release, "condition_occurrence")
    return sorted((row["person_id"], row["condition_source_value"]) for row in rows)


def _tables_of(rooms: Rooms, release: Release, person: int) -> set[str]:
    return {
        name for name in release.tables if any(row.get("person_id") == person for row in _rows(rooms, release, name))
    }


def test_they_are_one_in_the_first_release_and_two_in_the_second(rooms: Rooms) -> None:
    first, second = rooms.archive.releases()
    one, other, third = (_key(rooms, patient) for patient in ("P1", "P2", "P3"))
    assert _codes(rooms, first) == sorted([(one, _ASTHMA), (one, _ASTHMA), (one, _DIABETES), (third, _ASTHMA)])
    assert _codes(rooms, second) == sorted([(one, _ASTHMA), (other, _ASTHMA), (other, _DIABETES), (third, _ASTHMA)])
    assert _of(rooms, first, one)["ethnicity_source_value"] == "A"


def _of(rooms: Rooms, release: Release, person: int) -> Mapping[str, Any]:
    [row] = [row for row in _rows(rooms, release, "person") if row["person_id"] == person]
    return row


class _Killed(Silent):
    """Ends the command when it comes to a stage."""

    def __init__(self, stage: str) -> None:
        self._stage = stage

    def stage(self, name: str) -> None:
        if name == self._stage:
            raise KeyboardInterrupt


def test_who_got_the_new_key_is_gone_from_under_the_other_one_whose_own_rows_stay(rooms: Rooms) -> None:
    one, other, third = (_key(rooms, patient) for patient in ("P1", "P2", "P3"))
    planned = plan_erasure(rooms, person_key=other).releases
    with pytest.raises(KeyboardInterrupt):  # when the landed rows are gone, by which those in releases were known
        erase_person(rooms, person_key=other, by=ANNA, progress=_Killed("Erasing from the vault"))
    rooms = open_hub(rooms.folder)
    done = recover(rooms, by=BEN, progress=Silent())
    assert done and done.releases == planned and set(planned.rows) == {"r0001", "r0002"}
    first, second = rooms.archive.releases()
    for release in (first, second):
        assert _codes(rooms, release) == sorted([(one, _ASTHMA), (third, _ASTHMA)])
        assert _of(rooms, release, one)["ethnicity_source_value"] is None
        assert _of(rooms, release, one)["year_of_birth"] == 1950
        assert {row["zip"] for row in _rows(rooms, release, "location")} == {"FH1"}
    # What was derived of both is nobody's; where they were told apart it stays.
    assert _tables_of(rooms, first, one) == {"person", "condition_occurrence"}
    assert _tables_of(rooms, second, one) == {"person", "condition_occurrence", "condition_era", "observation_period"}
    assert _tables_of(rooms, first, third) == _tables_of(rooms, second, third) == _tables_of(rooms, second, one)
    for path in rooms.store.rglob("*"):
        if path.is_file() and path.relative_to(rooms.store).parts[0] != "vocabulary":
            content = path.read_bytes()
            if path.suffix == ".parquet":
                content += repr(duckdb.execute("FROM read_parquet(?)", [str(path)]).fetchall()).encode()
            assert not any(text.encode() in content for text in (_ref(rooms, "P2"), str(other), _DIABETES, "FH2")), path
    assert verify_store(rooms, after="", progress=Silent()).is_good


def test_who_kept_the_key_takes_with_them_what_was_said_of_both(rooms: Rooms) -> None:
    one, other, third = (_key(rooms, patient) for patient in ("P1", "P2", "P3"))
    rooms.archive.erase([one], facts={"persons": ["digest"]}, by=ANNA)
    first, second = rooms.archive.releases()
    assert _codes(rooms, first) == [(third, _ASTHMA)]
    assert _codes(rooms, second) == sorted([(other, _ASTHMA), (other, _DIABETES), (third, _ASTHMA)])


def test_of_whom_no_release_tells_apart_nothing_is_left_in_releases(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made.with_name("before"), tmp_path / "hub")
    rooms = open_hub(tmp_path / "hub")
    lines = rooms.intake.lines_of({"gp": [_ref(rooms, "P2")]}, sources=rooms.sources)
    split = rooms.archive.split_rows(lines, [7])
    assert {row.person for row in split} == {_key(rooms, "P1")}
    rooms.archive.erase([7], split=split, facts={"persons": ["digest"]}, by=ANNA)
    assert _codes(rooms, rooms.archive.release()) == [(_key(rooms, "P3"), _ASTHMA)]
