"""Texts in one spelling, as DuckDB expressions, so that an identifier is known again however it is written.

Digits of every script and width become 0 to 9, letters small and plain. What stands between digits does not matter: a number
with dots, slashes, hyphens, blanks of any width or nothing between its digits is one run of digits in `joined_sql`.
"""

import sys
import unicodedata

from fairhaven.engine.sql import literal


def _digits_of_every_script() -> tuple[str, str]:
    """Characters that stand for a digit, and the digits they stand for: full width, other scripts, raised, in circles."""
    found = [
        (chr(code), str(digit))
        for code in range(128, sys.maxunicode + 1)
        if (digit := unicodedata.digit(chr(code), None)) is not None
    ]
    return "".join(character for character, _ in found), "".join(digit for _, digit in found)


_OTHERS, _DIGITS = _digits_of_every_script()
# Letters of full width, which `strip_accents` leaves as they are.
_WIDE = "".join(map(chr, [*range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B)]))
_NARROW = "abcdefghijklmnopqrstuvwxyz" * 2
# Within a name ("O'Brien") they part no words; the zero-width ones are not seen at all.
_WITHIN_WORDS = "['\u2018\u2019\u02bc`\u00ad\u200b-\u200d\u2060\ufeff]"

_POSSESSIVE = "['\u2018\u2019\u02bc`]s\\b"


def plain_sql(text_sql: str) -> str:
    """The text in small letters without accents, its digits as 0 to 9; other characters stay."""
    digits = f"translate({text_sql}, {literal(_OTHERS + _WIDE)}, {literal(_DIGITS + _NARROW)})"
    named = f"regexp_replace(lower(strip_accents({digits})), {literal(_POSSESSIVE)}, '', 'g')"
    every = f"regexp_replace({named}, {literal(_WITHIN_WORDS)}, '', 'g')"
    # Hardly any text has more than ASCII, and the table of digits costs more than all the rest.
    is_simple = f"strlen({text_sql}) = length({text_sql}) AND NOT contains({text_sql}, chr(39)) AND NOT contains({text_sql}, '`')"
    return f"CASE WHEN {is_simple} THEN lower({text_sql}) ELSE {every} END"


def joined_sql(plain: str) -> str:
    """Letters and digits of a plain text (`plain_sql`), with nothing between them."""
    return f"regexp_replace({plain}, '[^0-9a-z]+', '', 'g')"


def words_sql(plain: str) -> str:
    """The words of a plain text, as a list: runs of letters."""
    return f"regexp_extract_all({plain}, '[a-z]+')"


def words_and_numbers_sql(plain: str) -> str:
    """Runs of letters and runs of digits of a plain text in their order, a letter behind a house's number left out."""
    return f"regexp_extract_all({plain}, '([0-9]+)[a-z]?\\b|([a-z]+)', 0)"


def ten_digits_sql(joined: str) -> str:
    """Every ten digits in a row of a joined text (`joined_sql`), as a list of whole numbers; they overlap in longer runs."""
    return (
        f"flatten(list_transform(regexp_extract_all({joined}, '[0-9]{{10,}}'), lambda run: "
        "list_transform(range(1, length(run) - 8), lambda place: substr(run, place, 10)::BIGINT)))"
    )
