"""Texts in one spelling, as DuckDB expressions, so that an identifier is known again however it is written.

Digits of every script and width become 0 to 9, letters small and plain. What stands between digits does not matter: a number
with dots, slashes, hyphens, blanks of any width or nothing between its digits is one run of digits in `joined_sql`.
"""

import unicodedata
from functools import cache

from fairhaven.engine.sql import literal

# What no decomposition takes apart, and letters of other scripts that look like ours.
_LOOKS_LIKE = dict(
    zip(
        "øØłŁđĐðÐıħĦŧŦ" + "АВЕКМНОРСТХУЅІЈавекмнорстхуѕіј" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαικνορτυχ",
        "oolldddd" + "ihhtt" + "abekmhopctxysijabekmhopctxysij" + "abezhikmnoptyxaiknoptyx",
        strict=True,
    )
)
_LETTERS = {"æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe", "ß": "ss", "þ": "th", "Þ": "th"}


_LAST_SCRIPT = 0x1FC00
"""Behind it Unicode has Chinese signs and what is for private use, none of which stands for a digit or a small letter of ours."""


@cache
def _characters_of_every_script() -> tuple[str, str]:
    """Characters that stand for a digit or a small letter, and what they stand for: full width, other scripts, raised, in circles, bold."""
    found = dict(_LOOKS_LIKE)
    for code in range(128, _LAST_SCRIPT):
        digit = unicodedata.digit(chr(code), None)
        if digit is not None:
            found[chr(code)] = str(digit)
        elif unicodedata.decomposition(chr(code)).startswith("<"):
            plain = unicodedata.normalize("NFKC", chr(code)).casefold()
            if len(plain) == 1 and "a" <= plain <= "z":
                found[chr(code)] = plain
    return "".join(found), "".join(found.values())


# Letters with accents, punctuation, blanks and signs of money: the usual ones, which are none of those.
_USUAL = (
    "^[\\x00-\u00a9\u00ab-\u00b1\u00b4-\u00b8\u00bb-\u00c5\u00c7-\u00cf\u00d1-\u00d7\u00d9-\u00dd\u00e0-\u00e5\u00e7-\u00ef"
    "\u00f1-\u00f7\u00f9-\u00fd\u00ff-\u010f\u2010-\u206f\u20a0-\u20cf]*$"
)
# Within a name ("O'Brien") they part no words; the zero-width ones, and those that say in which direction one writes, are not seen at all.
_WITHIN_WORDS = (
    "['`\u00ad\u00b4\u02b9-\u02bd\u034f\u05f3\u061c\u180e\u200b-\u200f\u2018\u2019\u201b\u202a-\u202e\u2032\u2060-\u2069"
    "\ua78c\ufe00-\ufe0f\ufeff\uff07]"
)
_POSSESSIVE = "['\u2018\u2019\u02bc`]s\\b"
# Blanks, apostrophes and ends of lines as HTML, addresses of the web and JSON write them.
_ESCAPED_APOSTROPHE = r"&(?:#0*39|#x0*27|#8217|apos|[lr]squo);|%27|\\u2019"
_ENTITY = (
    r"&(?:amp;)*#|&[A-Za-z](?:acute|grave|circ|uml|tilde|cedil|ring|slash|caron);|%[0-9A-Fa-f]{2}|\\[uUx][0-9A-Fa-f]{2}"
)
_ACCENTED = "&([A-Za-z])(?:acute|grave|circ|uml|tilde|cedil|ring|slash|caron);"
_NUMBERED = (
    r"&#[0-9]{1,7};?|&#[xX][0-9A-Fa-f]{1,6};?|\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8}|\\x[0-9A-Fa-f]{2}|%[0-9A-Fa-f]{2}"
)
_ESCAPED = (
    r"&(?:#[0-9]{1,6}|#x[0-9a-f]{1,5}|[a-z]{2,6});|%(?:2[0-9a-f]|0[9ad]|a0|c2)|\\u[0-9a-f]{4}|\\[nrt]"
    r"|</?(?:br|p|b|i|u|em|strong|span|div|li|td|tr) ?/?>"
    # FHIR's, which may stand between the parts of a name.
    r'|[\\"]+use[\\"]+ ?: ?[\\"]+[a-z]+[\\"]+'
)
_TAG = r"</?[a-z]+[0-9]?(?:\s[^<>]*)?/?>"


def unescaped_sql(text_sql: str) -> str:
    """The text with its characters in place of what HTML, web addresses and JSON write for them: ``&#57;``, ``%39``, ``\\u0039``, ``&eacute;``."""
    bare = f"regexp_replace({text_sql}, '&(?:amp;)+', '&', 'g')"
    # Where anything behind percent signs is no UTF-8, each is read by itself below, as a character of Latin-1.
    addressed = f"coalesce(TRY(url_decode({bare})), {bare})"
    accented = f"regexp_replace({addressed}, {literal(_ACCENTED)}, '\\1', 'g')"
    hexadecimal = "try_cast('0x' || regexp_extract(one, '[uUxX%]([0-9A-Fa-f]+)', 1) AS INTEGER)"
    code = f"coalesce({hexadecimal}, try_cast(regexp_extract(one, '[0-9]+') AS INTEGER))"
    # Blanks, halves of pairs and what is for private use are no letters and no digits.
    is_letter = f"{code} BETWEEN 33 AND 55295 OR {code} BETWEEN 63744 AND 1114111"
    letter = f"CASE WHEN length(one) = 1 THEN one WHEN {is_letter} THEN chr({code}) ELSE ' ' END"
    pieces = f"regexp_extract_all({accented}, {literal(f'(?s){_NUMBERED}|.')})"
    decoded = f"array_to_string(list_transform({pieces}, lambda one: {letter}), '')"
    return f"CASE WHEN regexp_matches({text_sql}, {literal(_ENTITY)}) THEN {decoded} ELSE {text_sql} END"


def readings_sql(text_sql: str) -> str:
    """The text and, where it has tags, the same without them, as a list: a name may be parted by tags, or stand in one."""
    untagged = f"regexp_replace({text_sql}, {literal(_TAG)}, ' ', 'gi')"
    return f"CASE WHEN regexp_matches({text_sql}, {literal(_TAG)}, 'i') THEN [{text_sql}, {untagged}] ELSE [{text_sql}] END"


def plain_sql(text_sql: str) -> str:
    """The text in small letters without accents, its digits as 0 to 9, no underscores; other characters stay."""
    bare = f"regexp_replace(regexp_replace({text_sql}, {literal(_ESCAPED_APOSTROPHE)}, '''', 'gi'), {literal(_ESCAPED)}, ' ', 'gi')"
    # The table of digits and letters costs more than all the rest, and few texts have more than what is usual.
    letters = bare
    for letter, spelled in _LETTERS.items():
        letters = f"replace({letters}, '{letter}', '{spelled}')"
    others, plain = _characters_of_every_script()
    usual = f"CASE WHEN regexp_matches({text_sql}, {literal(_USUAL)}) THEN {bare} ELSE translate({letters}, {literal(others)}, {literal(plain)}) END"
    named = f"regexp_replace(lower(strip_accents({usual})), {literal(_POSSESSIVE)}, '', 'g')"
    every = f"regexp_replace({named}, {literal(_WITHIN_WORDS)}, '', 'g')"
    is_simple = f"strlen({text_sql}) = length({text_sql}) AND NOT regexp_matches({text_sql}, '[''`&%<\\\\]|\"use')"
    return f"replace(CASE WHEN {is_simple} THEN lower({text_sql}) ELSE {every} END, '_', ' ')"


def joined_sql(plain: str) -> str:
    """Letters and digits of a plain text (`plain_sql`), with nothing between them."""
    return f"regexp_replace({plain}, '[^0-9a-z]+', '', 'g')"


def words_sql(plain: str) -> str:
    """The words of a plain text, as a list: runs of letters."""
    return f"regexp_extract_all({plain}, '[a-z]+')"


def ten_digits_sql(joined: str) -> str:
    """Every ten digits in a row of a joined text (`joined_sql`), as a list of whole numbers; they overlap in longer runs.

    As ten passes that begin one digit later each: the n-th character of a long text costs n steps.
    """
    passes = "list_transform(range(1, 11), lambda first: regexp_extract_all(substr(run, first), '[0-9]{10}'))"
    runs = f"list_transform(regexp_extract_all({joined}, '[0-9]{{10,}}'), lambda run: flatten({passes}))"
    return f"list_transform(flatten({runs}), lambda number: number::BIGINT)"


def whole_sql(number: str) -> str:
    """The whole number, without its sign, of a number that may be a fraction; NULL of a fraction, and of what a double has not exactly."""
    return f"CASE WHEN abs({number}) < 1e15 AND {number} = trunc({number}) THEN abs({number})::BIGINT END"
