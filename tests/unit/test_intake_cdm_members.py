"""A delivered CDM is taken only where it is plain which rows are a table's."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pytest

from fairhaven.intake.cdm_reader import CdmMembers, members
from fairhaven.intake.reader import DeliveredFile
from fairhaven.kernel.errors import Invalid

PERSON = "person_id,gender_concept_id\n7,8507\n" + "8,8532\n" * 200


def found(path: Path) -> CdmMembers:
    with duckdb.connect() as connection:
        return members(connection, DeliveredFile(path=path, name="cdm"), path.parent)


def zipped(path: Path, files: Mapping[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def test_what_is_no_table_of_the_cdm_is_told_and_not_unpacked(tmp_path: Path) -> None:
    delivered = found(
        zipped(tmp_path / "cdm.zip", {"cdm/PERSON.csv": PERSON, "cdm/costs.csv": "1", "__MACOSX/cdm/._PERSON.csv": "2"})
    )
    assert [member.table for member in delivered.found] == ["person"]
    assert delivered.others == ("file costs.csv",)
    assert [file.name for file in (tmp_path / "unpacked").rglob("*.csv")] == ["PERSON.csv"]


def test_a_table_may_have_its_schema_before_its_name_and_is_refused_where_two_have_it(tmp_path: Path) -> None:
    delivered = found(zipped(tmp_path / "cdm.zip", {"dbo.PERSON.csv": PERSON, "person.old.csv": PERSON}))
    assert [member.table for member in delivered.found] == ["person"]
    assert delivered.others == ("file person.old.csv",)
    with pytest.raises(Invalid, match="cdm: several files hold person"):
        found(zipped(tmp_path / "two.zip", {"dbo.person.csv": PERSON, "old.person.csv": PERSON}))


def test_two_text_files_for_one_table_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="cdm: several files hold person"):
        found(zipped(tmp_path / "cdm.zip", {"a/person.csv": PERSON, "b/person.csv": PERSON}))


def test_a_zip_with_damaged_content_is_refused_in_words(tmp_path: Path) -> None:
    path = zipped(tmp_path / "cdm.zip", {"person.csv": PERSON})
    content = bytearray(path.read_bytes())
    content[40:60] = b"\xff" * 20  # within the packed bytes: 30 bytes of header and the name come before them
    path.write_bytes(content)
    with pytest.raises(Invalid, match="cdm: the zip file is cut off or damaged"):
        found(path)


def test_a_table_in_two_schemas_is_refused_and_a_view_of_another_name_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "[cdm].duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE PERSON AS SELECT 7 AS person_id; CREATE TABLE costs AS SELECT 1 AS cost")
        connection.execute("CREATE SCHEMA old; CREATE VIEW old.people AS FROM main.person")
    delivered = found(path)
    assert [member.table for member in delivered.found] == ["person"]
    assert delivered.others == ("table costs (rows: 1)",)
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE old.death AS SELECT 7 AS person_id; CREATE TABLE death AS FROM old.death")
    with pytest.raises(Invalid, match="cdm: death is in several schemas"):
        found(path)


def parquet(path: Path, query: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({query}) TO '{path}'")
    return path


def rows(folder: Path, table: str) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        delivered = members(connection, DeliveredFile(path=folder, name="cdm"), folder.parent)
        (member,) = (each for each in delivered.found if each.table == table)
        held: list[tuple[object, ...]] = connection.execute(f"SELECT * FROM {member.rows} ORDER BY row_line").fetchall()
        return held


def test_a_table_that_is_parted_by_folders_is_one_table_whatever_its_files_are_called(tmp_path: Path) -> None:
    cdm = tmp_path / "cdm"
    parquet(cdm / "person.parquet", "SELECT 7 AS person_id")
    parquet(cdm / "measurement/yr=2020/person.parquet", "SELECT 1 AS measurement_id")
    parquet(cdm / "measurement/yr=2021/person.parquet", "SELECT 2 AS measurement_id")
    assert rows(cdm, "person") == [(1, 7)]
    assert rows(cdm, "measurement") == [(1, 1, 2020), (2, 2, 2021)]


@pytest.mark.parametrize("log", ["_delta_log/00000000000000000000.json", "metadata/v1.metadata.json"])
@pytest.mark.parametrize("is_zip", [False, True])
def test_a_table_whose_log_says_which_files_count_is_refused(tmp_path: Path, log: str, is_zip: bool) -> None:
    cdm = tmp_path / "cdm"
    parquet(cdm / "person.parquet", "SELECT 7 AS person_id")
    parquet(cdm / "death/part-0.parquet", "SELECT 7 AS person_id")
    (cdm / "death" / log).parent.mkdir()
    (cdm / "death" / log).write_text("{}")
    if is_zip:
        files = {str(file.relative_to(cdm)): file for file in cdm.rglob("*") if file.is_file()}
        with zipfile.ZipFile(tmp_path / "cdm.zip", "w") as archive:
            for name, file in files.items():
                archive.write(file, name)
        cdm = tmp_path / "cdm.zip"
    with pytest.raises(Invalid, match="death: is a table with a log"):
        found(cdm)


def test_tables_of_two_folders_are_not_added_up(tmp_path: Path) -> None:
    for folder in ("death", "."):
        parquet(tmp_path / "cdm" / folder / "death.parquet", "SELECT 7 AS person_id")
    parquet(tmp_path / "cdm/person.parquet", "SELECT 7 AS person_id")
    with pytest.raises(Invalid, match="death is in several places"):
        found(tmp_path / "cdm")


def test_an_empty_file_of_a_table_that_may_be_missing_is_told_and_stops_nothing(tmp_path: Path) -> None:
    delivered = found(zipped(tmp_path / "cdm.zip", {"person.csv": PERSON, "death.csv": ""}))
    assert [member.table for member in delivered.found] == ["person"]
    assert delivered.others == ("file death.csv (empty)",)
