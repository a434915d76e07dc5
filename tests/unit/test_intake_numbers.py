"""Numbers that are none, the same in every format."""

import dataclasses
import json
from pathlib import Path

import duckdb
import pytest

from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.intake.fhir.element_columns import NO_NUMBER
from fairhaven.intake.model import ColumnDeclaration, Dialect, TableDeclaration
from fairhaven.intake.type_casting import typed
from tests.support import fhir_files

GIVEN = [
    # the text, the number, the whole number; None: quarantine
    ("5", 5.0, 5),
    ("+5", 5.0, 5),
    ("5.", 5.0, 5),
    (".5", 0.5, None),
    (" 5 ", 5.0, 5),
    ("1e3", 1000.0, 1000),
    ("-0", 0.0, 0),
    ("NaN", None, None),
    ("Infinity", None, None),
    ("-inf", None, None),
    ("1e999", None, None),
    ("9" * 400, None, None),
    ("1_000", None, None),
    ("1,234.5", None, None),
    ("0x10", None, None),
    ("\u0661\u0662", None, None),
    ("--", None, None),
    ("1.5", 1.5, None),
    ("true", None, None),
    ("5 mg", None, None),
]
DECLARED = TableDeclaration(
    name="t",
    columns=(
        ColumnDeclaration(name="number", header="number", type="number"),
        ColumnDeclaration(name="whole", header="whole", type="whole"),
    ),
)


def read(values: dict[str, tuple[str, str]], relation: str, dialect: Dialect | None = None) -> tuple[object, ...]:
    [row] = duckdb.execute(
        f"SELECT number, whole, [fault.field FOR fault IN row_faults] FROM ({typed(DECLARED, values, dialect or Dialect(), relation)})"
    ).fetchall()
    return tuple(row)


@pytest.mark.parametrize(("text", "number", "whole"), GIVEN, ids=[text[:12] for text, _, _ in GIVEN])
def test_a_text_is_a_number_or_its_row_is_quarantined(text: str, number: float | None, whole: int | None) -> None:
    columns = dict.fromkeys(("number", "whole"), (f"'{text}'", "VARCHAR"))
    found = read(columns, "(SELECT 1 AS row_line)")
    wrong = [name for name, value in (("number", number), ("whole", whole)) if value is None]
    assert found == (number, whole, wrong or None)
    assert str(found[0]) != "-0.0"


@pytest.mark.parametrize(
    ("kind", "value", "number", "whole"),
    [
        ("DOUBLE", "'NaN'::DOUBLE", None, None),
        ("DOUBLE", "'inf'::DOUBLE", None, None),
        ("FLOAT", "'-inf'::FLOAT", None, None),
        ("DOUBLE", "-0.0::DOUBLE", 0.0, 0),
        ("DOUBLE", "1.5::DOUBLE", 1.5, None),
        ("DECIMAL(4,1)", "1.5::DECIMAL(4,1)", 1.5, None),
        ("DOUBLE", "9007199254740993::DOUBLE", 2.0**53, None),  # stands for its neighbour, too
        ("DOUBLE", "9007199254740991::DOUBLE", 2.0**53 - 1, 2**53 - 1),
        ("FLOAT", "16777217::FLOAT", 2.0**24, None),
        ("DECIMAL(4,1)", "2.0::DECIMAL(4,1)", 2.0, 2),
        ("BOOLEAN", "true", None, None),
        ("HUGEINT", "99999999999999999999::HUGEINT", 1e20, None),
        ("DATE", "DATE '2020-01-01'", None, None),
    ],
)
def test_a_value_of_a_parquet_file_is_too(kind: str, value: str, number: float | None, whole: int | None) -> None:
    found = read(dict.fromkeys(("number", "whole"), ("x", kind)), f"(SELECT 1 AS row_line, {value} AS x)")
    wrong = [name for name, expected in (("number", number), ("whole", whole)) if expected is None]
    assert found == (number, whole, wrong or None)
    assert str(found[0]) != "-0.0"


@pytest.mark.parametrize(
    ("kind", "given"), [("VARCHAR", "'4000.0'"), ("VARCHAR", "'4e3'"), ("DOUBLE", "4000.0::DOUBLE")]
)
def test_a_word_for_nothing_means_its_number_in_whatever_form(kind: str, given: str) -> None:
    columns = tuple(dataclasses.replace(column, null=("4000", "x")) for column in DECLARED.columns)
    query = typed(
        dataclasses.replace(DECLARED, columns=columns),
        dict.fromkeys(("number", "whole"), ("x", kind)),
        Dialect(),
        f"(SELECT 1 AS row_line, unnest([{given}, {given.replace('4', '5')}]) AS x)",
    )
    found = duckdb.execute(f"SELECT number, whole, row_faults FROM ({query})").fetchall()
    assert found == [(None, None, None), (5000.0, 5000, None)]


def test_a_day_that_means_nothing_does_so_in_each_of_its_columns_forms() -> None:
    day = ColumnDeclaration(
        name="day", header="day", type="date", formats=("%d/%m/%Y", "%d.%m.%Y"), null=("01/01/1900",)
    )
    rows = "(SELECT 1 AS row_line, unnest(['01/01/1900', '1.1.1900', '2.1.1900']) AS x)"
    query = typed(TableDeclaration(name="t", columns=(day,)), {"day": ("x", "VARCHAR")}, Dialect(), rows)
    found = duckdb.execute(f"SELECT day::VARCHAR, row_faults FROM ({query})").fetchall()
    assert found == [(None, None), (None, None), ("1900-01-02", None)]


@pytest.mark.parametrize("kind", ["DOUBLE", "FLOAT"])
def test_what_is_no_number_in_a_parquet_file_names_no_patient(kind: str) -> None:
    declared = TableDeclaration(
        name="t", columns=(ColumnDeclaration(name="who", header="who", type="text"),), patient="who"
    )
    rows = f"(SELECT 1 AS row_line, unnest(['NaN', 'inf', '-inf', '42', '7.5'])::{kind} AS x)"
    query = typed(declared, {"who": ("x", kind)}, Dialect(), rows)
    found = duckdb.execute(f"SELECT who, [fault.reason FOR fault IN row_faults] FROM ({query})").fetchall()
    assert found == [*[(None, ["is missing"])] * 3, ("42", None), ("7.5", None)]


@pytest.mark.parametrize(
    ("text", "number", "whole"),
    [
        ("1,5", 1.5, None),
        ("1.234,5", None, None),
        ("1.234", None, None),
        ("1.000", None, None),
        ("12,0", 12.0, 12),
        ("1234", 1234.0, 1234),
    ],
)
def test_where_a_comma_parts_decimals_a_point_parts_thousands_and_is_no_number(
    text: str, number: float | None, whole: int | None
) -> None:
    columns = dict.fromkeys(("number", "whole"), (f"'{text}'", "VARCHAR"))
    found = read(columns, "(SELECT 1 AS row_line)", Dialect(decimal=","))
    assert found[:2] == (number, whole)


def test_an_element_of_fhir_is_too_whether_it_is_in_quotes_or_not(tmp_path: Path) -> None:
    written = [(json.dumps(text), number) for text, number, _ in GIVEN]
    # What JSON has without quotes, and DuckDB's reader of it takes besides.
    bare = ("5", "1e3", "-0", "NaN", "Infinity", "1e999", "9" * 400, "1.5", "true", "[5]", '{"value": 5}')
    numbers = {text: number for text, number, _ in GIVEN}
    written += [(text, numbers.get(text)) for text in bare]
    lines = [
        f'{{"resourceType": "Observation", "id": "o{place}", "status": "final", "valueQuantity": {{"value": {value}}}}}'
        for place, (value, _) in enumerate([*written, ("null", None), ('" "', None)])
    ]
    path = fhir_files.written(tmp_path, "\n".join(lines) + "\n")
    with open_duckdb(spill=tmp_path, reaches=[tmp_path]) as connection:
        found = fhir_files.staged(connection, path, tmp_path / "scratch")["observation"]
        landed = dict(connection.execute(f"SELECT row_line, value_number FROM {found.rows}").fetchall())
        rejects = connection.execute(f"SELECT row_line, field, reason FROM {found.rejects} ORDER BY 1").fetchall()
    expected = dict(enumerate((number for _, number in written), start=1))
    nothing = {len(written) + 1: None, len(written) + 2: None}
    assert landed == {line: number for line, number in expected.items() if number is not None} | nothing
    assert rejects == [(line, "value_number", NO_NUMBER) for line, number in expected.items() if number is None]
