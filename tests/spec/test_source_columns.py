"""What a source says of its columns: what means nothing, what becomes of a value that does not fit, columns that are numbered."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairhaven.cli import delivery_text
from fairhaven.intake import read_source
from fairhaven.kernel.toml import Document
from tests.support.intake_hub import Hub

SOURCE = """
title = "Hospital"
controller = "riverside"
kind = "hospital"
format = "FORMAT"
DIALECT
[tables.visits]
files = ["*"]
key = ["id"]
patient = "patient"
[tables.visits.columns]
id = "text"
patient = "text"
day = { type = "date", formats = ["%d/%m/%Y"], null = ["01/01/1801", "01/01/1582"] }
left = { type = "time", formats = ["%H%M"], null = ["4000"], misfit = "empty" }
age = { type = "whole", null = ["999"], misfit = "empty" }
dose = { type = "number", misfit = "empty", null = ["-1"] }
seen = { type = "date", formats = ["%Y-%m-%d"], misfit = "empty", earliest = "2000-01-01" }
alive = { type = "yes-no", null = ["9"] }
"diag_{01..03}" = { type = "text", from = "DIAG_{1..3}", null = ["-"], optional = true }
"""


def source(form: str = "delimited", dialect: str = "") -> str:
    return SOURCE.replace("FORMAT", form).replace("DIALECT", dialect)


HEADER = "id,patient,day,left,age,dose,seen,alive,DIAG_1,DIAG_2,DIAG_3\n"
ROWS = HEADER + (
    "1,p1,02/03/2020,0930,44,1.5,2020-01-02,1,E11,-,I10\n"
    "2,p1,01/01/1801,4000,999,-1,,9,-,-,-\n"  # nothing that is unknown
    "3,p1,,2561,x,1 mg,1999-12-31,1,4000,999,9\n"  # what does not fit is empty; another column's words are values
    "4,p1,30/02/2020,,,,,maybe,,,\n"  # where nothing is said, what does not fit takes its row
)


def test_words_for_nothing_are_a_columns_own_and_a_misfit_leaves_its_place_empty_where_that_is_said(
    tmp_path: Path,
) -> None:
    hub = Hub(tmp_path)
    receipt = hub.receive(hub.source(source()), ROWS)
    first, second, third = hub.landed(table="visits")
    assert str(first["day"]) == "2020-03-02" and first["left"] == "09:30:00" and first["age"] == 44
    assert [second[name] for name in ("day", "left", "age", "dose", "seen", "alive", "diag_01")] == [None] * 7
    assert [third[name] for name in ("left", "age", "dose", "seen")] == [None] * 4
    assert [third[f"diag_0{n}"] for n in (1, 2, 3)] == ["4000", "999", "9"]
    assert hub.quarantined() == [(5, "alive", "is not yes or no"), (5, "day", "is not a date in a declared form")]
    count = receipt.extracts[0].tables["visits"]
    assert (count.received, count.landed, count.quarantined) == (4, 3, 1)
    assert count.emptied == {"left": 1, "age": 1, "dose": 1, "seen": 1}  # 4000 and 999 are told apart from 2561 and x
    said = "\n".join(delivery_text.receipt(receipt))
    assert (
        "made empty, because the value did not fit: left of 1 rows, age of 1 rows, dose of 1 rows, seen of 1 rows"
        in said
    )
    assert (
        'read as delimited: utf-8, fields parted by commas and quoted by "; no value: nothing, NULL, null, \\N' in said
    )
    assert "moments of UTC in Europe/London" in said


def test_typed_columns_of_parquet_have_words_for_nothing_too(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    dates = pa.array(["2020-03-02", "1801-01-01"]).cast(pa.timestamp("ms"))
    table = {"id": ["1", "2"], "patient": ["p1"] * 2, "day": dates, "left": ["0930", "4000"], "age": [44, 999]}
    table |= {"dose": [1.5, -1.0], "seen": ["2020-01-02", "x"], "alive": ["1", "9"], "DIAG_1": ["E11", "-"]}
    out = pa.BufferOutputStream()
    pq.write_table(pa.table(table), out)
    text = source("parquet").replace("01/01/1801", "1801-01-01")
    receipt = hub.receive(hub.source(text), bytes(out.getvalue()), "visits.parquet")
    first, second = hub.landed(table="visits")
    assert first["age"] == 44 and str(first["day"]) == "2020-03-02" and first["diag_01"] == "E11"
    assert [second[name] for name in ("day", "left", "age", "dose", "seen", "alive", "diag_01")] == [None] * 7
    assert receipt.extracts[0].tables["visits"].emptied == {"seen": 1}
    assert receipt.extracts[0].tables["visits"].missing == ("DIAG_2", "DIAG_3")
    assert "read as parquet: no value: nothing, NULL" in "\n".join(delivery_text.receipt(receipt))


def test_a_text_of_parquet_with_a_nul_byte_is_in_quarantine_as_of_delimited_text(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    table = {name: pa.nulls(2, pa.string()) for name in ("day", "left", "age", "dose", "seen", "alive")}
    table |= {"id": pa.array(["1", "2"]), "patient": pa.array(["p1"] * 2), "DIAG_1": pa.array(["E\0", "E11"])}
    out = pa.BufferOutputStream()
    pq.write_table(pa.table(table), out)
    hub.receive(hub.source(source("parquet")), bytes(out.getvalue()), "visits.parquet")
    assert [row["diag_01"] for row in hub.landed(table="visits")] == ["E11"]
    assert hub.quarantined() == [(1, "diag_01", "holds a NUL byte")]


def test_a_date_of_a_month_or_a_year_lands_with_its_last_day_beside_it(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    text = source().replace('["%d/%m/%Y"], null', '["%d/%m/%Y", "%m/%Y", "%b %Y", "%Y"], null')
    written = ["02/03/2020", "02/2024", "Jan 2021", "2020", "", "01/01/1801", "13/2020"]
    rows = "".join(f"{number},p1,{day},,,,,,,,\n" for number, day in enumerate(written))
    hub.receive(hub.source(text), HEADER + rows)
    days = [tuple(str(row[name]) for name in ("day", "day_last_day")) for row in hub.landed(table="visits")]
    assert days[:2] == [("2020-03-02", "2020-03-02"), ("2024-02-01", "2024-02-29")]
    assert days[2:] == [("2021-01-01", "2021-01-31"), ("2020-01-01", "2020-12-31"), ("None", "None"), ("None", "None")]
    assert hub.quarantined() == [(8, "day", "is not a date in a declared form")]
    table = {name: ["1"] for name in ("id", "patient", "left", "age", "dose", "alive")} | {"seen": ["2020-01-02"]}
    out = pa.BufferOutputStream()
    pq.write_table(pa.table(table | {"day": ["02/2024"]}), out)
    receipt = hub.receive(hub.source(text.replace('"delimited"', '"parquet"')), bytes(out.getvalue()), "visits.parquet")
    [row] = hub.landed(2, table="visits")
    assert str(row["day_last_day"]) == "2024-02-29"
    assert receipt.extracts[0].tables["visits"].missing == ("DIAG_1", "DIAG_2", "DIAG_3")
    said = faults(tmp_path, text.replace("alive =", 'day_last_day = "date"\nalive ='))
    assert "lands its last day as day_last_day, which another line declares" in said


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_where_fields_are_never_quoted_a_quote_is_a_character_like_others(tmp_path: Path, end: str) -> None:
    hub = Hub(tmp_path)
    rows = HEADER.replace(",", "|") + '1|p1||||||1|12" dressing|"half|a "b" c\n2|p1||||||1|x|y|"\n'
    hub.receive(hub.source(source(dialect='[dialect]\nquote = ""\ndelimiter = "|"')), rows.replace("\n", end))
    first, second = hub.landed(table="visits")
    assert [first[f"diag_0{n}"] for n in (1, 2, 3)] == ['12" dressing', '"half', 'a "b" c']
    assert second["diag_03"] == '"'
    assert hub.quarantined() == []


def faults(folder: Path, text: str) -> str:
    path = folder / "h.toml"
    path.write_text(text)
    document = Document(path, "sources/h.toml")
    assert read_source(document) is None
    return "\n".join(map(str, document.faults))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ('id = "text"', 'id = { type = "whole", misfit = "empty" }'),
            "misfit: does not go with a column that says which row it is",
        ),
        (('patient = "text"', 'patient = { type = "whole", misfit = "empty" }'), "which row it is or whose"),
        (('misfit = "empty" }', 'misfit = "empty", required = true }'), "does not go with required"),
        (('type = "text", from', 'misfit = "empty", type = "text", from'), "does not go with type text"),
        (('misfit = "empty" }', 'misfit = "null" }'), "misfit: is not one of quarantine, empty"),
        (("DIAG_{1..3}", "DIAG_{1..4}"), "would land 4 columns of the file under 3 names"),
        (("diag_{01..03}", "diag"), "would land 3 columns of the file under 1 names"),
        (("diag_{01..03}", "diag_{03..01}"), "the range must rise"),
        (("DIAG_{1..3}", "DIAG_{1..9999}"), "the range must rise, and be below a thousand columns"),
        (("alive = {", 'diag_02 = "text"\nalive = {'), "declares diag_02, which another line declares too"),
    ],
)
def test_what_cannot_be_meant_of_a_column_is_a_fault_with_its_line(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    assert change[0] in source()
    found = faults(tmp_path, source().replace(change[0], change[1], 1))
    assert said in found
    assert all(fault.startswith("sources/h.toml:") for fault in found.splitlines())
