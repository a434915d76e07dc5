"""NHS numbers: ten digits, the last a check digit modulo 11 (NHS Data Dictionary, NHS NUMBER).

The same rule twice: `valid_nhs_number` for one value in Python, `valid_nhs_number_sql` for a column in DuckDB; a
property test holds them to each other.
"""

import re

from fairhaven.engine.sql import literal, literals

# Written in forms, test scripts and training screens; valid by their check digit, given to nobody.
DUMMIES = frozenset({"1234567881", "9876543210", "1234567890", "0123456789"})
_WEIGHTS = range(10, 1, -1)
_IN_TEXT = re.compile(r"(?<![0-9])[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}(?![0-9])")
# Blanks of every width and dashes, and what a spreadsheet puts around a number: ="...", an apostrophe, a decimal place. One pattern for
# Python and DuckDB, so the characters stand in it themselves.
_SEPARATOR = "[\\t\\n\\f\\r \\-\u00a0\u00ad\u2000-\u2015\u202f\u2060\ufeff]"
_AROUND = f"^{_SEPARATOR}*(=?[\"'])|([.]0+)?[\"']?{_SEPARATOR}*$|{_SEPARATOR}"
_SEPARATORS = re.compile(_AROUND)


def check_digit(nine: str) -> int | None:
    """The tenth digit for the first nine; None where no valid number begins so."""
    remainder = 11 - sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, nine, strict=True)) % 11
    return None if remainder == 10 else remainder % 11


def valid_nhs_number(text: str | None) -> str | None:
    """The number as ten bare digits, or None where it is no valid NHS number.

    Spaces and dashes are ignored, and so is what a spreadsheet puts around it. All-same digits and known dummies are invalid whatever
    their check digit.
    """
    digits = _SEPARATORS.sub("", text or "")
    is_number = len(digits) == 10 and digits.isascii() and digits.isdigit()
    if not is_number or len(set(digits)) == 1 or digits in DUMMIES:
        return None
    return digits if check_digit(digits[:9]) == int(digits[9]) else None


def nhs_numbers_in(text: str) -> set[str]:
    """The valid NHS numbers that stand in a text, as ten digits; written in one piece, with blanks or with hyphens."""
    return {number for written in _IN_TEXT.findall(text) if (number := valid_nhs_number(written))}


def bare_digits_sql(text_sql: str) -> str:
    """DuckDB expression: the text without spaces, dashes and what a spreadsheet puts around a number."""
    return f"regexp_replace({text_sql}, {literal(_AROUND)}, '', 'g')"


def damaged_nhs_number_sql(bare_sql: str) -> str:
    """DuckDB expression: whether a number looks as if a spreadsheet had rounded it (9.43E+09) or dropped a nought before it."""
    return f"regexp_full_match({bare_sql}, '[0-9]{{9}}|[0-9]([.,][0-9]+)?[eE][+]?[0-9]+')"


def valid_nhs_number_sql(bare_sql: str) -> str:
    """DuckDB expression that equals `valid_nhs_number` of the text that *bare_sql* (see `bare_digits_sql`) gives."""
    dummies = literals(*sorted(DUMMIES))
    terms = " + ".join(
        f"{weight} * (ascii(substr({bare_sql}, {place}, 1)) - 48)" for place, weight in enumerate(_WEIGHTS, start=1)
    )
    return (
        f"CASE WHEN regexp_full_match({bare_sql}, '[0-9]{{10}}')"
        f" AND {bare_sql} <> repeat(substr({bare_sql}, 1, 1), 10)"
        f" AND {bare_sql} NOT IN ({dummies})"
        f" AND (11 - ({terms}) % 11) % 11 = ascii(substr({bare_sql}, 10, 1)) - 48"
        f" THEN {bare_sql} END"
    )
