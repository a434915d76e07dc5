"""No identifier of a known person gets into a release by a text."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from fairhaven.identifiers.known_identifiers import KnownIdentifiers, known_identifiers
from fairhaven.journeys.releases.identifier_screen import TellingTexts, telling_texts
from fairhaven.linkage.model import IDENTITY_SCHEMA

KEY = b"k" * 32
COLUMNS = (
    "value_as_string",
    "observation_source_value",
    "unit_source_value",
    "qualifier_source_value",
    "value_source_value",
)


def _observation(folder: Path, said: str, number: float = 0.5) -> dict[str, list[Path]]:
    values = {COLUMNS[0]: f"'{said}'"}
    columns = ", ".join(f"{values.get(name, 'NULL')}::VARCHAR AS {name}" for name in COLUMNS)
    duckdb.execute(
        f"COPY (SELECT 1 AS observation_id, 7 AS row_extract, {number}::DOUBLE AS value_as_number, {columns}) TO '{folder}/a.parquet'"
    )
    return {"observation": [folder / "a.parquet"]}


@pytest.fixture(scope="module")
def known() -> KnownIdentifiers:
    """One person."""
    record = {"source": "gp", "patient_ref": "a", "nhs_number": "999 000 0018", "given_name": "Rosalind"}
    record |= {"family_name": "Okafor", "postcode": "FH10 0AN"}
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("identity", pa.Table.from_pylist([record], schema=IDENTITY_SCHEMA))
        return known_identifiers(connection, "identity", key=KEY)


@pytest.mark.parametrize(
    "said",
    [
        *("NHS no 999 000 0018, lives alone", "x9990000018", "123999-000-0018", "0099900000181", "999.000/0018"),
        *("with Rosalind Okafor", "Mrs Okafor", "FH100AN"),
    ],
)
def test_a_text_with_a_known_identifier_is_found_with_its_column_and_extract(
    tmp_path: Path, known: KnownIdentifiers, said: str
) -> None:
    found = telling_texts(_observation(tmp_path, said), lambda: known, key=KEY)
    assert found == TellingTexts(columns=("observation.value_as_string",), extracts=frozenset({7}))


def test_a_word_of_a_closed_list_names_nobody_whatever_anybody_is_called(
    tmp_path: Path, known: KnownIdentifiers
) -> None:
    files = _observation(tmp_path, "Rosalind-Okafor")
    assert telling_texts(files, lambda: known, key=KEY).columns
    assert not telling_texts(files, lambda: known, key=KEY, listed=["rosalind-okafor"]).columns


@pytest.mark.parametrize(
    "said",
    ["1290031003", "999000001", "no number at all", "[withheld 9990000018abcdef]", "827241000000103", "Okafor"],
)
def test_other_texts_are_not(tmp_path: Path, known: KnownIdentifiers, said: str) -> None:
    assert not telling_texts(_observation(tmp_path, said), lambda: known, key=KEY).columns


def test_the_vault_is_not_asked_where_there_is_no_text(tmp_path: Path) -> None:
    def never() -> KnownIdentifiers:
        raise AssertionError("asked")

    assert not telling_texts({"observation": []}, never, key=KEY).extracts


@pytest.mark.parametrize(
    ("number", "columns"), [(9990000018, ("observation.value_as_number",)), (9990000026, ()), (1e300, ()), (0.1, ())]
)
def test_a_number_that_is_a_known_nhs_number_is_found(
    tmp_path: Path, known: KnownIdentifiers, number: float, columns: tuple[str, ...]
) -> None:
    assert telling_texts(_observation(tmp_path, "x", number), lambda: known, key=KEY).columns == columns
