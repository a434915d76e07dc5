"""A CDM that somebody else made is opened as it is, and nothing of it is changed."""

import gzip
import tempfile
import zipfile
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairhaven.kernel.errors import Invalid
from fairhaven.omop.external_cdm import open_cdm
from fairhaven.quality import CheckStatus, check
from tests.support.quality_cdm import TODAY

PERSON = "PERSON_ID,GENDER_CONCEPT_ID,YEAR_OF_BIRTH,RACE_CONCEPT_ID,ETHNICITY_CONCEPT_ID,BIRTH_DATETIME\n"
VISIT = (
    "visit_occurrence_id\tperson_id\tvisit_concept_id\tvisit_start_date\tvisit_end_date\tadmitting_source_concept_id\n"
)


def csv_folder(path: Path, *, visit: str = "1\t7\t9201\t20200101\t20200103\t0\n", person: str = "7,8507,1980,0,0,\n") -> Path:  # fmt: skip
    path.mkdir()
    (path / "PERSON.csv").write_text(PERSON + person)
    (path / "visit_occurrence.csv").write_text(VISIT + visit)
    return path


def test_a_folder_of_csv_gets_the_types_of_the_cdm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "work"))
    with open_cdm(csv_folder(tmp_path / "cdm")) as opened:
        visit = opened.tables["visit_occurrence"]
        assert set(opened.tables) == {"person", "visit_occurrence"}
        assert visit["visit_start_date"].type().is_date()
        assert visit["admitting_source_concept_id"].type().is_integer()
        assert opened.engine.fetch(visit).to_pylist()[0]["visit_end_date"].isoformat() == "2020-01-03"
    assert not list((tmp_path / "work").iterdir())


def test_values_that_do_not_fit_are_found_by_the_checks_and_stop_nothing(tmp_path: Path) -> None:
    folder = csv_folder(
        tmp_path / "cdm", person="7,8507,nineteen,0,0,\n8,1.5,1990,0,0,\n", visit="1\t7\t9201\t20201301\t20200103\t0\n"
    )
    with open_cdm(folder) as opened:
        report = check(opened.tables, engine=opened.engine, today=TODAY)

    found = {result.check.id: result for result in report.results}
    assert found["field_cdmdatatype_person_year_of_birth"].violated == 1
    assert found["field_cdmdatatype_person_gender_concept_id"].violated == 1
    assert found["field_isrequired_visit_occurrence_visit_start_date"].violated == 1
    reasons = {result.reason for result in report.results if result.status is CheckStatus.ERROR}
    assert all(reason.endswith("does not exist.") for reason in reasons)


def test_a_duckdb_file_is_read_from_any_schema_and_left_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "cdm.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE SCHEMA omop")
        connection.execute("CREATE TABLE omop.PERSON AS SELECT 7 AS Person_Id, 8507 AS gender_concept_id")
    before = file.read_bytes()
    with open_cdm(file) as opened:
        assert opened.tables["person"].columns == ("person_id", "gender_concept_id")
        report = check(opened.tables, engine=opened.engine, today=TODAY)

    assert file.read_bytes() == before
    missing = [r.check.table for r in report.results if r.check.kind == "cdmTable" and r.status is CheckStatus.FAILED]
    assert "visit_occurrence" in missing and "person" not in missing


def test_what_is_no_cdm_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("hello")
    for path, words in (
        (tmp_path / "empty", "no PERSON table"),
        (tmp_path / "notes.txt", "neither a DuckDB database nor a folder"),
        (tmp_path / "nowhere", "no such file"),
    ):
        with pytest.raises(Invalid, match=words), open_cdm(path):
            pass


def test_broken_lines_are_said_with_file_and_line_and_without_their_content(tmp_path: Path) -> None:
    folder = csv_folder(tmp_path / "cdm", visit="1\t7\t9201\t20200101\t20200103\t0\n2\tSECRET\n")
    with pytest.raises(Invalid) as refused, open_cdm(folder):
        pass
    assert "visit_occurrence.csv:3" in str(refused.value)
    assert "SECRET" not in str(refused.value)


@pytest.mark.parametrize("form", ["zip without its ending", "parquet as csv", "gzip as csv"])
def test_what_a_file_is_its_content_tells_and_not_its_name(tmp_path: Path, form: str) -> None:
    folder = csv_folder(tmp_path / "[cdm]")
    path = folder
    if form == "zip without its ending":
        path = tmp_path / "delivered"
        with zipfile.ZipFile(path, "w") as archive:
            for file in folder.iterdir():
                archive.write(file, f"cdm/{file.name}")
    elif form == "parquet as csv":
        rows = pa.table({"person_id": [7], "gender_concept_id": [8507]})
        (folder / "PERSON.csv").unlink()
        pq.write_table(rows, folder / "person.csv")
    else:
        (folder / "PERSON.csv").write_bytes(gzip.compress((folder / "PERSON.csv").read_bytes()))
    with open_cdm(path) as opened:
        assert opened.engine.fetch(opened.tables["person"])["person_id"].to_pylist() == [7]


@pytest.mark.parametrize("is_zip", [False, True])
def test_several_parquet_files_in_a_folder_called_after_the_table_are_one_table(tmp_path: Path, is_zip: bool) -> None:
    path = tmp_path / "cdm"
    (path / "PERSON").mkdir(parents=True)
    for number in (7, 8):
        pq.write_table(pa.table({"person_id": [number]}), path / "PERSON" / f"part-{number}.parquet")
    (path / "PERSON" / "_SUCCESS").touch()
    if is_zip:
        with zipfile.ZipFile(tmp_path / "cdm.zip", "w") as archive:
            for file in (path / "PERSON").iterdir():
                archive.write(file, f"cdm/PERSON/{file.name}")
        path = tmp_path / "cdm.zip"
    with open_cdm(path) as opened:
        assert sorted(opened.engine.fetch(opened.tables["person"])["person_id"].to_pylist()) == [7, 8]


def test_several_text_files_for_one_table_are_refused_and_not_read_in_part(tmp_path: Path) -> None:
    folder = csv_folder(tmp_path / "cdm")
    (folder / "death").mkdir()
    for number in (1, 2):
        (folder / "death" / f"part-{number}.csv").write_text("person_id,death_date\n7,2020-01-01\n")
    with pytest.raises(Invalid, match="several files hold death"), open_cdm(folder):
        pass
