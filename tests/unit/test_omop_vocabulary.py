"""A vocabulary download becomes a version of the hub's vocabulary."""

import zipfile
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from fairhaven.kernel.errors import Invalid, NotFound
from fairhaven.omop.cdm import CDM, VOCABULARY_TABLES
from fairhaven.omop.vocabulary import Vocabulary, load_vocabulary, loaded

CONCEPT_HEADER = (
    "concept_id\tconcept_name\tdomain_id\tvocabulary_id\tconcept_class_id\tstandard_concept\tconcept_code"
    "\tvalid_start_date\tvalid_end_date\tinvalid_reason\n"
)
CONCEPT_ROWS = (
    '320128\tHigh "blood" pressure\tCondition\tSNOMED\tClinical Finding\tS\t59621000\t19700101\t20991231\t\n'
    '8507\tMALE "\tGender\tGender\tGender\tS\tM\t19700101\t20991231\t\n'
)
VOCABULARY_ROWS = (
    "vocabulary_id\tvocabulary_name\tvocabulary_reference\tvocabulary_version\tvocabulary_concept_id\n"
    "None\tOMOP Standardized Vocabularies\tOMOP generated\tv5.0 30-AUG-25\t44819096\n"
    "CPT4\tCurrent Procedural Terminology\tAMA\t2025\t44819100\n"
)


def download(folder: Path, *, concept: str = CONCEPT_HEADER + CONCEPT_ROWS, vocabulary: str = VOCABULARY_ROWS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "CONCEPT.csv").write_text(concept)
    if vocabulary:
        (folder / "VOCABULARY.csv").write_text(vocabulary)
    return folder


def test_an_athena_folder_is_loaded_with_its_version_and_unquoted_names(tmp_path: Path) -> None:
    vocabulary = load_vocabulary(download(tmp_path / "athena"), tmp_path / "store")

    assert vocabulary.version == "v5.0 30-AUG-25"
    assert vocabulary.counts["concept"] == 2
    rows = pq.read_table(vocabulary.files("concept")[0]).to_pylist()
    assert [row["concept_id"] for row in rows] == [8507, 320128]
    assert rows[1]["concept_name"] == 'High "blood" pressure'
    assert rows[0]["valid_end_date"].isoformat() == "2099-12-31"
    assert any("CPT4" in note for note in vocabulary.notes)
    assert Vocabulary.open(tmp_path / "store") == vocabulary


@pytest.mark.parametrize(("rows", "said"), [("", "has no rows"), (CONCEPT_ROWS * 2, "2 rows repeat a concept_id")])
def test_no_concept_or_a_concept_twice_is_refused(tmp_path: Path, rows: str, said: str) -> None:
    before = load_vocabulary(download(tmp_path / "athena"), tmp_path / "store")
    with pytest.raises(Invalid, match=said):
        load_vocabulary(download(tmp_path / "other", concept=CONCEPT_HEADER + rows), tmp_path / "store")
    assert Vocabulary.open(tmp_path / "store") == before


def test_absent_tables_are_empty_with_the_right_columns(tmp_path: Path) -> None:
    vocabulary = load_vocabulary(download(tmp_path / "athena"), tmp_path / "store")

    for table in VOCABULARY_TABLES:
        found = pq.read_schema(vocabulary.files(table)[0]).names
        assert found == list(CDM[table].names), table


def test_a_zip_with_lower_case_commas_and_iso_dates_is_the_same_vocabulary(tmp_path: Path) -> None:
    comma = (CONCEPT_HEADER + CONCEPT_ROWS).replace('MALE "', "MALE").replace('High "blood"', "High blood")
    comma = comma.replace("\t", ",").replace("19700101", "1970-01-01")
    with zipfile.ZipFile(tmp_path / "vocabulary.zip", "w") as archive:
        archive.writestr("deep/inside/concept.csv", comma)
        archive.writestr("__MACOSX/._concept.csv", "\x00\x05")
    vocabulary = load_vocabulary(tmp_path / "vocabulary.zip", tmp_path / "store")

    assert vocabulary.version.startswith("digest-")
    rows = pq.read_table(vocabulary.files("concept")[0]).to_pylist()
    assert rows[0]["valid_start_date"].isoformat() == "1970-01-01"


def test_a_duckdb_file_and_a_parquet_folder_are_vocabularies_too(tmp_path: Path) -> None:
    first = load_vocabulary(download(tmp_path / "athena"), tmp_path / "store")
    with duckdb.connect(str(tmp_path / "cdm.duckdb")) as connection:
        connection.execute("CREATE SCHEMA vocab")
        for table in ("concept", "vocabulary"):
            connection.execute(f"CREATE TABLE vocab.{table.upper()} AS FROM '{first.files(table)[0]}'")

    second = load_vocabulary(tmp_path / "cdm.duckdb", tmp_path / "other")
    third = load_vocabulary(first.folder, tmp_path / "third")

    assert second.version == third.version == first.version
    assert pq.read_table(second.files("concept")[0]) == pq.read_table(first.files("concept")[0])


def test_versions_live_side_by_side_and_the_last_loaded_is_current(tmp_path: Path) -> None:
    store = tmp_path / "store"
    old = load_vocabulary(download(tmp_path / "old"), store)
    new = load_vocabulary(
        download(tmp_path / "new", vocabulary=VOCABULARY_ROWS.replace("30-AUG-25", "27-FEB-26")), store
    )

    assert [each.version for each in loaded(store)] == ["v5.0 27-FEB-26", "v5.0 30-AUG-25"]
    assert Vocabulary.open(store) == new
    assert Vocabulary.of(store, "v5.0 30-AUG-25", "") == old
    assert load_vocabulary(tmp_path / "old", store) == old
    assert Vocabulary.open(store) == old


def test_the_same_version_with_other_content_is_kept_beside_it(tmp_path: Path) -> None:
    store = tmp_path / "store"
    first = load_vocabulary(download(tmp_path / "a"), store)
    second = load_vocabulary(
        download(tmp_path / "b", concept=CONCEPT_HEADER + CONCEPT_ROWS.splitlines()[0] + "\n"), store
    )

    assert first.version == second.version
    assert first.folder != second.folder
    assert Vocabulary.open(store).folder == second.folder
    assert Vocabulary.of(store, first.version, first.digest) == first
    assert Vocabulary.of(store, first.version, second.digest) == second
    with pytest.raises(NotFound, match="2 vocabularies here call themselves"):
        Vocabulary.of(store, first.version, "")


def test_a_vocabulary_altered_on_disk_is_refused_and_loading_it_again_mends_it(tmp_path: Path) -> None:
    vocabulary = load_vocabulary(download(tmp_path / "a"), tmp_path / "store")
    vocabulary.check()
    [file] = vocabulary.files("concept")
    before = file.read_bytes()
    file.write_bytes(before.replace(b"MALE", b"MELA"))
    with pytest.raises(Invalid, match="was altered or is missing"):
        vocabulary.check()
    load_vocabulary(tmp_path / "a", tmp_path / "store").check()
    assert file.read_bytes() == before
    file.unlink()
    with pytest.raises(Invalid, match="was altered or is missing"):
        vocabulary.check()


def test_a_table_over_which_the_engine_fails_is_named_and_no_other(tmp_path: Path) -> None:
    folder = download(tmp_path / "athena")
    # A last line that ends within a character: DuckDB 1.5.5 fails within, and answers nothing on this connection from then on.
    (folder / "CONCEPT.csv").write_bytes((CONCEPT_HEADER + CONCEPT_ROWS).encode().strip() + b"\t\x8a")
    with pytest.raises(Invalid, match=r"^CONCEPT.csv: cannot be read to its end"):
        load_vocabulary(folder, tmp_path / "store")


def test_every_fault_is_said_at_once_with_its_line_and_without_the_value(tmp_path: Path) -> None:
    broken = CONCEPT_HEADER + CONCEPT_ROWS
    broken += "1\tshort line\n"
    broken += "2\tname\tCondition\tSNOMED\tClinical Finding\tS\tcode\tSECRET\t20991231\t\n"
    broken += "x3\tname\tCondition\tSNOMED\tClinical Finding\tS\tcode\t19700101\t20991231\t\n"
    with pytest.raises(Invalid) as refused:
        load_vocabulary(download(tmp_path / "athena", concept=broken), tmp_path / "store")

    message = str(refused.value)
    assert "CONCEPT.csv:4" in message
    assert "valid_start_date" in message and "concept_id" in message
    assert "SECRET" not in message
    assert not list((tmp_path / "store").glob("*/"))


def test_missing_columns_and_a_missing_concept_table_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="the column domain_id is missing"):
        load_vocabulary(
            download(tmp_path / "a", concept=CONCEPT_HEADER.replace("domain_id", "area") + CONCEPT_ROWS), tmp_path / "s"
        )
    (tmp_path / "empty").mkdir()
    with pytest.raises(Invalid, match="there is no CONCEPT table"):
        load_vocabulary(tmp_path / "empty", tmp_path / "s")
    (tmp_path / "torn.zip").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(Invalid, match="the zip file is cut off or damaged"):
        load_vocabulary(tmp_path / "torn.zip", tmp_path / "s")
    with pytest.raises(NotFound, match="no vocabulary is loaded"):
        Vocabulary.open(tmp_path / "s")


ATC = "715756\told antibiotic code\tDrug\tATC\tATC 5th\t{nothing}\tS01AA28\t19700101\t20991231\t{nothing}\n"
LINKS = "concept_id_1\tconcept_id_2\trelationship_id\tvalid_start_date\tvalid_end_date\tinvalid_reason\n"


def with_links(folder: Path, links: str, *, concept: str = CONCEPT_ROWS + ATC.format(nothing="")) -> Path:
    download(folder, concept=CONCEPT_HEADER + concept)
    (folder / "CONCEPT_RELATIONSHIP.csv").write_text(LINKS + links)
    return folder


@pytest.mark.parametrize("nothing", ["NULL", "\\N", "null"])
def test_a_word_for_nothing_makes_the_same_vocabulary_as_an_empty_cell(tmp_path: Path, nothing: str) -> None:
    link = "715756\t320128\tMaps to\t19700101\t20991231\t{}\n"
    plain = load_vocabulary(with_links(tmp_path / "plain", link.format("")), tmp_path / "store")
    words = CONCEPT_ROWS + ATC.format(nothing=nothing)
    worded = load_vocabulary(with_links(tmp_path / "words", link.format(nothing), concept=words), tmp_path / "store")
    assert worded.digest == plain.digest
    parquet = tmp_path / "parquet"
    parquet.mkdir()
    with duckdb.connect() as connection:
        for name, table in (("concept", "CONCEPT"), ("concept_relationship", "CONCEPT_RELATIONSHIP")):
            connection.execute(
                f"COPY (FROM read_csv('{tmp_path}/words/{table}.csv', all_varchar=true, delim='\t', quote='')) TO '{parquet}/{name}.parquet'"
            )
    stored = load_vocabulary(parquet, tmp_path / "store")
    assert pq.read_table(stored.files("concept")[0]) == pq.read_table(plain.files("concept")[0])
    assert pq.read_table(stored.files("concept_relationship")[0])["invalid_reason"].null_count == 1


def test_another_word_where_a_letter_belongs_is_refused_with_its_line(tmp_path: Path) -> None:
    concept = CONCEPT_ROWS + ATC.format(nothing="none")
    with pytest.raises(Invalid) as refused:
        load_vocabulary(download(tmp_path / "athena", concept=CONCEPT_HEADER + concept), tmp_path / "store")
    assert [(fault.line, fault.field) for fault in refused.value.faults] == [
        (4, "standard_concept"),
        (4, "invalid_reason"),
    ]


@pytest.mark.parametrize(
    ("links", "said"),
    [
        ("715756\t320128\tMaps to\t19700101\t20991231\tD\n", "1 of 1 links 'Maps to' are marked as not valid"),
        (
            "715756\t1\tMaps to\t19700101\t20991231\t\n",
            "1 of 1 links 'Maps to' name concepts that CONCEPT does not have",
        ),
    ],
)
def test_a_vocabulary_most_of_whose_links_lead_nowhere_is_refused(tmp_path: Path, links: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        load_vocabulary(with_links(tmp_path / "athena", links), tmp_path / "store")
