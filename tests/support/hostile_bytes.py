"""A process that gives one reader of foreign files hostile bytes for so many seconds of CPU: ``python -m`` READER SECONDS FOLDER.

It may take only so much memory, open nothing outside its folder, and start no process and no connection. Anything but an
error of Fairhaven ends it, with the bytes in ``FOLDER/last``.
"""

import contextlib
import gzip
import io
import json
import os
import resource
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir

from fairhaven.cohort import read_definition
from fairhaven.harmonise import read_code_map
from fairhaven.kernel.errors import FairhavenError
from fairhaven.omop.external_cdm import open_cdm
from fairhaven.omop.vocabulary import load_vocabulary
from tests.support.intake_hub import DAY, EVENTS, HEADER, Hub

ADDRESS_SPACE = 8 << 30
"""Bytes that the process may map; most of it is never used."""
RESIDENT = 1800 << 20
"""Bytes that it may hold: DuckDB's ceiling of 1 GB, the libraries, and a file or two."""
CANARY = b"a-secret-of-the-hub"
_A_STORE = 40
"""Deliveries that a hub takes before it is replaced by a new one."""

OMOP = 'title = "CDM"\ncontroller = "partner"\nkind = "cdm"\nformat = "omop"\n'
FHIR = 'title = "FHIR"\ncontroller = "partner"\nkind = "gp"\nformat = "fhir"\n'
OPT_OUT = 'title = "List"\ncontroller = "nhs"\nkind = "opt-out"\nformat = "opt-out"\n'
TEXT = EVENTS.format(settings="", more="")
PERSON = "person_id,gender_concept_id,year_of_birth,birth_datetime\n7,8507,1980,1980-02-03\n8,8532,,\n"
DEATH = "person_id\tdeath_date\n7\t2020-01-01\n"
CONCEPT = (
    "concept_id\tconcept_name\tdomain_id\tvocabulary_id\tconcept_class_id\tstandard_concept\tconcept_code\t"
    "valid_start_date\tvalid_end_date\tinvalid_reason\n1\ta\tb\tc\td\tS\te\t19700101\t20991231\t\n"
)
PATIENT = {"resourceType": "Patient", "id": "p1", "birthDate": "1980-02-03", "gender": "female"}
CONDITION = {
    "resourceType": "Condition",
    "id": "c1",
    "subject": {"reference": "Patient/p1"},
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "73211009"}]},
    "onsetDateTime": "2020-01-01",
}
DEFINITION = {
    "ConceptSets": [{"id": 0, "name": "a", "expression": {"items": [{"concept": {"CONCEPT_ID": 7}}]}}],
    "PrimaryCriteria": {
        "CriteriaList": [{"ConditionOccurrence": {"CodesetId": 0}}],
        "ObservationWindow": {"PriorDays": 0, "PostDays": 0},
    },
}
USAGI = (
    "source_code,source_concept_id,source_vocabulary_id,source_code_description,target_concept_id,"
    "target_vocabulary_id,valid_start_date,valid_end_date,invalid_reason\na,0,LOCAL,b,7,SNOMED,1970-01-01,2099-12-31,\n"
)
PIECES = st.sampled_from(
    [
        *(b"\0", b"\xff", b"\r", b"\n", b'"', b",", b"\t", b"'", b"\\", b"\x1b[2J", "\u202e".encode(), b"\xed\xa0\x80"),
        *(
            b"9" * 400,
            b"-1",
            b"1e999",
            b"NaN",
            b"../../outside/secret",
            b"*",
            b"[",
            b"{",
            b"[" * 2000,
            b"null",
            b"true",
        ),
        *(b"2020-02-30", b"9999-99-99", b"\xff\xff\xff\x7f", b"\xff" * 8, b"PAR1", b"PK\x03\x04", b"PK\x05\x06"),
        b"\x1f\x8b\x08\0\0\0\0\0\0\3",
    ]
)


class Enough(BaseException):
    """The time is up; no test of hypothesis takes this for a failure."""


@st.composite
def mutated(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A file that is almost right: bits flipped, parts cut out, doubled, put in or swapped."""
    content = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2, 3, 8]))):
        # Ends and beginnings are where formats keep what they say of themselves.
        at = draw(st.one_of(st.integers(0, len(content)), st.integers(0, 64), st.integers(-300, -1)))
        at = min(max(at if at >= 0 else len(content) + at, 0), len(content))
        length = draw(st.integers(1, 40))
        match draw(st.integers(0, 5)):
            case 0 if at < len(content):
                content[at] ^= 1 << draw(st.integers(0, 7))
            case 1 if at < len(content):
                content[at] = draw(st.integers(0, 255))
            case 2:
                del content[at : at + length]
            case 3:
                content[at:at] = content[at : at + length] * draw(st.integers(1, 50))
            case 4:
                content[at:at] = draw(st.one_of(PIECES, st.binary(max_size=40)))
            case _:
                del content[at:]
    return bytes(content)


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip in memory."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def parquet(columns: Mapping[str, Sequence[object]], **how: Any) -> bytes:
    """A Parquet file in memory."""
    target = io.BytesIO()
    pq.write_table(pa.table(dict(columns)), target, **how)
    return target.getvalue()


def database(folder: Path, *statements: str) -> bytes:
    """A DuckDB file's bytes."""
    path = folder / "seed.duckdb"
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)
    content = path.read_bytes()
    path.unlink()
    return content


def compressed(plain: st.SearchStrategy[bytes], name: str) -> st.SearchStrategy[bytes]:
    """Hostile content, as it is or packed well."""
    return st.one_of(plain, plain.map(gzip.compress), plain.map(lambda content: zipped({name: content})))


def ndjson(*values: object) -> bytes:
    """Lines of JSON."""
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def inputs(reader: str, folder: Path) -> st.SearchStrategy[bytes]:
    """Hostile files for a reader."""
    events = parquet(
        {
            "event_id": ["1", "2"],
            "patient_id": ["p", "q"],
            "event_date": ["2020-01-01", None],
            "value": [1.0, None],
            "code": ["a", "b"],
        }
    )
    persons = {"person_id": [7, 8], "gender_concept_id": [8507, 8532], "year_of_birth": [1980, 1990]}
    secret = folder / "outside" / "secret"
    made = "CREATE TABLE person AS SELECT 7 AS person_id, 8507 AS gender_concept_id, 1980 AS year_of_birth"
    rows = HEADER.encode() + b'1,p,2020-01-01,3,c\n2,q,01/02/2020,,"a\nb"\n'
    match reader:
        case "delimited":
            whole = mutated([rows, rows.replace(b"\n", b"\r\n"), gzip.compress(rows), b""])
            behind = mutated([rows, rows.partition(b"\n")[2]]).map(lambda content: HEADER.encode() + content)
            return st.one_of(behind, compressed(whole, "events.csv"))
        case "parquet":
            plain = [events, parquet(persons), parquet({"event_id": ["1"] * 3000, "patient_id": ["p"] * 3000})]
            return mutated([*plain, parquet({"a": [[1, 2]]}), parquet({"event_id": [None]}, compression="zstd")])
        case "fhir":
            bundle = {"resourceType": "Bundle", "entry": [{"fullUrl": "urn:uuid:1", "resource": PATIENT}]}
            lines = [ndjson(PATIENT, CONDITION, bundle), ndjson([PATIENT]), json.dumps(bundle, indent=1).encode()]
            return compressed(mutated([*lines, gzip.compress(lines[0])]), "a.ndjson")
        case "omop" | "cdm":
            files = {"person.csv": PERSON.encode(), "death.csv": DEATH.encode()}
            packed = [zipped(files), zipped({"person.parquet": parquet(persons)})]
            views = f"CREATE VIEW death AS SELECT 7 AS person_id, content AS cause FROM read_text('{secret}')"
            stored = [database(folder, made), database(folder, made, views)]
            member = mutated([PERSON.encode(), parquet(persons), gzip.compress(PERSON.encode())])
            names = st.sampled_from(["person.csv", "PERSON.TXT", "person/1.parquet", "../person.csv", "death.tsv"])
            within = st.dictionaries(names, member, max_size=3).map(zipped)
            return st.one_of(mutated(packed), within, mutated(stored))
        case "opt-out":
            return mutated(
                [b"9990000018\n9990000026,\n", b"\xef\xbb\xbf9990000018\r\n", gzip.compress(b"9990000018\n")]
            )
        case "vocabulary":
            member = mutated([CONCEPT.encode(), gzip.compress(CONCEPT.encode())])
            version = b"vocabulary_id\tvocabulary_version\nNone\t../../../outside/x\n"
            named = member.map(lambda content: zipped({"CONCEPT.csv": content, "VOCABULARY.csv": version}))
            return st.one_of(named, mutated([zipped({"CONCEPT.csv": CONCEPT.encode()})]))
        case "definition":
            rquest = {"cohort": {"groups": [{"rules": [], "rules_oper": "AND"}], "groups_oper": "AND"}, "owner": "a"}
            return mutated([json.dumps(DEFINITION).encode(), json.dumps(rquest).encode(), b'name = "a"\n[[events]]\n'])
        case "code map":
            return mutated([USAGI.encode()])
    raise ValueError(reader)


READERS = ("delimited", "parquet", "fhir", "omop", "cdm", "opt-out", "vocabulary", "definition", "code map")
_DELIVERED = {
    "delimited": (TEXT, "events.csv"),
    "parquet": (TEXT.replace('"delimited"', '"parquet"'), "events.parquet"),
    "fhir": (FHIR, "a.ndjson"),
    "omop": (OMOP, "cdm"),
    "opt-out": (OPT_OUT, "list.csv"),
}


def reading(reader: str, inside: Path) -> Iterator[Callable[[bytes], None]]:
    """Functions that read one file, each in a place of its own; the next is asked for when one has read enough."""
    number = 0
    while True:
        number += 1
        place = inside / str(number)
        place.mkdir()
        if reader in _DELIVERED:
            declaration, name = _DELIVERED[reader]
            hub = Hub(place)
            source = hub.source(declaration)
            yield lambda content, hub=hub, source=source, name=name: hub.receive(source, content, name) and None  # type: ignore[misc]
        else:
            path = place / {"definition": "a.json", "code map": "a.csv"}.get(reader, "file")
            yield lambda content, path=path: _read(reader, path, content)  # type: ignore[misc]


def _read(reader: str, path: Path, content: bytes) -> None:
    path.write_bytes(content)
    match reader:
        case "cdm":
            with open_cdm(path) as opened:
                for table in opened.tables.values():
                    opened.engine.fetch(table)
        case "vocabulary":
            load_vocabulary(path, path.parent / "vocabulary")
        case "definition":
            read_definition(path, today=DAY)
        case _:
            read_code_map(path)


class Watch:
    """What the process opens, held to a folder."""

    def __init__(self, folder: Path) -> None:
        root = Path(__file__).parents[2]
        self._inside = str(folder)
        libraries = {sys.prefix, sys.base_prefix, str(root), *(each for each in sys.path if Path(each).is_absolute())}
        self._readable = (*libraries, "/proc/", "/sys/", "/usr/", "/lib", "/etc/localtime", "/dev/null", "/dev/urandom")
        self.found: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit hook: see the table of audit events in Python's documentation."""
        if event == "open":
            path, mode, flags = arguments
            writes = any(each in (mode or "") for each in "wax+") or (flags or 0) & (os.O_WRONLY | os.O_RDWR)
            self._check(event, path, () if writes else self._readable)
        elif event in ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"):
            # A link's target is not opened by making it; whoever opens the link is seen.
            for path in arguments[:1] if event != "os.symlink" else arguments[1:2]:
                self._check(event, path, ())
        elif event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect", "socket.bind"):
            self.found.append(event)

    def _check(self, event: str, path: Any, readable: tuple[str, ...]) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return
        text = os.fsdecode(path)
        # Relative to an opening of a folder, as `foreign_files` opens them.
        if not Path(text).is_absolute():
            return
        real = text if text.startswith("/proc/self/fd/") else os.path.realpath(text)
        if not real.startswith((self._inside, *readable)) and not text.startswith("/dev/null"):
            self.found.append(f"{event}: {real}")


def main(reader: str, seconds: float, folder: Path) -> None:
    """Read hostile files until the time is up; prints how many were read and how many of them refused."""
    inside, last = folder / "inside", folder / "last"
    inside.mkdir()
    os.environ["TMPDIR"] = str(inside)
    set_hypothesis_home_dir(folder / "inside")
    examples = inputs(reader, folder)
    readers = reading(reader, inside)
    counts = {"read": 0, "refused": 0}
    read = next(readers)
    read_before = 0

    @settings(
        max_examples=10_000,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(content=examples)
    def try_one(content: bytes) -> None:
        nonlocal read, read_before
        if time.process_time() > seconds:
            raise Enough
        if counts["read"] - read_before >= _A_STORE:
            read, read_before = next(readers), counts["read"]
        last.write_bytes(content)
        counts["read"] += 1
        try:
            read(content)
        except FairhavenError:
            counts["refused"] += 1
        assert not watch.found, watch.found
        held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        assert held < RESIDENT, f"{held >> 20} MB"

    # What is imported on first use is imported before the watch.
    with contextlib.suppress(FairhavenError):
        read(b"")
    watch = Watch(folder)
    sys.addaudithook(watch)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    try:
        for number in range(1 << 30):
            seed(number)(try_one)()
    except Enough:
        sys.stdout.write(json.dumps(counts) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]))
