"""The FHIR reader: every line lands or is quarantined with its number and a reason."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.intake.fhir.code_systems import PREFERENCE, VOCABULARIES
from fairhaven.intake.fhir.element_columns import NO_MOMENT, steps
from fairhaven.intake.fhir.fhir_reader import (
    BROKEN,
    NO_RESOURCE,
    NUL,
    TYPELESS,
    UNDECODABLE,
    UNKNOWN,
    CompiledView,
    views_of,
)
from fairhaven.intake.fhir.ndjson_lines import parsed
from fairhaven.intake.fhir.views import VIEWS
from fairhaven.intake.model import IDENTITY, FhirVersion
from fairhaven.kernel.errors import Invalid
from tests.support import fhir_files

GOOD = '{"resourceType":"Condition","id":"c1","subject":{"reference":"Patient/p1"},"onsetDateTime":"2020-03-04"}'


@pytest.fixture
def con(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_duckdb(spill=tmp_path, reaches=[tmp_path]) as made:
        yield made


def _rows(
    con: duckdb.DuckDBPyConnection, path: Path, folder: Path
) -> tuple[dict[str, list[int]], list[tuple[int, str, str]]]:
    """Lines that land by table, and (line, field, reason) of those that do not."""
    found = fhir_files.staged(con, path, folder / "scratch")
    landed, rejected = {}, []
    for name, table in found.items():
        lines = [line for (line,) in con.execute(f"SELECT row_line FROM {table.rows} ORDER BY 1").fetchall()]
        bad = con.execute(f"SELECT row_line, field, reason FROM {table.rejects} ORDER BY 1").fetchall()
        assert table.received == len(lines) + len({line for line, *_ in bad})
        if lines:
            landed[name] = lines
        rejected += bad
    return landed, sorted(rejected)


def _cell(con: duckdb.DuckDBPyConnection, resource: dict[str, Any], column: str, folder: Path) -> Any:
    table = views_of(resource["resourceType"])[0].table
    found = fhir_files.staged(con, fhir_files.written(folder, [resource]), folder / "scratch")
    row = con.execute(f'SELECT "{column}" FROM {found[table].rows}').fetchone()
    assert row is not None
    return row[0]


def test_lines_keep_their_numbers_whatever_stands_between_them(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    lines = [
        GOOD.encode(),
        b"",
        GOOD.encode()[:-5],
        b"   \t",
        b"42",
        b'{"id":"x"}',
        b'{"resourceType":"Wizard"}',
        b'{"resourceType":"Condition","code":"\xff\xfe"}',
        GOOD.encode() + b"\r",
        b'{"resourceType":"Condition","id":"\x00"}',
        b'{"resourceType":"Condition","onsetDateTime":"soon"}',
        b'{"resourceType":"Condition","onsetDateTime":"9999-01-01"}',
        b'{"id":"late","resourceType":"Condition"}',
        b"null",
        b"[]",
        rb'{"resourceType":"Condition","code":{"text":"a\u0000b"}}',
        rb'{"resourceType":"Condition","code":{"text":"a\\u0000b"}}',
    ]
    landed, rejected = _rows(con, fhir_files.written(tmp_path, b"\n".join(lines)), tmp_path)
    assert landed == {"condition": [1, 9, 13, 17]}
    assert rejected == [
        (3, "", BROKEN),
        (5, "", TYPELESS),
        (6, "", TYPELESS),
        (7, "", UNKNOWN.format(version="R4")),
        (8, "", UNDECODABLE),
        (10, "", BROKEN),
        (11, "onset_start", NO_MOMENT),
        (12, "onset_start", NO_MOMENT),
        (14, "", TYPELESS),
        (15, "", TYPELESS),
        (16, "", NUL),
    ]


def test_a_file_may_hold_several_resource_types_and_types_without_a_view(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    resources = [
        {"resourceType": "Patient", "id": "p1"},
        json.loads(GOOD),
        {"resourceType": "CarePlan", "id": "x", "subject": {"reference": "Patient/p1"}, "title": "of Mrs Smith"},
    ]
    found = fhir_files.staged(con, fhir_files.written(tmp_path, resources), tmp_path / "scratch")
    assert set(found) == {"patient", "condition", "care_plan"}
    landed = f"SELECT * EXCLUDE (row_updated, row_version, row_withdrawn) FROM {found['care_plan'].rows}"
    assert con.execute(landed).fetchall() == [(3, "x", None, "p1", None)]


def test_gzip_is_told_by_its_bytes(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = fhir_files.written(tmp_path, gzip.compress(f"{GOOD}\n{GOOD}\n".encode()), "anything.txt")
    assert _rows(con, path, tmp_path) == ({"condition": [1, 2]}, [])


def test_a_gzip_that_is_cut_off_lands_nothing(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = fhir_files.written(tmp_path, gzip.compress(f"{GOOD}\n".encode() * 999)[:-12])
    with pytest.raises(Invalid, match="cut off"):
        _rows(con, path, tmp_path)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_a_file_without_rows_is_an_empty_table(con: duckdb.DuckDBPyConnection, tmp_path: Path, content: bytes) -> None:
    assert _rows(con, fhir_files.written(tmp_path, content), tmp_path) == ({}, [])


@pytest.mark.parametrize(
    "text", ['<?xml version="1.0"?>\n<Patient/>', "\ufeff\n <!DOCTYPE html>", '<Bundle xmlns="http://hl7.org/fhir"/>']
)
def test_xml_and_html_are_refused_in_words(con: duckdb.DuckDBPyConnection, tmp_path: Path, text: str) -> None:
    path = tmp_path / "export.ndjson"
    path.write_text(text)
    with pytest.raises(Invalid, match="is XML or HTML"):
        fhir_files.staged(con, path, tmp_path / "scratch")


def test_a_byte_order_mark_is_no_part_of_the_first_line(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    assert _rows(con, fhir_files.written(tmp_path, b"\xef\xbb\xbf" + GOOD.encode()), tmp_path) == (
        {"condition": [1]},
        [],
    )


def test_a_field_of_ten_megabytes_is_read(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    document = {"resourceType": "DocumentReference", "id": "d", "content": [{"attachment": {"data": "A" * 10_000_000}}]}
    path = fhir_files.written(tmp_path, [document, {"resourceType": "Condition", "id": "c"}])
    assert _rows(con, path, tmp_path) == ({"condition": [2], "document_reference": [1]}, [])


BUNDLE = {
    "resourceType": "Bundle",
    "type": "transaction",
    "entry": [
        {"fullUrl": "urn:uuid:aa", "resource": {"resourceType": "Patient", "id": "p9"}},
        {"fullUrl": "urn:uuid:bb", "resource": {"resourceType": "Condition", "subject": {"reference": "urn:uuid:aa"}}},
        {"request": {"method": "DELETE"}},
        {"fullUrl": "urn:uuid:cc", "resource": {"resourceType": "Encounter", "subject": {"reference": "urn:uuid:aa"}}},
    ],
}


@pytest.mark.parametrize("indent", [None, 2])
def test_a_bundle_is_its_resources(con: duckdb.DuckDBPyConnection, tmp_path: Path, indent: int | None) -> None:
    found = fhir_files.staged(
        con, fhir_files.written(tmp_path, json.dumps(BUNDLE, indent=indent)), tmp_path / "scratch"
    )
    assert con.execute(f"SELECT row_line, id, patient_id FROM {found['condition'].rows}").fetchall() == [
        (2, "bb", "p9")
    ]
    assert con.execute(f"SELECT row_line, id, patient_id FROM {found['encounter'].rows}").fetchall() == [
        (4, "cc", "p9")
    ]


def test_lines_that_are_bundles_are_numbered_by_line_and_entry(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = fhir_files.written(tmp_path, f"{GOOD}\n{json.dumps(BUNDLE)}\n")
    landed, rejected = _rows(con, path, tmp_path)
    assert landed == {"condition": [1, 2_000_002], "patient": [2_000_001], "encounter": [2_000_004]}
    assert rejected == [(2_000_003, "", NO_RESOURCE)]


def test_a_single_resource_over_several_lines_is_read(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = fhir_files.written(tmp_path, json.dumps(json.loads(GOOD), indent=1))
    assert _rows(con, path, tmp_path) == ({"condition": [1]}, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-03-04T23:30:00-05:00", "2020-03-04 23:30:00"),
        ("2020-03-04T23:30:00.123456Z", "2020-03-04 23:30:00"),
        ("2020-03-04", "2020-03-04 00:00:00"),
        ("2020-03", "2020-03-01 00:00:00"),
        ("2020", "2020-01-01 00:00:00"),
        (None, "None"),
    ],
)
def test_a_moment_is_the_wall_clock_as_written(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, text: str | None, expected: str
) -> None:
    assert str(_cell(con, {"resourceType": "Condition", "onsetDateTime": text}, "onset_start", tmp_path)) == expected


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ({"reference": "Patient/7"}, "7"),
        ({"reference": "Patient/7/_history/2"}, "7"),
        ({"reference": "https://x.example/fhir/Patient/7"}, "7"),
        ({"reference": "https://x.example/fhir/Patient/7/_history/2"}, "7"),
        ({"reference": "urn:uuid:7-7"}, "7-7"),
        ({"reference": "#7"}, None),
        ({"reference": "Group/7"}, None),
        ({"display": "Mrs Smith"}, None),
    ],
)
def test_a_reference_is_the_id_it_ends_in(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, reference: dict[str, str], expected: str | None
) -> None:
    assert _cell(con, {"resourceType": "Condition", "subject": reference}, "patient_id", tmp_path) == expected


def test_a_search_and_an_identifier_name_the_same(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    identifier = {"system": "https://x.example/mrn", "value": "7"}
    searched = _cell(
        con,
        {"resourceType": "Condition", "subject": {"reference": "Patient?identifier=https://x.example/mrn|7"}},
        "patient_id",
        tmp_path,
    )
    with open_duckdb(spill=tmp_path, reaches=[tmp_path]) as other:
        named = _cell(
            other, {"resourceType": "Condition", "subject": {"identifier": identifier}}, "patient_id", tmp_path
        )
    assert searched == named
    assert searched.startswith("identifier-")


def test_of_a_key_that_stands_twice_the_first_counts_wherever_the_line_is_read(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    twice = GOOD.replace('"id":"c1"', '"id":"c1","id":"c2"').replace(
        '{"reference":"Patient/p1"}',
        '{"reference":"Patient/p1","reference":"Patient/p2"},"subject":{"reference":"Patient/p3"}',
    )
    bundle = f'{{"resourceType":"Bundle","type":"collection","entry":[{{"resource":{twice}}}],"entry":[]}}'
    path = fhir_files.written(tmp_path, f"{twice}\n{bundle}\n")
    found = fhir_files.staged(con, path, tmp_path / "scratch")["condition"]
    rows = con.execute(f"SELECT id, patient_id FROM {found.rows} ORDER BY row_line").fetchall()
    assert rows == [("c1", "p1"), ("c1", "p1")]
    assert parsed(twice) == json.loads(GOOD)


def test_an_element_of_another_shape_does_not_lose_the_row(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    odd = {
        "resourceType": "Condition",
        "id": "c",
        "code": "44054006",
        "category": {"coding": []},
        "subject": ["Patient/1"],
    }
    assert _rows(con, fhir_files.written(tmp_path, [odd]), tmp_path) == ({"condition": [1]}, [])


def test_the_identity_of_a_patient_goes_to_the_vault_and_does_not_land(tmp_path: Path) -> None:
    patient = {
        "resourceType": "Patient",
        "id": "p-secret",
        "identifier": [
            {"system": "https://x.example/mrn", "value": "MRN-SECRET"},
            {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"},
        ],
        "name": [
            {"use": "nickname", "given": ["Bo"]},
            {"use": "official", "family": "Secret", "given": ["Roberta", "May"]},
        ],
        "telecom": [{"value": "07700 900000"}],
        "gender": "female",
        "birthDate": "1970-05-06",
        "address": [{"use": "home", "line": ["1 Secret Street"], "city": "Secretown", "postalCode": "LS2 9JT"}],
        "text": {"div": "<div>Roberta Secret</div>"},
        "contact": [{"name": {"text": "Mr Secret"}}],
    }
    found = fhir_files.landed(fhir_files.written(tmp_path, [patient]), tmp_path / "hub")
    (identity,) = found.identities.to_pylist()
    assert {name: str(identity[name]) for name in IDENTITY} == {
        "nhs_number": "9990000018",
        "given_name": "Roberta May",
        "family_name": "Secret",
        "birth_date": "1970-05-06",
        "sex": "female",
        "postcode": "LS2 9JT",
        "address": "1 Secret Street",
        "ethnicity": "None",
        "source_links": "None",
    }
    with duckdb.connect() as con:
        path = tmp_path / "hub" / "landed" / "patient.parquet"
        landed = repr(con.execute("FROM read_parquet(?)", [str(path)]).fetchall()).lower()
    for secret in ("secret", "roberta", "9990000018", "9jt", "07700"):
        assert secret not in landed


def test_every_path_of_every_view_can_be_read() -> None:
    for views in VIEWS.values():
        for view in views:
            assert len({column.name for column in view.columns} | {"position"}) >= 2
            for column in view.columns:
                for path in column.path.split(" | "):
                    assert steps(path.removeprefix("$"))


def test_every_code_system_has_one_vocabulary_and_a_rank() -> None:
    assert set(VOCABULARIES.values()) == set(PREFERENCE)
    assert all(not uri.endswith("/") for uri in VOCABULARIES)


@pytest.mark.parametrize("resource", VIEWS)
def test_what_references_name_is_written_once_for_a_table_however_many_it_has(resource: str) -> None:
    """DuckDB binds a macro anew wherever it stands: of a dozen references that took half a second for each table of a file."""
    for view in VIEWS[resource]:
        # The links of a patient are a list of their own.
        assert CompiledView(view).select("(lines)", FhirVersion.R4).count("fhir_key(") <= (
            2 if resource == "Patient" else 1
        )
