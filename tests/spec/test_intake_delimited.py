"""What becomes of delimited text, line by line. Doubles as the manual of the reader."""

import gzip
from dataclasses import dataclass
from pathlib import Path

import pytest

from fairhaven.kernel.errors import Invalid
from tests.support.intake_hub import HEADER, Hub

GOOD = "1,p1,2020-01-01,5,c\n"

LINES = [
    # what the line is, the line(s) after a good line 2, lines landed, (line, field, reason) quarantined
    ("a short row", "2,p2\n3,p3,2020-01-01,,\n", [2, 4], [(3, "", "has 2 fields where the header has 5")]),
    (
        "a long row",
        "2,p2,2020-01-01,,,x\n3,p3,2020-01-01,,\n",
        [2, 4],
        [(3, "", "has 6 fields where the header has 5")],
    ),
    ("delimiters at the end", "2,p2,2020-01-01,,,,\n3,p3,2020-01-01,,\n", [2, 3, 4], []),
    (
        "the same beside a short row",
        "2,p2,2020-01-01,,,,\n3\n",
        [2, 3],
        [(4, "", "has 1 fields where the header has 5")],
    ),
    ("spaces around quotes", '2, "p2" ,2020-01-01,,\n3\n', [2, 3], [(4, "", "has 1 fields where the header has 5")]),
    ("text as number", "2,p2,2020-01-01,abc,\n", [2], [(3, "value", "is not a number")]),
    ("infinity as number", "2,p2,2020-01-01,inf,\n", [2], [(3, "value", "is not a number")]),
    ("no such day", "2,p2,2020-02-30,,\n", [2], [(3, "event_date", "is not a date in a declared form")]),
    ("text behind a date", "2,p2,2020-02-03x,,\n", [2], [(3, "event_date", "is not a date in a declared form")]),
    ("absurd year", "2,p2,0202-01-01,,\n", [2], [(3, "event_date", "is not between 1900-01-01 and 2100-12-31")]),
    ("far future", "2,p2,9999-12-31,,\n", [2], [(3, "event_date", "is not between 1900-01-01 and 2100-12-31")]),
    ("second form of date", "2,p2,03/02/2020,,\n", [2, 3], []),
    ("required value missing", "2,p2,,,\n", [2], [(3, "event_date", "is missing")]),
    ("no patient", "2,,2020-01-01,,\n", [2], [(3, "patient_id", "is missing")]),
    ("no key", ",p2,2020-01-01,,\n", [2], [(3, "event_id", "is missing")]),
    (
        "two faults",
        "2,p2,x,y,\n",
        [2],
        [(3, "event_date", "is not a date in a declared form"), (3, "value", "is not a number")],
    ),
    ("quoted newline", '2,p2,2020-01-01,,"a\nb"\n3,p3,2020-01-01,,\n', [2, 3, 5], []),
    ("quote within quotes", '2,p2,2020-01-01,,"say ""x"""\n3,p3,2020-01-01,,\n', [2, 3, 4], []),
    ("inch sign", '2,p2,2020-01-01,,12" dressing\n3,p3,2020-01-01,,\n', [2, 3, 4], []),
    (
        "text behind quote",
        '2,"p2"x,2020-01-01,,\n3,p3,2020-01-01,,\n',
        [2, 4],
        [(3, "", "has text behind a closing quote")],
    ),
    (
        "quote never closed",
        '2,"p2,2020-01-01,,\n3,p3,2020-01-01,,\n',
        [2, 4],
        [(3, "", "has a quote that is never closed")],
    ),
    ("NUL byte", "2,p\0,2020-01-01,,\n3,p3,2020-01-01,,\n", [2, 4], [(3, "", "holds a NUL byte")]),
    ("blank line", "\n  \n3,p3,2020-01-01,,\n", [2, 5], []),
    ("no newline at the end", "2,p2,2020-01-01,,", [2, 3], []),
    ("spaces around", " 2 , p2 , 2020-01-01 , 3 , c \n", [2, 3], []),
]


@dataclass(frozen=True, kw_only=True)
class Landed:
    """What became of one file of lines."""

    lines: list[object]
    quarantined: list[tuple[object, ...]]
    received: int


@pytest.fixture(scope="module", params=["\n", "\r\n"], ids=["LF", "CRLF"])
def landed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Landed]:
    """All of them, each a file of its own, in one delivery."""
    hub = Hub(tmp_path_factory.mktemp("lines"))
    files = []
    for number, (_, lines, _, _) in enumerate(LINES):
        files.append(hub.folder / f"events{number:02d}.csv")
        files[-1].write_bytes((HEADER + GOOD + lines).replace("\n", request.param).encode())
    receipt = hub.deliver(hub.events(), files)
    faults = hub.intake.quarantine().to_pylist()
    return {
        what: Landed(
            lines=hub.lines(extract.number),
            quarantined=[
                (row["row_line"], row["field"], row["reason"]) for row in faults if row["row_extract"] == extract.number
            ],
            received=extract.tables["events"].received,
        )
        for (what, *_), extract in zip(LINES, receipt.extracts, strict=True)
    }


@pytest.mark.parametrize(("what", "lines", "landing", "quarantined"), LINES, ids=[line[0] for line in LINES])
def test_each_line_lands_or_is_quarantined_with_its_reason(
    landed: dict[str, Landed], what: str, lines: str, landing: list[int], quarantined: list[tuple[int, str, str]]
) -> None:
    found = landed[what]
    assert found.lines == landing
    assert found.quarantined == quarantined
    assert found.received == len(landing) + len({line for line, _, _ in quarantined})


def test_old_macintosh_line_ends_are_lines(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.receive(hub.events(), (HEADER + GOOD + "2,p2\n3,p3,2020-01-01,,\n").replace("\n", "\r"))
    assert hub.lines() == [2, 4]


@pytest.mark.parametrize("quoting", ["", 'dialect.quote = ""\n'], ids=["quoted", "no quoting"])
def test_a_carriage_return_within_a_value_ends_no_line(tmp_path: Path, quoting: str) -> None:
    hub = Hub(tmp_path)
    code = "c\rd" if quoting else '"c\rd"'
    hub.receive(
        hub.events(quoting), HEADER + f"1,p1,2020-01-01,,{code}\n\r2,p2,2020-01-01,,c\n3,p3,2020-01-01,,c\r\r\n"
    )
    assert [row["code"] for row in hub.landed()] == ["c\rd", "c", "c\r"]
    assert not hub.quarantined()


def test_bytes_that_are_not_in_the_encoding_reject_their_line_only(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.receive(hub.events(), (HEADER + GOOD).encode() + b"2,p2,2020-01-01,,caf\xe9\n3,p3,2020-01-01,,caf\xc3\xa9\n")
    assert hub.lines() == [2, 4]
    assert hub.landed()[1]["code"] == "café"
    assert hub.quarantined() == [(3, "", "is not valid utf-8")]


@pytest.mark.parametrize("encoding", ["windows-1252", "latin-1", "utf-16"])
def test_declared_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    hub = Hub(tmp_path)
    source = hub.events(f'[dialect]\nencoding = "{encoding}"')
    python = "cp1252" if encoding == "windows-1252" else encoding
    hub.receive(source, (HEADER + GOOD + "2,p2,2020-01-01,,café £5\n").encode(python))
    assert hub.landed()[1]["code"] == "café £5"


def test_an_undefined_byte_of_windows_1252_rejects_its_line_only(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    source = hub.events('[dialect]\nencoding = "windows-1252"')
    hub.receive(source, (HEADER + GOOD).encode() + b"2,p2,2020-01-01,,\x81\n3,p3,2020-01-01,,\x80\n")
    assert hub.lines() == [2, 4]
    assert hub.quarantined() == [(3, "", "is not valid windows-1252")]


def test_half_a_character_at_the_end_of_utf_16_rejects_that_line_only(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    source = hub.events('[dialect]\nencoding = "utf-16"')
    hub.receive(source, (HEADER + GOOD + "2,p2,2020-01-01,,c").encode("utf-16")[:-1])
    assert hub.lines() == [2]


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.receive(hub.events(), b"\xef\xbb\xbf" + (HEADER + GOOD).encode())
    assert hub.lines() == [2]


def test_headers_are_told_in_any_case_with_spaces_and_quotes(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.receive(hub.events(), ' EVENT_ID ,"Patient_Id",event_DATE, Value,CODE\n' + GOOD)
    assert hub.lines() == [2]


def test_columns_outside_the_agreement_are_dropped_and_said(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    receipt = hub.receive(hub.events(), "surname," + HEADER + "Smith," + GOOD)
    count = receipt.extracts[0].tables["events"]
    assert count.dropped == ("surname",)
    assert count.missing == ("status", "nhs_number", "postcode", "born")
    assert "surname" not in hub.landed()[0]


def test_gzip_is_told_by_content(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.receive(hub.events(), gzip.compress((HEADER + GOOD).encode()) + gzip.compress(b"2,p2,2020-01-01,,\n"))
    assert hub.lines() == [2, 3]


def test_a_field_of_ten_megabytes_is_a_field(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.receive(hub.events(), HEADER + GOOD + f"2,p2,2020-01-01,,{'x' * 10_000_000}\n3,p3,2020-01-01,,\n")
    assert hub.lines() == [2, 3, 4]
    assert len(str(hub.landed()[1]["code"])) == 10_000_000


def test_a_header_alone_lands_no_rows(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    receipt = hub.receive(hub.events(), HEADER)
    assert receipt.extracts[0].tables["events"].received == 0


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", ["is empty"]),
        (gzip.compress((HEADER + GOOD * 1000).encode(), mtime=0)[:-9], ["cut off", "Deliver the file again"]),
        (gzip.compress((HEADER + GOOD).encode(), mtime=0)[:12], ["cut off"]),
        (b"\x1f\x8b nonsense", ["cut off or damaged"]),
        (b"PK\x03\x04rest", ["is a zip archive"]),
        (b"event_id,value\n1,2\n", ["patient_id is missing", "event_date is missing", "code is missing"]),
        ((HEADER.strip() + ",Code\n" + GOOD).encode(), ["code is there more than once"]),
        (b"event_id;patient_id;event_date;value;code\n", ["one column only"]),
        (b"\0\0\0\0", ["no header can be read"]),
        (b"\xff\xfe\x00", ["begins with the mark of UTF-16"]),
    ],
)
def test_a_file_that_cannot_be_landed_is_refused_with_all_faults_and_nothing_lands(
    tmp_path: Path, content: bytes, expected: list[str]
) -> None:
    hub = Hub(tmp_path)
    with pytest.raises(Invalid) as refused:
        hub.receive(hub.events(), content)
    assert all(words in str(refused.value) for words in expected), str(refused.value)
    assert hub.intake.deliveries() == []
    assert list((hub.store / "landing").glob("*")) == []
    assert list((hub.store / "received").glob("*")) == []
    assert hub.vault.by_extract == {}


def test_a_file_without_header_does_not_show_its_first_row(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    with pytest.raises(Invalid) as refused:
        hub.receive(hub.events(), "17,SECRET,2020-01-01,5,c\n")
    assert "SECRET" not in str(refused.value)


def test_decimal_commas_and_words_for_nothing_are_as_declared(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    source = hub.events('[dialect]\ndelimiter = ";"\ndecimal = ","\nnull = ["", "NULL", "-"]')
    hub.receive(source, HEADER.replace(",", ";") + "1;p1;2020-01-01;5,25;NULL\n2;p1;2020-01-01; - ;-\n")
    assert [(row["value"], row["code"]) for row in hub.landed()] == [(5.25, None), (None, None)]


def test_a_file_whose_name_is_a_pattern_is_read_as_it_is_named(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.receive(hub.events(), HEADER + GOOD, name="events[1]*.csv")
    assert hub.lines() == [2]


def test_a_year_of_two_digits_is_the_last_that_is_not_after_latest(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    form = 'seen = { type = "date", formats = ["%d-%m-%Y", "%d-%m-%y"], latest = "2026-12-31" }'
    rows = ["31-12-26", "01-01-27", "29-02-48", "03-02-61", "19-11-99", "05-01-1961", "05-01-2061"]
    lines = "".join(f"{number},p,2020-01-01,,,{day}\n" for number, day in enumerate(rows))
    hub.receive(hub.events(more=form), HEADER.strip() + ",seen\n" + lines)
    assert [str(row["seen"]) for row in hub.landed()] == [
        "2026-12-31", "1927-01-01", "1948-02-29", "1961-02-03", "1999-11-19", "1961-01-05",
    ]  # fmt: skip


def test_utf_8_with_its_mark_is_not_taken_for_windows_1252(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    source = hub.events('[dialect]\nencoding = "windows-1252"\n')
    with pytest.raises(Invalid, match="begins with the mark of UTF-8, and its source is read as windows-1252"):
        hub.receive(source, (HEADER + GOOD).encode("utf-8-sig"))
