"""NHS numbers: the Python rule and the SQL rule are one."""

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from fairhaven.nhs.number import DUMMIES, bare_digits_sql, check_digit, valid_nhs_number, valid_nhs_number_sql

NINE = st.text("0123456789", min_size=9, max_size=9)
TEXTS = st.one_of(
    st.text(max_size=14),
    st.text("0123456789 -", min_size=8, max_size=14),
    NINE.map(lambda nine: f"{nine}{check_digit(nine)}"),
    st.sampled_from(sorted(DUMMIES)),
    st.sampled_from([digit * 10 for digit in "0123456789"]),
)


def in_sql(texts: list[str]) -> list[str | None]:
    bare = bare_digits_sql("text")
    rows = duckdb.execute(
        f"SELECT {valid_nhs_number_sql(bare)} FROM (SELECT unnest($texts::VARCHAR[]) AS text, unnest($places) AS place)"
        " ORDER BY place",
        {"texts": texts, "places": list(range(len(texts)))},
    ).fetchall()
    return [row[0] for row in rows]


@given(st.lists(TEXTS.filter(lambda text: "\0" not in text), min_size=1, max_size=20))
def test_sql_and_python_agree_on_every_text(texts: list[str]) -> None:
    assert in_sql(texts) == [valid_nhs_number(text) for text in texts]


@given(NINE)
def test_nine_digits_have_one_valid_tenth_or_none(nine: str) -> None:
    valid = [digit for digit in range(10) if valid_nhs_number(f"{nine}{digit}")]
    expected = check_digit(nine)
    is_refused = expected is None or len({*nine, str(expected)}) == 1 or f"{nine}{expected}" in DUMMIES
    assert valid == ([] if is_refused else [expected])


@given(NINE, st.integers(0, 9), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(nine: str, place: int, shift: int) -> None:
    number = valid_nhs_number(f"{nine}{check_digit(nine)}")
    if number:
        wrong = (int(number[place]) + shift) % 10
        assert valid_nhs_number(number[:place] + str(wrong) + number[place + 1 :]) is None


@given(NINE)
def test_what_a_spreadsheet_puts_around_a_number_does_not_matter(nine: str) -> None:
    number = f"{nine}{check_digit(nine)}"
    parted = f"{number[:3]}\u00a0{number[3:6]}\u200b{number[6:]}"
    written = [
        f'="{number}"',
        f"'{number}",
        f"'{number}'",
        f'"{number}"',
        f"{number}.0",
        f"{number}.00 ",
        parted,
        f"\ufeff{number}",
    ]
    assert {valid_nhs_number(text) for text in written} == {valid_nhs_number(number)}
    assert set(in_sql(written)) == {valid_nhs_number(number)}


@given(NINE)
def test_blanks_and_dashes_do_not_matter(nine: str) -> None:
    number = f"{nine}{check_digit(nine)}"
    assert valid_nhs_number(f" {number[:3]}-{number[3:6]} {number[6:]}") == valid_nhs_number(number)
