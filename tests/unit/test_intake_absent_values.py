"""A word for nothing is no value, and how a partner writes text is recognised or declared."""

from pathlib import Path

import duckdb
import pytest

from fairhaven.intake import read_source
from fairhaven.kernel.toml import Document
from tests.support.intake_hub import HEADER, Hub

PARTNER = 'title = "P"\ncontroller = "p"\nkind = "cdm"\nformat = "omop"\n'
PARQUET = """title = "Q"
controller = "q"
kind = "gp"
format = "parquet"
{dialect}
[tables.events]
key = ["event_id"]
patient = "patient_id"
[tables.events.columns]
event_id = "text"
patient_id = "text"
code = "text"
"""


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return Hub(tmp_path)


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def cdm(folder: Path, *, cells: tuple[str, str, str], between: str = ",", quote: str = "") -> Path:
    """A CDM of one person and one condition; *cells* are its start, its end and its start's time."""
    folder.mkdir()
    tables = {
        "PERSON.csv": (("PERSON_ID", "GENDER_CONCEPT_ID", "YEAR_OF_BIRTH"), ("1", "8507", "1950")),
        "CONDITION_OCCURRENCE.csv": (
            ("CONDITION_OCCURRENCE_ID", "PERSON_ID", "CONDITION_CONCEPT_ID", "CONDITION_START_DATE", "CONDITION_END_DATE",
             "CONDITION_START_DATETIME", "CONDITION_SOURCE_VALUE"),
            ("21", "1", "201826", *cells, 'told "so"' if between == "\t" and not quote else "told"),
        ),
    }  # fmt: skip
    for name, lines in tables.items():
        written = (between.join(f"{quote}{cell}{quote}" for cell in line) for line in lines)
        (folder / name).write_text("\n".join(written) + "\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("cells", "between", "quote"),
    [
        (("2020-01-05", "", "2020-01-05 10:30:00"), ",", ""),
        (("2020-01-05 00:00:00.000", "NULL", "2020-01-05 10:30:00.000"), ",", ""),
        (("2020-01-05 00:00:00.0000000", "NULL", "2020-01-05T10:30:00"), ";", ""),
        (("2020-01-05T00:00:00Z", "\\N", "2020-01-05 10:30:00"), "|", ""),
        (("2020-01-05T00:30:00+01:00", "null", "2020-01-05 10:30"), "\t", '"'),
        (("20200105", "", "2020-01-05 10:30:00"), "\t", ""),
    ],
)
def test_however_a_partners_database_writes_text_it_is_the_same_rows(
    hub: Hub, tmp_path: Path, cells: tuple[str, str, str], between: str, quote: str
) -> None:
    receipt = hub.deliver(
        hub.source(PARTNER, "partner"), [cdm(tmp_path / "cdm", cells=cells, between=between, quote=quote)]
    )
    assert not hub.quarantined(), receipt
    (row,) = hub.landed(table="condition_occurrence")
    assert (str(row["condition_start_date"]), row["condition_end_date"]) == ("2020-01-05", None)
    assert str(row["condition_start_datetime"]) == "2020-01-05 10:30:00"


def test_days_that_could_be_months_are_read_as_declared_and_otherwise_quarantined(hub: Hub, tmp_path: Path) -> None:
    cells = ("05/02/2020", "", "05/02/2020 10:30")
    given = cdm(tmp_path / "cdm", cells=cells)
    hub.deliver(hub.source(PARTNER, "partner"), [given])
    assert {field for _, field, _ in hub.quarantined()} == {"condition_start_date", "condition_start_datetime"}
    told = Hub(made(tmp_path / "told"))
    (given / "death.csv").write_text("person_id,death_date\n1,02/2024\n")
    declared = '[dialect]\ndates = ["%d/%m/%Y", "%m/%Y"]\nnull = ["", "-"]'
    told.deliver(told.source(PARTNER + declared, "partner"), [given])
    (row,) = told.landed(table="condition_occurrence")
    assert (str(row["condition_start_date"]), str(row["condition_start_datetime"])) == (
        "2020-02-05",
        "2020-02-05 10:30:00",
    )
    (death,) = told.landed(table="death")
    assert [str(death[name]) for name in ("death_date", "death_date_last_day")] == ["2024-02-01", "2024-02-29"]


def test_a_word_for_nothing_in_a_column_of_texts_is_nothing_unless_the_source_says_otherwise(hub: Hub) -> None:
    lines = f"{HEADER}e1,p1,2020-01-01,1,NULL\ne2,p1,2020-01-01,\\N,null\ne3,p1,2020-01-01,1, NULL \n"
    hub.receive(hub.events(), lines)
    assert [row["code"] for row in hub.landed()] == [None, None, None]
    hub.receive(hub.events('[dialect]\nnull = [""]'), f"{HEADER}e1,p1,2020-01-01,1,NULL\n")
    assert [row["code"] for row in hub.landed(2)] == ["NULL"]


def test_a_word_for_nothing_in_parquet_is_nothing_too(hub: Hub, tmp_path: Path) -> None:
    file = tmp_path / "events.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT * FROM (VALUES ('e1', 'p1', 'NULL'), ('e2', 'p1', '\\N'), ('e3', 'p1', 'A'), ('e4', 'p1', '-'))"
            f" t(event_id, patient_id, code)) TO '{file}'"
        )
    hub.deliver(hub.source(PARQUET.format(dialect="")), [file])
    assert [row["code"] for row in hub.landed()] == [None, None, "A", "-"]
    told = Hub(made(tmp_path / "told"))
    told.deliver(told.source(PARQUET.format(dialect='[dialect]\nnull = ["-"]')), [file])
    assert [row["code"] for row in told.landed()] == ["NULL", "\\N", "A", None]


def test_what_a_dialect_cannot_say_of_a_format_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "q.toml"
    path.write_text(PARQUET.format(dialect='[dialect]\ndelimiter = ";"'))
    document = Document(path, "sources/q.toml")
    read_source(document)
    assert [(fault.line, fault.field) for fault in document.faults] == [(6, "dialect.delimiter")]
