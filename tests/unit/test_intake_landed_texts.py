"""What lands tells nobody's name, number, address or day of birth, in whatever column it stands."""

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairhaven.identifiers.known_identifiers import KnownIdentifiers, known_identifiers
from fairhaven.identifiers.withheld import MARK
from fairhaven.intake.landed_texts import LandedTexts
from fairhaven.linkage.model import IDENTITY_SCHEMA

KEY = b"k" * 32
BORN = dt.date(1953, 7, 14)
ELSEWHERE = dt.date(1960, 5, 17)


@pytest.fixture(scope="module")
def known() -> KnownIdentifiers:
    """Two patients of a source, one of another."""
    persons: list[tuple[object, ...]] = [
        ("gp", "a", "9990000018", "Mary", "Okafor", BORN),
        ("gp", "b", None, "May", "Price", dt.date(1980, 1, 2)),
    ]
    persons.append(("hes", "a", None, None, None, dt.date(1999, 9, 9)))
    # One person in two sources, and a number of many.
    persons += [("gp", "d", "9990000034", None, None, None), ("hes", "d", "999 000 0034", None, None, ELSEWHERE)]
    persons += [("gp", "e", "0000000000", None, None, None)]
    persons += [("hes", f"e{day}", "0000000000", None, None, dt.date(1970, 1, day)) for day in range(1, 9)]
    names = ("source", "patient_ref", "nhs_number", "given_name", "family_name", "birth_date")
    records = [dict(zip(names, person, strict=True)) | {"row_extract": 1} for person in persons]
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("identity", pa.Table.from_pylist(records, schema=IDENTITY_SCHEMA))
        return known_identifiers(connection, "identity", key=KEY)


def _screened(
    folder: Path,
    known: KnownIdentifiers,
    columns: Mapping[str, Sequence[object]],
    birth_date: str = "month",
    numbers: tuple[tuple[str, str], ...] = (),
) -> tuple[dict[str, list[object]], Mapping[str, int]]:
    """The columns as they land, and of how many rows of which one was changed."""
    path, kept = folder / "events.parquet", folder / "kept.parquet"
    pq.write_table(pa.table(dict(columns)), path)
    work = folder / "work"
    work.mkdir()
    texts = LandedTexts(source="gp", key=KEY, birth_date=birth_date)
    pairs = [{"patient_ref": patient, "number": number} for patient, number in numbers]
    schema = pa.schema([("patient_ref", pa.string()), ("number", pa.string())])
    local_numbers = pa.Table.from_pylist(pairs, schema=schema)
    rows = texts.screen({path: kept}, known=known, local_numbers=local_numbers, work=work).get(kept, {})
    assert not path.exists()
    landed: dict[str, list[object]] = pq.read_table(kept).to_pydict()
    return landed, rows


def test_texts_with_identifiers_are_withheld_and_equal_ones_stay_equal(tmp_path: Path, known: KnownIdentifiers) -> None:
    said = ["seen by Mary Okafor", "tall", "seen by Mary Okafor", "999.000.0018", None, "May"]
    landed, rows = _screened(tmp_path, known, {"patient_ref": ["a"] * 6, "term": said})
    first, tall, third, number, nothing, may = landed["term"]
    assert (rows, tall, nothing, may) == ({"term": 3}, "tall", None, "May")
    assert first == third != number
    assert str(first).startswith(MARK)
    assert len(str(first)) == len(MARK) + 17


BIRTHS = [
    *("1953-07-14", "14/07/1953", "14.7.1953", "07/14/1953", "14 July 1953", "14th of July, 1953", "July 14, 1953"),
    *("14-Jul-53", "14/07/53", "14.7.53", "53-07-14", "19530714", "14071953", "07141953", "140753", "530714", "071453"),
    *("dob14JUL1953", "1953-07-14T10:00", "14\u00a007\u00a01953", "19530714103000", "19530714T103000Z", "001953071400"),
    *(
        "dob_14/07/1953_x",
        "14/07/1953T10:00",
        "14 July 1953x",
        "14th day of July 1953",
        "July the 14th 1953",
        "14/7/'53",
    ),
    *("1953-195", "1953195", "1953-W29-2", "14.VII.1953", "14 Gorffennaf 1953", "1953.07.14.", "14\u201307\u20131953"),
    *(
        "\uff11\uff14/07/1953",
        "\u0661\u0664/\u0660\u0667/\u0661\u0669\u0665\u0663",
        "14%2F07%2F1953",
        "14&nbsp;July&nbsp;1953",
        "1&#52;/07/1953",
        "%31%34 July 1953",
        "19554",
        "19554.0",
        "DOB_19554_x",
        "18092",
        "14  /  07  /  1953",
        "14VII1953",
        "the 14th of July in 1953",
    ),
    *("-519696000", "-519699600000", "Tue Jul 14 00:00:00 GMT 1953", "Tue Jul 14 00:00:00 +0000 1953"),
    *("1953 14 July", "1953, 14th of July", "14 de jul. de 1953"),
]


def test_a_text_that_spells_the_patients_own_birth_is_withheld(tmp_path: Path, known: KnownIdentifiers) -> None:
    said = [text for spelled in BIRTHS for text in (f"born {spelled}", spelled)]
    patients = ["a"] * len(said) + ["b"] * len(said) + [None] * len(said)
    landed, rows = _screened(tmp_path, known, {"patient_ref": patients, "term": [*said, *said, *said]})
    own, others = landed["term"][: len(said)], landed["term"][len(said) :]
    assert [text for text in own if not str(text).startswith(MARK)] == []
    assert (others, rows) == ([*said, *said], {"term": len(said)})


def test_a_number_in_a_column_of_numbers_is_known_like_a_text(tmp_path: Path, known: KnownIdentifiers) -> None:
    values = [
        9990000018,
        9990000026,
        -9990000018,
        19530714,
        14071953,
        99900000181,
        1242486,
        1242487,
        19530714103000,
        180,
    ]
    kept = [None, 9990000026, None, None, None, None, None, 1242487, None, 180]
    count = len(values)
    columns: dict[str, object] = {
        "row_key": pa.array(values, pa.int64()),
        "patient_ref": ["a"] * count,
        "whole": pa.array(values, pa.int64()),
        "event_id": pa.array(values, pa.int64()),
        "number": pa.array(values, pa.float64()),
        "exact": pa.array(values, pa.decimal128(20, 2)),
        "half": pa.array([value + 0.5 for value in values], pa.float64()),
        "small": pa.array([180] * count, pa.int32()),
        "unix": pa.array([-519696000, *[519696000000] * (count - 1)], pa.int64()),
    }
    landed, rows = _screened(tmp_path, known, columns, numbers=(("a", "1242486"),))  # type: ignore[arg-type]
    assert (landed["whole"], landed["row_key"], landed["small"]) == (kept, values, [180] * count)
    assert landed["unix"] == [None] * count
    assert [value for value in landed["half"] if value is None] == []
    assert landed["number"] == landed["exact"] == kept
    # A key lands as another number, the same each time.
    keys = landed["event_id"]
    assert keys == [value if given is not None else key for value, given, key in zip(values, kept, keys, strict=True)]
    assert not {9990000018, 19530714, 99900000181, 1242486, None}.intersection(keys)
    assert rows["event_id"] == rows["whole"] == 7


@pytest.mark.parametrize(("precision", "kept"), [("month", dt.date(1953, 7, 1)), ("year", dt.date(1953, 1, 1))])
def test_a_day_that_is_the_patients_birth_is_as_fine_as_births_are(
    tmp_path: Path, known: KnownIdentifiers, precision: str, kept: dt.date
) -> None:
    later, moment = BORN + dt.timedelta(days=1), dt.datetime.combine(BORN, dt.time(10, 30))
    columns: dict[str, list[object]] = {
        "patient_ref": ["a", "a", "b", "a"],
        "birth_date": [kept] * 4,
        "registered_on": [BORN, later, BORN, None],
        "seen_at": [moment, None, moment, None],
    }
    landed, rows = _screened(tmp_path, known, columns, precision)
    assert rows == {"registered_on": 1, "seen_at": 1}
    assert landed["registered_on"] == [kept, later, BORN, None]
    assert landed["seen_at"] == [dt.datetime.combine(kept, dt.time()), None, moment, None]
    assert landed["birth_date"] == [kept] * 4


def test_a_birth_is_known_of_the_person_and_not_of_all_who_bear_a_number_of_many(
    tmp_path: Path, known: KnownIdentifiers
) -> None:
    days = [ELSEWHERE, dt.date(1970, 1, 3)]
    columns: dict[str, list[object]] = {"patient_ref": ["d", "e"], "seen_on": [*days], "term": ["17.5.60", "3.1.70"]}
    landed, rows = _screened(tmp_path, known, columns)
    assert (landed["seen_on"], rows) == ([dt.date(1960, 5, 1), days[1]], {"seen_on": 1, "term": 1})


def test_a_hub_that_releases_the_day_keeps_it(tmp_path: Path, known: KnownIdentifiers) -> None:
    landed, rows = _screened(tmp_path, known, {"patient_ref": ["a"], "registered_on": [BORN]}, "day")
    assert (landed["registered_on"], rows) == ([BORN], {})


def test_what_holds_nothing_is_not_written_anew(tmp_path: Path, known: KnownIdentifiers) -> None:
    columns: dict[str, list[object]] = {"patient_ref": ["a", "b"], "code": ["44054006", "H33zz"]}
    landed, rows = _screened(tmp_path, known, columns)
    assert (landed, rows) == (columns, {})


def test_the_sources_own_number_of_a_patient_is_withheld(tmp_path: Path, known: KnownIdentifiers) -> None:
    said = ["1242486", "no. 124-2486", "1242486-01", "seen", "1242486", "0b9f-77aa", "id 0B9F77AA", "12"]
    patients = ["a", "a", "a", "a", "b", "b", "a", "c"]
    numbers = (("a", "1242486"), ("b", "0b9f77aa"), ("c", "12"), *((str(n), str(1_000_000 + n)) for n in range(150)))
    columns: dict[str, list[object]] = {"patient_ref": list(patients), "term": list(said)}
    landed, rows = _screened(tmp_path, known, columns, numbers=numbers)
    kept = [text for text in landed["term"] if not str(text).startswith(MARK)]
    # Seven digits may be another's code; letters and digits together are nobody else's. Two digits tell nothing.
    assert kept == ["no. 124-2486", "seen", "1242486", "12"]
    assert rows == {"term": 4}


def test_a_patients_own_name_among_other_words_is_withheld_and_what_others_have_too_is_a_display(
    tmp_path: Path, known: KnownIdentifiers
) -> None:
    said = ["Okafor's wound is clean", "Okafor disease", "Okafor disease", "may come back", "told okafor's son"]
    columns: dict[str, list[object]] = {"patient_ref": ["a", "a", "b", "b", "b"], "term": list(said)}
    landed, rows = _screened(tmp_path, known, columns)
    assert rows == {"term": 1}
    assert [text for text in landed["term"] if text in said] == said[1:]
