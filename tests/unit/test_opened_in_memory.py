"""What is opened of a delivery reaches no disk: every file that a receive, a landing and an erasure remove is looked into first."""

import gzip
import io
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairhaven.kernel import memory_files
from fairhaven.kernel.errors import NotAllowedNow
from fairhaven.kernel.files import readers_scratch, scratch
from fairhaven.kernel.memory_files import memory_writer
from tests.support.intake_hub import HEADER, Hub

NAME = "Featherstonehaugh"
NHS_NUMBER = "9434765919"
POSTCODE = "ZE3 9JW"
ROWS = "".join(f"e{n},{NAME}-{n % 3},2020-01-0{n % 9 + 1},1,c\n" for n in range(40))
IDENTIFIED = HEADER.rstrip() + ",nhs_number,postcode\n" + ROWS.replace("\n", f",{NHS_NUMBER},{POSTCODE}\n")
UNCLEAN = IDENTIFIED + f"x,{NAME}-1,2020-01-01,1\n"
FHIR = 'title = "Trust"\ncontroller = "trust"\nkind = "hospital"\nformat = "fhir"\n'
OMOP = 'title = "Partner"\ncontroller = "partner"\nkind = "gp"\nformat = "omop"\n'
OPT_OUT = 'title = "List"\ncontroller = "nhs"\nkind = "registry"\nformat = "opt-out"\n'
PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "name": [{"family": NAME}],
    "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": NHS_NUMBER}],
    "address": [{"postalCode": POSTCODE}],
}
CONDITION = {
    "resourceType": "Condition",
    "id": "c1",
    "subject": {"reference": "Patient/p1"},
    "code": {"text": "asthma"},
}
PERSON = f"person_id,gender_concept_id,year_of_birth,person_source_value\n1,8507,1960,{NHS_NUMBER}\n"
NOTE = f"note_id,person_id,note_date,note_text\n1,1,2020-01-01,{NAME}\n"

_watching: list[Callable[[Path], None]] = []


def _hook(event: str, args: tuple[object, ...]) -> None:
    if _watching and event in ("shutil.rmtree", "os.remove") and isinstance(args[0], str | os.PathLike):
        for watch in _watching:
            watch(Path(args[0]))


class Found:
    """Files that held what a person is known by, and how many were looked into."""

    def __init__(self) -> None:
        self.seen = 0
        self.naming: set[str] = set()

    def look(self, path: Path) -> None:
        """Look into a file, or into every file of a folder; not through links, which lead to memory."""
        for file in path.rglob("*") if path.is_dir() else [path]:
            if file.is_file() and not file.is_symlink():
                self.seen += 1
                if _names(file.read_bytes()):
                    self.naming.add(str(file))


def _names(content: bytes) -> bool:
    texts = [content]
    if content.startswith(b"\x1f\x8b"):
        texts.append(gzip.decompress(content))
    if content.startswith(b"PAR1") and content.endswith(b"PAR1"):
        texts.append(repr(pq.read_table(pa.BufferReader(content)).to_pylist()).encode())
    wanted = (NAME, NHS_NUMBER, POSTCODE)
    return any(name.encode(code) in text for text in texts for name in wanted for code in ("utf-8", "utf-16-le"))


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Found]:
    """What is looked into before it is removed, anywhere, and at the end in the store."""
    if not getattr(sys, "_fairhaven_watched", False):
        sys.addaudithook(_hook)
        sys._fairhaven_watched = True  # type: ignore[attr-defined]
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    watched = Found()
    _watching.append(watched.look)
    try:
        yield watched
    finally:
        _watching.clear()


def _zip(files: dict[str, bytes | str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def _parquet(text: str) -> bytes:
    header, *lines = text.splitlines()
    columns = zip(*(line.split(",") for line in lines), strict=True)
    out = io.BytesIO()
    pq.write_table(pa.table(dict(zip(header.split(","), map(list, columns), strict=True))), out)
    return out.getvalue()


def _duckdb(folder: Path) -> bytes:
    path = folder / "made.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            f"CREATE TABLE person AS SELECT 1 AS person_id, 8507 AS gender_concept_id, 1960 AS year_of_birth, "
            f"'{NHS_NUMBER}' AS person_source_value; CREATE TABLE note AS SELECT 1 AS note_id, 1 AS person_id, "
            f"DATE '2020-01-01' AS note_date, '{NAME}' AS note_text"
        )
    content = path.read_bytes()
    path.unlink()
    return content


DELIVERIES: dict[str, tuple[str, str, Callable[[Path], bytes]]] = {
    "csv": ("", "events.csv", lambda _: IDENTIFIED.encode()),
    "unclean csv": ("", "events.csv", lambda _: UNCLEAN.encode()),
    "csv.gz": ("", "events.csv.gz", lambda _: gzip.compress(UNCLEAN.encode())),
    "utf-16": ('dialect.encoding = "utf-16"', "events.csv", lambda _: IDENTIFIED.encode("utf-16")),
    "ndjson": (FHIR, "a.ndjson", lambda _: "\n".join(map(json.dumps, [PATIENT, CONDITION])).encode()),
    "ndjson.gz": (
        FHIR,
        "a.ndjson.gz",
        lambda _: gzip.compress("\n".join(map(json.dumps, [PATIENT, CONDITION])).encode()),
    ),
    "bundle": (
        FHIR,
        "bundle.json",
        lambda _: json.dumps(
            {"resourceType": "Bundle", "entry": [{"resource": r} for r in (PATIENT, CONDITION)]}
        ).encode(),
    ),
    "zip of csv": (
        OMOP,
        "cdm.zip",
        lambda _: _zip({"person.csv": PERSON, "note.csv.gz": gzip.compress(NOTE.encode())}),
    ),
    "zip of parquet": (
        OMOP,
        "cdm.zip",
        lambda _: _zip({"person.parquet": _parquet(PERSON.replace("person_source_value", "x"))}),
    ),
    "duckdb": (OMOP, "cdm.duckdb", _duckdb),
    "list": (OPT_OUT, "list.csv", lambda _: f"{NHS_NUMBER},\n".encode()),
}


@pytest.mark.parametrize("kind", DELIVERIES)
def test_no_file_that_a_receive_a_landing_or_an_erasure_writes_shows_who_somebody_is(
    kind: str, found: Found, tmp_path: Path
) -> None:
    text, name, content = DELIVERIES[kind]
    hub = Hub(tmp_path / "hub")
    source = hub.source(text) if text in (FHIR, OMOP, OPT_OUT) else hub.events(text)
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / name).write_bytes(content(tmp_path / "temporary"))
    found.naming.clear()
    receipt = hub.deliver(source, [inbox / name])
    assert receipt.delivery == 1
    if text != OPT_OUT:
        refs = {str(row["patient_ref"]) for row in hub.landed(1, _table(text)) if row["patient_ref"]}
        assert hub.erase({source.name: sorted(refs)[:1]}).extracts == (1,)
    _watching.clear()
    found.look(hub.store)
    found.look(tmp_path / "temporary")
    assert found.seen > 5
    assert found.naming == set()
    assert list((hub.store / "scratch").iterdir()) == []


def _table(text: str) -> str:
    return {FHIR: "condition", OMOP: "person"}.get(text, "events")


def test_a_delivered_folder_is_packed_in_memory(found: Found, tmp_path: Path) -> None:
    hub = Hub(tmp_path / "hub")
    folder = tmp_path / "inbox/cdm"
    folder.mkdir(parents=True)
    (folder / "person.csv").write_text(PERSON)
    (folder / "note.csv").write_text(NOTE)
    assert hub.deliver(hub.source(OMOP), [folder]).delivery == 1
    assert found.naming == set()


def test_a_folder_for_work_gives_back_the_memory_of_its_files(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the number alone
    with scratch(tmp_path) as work:
        (work / "below").mkdir()
        for path in (work / "a", work / "a", work / "below/b"):
            with memory_writer(path) as out:
                out.write(b"Featherstonehaugh")
            assert path.read_bytes() == b"Featherstonehaugh"
            assert path.is_symlink()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_what_does_not_fit_in_memory_is_refused_while_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_files, "_KEPT_FREE", 1 << 60)
    with (
        scratch(tmp_path) as work,
        pytest.raises(NotAllowedNow, match="in memory and nowhere else"),
        memory_writer(work / "a") as out,
    ):
        out.write(bytes(65 << 20))


def test_what_a_killed_reader_left_is_removed_by_the_next_of_its_account_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for left in ("fairhaven-work-left", "work-of-somebody-else"):
        (tmp_path / left).mkdir()
    with readers_scratch() as living, readers_scratch() as other:
        assert living.exists()
        assert {path.name for path in tmp_path.iterdir()} == {living.name, other.name, "work-of-somebody-else"}
