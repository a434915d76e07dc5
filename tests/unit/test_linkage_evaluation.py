"""A trial on labelled persons: any headers, FEBRL's record names, every fault at once."""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from bench.linkage import region_of_errors
from fairhaven.kernel.errors import Invalid
from fairhaven.linkage.evaluation import trial
from fairhaven.linkage.evaluation_columns import normal, recognise
from tests.support.shared_data import shared

HEADERS = ["rec_id", "First Name", "SURNAME", "dateOfBirth", "post-code", "Gender", "soc_sec_id", "e-mail", "shoe_size"]


def written(path: Path, rows: Sequence[str]) -> Path:
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_headers_are_recognised_in_the_words_people_use() -> None:
    assert recognise(HEADERS, truth="rec_id") == {
        "given_name": "First Name",
        "family_name": "SURNAME",
        "birth_date": "dateOfBirth",
        "postcode": "post-code",
        "sex": "Gender",
        "nhs_number": "soc_sec_id",
        "email": "e-mail",
    }
    assert normal(" Post Code ") == "post_code"


def test_what_the_user_states_comes_first() -> None:
    found = recognise(["id", "vorname", "surname"], truth="id", given={"given_name": "vorname"})
    assert found == {"given_name": "vorname", "family_name": "surname"}


def test_the_truth_is_never_compared() -> None:
    assert "nhs_number" not in recognise(["nhs_number", "surname"], truth="nhs_number")


def test_every_fault_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    bare = written(tmp_path / "bare.csv", ["a,b", "1,2"])
    empty = written(tmp_path / "empty.csv", ["entity,surname,dob"])
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and nothing more")
    with pytest.raises(Invalid) as caught:
        trial([bare, empty, broken, tmp_path / "absent.csv", tmp_path], truth="entity", columns={"shoes": "a"})
    text = str(caught.value)
    assert "bare.csv: has no column 'entity'" in text
    assert "bare.csv: has no column recognised as a name" in text
    assert "shoes: is not something persons are compared by" in text
    assert "empty.csv: has no rows" in text
    assert "broken.parquet: cannot be read" in text
    assert "absent.csv: does not exist" in text
    assert f"{tmp_path}: is a folder" in text


def test_a_message_about_a_file_quotes_no_row(tmp_path: Path) -> None:
    ragged = written(tmp_path / "ragged.csv", ["entity,surname,dob", "1,Zebedee,1950-01-01", '2,"Zeb'])
    with pytest.raises(Invalid) as caught:
        trial([ragged], truth="entity", columns={"given_name": "absent"})
    assert "Zeb" not in str(caught.value)


def test_two_small_files_are_linked_across_and_within(tmp_path: Path) -> None:
    left = written(tmp_path / "left.csv", ["entity;forename;surname;dob;zip", "1;Ann;Hall;04/03/1950;AB1 2CD",
                                           "2;Bob;Lee;05/06/1960;AB1 2CE", "2;Bob;Lee;05/06/1960;ab12ce"])  # fmt: skip
    right = written(tmp_path / "right.csv", ["entity\tname\tbirth_date\tpostcode", "1\tann hall\t19500304\tAB12CD",
                                             "3\tCy Orr\t19700809\tZE1 0AA"])  # fmt: skip
    outcome = trial([left, right], truth="entity")
    assert (outcome.linked, outcome.true, outcome.right) == (2, 2, 2)
    assert outcome.across is not None
    assert (outcome.across["linked"], outcome.across["true"], outcome.f1) == (1, 1, 1.0)
    assert (outcome.clusters, outcome.true_clusters, outcome.records) == (3, 3, 5)
    assert outcome.precision == 1.0
    assert "across files: precision 1.0000" in "\n".join(outcome.lines())


def test_records_without_a_truth_are_linked_but_not_judged(tmp_path: Path) -> None:
    file = written(tmp_path / "one.csv", ["entity,given,family,dob", "1,Ann,Hall,1950-03-04", ",Bob,Lee,not a date"])
    outcome = trial([file], truth="entity")
    assert outcome.records == 1
    assert any("no truth" in note for note in outcome.notes)
    assert any("could not be read" in note for note in outcome.notes)


def test_what_came_out_wrong_is_handed_out_pair_by_pair_with_what_the_records_say(tmp_path: Path) -> None:
    file = written(tmp_path / "one.csv", ["entity,given,family,dob,postcode", "1,Ann,Hall,1950-03-04,AB1 2CD",
                                          "2,Ann,Hall,1950-03-04,AB1 2CD", "3,Bob,Lee,1960-01-02,AB1 2CE",
                                          "3,Robert,Leigh,1961-05-06,ZE1 0AA"])  # fmt: skip
    given: list[dict[str, object]] = []
    outcome = trial([file], truth="entity", wrong=lambda pairs: given.extend(pairs.to_pylist()))
    assert [(one["kind"], one["left_row"], one["right_row"], one["right_given_name"]) for one in given] == [
        ("false", 1, 2, "Ann"),
        ("missed", 3, 4, "Robert"),
    ]
    assert outcome.notes[-2:] == ("1 of 1 false pairs are listed", "1 of 1 missed pairs are listed")


def test_a_parquet_file_of_nhs_numbers_is_tried_as_the_hub_would_link_it(tmp_path: Path) -> None:
    tables = dict(zip(("records", "truth"), region_of_errors(3000), strict=True))
    connection = duckdb.connect()
    for name, table in tables.items():
        connection.register(name, table)
    connection.execute(
        "COPY (SELECT * EXCLUDE (source, row_extract) FROM records JOIN truth USING (source, patient_ref)) TO"
        f" '{tmp_path / 'region.parquet'}' (FORMAT parquet)"
    )
    outcome = trial([tmp_path / "region.parquet"], truth="truth")
    assert outcome.columns["1: region.parquet"]["nhs_number"] == "nhs_number"
    assert outcome.precision >= 0.998 and outcome.recall >= 0.995
    assert set(outcome.steps) >= {"nhs_number", "name-birth-postcode", "splink"}


@pytest.mark.parametrize(
    ("names", "truth", "least"),
    [
        (("febrl/dataset4a.csv", "febrl/dataset4b.csv"), "rec_id", 0.995),
        (("febrl/dataset3.csv",), "rec_id", 0.98),
        (("fake_1000.csv",), "cluster", 0.8),
        pytest.param(("historical_figures_with_errors_50k.parquet",), "cluster", 0.77, marks=pytest.mark.slow),
    ],
)
def test_public_labelled_sets_are_linked_at_least_this_well(names: dict[str, str], truth: str, least: float) -> None:
    outcome = trial([shared("data", "linkage", name) for name in names], truth=truth)
    assert outcome.f1 >= least, (outcome.precision, outcome.recall)
