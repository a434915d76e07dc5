"""Tables that name no patient themselves: what `check` says of them, and what an erasure and a build make of them."""

import datetime as dt
import json
import shutil
from pathlib import Path

import duckdb
import pytest

from fairhaven.hub import open_hub
from fairhaven.journeys.persons.recovery import ErasureUnderWay
from fairhaven.journeys.store_files import erasure_journal, known_of_deliveries
from fairhaven.kernel.codec import to_json
from fairhaven.kernel.progress import Silent
from tests.support.actors import ANNA
from tests.support.command_line import Command
from tests.support.linked_tables import ACTIVITIES, CONTACTS, LINKED, REFERRALS
from tests.support.partner_cdm import new_hub, vocabulary_files

_UNLINKED = (
    LINKED.replace('belongs_to = { table = "referral", by = ["ServiceRequestId"] }', "")
    .replace('belongs_to = { table = "contact", by = { Contact = "CareContactId" } }', "")
    .replace('title = "Mental health services"', 'mapping = ["mh.toml"]\nnational_opt_out = false\ntitle = "x"')
)
_LINKED = LINKED.replace("title", 'mapping = ["linked.toml"]\nnational_opt_out = false\ntitle', 1)
_PATIENTS = """
[tables.mpi]
files = ["mpi*"]
key = ["LocalPatientId"]
patient = "LocalPatientId"
[tables.mpi.columns]
LocalPatientId = "text"
NHSNumber = { type = "text", identity = "nhs_number" }
DOB = { type = "date", identity = "birth_date" }
"""
_PERSON = """
[[map]]
name = "person"
from = "mpi"
to = "person"
[map.set]
birth_date = "birth_date"
"""
_IN_PYTHON = """
[[map]]
name = "acts"
from = ["activity", "contact", "referral"]
to = "event"
python = "mhjoin:acts"
"""
_JOIN = """
import ibis

def acts(tables):
    activity, contact, referral = tables["activity"], tables["contact"], tables["referral"]
    contacts = contact.select(Contact="CareContactId", request="ServiceRequestId", day="ContactDate")
    referrals = referral.select(request="ServiceRequestId", who="patient_ref")
    joined = activity.drop("patient_ref").join(contacts, "Contact").join(referrals, "request")
    return joined.select(
        "row_key", "row_extract", "row_line", patient_ref=joined.who, code=ibis.literal("44054006"),
        vocabulary_id=ibis.literal("SNOMED"), start_date=joined.day, value_text=joined.Note,
    )
"""
_DECLARED = """
[[map]]
name = "contacts"
from = "contact"
to = "event"
[map.code]
concept_id = 201826
[map.set]
start_date = "ContactDate"
"""
_MPI = "LocalPatientId,NHSNumber,DOB\nL1,9990000018,1980-05-04\nL2,9990000026,1990-06-07\n"


@pytest.fixture(scope="module")
def made(fairhaven: Command, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Hubs that have received the four tables and built, by whether they say whose the rows are; copy them."""
    vocabulary = vocabulary_files(tmp_path_factory.mktemp("vocabulary"))
    return {
        name: delivered(fairhaven, hub_of(tmp_path_factory.mktemp(name), vocabulary, source, mapping))
        for name, source, mapping in (("unlinked", _UNLINKED, _IN_PYTHON), ("linked", _LINKED, _DECLARED))
    }


@pytest.fixture
def unlinked(made: dict[str, Path], tmp_path: Path) -> Path:
    """A hub whose contacts and activities name nobody."""
    return Path(shutil.copytree(made["unlinked"], tmp_path / "hub"))


@pytest.fixture
def linked(made: dict[str, Path], tmp_path: Path) -> Path:
    """A hub whose contacts and activities belong to referrals."""
    return Path(shutil.copytree(made["linked"], tmp_path / "hub"))


def hub_of(folder: Path, vocabulary: Path, source: str, mapping: str) -> Path:
    """A hub that is to receive the four tables."""
    hub = new_hub(folder / "hub", vocabulary)
    (hub / "controllers" / "c.toml").write_text('title = "C"\n')
    (hub / "sources" / "mh.toml").write_text(source + _PATIENTS)
    name = "linked.toml" if "linked.toml" in source else "mh.toml"
    (hub / "mappings" / name).write_text(_PERSON + mapping)
    (hub / "mappings" / "mhjoin.py").write_text(_JOIN)
    return hub


def delivered(fairhaven: Command, hub: Path) -> Path:
    """Receive the four tables, and build."""
    tables = {"mpi": _MPI, "referral": REFERRALS, "contact": CONTACTS, "activity": ACTIVITIES}
    for table, text in tables.items():
        (hub.parent / f"{table}.csv").write_text(text)
    fairhaven("receive", hub, "mh", *(hub.parent / f"{table}.csv" for table in tables))
    fairhaven("build", hub)
    return hub


def taken_and_not_entered(hub: Path, file: Path) -> None:
    """Take delivery of a file as a receive that is killed before the ledger's entry does."""
    rooms = open_hub(hub)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rooms.intake.receive(
            rooms.sources["mh"],
            [file],
            received_on=dt.date(2026, 1, 31),
            vault=rooms.vault,
            progress=Silent(),
            code_version="test",
            by=ANNA,
            known=known_of_deliveries(rooms),
            enter=killed,
            check_earlier=lambda _: None,
        )


def persons(hub: Path) -> list[int]:
    """Persons with a condition in the latest release."""
    rooms = open_hub(hub)
    files = [str(path) for path in rooms.archive.files(rooms.archive.release(), "condition_occurrence")]
    return [
        person for (person,) in duckdb.execute("SELECT person_id FROM read_parquet(?) ORDER BY 1", [files]).fetchall()
    ]


def patient(hub: Path, local: str) -> int:
    """The person key of a patient who has a condition."""
    rooms = open_hub(hub)
    index = rooms.vault.index()
    assert index is not None
    records = rooms.vault.records([extract.number for extract in rooms.intake.extracts()]).to_pylist()
    number = {"L1": "9990000018", "L2": "9990000026"}[local]
    [ref] = {record["patient_ref"] for record in records if record["nhs_number"] == number}
    [person] = {row["person_id"] for row in index.to_pylist() if row["patient_ref"] == ref}
    assert isinstance(person, int)
    return person


def kept(hub: Path) -> bytes:
    """Everything that was delivered, landed or as sealed bytes, opened."""
    rooms = open_hub(hub)
    parts = [
        rooms.keyring.deliveries.open_bytes(hub / "store" / "received" / f"{extract.sealed_as}.sealed")
        for extract in rooms.intake.extracts()
    ]
    parts += [
        repr(duckdb.execute("FROM read_parquet(?)", [str(path)]).fetchall()).encode()
        for path in (hub / "store" / "landing").rglob("*.parquet")
    ]
    return b"".join(parts)


def test_a_table_from_which_events_are_made_and_that_names_nobody_is_warned_of_and_an_erasure_is_refused(
    fairhaven: Command, unlinked: Path
) -> None:
    checked = json.loads(fairhaven("check", unlinked, "--json").stdout)
    assert [warning["field"] for warning in checked["warnings"]] == ["tables.contact", "tables.activity"]
    assert "belongs_to" in fairhaven("check", unlinked).stdout
    person = patient(unlinked, "L1")
    for plan in ((), ("--plan",)):
        refused = fairhaven("erase", unlinked, "--person-key", person, *plan, code=1).stderr
        assert "nothing was erased" in refused and "contact of mh, activity of mh" in refused
    assert len(persons(unlinked)) == 2 and b"secret" in kept(unlinked)
    declared = (_LINKED + _PATIENTS).replace("linked.toml", "mh.toml")
    (unlinked / "sources" / "mh.toml").write_text(declared)
    assert json.loads(fairhaven("check", unlinked, "--json").stdout)["warnings"] == []
    fairhaven("erase", unlinked, "--person-key", person)
    assert len(persons(unlinked)) == 1 and b"secret" not in kept(unlinked)


def test_a_table_that_belongs_to_another_is_mapped_and_erased_as_if_it_named_the_patient(
    fairhaven: Command, tmp_path: Path, linked: Path
) -> None:
    person = patient(linked, "L1")
    assert persons(linked) == sorted([person, patient(linked, "L2")])
    done = json.loads(fairhaven("erase", linked, "--person-key", person, "--json").stdout)
    assert done["deliveries"]["rows"] == {"mh": {"mpi": 1, "referral": 1, "contact": 1, "activity": 1}}
    assert person not in persons(linked)
    text = kept(linked)
    assert b"secret" not in text and b"C1" not in text and b"R1" not in text and b"C2" in text
    (tmp_path / "contact-late.csv").write_text("CareContactId,ServiceRequestId,ContactDate\nC8,R1,2024-03-01\n")
    fairhaven("receive", linked, "mh", tmp_path / "contact-late.csv")
    fairhaven("build", linked)
    assert b"C8" not in kept(linked) and persons(linked) == [patient(linked, "L2")]
    assert "every hash agrees" in fairhaven("release", "verify", linked).stdout


def test_an_erasure_is_refused_by_name_where_what_was_landed_is_declared_no_more(
    fairhaven: Command, tmp_path: Path, linked: Path
) -> None:
    person = patient(linked, "L1")
    declared = linked / "sources" / "mh.toml"
    whole = declared.read_text()
    activity = whole[whole.index("[tables.activity]") : whole.index("[tables.mpi]")]
    taken_away = {
        "activity of mh were landed, and it is not declared any more": whole.replace(activity, ""),
        "mh is not declared any more": "",
        "activity of mh does not say whose its rows are": whole.replace(
            'belongs_to = { table = "contact", by = { Contact = "CareContactId" } }', ""
        ),
        "files of mh were received as delimited, and it is declared as fhir": whole[: whole.index("format")].replace(
            'mapping = ["linked.toml"]', ""
        )
        + 'format = "fhir"\n',
    }
    for reason, text in taken_away.items():
        declared.write_text(text)
        if not text:
            declared.unlink()
        for plan in (("--plan",), ()):
            refused = fairhaven("erase", linked, "--person-key", person, *plan, code=1).stderr
            assert "nothing was erased" in refused and reason in refused
        assert b"secret" in kept(linked)
    # By another number they are other patients, whom no build has linked; put back, they are the same again.
    before, patients = whole.split("[tables.mpi]")
    by_another = patients.replace('patient = "LocalPatientId"', 'patient = "NHSNumber"')
    declared.write_text(f"{before}[tables.mpi]{by_another}")
    refused = fairhaven("erase", linked, "--person-key", person, code=1).stderr
    assert "whom the last build does not know: of mh (delivery 1)" in refused and b"secret" in kept(linked)
    declared.write_text(whole)
    fairhaven("erase", linked, "--person-key", person)
    assert b"secret" not in kept(linked)


def test_a_table_whose_mapping_was_taken_away_still_has_to_say_whose_its_rows_are(
    fairhaven: Command, unlinked: Path
) -> None:
    person = patient(unlinked, "L1")
    (unlinked / "mappings" / "mh.toml").write_text(_PERSON)
    checked = json.loads(fairhaven("check", unlinked, "--json").stdout)
    assert [warning["field"] for warning in checked["warnings"]] == ["tables.contact", "tables.activity"]
    refused = fairhaven("erase", unlinked, "--person-key", person, code=1).stderr
    assert "contact of mh, activity of mh" in refused and b"secret" in kept(unlinked)


def test_an_erasure_that_was_cut_short_is_not_finished_without_what_it_would_miss(
    fairhaven: Command, tmp_path: Path, linked: Path
) -> None:
    person = patient(linked, "L1")
    rooms = open_hub(linked)
    index = rooms.vault.index()
    assert index is not None
    mine = [row["patient_ref"] for row in index.to_pylist() if row["person_id"] == person]
    decided = ErasureUnderWay(person=person, patients={"mh": mine}, by=ANNA, after=rooms.ledger.length())
    erasure_journal(rooms).begin(to_json(decided), by=ANNA)
    declared = linked / "sources" / "mh.toml"
    whole = declared.read_text()
    declared.unlink()
    assert "mh is not declared any more" in fairhaven("build", linked, code=1).stderr
    assert (linked / "store" / "erasing.json").exists() and b"secret" in kept(linked)
    declared.write_text(whole)
    fairhaven("build", linked)
    assert b"secret" not in kept(linked) and not (linked / "store" / "erasing.json").exists()


def test_what_a_killed_receive_and_a_resumed_erasure_wrote_is_known_to_the_ledger(
    fairhaven: Command, tmp_path: Path, linked: Path
) -> None:
    person, rooms = patient(linked, "L1"), open_hub(linked)
    index = rooms.vault.index()
    assert index is not None
    refs = [row["patient_ref"] for row in index.to_pylist() if row["person_id"] == person]
    under_way = ErasureUnderWay(person=person, patients={"mh": refs}, by=ANNA, after=rooms.ledger.length())
    fairhaven("erase", linked, "--person-key", person)

    late, later = tmp_path / "contact-late.csv", tmp_path / "contact-later.csv"
    late.write_text("CareContactId,ServiceRequestId,ContactDate\nC8,R2,2024-03-01\n")
    later.write_text("CareContactId,ServiceRequestId,ContactDate\nC9,R2,2024-04-01\n")
    taken_and_not_entered(linked, late)
    fairhaven("receive", linked, "mh", later)
    assert "Verified:" in fairhaven("store", "verify", linked).stdout

    # An erasure that was killed after its entry, before its end; and the source is declared anew before it is resumed.
    erasure_journal(open_hub(linked)).begin(to_json(under_way), by=ANNA)
    path = linked / "sources/mh.toml"
    path.write_text(path.read_text().replace('DOB = { type = "date",', 'DOB = { type = "date", optional = true,'))
    fairhaven("build", linked)
    assert "Verified:" in fairhaven("store", "verify", linked).stdout
    fairhaven("build", linked)
