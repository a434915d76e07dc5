"""Any bytes whatever as a delivered file: no traceback, no lost row, and both ways of reading agree."""

import datetime as dt
import tempfile
from pathlib import Path

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairhaven.intake import delimited_reader
from fairhaven.intake.reader import DeliveredFile
from fairhaven.kernel.errors import Invalid
from tests.support.examples import examples
from tests.support.intake_hub import HEADER, Hub

ALPHABET = st.sampled_from(["a", "7", ",", ",", ",", ",", '"', '"', "\n", "\n", "\r\n", " ", "\t", "é", "\\", "#", "-"])
AWKWARD = st.lists(
    st.one_of(ALPHABET.map(str.encode), st.sampled_from([b"\0", b"\r", b"\xff", b"\xc3", b"1,p,2020-01-01,3,c\n"])),
    max_size=60,
).map(b"".join)
FIELD = st.sampled_from(
    [
        "1",
        "p",
        "2020-01-01",
        "",
        "",
        '""',
        '"a"',
        '"a""b"',
        '"a\nb"',
        'a"b',
        ' "a" ',
        '"a" ',
        ' "a',
        '"a"b',
        '"',
        '" "',
        "a b",
    ]
)
RECORD = st.tuples(
    st.one_of(st.lists(FIELD, min_size=5, max_size=5), st.lists(FIELD, max_size=8)),
    st.sampled_from(["\n", "\n", "\r\n", "\n\n"]),
).map(lambda parts: ",".join(parts[0]) + parts[1])
QUIET = examples(25)


@QUIET
@given(content=st.one_of(AWKWARD, st.binary(max_size=200)), has_header=st.booleans())
def test_any_bytes_are_refused_or_every_row_is_landed_or_quarantined(content: bytes, has_header: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        hub = Hub(Path(folder))
        source = hub.events()
        try:
            receipt = hub.receive(source, HEADER.encode() + content if has_header else content)
        except Invalid:
            if has_header:
                raise
            return
        count = receipt.extracts[0].tables["events"]
        kept = count.landed + count.superseded + count.identical
        assert count.received == kept + count.quarantined
        lines = hub.lines()
        quarantined = {line for line, _, _ in hub.quarantined()}
        assert len(lines) == len(set(lines)) == kept
        assert len(quarantined) == count.quarantined
        assert not quarantined & set(lines)
        # Lines that are neither are blank, or inside a quoted value.
        accounted = quarantined | set(lines)
        for number, line in enumerate((HEADER.encode() + content).split(b"\n"), start=1):
            if line.strip() and b'"' not in content and b"\r" not in content and number > 1:
                assert number in accounted, (number, line)


@QUIET
@given(content=st.lists(RECORD, max_size=6).map("".join))
def test_the_quick_and_the_careful_reading_agree(content: str) -> None:
    """What DuckDB reads by itself, and accepts, is what the careful reader makes of the same bytes."""
    readings = []
    with tempfile.TemporaryDirectory() as folder:
        hub = Hub(Path(folder))
        source = hub.events()
        path = Path(folder) / "events.csv"
        path.write_bytes((HEADER + content).encode())
        for number, plain in enumerate((delimited_reader._Reading.plain, lambda *_: None)):
            with pytest.MonkeyPatch.context() as patch, duckdb.connect() as connection:
                patch.setattr(delimited_reader._Reading, "plain", plain)
                scratch = Path(folder) / str(number)
                scratch.mkdir()
                arrived = DeliveredFile(path=path, name=path.name)
                staged = delimited_reader.DelimitedReader().stage(connection, source, arrived, scratch=scratch)[0]
                rows = connection.execute(f"FROM {staged.rows} ORDER BY ALL").fetchall()
                rejects = connection.execute(f"SELECT row_line, field FROM {staged.rejects} ORDER BY ALL").fetchall()
                readings.append((staged.received, rows, rejects))
    assert readings[0] == readings[1]


# What a landing costs does not hang on its rows: few landings of many.
@examples(8)
@example(rows=[])
@given(
    rows=st.lists(
        st.tuples(
            st.integers(1, 9),
            st.sampled_from(["p1", "p2", "p3", ""]),
            st.one_of(
                st.dates(dt.date(1900, 1, 1), dt.date(2100, 12, 31)).map(str), st.text("0123456789-/", max_size=12)
            ),
            st.one_of(st.floats(allow_nan=True).map(repr), st.text("0123456789.eE+-x", max_size=8)),
        ),
        min_size=16,
        max_size=40,
    )
)
def test_values_land_as_python_reads_them_or_are_quarantined(rows: list[tuple[int, str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        hub = Hub(Path(folder))
        content = "".join(f"{key},{patient},{day},{number},c\n" for key, patient, day, number in rows)
        hub.receive(hub.events(), HEADER + content)
        landed = {row["row_line"]: row for row in hub.landed()}
        faulty = {(line, field) for line, field, _ in hub.quarantined()}
        for line, (_, patient, day, number) in enumerate(rows, start=2):
            assert ((line, "patient_id") in faulty) == (patient == "")
            try:
                wanted = dt.date.fromisoformat(day) if len(day) == 10 else None
            except ValueError:
                wanted = None
            if wanted is not None and dt.date(1900, 1, 1) <= wanted <= dt.date(2100, 12, 31):
                assert (line, "event_date") not in faulty
                if line in landed:
                    assert landed[line]["event_date"] == wanted
            if line in landed and number:
                assert landed[line]["value"] == float(number)
