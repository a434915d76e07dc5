"""What a partner sends is hostile until it has been read: links, pipes, bombs, names that lead out, columns that lie."""

import gzip
import json
import os
import re
import resource
import socket
import stat
import tempfile
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairhaven.cli import delivery_text
from fairhaven.cli.refusals import refuse
from fairhaven.cli.screen import Screen
from fairhaven.hub import make_hub, open_hub
from fairhaven.intake import DeliveredFile, Receipt, read_source
from fairhaven.intake.cdm_reader import members
from fairhaven.intake.fhir.fhir_reader import NESTED
from fairhaven.kernel.errors import Invalid
from fairhaven.kernel.expansion import ExpansionLimits
from fairhaven.kernel.files import clear_torn
from fairhaven.kernel.foreign_files import files_below, given
from fairhaven.kernel.foreign_names import harmless_json
from fairhaven.kernel.toml import Document
from fairhaven.omop.external_cdm import open_cdm
from fairhaven.omop.vocabulary import Vocabulary, load_vocabulary
from tests.support.actors import ANNA
from tests.support.command_line import Command
from tests.support.intake_hub import EVENTS, HEADER, Hub

ROWS = HEADER + "1,p1,2020-01-01,5,a\n"
OMOP = 'title = "CDM"\ncontroller = "partner"\nkind = "cdm"\nformat = "omop"\ndelivery = "full"\n'
FHIR = 'title = "FHIR"\ncontroller = "partner"\nkind = "gp"\nformat = "fhir"\n'
PERSON = "person_id,gender_concept_id,year_of_birth\n7,8507,1980\n"
CONCEPT = (
    "concept_id\tconcept_name\tdomain_id\tvocabulary_id\tconcept_class_id\tstandard_concept\tconcept_code\t"
    "valid_start_date\tvalid_end_date\tinvalid_reason\n1\ta\tb\tc\td\tS\te\t19700101\t20991231\t\n"
)
TIGHT = ExpansionLimits(times=1, gigabytes=1, files=3)


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return Hub(tmp_path)


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte in place of 64: the same code, less work for the machine."""
    monkeypatch.setattr("fairhaven.kernel.expansion.UNSUSPICIOUS", 10**6)


def bomb(line: bytes, megabytes: int = 30) -> bytes:
    return line * (megabytes * 10**6 // len(line))


def zipped(path: Path, files: dict[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def refusal(hub: Hub, source: str, *files: Path) -> str:
    """What is said of a delivery that is refused; nothing of it is left in the store."""
    before = {path for path in hub.store.rglob("*") if path.is_file()}
    with pytest.raises(Invalid) as caught:
        hub.deliver(hub.source(source) if source else hub.events(), list(files))
    assert {path for path in hub.store.rglob("*") if path.is_file()} <= before
    assert hub.intake.deliveries() == []
    return str(caught.value)


def test_a_link_to_the_hubs_own_key_is_refused_as_a_file_and_in_a_folder(hub: Hub) -> None:
    inbox = hub.folder / "inbox"
    (inbox / "deep").mkdir(parents=True)
    link = inbox / "deep" / "events_link.csv"
    link.symlink_to(hub.store / "keys" / "master.key")
    for delivered in (link, inbox):
        assert "events_link.csv: is a link; deliver the file itself" in refusal(hub, "", delivered)
        assert "events_link.csv: is a link" in refusal(hub, OMOP, delivered)


def test_a_link_to_a_folder_is_refused_wherever_it_stands(hub: Hub) -> None:
    (hub.folder / "elsewhere").mkdir()
    (hub.folder / "elsewhere" / "events.csv").write_text(ROWS)
    (hub.folder / "inbox").mkdir()
    (hub.folder / "inbox" / "linked").symlink_to(hub.folder / "elsewhere")
    assert "linked: is a link" in refusal(hub, "", hub.folder / "inbox")
    assert "linked: is a link" in refusal(hub, "", hub.folder / "inbox" / "linked")


def test_a_link_that_leads_nowhere_is_refused_as_a_link(hub: Hub) -> None:
    link = hub.folder / "events.csv"
    link.symlink_to("nowhere")
    assert "events.csv: is a link" in refusal(hub, "", link)


def test_pipes_sockets_and_devices_in_a_folder_are_refused_and_not_waited_for(hub: Hub) -> None:
    inbox = hub.folder / "inbox"
    inbox.mkdir()
    (inbox / "events.csv").write_text(ROWS)
    os.mkfifo(inbox / "events_pipe.csv")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(inbox / "s"))
        said = refusal(hub, "", inbox)
    assert "events_pipe.csv: is a pipe" in said and "/s: is a socket" in said
    assert "is a device" in refusal(hub, "", Path("/dev/zero"))
    with pytest.raises(Invalid, match="is a pipe"), open_cdm(inbox):
        pass
    with pytest.raises(Invalid, match="is a device"), open_cdm(Path("/dev/zero")):
        pass


def test_a_file_that_became_a_link_or_a_pipe_since_it_was_looked_at_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    path = tmp_path / "events.csv"
    found = given(path)
    path.symlink_to(tmp_path / "secret")
    with pytest.raises(Invalid, match="is a link"), found.held():
        pass
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(Invalid, match="is a pipe"), found.held():
        pass


def test_what_is_put_in_a_files_place_while_it_is_read_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("delivered")
    with given(path).held() as held:
        path.unlink()
        path.symlink_to("/etc/passwd")
        assert held.read_text() == "delivered"


def out_of_reach(folder: Path) -> Path:
    """A folder that no account can list: its path is longer than the system takes."""
    folder.mkdir()
    at = os.open(folder, os.O_RDONLY)
    name = "d" * 200
    for _ in range(25):
        os.mkdir(name, dir_fd=at)
        above, at = at, os.open(name, os.O_RDONLY, dir_fd=at)
        os.close(above)
    os.close(at)
    return folder


def test_a_folder_that_cannot_be_read_is_not_left_out_of_a_delivery_unsaid(hub: Hub) -> None:
    inbox = out_of_reach(hub.folder / "inbox")
    (inbox / "events.csv").write_text(ROWS)
    (inbox / "person.csv").write_text(PERSON)
    for source in ("", OMOP):
        assert "cannot be read (File name too long), and nothing is left out unsaid" in refusal(hub, source, inbox)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another account")
def test_an_account_that_may_not_read_a_folder_of_a_delivery_or_a_cdm_is_told_which() -> None:
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        cdm = Path(place) / "cdm"
        (cdm / "person").mkdir(parents=True)
        (cdm / "person.csv").write_text(PERSON)
        (cdm / "person").chmod(0o700)
        os.seteuid(65534)
        try:
            with pytest.raises(
                Invalid, match=r"cdm/person: cannot be read \(Permission denied\).* which is for root alone"
            ):
                files_below(cdm, levels=2)
        finally:
            os.seteuid(0)


def test_a_folder_with_a_name_that_is_no_utf_8_is_refused_whoever_reads_it(hub: Hub) -> None:
    (hub.folder / "cdm" / "person").mkdir(parents=True)
    (hub.folder / "cdm" / "person" / os.fsdecode(b"\xff.csv")).write_text(PERSON)
    assert "name is not UTF-8" in refusal(hub, OMOP, hub.folder / "cdm")
    with pytest.raises(Invalid, match="name is not UTF-8"), open_cdm(hub.folder / "cdm"):
        pass


def test_names_that_differ_in_case_or_in_form_alone_are_two_files_and_no_row_of_either_is_lost(hub: Hub) -> None:
    inbox = hub.folder / "inbox"
    inbox.mkdir()
    names = ("events.csv", "EVENTS.csv", "events_\u00e9.csv", "events_e\u0301.csv")
    for number, name in enumerate(names):
        (inbox / name).write_text(HEADER + f"{number},p1,2020-01-01,5,a\n")
    receipt = hub.deliver(hub.events(), [inbox])
    assert len(receipt.extracts) == len(names)
    assert sorted(str(hub.landed(extract)[0]["event_id"]) for extract in (1, 2, 3, 4)) == ["0", "1", "2", "3"]


def test_a_database_with_changes_beside_it_is_refused_and_nothing_is_written_beside_it(hub: Hub) -> None:
    path = hub.folder / "cdm.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE person AS SELECT 7 AS person_id")
    path.with_name("cdm.duckdb.wal").write_bytes(b"changes")
    before = sorted(hub.folder.iterdir())
    with pytest.raises(Invalid, match="run CHECKPOINT"), open_cdm(path):
        pass
    assert sorted(hub.folder.iterdir()) == before
    assert "run CHECKPOINT" in refusal(hub, OMOP, path)


@pytest.mark.parametrize("version", ["v0.10.2", "v1.2.0", "v1.4.0"])
def test_a_database_of_an_older_form_is_read_and_an_encrypted_one_is_refused(tmp_path: Path, version: str) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{tmp_path}/cdm.duckdb' AS cdm (STORAGE_VERSION '{version}')")
        connection.execute("CREATE TABLE cdm.person AS SELECT 7 AS person_id")
        connection.execute("SET force_mbedtls_unsafe = 'true'")
        connection.execute(f"ATTACH '{tmp_path}/locked.duckdb' AS locked (ENCRYPTION_KEY 'k')")
        connection.execute("CREATE TABLE locked.person AS SELECT 7 AS person_id")
    with open_cdm(tmp_path / "cdm.duckdb") as opened:
        assert opened.engine.count(opened.tables["person"]) == 1
    with pytest.raises(Invalid, match="encrypted"), open_cdm(tmp_path / "locked.duckdb"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cdm.duckdb", "locked.duckdb"]


@pytest.mark.parametrize("by", ["a link", "another file", "nothing"])
def test_what_is_put_in_the_place_of_a_table_while_a_cdm_is_read_is_not_read(tmp_path: Path, by: str) -> None:
    (tmp_path / "cdm").mkdir()
    file = tmp_path / "cdm" / "person.parquet"
    pq.write_table(pa.table({"person_id": [7]}), file)
    pq.write_table(pa.table({"person_id": [8]}), tmp_path / "secret.parquet")
    with open_cdm(tmp_path / "cdm") as opened:
        file.unlink()
        if by == "a link":
            file.symlink_to(tmp_path / "secret.parquet")
        elif by == "another file":
            (tmp_path / "secret.parquet").rename(file)
        assert opened.engine.connection.execute("FROM cdm_person").fetchall() == [(7,)]


def test_a_cdm_of_more_files_than_are_open_at_a_time_as_a_rule_is_read(tmp_path: Path) -> None:
    (tmp_path / "cdm" / "person").mkdir(parents=True)
    for number in range(40):
        pq.write_table(pa.table({"person_id": [number]}), tmp_path / "cdm" / "person" / f"{number}.parquet")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (60, before[1]))
    try:
        with open_cdm(tmp_path / "cdm") as opened:
            assert len(opened.engine.connection.execute("FROM cdm_person").fetchall()) == 40
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_folder_of_a_cdm_with_a_link_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "person_elsewhere.csv").write_text(PERSON)
    (tmp_path / "cdm").mkdir()
    (tmp_path / "cdm" / "person.csv").symlink_to(tmp_path / "person_elsewhere.csv")
    with pytest.raises(Invalid, match=r"person\.csv: is a link"), open_cdm(tmp_path / "cdm"):
        pass
    with pytest.raises(Invalid, match="is a link"):
        load_vocabulary(tmp_path / "cdm", tmp_path / "store")


@pytest.mark.parametrize("source", ["", FHIR])
def test_a_gzip_that_becomes_too_large_is_refused_while_it_is_unpacked(hub: Hub, source: str) -> None:
    path = hub.folder / "events.csv.gz"
    # Its trailer says that it becomes one byte: what counts is what comes out.
    path.write_bytes(gzip.compress(ROWS.encode() + bomb(b"1,p1,2020-01-01,5,a\n"))[:-4] + b"\1\0\0\0")
    said = refusal(hub, source, path)
    assert "events.csv.gz: would become more than" in said and "[expansion]" in said


def test_a_hub_says_how_large_a_file_may_become(tmp_path: Path) -> None:
    make_hub(tmp_path / "hub", by=ANNA)
    file = tmp_path / "hub" / "hub.toml"
    file.write_text(
        file.read_text().replace("times = 200 ", "times = 7 ").replace("gigabytes = 100 ", "gigabytes = 3 ")
    )
    limits = open_hub(tmp_path / "hub").settings.expansion
    assert limits == ExpansionLimits(times=7, gigabytes=3, files=10_000)
    assert [limits.most_bytes(size) for size in (1, 10**6, 10**12)] == [10**6, 7 * 10**6, 3 * 10**9]


def test_a_zip_of_a_cdm_that_becomes_too_large_is_refused_whoever_opens_it(hub: Hub) -> None:
    path = zipped(hub.folder / "cdm.zip", {"person.csv": PERSON, "death.csv": bomb(b"7,2020-01-01\n")})
    assert "cdm.zip: would become more than" in refusal(hub, OMOP, path)
    with pytest.raises(Invalid, match="would become more than"), open_cdm(path):
        pass


def test_gzips_within_a_zip_are_held_to_the_limits_too(hub: Hub) -> None:
    path = zipped(hub.folder / "cdm.zip", {"person.csv.gz": gzip.compress(PERSON.encode() + bomb(b"8,8507,1980\n"))})
    assert "would become more than" in refusal(hub, OMOP, path)
    with pytest.raises(Invalid, match="would become more than"), open_cdm(path):
        pass


def test_a_vocabulary_that_becomes_too_large_is_refused_as_a_zip_and_as_a_gzip(tmp_path: Path) -> None:
    content = CONCEPT.encode() + bomb(b"2\ta\tb\tc\td\tS\te\t19700101\t20991231\t\n")
    zipped(tmp_path / "athena.zip", {"CONCEPT.csv": content})
    (tmp_path / "athena").mkdir()
    (tmp_path / "athena" / "CONCEPT.csv.gz").write_bytes(gzip.compress(content))
    for path in (tmp_path / "athena.zip", tmp_path / "athena"):
        with pytest.raises(Invalid, match="would become more than"):
            load_vocabulary(path, tmp_path / "store")
    assert not any(path.is_file() for path in (tmp_path / "store").rglob("*"))


def test_a_zip_of_very_many_files_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "cdm.zip", {"person.csv": PERSON, **{f"{n}.txt": "" for n in range(3)}})
    with pytest.raises(Invalid, match="holds 4 files, more than 3"):
        load_vocabulary(path, tmp_path / "store", limits=TIGHT)


@pytest.mark.parametrize(
    "told", ["by its end", "by its end for 64 bits", "small by its end, and otherwise for 64 bits"]
)
def test_a_zip_with_an_endless_directory_is_refused_before_it_is_held_in_memory(tmp_path: Path, told: str) -> None:
    path = zipped(tmp_path / "cdm.zip", {"person.csv": PERSON})
    content = bytearray(path.read_bytes())
    end = content.rindex(b"PK\x05\x06")
    size = 300_000_000
    # As long as it says, so that `zipfile` would read all of it; a hole takes no room on the disk.
    before = path.stat().st_size - 22
    tail = bytearray(content[end:])
    if "64" in told:
        sizes = size.to_bytes(8, "little") + (0).to_bytes(8, "little")
        record = b"PK\x06\x06" + (44).to_bytes(8, "little") + bytes(12) + bytes(16) + sizes
        tail = (
            bytearray(record) + b"PK\x06\x07" + bytes(4) + size.to_bytes(8, "little") + (1).to_bytes(4, "little") + tail
        )
    if told == "by its end":
        tail[12:16] = size.to_bytes(4, "little")
    elif told == "by its end for 64 bits":
        tail[-10:-6] = b"\xff" * 4
    with path.open("r+b") as file:
        file.truncate(max(size, before))
        file.seek(0, os.SEEK_END)
        file.write(tail)
    with pytest.raises(Invalid, match="has a directory of 300,000,000 bytes"), open_cdm(path):
        pass


@pytest.mark.parametrize(
    "name", ["../person.csv", "/person.csv", "a/../../person.csv", "..\\person.csv", "C:person.csv"]
)
def test_a_zip_whose_files_lead_out_of_it_is_refused(tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path / "cdm.zip", {"death.csv": "person_id\n7\n", name: PERSON})
    with pytest.raises(Invalid, match="has a name that leads out of the zip"), open_cdm(path):
        pass


def test_a_zip_that_holds_a_link_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cdm.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("person.csv")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(Invalid, match=r"person\.csv: is a link"), open_cdm(path):
        pass


def test_a_zip_packed_so_that_one_step_may_fill_the_memory_is_refused_before_it(tmp_path: Path) -> None:
    path = tmp_path / "cdm.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("person.csv", bomb(b"7"))
    tracemalloc.start()
    with pytest.raises(Invalid, match="is packed in another way"), open_cdm(path):
        pass
    assert tracemalloc.get_traced_memory()[1] < 10**7
    tracemalloc.stop()


def test_a_zip_whose_directory_points_before_its_beginning_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "cdm.zip", {"person.csv": PERSON})
    content = path.read_bytes()
    # The directory is said to begin later than it does, so that everything before it moves to the front.
    place = content.rindex(b"PK\x05\x06") + 16
    start = int.from_bytes(content[place : place + 4], "little") + 9
    path.write_bytes(content[:place] + start.to_bytes(4, "little") + content[place + 4 :])
    with pytest.raises(Invalid, match="is said to be where the zip does not reach"), open_cdm(path):
        pass


def test_two_files_of_one_name_in_a_zip_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "cdm.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("person.csv", PERSON)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("person.csv", PERSON)
    with pytest.raises(Invalid, match="cut off or damaged"), open_cdm(path):
        pass


HOSTILE = "\x1b[2J\x9b31m\u202egp\u2066\n  Delivery 9 of gp:\u2028\r"
"""Clears the screen, colours it, turns the direction of writing, and adds lines of its own."""

DANGEROUS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def test_names_from_files_reach_receipts_json_and_records_as_one_harmless_line(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    header = HEADER.strip() + f',"{HOSTILE}"\n'
    name = HOSTILE + "events.csv"
    (hub.folder / name).write_text(header + "1,p1,2020-01-01,5,a,x\n")
    receipt = hub.deliver(hub.events(), [hub.folder / name])
    Screen[Receipt](as_json=False).show(receipt, delivery_text.receipt(receipt))
    said = capsys.readouterr().out
    assert not DANGEROUS.search(said)
    assert [line for line in said.splitlines() if line.strip().startswith("Delivery")] == ["Delivery 1 of gp:"]
    Screen[Receipt](as_json=True).show(receipt, ())
    assert not DANGEROUS.search(capsys.readouterr().out)
    for record in (*hub.store.rglob("*.json"), *hub.store.rglob("*.jsonl")):
        assert not DANGEROUS.search(record.read_text())


def test_a_hostile_name_in_a_refusal_is_one_harmless_line(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    (hub.folder / f"{HOSTILE}events.csv").write_text("a\n")
    with pytest.raises(Invalid) as caught:
        hub.deliver(hub.events(), [hub.folder / f"{HOSTILE}events.csv"])
    for as_json in (False, True):
        refuse(caught.value, as_json=as_json)
        captured = capsys.readouterr()
        assert not DANGEROUS.search(captured.out + captured.err)
        assert not [line for line in captured.err.splitlines() if line.strip().startswith("Delivery")]
    assert all(len(str(fault).splitlines()) == 1 for fault in caught.value.faults)


def test_the_disk_says_a_hostile_name_in_one_harmless_line(capsys: pytest.CaptureFixture[str]) -> None:
    refuse(FileNotFoundError(2, "No such file", HOSTILE), as_json=False)
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_names_of_tables_and_of_files_in_a_zip_are_harmless(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "cdm.duckdb")) as connection:
        connection.execute(f'CREATE TABLE person AS SELECT 7 AS person_id; CREATE TABLE "{HOSTILE}" AS SELECT 1 AS a')
    zipped(tmp_path / "cdm.zip", {"person.csv": PERSON, HOSTILE + ".doc": ""})
    for path in (tmp_path / "cdm.duckdb", tmp_path / "cdm.zip"):
        with duckdb.connect() as connection:
            [other] = members(connection, DeliveredFile(path=path, name="cdm"), tmp_path).others
        assert not DANGEROUS.search(other) and "\n" not in other


def test_names_of_concepts_in_a_definition_are_harmless_in_english(fairhaven: Command, tmp_path: Path) -> None:
    concept = {"CONCEPT_ID": 7, "CONCEPT_NAME": HOSTILE}
    written = {
        "ConceptSets": [{"id": 0, "name": "", "expression": {"items": [{"concept": concept}]}}],
        "PrimaryCriteria": {
            "CriteriaList": [{"ConditionOccurrence": {"CodesetId": 0}}],
            "ObservationWindow": {"PriorDays": 0, "PostDays": 0},
        },
    }
    (tmp_path / "cohort.json").write_text(json.dumps(written))
    for arguments in ((), ("--json",), ("--out", tmp_path / "words.md")):
        done = fairhaven("cohort", "explain", tmp_path / "cohort.json", *arguments)
        said = (tmp_path / "words.md").read_text() if "--out" in arguments else done.stdout
        assert not DANGEROUS.search(said)
        assert not [line for line in said.splitlines() if line.strip().startswith("Delivery")]


def test_a_json_document_says_the_same_and_shows_nothing_dangerous() -> None:
    value = {"name": HOSTILE + "\ud800\u00e9"}
    document = harmless_json(json.dumps(value, ensure_ascii=False, indent=1))
    assert json.loads(document) == value
    assert not DANGEROUS.search(document) and "é" in document
    document.encode()


@pytest.mark.parametrize(
    "version", ["../../x", "/etc", "..", "work-1", "current.json", "loading.json", "x" * 5000, "a\nb"]
)
def test_a_vocabularys_name_names_no_folder_outside_and_none_of_fairhavens_own(tmp_path: Path, version: str) -> None:
    source = tmp_path / "athena.duckdb"
    fields = CONCEPT.splitlines()[0].split("\t")
    values = CONCEPT.replace("0101", "-01-01").replace("1231", "-12-31").splitlines()[1].split("\t")
    with duckdb.connect(str(source)) as connection:
        row = ", ".join(f"'{value}' AS {field}" for field, value in zip(fields, values, strict=True))
        connection.execute(f"CREATE TABLE concept AS SELECT {row}")
        connection.execute(
            "CREATE TABLE vocabulary AS SELECT 'None' AS vocabulary_id, 'n' AS vocabulary_name, 'r' AS "
            "vocabulary_reference, ? AS vocabulary_version, 0 AS vocabulary_concept_id",
            [version],
        )
    root = tmp_path / "deep" / "store" / "vocabulary"
    loaded = load_vocabulary(source, root)
    clear_torn(root)
    for opened in (Vocabulary.open(root), Vocabulary.of(root, loaded.version, loaded.digest)):
        assert opened == loaded
    assert loaded.folder.parent == root and (loaded.folder / "concept.parquet").is_file()
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {"store"}


PARQUET = EVENTS.replace('"delimited"', '"parquet"').format(settings="", more="")


def parquet(path: Path, *, rows: int = 2) -> Path:
    columns = {
        "event_id": ["1"] * rows,
        "patient_id": ["p1"] * rows,
        "event_date": ["2020-01-01"] * rows,
        "value": [5.0] * rows,
        "code": ["a"] * rows,
        "person_id": [7] * rows,
    }
    pq.write_table(pa.table(columns), path)
    return path


def with_footer(path: Path, change: Callable[[bytes], bytes]) -> Path:
    """The file with its footer (thrift's compact protocol) changed."""
    content = path.read_bytes()
    length = int.from_bytes(content[-8:-4], "little")
    footer = change(content[-8 - length : -8])
    path.write_bytes(content[: -8 - length] + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    return path


def test_a_parquet_footer_that_claims_a_million_columns_takes_no_memory_for_them(hub: Hub, tmp_path: Path) -> None:
    # Behind the version (3 bytes) the schema: a list of so many structures, here 2**20 of them.
    path = with_footer(
        parquet(tmp_path / "events.parquet"), lambda footer: footer[:3] + b"\xfc\x80\x80\x40" + footer[4:]
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "events.parquet: cannot be read; the file may be cut off" in refusal(hub, PARQUET, path)
    (tmp_path / "cdm").mkdir()
    path.rename(tmp_path / "cdm" / "person.parquet")
    with pytest.raises(Invalid, match="cannot be read"), open_cdm(tmp_path / "cdm"):
        pass
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10  # KiB


@pytest.mark.parametrize("places", [slice(0, None), slice(0, 1), slice(-1, None)], ids=["all", "first", "last"])
@pytest.mark.parametrize("rows", [1, 20])
def test_a_parquet_footer_that_lies_about_its_rows_is_refused(
    hub: Hub, tmp_path: Path, rows: int, places: slice
) -> None:
    said, lie = b"\x16\x04", b"\x16" + bytes([2 * rows])  # an i64 of 2, in zigzag

    def change(footer: bytes) -> bytes:
        parts = footer.split(said)
        found = list(range(len(parts) - 1))[places]
        return b"".join(part + (lie if n in found else said) for n, part in enumerate(parts[:-1])) + parts[-1]

    path = with_footer(parquet(tmp_path / "events.parquet"), change)
    said_of_it = refusal(hub, PARQUET, path)
    if places == slice(0, None):
        assert "holds other numbers of values in its pages than its footer says" in said_of_it
    else:
        assert "different numbers of rows" in said_of_it or "cannot be read" in said_of_it


def test_a_parquet_page_that_is_damaged_in_the_middle_is_a_fault_of_the_file_whoever_reads_it(
    hub: Hub, tmp_path: Path
) -> None:
    path = parquet(tmp_path / "events.parquet")
    (tmp_path / "cdm").mkdir()
    for place in range(4, 300, 6):
        content = bytearray(parquet(tmp_path / "events.parquet").read_bytes())
        content[place] ^= 0xFF
        path.write_bytes(content)
        (tmp_path / "cdm" / "person.parquet").write_bytes(content)
        with suppress(Invalid), open_cdm(tmp_path / "cdm") as opened:
            opened.engine.fetch(opened.tables["person"])
        with suppress(Invalid):
            hub.deliver(hub.source(PARQUET), [path])


def test_a_parquet_file_of_very_many_equal_rows_is_held_to_the_limits(hub: Hub, tmp_path: Path) -> None:
    path = parquet(tmp_path / "events.parquet", rows=10**6)
    assert "would become more than" in refusal(hub, PARQUET, path)


def test_more_columns_than_any_table_has_are_refused_in_parquet_and_in_text(hub: Hub, tmp_path: Path) -> None:
    wide = {f"c{number}": ["1"] for number in range(10_001)}
    pq.write_table(pa.table(wide), tmp_path / "events.parquet")
    assert "has 10,001 columns, more than 10,000" in refusal(hub, PARQUET, tmp_path / "events.parquet")
    (tmp_path / "events.csv").write_text(",".join(wide) + "\n")
    assert "has 10,001 columns, more than 10,000" in refusal(hub, "", tmp_path / "events.csv")


def test_a_file_that_is_one_endless_line_is_refused_before_it_is_held_in_memory(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairhaven.intake.lines._LONGEST_RECORD", 1 << 20)
    for end in ("\n", "\r"):
        path = hub.folder / "events.csv"
        path.write_text(HEADER.replace("\n", end) + "1" * (6 << 20))
        assert "has a line longer than 64 MB" in refusal(hub, "", path)


def test_an_opt_out_list_that_is_none_is_not_read_into_memory(hub: Hub) -> None:
    path = hub.folder / "list.csv"
    with path.open("wb") as file:
        file.truncate(300 << 20)
    source = 'title = "L"\ncontroller = "c"\nkind = "opt-out"\nformat = "opt-out"\n'
    assert "is larger than 256 MB" in refusal(hub, source, path)


def test_bundles_in_bundles_without_end_are_quarantined(hub: Hub) -> None:
    nested: dict[str, object] = {"resourceType": "Patient", "id": "p1"}
    for _ in range(12):
        nested = {"resourceType": "Bundle", "entry": [{"resource": nested}]}
    hub.receive(hub.source(FHIR), json.dumps(nested) + "\n", name="a.ndjson")
    assert [reason for _, _, reason in hub.quarantined()] == [NESTED]


def test_a_pipe_or_device_among_definitions_is_refused_and_not_waited_for(fairhaven: Command, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "7.json")
    (tmp_path / "8.json").symlink_to("/dev/zero")
    said = fairhaven("cohort", "explain", tmp_path, code=1).stderr
    assert "7.json: is a pipe" in said and "8.json: is a device" in said


def test_no_table_lands_in_the_place_of_the_rows_in_quarantine(hub: Hub) -> None:
    path = hub.folder / "gp.toml"
    path.write_text(EVENTS.format(settings="", more="").replace("tables.events", "tables.rejects"))
    document = Document(path, "sources/gp.toml")
    assert read_source(document) is None
    assert "choose another name" in str(document.faults[0])
