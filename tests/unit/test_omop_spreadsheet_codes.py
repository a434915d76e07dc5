"""What a spreadsheet made of codes is made good where it is certain, and told where it is not."""

import re

import pytest

from fairhaven.omop.snomed_identifiers import is_snomed_identifier
from fairhaven.omop.spreadsheet_codes import SUSPICIOUS, CodeDamage, damage_of, looks_damaged, mended_code

CERTAIN = [
    ("SNOMED", "44054006.0", "44054006"),
    ("SNOMED", "44054006.00", "44054006"),
    ("SNOMED", '="44054006"', "44054006"),
    ("SNOMED", "'44054006", "44054006"),
    ("SNOMED", "'44054006'", "44054006"),
    ("SNOMED", '"44054006"', "44054006"),
    ("SNOMED", "\u00a044054006\u00a0", "44054006"),
    ("SNOMED", "\ufeff44054006", "44054006"),
    ("SNOMED", "4405\u200b4006", "44054006"),
    ("SNOMED", "44,054,006", "44054006"),
    ("SNOMED", "44 054 006", "44054006"),
    ("SNOMED", "4.4054006E+07", "44054006"),
    ("SNOMED", "4.4054006e7", "44054006"),
    ("SNOMED", "999000021000000000", "999000021000000109"),
    ("SNOMED", str(int(float("999000021000000109"))), "999000021000000109"),
    ("dm+d", "42109611000001100", "42109611000001109"),
    ("dm+d", '="42109611000001100"', "42109611000001109"),
    ("CVX", "8", "08"),
    ("NDC", "2143380", "00002143380"),
    ("ICD9CM", "1.1", "001.1"),
    ("ICD10", '="E11.9"', "E11.9"),
    ("ICD10", "E11.9\u00a0", "E11.9"),
    ("LOCAL", '="007"', "007"),
    ("LOCAL", "12.0", "12"),
]


@pytest.mark.parametrize(("vocabulary", "damaged", "code"), CERTAIN)
def test_what_is_certain_is_mended(vocabulary: str, damaged: str, code: str) -> None:
    assert mended_code(damaged, vocabulary) == code


@pytest.mark.parametrize(
    ("vocabulary", "code"),
    [
        ("SNOMED", "44054006"),
        ("SNOMED", "999000021000000109"),
        ("ICD10", "E11.0"),
        ("Read", "1.00"),
        ("LOCAL", "1.00"),
        ("LOCAL", "1.1"),
        ("CTV3", "1.0"),
        ("LOCAL", "44,054"),
        ("CVX", "110"),
        ("LOINC", "4548-4"),
    ],
)
def test_what_is_whole_stays_as_it_is(vocabulary: str, code: str) -> None:
    assert mended_code(code, vocabulary) == ""
    assert not looks_damaged(code, vocabulary)


@pytest.mark.parametrize(
    ("vocabulary", "code"),
    [
        ("SNOMED", "1.23E+17"),
        ("SNOMED", "9.99E17"),
        ("Read", "1E+10"),
        # Neither what is kept nor any rounding gives this one.
        ("SNOMED", "999000021000000333"),
        # A nought before any of the three parts makes another product's code of it.
        ("NDC", "5009012301"),
        ("ICD10", "1-Mar"),
        ("OPCS4", "Mar-01"),
        ("LOCAL", "01/03/2024"),
        ("LOCAL", "2024-03-01 00:00:00"),
    ],
)
def test_what_is_not_certain_is_not_mended_but_looks_damaged(vocabulary: str, code: str) -> None:
    assert mended_code(code, vocabulary) == ""
    assert looks_damaged(code, vocabulary)


@pytest.mark.parametrize(
    ("code", "damage"),
    [
        ("20260114093000000", None),
        ("202601140930000000", None),
        ("10-11-12", None),
        ("1/2/34", None),
        # A second of 300 milliseconds looks as a longer number does that was cut, and this is no second.
        ("20260114093000300", CodeDamage.CUT),
        ("20261314093000000", CodeDamage.CUT),
        ("123456789012345000", CodeDamage.CUT),
        ("01/02/34", CodeDamage.DATE),
        ("10-11-2012", CodeDamage.DATE),
        ("1-Mar", CodeDamage.DATE),
    ],
)
def test_what_may_be_a_number_of_anybodys_is_no_damage_where_no_vocabulary_is_known(
    code: str, damage: CodeDamage | None
) -> None:
    assert damage_of(code, "") is damage
    assert damage is not None or damage_of(code, "SNOMED") is not None


def test_every_code_that_is_mended_or_looks_damaged_is_looked_at() -> None:

    for vocabulary, code, _ in CERTAIN:
        assert re.search(SUSPICIOUS, code) or vocabulary in ("CVX", "NDC", "ICD9CM")


def test_what_a_long_identifier_is_restored_to_is_one() -> None:
    assert is_snomed_identifier("42109611000001109")
    assert is_snomed_identifier("999000021000000109")
