"""What is said of files that are not what they say: each is refused in words or its rows are in quarantine, and no row is lost in silence."""

import gzip
import resource
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairhaven.engine.parquet_footer import check_footer
from fairhaven.harmonise import read_code_map
from fairhaven.intake import Receipt
from fairhaven.kernel.errors import Invalid
from fairhaven.kernel.expansion import USUAL
from fairhaven.kernel.toml import Document
from tests.support.intake_hub import EVENTS, HEADER, Hub

GOOD = "1,p1,2020-01-01,5,a\n"
TEXT = EVENTS.format(settings="", more="")
UTF_16 = EVENTS.format(settings='[dialect]\nencoding = "utf-16"', more="")
PARQUET = TEXT.replace('"delimited"', '"parquet"')
OMOP = 'title = "CDM"\ncontroller = "partner"\nkind = "cdm"\nformat = "omop"\ndelivery = "full"\n'
FHIR = 'title = "FHIR"\ncontroller = "partner"\nkind = "gp"\nformat = "fhir"\n'
PATIENT = '{"resourceType": "Patient", "id": "p1", "gender": "male"}\n'
PERSON = "person_id,gender_concept_id,year_of_birth\n7,8507,1980\n"
ROWS = 28
MARKED = "\ufeff"


def parquet(*, says: int = 0, changed: int = 0, **options: object) -> bytes:
    """A file of 28 rows, whose footer says another number of them, or of which one byte is another."""
    columns = {
        "event_id": [str(number) for number in range(ROWS)],
        "patient_id": ["p1"] * ROWS,
        "event_date": ["2020-01-01"] * ROWS,
        "value": [number / 2 for number in range(ROWS)],
        "code": ["a"] * ROWS,
        "person_id": list(range(ROWS)),
        "gender_concept_id": [8507] * ROWS,
        "year_of_birth": [1980] * ROWS,
    }
    out = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), out, **{"compression": "none", **options})
    content = bytearray(out.getvalue())
    content[changed] ^= 0xFF if changed else 0
    length = int.from_bytes(content[-8:-4], "little")
    footer = bytes(content[-8 - length : -8])
    if says:  # numbers of 64 bits, in zigzag
        footer = footer.replace(bytes([0x16, 2 * ROWS]), bytes([0x16, 2 * says]))
    return bytes(content[: -8 - length]) + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def without_a_row_group() -> bytes:
    """Two row groups of 14 rows, and the footer of a file that has only the first of them."""
    whole = parquet(row_group_size=ROWS // 2)
    out = pa.BufferOutputStream()
    pq.write_table(pq.read_table(pa.BufferReader(whole)).slice(0, ROWS // 2), out, compression="none")
    first = bytes(out.getvalue())
    footer = int.from_bytes(first[-8:-4], "little")
    return whole[: -8 - int.from_bytes(whole[-8:-4], "little")] + first[-8 - footer :]


def not_utf_8() -> bytes:
    """A column of texts of which one is no UTF-8; Arrow writes it unasked."""
    bad = pa.array([b"caf\xe9"] * 2).view(pa.string())
    columns = {
        "event_id": ["1", "2"],
        "patient_id": ["p1", "p2"],
        "event_date": ["2020-01-01"] * 2,
        "value": [1.0, 2.0],
    }
    out = pa.BufferOutputStream()
    pq.write_table(pa.table({**columns, "code": bad}), out)
    return bytes(out.getvalue())


REFUSED = [
    (
        "fewer rows in the footer",
        PARQUET,
        parquet(says=10),
        "holds other numbers of values in its pages than its footer says",
    ),
    (
        "more rows in the footer",
        PARQUET,
        parquet(says=60),
        "holds other numbers of values in its pages than its footer says",
    ),
    ("a row group left out of the footer", PARQUET, without_a_row_group(), "holds pages that its footer does not name"),
    ("a page with another checksum", PARQUET, parquet(changed=60, write_page_checksum=True), "its checksum is another"),
    ("a page that cannot be read", PARQUET, parquet(changed=4), "a page that cannot be read"),
    ("a text in Parquet that is no UTF-8", PARQUET, not_utf_8(), "cannot be read"),
    ("a table of a CDM with fewer rows", OMOP, {"person.parquet": parquet(says=10)}, "than its footer says"),
    ("a table of a CDM with more rows", OMOP, {"person.parquet": parquet(says=60)}, "than its footer says"),
    ("a CDM's text in UTF-16 unsaid", OMOP, {"person.csv": (MARKED + PERSON).encode("utf-16-le")}, "mark of UTF-16"),
    ("UTF-16 unsaid", TEXT, (MARKED + HEADER + GOOD).encode("utf-16-le"), "begins with the mark of UTF-16"),
    ("UTF-16 unsaid, the other way round", TEXT, (MARKED + HEADER + GOOD).encode("utf-16-be"), "the mark of UTF-16"),
    ("UTF-16 without its mark", UTF_16, (HEADER + GOOD).encode("utf-16-le"), "does not begin with the mark of UTF-16"),
    ("UTF-8 that is declared as UTF-16", UTF_16, (HEADER + GOOD).encode(), "does not begin with the mark of UTF-16"),
    (
        "UTF-8 with its mark, declared as UTF-16",
        UTF_16,
        (MARKED + HEADER + GOOD).encode(),
        "begins with the mark of UTF-8",
    ),
    ("FHIR in UTF-16", FHIR, (MARKED + PATIENT).encode("utf-16-le"), "begins with the mark of UTF-16"),
    ("a gzip that is cut off", TEXT, gzip.compress((HEADER + GOOD * 50).encode())[:-12], "is cut off or damaged"),
    ("a gzip with something behind it", FHIR, gzip.compress(PATIENT.encode()) + b"more", "is cut off or damaged"),
]


@pytest.mark.parametrize(("what", "source", "content", "said"), REFUSED, ids=[case[0] for case in REFUSED])
def test_a_file_that_lies_is_refused_in_words_and_nothing_of_it_is_kept(
    tmp_path: Path, what: str, source: str, content: bytes | dict[str, bytes], said: str
) -> None:
    hub = Hub(tmp_path)
    with pytest.raises(Invalid, match=said):
        deliver(hub, source, content)
    assert hub.intake.deliveries() == []


DEEP = "[" * 5_000 + "]" * 5_000
QUARANTINED = [
    # the file, rows received of each table, rows in quarantine
    ("a text that is no UTF-8", TEXT, (HEADER + GOOD).encode() + b"2,p2,2020-01-01,,caf\xe9\n", 2, 1),
    ("a NUL byte", TEXT, HEADER + GOOD + "2,p2,2020-01-01,,\0\n", 2, 1),
    ("a number of 5,000 digits", TEXT, HEADER + GOOD + f"2,p2,2020-01-01,{'9' * 5000},a\n", 2, 1),
    (
        "line ends of three kinds",
        TEXT,
        HEADER + GOOD.replace("\n", "\r\n") + GOOD.replace("1", "4", 1) + "2,p2,2020-01-01,,a\r3,p3,2020-01-01,,a\n",
        3,
        1,
    ),
    (
        "a Bundle 5,000 arrays deep",
        FHIR,
        f'{{"resourceType": "Bundle", "entry": [{{"resource": {{"a": {DEEP}}}}}]}}',
        1,
        1,
    ),
    (
        "FHIR lines 5,000 arrays deep",
        FHIR,
        PATIENT + PATIENT.replace("p1", "p2").replace("{", f'{{"a": {DEEP}, ', 1),
        2,
        0,
    ),
    ("FHIR that is no UTF-8", FHIR, PATIENT.encode() + PATIENT.encode().replace(b"p1", b"\xff"), 2, 1),
    ("FHIR with a NUL byte", FHIR, PATIENT + PATIENT.replace("p1", "p\0"), 2, 1),
    ("FHIR with half a character", FHIR, PATIENT + PATIENT.replace("p1", "\\ud800"), 2, 1),
    ("FHIR with the mark of UTF-8", FHIR, MARKED + PATIENT, 1, 0),
    ("a CDM's text that is no UTF-8", OMOP, {"person.csv": PERSON.encode() + b"8,8507,\xff\n"}, 2, 1),
]


@pytest.mark.parametrize(
    ("what", "source", "content", "received", "quarantined"), QUARANTINED, ids=[case[0] for case in QUARANTINED]
)
def test_a_row_that_cannot_be_read_is_in_quarantine_and_counted(
    tmp_path: Path, what: str, source: str, content: bytes | str | dict[str, bytes], received: int, quarantined: int
) -> None:
    (extract,) = deliver(Hub(tmp_path), source, content).extracts
    assert sum(count.received for count in extract.tables.values()) == received
    assert sum(count.quarantined for count in extract.tables.values()) == quarantined
    assert sum(count.landed for count in extract.tables.values()) == received - quarantined


def deliver(hub: Hub, source: str, content: bytes | str | dict[str, bytes]) -> Receipt:
    if isinstance(content, dict):
        folder = hub.folder / "cdm"
        folder.mkdir()
        for name, part in content.items():
            (folder / name).write_bytes(part)
        return hub.deliver(hub.source(source), [folder])
    name = {TEXT: "events.csv", UTF_16: "events.csv", PARQUET: "events.parquet"}.get(source, "a.ndjson")
    return hub.receive(hub.source(source), content, name)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("packing", ["none", "snappy", "zstd"])
@pytest.mark.parametrize(
    "more", [{}, {"write_page_checksum": True, "data_page_size": 100, "row_group_size": 50}, {"write_page_index": True}]
)
def test_whatever_a_parquet_file_is_written_with_its_pages_are_what_its_footer_says(
    tmp_path: Path, version: str, packing: str, more: dict[str, object]
) -> None:
    some = range(200)
    columns = {
        "number": [None if n % 3 else n for n in some],
        "text": [f"v{n % 7}" for n in some],
        "list": [[n, n] if n % 2 else [] for n in some],
        "struct": [{"a": n, "b": "x"} for n in some],
    }
    for rows in (0, 200):
        path = tmp_path / f"{rows}.parquet"
        pq.write_table(pa.table(columns).slice(0, rows), path, data_page_version=version, compression=packing, **more)
        check_footer(path, path.name, USUAL)


SETTINGS: list[tuple[str, str | bytes, str]] = [
    ("a key of 100,000 names", ".".join(["a"] * 100_000) + " = 1\n", "a key of more than 8 names"),
    ("a header of 100,000 names", f"[{'.'.join(['a'] * 100_000)}]\n", "a key of more than 8 names"),
    ("quoted names with blanks between them", " . ".join(['"a"'] * 100_000) + " = 1\n", "a key of more than 8 names"),
    (
        "a key of many names in a table of one line",
        f"a = {{ b = 1, {'.'.join(['a'] * 100_000)} = 1 }}\n",
        "a key of more than 8 names",
    ),
    (
        "a key of many names behind texts",
        f'a = """#\\"\n"""\n\'#\' = 1 # \'\n{"a." * 100_000}b = 1\n',
        "toml:4: has a key of more than",
    ),
    ("a megabyte and more", "# x\n" * (1 << 18) + "a = 1\n", "is larger than 1 MB"),
    ("arrays 5,000 deep", f"a = {DEEP}\n", "is nested too deeply"),
    ("a number of 5,000 digits", f"a = {'9' * 5000}\n", "a number too long"),
    ("a number of 100,000 digits in base 16", f"a = [1, 0x{'f' * 100_000}]\n", "a[1]: is a number too long to be read"),
    ("no number", "a = { b = nan }\n", "a.b: is no number with an end"),
    ("a number without end", "a = -inf\n", "a: is no number with an end"),
    ("a NUL byte", "a = 'b\0'\n", "not valid TOML"),
    ("UTF-16", (MARKED + "a = 1\n").encode("utf-16-le"), "cannot be read as UTF-8"),
]


@pytest.mark.parametrize(("what", "content", "said"), SETTINGS, ids=[case[0] for case in SETTINGS])
def test_a_file_of_settings_that_would_fill_the_memory_is_refused_before_it_does(
    tmp_path: Path, what: str, content: bytes | str, said: str
) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    document = Document(path, "a.toml")
    assert [said in str(fault) for fault in document.faults] == [True], document.faults
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 << 10  # KiB


@pytest.mark.parametrize(
    "content",
    [
        'a = "urn:oid:2.16.840.1.113883.2.1.4.1"',
        "# the NHS number, 2.16.840.1.113883.2.1.4.1\na = 'x'",
        '"2.16.840.1.113883.2.1.4.1" = 1',
        'a = ["x", "2.16.840.1.113883.2.1.4.1"] # [2.16.840.1.113883.2.1.4.1]',
        "a = \"\"\"\n2.16.840.1.113883.2.1.4.1\n\"\"\"\nb = '''\n[2.16.840.1.113883.2.1.4.1]'''",
    ],
)
def test_a_text_or_a_comment_may_hold_an_oid_of_any_length(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(content)
    assert Document(path).faults == []


def test_the_mark_that_editors_of_windows_write_is_no_part_of_a_setting(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"\xef\xbb\xbftitle = 'x'\r\n[b]\r\nc = 1\r\n")
    document = Document(path)
    assert (document.data, document.faults, document.line_of("b.c")) == ({"title": "x", "b": {"c": 1}}, [], 3)


@pytest.mark.parametrize(
    "change",
    [lambda text: text.encode("utf-16"), lambda text: text.encode() + b"\xff", lambda text: text.encode() + b"\0"],
)
def test_a_map_of_codes_that_is_no_text_is_refused(tmp_path: Path, change: Callable[[str], bytes]) -> None:
    path = tmp_path / "maps.csv"
    path.write_bytes(change("source_code,source_vocabulary_id,target_concept_id\n1,L,5\n"))
    with pytest.raises(Invalid, match=r"maps.csv"):
        read_code_map(path)
