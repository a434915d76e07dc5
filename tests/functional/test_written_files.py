"""Nothing that a command writes to a disk shows who somebody is: neither what is there at its end, nor what was, nor what a kill leaves."""

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.killed_hub import EXPORTED, Commands, commands, copied
from tests.support.killed_stages import Region
from tests.support.known_persons import KnownBy, known_by
from tests.support.planted_identifiers import KNOWN
from tests.support.processes import ENVIRONMENT
from tests.support.written_files import Written, needs_strace, watching, written

SOMEBODY = KnownBy(
    words=frozenset([b"featherstonehaugh"]),
    numbers=frozenset([b"9434765919"]),
    postcodes=frozenset([b"ze39jw"]),
    texts=frozenset([b"12 harbour lane"]),
)
WRITES = """
import gzip, mmap, os, shutil, sys
from pathlib import Path
import pyarrow as pa, pyarrow.parquet as pq

folder = Path(sys.argv[1])
def gone(name, content):
    (folder / name).write_bytes(content)
    (folder / name).unlink()

gone("plain", b"\\0\\n..\\"Featherstonehaugh")
gone("utf-16", "Featherstonehaugh".encode("utf-16"))
gone("gz", gzip.compress(b"ze3 9jw"))
gone("number", (9434765919).to_bytes(8, "little"))
gone("spaced", b"943 476 5919")
pq.write_table(pa.table({"a": ["12 Harbour Lane"] * 3}), folder / "parquet")
(folder / "parquet").unlink()
with (folder / "apart").open("wb") as file:
    file.write(b"..........stonehaugh"); file.flush(); file.seek(3); file.write(b"Feather"); file.flush()
    os.pwrite(file.fileno(), b"ZE3", 30); os.writev(file.fileno(), [b"", b""]); os.pwrite(file.fileno(), b" 9JW", 33)
    os.unlink(folder / "apart"); file.seek(40); file.write(b"9434765919")
(folder / "twice").write_bytes(b"9434765919"); (folder / "twice").write_bytes(b"nobody")
shutil.copyfile(sys.argv[2], folder / "copied")
with (folder / "mapped").open("w+b") as file:
    file.truncate(4096)
    with mmap.mmap(file.fileno(), 0) as mapped:
        mapped[:1] = b"x"
memory = os.memfd_create("kept"); os.write(memory, b"Featherstonehaugh")
gone("nobody", b"nobody")
"""
RECEIVES = """
import gzip, sys
from pathlib import Path
import duckdb
from fairhaven.intake import landing
from fairhaven.intake.parquet_reader import ParquetReader
from fairhaven.kernel.progress import Silent
from tests.support.intake_hub import HEADER
from tests.support.linked_tables import ACTIVITIES, CONTACTS, REFERRALS, Linked
from tests.support.planted_identifiers import PERSON, TABLES, planted_resources, planted_tables

hub = Linked(Path(sys.argv[1]))
inbox = hub.folder / "inbox"

rows = "".join(f"e{n},Featherstonehaugh-{n % 3},2020-01-0{n % 9 + 1},1,c,9434765919,ZE3 9JW\\n" for n in range(40))
text = HEADER.rstrip() + ",nhs_number,postcode\\n" + rows + "x,Featherstonehaugh-1,2020-01-01,1\\n"
source = hub.events()
hub.receive(source, gzip.compress(text.encode()), "events.csv.gz")
refs = sorted({str(row["patient_ref"]) for row in hub.landed(1)})
assert hub.erase({source.name: refs[:1]}).extracts == (1,)

# In every text who somebody is, and so many rows that some go to the spill.
head = 'title = "x"\\ncontroller = "c"\\nkind = "hospital"\\nformat = "{}"\\n'
many = "'w' || range AS event_id, 'Featherstonehaugh' || repeat('x', 400) || range % 9 AS term FROM range(9000)"
for name, query in planted_tables().items():
    if name == "events":
        for code in ("one", "another"):
            query = f"FROM ({query}) UNION ALL BY NAME SELECT '1242486' AS patient_id, '{code}' AS code, {many}"
    duckdb.execute(f"COPY ({query}) TO '{inbox}/{name}.parquet'")
trust = hub.source(head.format("parquet") + TABLES, "trust")
usual, landing.MEMORY_LIMIT, ParquetReader.threads = landing.MEMORY_LIMIT, "22MB", 1
hub.deliver(trust, sorted(inbox.glob("*.parquet")))
landing.MEMORY_LIMIT, ParquetReader.threads = usual, None
fhir = hub.source(head.format("fhir"), "fhir")
hub.receive(fhir, planted_resources(), "all.ndjson")
hub.source(head.format("parquet") + TABLES.replace('remark = "text"', ""), "trust")
assert hub.intake.land_again(hub.sources["trust"], vault=hub.vault, progress=Silent()) == (2, 3)

# What belongs to somebody erased is taken out of what has landed.
hub.bring(referral=REFERRALS)
hub.erase_patient()
theirs = f"CareActivityId,Contact,Note\\nA1,C1,{' '.join(PERSON)}\\nA2,C2,of the other\\n"
hub.bring(activity=theirs, contact=CONTACTS)
assert [row["CareActivityId"] for row in hub.landed(6, "activity")] == ["A2"]
"""


def run_watched(script: str, folder: Path, *words: Path) -> Written:
    """What a script writes that is given a folder."""
    log, place = folder / "log", folder / "place"
    log.mkdir()
    place.mkdir()
    command = [*watching(log), sys.executable, "-B", "-c", script, *map(str, (place, *words))]
    done = subprocess.run(
        command, env={**ENVIRONMENT, "TMPDIR": str(folder)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return written(log)


def shown(found: Written, known: KnownBy) -> dict[str, set[bytes]]:
    """Path -> what some of what was written there shows."""
    named = {
        path: set().union(*(known.in_(bytes(each)) for each in contents)) for path, contents in found.files.items()
    }
    return {path: names for path, names in named.items() if names}


@needs_strace()
def test_the_watch_sees_whatever_is_written_also_what_is_gone(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"Featherstonehaugh")
    found = run_watched(WRITES, tmp_path, tmp_path / "source")
    seen = {Path(path).name: names for path, names in shown(found, SOMEBODY).items() if path.startswith(str(tmp_path))}
    assert seen == {
        "plain": {b"featherstonehaugh"},
        "utf-16": {b"featherstonehaugh"},
        "gz": {b"ze39jw"},
        "number": {b"9434765919"},
        "spaced": {b"9434765919"},
        "parquet": {b"12 harbour lane"},
        "apart": {b"featherstonehaugh", b"ze39jw", b"9434765919"},
        "twice": {b"9434765919"},
    }
    assert found.sources == {str(tmp_path / "source")}
    assert found.mapped == {str(tmp_path / "place/mapped")}


@needs_strace()
def test_a_delivery_that_is_taken_landed_again_and_erased_from_writes_nobody_to_a_disk_not_for_a_moment(
    tmp_path: Path,
) -> None:
    found = run_watched(RECEIVES, tmp_path)
    delivered = str(tmp_path / "place/inbox/")
    for known in (SOMEBODY, KNOWN):
        assert [path for path in shown(found, known) if not path.startswith(delivered)] == []
    assert len(found.files) > 20
    assert sum(len(each) for path, contents in found.files.items() if "/spill/" in path for each in contents) > 200_000
    assert not found.sources
    assert not found.mapped


@pytest.fixture
def known(region: Region) -> KnownBy:
    found = known_by(region.stage("receive").before)
    assert min(map(len, (found.words, found.numbers, found.postcodes, found.texts))) > 20
    return found


@contextmanager
def watched(folder: Path) -> Iterator[tuple[Commands, Path]]:
    """The forking process under the watch, and the folder of what is seen."""
    (folder / "log").mkdir()
    (folder / "temporary").mkdir()
    with commands(folder / "temporary", under=watching(folder / "log")) as processes:
        yield processes, folder / "log"


@needs_strace()
@pytest.mark.slow
def test_nothing_that_receive_build_erase_export_and_report_write_shows_who_somebody_is(
    region: Region, known: KnownBy, tmp_path: Path
) -> None:
    person = region.stage("build").after["index"][0]["person_id"]
    hub = copied(region.stage("receive").before, tmp_path / "hub")
    out = Path(EXPORTED)
    with watched(tmp_path) as (processes, log):
        for command in (
            ("receive", 0),
            ("build",),
            ("run", "report", ".", "--out", f"{out}/report.html"),
            ("run", "export", ".", "--format", "duckdb", "--out", f"{out}/cdm.duckdb"),
            ("run", "export", ".", "--format", "parquet", "--out", f"{out}/cdm"),
            ("receive", 1),
            ("build",),
            ("erase", person),
            ("rotate",),
        ):
            ended = processes.run(hub, *command)
            assert ended.code == 0, ended.said
    found = written(log)
    assert shown(found, known) == {}
    assert len(found.files) > 500
    assert {path for path in found.sources if not path.startswith("/memfd:")} == set()
    assert found.mapped == set()
    assert in_files(hub, known, apart_from=("inbox", "truth")) == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["receive", "build", "erase", "export duckdb", "export parquet"])
def test_nothing_that_a_kill_leaves_shows_who_somebody_is(
    region: Region, known: KnownBy, tmp_path: Path, name: str
) -> None:
    stage = region.stage(name)
    chance = random.Random(name)
    (tmp_path / "temporary").mkdir()
    with commands(tmp_path / "temporary") as processes:
        for trial in range(8):
            hub = copied(stage.before, tmp_path / f"hub-{trial}")
            ended = processes.run(hub, *stage.command, after=(trial + chance.random()) / 8 * stage.undisturbed.seconds)
            assert in_files(hub, known, apart_from=("inbox", "truth")) == {}, (trial, ended.code)
            assert in_files(tmp_path / "temporary", known) == {}, (trial, ended.code)


def in_files(folder: Path, known: KnownBy, *, apart_from: tuple[str, ...] = ()) -> dict[str, set[bytes]]:
    """Path -> what a file of a folder shows; links lead to memory, and are gone with their process."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    kept = [path for path in files if path.relative_to(folder).parts[0] not in apart_from]
    named = {str(path.relative_to(folder)): known.in_(path.read_bytes()) for path in kept}
    return {path: names for path, names in named.items() if names}
